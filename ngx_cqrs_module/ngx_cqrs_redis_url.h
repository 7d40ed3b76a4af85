
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* What cqrs_redis says: where Redis is and who we are there. */

#ifndef NGX_CQRS_REDIS_URL_H
#define NGX_CQRS_REDIS_URL_H


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct {
    ngx_addr_t   *addrs;         /* tried one after the other */
    ngx_uint_t    naddrs;
    ngx_str_t     name;          /* host and port, for logs */
    ngx_str_t     user;          /* empty where there is none */
    ngx_str_t     password;
    ngx_str_t     db;            /* decimal; empty: 0 */
    ngx_msec_t    timeout;       /* to connect, to answer */
} ngx_cqrs_redis_url_t;


/*
 * Reads cf->args and resolves the host.  On NGX_ERROR the reason was logged,
 * without user and password.
 */
ngx_int_t ngx_cqrs_redis_url_read(ngx_conf_t *cf, ngx_cqrs_redis_url_t *url);


#endif /* NGX_CQRS_REDIS_URL_H */
