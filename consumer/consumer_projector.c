
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Brings the events of all partitions into the asynchronous projections.
 *
 * The store moves a projection's checkpoint in the transaction that changes
 * its tables, so nothing is done twice or left out, however many daemons are
 * at it and whenever one dies.  One that fails is tried again, later each
 * time, and waits for nobody else; what follows in its partition waits.
 *
 * As long as there is none this process sleeps until Postgres says that one
 * was registered.
 */

#include "consumer_pg.h"
#include "consumer_process.h"
#include "consumer_worker.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>


/* How long an event of another daemon may go unnoticed. */
#define CONSUMER_PROJECTOR_POLL       1000

/* How often a sleeper wakes up to no purpose: once a day. */
#define CONSUMER_PROJECTOR_SLEEP      86400000

#define CONSUMER_PROJECTOR_CHUNK      "500"
#define CONSUMER_PROJECTOR_RETRY_MIN  200
#define CONSUMER_PROJECTOR_RETRY_MAX  30000
#define CONSUMER_PROJECTOR_NAME_MAX   63


/* A projection that failed in a partition. */

typedef struct {
    char                       name[CONSUMER_PROJECTOR_NAME_MAX + 1];
    char                       build[16];
    char                       partition[16];
    consumer_backoff_t         backoff;
    uint64_t                   retry_at;
} consumer_projector_failure_t;


typedef struct {
    const consumer_worker_t       *worker;
    consumer_pg_t                  pg;
    consumer_backoff_t             backoff;
    consumer_projector_failure_t  *failures;
    size_t                         n;
} consumer_projector_t;


static int consumer_projector_turn(consumer_projector_t *p);
static int consumer_projector_open(consumer_projector_t *p);
static void consumer_projector_hear(consumer_projector_t *p);
static int consumer_projector_project(consumer_projector_t *p,
    const PGresult *res, int row, int *more);
static int consumer_projector_failed(consumer_projector_t *p,
    const char *const *params);
static consumer_projector_failure_t *consumer_projector_find(
    consumer_projector_t *p, const char *const *params);
static consumer_projector_failure_t *consumer_projector_add(
    consumer_projector_t *p, const char *const *params);
static void consumer_projector_forget(consumer_projector_t *p,
    consumer_projector_failure_t *failure);
static void consumer_projector_wait(consumer_projector_t *p, int registered);
static int consumer_projector_pause(consumer_projector_t *p);


int
consumer_projector_run(const consumer_worker_t *worker)
{
    consumer_projector_t  p;

    memset(&p, 0, sizeof(p));

    p.worker = worker;
    p.backoff.min = CONSUMER_PROJECTOR_RETRY_MIN;
    p.backoff.max = CONSUMER_PROJECTOR_RETRY_MAX;

    consumer_pg_init(&p.pg, worker->options->postgres, worker->owner);

    while (!consumer_terminated()) {
        (void) consumer_projector_turn(&p);
    }

    consumer_pg_cleanup(&p.pg);
    free(p.failures);

    return CONSUMER_EXIT_OK;
}


static int
consumer_projector_turn(consumer_projector_t *p)
{
    int        row, rows, more;
    uint64_t   calls;
    PGresult  *res;

    if (consumer_projector_open(p) != 0) {
        return -1;
    }

    /* calls that come from here on find us looking again */

    if (read(p->worker->projector, &calls, sizeof(calls)) == -1) {
        calls = 0;
    }

    consumer_projector_hear(p);

    if (consumer_pg_query(&p->pg, "select name, build, partition, behind"
                          " from cqrs.pending_projections()", 0, NULL, &res)
        != CONSUMER_PG_OK)
    {
        return consumer_projector_pause(p);
    }

    p->backoff.delay = 0;

    more = 0;
    rows = PQntuples(res);

    for (row = 0; row < rows && !consumer_terminated(); row++) {
        if (consumer_pg_number(res, row, 3) > 0
            && consumer_projector_project(p, res, row, &more) != 0)
        {
            PQclear(res);
            return -1;
        }
    }

    PQclear(res);

    if (!more) {
        consumer_projector_wait(p, rows > 0);
    }

    return 0;
}


static int
consumer_projector_open(consumer_projector_t *p)
{
    PGresult  *res;

    if (p->pg.conn && PQstatus(p->pg.conn) == CONNECTION_OK) {
        return 0;
    }

    /*
     * What is lost when Postgres dies is done again, it is not worth waiting
     * for the disk.
     */

    if (consumer_pg_query(&p->pg,
            "select set_config('idle_session_timeout', '0', false),"
            " set_config('synchronous_commit', 'off', false)",
            0, NULL, &res)
        != CONSUMER_PG_OK)
    {
        return consumer_projector_pause(p);
    }

    PQclear(res);

    if (consumer_pg_query(&p->pg, "listen cqrs_projections", 0, NULL, &res)
        != CONSUMER_PG_OK)
    {
        return consumer_projector_pause(p);
    }

    PQclear(res);

    return 0;
}


/* What is told is only that it is time to look. */

static void
consumer_projector_hear(consumer_projector_t *p)
{
    PGnotify  *notify;

    while ((notify = PQnotifies(p->pg.conn)) != NULL) {
        PQfreemem(notify);
    }
}


static int
consumer_projector_project(consumer_projector_t *p, const PGresult *pending,
    int row, int *more)
{
    PGresult                      *res;
    const char                    *params[4];
    consumer_projector_failure_t  *failure;

    params[0] = PQgetvalue(pending, row, 0);
    params[1] = PQgetvalue(pending, row, 1);
    params[2] = PQgetvalue(pending, row, 2);
    params[3] = CONSUMER_PROJECTOR_CHUNK;

    failure = consumer_projector_find(p, params);

    if (failure && consumer_now() < failure->retry_at) {
        return 0;
    }

    switch (consumer_pg_query(&p->pg, "select applied"
                              " from cqrs.run_projection($1, $2, $3, $4)",
                              4, params, &res))
    {
    case CONSUMER_PG_OK:
        break;

    case CONSUMER_PG_TRANSIENT:
        if (p->pg.conn == NULL) {
            return consumer_projector_pause(p);
        }

        /* fall through */

    default:
        return consumer_projector_failed(p, params);
    }

    if (PQntuples(res)) {
        *more = 1;

        if (failure) {
            consumer_log(CONSUMER_LOG_NOTICE, "projection %s goes on in "
                         "partition %s", params[0], params[2]);
            consumer_projector_forget(p, failure);
        }
    }

    PQclear(res);

    return 0;
}


static int
consumer_projector_failed(consumer_projector_t *p, const char *const *params)
{
    unsigned                       delay;
    PGresult                      *res;
    const char                    *said[5];
    consumer_projector_failure_t  *failure;

    failure = consumer_projector_add(p, params);
    if (failure == NULL) {
        snprintf(p->pg.error, sizeof(p->pg.error), "no memory");
        return consumer_projector_pause(p);
    }

    delay = consumer_backoff(&failure->backoff);
    failure->retry_at = consumer_now() + delay;

    consumer_log(CONSUMER_LOG_ERROR,
                 "projection %s fails in partition %s, %s \"%s\"; trying "
                 "again in %u ms", params[0], params[2], p->pg.sqlstate,
                 p->pg.error, delay);

    said[0] = params[0];
    said[1] = params[1];
    said[2] = params[2];
    said[3] = p->pg.sqlstate;
    said[4] = p->pg.error;

    if (consumer_pg_query(&p->pg,
            "select cqrs.fail_projection($1, $2, $3, $4, $5)", 5, said, &res)
        != CONSUMER_PG_OK)
    {
        return consumer_projector_pause(p);
    }

    PQclear(res);

    return 0;
}


static consumer_projector_failure_t *
consumer_projector_find(consumer_projector_t *p, const char *const *params)
{
    size_t                         i;
    consumer_projector_failure_t  *failure;

    for (i = 0; i < p->n; i++) {
        failure = &p->failures[i];

        if (strcmp(failure->name, params[0]) == 0
            && strcmp(failure->build, params[1]) == 0
            && strcmp(failure->partition, params[2]) == 0)
        {
            return failure;
        }
    }

    return NULL;
}


static consumer_projector_failure_t *
consumer_projector_add(consumer_projector_t *p, const char *const *params)
{
    consumer_projector_failure_t  *failure, *failures;

    failure = consumer_projector_find(p, params);
    if (failure) {
        return failure;
    }

    failures = realloc(p->failures,
                       (p->n + 1) * sizeof(consumer_projector_failure_t));
    if (failures == NULL) {
        return NULL;
    }

    p->failures = failures;

    failure = &failures[p->n++];
    memset(failure, 0, sizeof(*failure));

    snprintf(failure->name, sizeof(failure->name), "%s", params[0]);
    snprintf(failure->build, sizeof(failure->build), "%s", params[1]);
    snprintf(failure->partition, sizeof(failure->partition), "%s", params[2]);

    failure->backoff.min = CONSUMER_PROJECTOR_RETRY_MIN;
    failure->backoff.max = CONSUMER_PROJECTOR_RETRY_MAX;

    return failure;
}


static void
consumer_projector_forget(consumer_projector_t *p,
    consumer_projector_failure_t *failure)
{
    *failure = p->failures[--p->n];
}


static void
consumer_projector_wait(consumer_projector_t *p, int registered)
{
    struct pollfd  fds[2];

    fds[0].fd = PQsocket(p->pg.conn);
    fds[0].events = POLLIN;
    fds[1].fd = p->worker->projector;
    fds[1].events = POLLIN;

    /* without one, what is appended is nothing to us */

    if (consumer_wait(fds, registered ? 2 : 1,
                      registered ? CONSUMER_PROJECTOR_POLL
                                 : CONSUMER_PROJECTOR_SLEEP)
        > 0
        && fds[0].revents && !PQconsumeInput(p->pg.conn))
    {
        snprintf(p->pg.error, sizeof(p->pg.error), "connection lost");
        (void) consumer_projector_pause(p);
    }
}


static int
consumer_projector_pause(consumer_projector_t *p)
{
    unsigned  delay;
    uint64_t  end;

    delay = consumer_backoff(&p->backoff);
    end = consumer_now() + delay;

    consumer_log(CONSUMER_LOG_ERROR, "postgres: %s; trying again in %u ms",
                 p->pg.error, delay);

    consumer_pg_cleanup(&p->pg);

    while (!consumer_terminated()
           && (delay = consumer_until(end, CONSUMER_PROJECTOR_POLL)) > 0)
    {
        consumer_wait(NULL, 0, delay);
    }

    return -1;
}
