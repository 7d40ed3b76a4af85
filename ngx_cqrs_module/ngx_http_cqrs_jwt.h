
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* Who sends the request: a JSON Web Token, checked once per request. */

#ifndef NGX_HTTP_CQRS_JWT_H
#define NGX_HTTP_CQRS_JWT_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <jansson.h>


/* What is known of a token. */
typedef struct {
    json_t      *claims;        /* borrowed, as long as the request; or NULL */
    const char  *error;         /* a sentence of cqrs_jwt.h; or NULL */
    const char  *token;         /* of a bad one */
    ngx_uint_t   required;      /* the location says so */
    ngx_uint_t   keys;          /* are there to check one with */
} ngx_http_cqrs_jwt_seen_t;


/*
 * To be called first by each content handler of ours.  NGX_OK: go on.
 * Anything else: a 401 with a problem document was sent; return it.
 */
ngx_int_t ngx_http_cqrs_jwt_authorize(ngx_http_request_t *r);

/*
 * For a content handler that answers in its own form what is wrong with a
 * token.  NGX_OK: it is good.  NGX_DECLINED: there is none.  NGX_ERROR: it is
 * bad.  NGX_ABORT: memory is short.
 */
ngx_int_t ngx_http_cqrs_jwt_examine(ngx_http_request_t *r,
    ngx_http_cqrs_jwt_seen_t *seen);

/*
 * To be called where such a location is merged: tokens are checked by the
 * rules of PostgREST.
 */
void ngx_http_cqrs_jwt_as_postgrest(ngx_conf_t *cf);

/*
 * To be called where a location with a content handler of ours is merged:
 * refuses one that requires a token and has no key to check it with.
 */
char *ngx_http_cqrs_jwt_check_conf(ngx_conf_t *cf);

/*
 * The verified token's claims as JSON text, NUL-terminated; it lives as long
 * as the request.  NULL where there is no token.
 */
const char *ngx_http_cqrs_jwt_claims(ngx_http_request_t *r);

/*
 * The same for one claim: text as it is, anything else as JSON; an empty
 * string where there is none.  NGX_ERROR: memory is short.
 */
ngx_int_t ngx_http_cqrs_jwt_claim(ngx_http_request_t *r, ngx_str_t *name,
    ngx_str_t *value);

/*
 * When the token is no longer good here; 0 where there is none, or one that
 * always is.  NGX_ERROR: memory is short.
 */
ngx_int_t ngx_http_cqrs_jwt_expires(ngx_http_request_t *r, time_t *expires);

/* The request's arguments, without those that may be tokens. */
ngx_int_t ngx_http_cqrs_jwt_args(ngx_http_request_t *r, ngx_str_t *args);

/*
 * The subprotocol that a WebSocket with a token among its subprotocols is to
 * be answered with; empty where there is none.
 */
void ngx_http_cqrs_jwt_subprotocol(ngx_http_request_t *r, ngx_str_t *name);


#endif /* NGX_HTTP_CQRS_JWT_H */
