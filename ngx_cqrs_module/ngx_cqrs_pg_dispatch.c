
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Which query runs where.
 *
 * A query takes a free connection; if there is none, it is sent behind others
 * on the busy one that has the fewest, for a quick query waits there for less
 * than a new connection takes.  That it does not wait for long is kept so:
 *
 * - Nothing is sent behind a query that has run for long, or whose SQL is
 *   known to.  Such SQL runs alone: it gets a free connection, and where there
 *   is none, one takes no more queries until it is free.  While quick ones
 *   come too, one connection is never given to it.
 *
 * - What is behind a query that turns out to run long, is run again elsewhere
 *   as soon as there is a connection where it may be; it has not begun, and
 *   what it is answered in its first place is dropped.  A text that runs long
 *   is known after that, so this happens to a query hardly twice.
 *
 * - Both kinds wait in the order in which they came, and the one that came
 *   first is placed first.  So a slow one waits for no quick one that came
 *   after it.
 *
 * All of it is done in one place, from the event loop, so that a connection
 * that breaks while it is given a query disturbs nobody.
 */

#include "ngx_cqrs_pg_pool.h"


#define NGX_CQRS_PG_TICK   10              /* ms between looks at what runs */
#define NGX_CQRS_PG_GRACE  250             /* ms for what nobody waits for */
#define NGX_CQRS_PG_MIXED  1000            /* ms: a quick one came lately */


static void ngx_cqrs_pg_dispatch_move(ngx_cqrs_pg_t *pg);
static ngx_int_t ngx_cqrs_pg_dispatch_move_from(ngx_cqrs_pg_conn_t *conn);
static void ngx_cqrs_pg_dispatch_place(ngx_cqrs_pg_t *pg);
static ngx_cqrs_pg_op_t *ngx_cqrs_pg_dispatch_op(ngx_queue_t *list,
    ngx_queue_t *q);
static void ngx_cqrs_pg_dispatch_reserve(ngx_cqrs_pg_t *pg,
    ngx_cqrs_pg_op_t *op);
static void ngx_cqrs_pg_dispatch_refuse(ngx_cqrs_pg_t *pg);
static ngx_cqrs_pg_conn_t *ngx_cqrs_pg_dispatch_conn(ngx_cqrs_pg_t *pg,
    ngx_cqrs_pg_op_t *op);
static ngx_cqrs_pg_conn_t *ngx_cqrs_pg_dispatch_behind(ngx_cqrs_pg_t *pg,
    ngx_cqrs_pg_op_t *op);
static ngx_uint_t ngx_cqrs_pg_dispatch_full(ngx_cqrs_pg_t *pg);
static ngx_uint_t ngx_cqrs_pg_dispatch_held(ngx_cqrs_pg_conn_t *conn);


void
ngx_cqrs_pg_dispatch(ngx_event_t *ev)
{
    ngx_cqrs_pg_t  *pg = ev->data;

    ngx_cqrs_pg_dispatch_move(pg);
    ngx_cqrs_pg_dispatch_place(pg);
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

        if (!run->paused) {
            ngx_cqrs_pg_pace_runs(&pg->pace, run->hash, age);
        }

        if (run->op == NULL && age >= NGX_CQRS_PG_GRACE
            && ngx_current_msec - run->left >= NGX_CQRS_PG_GRACE)
        {
            ngx_cqrs_pg_pool_close(conn, run->why);
        }
    }

    ngx_cqrs_pg_dispatch(&pg->work);
}


void
ngx_cqrs_pg_dispatch_ended(ngx_cqrs_pg_run_t *run)
{
    ngx_cqrs_pg_t       *pg;
    ngx_cqrs_pg_conn_t  *conn;

    conn = run->conn;
    pg = conn->pg;

    pg->nruns--;

    if (!run->paused) {
        ngx_cqrs_pg_pace_done(&pg->pace, run->hash,
                              ngx_current_msec - conn->since);
    }
}


/* What runs behind others that run long, the oldest first. */

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

        if (conn->nruns > 1
            && ngx_cqrs_pg_dispatch_held(conn)
            && ngx_cqrs_pg_dispatch_move_from(conn) != NGX_OK)
        {
            return;
        }
    }
}


/* It may break another connection, but not this one. */

static ngx_int_t
ngx_cqrs_pg_dispatch_move_from(ngx_cqrs_pg_conn_t *conn)
{
    ngx_queue_t         *q;
    ngx_cqrs_pg_t       *pg;
    ngx_cqrs_pg_op_t    *op;
    ngx_cqrs_pg_run_t   *run;
    ngx_cqrs_pg_conn_t  *other;

    pg = conn->pg;

    for (q = ngx_queue_next(ngx_queue_head(&conn->runs));
         q != ngx_queue_sentinel(&conn->runs);
         q = ngx_queue_next(q))
    {
        run = ngx_queue_data(q, ngx_cqrs_pg_run_t, queue);
        op = run->op;

        if (op == NULL) {
            continue;
        }

        op->slow = ngx_cqrs_pg_pace_slow(&pg->pace, run->hash);

        other = ngx_cqrs_pg_dispatch_conn(pg, op);

        if (other == NULL) {
            if (op->slow || op->losses) {
                continue;                  /* the next one is less choosy */
            }

            return NGX_DECLINED;
        }

        ngx_cqrs_pg_run_leave(run, "it runs on another connection");
        ngx_cqrs_pg_op_run(op, other);
    }

    return NGX_OK;
}


static void
ngx_cqrs_pg_dispatch_place(ngx_cqrs_pg_t *pg)
{
    ngx_queue_t         *quick, *slow;
    ngx_cqrs_pg_op_t    *op, *other;
    ngx_cqrs_pg_conn_t  *conn;

    pg->reserved = NULL;

    quick = ngx_queue_head(&pg->waiting);
    slow = ngx_queue_head(&pg->slow);

    for ( ;; ) {
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

        conn = ngx_cqrs_pg_dispatch_conn(pg, op);

        if (conn) {
            ngx_cqrs_pg_op_unwait(op);
            ngx_cqrs_pg_op_run(op, conn);
            continue;
        }

        if (op->losses) {
            continue;                      /* the next one is less choosy */
        }

        if (op->slow) {
            ngx_cqrs_pg_dispatch_reserve(pg, op);
            slow = ngx_queue_sentinel(&pg->slow);

        } else {
            quick = ngx_queue_sentinel(&pg->waiting);
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


/*
 * A slow one has no connection.  The one that will be free first is kept for
 * it, if there are as many as may be and no quick one has waited for longer.
 */

static void
ngx_cqrs_pg_dispatch_reserve(ngx_cqrs_pg_t *pg, ngx_cqrs_pg_op_t *op)
{
    ngx_queue_t         *q, *list;
    ngx_cqrs_pg_op_t    *first;
    ngx_cqrs_pg_conn_t  *conn, *best;

    first = ngx_cqrs_pg_dispatch_op(&pg->waiting,
                                    ngx_queue_head(&pg->waiting));

    if ((first && first->number < op->number)
        || ngx_cqrs_pg_dispatch_full(pg)
        || !ngx_queue_empty(&pg->lists[NGX_CQRS_PG_CONNECTING])
        || (!ngx_queue_empty(&pg->lists[NGX_CQRS_PG_DOWN])
            && !pg->retry.timer_set))
    {
        return;
    }

    list = &pg->lists[NGX_CQRS_PG_BUSY];
    best = NULL;

    for (q = ngx_queue_head(list);
         q != ngx_queue_sentinel(list);
         q = ngx_queue_next(q))
    {
        conn = ngx_queue_data(q, ngx_cqrs_pg_conn_t, queue);

        if (!ngx_cqrs_pg_dispatch_held(conn)
            && (best == NULL || conn->nruns < best->nruns))
        {
            best = conn;
        }
    }

    pg->reserved = best;
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


/* NULL: there is none that this query may run on. */

static ngx_cqrs_pg_conn_t *
ngx_cqrs_pg_dispatch_conn(ngx_cqrs_pg_t *pg, ngx_cqrs_pg_op_t *op)
{
    ngx_queue_t         *q, *list;
    ngx_cqrs_pg_conn_t  *conn;

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

    return op->slow ? NULL : ngx_cqrs_pg_dispatch_behind(pg, op);
}


static ngx_cqrs_pg_conn_t *
ngx_cqrs_pg_dispatch_behind(ngx_cqrs_pg_t *pg, ngx_cqrs_pg_op_t *op)
{
    ngx_queue_t         *q, *list;
    ngx_cqrs_pg_conn_t  *conn, *best;

    list = &pg->lists[NGX_CQRS_PG_BUSY];
    best = NULL;

    for (q = ngx_queue_head(list);
         q != ngx_queue_sentinel(list);
         q = ngx_queue_next(q))
    {
        conn = ngx_queue_data(q, ngx_cqrs_pg_conn_t, queue);

        if (conn->nruns < pg->conf.pipeline
            && (best == NULL || conn->nruns < best->nruns)
            && conn->losses >= op->losses
            && conn != pg->reserved
            && !ngx_cqrs_pg_dispatch_held(conn))
        {
            best = conn;
        }
    }

    return best;
}


/* Do slow ones have as many connections as they may? */

static ngx_uint_t
ngx_cqrs_pg_dispatch_full(ngx_cqrs_pg_t *pg)
{
    ngx_uint_t    held;
    ngx_queue_t  *q, *list;

    if (pg->conf.pool == 1
        || pg->quick == 0
        || ngx_current_msec - pg->quick > NGX_CQRS_PG_MIXED)
    {
        return 0;
    }

    list = &pg->lists[NGX_CQRS_PG_BUSY];
    held = 0;

    for (q = ngx_queue_head(list);
         q != ngx_queue_sentinel(list);
         q = ngx_queue_next(q))
    {
        held += ngx_cqrs_pg_dispatch_held(
                             ngx_queue_data(q, ngx_cqrs_pg_conn_t, queue));
    }

    return held >= pg->conf.pool - 1;
}


/* Would somebody behind what runs there wait for long? */

static ngx_uint_t
ngx_cqrs_pg_dispatch_held(ngx_cqrs_pg_conn_t *conn)
{
    ngx_cqrs_pg_run_t  *run;

    run = ngx_cqrs_pg_conn_first(conn);

    return run
           && (run->slow
               || conn->paused
               || ngx_current_msec - conn->since >= NGX_CQRS_PG_SLOW);
}
