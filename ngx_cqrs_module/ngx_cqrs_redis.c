
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "ngx_cqrs_redis.h"


struct ngx_cqrs_redis_s {
    ngx_cqrs_backend_t  backend;
};


static ngx_cqrs_backend_t *ngx_cqrs_redis_create(ngx_conf_t *cf);
static ngx_int_t ngx_cqrs_redis_start(ngx_cqrs_backend_t *backend,
    ngx_cycle_t *cycle);
static void ngx_cqrs_redis_stop(ngx_cqrs_backend_t *backend);


const ngx_cqrs_backend_type_t  ngx_cqrs_redis_backend = {
    "redis",
    ngx_cqrs_redis_create,
    ngx_cqrs_redis_start,
    ngx_cqrs_redis_stop
};


static ngx_cqrs_backend_t *
ngx_cqrs_redis_create(ngx_conf_t *cf)
{
    ngx_cqrs_redis_t  *redis;

    redis = ngx_pcalloc(cf->pool, sizeof(ngx_cqrs_redis_t));
    if (redis == NULL) {
        return NULL;
    }

    return &redis->backend;
}


static ngx_int_t
ngx_cqrs_redis_start(ngx_cqrs_backend_t *backend, ngx_cycle_t *cycle)
{
    return NGX_OK;
}


static void
ngx_cqrs_redis_stop(ngx_cqrs_backend_t *backend)
{
}
