
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Which query runs where.
 *
 * A query takes a free connection.  Those that come while all are busy wait,
 * and when one is free it is given all of them that are known to be quick, as
 * many as it may have at once: to send and answer them together costs nginx
 * and the server half of what it costs one by one.
 *
 * What they promise one another is not to take long.  So a text that has not
 * run yet, or did not run quickly, runs alone; while quick ones come too, one
 * connection is never given to those that are known to be slow.  If a group
 * takes long all the same, each that has not begun to answer is run again,
 * alone, as soon as a connection is free, and what it is answered in its first
 * place is dropped.
 *
 * Queries are placed in the order in which they came.  All of it is done in
 * one place, from the event loop, so that a connection that breaks while it is
 * given queries disturbs nobody.
 */

#include "ngx_cqrs_pg_pool.h"


#define NGX_CQRS_PG_TICK   10              /* ms between looks at what runs */
#define NGX_CQRS_PG_GRACE  250             /* ms for what nobody waits for */
#define NGX_CQRS_PG_MIXED  1000            /* ms: a quick one came lately */
#define NGX_CQRS_PG_GROUP  (2 * NGX_CQRS_PG_QUICK)   /* us for all of it */


static void ngx_cqrs_pg_dispatch_move(ngx_cqrs_pg_t *pg);
static ngx_int_t ngx_cqrs_pg_dispatch_move_from(ngx_cqrs_pg_conn_t *conn);
static void ngx_cqrs_pg_dispatch_place(ngx_cqrs_pg_t *pg);
static ngx_cqrs_pg_op_t *ngx_cqrs_pg_dispatch_op(ngx_queue_t *list,
    ngx_queue_t *q);
static void ngx_cqrs_pg_dispatch_send(ngx_cqrs_pg_t *pg);
static void ngx_cqrs_pg_dispatch_refuse(ngx_cqrs_pg_t *pg);
static ngx_int_t ngx_cqrs_pg_dispatch_run(ngx_cqrs_pg_op_t *op);
static ngx_cqrs_pg_conn_t *ngx_cqrs_pg_dispatch_free(ngx_cqrs_pg_op_t *op);
static ngx_cqrs_pg_conn_t *ngx_cqrs_pg_dispatch_filling(ngx_cqrs_pg_op_t *op,
    ngx_uint_t us);
static ngx_uint_t ngx_cqrs_pg_dispatch_quick(ngx_cqrs_pg_op_t *op);
static ngx_uint_t ngx_cqrs_pg_dispatch_room(ngx_cqrs_pg_t *pg);
static ngx_uint_t ngx_cqrs_pg_dispatch_full(ngx_cqrs_pg_t *pg);
static ngx_uint_t ngx_cqrs_pg_dispatch_held(ngx_cqrs_pg_conn_t *conn);


void
ngx_cqrs_pg_dispatch(ngx_event_t *ev)
{
    ngx_cqrs_pg_t  *pg = ev->data;

    ngx_cqrs_pg_dispatch_move(pg);
    ngx_cqrs_pg_dispatch_place(pg);
    ngx_cqrs_pg_dispatch_send(pg);
    ngx_cqrs_pg_dispatch_refuse(pg);

    ngx_cqrs_pg_pool_grow(pg);

    if (pg->nruns && !pg->tick.timer_set) {
        ngx_add_timer(&pg->tick, NGX_CQRS_PG_TICK);
    }
}


void
ngx_cqrs_pg_dispatch_tick(ngx_event_t *ev)
{
    ngx_msec_t           age;
    ngx_queue_t         *q, *next, *list;
    ngx_cqrs_pg_t       *pg;
    ngx_cqrs_pg_run_t   *run;
    ngx_cqrs_pg_conn_t  *conn;

    pg = ev->data;
    list = &pg->lists[NGX_CQRS_PG_BUSY];

    for (q = ngx_queue_head(list); q != ngx_queue_sentinel(list); q = next) {
        next = ngx_queue_next(q);

        conn = ngx_queue_data(q, ngx_cqrs_pg_conn_t, queue);
        run = ngx_cqrs_pg_conn_first(conn);

        if (run == NULL) {
            continue;
        }

        age = ngx_current_msec - conn->since;

        if (!run->paused && conn->together == 1) {
            ngx_cqrs_pg_pace_runs(&pg->pace, run->hash, age * 1000);
        }

        if (run->op == NULL && age >= NGX_CQRS_PG_GRACE
            && ngx_current_msec - run->left >= NGX_CQRS_PG_GRACE)
        {
            ngx_cqrs_pg_pool_close(conn, run->why);
        }
    }

    ngx_cqrs_pg_dispatch(&pg->work);
}


/* Those that ran together have their answers together: each has its part. */

void
ngx_cqrs_pg_dispatch_ended(ngx_cqrs_pg_run_t *run)
{
    uint64_t             us;
    ngx_cqrs_pg_t       *pg;
    ngx_cqrs_pg_conn_t  *conn;

    conn = run->conn;
    pg = conn->pg;

    pg->nruns--;

    if (run->paused || run->skipped) {
        return;
    }

    us = (ngx_cqrs_pg_pace_now() - conn->sent) / conn->together;

    if (run->failed && us < NGX_CQRS_PG_SLOW * 1000) {
        ngx_cqrs_pg_pace_failed(&pg->pace, run->hash);

    } else {
        ngx_cqrs_pg_pace_done(&pg->pace, run->hash, us);
    }
}


/* Those that were sent together, and it takes long. */

static void
ngx_cqrs_pg_dispatch_move(ngx_cqrs_pg_t *pg)
{
    ngx_queue_t         *q, *list;
    ngx_cqrs_pg_conn_t  *conn;

    list = &pg->lists[NGX_CQRS_PG_BUSY];

    for (q = ngx_queue_head(list);
         q != ngx_queue_sentinel(list);
         q = ngx_queue_next(q))
    {
        conn = ngx_queue_data(q, ngx_cqrs_pg_conn_t, queue);

        if (conn->together > 1
            && ngx_cqrs_pg_dispatch_held(conn)
            && ngx_cqrs_pg_dispatch_move_from(conn) != NGX_OK)
        {
            return;
        }
    }
}


static ngx_int_t
ngx_cqrs_pg_dispatch_move_from(ngx_cqrs_pg_conn_t *conn)
{
    ngx_queue_t         *q;
    ngx_cqrs_pg_op_t    *op;
    ngx_cqrs_pg_run_t   *run;
    ngx_cqrs_pg_conn_t  *other;

    for (q = ngx_queue_head(&conn->runs);
         q != ngx_queue_sentinel(&conn->runs);
         q = ngx_queue_next(q))
    {
        run = ngx_queue_data(q, ngx_cqrs_pg_run_t, queue);
        op = run->op;

        if (op == NULL || op->rows) {
            continue;
        }

        other = ngx_cqrs_pg_dispatch_free(op);

        if (other == NULL) {
            if (op->losses) {
                continue;                  /* the next one is less choosy */
            }

            return NGX_DECLINED;
        }

        ngx_cqrs_pg_run_leave(run, "it runs on another connection");
        ngx_cqrs_pg_op_restart(op);
        ngx_cqrs_pg_op_run(op, other);

        other->filled = NGX_CQRS_PG_GROUP;
    }

    return NGX_OK;
}


static void
ngx_cqrs_pg_dispatch_place(ngx_cqrs_pg_t *pg)
{
    ngx_queue_t       *quick, *slow;
    ngx_cqrs_pg_op_t  *op, *other;

    quick = ngx_queue_head(&pg->waiting);
    slow = ngx_queue_head(&pg->slow);

    while (ngx_cqrs_pg_dispatch_room(pg)) {

        op = ngx_cqrs_pg_dispatch_op(&pg->waiting, quick);
        other = ngx_cqrs_pg_dispatch_op(&pg->slow, slow);

        if (op == NULL || (other && other->number < op->number)) {
            op = other;
        }

        if (op == NULL) {
            return;
        }

        if (op->slow) {
            slow = ngx_queue_next(slow);

        } else {
            quick = ngx_queue_next(quick);
        }

        /* the next one may be less choosy, unless it is slow too */

        if (ngx_cqrs_pg_dispatch_run(op) != NGX_OK
            && op->slow && op->losses == 0)
        {
            slow = ngx_queue_sentinel(&pg->slow);
        }
    }
}


static ngx_cqrs_pg_op_t *
ngx_cqrs_pg_dispatch_op(ngx_queue_t *list, ngx_queue_t *q)
{
    return (q == ngx_queue_sentinel(list))
           ? NULL
           : ngx_queue_data(q, ngx_cqrs_pg_op_t, queue);
}


static void
ngx_cqrs_pg_dispatch_send(ngx_cqrs_pg_t *pg)
{
    ngx_queue_t  *q, *list;

    list = &pg->lists[NGX_CQRS_PG_FILLING];

    while (!ngx_queue_empty(list)) {
        q = ngx_queue_head(list);

        ngx_cqrs_pg_conn_send(ngx_queue_data(q, ngx_cqrs_pg_conn_t, queue));
    }
}


/* Those who came last, if more wait than may; who waits already may go on. */

static void
ngx_cqrs_pg_dispatch_refuse(ngx_cqrs_pg_t *pg)
{
    ngx_cqrs_pg_op_t  *op, *other;

    while (pg->nwaiting > pg->conf.queue) {

        op = ngx_cqrs_pg_dispatch_op(&pg->waiting,
                                     ngx_queue_last(&pg->waiting));
        other = ngx_cqrs_pg_dispatch_op(&pg->slow, ngx_queue_last(&pg->slow));

        if (op == NULL || (other && other->number > op->number)) {
            op = other;
        }

        if (op->number <= pg->admitted) {
            break;
        }

        ngx_cqrs_pg_op_unwait(op);
        ngx_cqrs_pg_op_finish(op, NGX_CQRS_PG_OVERLOADED);
    }

    pg->admitted = pg->last;
}


static ngx_int_t
ngx_cqrs_pg_dispatch_run(ngx_cqrs_pg_op_t *op)
{
    ngx_uint_t           us;
    ngx_cqrs_pg_conn_t  *conn;

    us = ngx_cqrs_pg_dispatch_quick(op);
    conn = ngx_cqrs_pg_dispatch_free(op);

    if (conn == NULL && us) {
        conn = ngx_cqrs_pg_dispatch_filling(op, us);
    }

    if (conn == NULL) {
        return NGX_DECLINED;
    }

    ngx_cqrs_pg_op_unwait(op);
    ngx_cqrs_pg_op_run(op, conn);

    conn->filled += us ? us : NGX_CQRS_PG_GROUP;

    return NGX_OK;
}


/* NULL: there is none that this query may have for itself. */

static ngx_cqrs_pg_conn_t *
ngx_cqrs_pg_dispatch_free(ngx_cqrs_pg_op_t *op)
{
    ngx_queue_t         *q, *list;
    ngx_cqrs_pg_t       *pg;
    ngx_cqrs_pg_conn_t  *conn;

    pg = op->pg;

    if (op->slow && ngx_cqrs_pg_dispatch_full(pg)) {
        return NULL;
    }

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


/* The one that has the fewest, of those where it may be one of several. */

static ngx_cqrs_pg_conn_t *
ngx_cqrs_pg_dispatch_filling(ngx_cqrs_pg_op_t *op, ngx_uint_t us)
{
    ngx_queue_t         *q, *list;
    ngx_cqrs_pg_conn_t  *conn, *best;

    list = &op->pg->lists[NGX_CQRS_PG_FILLING];
    best = NULL;

    for (q = ngx_queue_head(list);
         q != ngx_queue_sentinel(list);
         q = ngx_queue_next(q))
    {
        conn = ngx_queue_data(q, ngx_cqrs_pg_conn_t, queue);

        if (conn->nruns < op->pg->conf.pipeline
            && conn->filled + us <= NGX_CQRS_PG_GROUP
            && conn->losses >= op->losses
            && (best == NULL || conn->nruns < best->nruns))
        {
            best = conn;
        }
    }

    return best;
}


/* us that it may add to what others take; 0: it is to run alone. */

static ngx_uint_t
ngx_cqrs_pg_dispatch_quick(ngx_cqrs_pg_op_t *op)
{
    return op->alone ? 0 : ngx_cqrs_pg_pace_quick(&op->pg->pace, op->hash);
}


/* Could a connection be given one more? */

static ngx_uint_t
ngx_cqrs_pg_dispatch_room(ngx_cqrs_pg_t *pg)
{
    ngx_queue_t         *q, *list;
    ngx_cqrs_pg_conn_t  *conn;

    if (!ngx_queue_empty(&pg->lists[NGX_CQRS_PG_IDLE])) {
        return 1;
    }

    list = &pg->lists[NGX_CQRS_PG_FILLING];

    for (q = ngx_queue_head(list);
         q != ngx_queue_sentinel(list);
         q = ngx_queue_next(q))
    {
        conn = ngx_queue_data(q, ngx_cqrs_pg_conn_t, queue);

        if (conn->nruns < pg->conf.pipeline
            && conn->filled < NGX_CQRS_PG_GROUP)
        {
            return 1;
        }
    }

    return 0;
}


/* Do slow ones have as many connections as they may? */

static ngx_uint_t
ngx_cqrs_pg_dispatch_full(ngx_cqrs_pg_t *pg)
{
    ngx_uint_t  i, held;

    if (pg->conf.pool == 1
        || pg->quick == 0
        || ngx_current_msec - pg->quick > NGX_CQRS_PG_MIXED)
    {
        return 0;
    }

    held = 0;

    for (i = 0; i < pg->conf.pool; i++) {
        held += ngx_cqrs_pg_dispatch_held(&pg->conns[i]);
    }

    return held >= pg->conf.pool - 1;
}


/* Would somebody who needs it wait for long? */

static ngx_uint_t
ngx_cqrs_pg_dispatch_held(ngx_cqrs_pg_conn_t *conn)
{
    ngx_cqrs_pg_run_t  *run;

    run = ngx_cqrs_pg_conn_first(conn);

    if (run == NULL || conn->state != NGX_CQRS_PG_BUSY) {
        return run && run->slow;
    }

    return run->slow
           || conn->paused
           || ngx_current_msec - conn->since >= NGX_CQRS_PG_SLOW;
}
