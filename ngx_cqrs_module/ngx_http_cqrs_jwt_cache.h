
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The tokens whose signature one worker has verified, of so many at most.
 * Whether a token is still good is asked each time: what is kept is only that
 * these keys have signed it, and what it says.
 */

#ifndef NGX_HTTP_CQRS_JWT_CACHE_H
#define NGX_HTTP_CQRS_JWT_CACHE_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "cqrs_cache.h"
#include "cqrs_jwt.h"


typedef struct {
    cqrs_cache_t  tokens;
    ngx_int_t     max;          /* 0: none is kept */
} ngx_http_cqrs_jwt_cache_t;


/* It begins empty, and ends with the pool. */
ngx_int_t ngx_http_cqrs_jwt_cache_init(ngx_http_cqrs_jwt_cache_t *cache,
    ngx_pool_t *pool);

/*
 * Verifies a token, a NUL follows, and asks the rules.  Returns NULL when it
 * is good, or else a sentence.  Verified is new, or NULL.  Hit: the token was
 * known.
 */
const char *ngx_http_cqrs_jwt_cache_check(ngx_http_cqrs_jwt_cache_t *cache,
    ngx_array_t *keys, const cqrs_jwt_rules_t *rules, ngx_str_t *token,
    json_t **verified, ngx_uint_t *hit);


#endif /* NGX_HTTP_CQRS_JWT_CACHE_H */
