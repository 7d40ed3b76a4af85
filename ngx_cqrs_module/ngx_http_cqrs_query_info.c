
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * OPTIONS: what may be done.  Allow tells what the relation or the function
 * would bear in PostgREST, of which only the reading is done here.
 */

#include "ngx_http_cqrs_query_ctx.h"


static ngx_int_t ngx_http_cqrs_query_info_relation(
    ngx_http_cqrs_query_ctx_t *ctx, ngx_str_t *allow,
    cqrs_query_error_t *error);
static ngx_int_t ngx_http_cqrs_query_info_function(
    ngx_http_cqrs_query_ctx_t *ctx, ngx_str_t *allow,
    cqrs_query_error_t *error);
static ngx_uint_t ngx_http_cqrs_query_has_key(
    const cqrs_relation_t *relation);


ngx_int_t
ngx_http_cqrs_query_info(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_query_error_t *error, ngx_int_t *rc)
{
    ngx_int_t         found;
    ngx_str_t         allow, body;

    static ngx_str_t  all = ngx_string("*");

    switch (ctx->kind) {

    case NGX_HTTP_CQRS_QUERY_RELATION:
        found = ngx_http_cqrs_query_info_relation(ctx, &allow, error);
        break;

    case NGX_HTTP_CQRS_QUERY_FUNCTION:
        found = ngx_http_cqrs_query_info_function(ctx, &allow, error);
        break;

    default: /* NGX_HTTP_CQRS_QUERY_ROOT */
        ngx_str_set(&allow, "OPTIONS,GET,HEAD");
        found = NGX_OK;
        break;
    }

    if (found != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_cqrs_query_header(ctx, "Allow", &allow);

    /* with an origin it is said among what all answers have */

    if (ctx->conf->cors == NGX_HTTP_CQRS_QUERY_CORS_ANY) {
        ngx_http_cqrs_query_header(ctx, "Access-Control-Allow-Origin", &all);
    }

    ngx_str_set(&body, "");

    *rc = ngx_http_cqrs_query_send(ctx, NGX_HTTP_OK, NULL, &body);

    return NGX_OK;
}


static ngx_int_t
ngx_http_cqrs_query_info_relation(ngx_http_cqrs_query_ctx_t *ctx,
    ngx_str_t *allow, cqrs_query_error_t *error)
{
    u_char                 *p;
    const cqrs_relation_t  *relation;

    relation = cqrs_query_relation(
                   ngx_cqrs_catalog_current(ctx->conf->catalog),
                   &ctx->schema, &ctx->name, &ctx->arena, error);

    if (relation == NULL) {
        return NGX_ERROR;
    }

    p = cqrs_arena_alloc(&ctx->arena,
                         sizeof("OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE"));
    if (p == NULL) {
        cqrs_query_no_memory(error);
        return NGX_ERROR;
    }

    allow->data = p;

    p = ngx_sprintf(p, "OPTIONS,GET,HEAD%s%s%s%s",
                    relation->insertable ? ",POST" : "",
                    (relation->insertable && relation->updatable
                     && ngx_http_cqrs_query_has_key(relation)) ? ",PUT" : "",
                    relation->updatable ? ",PATCH" : "",
                    relation->deletable ? ",DELETE" : "");

    allow->len = p - allow->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_cqrs_query_info_function(ngx_http_cqrs_query_ctx_t *ctx,
    ngx_str_t *allow, cqrs_query_error_t *error)
{
    const cqrs_function_t  *function;

    function = ngx_http_cqrs_query_callee(ctx, error);

    if (function == NULL) {
        return NGX_ERROR;
    }

    if (function->volatility == 'v') {
        ngx_str_set(allow, "OPTIONS,POST");

    } else {
        ngx_str_set(allow, "OPTIONS,GET,HEAD,POST");
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_cqrs_query_has_key(const cqrs_relation_t *relation)
{
    const cqrs_column_t  *column;

    for (column = relation->columns; column; column = column->next) {
        if (column->primary) {
            return 1;
        }
    }

    return 0;
}
