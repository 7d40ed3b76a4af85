
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Makes commands of events, as the domain's process managers say.
 *
 * Events come from RabbitMQ and are acknowledged when the commands they cause
 * were confirmed by it.  The ids of those derive from the events' ids, so a
 * repetition causes nothing new.
 *
 * An event whose reaction keeps failing goes to the dead letters, and so does
 * one that ends its server process each time.
 */

#include "consumer_letter.h"
#include "consumer_pg.h"
#include "consumer_process.h"
#include "consumer_publisher.h"
#include "consumer_reaction.h"
#include "consumer_suspect.h"
#include "consumer_worker.h"
#include "cqrs_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define CONSUMER_MANAGER_IDLE       1000
#define CONSUMER_MANAGER_RETRY_MIN  100
#define CONSUMER_MANAGER_RETRY_MAX  5000
#define CONSUMER_MANAGER_CONFIRM    10000

/* Without the store for so long: another daemon may reach it. */
#define CONSUMER_MANAGER_STRANDED   10000

#define CONSUMER_MANAGER_TRIES      3


typedef struct {
    const consumer_worker_t   *worker;
    consumer_pg_t              pg;
    consumer_amqp_t            amqp;       /* events come in here */
    consumer_publisher_t       pub;        /* commands, and dead letters */
    consumer_backoff_t         backoff;

    consumer_event_t          *events;     /* delivered, in order */
    size_t                     n;
    size_t                     size;
    size_t                     alone;      /* so many go one by one */
    unsigned                   tries;      /* of the first one, alone */
    consumer_suspect_t         suspect;    /* likewise */
    unsigned                   lost:1;     /* amqp.error says why */
} consumer_manager_t;


static int consumer_manager_init(consumer_manager_t *m,
    const consumer_worker_t *worker);
static void consumer_manager_cleanup(consumer_manager_t *m);
static int consumer_manager_open(consumer_manager_t *m);
static void consumer_manager_wait(consumer_manager_t *m, unsigned msec);
static void consumer_manager_read(void *data);
static void consumer_manager_take(consumer_manager_t *m,
    amqp_envelope_t *message);
static void consumer_manager_work(consumer_manager_t *m);
static size_t consumer_manager_count(consumer_manager_t *m);
static int consumer_manager_suspect(consumer_manager_t *m, size_t *count);
static consumer_reaction_status_e consumer_manager_react(
    consumer_manager_t *m, size_t count);
static void consumer_manager_failed(consumer_manager_t *m, size_t count);
static void consumer_manager_refuse(consumer_manager_t *m,
    const char *reason);
static void consumer_manager_shift(consumer_manager_t *m, size_t count);
static void consumer_manager_pause(consumer_manager_t *m, const char *who,
    const char *why);


int
consumer_manager_run(const consumer_worker_t *worker)
{
    consumer_manager_t  *m;

    m = calloc(1, sizeof(consumer_manager_t));

    if (m == NULL || consumer_manager_init(m, worker) != 0) {
        free(m);
        consumer_log(CONSUMER_LOG_CRIT, "no memory");
        return CONSUMER_EXIT_ERROR;
    }

    while (!consumer_terminated()) {

        if (consumer_manager_open(m) != 0) {
            continue;
        }

        consumer_manager_wait(m, m->n ? 0 : CONSUMER_MANAGER_IDLE);

        if (m->lost) {
            consumer_manager_pause(m, "rabbitmq", m->amqp.error);
            continue;
        }

        if (m->n && !consumer_terminated()) {
            consumer_manager_work(m);
        }
    }

    consumer_manager_cleanup(m);

    return CONSUMER_EXIT_OK;
}


static int
consumer_manager_init(consumer_manager_t *m, const consumer_worker_t *worker)
{
    m->worker = worker;
    m->backoff.min = CONSUMER_MANAGER_RETRY_MIN;
    m->backoff.max = CONSUMER_MANAGER_RETRY_MAX;

    consumer_pg_init(&m->pg, worker->options->postgres, worker->owner);

    m->pg.tick = consumer_manager_read;
    m->pg.data = m;

    consumer_amqp_init(&m->amqp, worker->options, worker->owner);
    consumer_publisher_init(&m->pub, worker->options, worker->owner);

    m->size = 2 * worker->options->batch;
    m->events = calloc(m->size, sizeof(consumer_event_t));

    return m->events ? 0 : -1;
}


static void
consumer_manager_cleanup(consumer_manager_t *m)
{
    consumer_manager_shift(m, m->n);

    consumer_amqp_close(&m->amqp);
    consumer_publisher_close(&m->pub);
    consumer_pg_cleanup(&m->pg);

    free(m->events);
    free(m);
}


static int
consumer_manager_open(consumer_manager_t *m)
{
    if (m->amqp.conn) {
        return 0;
    }

    if (consumer_pg_connect(&m->pg) != CONSUMER_PG_OK) {
        consumer_manager_pause(m, "postgres", m->pg.error);
        return -1;
    }

    if (consumer_amqp_connect(&m->amqp, m->worker->partitions) != 0
        || consumer_amqp_consume(&m->amqp, CQRS_QUEUE_REACTIONS,
                                 (unsigned) m->size)
           != 0)
    {
        m->lost = 1;
        consumer_manager_pause(m, "rabbitmq", m->amqp.error);
        return -1;
    }

    consumer_log(CONSUMER_LOG_INFO, "waiting for events in \""
                 CQRS_QUEUE_REACTIONS "\"");

    return 0;
}


/* Takes what is there; if it is nothing, waits for so long. */

static void
consumer_manager_wait(consumer_manager_t *m, unsigned msec)
{
    nfds_t         n;
    struct pollfd  fds[2];

    n = 0;

    if (m->amqp.conn) {
        fds[n].fd = consumer_amqp_socket(&m->amqp);
        fds[n++].events = POLLIN;

        if (consumer_amqp_buffered(&m->amqp)) {
            msec = 0;
        }
    }

    consumer_wait(fds, n, msec);
    consumer_manager_read(m);
}


static void
consumer_manager_read(void *data)
{
    int                  rc;
    amqp_envelope_t      message;
    consumer_manager_t  *m = data;

    /* an idle connection is opened again when it is needed */

    if (m->pub.amqp.conn && consumer_publisher_read(&m->pub) != 0) {
        consumer_amqp_drop(&m->pub.amqp);
    }

    while (m->amqp.conn && !m->lost) {

        rc = consumer_amqp_receive(&m->amqp, &message);

        if (rc == 0) {
            return;
        }

        if (rc == -1) {
            m->lost = 1;
            return;
        }

        consumer_manager_take(m, &message);
    }
}


/* The message is no longer the caller's. */

static void
consumer_manager_take(consumer_manager_t *m, amqp_envelope_t *message)
{
    if (m->n == m->size) {
        snprintf(m->amqp.error, sizeof(m->amqp.error),
                 "more messages than the prefetch");
        goto lost;
    }

    if (consumer_event_init(&m->events[m->n], message, m->worker->partitions)
        != 0)
    {
        snprintf(m->amqp.error, sizeof(m->amqp.error), "no memory");
        goto lost;
    }

    m->n++;

    return;

lost:

    amqp_destroy_envelope(message);
    m->lost = 1;
}


static void
consumer_manager_work(consumer_manager_t *m)
{
    size_t  count;

    if (m->events[0].refused) {
        consumer_manager_refuse(m, "it is not an event of the store");
        return;
    }

    count = consumer_manager_count(m);

    if (m->suspect.pending && consumer_manager_suspect(m, &count) != 0) {
        return;
    }

    switch (consumer_manager_react(m, count)) {

    case CONSUMER_REACTION_DONE:
        m->backoff.delay = 0;

        if (!m->lost
            && consumer_amqp_ack(&m->amqp, m->events[count - 1].tag) != 0)
        {
            m->lost = 1;
        }

        consumer_manager_shift(m, count);
        return;

    case CONSUMER_REACTION_POSTGRES:
        consumer_suspect_lost(&m->suspect, &m->pg);
        consumer_manager_pause(m, "postgres", m->pg.error);
        return;

    case CONSUMER_REACTION_RABBITMQ:
        consumer_amqp_drop(&m->pub.amqp);
        consumer_manager_pause(m, "rabbitmq", m->pub.amqp.error);
        return;

    case CONSUMER_REACTION_FAILED:
        consumer_suspect_clear(&m->suspect);
        consumer_manager_failed(m, count);
        return;
    }
}


static size_t
consumer_manager_count(consumer_manager_t *m)
{
    size_t  i;

    if (m->alone) {
        return 1;
    }

    for (i = 0; i < m->n && i < m->worker->options->batch; i++) {
        if (m->events[i].refused) {
            break;
        }
    }

    return i;
}


/* The connection was lost while these were asked for; -1: not now. */

static int
consumer_manager_suspect(consumer_manager_t *m, size_t *count)
{
    if (consumer_reaction_probe(&m->pg) != CONSUMER_REACTION_DONE
        || consumer_suspect_count(&m->suspect, &m->pg) != CONSUMER_PG_OK)
    {
        consumer_manager_pause(m, "postgres", m->pg.error);
        return -1;
    }

    if (*count > 1) {
        consumer_log(CONSUMER_LOG_WARN,
                     "the connection was lost while reacting to %zu events, "
                     "going through them one by one", *count);

        m->alone = *count;
        *count = 1;

        consumer_suspect_clear(&m->suspect);
    }

    if (consumer_suspect_guilty(&m->suspect) == 0) {
        return 0;
    }

    consumer_manager_refuse(m, "the connection to the database was lost each "
                            "time that it was reacted to");

    return -1;
}


static consumer_reaction_status_e
consumer_manager_react(consumer_manager_t *m, size_t count)
{
    unsigned                     i;
    consumer_reaction_status_e   rc;

    if (consumer_publisher_open(&m->pub, m->worker->partitions) != 0) {
        return CONSUMER_REACTION_RABBITMQ;
    }

    for (i = 0; i < m->worker->partitions; i++) {
        rc = consumer_reaction_run(&m->pg, &m->pub, i, m->events, count);

        if (rc != CONSUMER_REACTION_DONE) {
            return rc;
        }
    }

    if (consumer_publisher_flush(&m->pub, CONSUMER_MANAGER_CONFIRM) != 0) {
        return CONSUMER_REACTION_RABBITMQ;
    }

    return CONSUMER_REACTION_DONE;
}


static void
consumer_manager_failed(consumer_manager_t *m, size_t count)
{
    char  reason[320];

    if (m->alone == 0) {
        m->alone = count;
        m->tries = 0;
    }

    if (count > 1) {
        consumer_log(CONSUMER_LOG_WARN,
                     "reacting to %zu events failed, %s \"%s\", going through "
                     "them one by one", count, m->pg.sqlstate, m->pg.error);
        return;
    }

    /* a store that is out of order is not the event's fault */

    if (consumer_reaction_probe(&m->pg) != CONSUMER_REACTION_DONE
        || ++m->tries < CONSUMER_MANAGER_TRIES)
    {
        consumer_manager_pause(m, "postgres", m->pg.error);
        return;
    }

    snprintf(reason, sizeof(reason),
             "reacting to it failed %d times, %s \"%s\"",
             CONSUMER_MANAGER_TRIES, m->pg.sqlstate, m->pg.error);

    consumer_manager_refuse(m, reason);
}


/* The first one; if that fails, it is tried again some time later. */

static void
consumer_manager_refuse(consumer_manager_t *m, const char *reason)
{
    consumer_event_t          *event;
    consumer_letter_status_e   sent;

    event = &m->events[0];

    sent = consumer_letter_send(&m->pub, m->worker->partitions,
                                event->message, CQRS_QUEUE_REACTIONS, reason);

    if (sent == CONSUMER_LETTER_AGAIN) {
        consumer_manager_pause(m, "rabbitmq", m->pub.amqp.error);
        return;
    }

    consumer_log(CONSUMER_LOG_ERROR, "event %s goes to the dead letters: %s",
                 event->id[0] ? event->id : "without an id", reason);

    /* RabbitMQ moves one that has no room for the reason */

    if (!m->lost
        && (sent == CONSUMER_LETTER_TOO_LARGE
            ? consumer_amqp_reject(&m->amqp, event->tag)
            : consumer_amqp_ack(&m->amqp, event->tag))
           != 0)
    {
        m->lost = 1;
    }

    m->backoff.delay = 0;

    consumer_manager_shift(m, 1);
}


static void
consumer_manager_shift(consumer_manager_t *m, size_t count)
{
    size_t  i;

    for (i = 0; i < count; i++) {
        consumer_event_cleanup(&m->events[i]);
    }

    m->n -= count;
    memmove(m->events, m->events + count, m->n * sizeof(consumer_event_t));

    m->alone = (m->alone > count) ? m->alone - count : 0;
    m->tries = 0;

    consumer_suspect_clear(&m->suspect);
}


static void
consumer_manager_pause(consumer_manager_t *m, const char *who,
    const char *why)
{
    unsigned  delay;
    uint64_t  end;

    delay = consumer_backoff(&m->backoff);
    end = consumer_now() + delay;

    consumer_log(CONSUMER_LOG_ERROR, "%s: %s; trying again in %u ms", who, why,
                 delay);

    /* another daemon may reach the store */

    if (m->pg.lost_at
        && consumer_now() - m->pg.lost_at > CONSUMER_MANAGER_STRANDED)
    {
        m->lost = 1;
    }

    if (m->lost) {
        consumer_amqp_drop(&m->amqp);
        consumer_manager_shift(m, m->n);
        m->lost = 0;
    }

    while (!consumer_terminated() && !m->lost
           && (delay = consumer_until(end, CONSUMER_MANAGER_IDLE)) > 0)
    {
        consumer_manager_wait(m, delay);
    }
}
