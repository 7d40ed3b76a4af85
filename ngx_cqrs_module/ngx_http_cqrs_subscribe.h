
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* What a location says about its subscribers, for all transports. */

#ifndef NGX_HTTP_CQRS_SUBSCRIBE_H
#define NGX_HTTP_CQRS_SUBSCRIBE_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


typedef struct {
    ngx_http_complex_value_t  *channel;     /* NULL: no cqrs_subscribe */
    ngx_array_t               *origins;     /* of ngx_str_t, besides our own */
    size_t                     buffer;
    ngx_msec_t                 ping;
    ngx_msec_t                 drain;
} ngx_http_cqrs_subscribe_loc_conf_t;


extern ngx_module_t  ngx_http_cqrs_subscribe_module;


#endif /* NGX_HTTP_CQRS_SUBSCRIBE_H */
