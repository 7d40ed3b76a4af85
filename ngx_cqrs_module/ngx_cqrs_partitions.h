
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * How many partitions the store has.  It is asked once per worker, and what it
 * said is known to all; who comes before the first answer waits for it.
 */

#ifndef NGX_CQRS_PARTITIONS_H
#define NGX_CQRS_PARTITIONS_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_cqrs_pg.h"


typedef struct ngx_cqrs_partitions_s  ngx_cqrs_partitions_t;


/* Called once; 0: it could not be learned, which has been logged. */
typedef void (*ngx_cqrs_partitions_handler_pt)(ngx_uint_t n, void *data);


/* A part of the caller's own memory. */
typedef struct {
    ngx_cqrs_partitions_t           *partitions;
    ngx_cqrs_partitions_handler_pt   handler;
    void                            *data;
    ngx_queue_t                      queue;
    ngx_event_t                      timer;
} ngx_cqrs_partitions_waiter_t;


/* One for each store; allocated from cf->pool. */
ngx_cqrs_partitions_t *ngx_cqrs_partitions_create(ngx_conf_t *cf,
    ngx_cqrs_pg_t *pg);

/* Asks the store, without waiting; called in a worker that starts. */
void ngx_cqrs_partitions_start(ngx_cqrs_partitions_t *partitions);

/* The store it was made for. */
ngx_cqrs_pg_t *ngx_cqrs_partitions_store(ngx_cqrs_partitions_t *partitions);

/* The number, or 0 if it is not known yet. */
ngx_uint_t ngx_cqrs_partitions_known(ngx_cqrs_partitions_t *partitions);

/*
 * Waits for the number; handler and data are the caller's.  NGX_DECLINED: too
 * many wait, or the store can't be asked; then nothing is called.
 */
ngx_int_t ngx_cqrs_partitions_wait(ngx_cqrs_partitions_t *partitions,
    ngx_cqrs_partitions_waiter_t *waiter);

/* The caller goes away.  May be called when nothing waits. */
void ngx_cqrs_partitions_cancel(ngx_cqrs_partitions_waiter_t *waiter);


#endif /* NGX_CQRS_PARTITIONS_H */
