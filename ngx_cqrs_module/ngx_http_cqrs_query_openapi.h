
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* The document that describes what a location answers. */

#ifndef NGX_HTTP_CQRS_QUERY_OPENAPI_H
#define NGX_HTTP_CQRS_QUERY_OPENAPI_H


#include "ngx_http_cqrs_query_ctx.h"


/*
 * The root is asked for with GET or HEAD, and there is a catalogue.  Adds to
 * the statements of ctx what has to be known; ctx->main is the first of them.
 */
ngx_int_t ngx_http_cqrs_query_openapi(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_query_error_t *error);

/* The statements were run: the answer. */
ngx_int_t ngx_http_cqrs_query_openapi_reply(ngx_http_cqrs_query_ctx_t *ctx,
    PGresult **results);


#endif /* NGX_HTTP_CQRS_QUERY_OPENAPI_H */
