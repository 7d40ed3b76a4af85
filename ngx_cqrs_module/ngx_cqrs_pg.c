
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The pool of one worker, and the queue before it.
 *
 * Connections are opened when queries wait, up to the limit, and the first one
 * at once.  After a failure attempts are spaced out; queries wait meanwhile, so
 * a restart of Postgres that is shorter than their timeout fails none of them.
 *
 * A running query is cancelled by closing its connection: libpq's own way
 * blocks, and the key that the protocol asks for is hidden in libpq.  The
 * session's client_connection_check_interval makes the server notice.  Because
 * a new connection is dear, a query that nobody waits for any more gets a
 * moment to end by itself.
 */

#include "ngx_cqrs_pg_conn.h"

#include "ngx_cqrs_backoff.h"


#define NGX_CQRS_PG_CANCEL_GRACE  250     /* ms for an abandoned query */
#define NGX_CQRS_PG_DEMAND        250     /* ms between attempts if some wait */
#define NGX_CQRS_PG_RERUNS        1


struct ngx_cqrs_pg_s {
    ngx_cqrs_backend_t   backend;
    ngx_cqrs_pg_conf_t   conf;
    ngx_log_t           *log;

    ngx_cqrs_pg_conn_t  *conns;
    ngx_queue_t          lists[NGX_CQRS_PG_STATES];    /* of conns */

    ngx_queue_t          waiting;                      /* of ops */
    ngx_queue_t          done;                         /* of ops */
    ngx_uint_t           nwaiting;

    ngx_uint_t           losses;           /* connections that broke */
    ngx_cqrs_backoff_t   backoff;
    ngx_event_t          retry;            /* set: no attempt before it */
    ngx_event_t          work;             /* posted: dispatch is due */
};


static ngx_cqrs_backend_t *ngx_cqrs_pg_create(ngx_conf_t *cf);
static ngx_int_t ngx_cqrs_pg_start(ngx_cqrs_backend_t *backend,
    ngx_cycle_t *cycle);
static void ngx_cqrs_pg_stop(ngx_cqrs_backend_t *backend);
static ngx_cqrs_pg_op_t *ngx_cqrs_pg_op_create(ngx_cqrs_pg_t *pg,
    const ngx_cqrs_pg_query_t *query);
static void ngx_cqrs_pg_op_destroy(ngx_cqrs_pg_op_t *op);
static void ngx_cqrs_pg_op_wait(ngx_cqrs_pg_op_t *op);
static void ngx_cqrs_pg_op_unwait(ngx_cqrs_pg_op_t *op);
static void ngx_cqrs_pg_op_run(ngx_cqrs_pg_op_t *op,
    ngx_cqrs_pg_conn_t *conn);
static void ngx_cqrs_pg_op_rerun(ngx_cqrs_pg_op_t *op);
static void ngx_cqrs_pg_op_finish(ngx_cqrs_pg_op_t *op,
    ngx_cqrs_pg_status_e status);
static void ngx_cqrs_pg_op_handler(ngx_event_t *ev);
static void ngx_cqrs_pg_op_call(ngx_cqrs_pg_op_t *op);
static void ngx_cqrs_pg_op_stop(ngx_cqrs_pg_op_t *op, const char *reason);
static void ngx_cqrs_pg_wake(ngx_cqrs_pg_t *pg);
static void ngx_cqrs_pg_dispatch(ngx_event_t *ev);
static ngx_cqrs_pg_conn_t *ngx_cqrs_pg_idle_conn(ngx_cqrs_pg_t *pg,
    ngx_cqrs_pg_op_t *op);
static ngx_uint_t ngx_cqrs_pg_connected(ngx_cqrs_pg_t *pg);
static void ngx_cqrs_pg_grow(ngx_cqrs_pg_t *pg);
static void ngx_cqrs_pg_retry(ngx_event_t *ev);
static void ngx_cqrs_pg_on_idle(ngx_cqrs_pg_conn_t *conn);
static void ngx_cqrs_pg_on_done(ngx_cqrs_pg_op_t *op);
static void ngx_cqrs_pg_on_lost(ngx_cqrs_pg_conn_t *conn,
    ngx_cqrs_pg_state_e was, ngx_str_t *reason);
static void ngx_cqrs_pg_take_ops(ngx_cqrs_pg_conn_t *conn);
static void ngx_cqrs_pg_pause(ngx_cqrs_pg_t *pg);


const ngx_cqrs_backend_type_t  ngx_cqrs_pg_backend = {
    "postgres",
    ngx_cqrs_pg_create,
    ngx_cqrs_pg_start,
    ngx_cqrs_pg_stop
};


static const ngx_cqrs_pg_conn_handlers_t  ngx_cqrs_pg_conn_handlers = {
    ngx_cqrs_pg_on_idle,
    ngx_cqrs_pg_on_done,
    ngx_cqrs_pg_on_lost
};


static ngx_cqrs_backend_t *
ngx_cqrs_pg_create(ngx_conf_t *cf)
{
    ngx_cqrs_pg_t  *pg;

    pg = ngx_pcalloc(cf->pool, sizeof(ngx_cqrs_pg_t));
    if (pg == NULL) {
        return NULL;
    }

    if (ngx_cqrs_pg_conf_read(cf, &pg->conf) != NGX_OK) {
        return NULL;
    }

    return &pg->backend;
}


static ngx_int_t
ngx_cqrs_pg_start(ngx_cqrs_backend_t *backend, ngx_cycle_t *cycle)
{
    ngx_uint_t           i;
    ngx_cqrs_pg_t       *pg;
    ngx_cqrs_pg_conn_t  *conn;

    pg = (ngx_cqrs_pg_t *) backend;

    pg->log = cycle->log;

    for (i = 0; i < NGX_CQRS_PG_STATES; i++) {
        ngx_queue_init(&pg->lists[i]);
    }

    ngx_queue_init(&pg->waiting);
    ngx_queue_init(&pg->done);

    pg->retry.handler = ngx_cqrs_pg_retry;
    pg->retry.data = pg;
    pg->retry.log = pg->log;
    pg->retry.cancelable = 1;

    pg->work.handler = ngx_cqrs_pg_dispatch;
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
        conn->handlers = &ngx_cqrs_pg_conn_handlers;
        conn->log = pg->log;

        ngx_cqrs_pg_conn_init(conn);
    }

    ngx_cqrs_pg_grow(pg);

    return NGX_OK;
}


static void
ngx_cqrs_pg_stop(ngx_cqrs_backend_t *backend)
{
    ngx_uint_t      i;
    ngx_queue_t    *q;
    ngx_cqrs_pg_t  *pg;

    pg = (ngx_cqrs_pg_t *) backend;

    if (pg->conns == NULL) {
        return;
    }

    for (i = 0; i < pg->conf.pool; i++) {
        ngx_cqrs_pg_conn_close(&pg->conns[i]);

        /* a fast shutdown: the requests will not be answered */

        while (!ngx_queue_empty(&pg->conns[i].ops)) {
            q = ngx_queue_head(&pg->conns[i].ops);
            ngx_queue_remove(q);
            ngx_cqrs_pg_op_destroy(ngx_queue_data(q, ngx_cqrs_pg_op_t,
                                                  queue));
        }
    }

    while (!ngx_queue_empty(&pg->waiting)) {
        q = ngx_queue_head(&pg->waiting);
        ngx_queue_remove(q);
        ngx_cqrs_pg_op_destroy(ngx_queue_data(q, ngx_cqrs_pg_op_t, queue));
    }

    while (!ngx_queue_empty(&pg->done)) {
        q = ngx_queue_head(&pg->done);
        ngx_queue_remove(q);
        ngx_cqrs_pg_op_destroy(ngx_queue_data(q, ngx_cqrs_pg_op_t, queue));
    }

    if (pg->retry.timer_set) {
        ngx_del_timer(&pg->retry);
    }

    if (pg->work.posted) {
        ngx_delete_posted_event(&pg->work);
    }
}


ngx_cqrs_pg_op_t *
ngx_cqrs_pg_query(ngx_cqrs_pg_t *pg, const ngx_cqrs_pg_query_t *query)
{
    ngx_cqrs_pg_op_t    *op;
    ngx_cqrs_pg_conn_t  *conn;

    op = ngx_cqrs_pg_op_create(pg, query);
    if (op == NULL) {
        return NULL;
    }

    if (pg->nwaiting == 0) {
        conn = ngx_cqrs_pg_idle_conn(pg, op);

        if (conn) {
            ngx_cqrs_pg_op_run(op, conn);
            return op;
        }
    }

    if (pg->nwaiting >= pg->conf.queue) {
        ngx_cqrs_pg_op_finish(op, NGX_CQRS_PG_OVERLOADED);
        return op;
    }

    ngx_cqrs_pg_op_wait(op);

    if (pg->retry.timer_set
        && (ngx_msec_int_t) (pg->retry.timer.key - ngx_current_msec)
           > NGX_CQRS_PG_DEMAND)
    {
        ngx_add_timer(&pg->retry, NGX_CQRS_PG_DEMAND);
    }

    ngx_cqrs_pg_grow(pg);

    return op;
}


void
ngx_cqrs_pg_take_result(ngx_cqrs_pg_op_t *op)
{
    op->result = NULL;
}


void
ngx_cqrs_pg_cancel(ngx_cqrs_pg_op_t *op)
{
    switch (op->state) {

    case NGX_CQRS_PG_OP_WAITING:
        ngx_cqrs_pg_op_unwait(op);
        ngx_cqrs_pg_op_destroy(op);
        return;

    case NGX_CQRS_PG_OP_RUNNING:
        op->state = NGX_CQRS_PG_OP_ABANDONED;

        ngx_del_timer(&op->event);
        op->event.cancelable = 1;
        ngx_add_timer(&op->event, NGX_CQRS_PG_CANCEL_GRACE);
        return;

    case NGX_CQRS_PG_OP_DONE:
        ngx_queue_remove(&op->queue);
        ngx_cqrs_pg_op_destroy(op);
        return;

    default: /* by its own handler, after which it is gone anyway */
        return;
    }
}


ngx_str_t *
ngx_cqrs_pg_label(ngx_cqrs_pg_t *pg)
{
    return &pg->conf.label;
}


static ngx_cqrs_pg_op_t *
ngx_cqrs_pg_op_create(ngx_cqrs_pg_t *pg, const ngx_cqrs_pg_query_t *query)
{
    char              *p;
    size_t             size, len;
    ngx_uint_t         i;
    ngx_cqrs_pg_op_t  *op;

    size = sizeof(ngx_cqrs_pg_op_t) + query->nparams * sizeof(char *)
           + query->sql.len + 1;

    for (i = 0; i < query->nparams; i++) {
        if (query->params[i]) {
            size += ngx_strlen(query->params[i]) + 1;
        }
    }

    op = ngx_alloc(size, pg->log);
    if (op == NULL) {
        return NULL;
    }

    ngx_memzero(op, sizeof(ngx_cqrs_pg_op_t));

    op->pg = pg;
    op->handler = query->handler;
    op->data = query->data;

    op->event.handler = ngx_cqrs_pg_op_handler;
    op->event.data = op;
    op->event.log = pg->log;

    op->nparams = query->nparams;
    op->params = (const char **) (op + 1);

    p = (char *) (op->params + query->nparams);

    op->sql.data = (u_char *) p;
    op->sql.len = query->sql.len;

    p = (char *) ngx_cpymem(p, query->sql.data, query->sql.len);
    *p++ = '\0';

    op->hash = ngx_murmur_hash2(op->sql.data, op->sql.len);

    for (i = 0; i < query->nparams; i++) {

        if (query->params[i] == NULL) {
            op->params[i] = NULL;
            continue;
        }

        len = ngx_strlen(query->params[i]) + 1;

        op->params[i] = p;
        p = (char *) ngx_cpymem(p, query->params[i], len);
    }

    return op;
}


/* It is in no queue any more. */

static void
ngx_cqrs_pg_op_destroy(ngx_cqrs_pg_op_t *op)
{
    if (op->event.timer_set) {
        ngx_del_timer(&op->event);
    }

    if (op->event.posted) {
        ngx_delete_posted_event(&op->event);
    }

    PQclear(op->result);

    ngx_free(op);
}


static void
ngx_cqrs_pg_op_wait(ngx_cqrs_pg_op_t *op)
{
    ngx_cqrs_pg_t  *pg;

    pg = op->pg;

    op->state = NGX_CQRS_PG_OP_WAITING;

    /* one that ran already has waited already */

    if (op->reruns) {
        ngx_queue_insert_head(&pg->waiting, &op->queue);

    } else {
        ngx_queue_insert_tail(&pg->waiting, &op->queue);
    }

    pg->nwaiting++;

    ngx_add_timer(&op->event, pg->conf.timeout);
}


static void
ngx_cqrs_pg_op_unwait(ngx_cqrs_pg_op_t *op)
{
    ngx_queue_remove(&op->queue);
    op->pg->nwaiting--;

    ngx_del_timer(&op->event);
}


static void
ngx_cqrs_pg_op_run(ngx_cqrs_pg_op_t *op, ngx_cqrs_pg_conn_t *conn)
{
    op->state = NGX_CQRS_PG_OP_RUNNING;

    ngx_add_timer(&op->event, op->pg->conf.query_timeout);

    ngx_cqrs_pg_conn_send(conn, op);
}


/* Its connection broke.  It is in no queue. */

static void
ngx_cqrs_pg_op_rerun(ngx_cqrs_pg_op_t *op)
{
    ngx_del_timer(&op->event);

    op->conn = NULL;

    PQclear(op->result);
    op->result = NULL;

    if (op->state == NGX_CQRS_PG_OP_ABANDONED) {
        ngx_cqrs_pg_op_destroy(op);
        return;
    }

    if (op->reruns == NGX_CQRS_PG_RERUNS) {
        ngx_cqrs_pg_op_finish(op, NGX_CQRS_PG_LOST);
        return;
    }

    op->reruns++;
    op->losses = op->pg->losses;

    ngx_cqrs_pg_op_wait(op);
}


/* It is in no queue and has no timer. */

static void
ngx_cqrs_pg_op_finish(ngx_cqrs_pg_op_t *op, ngx_cqrs_pg_status_e status)
{
    op->state = NGX_CQRS_PG_OP_DONE;
    op->status = status;

    ngx_queue_insert_tail(&op->pg->done, &op->queue);

    ngx_post_event(&op->event, &ngx_posted_events);
}


static void
ngx_cqrs_pg_op_handler(ngx_event_t *ev)
{
    ngx_cqrs_pg_t         *pg;
    ngx_cqrs_pg_op_t      *op;
    ngx_cqrs_pg_status_e   status;

    op = ev->data;
    pg = op->pg;

    ev->timedout = 0;

    switch (op->state) {

    case NGX_CQRS_PG_OP_WAITING:
        ngx_queue_remove(&op->queue);
        pg->nwaiting--;

        status = op->reruns || !ngx_cqrs_pg_connected(pg)
                     ? NGX_CQRS_PG_UNAVAILABLE
                     : NGX_CQRS_PG_OCCUPIED;

        ngx_cqrs_pg_op_finish(op, status);
        return;

    case NGX_CQRS_PG_OP_RUNNING:
        ngx_cqrs_pg_op_stop(op, "it ran too long");
        ngx_cqrs_pg_op_finish(op, NGX_CQRS_PG_TIMED_OUT);
        ngx_cqrs_pg_wake(pg);
        return;

    case NGX_CQRS_PG_OP_ABANDONED:
        ngx_cqrs_pg_op_stop(op, "client left");
        ngx_cqrs_pg_op_destroy(op);
        ngx_cqrs_pg_wake(pg);
        return;

    case NGX_CQRS_PG_OP_DONE:
        ngx_cqrs_pg_op_call(op);
        return;

    default: /* NGX_CQRS_PG_OP_CALLED */
        return;
    }
}


static void
ngx_cqrs_pg_op_call(ngx_cqrs_pg_op_t *op)
{
    PGresult  *result;

    ngx_queue_remove(&op->queue);

    op->state = NGX_CQRS_PG_OP_CALLED;

    result = (op->status == NGX_CQRS_PG_OK || op->status == NGX_CQRS_PG_FAILED)
                 ? op->result : NULL;

    op->handler(op->status, result, op->data);

    ngx_cqrs_pg_op_destroy(op);
}


/* Ends a running query by its connection; other queries there run again. */

static void
ngx_cqrs_pg_op_stop(ngx_cqrs_pg_op_t *op, const char *reason)
{
    ngx_cqrs_pg_t       *pg;
    ngx_cqrs_pg_conn_t  *conn;

    pg = op->pg;
    conn = op->conn;

    ngx_log_error(NGX_LOG_INFO, pg->log, 0,
                  "postgres \"%V\": query cancelled, %s", &pg->conf.label,
                  reason);

    ngx_queue_remove(&op->queue);
    op->conn = NULL;

    PQclear(op->result);
    op->result = NULL;

    ngx_cqrs_pg_conn_close(conn);
    ngx_cqrs_pg_take_ops(conn);
}


/*
 * Queries are given to connections in one place, from the event loop, so that
 * a connection that breaks while it is given one disturbs nobody.
 */

static void
ngx_cqrs_pg_wake(ngx_cqrs_pg_t *pg)
{
    ngx_post_event(&pg->work, &ngx_posted_events);
}


static void
ngx_cqrs_pg_dispatch(ngx_event_t *ev)
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

        conn = ngx_cqrs_pg_idle_conn(pg, op);

        if (conn) {
            ngx_cqrs_pg_op_unwait(op);
            ngx_cqrs_pg_op_run(op, conn);
        }
    }

    ngx_cqrs_pg_grow(pg);
}


static ngx_cqrs_pg_conn_t *
ngx_cqrs_pg_idle_conn(ngx_cqrs_pg_t *pg, ngx_cqrs_pg_op_t *op)
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


static ngx_uint_t
ngx_cqrs_pg_connected(ngx_cqrs_pg_t *pg)
{
    return !ngx_queue_empty(&pg->lists[NGX_CQRS_PG_IDLE])
           || !ngx_queue_empty(&pg->lists[NGX_CQRS_PG_BUSY]);
}


/* One connection on the way for each query that waits, and one in any case. */

static void
ngx_cqrs_pg_grow(ngx_cqrs_pg_t *pg)
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
                || ngx_cqrs_pg_connected(pg)))
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
ngx_cqrs_pg_retry(ngx_event_t *ev)
{
    ngx_cqrs_pg_grow(ev->data);
}


static void
ngx_cqrs_pg_on_idle(ngx_cqrs_pg_conn_t *conn)
{
    ngx_cqrs_pg_t  *pg;

    pg = conn->pg;

    if (pg->nwaiting) {
        ngx_cqrs_pg_wake(pg);

    } else if (ngx_exiting) {
        ngx_cqrs_pg_conn_close(conn);
    }
}


static void
ngx_cqrs_pg_on_done(ngx_cqrs_pg_op_t *op)
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
ngx_cqrs_pg_on_lost(ngx_cqrs_pg_conn_t *conn, ngx_cqrs_pg_state_e was,
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

        ngx_cqrs_pg_pause(pg);

    } else {
        pg->losses++;

        ngx_log_error(NGX_LOG_ERR, pg->log, 0,
                      "postgres \"%V\": connection lost while %s: \"%V\"",
                      &pg->conf.label,
                      was == NGX_CQRS_PG_BUSY ? "a query ran" : "idle",
                      reason);

        /* a new one at once, unless new ones break too */

        if (failures) {
            ngx_cqrs_pg_pause(pg);

        } else {
            pg->backoff.failures = 1;
        }
    }

    ngx_cqrs_pg_take_ops(conn);

    ngx_cqrs_pg_wake(pg);
}


/* What ran on a connection that is gone, the first one foremost. */

static void
ngx_cqrs_pg_take_ops(ngx_cqrs_pg_conn_t *conn)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&conn->ops)) {
        q = ngx_queue_last(&conn->ops);
        ngx_queue_remove(q);
        ngx_cqrs_pg_op_rerun(ngx_queue_data(q, ngx_cqrs_pg_op_t, queue));
    }
}


/* No attempt to connect for a while. */

static void
ngx_cqrs_pg_pause(ngx_cqrs_pg_t *pg)
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
