
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "ngx_cqrs_pg.h"


struct ngx_cqrs_pg_s {
    ngx_cqrs_backend_t  backend;
};


static ngx_cqrs_backend_t *ngx_cqrs_pg_create(ngx_conf_t *cf);
static ngx_int_t ngx_cqrs_pg_start(ngx_cqrs_backend_t *backend,
    ngx_cycle_t *cycle);
static void ngx_cqrs_pg_stop(ngx_cqrs_backend_t *backend);


const ngx_cqrs_backend_type_t  ngx_cqrs_pg_backend = {
    "postgres",
    ngx_cqrs_pg_create,
    ngx_cqrs_pg_start,
    ngx_cqrs_pg_stop
};


static ngx_cqrs_backend_t *
ngx_cqrs_pg_create(ngx_conf_t *cf)
{
    ngx_cqrs_pg_t  *pg;

    pg = ngx_pcalloc(cf->pool, sizeof(ngx_cqrs_pg_t));
    if (pg == NULL) {
        return NULL;
    }

    return &pg->backend;
}


static ngx_int_t
ngx_cqrs_pg_start(ngx_cqrs_backend_t *backend, ngx_cycle_t *cycle)
{
    return NGX_OK;
}


static void
ngx_cqrs_pg_stop(ngx_cqrs_backend_t *backend)
{
}
