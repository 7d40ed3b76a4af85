
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* What the cqrs_rabbitmq directive says. */

#ifndef NGX_CQRS_AMQP_CONF_H
#define NGX_CQRS_AMQP_CONF_H


#include <ngx_config.h>
#include <ngx_core.h>


/* One address of a broker; a host name may have several. */
typedef struct {
    struct sockaddr  *sockaddr;
    socklen_t         socklen;
    ngx_str_t         name;            /* for logs: address and vhost */
    ngx_str_t         user;
    ngx_str_t         password;
    ngx_str_t         vhost;
} ngx_cqrs_amqp_server_t;


typedef struct {
    ngx_array_t       servers;         /* in the order they are tried */
    ngx_msec_t        timeout;
    ngx_uint_t        heartbeat;       /* seconds */
    ngx_uint_t        max_unconfirmed;
} ngx_cqrs_amqp_conf_t;


/* Reads cf->args; NGX_ERROR: what was wrong has been logged. */
ngx_int_t ngx_cqrs_amqp_conf_read(ngx_conf_t *cf, ngx_cqrs_amqp_conf_t *conf);


#endif /* NGX_CQRS_AMQP_CONF_H */
