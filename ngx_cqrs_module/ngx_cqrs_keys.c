
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The whole of a shared memory zone is one table, which is never freed; of
 * nginx's allocator there only the lock is used later.
 */

#include "ngx_cqrs_keys.h"


#define NGX_CQRS_KEYS_TELL  60           /* seconds, at most so often */


typedef struct {
    cqrs_keys_t       *table;
    uint64_t           told;             /* of those that were evicted */
    time_t             told_at;
} ngx_cqrs_keys_shared_t;

struct ngx_cqrs_keys_s {
    ngx_shm_zone_t    *zone;
};


static ngx_int_t ngx_cqrs_keys_init(ngx_shm_zone_t *zone, void *data);
static uint64_t ngx_cqrs_keys_untold(ngx_cqrs_keys_shared_t *shared);


static ngx_str_t  ngx_cqrs_keys_name = ngx_string("cqrs_command_keys");


ngx_cqrs_keys_t *
ngx_cqrs_keys_create(ngx_conf_t *cf, size_t size, void *tag)
{
    ngx_cqrs_keys_t  *keys;

    keys = ngx_palloc(cf->pool, sizeof(ngx_cqrs_keys_t));
    if (keys == NULL) {
        return NULL;
    }

    keys->zone = ngx_shared_memory_add(cf, &ngx_cqrs_keys_name, size, tag);
    if (keys->zone == NULL) {
        return NULL;
    }

    keys->zone->init = ngx_cqrs_keys_init;

    return keys;
}


/* Data is that of the zone before a reload. */

static ngx_int_t
ngx_cqrs_keys_init(ngx_shm_zone_t *zone, void *data)
{
    size_t                   size;
    ngx_slab_pool_t         *pool;
    ngx_cqrs_keys_shared_t  *shared;

    if (data) {
        zone->data = data;
        return NGX_OK;
    }

    pool = (ngx_slab_pool_t *) zone->shm.addr;

    if (zone->shm.exists) {
        zone->data = pool->data;
        return NGX_OK;
    }

    shared = ngx_slab_calloc(pool, sizeof(ngx_cqrs_keys_shared_t));
    if (shared == NULL) {
        return NGX_ERROR;
    }

    /* these pages are in one piece, for nothing else was taken */

    size = pool->pfree * ngx_pagesize;

    shared->table = ngx_slab_alloc(pool, size);
    if (shared->table == NULL || cqrs_keys_create(shared->table, size) == NULL)
    {
        return NGX_ERROR;
    }

    pool->data = shared;
    zone->data = shared;

    return NGX_OK;
}


cqrs_keys_e
ngx_cqrs_keys_find(ngx_cqrs_keys_t *keys, const cqrs_uuid_t *id,
    const cqrs_uuid_t *what)
{
    cqrs_keys_e              found;
    ngx_slab_pool_t         *pool;
    ngx_cqrs_keys_shared_t  *shared;

    shared = keys->zone->data;
    pool = (ngx_slab_pool_t *) keys->zone->shm.addr;

    ngx_shmtx_lock(&pool->mutex);

    found = cqrs_keys_find(shared->table, id, what, (uint32_t) ngx_time());

    ngx_shmtx_unlock(&pool->mutex);

    return found;
}


cqrs_keys_e
ngx_cqrs_keys_claim(ngx_cqrs_keys_t *keys, const cqrs_uuid_t *id,
    const cqrs_uuid_t *what, time_t kept, ngx_log_t *log)
{
    uint64_t                 evicted;
    cqrs_keys_e              found;
    ngx_slab_pool_t         *pool;
    ngx_cqrs_keys_shared_t  *shared;

    shared = keys->zone->data;
    pool = (ngx_slab_pool_t *) keys->zone->shm.addr;

    ngx_shmtx_lock(&pool->mutex);

    found = cqrs_keys_claim(shared->table, id, what, (uint32_t) ngx_time(),
                            (uint32_t) (ngx_time() + kept));
    evicted = ngx_cqrs_keys_untold(shared);

    ngx_shmtx_unlock(&pool->mutex);

    if (evicted) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "%uL ids of commands with an Idempotency-Key were "
                      "forgotten early, \"cqrs_command_keys\" is too small",
                      evicted);
    }

    return found;
}


static uint64_t
ngx_cqrs_keys_untold(ngx_cqrs_keys_shared_t *shared)
{
    uint64_t  evicted;

    evicted = cqrs_keys_evicted(shared->table) - shared->told;

    if (evicted == 0 || ngx_time() - shared->told_at < NGX_CQRS_KEYS_TELL) {
        return 0;
    }

    shared->told += evicted;
    shared->told_at = ngx_time();

    return evicted;
}
