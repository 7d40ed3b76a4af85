
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* What a location demands of tokens, and what is known of a request's own. */

#ifndef NGX_HTTP_CQRS_JWT_CTX_H
#define NGX_HTTP_CQRS_JWT_CTX_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_cqrs_jwt_cache.h"


#define NGX_HTTP_CQRS_JWT_OFF       0
#define NGX_HTTP_CQRS_JWT_OPTIONAL  1
#define NGX_HTTP_CQRS_JWT_REQUIRED  2


typedef struct {
    ngx_http_cqrs_jwt_cache_t  cache;
    ngx_array_t               *hidden;     /* arguments, of all locations;
                                              NULL: none is one for tokens */
} ngx_http_cqrs_jwt_main_conf_t;


typedef struct {
    ngx_array_t  *keys;       /* of cqrs_jwt_key_t */
    ngx_array_t  *from;       /* NULL: the header */
    ngx_array_t  *audiences;  /* of cqrs_str_t; NULL or empty: any */
    ngx_array_t  *issuers;
    time_t        leeway;
    ngx_uint_t    mode;
    ngx_uint_t    ours;       /* a content handler of ours is here */
    ngx_uint_t    postgrest;  /* its rules */
} ngx_http_cqrs_jwt_loc_conf_t;


typedef struct {
    ngx_http_request_t            *request;
    ngx_http_cqrs_jwt_loc_conf_t  *conf;      /* by which it is checked */
    ngx_str_t                      token;     /* a NUL follows */
    ngx_str_t                      args;      /* before a token was hidden */
    ngx_int_t                      rc;        /* NGX_AGAIN: not yet checked,
                                                 _DECLINED: there is none,
                                                 _ERROR: it is bad */
    const char                    *error;     /* why it is bad */
    json_t                        *verified;  /* owned */
    ngx_uint_t                     hit;       /* it was known */
} ngx_http_cqrs_jwt_ctx_t;


extern ngx_module_t  ngx_http_cqrs_jwt_module;


/* Where nothing is said, a token is required exactly if a key is there. */
ngx_uint_t ngx_http_cqrs_jwt_mode(ngx_http_cqrs_jwt_loc_conf_t *conf);

void ngx_http_cqrs_jwt_rules(ngx_http_cqrs_jwt_loc_conf_t *conf,
    cqrs_jwt_rules_t *rules);

/* What is known by now, perhaps by the rules of another location; or NULL. */
ngx_http_cqrs_jwt_ctx_t *ngx_http_cqrs_jwt_ctx(ngx_http_request_t *r);

/* The token, found and checked by the rules here; NULL: memory is short. */
ngx_http_cqrs_jwt_ctx_t *ngx_http_cqrs_jwt_check(ngx_http_request_t *r);

/* The claims of a good token, borrowed, or NULL. */
json_t *ngx_http_cqrs_jwt_known(ngx_http_cqrs_jwt_ctx_t *ctx);

/* Hides what may be tokens in the request's arguments. */
ngx_int_t ngx_http_cqrs_jwt_hide(ngx_http_request_t *r);


#endif /* NGX_HTTP_CQRS_JWT_CTX_H */
