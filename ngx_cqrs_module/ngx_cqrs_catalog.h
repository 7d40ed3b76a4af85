
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * What the exposed schemas hold, known to one worker.
 *
 * It is loaded when the worker starts, and again when a request names what is
 * not in it, but not more often than once a second.  Where it listens to a
 * channel it is loaded, too, when "reload schema" or nothing is said there,
 * and when it listens again after a time in which it could not.
 *
 * A new one takes the place of the old at once; who works with the old one
 * finishes with it.  If it can't be loaded the old one stays.
 */

#ifndef NGX_CQRS_CATALOG_H
#define NGX_CQRS_CATALOG_H


#include "ngx_cqrs_pg.h"

#include "cqrs_catalog.h"
#include "cqrs_query_memo.h"


typedef struct ngx_cqrs_catalog_s  ngx_cqrs_catalog_t;


/* The load has ended, well or not. */
typedef void (*ngx_cqrs_catalog_handler_pt)(ngx_cqrs_pg_status_e status,
    void *data);


/* Who waits for a load; a part of something that lives until then. */
typedef struct {
    ngx_queue_t                   queue;
    ngx_cqrs_catalog_handler_pt   handler;
    void                         *data;
} ngx_cqrs_catalog_wait_t;


typedef struct {
    ngx_cqrs_pg_t                *pg;
    ngx_array_t                  *schemas;     /* of ngx_str_t */
    ngx_array_t                  *extra;       /* the same, of the search path;
                                                  NULL: none */
    ngx_str_t                     channel;     /* empty: it does not listen */
} ngx_cqrs_catalog_conf_t;


/* While the configuration is read. */
ngx_cqrs_catalog_t *ngx_cqrs_catalog_create(ngx_conf_t *cf,
    const ngx_cqrs_catalog_conf_t *conf);

/* Is it of this database and these schemas, in this order, and so on? */
ngx_uint_t ngx_cqrs_catalog_is(ngx_cqrs_catalog_t *catalog,
    const ngx_cqrs_catalog_conf_t *conf);

/* In a worker, between start and stop of the database. */
ngx_int_t ngx_cqrs_catalog_start(ngx_cqrs_catalog_t *catalog,
    ngx_cycle_t *cycle);
void ngx_cqrs_catalog_stop(ngx_cqrs_catalog_t *catalog);

/*
 * What is known now; NULL before the first load.  To be used at once, or with
 * a reference.
 */
cqrs_catalog_t *ngx_cqrs_catalog_current(ngx_cqrs_catalog_t *catalog);

/* The plans that were made by that. */
cqrs_query_memo_t *ngx_cqrs_catalog_memo(ngx_cqrs_catalog_t *catalog);

/*
 * Loads it, or takes part in the load that is under way.  The handler is
 * called once, never before this returns.  NULL: nobody waits.  Returns
 * NGX_OK, NGX_DECLINED if the last load was just now, or NGX_ERROR; in both
 * the handler is not called.
 */
ngx_int_t ngx_cqrs_catalog_load(ngx_cqrs_catalog_t *catalog,
    ngx_cqrs_catalog_wait_t *wait);

/* Whoever waits goes away; the handler is not called. */
void ngx_cqrs_catalog_forget(ngx_cqrs_catalog_wait_t *wait);


#endif /* NGX_CQRS_CATALOG_H */
