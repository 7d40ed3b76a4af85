
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * TLS to a broker, by nginx's own means.  The broker has to prove that it is
 * the host that the URL names, unless ssl_verify=off says that it need not.
 */

#ifndef NGX_CQRS_AMQP_SSL_H
#define NGX_CQRS_AMQP_SSL_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


/* What parameters of cqrs_rabbitmq say, named as those of proxy_ssl_*. */
typedef struct {
    ngx_uint_t   verify;
    ngx_uint_t   verify_depth;
    ngx_str_t    trusted_certificate;      /* empty: the system's */
    ngx_str_t    crl;
    ngx_str_t    name;                     /* empty: the URL's host */
    ngx_str_t    ciphers;
    ngx_str_t    certificate;
    ngx_str_t    certificate_key;
    ngx_str_t    password_file;
    ngx_ssl_t   *ssl;
} ngx_cqrs_amqp_ssl_t;


/* Loads what is named; NGX_ERROR: what was wrong has been logged. */
ngx_int_t ngx_cqrs_amqp_ssl_create(ngx_conf_t *cf, ngx_cqrs_amqp_ssl_t *conf);

/*
 * Begins.  The connection needs a pool.  The handler is called when it is
 * over, perhaps at once; NGX_ERROR: it will not be.
 */
ngx_int_t ngx_cqrs_amqp_ssl_begin(ngx_cqrs_amqp_ssl_t *conf,
    ngx_connection_t *c, ngx_str_t *host, ngx_connection_handler_pt handler);

/* Why the other side is not trusted; NULL: it is. */
const char *ngx_cqrs_amqp_ssl_refused(ngx_cqrs_amqp_ssl_t *conf,
    ngx_connection_t *c, ngx_str_t *host);

/* Frees what belongs to TLS, also where there is none. */
void ngx_cqrs_amqp_ssl_end(ngx_connection_t *c);


#endif /* NGX_CQRS_AMQP_SSL_H */
