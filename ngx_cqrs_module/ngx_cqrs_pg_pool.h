
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * A pool, its connections and its queries, as the files of this adapter see
 * them; everybody else includes ngx_cqrs_pg.h.
 */

#ifndef NGX_CQRS_PG_POOL_H
#define NGX_CQRS_PG_POOL_H


#include "ngx_cqrs_backoff.h"
#include "ngx_cqrs_pg_pace.h"
#include "ngx_cqrs_pg_run.h"


struct ngx_cqrs_pg_s {
    ngx_cqrs_backend_t   backend;
    ngx_cqrs_pg_conf_t   conf;
    ngx_log_t           *log;

    ngx_cqrs_pg_conn_t  *conns;
    ngx_queue_t          lists[NGX_CQRS_PG_STATES];    /* of conns */

    ngx_queue_t          waiting;          /* of ops, as they came */
    ngx_queue_t          slow;             /* the same, of slow SQL */
    ngx_queue_t          done;             /* of ops */
    ngx_uint_t           nwaiting;         /* in both */
    ngx_uint_t           nruns;            /* of all connections */

    ngx_uint_t           last;             /* number of an op */
    ngx_uint_t           admitted;         /* up to this one they may wait */
    ngx_msec_t           quick;            /* when a quick one came last */
    ngx_cqrs_pg_pace_t   pace;

    ngx_uint_t           losses;           /* connections that broke */
    ngx_cqrs_backoff_t   backoff;
    ngx_event_t          retry;            /* set: no attempt before it */
    ngx_event_t          work;             /* posted: dispatch is due */
    ngx_event_t          tick;             /* set while something runs */

    ngx_queue_t          listeners;        /* see ngx_cqrs_pg_listen.h */
};


ngx_int_t ngx_cqrs_pg_pool_start(ngx_cqrs_pg_t *pg, ngx_cycle_t *cycle);
void ngx_cqrs_pg_pool_stop(ngx_cqrs_pg_t *pg);

/* A connection may be free, or gone: look at the queues soon. */
void ngx_cqrs_pg_pool_wake(ngx_cqrs_pg_t *pg);

/* Opens connections for those that wait or run with others. */
void ngx_cqrs_pg_pool_grow(ngx_cqrs_pg_t *pg);

/* Is there any connection? */
ngx_uint_t ngx_cqrs_pg_pool_connected(ngx_cqrs_pg_t *pg);

/* Ends what runs there by its connection; what is waited for runs again. */
void ngx_cqrs_pg_pool_close(ngx_cqrs_pg_conn_t *conn, const char *why);


/* Handlers of pg->work and pg->tick. */
void ngx_cqrs_pg_dispatch(ngx_event_t *ev);
void ngx_cqrs_pg_dispatch_tick(ngx_event_t *ev);

/* It is done, or gone with its connection. */
void ngx_cqrs_pg_dispatch_ended(ngx_cqrs_pg_run_t *run);


/* The steps of a query; before each but the second it is in no queue. */
void ngx_cqrs_pg_op_wait(ngx_cqrs_pg_op_t *op);
void ngx_cqrs_pg_op_unwait(ngx_cqrs_pg_op_t *op);
void ngx_cqrs_pg_op_run(ngx_cqrs_pg_op_t *op, ngx_cqrs_pg_conn_t *conn,
    ngx_uint_t grouped);
void ngx_cqrs_pg_op_restart(ngx_cqrs_pg_op_t *op);
void ngx_cqrs_pg_op_rerun(ngx_cqrs_pg_op_t *op);
void ngx_cqrs_pg_op_lost(ngx_cqrs_pg_op_t *op);
void ngx_cqrs_pg_op_repair(ngx_cqrs_pg_op_t *op);
void ngx_cqrs_pg_op_finish(ngx_cqrs_pg_op_t *op, ngx_cqrs_pg_status_e status);
void ngx_cqrs_pg_op_destroy(ngx_cqrs_pg_op_t *op);


#endif /* NGX_CQRS_PG_POOL_H */
