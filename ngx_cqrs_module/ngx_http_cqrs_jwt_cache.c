
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "ngx_http_cqrs_jwt_cache.h"

#include <openssl/sha.h>


/* The keys, and the token's hash: other keys, another entry. */

#define NGX_HTTP_CQRS_JWT_CACHE_KEY                                           \
    (sizeof(ngx_array_t *) + SHA256_DIGEST_LENGTH)


static void ngx_http_cqrs_jwt_cache_cleanup(void *data);
static ngx_int_t ngx_http_cqrs_jwt_cache_open(
    ngx_http_cqrs_jwt_cache_t *cache);


ngx_int_t
ngx_http_cqrs_jwt_cache_init(ngx_http_cqrs_jwt_cache_t *cache,
    ngx_pool_t *pool)
{
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_cqrs_jwt_cache_cleanup;
    cln->data = &cache->tokens;

    return NGX_OK;
}


static void
ngx_http_cqrs_jwt_cache_cleanup(void *data)
{
    cqrs_cache_cleanup(data);
}


/* In the worker, where the first token is seen. */

static ngx_int_t
ngx_http_cqrs_jwt_cache_open(ngx_http_cqrs_jwt_cache_t *cache)
{
    if (cache->max <= 0) {
        return NGX_DECLINED;
    }

    if (cache->tokens.buckets) {
        return NGX_OK;
    }

    return cqrs_cache_init(&cache->tokens, cache->max) == 0 ? NGX_OK
                                                            : NGX_DECLINED;
}


const char *
ngx_http_cqrs_jwt_cache_check(ngx_http_cqrs_jwt_cache_t *cache,
    ngx_array_t *keys, const cqrs_jwt_rules_t *rules, ngx_str_t *token,
    json_t **verified, ngx_uint_t *hit)
{
    u_char              *p;
    u_char               key[NGX_HTTP_CQRS_JWT_CACHE_KEY];
    ngx_int_t            rc;
    const char          *error;
    cqrs_cache_entry_t  *entry;

    *hit = 0;
    entry = NULL;

    rc = (token->len <= CQRS_JWT_MAX) ? ngx_http_cqrs_jwt_cache_open(cache)
                                      : NGX_DECLINED;

    if (rc == NGX_OK) {
        p = ngx_cpymem(key, &keys, sizeof(ngx_array_t *));
        SHA256(token->data, token->len, p);

        entry = cqrs_cache_get(&cache->tokens, (char *) key, sizeof(key));
    }

    if (entry) {
        *hit = 1;
        *verified = json_incref(entry->state);

    } else {
        error = cqrs_jwt_verify(keys->elts, keys->nelts, (char *) token->data,
                                token->len, verified);
        if (error) {
            return error;
        }
    }

    error = cqrs_jwt_accept(rules, cqrs_jwt_claims(*verified), ngx_time());

    if (error == NULL && rc == NGX_OK && entry == NULL) {
        cqrs_cache_set(&cache->tokens, (char *) key, sizeof(key), 0,
                       *verified);
    }

    /* here it may be expired, or for somebody else; the others ask again */

    if (error && entry) {
        cqrs_cache_drop(&cache->tokens, (char *) key, sizeof(key));
    }

    return error;
}
