
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* Where in a request its token is: a header, a cookie, or an argument. */

#ifndef NGX_HTTP_CQRS_JWT_FROM_H
#define NGX_HTTP_CQRS_JWT_FROM_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


typedef struct {
    ngx_str_t  text;        /* a NUL follows; empty: there is none */
    ngx_str_t  argument;    /* the name of the argument it was, or empty */
} ngx_http_cqrs_jwt_token_t;


/*
 * Reads the directive's arguments, cf->args[1..], into an array from cf->pool.
 * Returns NULL after it has logged what was wrong.
 */
ngx_array_t *ngx_http_cqrs_jwt_from_read(ngx_conf_t *cf);

/*
 * Finds and copies a token; from is NULL for the header alone.  The one found
 * before, if any, may be hidden in the request by now.  NGX_DECLINED: there is
 * none.
 */
ngx_int_t ngx_http_cqrs_jwt_from_find(ngx_http_request_t *r,
    ngx_array_t *from, const ngx_http_cqrs_jwt_token_t *before,
    ngx_http_cqrs_jwt_token_t *token);

/* Puts stars in the place of a token that is an argument, for the logs. */
void ngx_http_cqrs_jwt_from_hide(ngx_http_request_t *r,
    const ngx_http_cqrs_jwt_token_t *token);

/* The request's arguments without the one that is the token. */
ngx_int_t ngx_http_cqrs_jwt_from_args(ngx_http_request_t *r,
    const ngx_http_cqrs_jwt_token_t *token, ngx_str_t *args);


#endif /* NGX_HTTP_CQRS_JWT_FROM_H */
