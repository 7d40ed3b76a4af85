
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Which query runs where.
 *
 * Connections are opened when queries wait, up to the limit, and the first one
 * at once.  After a failure attempts are spaced out; queries wait meanwhile,
 * so a restart of Postgres that is shorter than their timeout fails none.
 */

#include "ngx_cqrs_pg_pool.h"


#define NGX_CQRS_PG_DEMAND  250            /* ms to an attempt, if some wait */


static void ngx_cqrs_pg_pool_drop(ngx_queue_t *ops);
static void ngx_cqrs_pg_pool_dispatch(ngx_event_t *ev);
static void ngx_cqrs_pg_pool_grow(ngx_cqrs_pg_t *pg);
static void ngx_cqrs_pg_pool_retry(ngx_event_t *ev);
static void ngx_cqrs_pg_pool_on_idle(ngx_cqrs_pg_conn_t *conn);
static void ngx_cqrs_pg_pool_on_done(ngx_cqrs_pg_op_t *op);
static void ngx_cqrs_pg_pool_on_lost(ngx_cqrs_pg_conn_t *conn,
    ngx_cqrs_pg_state_e was, ngx_str_t *reason);
static void ngx_cqrs_pg_pool_pause(ngx_cqrs_pg_t *pg);


static const ngx_cqrs_pg_conn_handlers_t  ngx_cqrs_pg_pool_handlers = {
    ngx_cqrs_pg_pool_on_idle,
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
    ngx_queue_init(&pg->done);
    ngx_queue_init(&pg->listeners);

    pg->retry.handler = ngx_cqrs_pg_pool_retry;
    pg->retry.data = pg;
    pg->retry.log = pg->log;
    pg->retry.cancelable = 1;

    pg->work.handler = ngx_cqrs_pg_pool_dispatch;
    pg->work.data = pg;
    pg->work.log = pg->log;

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
    ngx_uint_t  i;

    if (pg->conns == NULL) {
        return;
    }

    for (i = 0; i < pg->conf.pool; i++) {
        ngx_cqrs_pg_conn_close(&pg->conns[i]);
        ngx_cqrs_pg_pool_drop(&pg->conns[i].ops);
    }

    ngx_cqrs_pg_pool_drop(&pg->waiting);
    ngx_cqrs_pg_pool_drop(&pg->done);

    if (pg->retry.timer_set) {
        ngx_del_timer(&pg->retry);
    }

    if (pg->work.posted) {
        ngx_delete_posted_event(&pg->work);
    }
}


void
ngx_cqrs_pg_pool_demand(ngx_cqrs_pg_t *pg)
{
    if (pg->retry.timer_set
        && (ngx_msec_int_t) (pg->retry.timer.key - ngx_current_msec)
           > NGX_CQRS_PG_DEMAND)
    {
        ngx_add_timer(&pg->retry, NGX_CQRS_PG_DEMAND);
    }

    ngx_cqrs_pg_pool_grow(pg);
}


void
ngx_cqrs_pg_pool_wake(ngx_cqrs_pg_t *pg)
{
    ngx_post_event(&pg->work, &ngx_posted_events);
}


ngx_cqrs_pg_conn_t *
ngx_cqrs_pg_pool_idle(ngx_cqrs_pg_t *pg, ngx_cqrs_pg_op_t *op)
{
    ngx_queue_t         *q, *list;
    ngx_cqrs_pg_conn_t  *conn;

    list = &pg->lists[NGX_CQRS_PG_IDLE];

    for (q = ngx_queue_head(list);
         q != ngx_queue_sentinel(list);
         q = ngx_queue_next(q))
    {
        conn = ngx_queue_data(q, ngx_cqrs_pg_conn_t, queue);

        if (conn->losses >= op->losses) {
            return conn;
        }
    }

    return NULL;
}


ngx_uint_t
ngx_cqrs_pg_pool_connected(ngx_cqrs_pg_t *pg)
{
    return !ngx_queue_empty(&pg->lists[NGX_CQRS_PG_IDLE])
           || !ngx_queue_empty(&pg->lists[NGX_CQRS_PG_BUSY]);
}


/* What ran on a connection that is gone, the first one foremost. */

void
ngx_cqrs_pg_pool_take_ops(ngx_cqrs_pg_conn_t *conn)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&conn->ops)) {
        q = ngx_queue_last(&conn->ops);
        ngx_queue_remove(q);
        ngx_cqrs_pg_op_rerun(ngx_queue_data(q, ngx_cqrs_pg_op_t, queue));
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
 * Queries are given to connections in one place, from the event loop, so that
 * a connection that breaks while it is given one disturbs nobody.
 */

static void
ngx_cqrs_pg_pool_dispatch(ngx_event_t *ev)
{
    ngx_queue_t         *q, *next;
    ngx_cqrs_pg_t       *pg;
    ngx_cqrs_pg_op_t    *op;
    ngx_cqrs_pg_conn_t  *conn;

    pg = ev->data;

    for (q = ngx_queue_head(&pg->waiting);
         q != ngx_queue_sentinel(&pg->waiting);
         q = next)
    {
        if (ngx_queue_empty(&pg->lists[NGX_CQRS_PG_IDLE])) {
            break;
        }

        next = ngx_queue_next(q);

        op = ngx_queue_data(q, ngx_cqrs_pg_op_t, queue);

        conn = ngx_cqrs_pg_pool_idle(pg, op);

        if (conn) {
            ngx_cqrs_pg_op_unwait(op);
            ngx_cqrs_pg_op_run(op, conn);
        }
    }

    ngx_cqrs_pg_pool_grow(pg);
}


/* One connection on the way for each query that waits, and one in any case. */

static void
ngx_cqrs_pg_pool_grow(ngx_cqrs_pg_t *pg)
{
    ngx_uint_t           coming;
    ngx_queue_t         *q, *list;
    ngx_cqrs_pg_conn_t  *conn;

    list = &pg->lists[NGX_CQRS_PG_CONNECTING];
    coming = 0;

    for (q = ngx_queue_head(list);
         q != ngx_queue_sentinel(list);
         q = ngx_queue_next(q))
    {
        coming++;
    }

    while (!pg->retry.timer_set
           && !ngx_queue_empty(&pg->lists[NGX_CQRS_PG_DOWN]))
    {
        if (coming >= pg->nwaiting
            && (coming > 0
                || ngx_exiting
                || ngx_cqrs_pg_pool_connected(pg)))
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

    if (pg->nwaiting) {
        ngx_cqrs_pg_pool_wake(pg);

    } else if (ngx_exiting) {
        ngx_cqrs_pg_conn_close(conn);
    }
}


static void
ngx_cqrs_pg_pool_on_done(ngx_cqrs_pg_op_t *op)
{
    /* only an answer proves that the server is well */

    ngx_cqrs_backoff_reset(&op->pg->backoff);

    ngx_del_timer(&op->event);

    if (op->state == NGX_CQRS_PG_OP_ABANDONED) {
        ngx_cqrs_pg_op_destroy(op);
        return;
    }

    ngx_cqrs_pg_op_finish(op, op->status);
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

    ngx_cqrs_pg_pool_take_ops(conn);

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
