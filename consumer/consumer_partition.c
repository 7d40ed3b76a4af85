
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Executes the commands of one partition, from delivery to acknowledgement.
 *
 * The order is what promises rest on: commit, then Redis, then the ack.  Dying
 * between any two of them costs a repetition that the store recognises.
 *
 * RabbitMQ lets one consumer of the queue be active, but does not say which;
 * so the partition is claimed when the first command arrives, and again after
 * each loss of the connection.  An owner that was replaced without noticing
 * learns of it from the store, which refuses its epoch.
 */

#include "consumer_amqp.h"
#include "consumer_batch.h"
#include "consumer_handler.h"
#include "consumer_letter.h"
#include "consumer_notifier.h"
#include "consumer_pg.h"
#include "consumer_process.h"
#include "consumer_release.h"
#include "consumer_share.h"
#include "consumer_topology.h"
#include "consumer_worker.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>


#define CONSUMER_PARTITION_IDLE       1000
#define CONSUMER_PARTITION_RETRY_MIN  100
#define CONSUMER_PARTITION_RETRY_MAX  5000

/* Without the store for so long: another daemon may reach it. */
#define CONSUMER_PARTITION_STRANDED   10000

/* Until RabbitMQ has made another one the active one, certainly. */
#define CONSUMER_PARTITION_STAND_BACK 500


typedef struct {
    const consumer_worker_t  *worker;
    consumer_pg_t             pg;
    consumer_amqp_t           amqp;
    consumer_publisher_t      letters;     /* dead ones go out here */
    consumer_batch_t          batch;
    consumer_release_t        release;     /* parked ones come back here */
    consumer_notifier_t       notifier;
    consumer_share_t          share;
    consumer_backoff_t        backoff;
    unsigned                  lost:1;      /* amqp.error says why */
} consumer_partition_t;


static int consumer_partition_init(consumer_partition_t *p,
    const consumer_worker_t *worker);
static void consumer_partition_cleanup(consumer_partition_t *p);
static int consumer_partition_open(consumer_partition_t *p);
static void consumer_partition_release(consumer_partition_t *p);
static void consumer_partition_wait(consumer_partition_t *p, unsigned msec);
static int consumer_partition_watch(void *data);
static void consumer_partition_read(void *data);
static void consumer_partition_take(consumer_partition_t *p,
    amqp_envelope_t *message);
static void consumer_partition_pause(consumer_partition_t *p,
    const char *who, const char *why);
static int consumer_partition_work(consumer_partition_t *p);
static int consumer_partition_status(consumer_partition_t *p,
    consumer_batch_status_e rc);
static consumer_batch_status_e consumer_partition_execute(
    consumer_partition_t *p);
static consumer_batch_status_e consumer_partition_own(
    consumer_partition_t *p);
static int consumer_partition_parked(consumer_partition_t *p);
static consumer_batch_status_e consumer_partition_refuse(
    consumer_partition_t *p);
static consumer_pg_status_e consumer_partition_claim(consumer_partition_t *p);
static void consumer_partition_committed(consumer_partition_t *p,
    const PGresult *res);
static void consumer_partition_done(consumer_partition_t *p,
    const PGresult *res, size_t done);
static int consumer_partition_free(consumer_partition_t *p);
static int consumer_partition_notify(consumer_partition_t *p);
static int consumer_partition_share(consumer_partition_t *p);
static void consumer_partition_give_up(consumer_partition_t *p);
static int consumer_partition_failed(consumer_partition_t *p,
    consumer_pg_status_e rc);


int
consumer_partition_run(const consumer_worker_t *worker)
{
    int                   rc;
    unsigned              idle;
    consumer_partition_t  p;

    if (consumer_handler_init() != 0) {
        return CONSUMER_EXIT_ERROR;
    }

    if (consumer_partition_init(&p, worker) != 0) {
        consumer_log(CONSUMER_LOG_CRIT, "no memory");
        return CONSUMER_EXIT_ERROR;
    }

    rc = CONSUMER_EXIT_OK;

    while (rc == CONSUMER_EXIT_OK
           && (p.batch.sent || !consumer_terminated()))
    {
        if (p.batch.sent) {
            rc = consumer_partition_work(&p);
            continue;
        }

        if (consumer_partition_open(&p) != 0) {
            continue;
        }

        idle = consumer_notifier_due(&p.notifier, CONSUMER_PARTITION_IDLE);
        idle = consumer_share_due(&p.share, idle);

        consumer_partition_wait(&p, p.batch.n || p.share.released ? 0 : idle);

        if (p.lost) {
            consumer_partition_pause(&p, "rabbitmq", p.amqp.error);
            continue;
        }

        if (p.batch.n && !consumer_terminated()) {
            rc = consumer_partition_work(&p);
        }

        if (p.batch.sent) {
            continue;
        }

        if (rc == CONSUMER_EXIT_OK && p.amqp.conn) {
            rc = consumer_partition_notify(&p);
        }

        if (rc == CONSUMER_EXIT_OK && p.amqp.conn) {
            rc = consumer_partition_share(&p);
        }

        if (p.share.released && rc == CONSUMER_EXIT_OK && p.amqp.conn
            && !consumer_terminated())
        {
            rc = consumer_partition_parked(&p);
        }
    }

    consumer_partition_cleanup(&p);
    consumer_handler_cleanup();

    return rc;
}


static int
consumer_partition_init(consumer_partition_t *p,
    const consumer_worker_t *worker)
{
    memset(p, 0, sizeof(*p));

    p->worker = worker;
    p->backoff.min = CONSUMER_PARTITION_RETRY_MIN;
    p->backoff.max = CONSUMER_PARTITION_RETRY_MAX;

    consumer_pg_init(&p->pg, worker->options->postgres, worker->owner);

    p->pg.tick = consumer_partition_read;
    p->pg.watch = consumer_partition_watch;
    p->pg.data = p;

    consumer_amqp_init(&p->amqp, worker->options, worker->owner);
    consumer_publisher_init(&p->letters, worker->options, worker->owner);
    consumer_notifier_init(&p->notifier, &p->pg, worker->partition,
                           worker->options->redis);
    consumer_share_init(&p->share, &p->pg, worker);

    if (consumer_batch_init(&p->batch, &p->pg, worker->partition,
                            worker->options, worker->crashes)
        != 0)
    {
        return -1;
    }

    return consumer_release_init(&p->release, &p->pg, worker);
}


static void
consumer_partition_cleanup(consumer_partition_t *p)
{
    if (p->pg.conn) {
        (void) consumer_notifier_save(&p->notifier);
    }

    /* what was delivered and not executed returns to the queue */

    consumer_amqp_close(&p->amqp);
    consumer_publisher_close(&p->letters);

    consumer_share_leave(&p->share);

    consumer_notifier_cleanup(&p->notifier);
    consumer_release_cleanup(&p->release);
    consumer_batch_cleanup(&p->batch);
    consumer_pg_cleanup(&p->pg);
}


static int
consumer_partition_open(consumer_partition_t *p)
{
    char  queue[CONSUMER_QUEUE_NAME_MAX];

    if (p->amqp.conn) {
        return 0;
    }

    /* without the store we would only keep commands from somebody else */

    if (consumer_pg_connect(&p->pg) != CONSUMER_PG_OK) {
        consumer_partition_pause(p, "postgres", p->pg.error);
        return -1;
    }

    consumer_topology_queue(queue, p->worker->partition);

    if (consumer_amqp_connect(&p->amqp, p->worker->partitions) != 0
        || consumer_amqp_consume(&p->amqp, queue, (unsigned) p->batch.size)
           != 0)
    {
        p->lost = 1;
        consumer_partition_pause(p, "rabbitmq", p->amqp.error);
        return -1;
    }

    consumer_log(CONSUMER_LOG_INFO, "waiting for commands in \"%s\"", queue);

    return 0;
}


static void
consumer_partition_release(consumer_partition_t *p)
{
    consumer_amqp_drop(&p->amqp);
    consumer_batch_clear(&p->batch);
    consumer_release_clear(&p->release);
    consumer_notifier_release(&p->notifier);

    p->batch.epoch[0] = '\0';
    p->share.released = 0;
    p->lost = 0;
}


/* Takes what is there; if it is nothing, waits for so long. */

static void
consumer_partition_wait(consumer_partition_t *p, unsigned msec)
{
    struct pollfd  fd;

    if (p->amqp.conn) {
        fd.fd = consumer_amqp_socket(&p->amqp);
        fd.events = POLLIN;

        if (consumer_amqp_buffered(&p->amqp)) {
            msec = 0;
        }

        consumer_wait(&fd, 1, msec);

    } else {
        consumer_wait(NULL, 0, msec);
    }

    consumer_partition_read(p);
}


/* While the store works, the next commands are made ready. */

static int
consumer_partition_watch(void *data)
{
    consumer_partition_t  *p = data;

    if (p->amqp.conn == NULL || p->lost || p->batch.n == p->batch.size) {
        return -1;
    }

    return consumer_amqp_socket(&p->amqp);
}


static void
consumer_partition_read(void *data)
{
    int                    rc;
    amqp_envelope_t        message;
    consumer_partition_t  *p = data;

    /* an idle connection is opened again when it is needed */

    if (p->letters.amqp.conn && consumer_publisher_read(&p->letters) != 0) {
        consumer_amqp_drop(&p->letters.amqp);
    }

    while (p->amqp.conn && !p->lost) {

        rc = consumer_amqp_receive(&p->amqp, &message);

        if (rc == 0) {
            return;
        }

        if (rc == -1) {
            p->lost = 1;
            return;
        }

        consumer_partition_take(p, &message);
    }
}


/* The message is no longer the caller's. */

static void
consumer_partition_take(consumer_partition_t *p, amqp_envelope_t *message)
{
    if (p->batch.n == p->batch.size) {
        snprintf(p->amqp.error, sizeof(p->amqp.error),
                 "more messages than the prefetch");
        goto lost;
    }

    if (consumer_command_init(&p->batch.commands[p->batch.n], message,
                              p->worker->partition, p->worker->partitions)
        != 0)
    {
        snprintf(p->amqp.error, sizeof(p->amqp.error), "no memory");
        goto lost;
    }

    p->batch.n++;

    return;

lost:

    amqp_destroy_envelope(message);
    p->lost = 1;
}


static void
consumer_partition_pause(consumer_partition_t *p, const char *who,
    const char *why)
{
    unsigned  delay;
    uint64_t  end;

    delay = consumer_backoff(&p->backoff);
    end = consumer_now() + delay;

    consumer_log(CONSUMER_LOG_ERROR, "%s: %s; trying again in %u ms", who, why,
                 delay);

    if (p->lost) {
        consumer_partition_release(p);
        consumer_share_away(&p->share);
    }

    while (!consumer_terminated() && !p->lost
           && (delay = consumer_until(end, CONSUMER_PARTITION_IDLE)) > 0)
    {
        consumer_partition_wait(p, delay);
    }
}


static int
consumer_partition_work(consumer_partition_t *p)
{
    consumer_batch_status_e  rc;

    rc = consumer_partition_execute(p);

    if (rc == CONSUMER_BATCH_REFUSED) {
        rc = consumer_partition_refuse(p);
    }

    return consumer_partition_status(p, rc);
}


static int
consumer_partition_status(consumer_partition_t *p, consumer_batch_status_e rc)
{
    switch (rc) {

    case CONSUMER_BATCH_DONE:
        return CONSUMER_EXIT_OK;

    case CONSUMER_BATCH_AGAIN:
        return consumer_partition_failed(p, CONSUMER_PG_TRANSIENT);

    case CONSUMER_BATCH_FENCED:
        return consumer_partition_failed(p, CONSUMER_PG_FENCED);

    default:
        return consumer_partition_failed(p, CONSUMER_PG_WRONG);
    }
}


static consumer_batch_status_e
consumer_partition_execute(consumer_partition_t *p)
{
    size_t                    done;
    PGresult                 *res;
    consumer_batch_status_e   rc;

    rc = consumer_partition_own(p);

    if (rc != CONSUMER_BATCH_DONE) {
        return rc;
    }

    rc = consumer_batch_execute(&p->batch, &res, &done);

    if (rc == CONSUMER_BATCH_DONE) {
        consumer_partition_done(p, res, done);
        PQclear(res);
    }

    return rc;
}


static consumer_batch_status_e
consumer_partition_own(consumer_partition_t *p)
{
    if (p->batch.epoch[0]) {
        return CONSUMER_BATCH_DONE;
    }

    return consumer_batch_status(consumer_partition_claim(p));
}


/*
 * All that was read, which is more than goes into a batch of new ones: so they
 * get less, even if all that is new is for a held stream and goes behind them.
 */

static int
consumer_partition_parked(consumer_partition_t *p)
{
    size_t                    done;
    PGresult                 *res;
    consumer_batch_t         *b;
    consumer_batch_status_e   rc;

    b = &p->release.batch;

    rc = consumer_partition_own(p);

    if (rc == CONSUMER_BATCH_DONE) {
        rc = consumer_release_read(&p->release, p->batch.epoch);
    }

    if (rc == CONSUMER_BATCH_DONE && b->n == 0) {
        p->share.released = 0;
    }

    while (rc == CONSUMER_BATCH_DONE && b->n && !consumer_terminated()) {

        rc = consumer_batch_execute(b, &res, &done);

        if (rc == CONSUMER_BATCH_DONE) {
            consumer_partition_committed(p, res);
            consumer_release_done(&p->release, res, done);
            PQclear(res);
        }
    }

    if (rc == CONSUMER_BATCH_REFUSED) {

        /* it stays where it is, and is tried again, but not all the time */

        consumer_log(CONSUMER_LOG_ERROR, "parked command %s: %s",
                     b->commands[0].id, b->commands[0].reason
                                        ? b->commands[0].reason : "no memory");

        consumer_release_clear(&p->release);
        p->share.released = 0;

        return CONSUMER_EXIT_OK;
    }

    return consumer_partition_status(p, rc);
}


/*
 * The issuer is told, the message becomes a dead letter, and only then it is
 * acknowledged: each step may be done again, none can be left out.
 */

static consumer_batch_status_e
consumer_partition_refuse(consumer_partition_t *p)
{
    char                       queue[CONSUMER_QUEUE_NAME_MAX];
    PGresult                  *res;
    const char                *reason;
    consumer_command_t        *command;
    consumer_batch_status_e    rc;
    consumer_letter_status_e   sent;

    rc = consumer_batch_refuse(&p->batch, &res);

    if (rc != CONSUMER_BATCH_DONE) {
        return rc;
    }

    if (res) {
        consumer_notifier_send(&p->notifier, res);
        PQclear(res);
    }

    command = &p->batch.commands[0];
    reason = command->reason ? command->reason : "there was no memory for it";

    consumer_topology_queue(queue, p->worker->partition);

    sent = consumer_letter_send(&p->letters, p->worker->partitions,
                                command->message, queue, reason);

    if (sent == CONSUMER_LETTER_AGAIN) {
        consumer_partition_pause(p, "rabbitmq", p->letters.amqp.error);
        return CONSUMER_BATCH_DONE;
    }

    consumer_log(CONSUMER_LOG_WARN,
                 "command %s goes to the dead letters: %s",
                 command->id[0] ? command->id : "without an id", reason);

    /* RabbitMQ moves one that has no room for the reason */

    if (!p->lost
        && (sent == CONSUMER_LETTER_TOO_LARGE
            ? consumer_amqp_reject(&p->amqp, command->tag)
            : consumer_amqp_ack(&p->amqp, command->tag))
           != 0)
    {
        p->lost = 1;
    }

    p->backoff.delay = 0;

    consumer_batch_shift(&p->batch, 1);

    return CONSUMER_BATCH_DONE;
}


static consumer_pg_status_e
consumer_partition_claim(consumer_partition_t *p)
{
    consumer_pg_status_e  rc;

    rc = consumer_batch_claim(&p->batch, p->worker->owner);

    if (rc == CONSUMER_PG_OK) {
        rc = consumer_notifier_claim(&p->notifier, p->worker->owner);
    }

    if (rc != CONSUMER_PG_OK) {
        p->batch.epoch[0] = '\0';
        return rc;
    }

    consumer_log(CONSUMER_LOG_NOTICE, "owns partition %u, epoch %s",
                 p->worker->partition, p->batch.epoch);

    return CONSUMER_PG_OK;
}


/* Wakes those who carry on what was committed. */

static void
consumer_partition_committed(consumer_partition_t *p, const PGresult *res)
{
    uint64_t  one = 1;

    p->backoff.delay = 0;

    /* a relay that has more calls than it can count is awake anyway */

    if (write(p->worker->wakeup, &one, sizeof(one)) == -1) {
        consumer_log(CONSUMER_LOG_DEBUG, "the relay is busy");
    }

    /* where nothing is to be projected nobody listens, and it costs nothing */

    if (write(p->worker->projector, &one, sizeof(one)) == -1) {
        consumer_log(CONSUMER_LOG_DEBUG, "the projector is busy");
    }

    consumer_notifier_send(&p->notifier, res);
}


static void
consumer_partition_done(consumer_partition_t *p, const PGresult *res,
    size_t done)
{
    uint64_t  tag;

    tag = p->batch.commands[done - 1].tag;

    consumer_batch_shift(&p->batch, done);

    /* the store has work again while the rest is done for these */

    if (consumer_partition_free(p)) {
        consumer_batch_send(&p->batch);
    }

    consumer_partition_committed(p, res);

    if (!p->lost && consumer_amqp_ack(&p->amqp, tag) != 0) {
        p->lost = 1;
    }
}


/* Whether nothing else wants to be asked of the store first. */

static int
consumer_partition_free(consumer_partition_t *p)
{
    return !p->lost && !consumer_terminated() && p->share.heir[0] == '\0'
           && !p->share.released
           && consumer_notifier_due(&p->notifier, 1)
           && consumer_share_due(&p->share, 1);
}


static int
consumer_partition_notify(consumer_partition_t *p)
{
    consumer_pg_status_e  rc;

    rc = consumer_notifier_run(&p->notifier);

    return (rc == CONSUMER_PG_OK) ? CONSUMER_EXIT_OK
                                  : consumer_partition_failed(p, rc);
}


static int
consumer_partition_share(consumer_partition_t *p)
{
    consumer_pg_status_e  rc;

    rc = consumer_share_attend(&p->share, p->batch.epoch[0]
                                          ? CONSUMER_SHARE_WORKS
                                          : CONSUMER_SHARE_WAITS);

    if (rc != CONSUMER_PG_OK) {
        return consumer_partition_failed(p, rc);
    }

    /* the next one would begin anew to look for the command that fails */

    if (p->share.heir[0] && p->batch.alone == 0
        && !p->batch.suspect.pending && p->release.batch.n == 0)
    {
        consumer_partition_give_up(p);
    }

    return CONSUMER_EXIT_OK;
}


/* All that was executed is acknowledged; the rest returns to the queue. */

static void
consumer_partition_give_up(consumer_partition_t *p)
{
    unsigned  delay;
    uint64_t  end;

    consumer_log(CONSUMER_LOG_NOTICE, "gives partition %u up to \"%s\"",
                 p->worker->partition, p->share.heir);

    (void) consumer_notifier_save(&p->notifier);

    consumer_amqp_close(&p->amqp);
    consumer_partition_release(p);
    consumer_share_given(&p->share);

    end = consumer_now() + CONSUMER_PARTITION_STAND_BACK;

    while (!consumer_terminated()
           && (delay = consumer_until(end, CONSUMER_PARTITION_IDLE)) > 0)
    {
        consumer_wait(NULL, 0, delay);
    }
}


static int
consumer_partition_failed(consumer_partition_t *p, consumer_pg_status_e rc)
{
    switch (rc) {

    case CONSUMER_PG_WRONG:
        consumer_log(CONSUMER_LOG_ALERT, "the store refuses partition %u: "
                     "\"%s\"", p->worker->partition, p->pg.error);
        return CONSUMER_EXIT_FATAL;

    case CONSUMER_PG_FENCED:

        /* closing the connection lets RabbitMQ choose again */

        p->lost = 1;
        consumer_partition_pause(p, "postgres",
                                 "the partition has another owner");
        return CONSUMER_EXIT_OK;

    default:
        if (p->pg.lost_at && consumer_now() - p->pg.lost_at
                             > CONSUMER_PARTITION_STRANDED)
        {
            p->lost = 1;
        }

        consumer_partition_pause(p, "postgres", p->pg.error);
        return CONSUMER_EXIT_OK;
    }
}
