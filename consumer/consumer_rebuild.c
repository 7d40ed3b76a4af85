
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Builds the tables of a projection anew, beside those that are read.
 *
 * Each step is a transaction of the store (sql/projections).  Until the last
 * one, the promotion, nothing has changed for anybody; whoever interrupts us
 * leaves tables that the next rebuild removes.  The promotion holds up those
 * who write, so it gives up soon when somebody reads the old tables, and is
 * tried again.
 */

#include "consumer_rebuild.h"
#include "consumer_pg.h"
#include "consumer_process.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>


#define CONSUMER_REBUILD_CHUNK      "1000"

/*
 * What can be done in so many milliseconds is left to the promotion, which
 * holds up those who write.  If they write as fast as we read, so that there
 * is never less, it is twice as much after some time.
 */
#define CONSUMER_REBUILD_HOLD       300
#define CONSUMER_REBUILD_STUCK      5000

/* Plans made for empty tables are made anew, at twice as many each time. */
#define CONSUMER_REBUILD_ANALYZE    5000

#define CONSUMER_REBUILD_LINE       5000      /* milliseconds, of a log */
#define CONSUMER_REBUILD_REDRAW     200       /* and of a terminal */

#define CONSUMER_REBUILD_RETRY_MIN  50
#define CONSUMER_REBUILD_RETRY_MAX  2000


typedef struct {
    consumer_pg_t        pg;
    const char          *name;
    const char          *said;           /* what it is said to wait for */
    consumer_backoff_t   backoff;

    uint64_t             started_at;
    uint64_t             shown_at;
    int64_t              done;           /* events that are in the tables */
    int64_t              total;
    int64_t              behind;
    int64_t              analyzed;       /* at so many events next */
    double               pace;           /* milliseconds for an event */
    double               left;           /* and for all that are left */
    double               least;          /* what was left at best, */
    uint64_t             least_at;       /* and when */
    double               hold;           /* so much is left to the promotion */
    uint64_t             held;           /* milliseconds of the promotion */

    unsigned             terminal:1;
    unsigned             drawn:1;        /* a line is to be rewritten */
} consumer_rebuild_t;


static int consumer_rebuild_build(consumer_rebuild_t *rb);
static int consumer_rebuild_follow(consumer_rebuild_t *rb);
static void consumer_rebuild_judge(consumer_rebuild_t *rb);
static int consumer_rebuild_step(consumer_rebuild_t *rb);
static int consumer_rebuild_promote(consumer_rebuild_t *rb);
static int consumer_rebuild_patiently(consumer_rebuild_t *rb, const char *sql,
    const char *what);
static consumer_pg_status_e consumer_rebuild_call(consumer_rebuild_t *rb,
    const char *sql);
static int consumer_rebuild_pause(consumer_rebuild_t *rb, const char *what);
static void consumer_rebuild_abandon(consumer_rebuild_t *rb);
static int consumer_rebuild_failed(consumer_rebuild_t *rb);
static void consumer_rebuild_show(consumer_rebuild_t *rb);
static void consumer_rebuild_wipe(consumer_rebuild_t *rb);
static const char *consumer_rebuild_time(uint64_t msec, char *text,
    size_t size);


int
consumer_rebuild_run(const consumer_options_t *options)
{
    return consumer_rebuild_projection(options, options->words[0]);
}


int
consumer_rebuild_projection(const consumer_options_t *options,
    const char *name)
{
    int                 rc;
    char                text[32];
    consumer_rebuild_t  rb;

    memset(&rb, 0, sizeof(rb));

    rb.name = name;
    rb.terminal = (isatty(STDOUT_FILENO) == 1);
    rb.backoff.min = CONSUMER_REBUILD_RETRY_MIN;
    rb.backoff.max = CONSUMER_REBUILD_RETRY_MAX;
    rb.started_at = consumer_now();
    rb.shown_at = rb.started_at;
    rb.hold = CONSUMER_REBUILD_HOLD;
    rb.analyzed = CONSUMER_REBUILD_ANALYZE;

    if (consumer_signals_init() == -1) {
        fprintf(stderr, "cqrs-consumer: signals: %s\n", strerror(errno));
        return CONSUMER_EXIT_ERROR;
    }

    consumer_pg_init(&rb.pg, options->postgres, "cqrs-consumer rebuild");

    rc = consumer_rebuild_build(&rb);

    if (rc == 0) {
        printf("%s: rebuilt from %" PRId64 " events in %s; writers were held "
               "up for %" PRIu64 " ms at most\n", rb.name, rb.done,
               consumer_rebuild_time(consumer_now() - rb.started_at, text,
                                     sizeof(text)),
               rb.held);
    }

    consumer_pg_cleanup(&rb.pg);

    return rc == 0 ? CONSUMER_EXIT_OK : CONSUMER_EXIT_ERROR;
}


static int
consumer_rebuild_build(consumer_rebuild_t *rb)
{
    /* a server whose client is gone notices it while it works, too */

    if (consumer_rebuild_call(rb, "select"
            " set_config('client_connection_check_interval', '1s', false),"
            " set_config('idle_session_timeout', '0', false), $1::text")
        != CONSUMER_PG_OK)
    {
        return consumer_rebuild_failed(rb);
    }

    if (consumer_rebuild_call(rb, "select cqrs.lock_rebuild($1)")
        != CONSUMER_PG_OK)
    {
        return consumer_rebuild_failed(rb);
    }

    if (consumer_rebuild_patiently(rb, "select cqrs.begin_rebuild($1)",
                                   "begin")
        != 0)
    {
        return -1;
    }

    if (consumer_rebuild_patiently(rb, "select cqrs.rehearse_promotion($1)",
                                   "begin")
        != 0)
    {
        consumer_rebuild_abandon(rb);
        return -1;
    }

    if (consumer_rebuild_follow(rb) != 0) {
        consumer_rebuild_abandon(rb);
        return -1;
    }

    if (consumer_rebuild_call(rb, "select cqrs.analyze_rebuild($1)")
        != CONSUMER_PG_OK)
    {
        (void) consumer_rebuild_failed(rb);
        consumer_rebuild_abandon(rb);
        return -1;
    }

    if (consumer_rebuild_promote(rb) != 0) {
        consumer_rebuild_abandon(rb);
        return -1;
    }

    rb->backoff.delay = 0;

    return consumer_rebuild_patiently(rb, "select cqrs.finish_rebuild($1)",
                                      "drop the old tables");
}


/* Until little enough is left. */

static int
consumer_rebuild_follow(consumer_rebuild_t *rb)
{
    rb->least = 0;

    do {
        if (consumer_rebuild_step(rb) != 0) {
            return -1;
        }

        consumer_rebuild_judge(rb);

        if (rb->done >= rb->analyzed) {
            rb->analyzed = 2 * rb->done;

            if (consumer_rebuild_call(rb, "select cqrs.analyze_rebuild($1)")
                != CONSUMER_PG_OK)
            {
                return consumer_rebuild_failed(rb);
            }
        }

    } while (rb->left > rb->hold);

    return 0;
}


static void
consumer_rebuild_judge(consumer_rebuild_t *rb)
{
    uint64_t  now;

    now = consumer_now();

    rb->left = rb->pace * (double) rb->behind;

    if (rb->least == 0 || rb->left < rb->least) {
        rb->least = rb->left;
        rb->least_at = now;
        return;
    }

    if (now - rb->least_at < CONSUMER_REBUILD_STUCK) {
        return;
    }

    rb->least = rb->left;
    rb->least_at = now;
    rb->hold *= 2;

    consumer_rebuild_wipe(rb);
    printf("%s: events come as fast as they are read; writers may be held up "
           "for %.1f s\n", rb->name, rb->hold / 1000);
    fflush(stdout);
}


static int
consumer_rebuild_step(consumer_rebuild_t *rb)
{
    double       pace;
    int64_t      before;
    uint64_t     began_at;
    PGresult    *res;
    const char  *params[2];

    if (consumer_terminated()) {
        consumer_rebuild_wipe(rb);
        fprintf(stderr,
                "cqrs-consumer: %s: interrupted, nothing has changed\n",
                rb->name);
        return -1;
    }

    params[0] = rb->name;
    params[1] = CONSUMER_REBUILD_CHUNK;

    before = rb->done;
    began_at = consumer_now();

    if (consumer_pg_query(&rb->pg, "select done, total, behind"
                          " from cqrs.step_rebuild($1, $2)", 2, params, &res)
        != CONSUMER_PG_OK)
    {
        return consumer_rebuild_failed(rb);
    }

    rb->done = consumer_pg_number(res, 0, 0);
    rb->total = consumer_pg_number(res, 0, 1);
    rb->behind = consumer_pg_number(res, 0, 2);

    PQclear(res);

    if (rb->done > before) {
        pace = (double) (consumer_now() - began_at)
               / (double) (rb->done - before);
        rb->pace = rb->pace == 0 ? pace : (3 * rb->pace + pace) / 4;
    }

    consumer_rebuild_show(rb);

    return 0;
}


/*
 * While we wait for a better moment events go on coming, so we go on bringing
 * them in: there is never much to do in the promotion.
 */

static int
consumer_rebuild_promote(consumer_rebuild_t *rb)
{
    uint64_t              began_at, took;
    consumer_pg_status_e  rc;

    for ( ;; ) {

        if (consumer_rebuild_follow(rb) != 0) {
            return -1;
        }

        began_at = consumer_now();

        rc = consumer_rebuild_call(rb, "select cqrs.promote_rebuild($1)");

        took = consumer_now() - began_at;

        if (took > rb->held) {
            rb->held = took;
        }

        if (rc == CONSUMER_PG_OK) {
            rb->done = rb->total;
            consumer_rebuild_wipe(rb);
            return 0;
        }

        if (rc != CONSUMER_PG_TRANSIENT || rb->pg.conn == NULL
            || strcmp(rb->pg.sqlstate, "55000") == 0)
        {
            return consumer_rebuild_failed(rb);
        }

        if (consumer_rebuild_pause(rb, "take their place") != 0) {
            return -1;
        }
    }
}


/* Until nobody is in the way any more. */

static int
consumer_rebuild_patiently(consumer_rebuild_t *rb, const char *sql,
    const char *what)
{
    consumer_pg_status_e  rc;

    for ( ;; ) {
        rc = consumer_rebuild_call(rb, sql);

        if (rc == CONSUMER_PG_OK) {
            return 0;
        }

        if (strcmp(rb->pg.sqlstate, "55P03") != 0
            && strcmp(rb->pg.sqlstate, "40P01") != 0)
        {
            return consumer_rebuild_failed(rb);
        }

        if (consumer_rebuild_pause(rb, what) != 0) {
            return -1;
        }
    }
}


static consumer_pg_status_e
consumer_rebuild_call(consumer_rebuild_t *rb, const char *sql)
{
    PGresult              *res;
    const char            *params[1];
    consumer_pg_status_e   rc;

    /* a new connection would not hold our lock */

    if (rb->pg.conn == NULL && rb->pg.sqlstate[0]) {
        return CONSUMER_PG_TRANSIENT;
    }

    params[0] = rb->name;

    rc = consumer_pg_query(&rb->pg, sql, 1, params, &res);

    if (rc == CONSUMER_PG_OK) {
        PQclear(res);
    }

    return rc;
}


static int
consumer_rebuild_pause(consumer_rebuild_t *rb, const char *what)
{
    unsigned  delay;

    delay = consumer_backoff(&rb->backoff);

    if (delay >= CONSUMER_REBUILD_RETRY_MAX / 2 && rb->said != what) {
        rb->said = what;
        consumer_rebuild_wipe(rb);
        printf("%s: waits to %s, \"%s\"\n", rb->name, what, rb->pg.error);
        fflush(stdout);
    }

    consumer_wait(NULL, 0, delay);

    if (consumer_terminated()) {
        consumer_rebuild_wipe(rb);
        fprintf(stderr, "cqrs-consumer: %s: interrupted\n", rb->name);
        return -1;
    }

    return 0;
}


/* If it can't be done now, the next rebuild does it. */

static void
consumer_rebuild_abandon(consumer_rebuild_t *rb)
{
    (void) consumer_rebuild_call(rb, "select cqrs.clear_rebuild($1)");
}


static int
consumer_rebuild_failed(consumer_rebuild_t *rb)
{
    consumer_rebuild_wipe(rb);

    fprintf(stderr, "cqrs-consumer: %s\n", rb->pg.error);

    return -1;
}


static void
consumer_rebuild_show(consumer_rebuild_t *rb)
{
    char      left[32];
    double    seconds;
    uint64_t  now, rate;

    now = consumer_now();

    if (now - rb->shown_at < (rb->terminal ? CONSUMER_REBUILD_REDRAW
                                           : CONSUMER_REBUILD_LINE))
    {
        return;
    }

    rb->shown_at = now;

    seconds = (double) (now - rb->started_at) / 1000;
    rate = (uint64_t) ((double) rb->done / seconds);

    printf("%s%s: %" PRId64 " of %" PRId64 " events, %" PRId64 " %%, %" PRIu64
           " events/s, %s left%s", rb->terminal ? "\r" : "", rb->name,
           rb->done, rb->total, rb->total ? rb->done * 100 / rb->total : 100,
           rate,
           rate ? consumer_rebuild_time((uint64_t) rb->behind * 1000 / rate,
                                        left, sizeof(left))
                : "?",
           rb->terminal ? "\033[K" : "\n");
    fflush(stdout);

    rb->drawn = rb->terminal;
}


static void
consumer_rebuild_wipe(consumer_rebuild_t *rb)
{
    if (rb->drawn) {
        printf("\r\033[K");
        fflush(stdout);
        rb->drawn = 0;
    }
}


static const char *
consumer_rebuild_time(uint64_t msec, char *text, size_t size)
{
    unsigned  seconds;

    seconds = (unsigned) ((msec + 500) / 1000);

    if (msec < 10000) {
        snprintf(text, size, "%" PRIu64 ".%" PRIu64 " s", msec / 1000,
                 msec % 1000 / 100);

    } else if (seconds < 60) {
        snprintf(text, size, "%u s", seconds);

    } else if (seconds < 3600) {
        snprintf(text, size, "%u min %u s", seconds / 60, seconds % 60);

    } else {
        snprintf(text, size, "%u h %u min", seconds / 3600,
                 seconds % 3600 / 60);
    }

    return text;
}
