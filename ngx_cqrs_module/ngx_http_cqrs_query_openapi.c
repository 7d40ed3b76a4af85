
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "ngx_http_cqrs_query_openapi.h"


ngx_int_t
ngx_http_cqrs_query_openapi(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_query_error_t *error)
{
    cqrs_query_refuse(error, NGX_HTTP_NOT_FOUND, "PGRST126",
                      "Root endpoint metadata is disabled");

    return NGX_ERROR;
}


ngx_int_t
ngx_http_cqrs_query_openapi_reply(ngx_http_cqrs_query_ctx_t *ctx,
    PGresult **results)
{
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
}
