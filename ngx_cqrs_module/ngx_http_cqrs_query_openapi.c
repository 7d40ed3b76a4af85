
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "ngx_http_cqrs_query_openapi.h"

#include "ngx_http_cqrs_query_document.h"

#include "cqrs_negotiate.h"


static ngx_int_t ngx_http_cqrs_query_openapi_media(
    ngx_http_cqrs_query_ctx_t *ctx, cqrs_query_error_t *error);
static void ngx_http_cqrs_query_openapi_what(ngx_http_cqrs_query_ctx_t *ctx,
    ngx_http_cqrs_query_document_t *what);


ngx_int_t
ngx_http_cqrs_query_openapi(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_query_error_t *error)
{
    ngx_http_cqrs_query_document_t  what;

    ngx_memzero(error, sizeof(cqrs_query_error_t));

    if (ngx_http_cqrs_query_openapi_media(ctx, error) != NGX_OK
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
    ngx_str_t                        body;
    ngx_http_cqrs_query_document_t   what;

    ngx_http_cqrs_query_openapi_what(ctx, &what);

    if (ngx_http_cqrs_query_document_body(ctx->request, &body,
                  results[ctx->main],
                  ngx_cqrs_catalog_current(ctx->conf->catalog), &what)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_cqrs_query_send(ctx, NGX_HTTP_OK, NULL, &body);
}


/* Version 3.1 is for those who ask for it. */

static ngx_int_t
ngx_http_cqrs_query_openapi_media(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_query_error_t *error)
{
    size_t  i;

    for (i = 0; i < ctx->accepted.n; i++) {

        switch (ctx->accepted.types[i].kind) {

        case CQRS_MEDIA_OPENAPI_3:
            ctx->media.kind = CQRS_MEDIA_OPENAPI_3;
            return NGX_OK;

        case CQRS_MEDIA_OPENAPI:
        case CQRS_MEDIA_JSON:
        case CQRS_MEDIA_ANY:
            ctx->media.kind = CQRS_MEDIA_OPENAPI;
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
    ngx_memzero(what, sizeof(ngx_http_cqrs_query_document_t));

    what->version = (ctx->media.kind == CQRS_MEDIA_OPENAPI_3)
                    ? CQRS_OPENAPI_3 : CQRS_OPENAPI_2;
    what->schema = ctx->schema;
    what->all = (ctx->conf->openapi == NGX_HTTP_CQRS_QUERY_OPENAPI_IGNORE);
    what->security = ctx->conf->openapi_security;
    what->proxy = ctx->conf->openapi_proxy;
}
