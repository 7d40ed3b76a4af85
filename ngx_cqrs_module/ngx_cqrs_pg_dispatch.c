
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Which query runs where.
 *
 * A query takes a free connection.  Those that come while all are busy wait,
 * and one that is free is given all of them, as many as it may have at once.
 * Those that are known to be quick are a group, that is sent and answered
 * together: it costs nginx and the server half of what they cost one by one.
 * Behind it come those whose text has not run yet, or did not run quickly.
 *
 * What they promise one another is not to take long.  So a text that is known
 * to be slow has a connection to itself, and while quick ones come too, one
 * connection is never given to such.  What is behind one that turns out to
 * take long is run again, by itself, as soon as a connection is free; so are
 * all of a group, since it is not known which one it was.  What they are
 * answered in their first place is dropped.
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
static ngx_cqrs_pg_conn_t *ngx_cqrs_pg_dispatch_for(ngx_cqrs_pg_op_t *op,
    ngx_uint_t us);
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

        if (!run->paused && !run->block) {
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


/* A group has its answers together: each has its part of the time. */

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

    us = ngx_cqrs_pg_pace_now() - conn->began;

    if (run->block) {
        us /= conn->group;
    }

    if (run->failed && us < NGX_CQRS_PG_SLOW * 1000) {
        ngx_cqrs_pg_pace_failed(&pg->pace, run->hash);

    } else {
        ngx_cqrs_pg_pace_done(&pg->pace, run->hash, us);
    }
}


/* What was sent to one connection, and it takes long. */

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


static ngx_int_t
ngx_cqrs_pg_dispatch_move_from(ngx_cqrs_pg_conn_t *conn)
{
    ngx_queue_t         *q;
    ngx_cqrs_pg_op_t    *op;
    ngx_cqrs_pg_run_t   *run, *first;
    ngx_cqrs_pg_conn_t  *other;

    first = ngx_cqrs_pg_conn_first(conn);

    for (q = ngx_queue_head(&conn->runs);
         q != ngx_queue_sentinel(&conn->runs);
         q = ngx_queue_next(q))
    {
        run = ngx_queue_data(q, ngx_cqrs_pg_run_t, queue);
        op = run->op;

        /* one that answers is where it should be */

        if (op == NULL || (run == first && (op->rows || !run->block))) {
            continue;
        }

        op->slow = ngx_cqrs_pg_pace_slow(&conn->pg->pace, run->hash);

        other = ngx_cqrs_pg_dispatch_for(op, 0);

        if (other == NULL) {
            if (op->slow || op->losses) {
                continue;                  /* the next one is less choosy */
            }

            return NGX_DECLINED;
        }

        ngx_cqrs_pg_run_leave(run, "it runs on another connection");
        ngx_cqrs_pg_op_restart(op);
        ngx_cqrs_pg_op_run(op, other, 0);
    }

    return NGX_OK;
}


static void
ngx_cqrs_pg_dispatch_place(ngx_cqrs_pg_t *pg)
{
    ngx_uint_t           us;
    ngx_queue_t         *quick, *slow;
    ngx_cqrs_pg_op_t    *op, *other;
    ngx_cqrs_pg_conn_t  *conn;

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

        us = op->alone ? 0 : ngx_cqrs_pg_pace_quick(&pg->pace, op->hash);
        conn = ngx_cqrs_pg_dispatch_for(op, us);

        if (conn) {
            ngx_cqrs_pg_op_unwait(op);
            ngx_cqrs_pg_op_run(op, conn, us != 0);

            conn->filled += us;

        } else if (op->losses) {
            continue;                      /* the next one is less choosy */

        } else if (op->slow) {
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


/*
 * A free one; or, unless it is slow, the one with the fewest of those that are
 * given some just now.  As one of a group it adds us to what that may take.
 * NULL: there is none that this query may run on.
 */

static ngx_cqrs_pg_conn_t *
ngx_cqrs_pg_dispatch_for(ngx_cqrs_pg_op_t *op, ngx_uint_t us)
{
    ngx_queue_t         *q, *list;
    ngx_cqrs_pg_t       *pg;
    ngx_cqrs_pg_conn_t  *conn, *best;

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

    if (op->slow) {
        return NULL;
    }

    list = &pg->lists[NGX_CQRS_PG_FILLING];
    best = NULL;

    for (q = ngx_queue_head(list);
         q != ngx_queue_sentinel(list);
         q = ngx_queue_next(q))
    {
        conn = ngx_queue_data(q, ngx_cqrs_pg_conn_t, queue);

        if (conn->nruns < pg->conf.pipeline
            && (best == NULL || conn->nruns < best->nruns)
            && conn->filled + us <= NGX_CQRS_PG_GROUP
            && conn->losses >= op->losses
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
