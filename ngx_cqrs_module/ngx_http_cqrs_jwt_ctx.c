
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * A token is looked for when something first asks, by the rules of the
 * location the request is in then; another location with other rules looks
 * again.  It is checked when its claims are wanted.
 */

#include "ngx_http_cqrs_jwt_ctx.h"
#include "ngx_http_cqrs_jwt_from.h"


static ngx_array_t *ngx_http_cqrs_jwt_keys(ngx_http_cqrs_jwt_loc_conf_t *conf);
static ngx_uint_t ngx_http_cqrs_jwt_same(ngx_http_cqrs_jwt_loc_conf_t *a,
    ngx_http_cqrs_jwt_loc_conf_t *b);
static ngx_http_cqrs_jwt_ctx_t *ngx_http_cqrs_jwt_find(ngx_http_request_t *r);
static void ngx_http_cqrs_jwt_cleanup(void *data);


ngx_uint_t
ngx_http_cqrs_jwt_mode(ngx_http_cqrs_jwt_loc_conf_t *conf)
{
    if (conf->mode != NGX_CONF_UNSET_UINT) {
        return conf->mode;
    }

    return conf->keys ? NGX_HTTP_CQRS_JWT_REQUIRED : NGX_HTTP_CQRS_JWT_OFF;
}


/* NULL: nothing is believed. */

static ngx_array_t *
ngx_http_cqrs_jwt_keys(ngx_http_cqrs_jwt_loc_conf_t *conf)
{
    return (ngx_http_cqrs_jwt_mode(conf) == NGX_HTTP_CQRS_JWT_OFF)
           ? NULL : conf->keys;
}


/* Whether a token means the same at both. */

static ngx_uint_t
ngx_http_cqrs_jwt_same(ngx_http_cqrs_jwt_loc_conf_t *a,
    ngx_http_cqrs_jwt_loc_conf_t *b)
{
    return ngx_http_cqrs_jwt_keys(a) == ngx_http_cqrs_jwt_keys(b)
           && a->from == b->from
           && a->audiences == b->audiences
           && a->issuers == b->issuers
           && a->leeway == b->leeway
           && a->postgrest == b->postgrest;
}


void
ngx_http_cqrs_jwt_rules(ngx_http_cqrs_jwt_loc_conf_t *conf,
    cqrs_jwt_rules_t *rules)
{
    ngx_memzero(rules, sizeof(cqrs_jwt_rules_t));

    rules->leeway = conf->leeway;
    rules->postgrest = conf->postgrest;

    if (conf->audiences) {
        rules->audiences = conf->audiences->elts;
        rules->naudiences = conf->audiences->nelts;
    }

    if (conf->issuers) {
        rules->issuers = conf->issuers->elts;
        rules->nissuers = conf->issuers->nelts;
    }
}


/* An internal redirect forgets contexts, the pool does not. */

ngx_http_cqrs_jwt_ctx_t *
ngx_http_cqrs_jwt_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t       *cln;
    ngx_http_cqrs_jwt_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_cqrs_jwt_module);

    if (ctx || !r->internal) {
        return ctx;
    }

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        ctx = cln->data;

        if (cln->handler == ngx_http_cqrs_jwt_cleanup && ctx->request == r) {
            return ctx;
        }
    }

    return NULL;
}


/* Returns NULL when memory is short. */

static ngx_http_cqrs_jwt_ctx_t *
ngx_http_cqrs_jwt_find(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t            *cln;
    ngx_http_cqrs_jwt_ctx_t       *ctx, *before;
    ngx_http_cqrs_jwt_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_cqrs_jwt_module);

    before = ngx_http_cqrs_jwt_ctx(r);

    if (before && ngx_http_cqrs_jwt_same(before->conf, conf)) {
        return before;
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_cqrs_jwt_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;
    ngx_memzero(ctx, sizeof(ngx_http_cqrs_jwt_ctx_t));

    cln->handler = ngx_http_cqrs_jwt_cleanup;

    ctx->request = r;
    ctx->conf = conf;
    ctx->rc = NGX_DECLINED;

    if (before) {
        ctx->args = before->args;
    }

    if (ngx_http_cqrs_jwt_keys(conf)) {
        ctx->rc = ngx_http_cqrs_jwt_from_find(r, conf->from, &ctx->args,
                                              &ctx->token);
    }

    if (ctx->rc == NGX_ERROR) {
        return NULL;
    }

    if (ctx->rc == NGX_OK) {
        ctx->rc = NGX_AGAIN;
    }

    ngx_http_set_ctx(r, ctx, ngx_http_cqrs_jwt_module);

    return ctx;
}


ngx_http_cqrs_jwt_ctx_t *
ngx_http_cqrs_jwt_check(ngx_http_request_t *r)
{
    cqrs_jwt_rules_t                rules;
    ngx_http_cqrs_jwt_ctx_t        *ctx;
    ngx_http_cqrs_jwt_main_conf_t  *jmcf;

    ctx = ngx_http_cqrs_jwt_find(r);

    if (ctx == NULL || ctx->rc != NGX_AGAIN) {
        return ctx;
    }

    jmcf = ngx_http_get_module_main_conf(r, ngx_http_cqrs_jwt_module);

    ngx_http_cqrs_jwt_rules(ctx->conf, &rules);

    ctx->error = ngx_http_cqrs_jwt_cache_check(&jmcf->cache, ctx->conf->keys,
                                               &rules, &ctx->token,
                                               &ctx->verified, &ctx->hit);

    ctx->rc = ctx->error ? NGX_ERROR : NGX_OK;

    return ctx;
}


json_t *
ngx_http_cqrs_jwt_known(ngx_http_cqrs_jwt_ctx_t *ctx)
{
    return (ctx->rc == NGX_OK) ? cqrs_jwt_claims(ctx->verified) : NULL;
}


static void
ngx_http_cqrs_jwt_cleanup(void *data)
{
    ngx_http_cqrs_jwt_ctx_t  *ctx = data;

    json_decref(ctx->verified);
}


ngx_int_t
ngx_http_cqrs_jwt_hide(ngx_http_request_t *r)
{
    ngx_http_cqrs_jwt_ctx_t  *ctx;

    ctx = ngx_http_cqrs_jwt_find(r);

    return ctx ? ngx_http_cqrs_jwt_from_hide(r, ctx->conf->from, &ctx->args)
               : NGX_ERROR;
}
