
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* Who sends the request: a JSON Web Token, checked once per request. */

#ifndef NGX_HTTP_CQRS_JWT_H
#define NGX_HTTP_CQRS_JWT_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * To be called first by each content handler of ours.  NGX_OK: go on.
 * Anything else: a 401 with a problem document was sent; return it.
 */
ngx_int_t ngx_http_cqrs_jwt_authorize(ngx_http_request_t *r);

/*
 * The verified token's claims as JSON text, NUL-terminated, from r->pool; NULL
 * where there is no token.
 */
const char *ngx_http_cqrs_jwt_claims(ngx_http_request_t *r);

/* The same for one claim that is text or a number; an empty string if none. */
ngx_int_t ngx_http_cqrs_jwt_claim(ngx_http_request_t *r, ngx_str_t *name,
    ngx_str_t *value);


#endif /* NGX_HTTP_CQRS_JWT_H */
