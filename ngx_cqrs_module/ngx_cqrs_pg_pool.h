
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
#include "ngx_cqrs_pg_conn.h"


struct ngx_cqrs_pg_s {
    ngx_cqrs_backend_t   backend;
    ngx_cqrs_pg_conf_t   conf;
    ngx_log_t           *log;

    ngx_cqrs_pg_conn_t  *conns;
    ngx_queue_t          lists[NGX_CQRS_PG_STATES];    /* of conns */

    ngx_queue_t          waiting;          /* of ops */
    ngx_queue_t          done;             /* of ops */
    ngx_uint_t           nwaiting;

    ngx_uint_t           losses;           /* connections that broke */
    ngx_cqrs_backoff_t   backoff;
    ngx_event_t          retry;            /* set: no attempt before it */
    ngx_event_t          work;             /* posted: dispatch is due */

    ngx_queue_t          listeners;        /* see ngx_cqrs_pg_listen.h */
};


ngx_int_t ngx_cqrs_pg_pool_start(ngx_cqrs_pg_t *pg, ngx_cycle_t *cycle);
void ngx_cqrs_pg_pool_stop(ngx_cqrs_pg_t *pg);

/* A query waits now. */
void ngx_cqrs_pg_pool_demand(ngx_cqrs_pg_t *pg);

/* A connection may be free, or gone: look at the queue soon. */
void ngx_cqrs_pg_pool_wake(ngx_cqrs_pg_t *pg);

/* A free connection that this query may run on; NULL if there is none. */
ngx_cqrs_pg_conn_t *ngx_cqrs_pg_pool_idle(ngx_cqrs_pg_t *pg,
    ngx_cqrs_pg_op_t *op);

/* Is there any connection? */
ngx_uint_t ngx_cqrs_pg_pool_connected(ngx_cqrs_pg_t *pg);

/* What ran on a connection that is gone is to run again. */
void ngx_cqrs_pg_pool_take_ops(ngx_cqrs_pg_conn_t *conn);


/* The steps of a query; before each but the second it is in no queue. */
void ngx_cqrs_pg_op_wait(ngx_cqrs_pg_op_t *op);
void ngx_cqrs_pg_op_unwait(ngx_cqrs_pg_op_t *op);
void ngx_cqrs_pg_op_run(ngx_cqrs_pg_op_t *op, ngx_cqrs_pg_conn_t *conn);
void ngx_cqrs_pg_op_rerun(ngx_cqrs_pg_op_t *op);
void ngx_cqrs_pg_op_finish(ngx_cqrs_pg_op_t *op, ngx_cqrs_pg_status_e status);
void ngx_cqrs_pg_op_destroy(ngx_cqrs_pg_op_t *op);


#endif /* NGX_CQRS_PG_POOL_H */
