
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The number is fixed when the store is installed, so it is kept in shared
 * memory, and outlives workers and reloads: commands are taken while Postgres
 * is away.  Each worker asks when it starts, and until it has been answered.
 * A question that nobody waits for any more is cancelled: a worker that exits
 * would wait for the answer.
 */

#include "ngx_cqrs_partitions.h"


#define NGX_CQRS_PARTITIONS_TIMEOUT      1500
#define NGX_CQRS_PARTITIONS_WAITERS_MAX  1024
#define NGX_CQRS_PARTITIONS_MAX          100000


struct ngx_cqrs_partitions_s {
    ngx_cqrs_pg_t     *pg;
    ngx_shm_zone_t    *zone;          /* its data: the number, 0: unknown */
    ngx_queue_t        waiters;
    ngx_uint_t         nwaiters;
    ngx_cqrs_pg_op_t  *op;            /* the question, while it is asked */
};


static ngx_int_t ngx_cqrs_partitions_init_zone(ngx_shm_zone_t *zone,
    void *old);
static ngx_int_t ngx_cqrs_partitions_ask(ngx_cqrs_partitions_t *partitions);
static void ngx_cqrs_partitions_answer(ngx_cqrs_pg_status_e status,
    PGresult **results, ngx_uint_t n, void *data);
static ngx_uint_t ngx_cqrs_partitions_read(PGresult *result);
static void ngx_cqrs_partitions_timer_handler(ngx_event_t *ev);


/* Its address says whose the shared memory is. */
static ngx_uint_t  ngx_cqrs_partitions_tag;


ngx_cqrs_partitions_t *
ngx_cqrs_partitions_create(ngx_conf_t *cf, ngx_cqrs_pg_t *pg)
{
    ngx_str_t               name, *label;
    ngx_cqrs_partitions_t  *partitions;

    partitions = ngx_pcalloc(cf->pool, sizeof(ngx_cqrs_partitions_t));
    if (partitions == NULL) {
        return NULL;
    }

    label = ngx_cqrs_pg_label(pg);

    name.data = ngx_pnalloc(cf->pool,
                            sizeof("cqrs_partitions ") - 1 + label->len);
    if (name.data == NULL) {
        return NULL;
    }

    name.len = ngx_sprintf(name.data, "cqrs_partitions %V", label) - name.data;

    partitions->zone = ngx_shared_memory_add(cf, &name, 8 * ngx_pagesize,
                                             &ngx_cqrs_partitions_tag);
    if (partitions->zone == NULL) {
        return NULL;
    }

    partitions->zone->init = ngx_cqrs_partitions_init_zone;
    partitions->pg = pg;

    ngx_queue_init(&partitions->waiters);

    return partitions;
}


static ngx_int_t
ngx_cqrs_partitions_init_zone(ngx_shm_zone_t *zone, void *old)
{
    ngx_slab_pool_t  *pool;

    pool = (ngx_slab_pool_t *) zone->shm.addr;

    if (old) {
        zone->data = old;              /* as it was before the reload */
        return NGX_OK;
    }

    if (zone->shm.exists) {
        zone->data = pool->data;
        return NGX_OK;
    }

    pool->data = ngx_slab_calloc(pool, sizeof(ngx_atomic_t));
    zone->data = pool->data;

    return pool->data ? NGX_OK : NGX_ERROR;
}


void
ngx_cqrs_partitions_start(ngx_cqrs_partitions_t *partitions)
{
    (void) ngx_cqrs_partitions_ask(partitions);
}


ngx_cqrs_pg_t *
ngx_cqrs_partitions_store(ngx_cqrs_partitions_t *partitions)
{
    return partitions->pg;
}


ngx_uint_t
ngx_cqrs_partitions_known(ngx_cqrs_partitions_t *partitions)
{
    return *(ngx_atomic_t *) partitions->zone->data;
}


ngx_int_t
ngx_cqrs_partitions_wait(ngx_cqrs_partitions_t *partitions,
    ngx_cqrs_partitions_waiter_t *waiter)
{
    if (partitions->nwaiters >= NGX_CQRS_PARTITIONS_WAITERS_MAX) {
        return NGX_DECLINED;
    }

    if (partitions->op == NULL
        && ngx_cqrs_partitions_ask(partitions) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    waiter->partitions = partitions;

    ngx_memzero(&waiter->timer, sizeof(ngx_event_t));

    waiter->timer.handler = ngx_cqrs_partitions_timer_handler;
    waiter->timer.data = waiter;
    waiter->timer.log = ngx_cycle->log;

    ngx_add_timer(&waiter->timer, NGX_CQRS_PARTITIONS_TIMEOUT);

    ngx_queue_insert_tail(&partitions->waiters, &waiter->queue);
    partitions->nwaiters++;

    return NGX_OK;
}


void
ngx_cqrs_partitions_cancel(ngx_cqrs_partitions_waiter_t *waiter)
{
    ngx_cqrs_partitions_t  *partitions;

    if (waiter->partitions == NULL) {
        return;
    }

    partitions = waiter->partitions;

    ngx_queue_remove(&waiter->queue);
    waiter->partitions = NULL;

    if (waiter->timer.timer_set) {
        ngx_del_timer(&waiter->timer);
    }

    partitions->nwaiters--;

    if (partitions->nwaiters == 0 && partitions->op) {
        ngx_cqrs_pg_cancel(partitions->op);
        partitions->op = NULL;
    }
}


static ngx_int_t
ngx_cqrs_partitions_ask(ngx_cqrs_partitions_t *partitions)
{
    ngx_cqrs_pg_query_t           query;
    ngx_cqrs_pg_statement_text_t  statement;

    ngx_memzero(&query, sizeof(ngx_cqrs_pg_query_t));
    ngx_memzero(&statement, sizeof(ngx_cqrs_pg_statement_text_t));

    ngx_str_set(&statement.sql, "select cqrs.partition_count()");

    query.statements = &statement;
    query.n = 1;
    query.handler = ngx_cqrs_partitions_answer;
    query.data = partitions;

    partitions->op = ngx_cqrs_pg_query(partitions->pg, &query);

    return partitions->op ? NGX_OK : NGX_ERROR;
}


static void
ngx_cqrs_partitions_answer(ngx_cqrs_pg_status_e status, PGresult **results,
    ngx_uint_t n, void *data)
{
    char                          *message;
    ngx_uint_t                     known;
    ngx_queue_t                   *q, waiters;
    ngx_cqrs_partitions_t         *partitions = data;
    ngx_cqrs_partitions_waiter_t  *waiter;

    partitions->op = NULL;

    if (status == NGX_CQRS_PG_OK) {
        known = ngx_cqrs_partitions_read(results[0]);

        if (known) {
            *(ngx_atomic_t *) partitions->zone->data = known;

        } else {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "postgres \"%V\": the store does not say "
                          "how many partitions it has",
                          ngx_cqrs_pg_label(partitions->pg));
        }

    } else {
        message = n ? PQresultErrorField(results[0], PG_DIAG_MESSAGE_PRIMARY)
                    : NULL;

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "postgres \"%V\": the number of partitions "
                      "could not be learned, \"%s\"",
                      ngx_cqrs_pg_label(partitions->pg),
                      message ? message : "no answer from the store");
    }

    /* a handler may come back to wait for another answer */

    ngx_queue_init(&waiters);

    if (!ngx_queue_empty(&partitions->waiters)) {
        ngx_queue_add(&waiters, &partitions->waiters);
        ngx_queue_init(&partitions->waiters);
    }

    while (!ngx_queue_empty(&waiters)) {
        q = ngx_queue_head(&waiters);
        waiter = ngx_queue_data(q, ngx_cqrs_partitions_waiter_t, queue);

        ngx_cqrs_partitions_cancel(waiter);

        waiter->handler(ngx_cqrs_partitions_known(partitions), waiter->data);
    }
}


static ngx_uint_t
ngx_cqrs_partitions_read(PGresult *result)
{
    u_char     *text;
    ngx_int_t   n;

    if (PQntuples(result) != 1 || PQnfields(result) != 1
        || PQgetisnull(result, 0, 0))
    {
        return 0;
    }

    text = (u_char *) PQgetvalue(result, 0, 0);

    n = ngx_atoi(text, ngx_strlen(text));

    return (n > 0 && n <= NGX_CQRS_PARTITIONS_MAX) ? (ngx_uint_t) n : 0;
}


static void
ngx_cqrs_partitions_timer_handler(ngx_event_t *ev)
{
    ngx_cqrs_partitions_waiter_t  *waiter;

    waiter = ev->data;

    ngx_cqrs_partitions_cancel(waiter);

    waiter->handler(0, waiter->data);
}
