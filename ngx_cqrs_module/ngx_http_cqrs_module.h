
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* Which Postgres, RabbitMQ and Redis a location uses. */

#ifndef NGX_HTTP_CQRS_MODULE_H
#define NGX_HTTP_CQRS_MODULE_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_cqrs_amqp.h"
#include "ngx_cqrs_pg.h"
#include "ngx_cqrs_redis.h"


/* The backends of a location; each NULL where no directive names one. */
typedef struct {
    ngx_cqrs_pg_t     *postgres;
    ngx_cqrs_amqp_t   *rabbitmq;
    ngx_cqrs_redis_t  *redis;
} ngx_http_cqrs_loc_conf_t;


extern ngx_module_t  ngx_http_cqrs_module;


#define ngx_http_cqrs_loc_conf(r)                                             \
    ((ngx_http_cqrs_loc_conf_t *)                                             \
        ngx_http_get_module_loc_conf(r, ngx_http_cqrs_module))


#endif /* NGX_HTTP_CQRS_MODULE_H */
