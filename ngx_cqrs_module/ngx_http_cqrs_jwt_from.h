
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Where in a request its token is: a header, a cookie, an argument, or one of
 * the subprotocols that a WebSocket offers.
 */

#ifndef NGX_HTTP_CQRS_JWT_FROM_H
#define NGX_HTTP_CQRS_JWT_FROM_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * Reads the directive's arguments, cf->args[1..], into an array from cf->pool,
 * and adds what is an argument to a second one, which is made if it is NULL.
 * Returns NULL after it has logged what was wrong.
 */
ngx_array_t *ngx_http_cqrs_jwt_from_read(ngx_conf_t *cf, ngx_array_t **hidden);

/*
 * Finds and copies a token, with a NUL after it; from is NULL for the header
 * alone.  Hidden are the arguments from before the request's were hidden, or
 * nothing.  NGX_DECLINED: there is none.
 */
ngx_int_t ngx_http_cqrs_jwt_from_find(ngx_http_request_t *r,
    ngx_array_t *from, ngx_str_t *hidden, ngx_str_t *token);

/*
 * Puts stars in the place of tokens that are arguments, for the logs, and
 * keeps the request's arguments as they were, the first time, in hidden.
 */
ngx_int_t ngx_http_cqrs_jwt_from_hide(ngx_http_request_t *r,
    ngx_array_t *from, ngx_str_t *hidden);

/* The same for a request that is over, and for the page it came from. */
ngx_int_t ngx_http_cqrs_jwt_from_hide_all(ngx_http_request_t *r,
    ngx_array_t *from);

/* The same for a text with URLs in it. */
void ngx_http_cqrs_jwt_from_cover_text(ngx_array_t *from, u_char *p,
    u_char *last);

/* The request's arguments without those that are tokens. */
ngx_int_t ngx_http_cqrs_jwt_from_args(ngx_http_request_t *r,
    ngx_array_t *from, ngx_str_t *args);

/* The subprotocol that was offered together with a token; or empty. */
void ngx_http_cqrs_jwt_from_subprotocol(ngx_http_request_t *r,
    ngx_array_t *from, ngx_str_t *name);


#endif /* NGX_HTTP_CQRS_JWT_FROM_H */
