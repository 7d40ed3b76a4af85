
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* Whether a token is good: its shape, its signature, its time. */

#ifndef NGX_HTTP_CQRS_JWT_TOKEN_H
#define NGX_HTTP_CQRS_JWT_TOKEN_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <jansson.h>


/* A longer one is refused unread. */
#define NGX_HTTP_CQRS_JWT_TOKEN_MAX  8192


/*
 * Checks a token, NUL-terminated, with an array of ngx_http_cqrs_jwt_key_t.
 * Returns NULL when it is good, or else a sentence that may be shown.  Text
 * and claims are the caller's to release in both cases; each may be NULL.
 */
const char *ngx_http_cqrs_jwt_token_check(ngx_array_t *keys, ngx_str_t *token,
    char **text, json_t **claims);


#endif /* NGX_HTTP_CQRS_JWT_TOKEN_H */
