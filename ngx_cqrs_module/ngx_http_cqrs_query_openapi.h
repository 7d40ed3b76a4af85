
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The answer to a GET of a location's root: an OpenAPI document of what the
 * role may read.  The statement is run as that role, in the transaction that
 * every query has; its result makes the document.
 */

#ifndef NGX_HTTP_CQRS_QUERY_OPENAPI_H
#define NGX_HTTP_CQRS_QUERY_OPENAPI_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_cqrs_pg.h"

#include "cqrs_openapi.h"


typedef struct {
    cqrs_openapi_version_e   version;
    ngx_str_t                type;         /* of the answer: Content-Type */
    cqrs_str_t               schema;
    ngx_uint_t               all;          /* also what the role may not use */
    ngx_uint_t               security;
    ngx_str_t                proxy;        /* empty: the request's own URI */
} ngx_http_cqrs_query_openapi_t;


/* The statement.  Its texts live as long as the pool. */
ngx_int_t ngx_http_cqrs_query_openapi_statement(ngx_pool_t *pool,
    ngx_cqrs_pg_statement_text_t *statement,
    const ngx_http_cqrs_query_openapi_t *what);

/*
 * The answer, made of the statement's result, which is borrowed.  Returns what
 * a content handler returns.
 */
ngx_int_t ngx_http_cqrs_query_openapi_reply(ngx_http_request_t *r,
    PGresult *result, const cqrs_catalog_t *catalog,
    const ngx_http_cqrs_query_openapi_t *what);


#endif /* NGX_HTTP_CQRS_QUERY_OPENAPI_H */
