
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The OpenAPI document of what a role may read.  The statement is run as that
 * role, in the transaction that every query has; its result makes the
 * document.
 */

#ifndef NGX_HTTP_CQRS_QUERY_DOCUMENT_H
#define NGX_HTTP_CQRS_QUERY_DOCUMENT_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_cqrs_pg.h"

#include "cqrs_openapi.h"


typedef struct {
    cqrs_openapi_version_e   version;
    cqrs_str_t               schema;
    ngx_uint_t               all;          /* also what the role may not use */
    ngx_uint_t               security;
    ngx_str_t                connect;      /* OpenID's discovery, or empty */
    ngx_str_t                proxy;        /* empty: the request's own URI */
} ngx_http_cqrs_query_document_t;


/* The statement.  Its texts live as long as the pool. */
ngx_int_t ngx_http_cqrs_query_document_statement(ngx_pool_t *pool,
    ngx_cqrs_pg_statement_text_t *statement,
    const ngx_http_cqrs_query_document_t *what);

/*
 * The document, made of the statement's result, which is borrowed; it lives as
 * long as the request.
 */
ngx_int_t ngx_http_cqrs_query_document_body(ngx_http_request_t *r,
    ngx_str_t *body, PGresult *result, const cqrs_catalog_t *catalog,
    const ngx_http_cqrs_query_document_t *what);


#endif /* NGX_HTTP_CQRS_QUERY_DOCUMENT_H */
