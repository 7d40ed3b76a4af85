
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* The keys that tokens are checked with, as cqrs_jwt_key names them. */

#ifndef NGX_HTTP_CQRS_JWT_KEY_H
#define NGX_HTTP_CQRS_JWT_KEY_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/* An empty array of cqrs_jwt_key_t, from cf->pool. */
ngx_array_t *ngx_http_cqrs_jwt_key_array(ngx_conf_t *cf);

/*
 * Adds what the directive's arguments, cf->args[1..], name: an algorithm, or
 * JWKS, a source and a kid.  NGX_ERROR: what was wrong has been logged, never
 * the key.
 */
ngx_int_t ngx_http_cqrs_jwt_key_read(ngx_conf_t *cf, ngx_array_t *keys);


#endif /* NGX_HTTP_CQRS_JWT_KEY_H */
