
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* What the directive cqrs_query and the handler it installs share. */

#ifndef NGX_HTTP_CQRS_QUERY_H
#define NGX_HTTP_CQRS_QUERY_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_cqrs_catalog.h"
#include "ngx_cqrs_pg.h"


typedef struct {
    ngx_array_t                     *schemas;    /* of ngx_str_t */
    ngx_http_complex_value_t        *relation;   /* NULL: the URI's rest */
    ngx_int_t                        max_rows;
    ngx_cqrs_pg_t                   *postgres;
    ngx_cqrs_catalog_t              *catalog;
} ngx_http_cqrs_query_loc_conf_t;


extern ngx_module_t  ngx_http_cqrs_query_module;


/* A GET becomes a select, and its rows the answer. */
ngx_int_t ngx_http_cqrs_query_handler(ngx_http_request_t *r);


#endif /* NGX_HTTP_CQRS_QUERY_H */
