
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* What the cqrs_rabbitmq directive says. */

#ifndef NGX_CQRS_AMQP_CONF_H
#define NGX_CQRS_AMQP_CONF_H


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_cqrs_amqp_ssl.h"


/* One address of a broker; a host name may have several. */
typedef struct {
    struct sockaddr  *sockaddr;        /* room for any; a worker renews it */
    socklen_t         socklen;
    in_port_t         port;
    ngx_str_t         host;
    unsigned          named:1;         /* the host is a name, no address */
    unsigned          tls:1;
    uint32_t          told;            /* CRC of the last failure */
    ngx_str_t         name;            /* for logs: address and vhost */
    ngx_str_t         user;
    ngx_str_t         password;
    ngx_str_t         vhost;
} ngx_cqrs_amqp_server_t;


typedef struct {
    ngx_array_t           servers;     /* in the order they are tried */
    ngx_str_t             place;       /* of the first one, as it is written */
    ngx_msec_t            timeout;
    ngx_uint_t            heartbeat;   /* seconds */
    ngx_uint_t            max_unconfirmed;
    ngx_cqrs_amqp_ssl_t   ssl;
    ngx_resolver_t       *resolver;    /* NULL: addresses stay as they are */
} ngx_cqrs_amqp_conf_t;


/* Reads cf->args; NGX_ERROR: what was wrong has been logged. */
ngx_int_t ngx_cqrs_amqp_conf_read(ngx_conf_t *cf, ngx_cqrs_amqp_conf_t *conf);

/* The server has this address now. */
void ngx_cqrs_amqp_conf_move(ngx_cqrs_amqp_server_t *server,
    struct sockaddr *sockaddr, socklen_t socklen);


#endif /* NGX_CQRS_AMQP_CONF_H */
