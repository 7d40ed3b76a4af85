
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Brings events from the store to RabbitMQ: each at least once, in order.
 *
 * A partition is read from its checkpoint on, which follows what the broker
 * has confirmed.  A session lock in Postgres decides which daemon relays a
 * partition; the checkpoint's epoch makes sure that one who lost the lock
 * without noticing cannot move the checkpoint.
 *
 * After any failure both connections are dropped, and with them the locks, and
 * everything begins again at the checkpoints.
 */

#include "consumer_pg.h"
#include "consumer_process.h"
#include "consumer_publisher.h"
#include "consumer_worker.h"
#include "cqrs_names.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>


/* How long an event of another daemon may go unnoticed. */
#define CONSUMER_RELAY_POLL       1000

#define CONSUMER_RELAY_SAVE       200
#define CONSUMER_RELAY_CHUNK      256
#define CONSUMER_RELAY_CHUNK_MIN  64
#define CONSUMER_RELAY_CLEAN      3600000
#define CONSUMER_RELAY_RETRY_MIN  100
#define CONSUMER_RELAY_RETRY_MAX  5000

/* The first half of the lock's name, "cqrl"; the second is the partition. */
#define CONSUMER_RELAY_LOCK       "1668379244"


typedef struct {
    char                   epoch[24];      /* empty: somebody else relays it */
    int64_t                published;      /* positions */
    int64_t                confirmed;
    int64_t                saved;
    uint64_t               asked_at;
    unsigned               more:1;         /* may be there to be read */
} consumer_relay_partition_t;


typedef struct {
    unsigned               partition;
    int64_t                position;
} consumer_relay_event_t;


typedef struct {
    const consumer_worker_t     *worker;
    consumer_pg_t                pg;
    consumer_publisher_t         pub;
    consumer_backoff_t           backoff;
    consumer_relay_partition_t  *partitions;
    uint64_t                     settled;     /* a message's number */
    uint64_t                     claim_at;
    uint64_t                     save_at;
    uint64_t                     clean_at;

    /* what message n was, at n modulo the window */
    consumer_relay_event_t       events[CONSUMER_PUBLISHER_WINDOW];
} consumer_relay_t;


static int consumer_relay_turn(consumer_relay_t *relay);
static int consumer_relay_open(consumer_relay_t *relay);
static int consumer_relay_claim(consumer_relay_t *relay);
static int consumer_relay_claim_partition(consumer_relay_t *relay, unsigned i);
static unsigned consumer_relay_room(consumer_relay_t *relay);
static int consumer_relay_read(consumer_relay_t *relay, unsigned i);
static int consumer_relay_publish(consumer_relay_t *relay, unsigned i,
    const PGresult *res, int row);
static int consumer_relay_settle(consumer_relay_t *relay);
static int consumer_relay_save(consumer_relay_t *relay);
static int consumer_relay_clean(consumer_relay_t *relay);
static void consumer_relay_wait(consumer_relay_t *relay);
static int consumer_relay_query(consumer_relay_t *relay, const char *sql,
    int nparams, const char *const *params, PGresult **res);
static int consumer_relay_failed(consumer_relay_t *relay, const char *who,
    const char *why);
static amqp_table_entry_t consumer_relay_text(const char *name,
    const char *value);
static amqp_table_entry_t consumer_relay_number(const char *name,
    int64_t value);


int
consumer_relay_run(const consumer_worker_t *worker)
{
    consumer_relay_t  *relay;

    relay = calloc(1, sizeof(consumer_relay_t));
    if (relay == NULL) {
        goto failed;
    }

    relay->partitions = calloc(worker->partitions,
                               sizeof(consumer_relay_partition_t));
    if (relay->partitions == NULL) {
        goto failed;
    }

    relay->worker = worker;
    relay->backoff.min = CONSUMER_RELAY_RETRY_MIN;
    relay->backoff.max = CONSUMER_RELAY_RETRY_MAX;

    consumer_pg_init(&relay->pg, worker->options->postgres, worker->owner);
    consumer_publisher_init(&relay->pub, worker->options, worker->owner);

    while (!consumer_terminated()) {
        (void) consumer_relay_turn(relay);
    }

    if (relay->pg.conn && relay->pub.amqp.conn
        && consumer_publisher_flush(&relay->pub, CONSUMER_RELAY_POLL) == 0)
    {
        (void) consumer_relay_settle(relay);
        (void) consumer_relay_save(relay);
    }

    consumer_publisher_close(&relay->pub);
    consumer_pg_cleanup(&relay->pg);

    free(relay->partitions);
    free(relay);

    return CONSUMER_EXIT_OK;

failed:

    free(relay);
    consumer_log(CONSUMER_LOG_CRIT, "no memory");

    return CONSUMER_EXIT_ERROR;
}


static int
consumer_relay_turn(consumer_relay_t *relay)
{
    int                          more;
    unsigned                     i;
    uint64_t                     calls;
    consumer_relay_partition_t  *p;

    if (consumer_relay_open(relay) != 0 || consumer_relay_claim(relay) != 0) {
        return -1;
    }

    /* calls that come from here on find us looking again */

    if (read(relay->worker->wakeup, &calls, sizeof(calls)) == -1) {
        calls = 0;
    }

    more = 0;

    for (i = 0; i < relay->worker->partitions; i++) {
        p = &relay->partitions[i];

        if (p->epoch[0] == '\0') {
            continue;
        }

        p->more = p->more || calls
                  || consumer_now() >= p->asked_at + CONSUMER_RELAY_POLL;

        if (p->more && consumer_relay_read(relay, i) != 0) {
            return -1;
        }

        more = more || p->more;
    }

    if (consumer_relay_settle(relay) != 0) {
        return -1;
    }

    if (consumer_now() >= relay->save_at && consumer_relay_save(relay) != 0) {
        return -1;
    }

    if (consumer_now() >= relay->clean_at && consumer_relay_clean(relay) != 0)
    {
        return -1;
    }

    if (!more || consumer_relay_room(relay) == 0) {
        consumer_relay_wait(relay);
    }

    return 0;
}


static int
consumer_relay_open(consumer_relay_t *relay)
{
    PGresult  *res;

    if (relay->pg.conn && relay->pub.amqp.conn) {
        return 0;
    }

    memset(relay->partitions, 0,
           relay->worker->partitions * sizeof(consumer_relay_partition_t));

    relay->settled = 0;
    relay->claim_at = 0;

    /*
     * A relay that is stopped for so long gives its locks to another; and a
     * checkpoint that is lost when Postgres dies costs a repetition only, it
     * is not worth waiting for the disk.
     */

    if (consumer_relay_query(relay,
            "select set_config('idle_session_timeout', '10s', false),"
            " set_config('synchronous_commit', 'off', false)",
            0, NULL, &res)
        != 0)
    {
        return -1;
    }

    PQclear(res);

    if (consumer_publisher_open(&relay->pub, relay->worker->partitions) != 0) {
        return consumer_relay_failed(relay, "rabbitmq",
                                     relay->pub.amqp.error);
    }

    return 0;
}


static int
consumer_relay_claim(consumer_relay_t *relay)
{
    unsigned  i;

    if (consumer_now() < relay->claim_at) {
        return 0;
    }

    relay->claim_at = consumer_now() + CONSUMER_RELAY_POLL;

    for (i = 0; i < relay->worker->partitions; i++) {
        if (relay->partitions[i].epoch[0] == '\0'
            && consumer_relay_claim_partition(relay, i) != 0)
        {
            return -1;
        }
    }

    return 0;
}


static int
consumer_relay_claim_partition(consumer_relay_t *relay, unsigned i)
{
    int                          locked;
    char                         partition[16];
    PGresult                    *res;
    const char                  *params[2];
    consumer_relay_partition_t  *p;

    snprintf(partition, sizeof(partition), "%u", i);

    params[0] = partition;
    params[1] = relay->worker->owner;

    if (consumer_relay_query(relay,
            "select pg_try_advisory_lock(" CONSUMER_RELAY_LOCK ", $1::int4)",
            1, params, &res)
        != 0)
    {
        return -1;
    }

    locked = (PQgetvalue(res, 0, 0)[0] == 't');

    PQclear(res);

    if (!locked) {
        return 0;
    }

    if (consumer_relay_query(relay,
            "select epoch, position"
            " from cqrs.claim_checkpoint('rabbitmq', $1, $2)",
            2, params, &res)
        != 0)
    {
        return -1;
    }

    p = &relay->partitions[i];

    snprintf(p->epoch, sizeof(p->epoch), "%s", PQgetvalue(res, 0, 0));
    p->saved = consumer_pg_number(res, 0, 1);
    p->confirmed = p->saved;
    p->published = p->saved;

    PQclear(res);

    consumer_log(CONSUMER_LOG_NOTICE,
                 "relays the events of partition %u after position %" PRId64,
                 i, p->saved);

    return 0;
}


/* How many events can be read now; a few are not worth a question. */

static unsigned
consumer_relay_room(consumer_relay_t *relay)
{
    unsigned  room;

    room = consumer_publisher_room(&relay->pub);

    if (room < CONSUMER_RELAY_CHUNK_MIN) {
        return 0;
    }

    return (room < CONSUMER_RELAY_CHUNK) ? room : CONSUMER_RELAY_CHUNK;
}


static int
consumer_relay_read(consumer_relay_t *relay, unsigned i)
{
    int                          row, rows;
    char                         partition[16], after[24], max[16];
    unsigned                     room;
    PGresult                    *res;
    const char                  *params[3];
    consumer_relay_partition_t  *p;

    p = &relay->partitions[i];

    room = consumer_relay_room(relay);

    /* without room we still ask: the session is not to time out */

    if (room == 0 && consumer_now() < p->asked_at + CONSUMER_RELAY_POLL) {
        return 0;
    }

    p->asked_at = consumer_now();

    snprintf(partition, sizeof(partition), "%u", i);
    snprintf(after, sizeof(after), "%" PRId64, p->published);
    snprintf(max, sizeof(max), "%u", room);

    params[0] = partition;
    params[1] = after;
    params[2] = max;

    if (consumer_pg_send_prepared(&relay->pg,
            "select position, id, stream, version, type, routing_key,"
            " traceparent, body, reacts from cqrs.read_events($1, $2, $3)",
            3, params, NULL, NULL)
        != CONSUMER_PG_OK
        || consumer_pg_receive(&relay->pg, &res) != CONSUMER_PG_OK)
    {
        return consumer_relay_failed(relay, "postgres", relay->pg.error);
    }

    rows = PQntuples(res);

    /* a full answer may not be all, least of all without room */

    p->more = ((unsigned) rows == room);

    consumer_publisher_begin(&relay->pub);

    for (row = 0; row < rows; row++) {
        if (consumer_relay_publish(relay, i, res, row) != 0) {
            PQclear(res);
            return -1;
        }
    }

    consumer_publisher_end(&relay->pub);

    PQclear(res);

    return 0;
}


static int
consumer_relay_publish(consumer_relay_t *relay, unsigned i,
    const PGresult *res, int row)
{
    int                       n, reacts;
    int64_t                   position;
    amqp_field_value_t        manager;
    amqp_table_entry_t        headers[6];
    consumer_relay_event_t   *event;
    amqp_basic_properties_t   properties;

    position = consumer_pg_number(res, row, 0);

    headers[0] = consumer_relay_number(CQRS_HEADER_PARTITION, i);
    headers[1] = consumer_relay_number(CQRS_HEADER_POSITION, position);
    headers[2] = consumer_relay_text(CQRS_HEADER_STREAM_NAME,
                                     PQgetvalue(res, row, 2));
    headers[3] = consumer_relay_number(CQRS_HEADER_VERSION,
                                       consumer_pg_number(res, row, 3));
    n = 4;

    if (!PQgetisnull(res, row, 6)) {
        headers[n++] = consumer_relay_text(CQRS_HEADER_TRACEPARENT,
                                           PQgetvalue(res, row, 6));
    }

    /*
     * The store knows when it is read whether a process manager waits for
     * the event: a binding by type could come too late for it.
     */

    reacts = (PQgetvalue(res, row, 8)[0] == 't');

    if (reacts) {
        manager.kind = AMQP_FIELD_KIND_UTF8;
        manager.value.bytes = amqp_cstring_bytes(CQRS_QUEUE_REACTIONS);

        headers[n].key = amqp_cstring_bytes(CQRS_HEADER_ALSO_TO);
        headers[n].value.kind = AMQP_FIELD_KIND_ARRAY;
        headers[n].value.value.array.num_entries = 1;
        headers[n++].value.value.array.entries = &manager;
    }

    properties._flags = AMQP_BASIC_CONTENT_TYPE_FLAG
                        | AMQP_BASIC_MESSAGE_ID_FLAG
                        | AMQP_BASIC_TYPE_FLAG
                        | AMQP_BASIC_HEADERS_FLAG;
    properties.content_type = amqp_cstring_bytes(CQRS_CONTENT_TYPE_EVENT);
    properties.message_id = amqp_cstring_bytes(PQgetvalue(res, row, 1));
    properties.type = consumer_publisher_short(PQgetvalue(res, row, 4));
    properties.headers.entries = headers;
    properties.headers.num_entries = n;

    /* what nobody has asked for may go nowhere, a reaction may not be lost */

    if (consumer_publisher_send(&relay->pub, CQRS_EXCHANGE_EVENTS,
                                PQgetvalue(res, row, 5), reacts, &properties,
                                PQgetvalue(res, row, 7))
        != 0)
    {
        return consumer_relay_failed(relay, "rabbitmq",
                                     relay->pub.amqp.error);
    }

    event = &relay->events[relay->pub.published % CONSUMER_PUBLISHER_WINDOW];

    event->partition = i;
    event->position = position;

    relay->partitions[i].published = position;

    return 0;
}


static int
consumer_relay_settle(consumer_relay_t *relay)
{
    consumer_relay_event_t  *event;

    if (consumer_publisher_read(&relay->pub) != 0) {
        return consumer_relay_failed(relay, "rabbitmq",
                                     relay->pub.amqp.error);
    }

    while (relay->settled < relay->pub.confirmed) {
        relay->settled++;
        relay->backoff.delay = 0;

        event = &relay->events[relay->settled % CONSUMER_PUBLISHER_WINDOW];
        relay->partitions[event->partition].confirmed = event->position;
    }

    return 0;
}


static int
consumer_relay_save(consumer_relay_t *relay)
{
    char                         partition[16], position[24];
    unsigned                     i;
    PGresult                    *res;
    const char                  *params[3];
    consumer_relay_partition_t  *p;

    relay->save_at = consumer_now() + CONSUMER_RELAY_SAVE;

    for (i = 0; i < relay->worker->partitions; i++) {

        p = &relay->partitions[i];

        if (p->confirmed == p->saved) {
            continue;
        }

        snprintf(partition, sizeof(partition), "%u", i);
        snprintf(position, sizeof(position), "%" PRId64, p->confirmed);

        params[0] = partition;
        params[1] = p->epoch;
        params[2] = position;

        if (consumer_relay_query(relay,
                "select cqrs.advance_checkpoint('rabbitmq', $1, $2, $3)",
                3, params, &res)
            != 0)
        {
            return -1;
        }

        PQclear(res);

        p->saved = p->confirmed;
    }

    return 0;
}


/*
 * What is older than it has to be kept goes.  Who relays the first partition
 * sees to it; a part that is in use is left for the next time.
 */

static int
consumer_relay_clean(consumer_relay_t *relay)
{
    int                        dropped;
    char                       inbox[16], notifications[16];
    PGresult                  *res;
    const char                *params[2];
    const consumer_options_t  *options;

    if (relay->partitions[0].epoch[0] == '\0') {
        return 0;
    }

    relay->clean_at = consumer_now() + CONSUMER_RELAY_CLEAN;

    options = relay->worker->options;

    snprintf(inbox, sizeof(inbox), "%u", options->inbox_days);
    snprintf(notifications, sizeof(notifications), "%u",
             options->notification_days);

    params[0] = inbox;
    params[1] = notifications;

    do {
        if (consumer_pg_query(&relay->pg, "select cqrs.clean($1, $2)", 2,
                              params, &res)
            != CONSUMER_PG_OK)
        {
            if (relay->pg.conn == NULL) {
                return consumer_relay_failed(relay, "postgres",
                                             relay->pg.error);
            }

            consumer_log(CONSUMER_LOG_WARN, "cleaning is put off: \"%s\"",
                         relay->pg.error);
            return 0;
        }

        dropped = !PQgetisnull(res, 0, 0);

        if (dropped) {
            consumer_log(CONSUMER_LOG_NOTICE, "dropped %s, it was old enough",
                         PQgetvalue(res, 0, 0));
        }

        PQclear(res);

    } while (dropped && !consumer_terminated());

    return 0;
}


static void
consumer_relay_wait(consumer_relay_t *relay)
{
    unsigned                     i, msec;
    struct pollfd                fds[2];
    consumer_relay_partition_t  *p;

    if (consumer_amqp_buffered(&relay->pub.amqp)) {
        return;
    }

    msec = CONSUMER_RELAY_POLL;

    for (i = 0; i < relay->worker->partitions; i++) {
        p = &relay->partitions[i];

        if (p->epoch[0]) {
            msec = consumer_until(p->asked_at + CONSUMER_RELAY_POLL, msec);
        }

        if (p->confirmed != p->saved) {
            msec = consumer_until(relay->save_at, msec);
        }
    }

    fds[0].fd = consumer_amqp_socket(&relay->pub.amqp);
    fds[0].events = POLLIN;
    fds[1].fd = relay->worker->wakeup;
    fds[1].events = POLLIN;

    /* without room only the broker can bring us forward */

    consumer_wait(fds, consumer_publisher_room(&relay->pub) ? 2 : 1, msec);
}


static int
consumer_relay_query(consumer_relay_t *relay, const char *sql, int nparams,
    const char *const *params, PGresult **res)
{
    if (consumer_pg_query(&relay->pg, sql, nparams, params, res)
        != CONSUMER_PG_OK)
    {
        return consumer_relay_failed(relay, "postgres", relay->pg.error);
    }

    return 0;
}


static int
consumer_relay_failed(consumer_relay_t *relay, const char *who,
    const char *why)
{
    unsigned  delay;
    uint64_t  end;

    delay = consumer_backoff(&relay->backoff);
    end = consumer_now() + delay;

    consumer_log(CONSUMER_LOG_ERROR, "%s: %s; trying again in %u ms", who, why,
                 delay);

    consumer_amqp_drop(&relay->pub.amqp);
    consumer_pg_cleanup(&relay->pg);

    while (!consumer_terminated()
           && (delay = consumer_until(end, CONSUMER_RELAY_POLL)) > 0)
    {
        consumer_wait(NULL, 0, delay);
    }

    return -1;
}


static amqp_table_entry_t
consumer_relay_text(const char *name, const char *value)
{
    amqp_table_entry_t  entry;

    entry.key = amqp_cstring_bytes(name);
    entry.value.kind = AMQP_FIELD_KIND_UTF8;
    entry.value.value.bytes = amqp_cstring_bytes(value);

    return entry;
}


static amqp_table_entry_t
consumer_relay_number(const char *name, int64_t value)
{
    amqp_table_entry_t  entry;

    entry.key = amqp_cstring_bytes(name);
    entry.value.kind = AMQP_FIELD_KIND_I64;
    entry.value.value.i64 = value;

    return entry;
}
