
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "ngx_http_cqrs_query_openapi.h"

#include "ngx_http_cqrs_query_document.h"

#include "cqrs_negotiate.h"


static ngx_int_t ngx_http_cqrs_query_openapi_accept(
    ngx_http_cqrs_query_ctx_t *ctx, cqrs_query_error_t *error);
static void ngx_http_cqrs_query_openapi_what(ngx_http_cqrs_query_ctx_t *ctx,
    ngx_http_cqrs_query_document_t *what);


ngx_int_t
ngx_http_cqrs_query_openapi(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_query_error_t *error)
{
    ngx_http_cqrs_query_document_t  what;

    ngx_memzero(error, sizeof(cqrs_query_error_t));

    if (ngx_http_cqrs_query_openapi_accept(ctx, error) != NGX_OK
        || ngx_http_cqrs_query_prepare(ctx, NULL, error) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_cqrs_query_openapi_what(ctx, &what);

    if (ngx_http_cqrs_query_document_statement(ctx->request->pool,
                                               &ctx->statements[ctx->main],
                                               &what)
        != NGX_OK)
    {
        cqrs_query_no_memory(error);
        return NGX_ERROR;
    }

    ctx->n = ctx->main + 1;

    return NGX_OK;
}


ngx_int_t
ngx_http_cqrs_query_openapi_reply(ngx_http_cqrs_query_ctx_t *ctx,
    PGresult **results)
{
    ngx_str_t                       body;
    ngx_http_cqrs_query_document_t  what;

    if (ctx->request->method == NGX_HTTP_HEAD) {
        ngx_str_null(&body);

    } else {
        ngx_http_cqrs_query_openapi_what(ctx, &what);

        if (ngx_http_cqrs_query_document_body(ctx->request, &body,
                            results[ctx->main],
                            ngx_cqrs_catalog_current(ctx->conf->catalog),
                            &what)
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    return ngx_http_cqrs_query_send(ctx, NGX_HTTP_OK, NULL, &body);
}


/* PostgREST's type is the answer to whatever is JSON, of either version. */

static ngx_int_t
ngx_http_cqrs_query_openapi_accept(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_query_error_t *error)
{
    size_t  i;

    for (i = 0; i < ctx->accepted.n; i++) {

        ctx->media = ctx->accepted.types[i];

        switch (ctx->media.kind) {

        case CQRS_MEDIA_ANY:
        case CQRS_MEDIA_JSON:
            ctx->media.kind = CQRS_MEDIA_OPENAPI;
            return NGX_OK;

        case CQRS_MEDIA_OPENAPI:
        case CQRS_MEDIA_OPENAPI_2:
        case CQRS_MEDIA_OPENAPI_3:
            return NGX_OK;

        default:
            break;
        }
    }

    cqrs_negotiate_refuse(&ctx->accepted, &ctx->arena, error);

    return NGX_ERROR;
}


static void
ngx_http_cqrs_query_openapi_what(ngx_http_cqrs_query_ctx_t *ctx,
    ngx_http_cqrs_query_document_t *what)
{
    ngx_http_cqrs_query_loc_conf_t  *conf;

    conf = ctx->conf;

    switch (ctx->media.kind) {

    case CQRS_MEDIA_OPENAPI_2:
        what->version = CQRS_OPENAPI_2;
        break;

    case CQRS_MEDIA_OPENAPI_3:
        what->version = CQRS_OPENAPI_3;
        break;

    default: /* CQRS_MEDIA_OPENAPI */
        what->version = conf->openapi_version;
    }

    what->schema = ctx->schema;
    what->all = (conf->openapi == NGX_HTTP_CQRS_QUERY_OPENAPI_IGNORE);
    what->security = conf->openapi_security;
    what->connect = conf->openapi_connect;
    what->proxy = conf->openapi_proxy;
}
