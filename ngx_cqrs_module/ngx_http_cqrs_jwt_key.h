
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* The keys that tokens are checked with, as cqrs_jwt_key names them. */

#ifndef NGX_HTTP_CQRS_JWT_KEY_H
#define NGX_HTTP_CQRS_JWT_KEY_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <jwt.h>


typedef struct {
    jwt_alg_t  alg;
    ngx_str_t  data;          /* a secret, or a public key in PEM */
} ngx_http_cqrs_jwt_key_t;


/*
 * Reads the key from "file:PATH" or "env:NAME" and checks that it fits the
 * algorithm.  NGX_ERROR: what was wrong has been logged, never the key.
 */
ngx_int_t ngx_http_cqrs_jwt_key_read(ngx_conf_t *cf,
    ngx_http_cqrs_jwt_key_t *key, ngx_str_t *alg, ngx_str_t *source);


#endif /* NGX_HTTP_CQRS_JWT_KEY_H */
