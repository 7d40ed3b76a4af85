
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "ngx_cqrs_amqp.h"


struct ngx_cqrs_amqp_s {
    ngx_cqrs_backend_t  backend;
};


static ngx_cqrs_backend_t *ngx_cqrs_amqp_create(ngx_conf_t *cf);
static ngx_int_t ngx_cqrs_amqp_start(ngx_cqrs_backend_t *backend,
    ngx_cycle_t *cycle);
static void ngx_cqrs_amqp_stop(ngx_cqrs_backend_t *backend);


const ngx_cqrs_backend_type_t  ngx_cqrs_amqp_backend = {
    "rabbitmq",
    ngx_cqrs_amqp_create,
    ngx_cqrs_amqp_start,
    ngx_cqrs_amqp_stop
};


static ngx_cqrs_backend_t *
ngx_cqrs_amqp_create(ngx_conf_t *cf)
{
    ngx_cqrs_amqp_t  *amqp;

    amqp = ngx_pcalloc(cf->pool, sizeof(ngx_cqrs_amqp_t));
    if (amqp == NULL) {
        return NULL;
    }

    return &amqp->backend;
}


static ngx_int_t
ngx_cqrs_amqp_start(ngx_cqrs_backend_t *backend, ngx_cycle_t *cycle)
{
    return NGX_OK;
}


static void
ngx_cqrs_amqp_stop(ngx_cqrs_backend_t *backend)
{
}
