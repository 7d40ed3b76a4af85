
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
 * An event whose reaction keeps failing goes to the dead letters.
 */

#include "consumer_pg.h"
#include "consumer_process.h"
#include "consumer_publisher.h"
#include "consumer_reaction.h"
#include "consumer_worker.h"
#include "cqrs_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define CONSUMER_MANAGER_IDLE       1000
#define CONSUMER_MANAGER_RETRY_MIN  100
#define CONSUMER_MANAGER_RETRY_MAX  5000
#define CONSUMER_MANAGER_CONFIRM    10000

#define CONSUMER_MANAGER_TRIES      3


typedef struct {
    const consumer_worker_t   *worker;
    consumer_pg_t              pg;
    consumer_amqp_t            amqp;       /* events come in here */
    consumer_publisher_t       pub;        /* commands go out here */
    consumer_backoff_t         backoff;

    consumer_event_t          *events;     /* delivered, in order */
    size_t                     n;
    size_t                     size;
    size_t                     alone;      /* so many go one by one */
    unsigned                   tries;      /* of the first one, alone */
    unsigned                   lost:1;     /* amqp.error says why */
} consumer_manager_t;


static int consumer_manager_init(consumer_manager_t *m,
    const consumer_worker_t *worker);
static void consumer_manager_cleanup(consumer_manager_t *m);
static int consumer_manager_open(consumer_manager_t *m);
static void consumer_manager_wait(consumer_manager_t *m, unsigned msec);
static void consumer_manager_read(void *data);
static void consumer_manager_take(consumer_manager_t *m,
    const amqp_envelope_t *message);
static void consumer_manager_work(consumer_manager_t *m);
static consumer_reaction_status_e consumer_manager_react(
    consumer_manager_t *m, size_t count);
static void consumer_manager_failed(consumer_manager_t *m, size_t count);
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
        amqp_destroy_envelope(&message);
    }
}


static void
consumer_manager_take(consumer_manager_t *m, const amqp_envelope_t *message)
{
    if (m->n == m->size) {
        snprintf(m->amqp.error, sizeof(m->amqp.error),
                 "more messages than the prefetch");
        m->lost = 1;
        return;
    }

    if (consumer_event_init(&m->events[m->n], message, m->worker->partitions)
        == 0)
    {
        m->n++;
        return;
    }

    consumer_log(CONSUMER_LOG_WARN,
                 "a message that is no event of the store goes from \""
                 CQRS_QUEUE_REACTIONS "\" to the dead letters");

    if (consumer_amqp_reject(&m->amqp, message->delivery_tag) != 0) {
        m->lost = 1;
    }
}


static void
consumer_manager_work(consumer_manager_t *m)
{
    size_t  count;

    count = (m->n < m->worker->options->batch) ? m->n
                                               : m->worker->options->batch;
    if (m->alone) {
        count = 1;
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
        consumer_manager_pause(m, "postgres", m->pg.error);
        return;

    case CONSUMER_REACTION_RABBITMQ:
        consumer_amqp_drop(&m->pub.amqp);
        consumer_manager_pause(m, "rabbitmq", m->pub.amqp.error);
        return;

    case CONSUMER_REACTION_FAILED:
        consumer_manager_failed(m, count);
        return;
    }
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
    consumer_event_t  *event;

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

    event = &m->events[0];

    consumer_log(CONSUMER_LOG_ERROR,
                 "event %s goes to the dead letters, reacting to it failed %d "
                 "times, %s \"%s\"", event->id, CONSUMER_MANAGER_TRIES,
                 m->pg.sqlstate, m->pg.error);

    if (!m->lost && consumer_amqp_reject(&m->amqp, event->tag) != 0) {
        m->lost = 1;
    }

    consumer_manager_shift(m, 1);
}


static void
consumer_manager_shift(consumer_manager_t *m, size_t count)
{
    m->n -= count;
    memmove(m->events, m->events + count, m->n * sizeof(consumer_event_t));

    m->alone = (m->alone > count) ? m->alone - count : 0;
    m->tries = 0;
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
