
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * When connections are opened, and what becomes of queries when they are gone.
 *
 * They are opened when queries wait or run with others, up to the limit, and
 * the first one at once.  After a failure attempts are spaced out; queries
 * wait meanwhile, so a restart of Postgres that is shorter than their timeout
 * fails none.
 */

#include "ngx_cqrs_pg_pool.h"


#define NGX_CQRS_PG_DEMAND  250            /* ms to an attempt, if some wait */


static void ngx_cqrs_pg_pool_drop(ngx_queue_t *ops);
static void ngx_cqrs_pg_pool_take_runs(ngx_cqrs_pg_conn_t *conn,
    ngx_uint_t lost);
static ngx_uint_t ngx_cqrs_pg_pool_count(ngx_queue_t *list);
static void ngx_cqrs_pg_pool_retry(ngx_event_t *ev);
static void ngx_cqrs_pg_pool_on_idle(ngx_cqrs_pg_conn_t *conn);
static void ngx_cqrs_pg_pool_on_first(ngx_cqrs_pg_run_t *run);
static void ngx_cqrs_pg_pool_on_done(ngx_cqrs_pg_run_t *run);
static void ngx_cqrs_pg_pool_on_lost(ngx_cqrs_pg_conn_t *conn,
    ngx_cqrs_pg_state_e was, ngx_str_t *reason);
static void ngx_cqrs_pg_pool_pause(ngx_cqrs_pg_t *pg);


static const ngx_cqrs_pg_conn_handlers_t  ngx_cqrs_pg_pool_handlers = {
    ngx_cqrs_pg_pool_on_idle,
    ngx_cqrs_pg_pool_on_first,
    ngx_cqrs_pg_pool_on_done,
    ngx_cqrs_pg_pool_on_lost,
    NULL
};


ngx_int_t
ngx_cqrs_pg_pool_start(ngx_cqrs_pg_t *pg, ngx_cycle_t *cycle)
{
    ngx_uint_t           i;
    ngx_cqrs_pg_conn_t  *conn;

    pg->log = cycle->log;

    for (i = 0; i < NGX_CQRS_PG_STATES; i++) {
        ngx_queue_init(&pg->lists[i]);
    }

    ngx_queue_init(&pg->waiting);
    ngx_queue_init(&pg->slow);
    ngx_queue_init(&pg->done);
    ngx_queue_init(&pg->listeners);

    pg->retry.handler = ngx_cqrs_pg_pool_retry;
    pg->retry.data = pg;
    pg->retry.log = pg->log;
    pg->retry.cancelable = 1;

    pg->work.handler = ngx_cqrs_pg_dispatch;
    pg->work.data = pg;
    pg->work.log = pg->log;

    pg->tick.handler = ngx_cqrs_pg_dispatch_tick;
    pg->tick.data = pg;
    pg->tick.log = pg->log;
    pg->tick.cancelable = 1;

    pg->conns = ngx_pcalloc(cycle->pool,
                            pg->conf.pool * sizeof(ngx_cqrs_pg_conn_t));
    if (pg->conns == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < pg->conf.pool; i++) {
        conn = &pg->conns[i];

        conn->lists = pg->lists;
        conn->pg = pg;
        conn->conf = &pg->conf;
        conn->handlers = &ngx_cqrs_pg_pool_handlers;
        conn->log = pg->log;

        ngx_cqrs_pg_conn_init(conn);
    }

    ngx_cqrs_pg_pool_grow(pg);

    return NGX_OK;
}


void
ngx_cqrs_pg_pool_stop(ngx_cqrs_pg_t *pg)
{
    ngx_uint_t           i;
    ngx_cqrs_pg_run_t   *run;
    ngx_cqrs_pg_conn_t  *conn;

    if (pg->conns == NULL) {
        return;
    }

    for (i = 0; i < pg->conf.pool; i++) {
        conn = &pg->conns[i];

        ngx_cqrs_pg_conn_close(conn);

        while ((run = ngx_cqrs_pg_conn_first(conn)) != NULL) {
            ngx_queue_remove(&run->queue);

            if (run->op) {
                ngx_cqrs_pg_op_destroy(run->op);
            }

            ngx_cqrs_pg_run_destroy(run);
        }
    }

    ngx_cqrs_pg_pool_drop(&pg->waiting);
    ngx_cqrs_pg_pool_drop(&pg->slow);
    ngx_cqrs_pg_pool_drop(&pg->done);

    if (pg->retry.timer_set) {
        ngx_del_timer(&pg->retry);
    }

    if (pg->work.posted) {
        ngx_delete_posted_event(&pg->work);
    }

    if (pg->tick.timer_set) {
        ngx_del_timer(&pg->tick);
    }
}


void
ngx_cqrs_pg_pool_wake(ngx_cqrs_pg_t *pg)
{
    ngx_post_event(&pg->work, &ngx_posted_events);
}


ngx_uint_t
ngx_cqrs_pg_pool_connected(ngx_cqrs_pg_t *pg)
{
    return !ngx_queue_empty(&pg->lists[NGX_CQRS_PG_IDLE])
           || !ngx_queue_empty(&pg->lists[NGX_CQRS_PG_BUSY]);
}


void
ngx_cqrs_pg_pool_close(ngx_cqrs_pg_conn_t *conn, const char *why)
{
    ngx_cqrs_pg_t  *pg;

    pg = conn->pg;

    ngx_log_error(NGX_LOG_INFO, pg->log, 0,
                  "postgres \"%V\": query cancelled, %s", &pg->conf.label,
                  why);

    ngx_cqrs_pg_conn_close(conn);
    ngx_cqrs_pg_pool_take_runs(conn, 0);

    ngx_cqrs_pg_pool_wake(pg);
}


/*
 * What ran on a connection that is gone; the oldest comes to wait foremost.
 * If it was lost, the one that answered may be the cause.  Others wait for no
 * longer than they would have.
 */

static void
ngx_cqrs_pg_pool_take_runs(ngx_cqrs_pg_conn_t *conn, ngx_uint_t lost)
{
    ngx_queue_t        *q;
    ngx_cqrs_pg_t      *pg;
    ngx_cqrs_pg_op_t   *op;
    ngx_cqrs_pg_run_t  *run, *first;

    pg = conn->pg;
    first = ngx_cqrs_pg_conn_first(conn);

    if (first) {
        ngx_cqrs_pg_dispatch_ended(first);
    }

    while (!ngx_queue_empty(&conn->runs)) {
        q = ngx_queue_last(&conn->runs);
        run = ngx_queue_data(q, ngx_cqrs_pg_run_t, queue);
        op = run->op;

        ngx_queue_remove(q);
        conn->nruns--;

        if (run != first) {
            pg->nruns--;
        }

        if (op) {
            op->run = NULL;

            if (lost) {
                op->losses = pg->losses;
            }

            /* of a group it is not known which one was at work */

            if (lost && run == first && !run->block) {
                ngx_cqrs_pg_op_lost(op);

            } else {
                ngx_cqrs_pg_op_rerun(op);
            }
        }

        ngx_cqrs_pg_run_destroy(run);
    }
}


/* In a fast shutdown: their requests will not be answered. */

static void
ngx_cqrs_pg_pool_drop(ngx_queue_t *ops)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(ops)) {
        q = ngx_queue_head(ops);
        ngx_queue_remove(q);
        ngx_cqrs_pg_op_destroy(ngx_queue_data(q, ngx_cqrs_pg_op_t, queue));
    }
}


/*
 * One connection for each query, if the pool is large enough, and one in any
 * case; but not more at once than wait or run behind others.
 */

void
ngx_cqrs_pg_pool_grow(ngx_cqrs_pg_t *pg)
{
    ngx_uint_t           coming, there;
    ngx_queue_t         *q;
    ngx_cqrs_pg_conn_t  *conn;

    if (pg->nwaiting && pg->retry.timer_set
        && (ngx_msec_int_t) (pg->retry.timer.key - ngx_current_msec)
           > NGX_CQRS_PG_DEMAND)
    {
        ngx_add_timer(&pg->retry, NGX_CQRS_PG_DEMAND);
    }

    if (pg->retry.timer_set
        || ngx_queue_empty(&pg->lists[NGX_CQRS_PG_DOWN]))
    {
        return;
    }

    coming = ngx_cqrs_pg_pool_count(&pg->lists[NGX_CQRS_PG_CONNECTING]);
    there = ngx_cqrs_pg_pool_count(&pg->lists[NGX_CQRS_PG_IDLE])
            + ngx_cqrs_pg_pool_count(&pg->lists[NGX_CQRS_PG_BUSY]);

    while (!pg->retry.timer_set
           && !ngx_queue_empty(&pg->lists[NGX_CQRS_PG_DOWN]))
    {
        if (coming >= pg->nwaiting
            && coming + there >= pg->nwaiting + pg->nruns
            && (coming || there || ngx_exiting))
        {
            break;
        }

        q = ngx_queue_head(&pg->lists[NGX_CQRS_PG_DOWN]);
        conn = ngx_queue_data(q, ngx_cqrs_pg_conn_t, queue);

        coming++;

        conn->losses = pg->losses;
        ngx_cqrs_pg_conn_open(conn);
    }
}


static ngx_uint_t
ngx_cqrs_pg_pool_count(ngx_queue_t *list)
{
    ngx_uint_t    n;
    ngx_queue_t  *q;

    n = 0;

    for (q = ngx_queue_head(list);
         q != ngx_queue_sentinel(list);
         q = ngx_queue_next(q))
    {
        n++;
    }

    return n;
}


static void
ngx_cqrs_pg_pool_retry(ngx_event_t *ev)
{
    ngx_cqrs_pg_pool_grow(ev->data);
}


static void
ngx_cqrs_pg_pool_on_idle(ngx_cqrs_pg_conn_t *conn)
{
    ngx_cqrs_pg_t  *pg;

    pg = conn->pg;

    if (pg->backoff.failures) {
        ngx_log_error(NGX_LOG_NOTICE, pg->log, 0,
                      "postgres \"%V\": connected again", &pg->conf.label);
    }

    if (pg->nwaiting || pg->nruns) {
        ngx_cqrs_pg_pool_wake(pg);

    } else if (ngx_exiting) {
        ngx_cqrs_pg_conn_close(conn);
    }
}


static void
ngx_cqrs_pg_pool_on_first(ngx_cqrs_pg_run_t *run)
{
    ngx_cqrs_pg_op_t  *op;

    op = run->op;

    if (op) {
        ngx_del_timer(&op->event);
        ngx_add_timer(&op->event, op->pg->conf.query_timeout);
    }
}


static void
ngx_cqrs_pg_pool_on_done(ngx_cqrs_pg_run_t *run)
{
    ngx_cqrs_pg_t     *pg;
    ngx_cqrs_pg_op_t  *op;

    pg = run->conn->pg;
    op = run->op;

    /* only an answer proves that the server is well */

    ngx_cqrs_backoff_reset(&pg->backoff);

    ngx_cqrs_pg_dispatch_ended(run);

    /* the server is given more before what it gave is worked on */

    ngx_cqrs_pg_pool_wake(pg);

    if (op) {
        op->run = NULL;

        /* what is wrong may be so on each connection, but only once */

        if (run->skipped) {
            ngx_cqrs_pg_op_rerun(op);

        } else if (run->repair && op->repairs <= pg->conf.pool) {
            op->repairs++;
            ngx_cqrs_pg_op_rerun(op);

        } else {
            ngx_cqrs_pg_op_finish(op, op->status);
        }
    }

    ngx_cqrs_pg_run_destroy(run);
}


static void
ngx_cqrs_pg_pool_on_lost(ngx_cqrs_pg_conn_t *conn, ngx_cqrs_pg_state_e was,
    ngx_str_t *reason)
{
    ngx_uint_t      failures, level;
    ngx_cqrs_pg_t  *pg;

    pg = conn->pg;
    failures = pg->backoff.failures;

    if (was == NGX_CQRS_PG_CONNECTING) {

        /* an outage is one line in the log, not one for each attempt */

        level = failures ? NGX_LOG_INFO : NGX_LOG_ERR;

        ngx_log_error(level, pg->log, 0,
                      "postgres \"%V\": connecting failed: \"%V\"",
                      &pg->conf.label, reason);

        ngx_cqrs_pg_pool_pause(pg);

    } else {
        pg->losses++;

        ngx_log_error(NGX_LOG_ERR, pg->log, 0,
                      "postgres \"%V\": connection lost while %s: \"%V\"",
                      &pg->conf.label,
                      was == NGX_CQRS_PG_BUSY ? "a query ran" : "idle",
                      reason);

        /* a new one at once, unless new ones break too */

        if (failures) {
            ngx_cqrs_pg_pool_pause(pg);

        } else {
            pg->backoff.failures = 1;
        }
    }

    ngx_cqrs_pg_pool_take_runs(conn, 1);

    ngx_cqrs_pg_pool_wake(pg);
}


/* No attempt to connect for a while. */

static void
ngx_cqrs_pg_pool_pause(ngx_cqrs_pg_t *pg)
{
    ngx_msec_t  delay;

    if (pg->retry.timer_set) {
        return;                            /* several failed at once */
    }

    delay = ngx_cqrs_backoff_next(&pg->backoff);

    if (pg->nwaiting && delay > NGX_CQRS_PG_DEMAND) {
        delay = NGX_CQRS_PG_DEMAND;
    }

    ngx_add_timer(&pg->retry, delay);
}
