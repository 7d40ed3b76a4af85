
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* What the directives of queries and the handler they install share. */

#ifndef NGX_HTTP_CQRS_QUERY_H
#define NGX_HTTP_CQRS_QUERY_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_cqrs_catalog.h"
#include "ngx_cqrs_pg.h"


typedef enum {
    NGX_HTTP_CQRS_QUERY_CORS_OFF = 0,
    NGX_HTTP_CQRS_QUERY_CORS_ANY,
    NGX_HTTP_CQRS_QUERY_CORS_LISTED
} ngx_http_cqrs_query_cors_e;


typedef enum {
    NGX_HTTP_CQRS_QUERY_OPENAPI_DISABLED = 0,
    NGX_HTTP_CQRS_QUERY_OPENAPI_FOLLOW,
    NGX_HTTP_CQRS_QUERY_OPENAPI_IGNORE
} ngx_http_cqrs_query_openapi_e;


/* A query only reads: it is the same how it ends, but not who may say so. */
typedef enum {
    NGX_HTTP_CQRS_QUERY_TX_FIXED = 0,
    NGX_HTTP_CQRS_QUERY_TX_ASKED
} ngx_http_cqrs_query_tx_e;


typedef struct {
    ngx_str_t                        name;
    ngx_http_complex_value_t         value;
} ngx_http_cqrs_query_setting_t;


/* Of cqrs_sql: $1, $2... */
typedef struct {
    ngx_http_complex_value_t         value;
    ngx_uint_t                       decoded;    /* it is $arg_name alone */
} ngx_http_cqrs_query_parameter_t;


typedef struct {
    ngx_array_t                     *schemas;    /* of ngx_str_t */
    ngx_http_complex_value_t        *relation;   /* NULL: the URI's rest */
    ngx_int_t                        max_rows;
    ngx_cqrs_pg_t                   *postgres;
    ngx_cqrs_catalog_t              *catalog;    /* NULL with cqrs_sql */

    /* cqrs_sql; empty: it is not one of these */
    ngx_str_t                        sql;
    ngx_array_t                     *parameters; /* .._query_parameter_t */

    /* who reads: roles is set if the token or its absence says so */
    ngx_flag_t                       roles;
    ngx_str_t                        anonymous_role;
    ngx_str_t                        role_claim;

    /* what the transaction knows */
    ngx_flag_t                       settings;
    ngx_array_t                     *extra;      /* of ngx_str_t: schemas */
    ngx_str_t                        search_path;    /* , "extra" */
    ngx_array_t                     *variables;  /* of .._query_setting_t */
    ngx_str_t                        pre_request;    /* its call in SQL */
    ngx_str_t                        timezone;

    /* what may be asked */
    ngx_flag_t                       aggregates;
    ngx_flag_t                       plan;
    ngx_flag_t                       legacy_targets;
    ngx_uint_t                       tx_end;

    /* how it is answered */
    ngx_uint_t                       cors;
    ngx_array_t                     *origins;    /* of ngx_str_t */
    size_t                           buffer;     /* of a body, in memory */
    ngx_flag_t                       server_timing;
    ngx_str_t                        trace_header;
    ngx_str_t                        trace_lowcase;
    ngx_uint_t                       minimal;    /* errors are */

    /* the root */
    ngx_uint_t                       openapi;
    ngx_uint_t                       openapi_version;
    ngx_flag_t                       openapi_security;
    ngx_str_t                        openapi_connect;
    ngx_str_t                        openapi_proxy;
    ngx_str_t                        root_function;

    ngx_str_t                        channel;    /* empty: none */
} ngx_http_cqrs_query_loc_conf_t;


extern ngx_module_t  ngx_http_cqrs_query_module;
extern ngx_command_t  ngx_http_cqrs_query_commands[];


/* A GET becomes a select, and its rows the answer. */
ngx_int_t ngx_http_cqrs_query_handler(ngx_http_request_t *r);

/* The configuration of a location. */
void *ngx_http_cqrs_query_create_loc_conf(ngx_conf_t *cf);
char *ngx_http_cqrs_query_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);

/*
 * The catalogue for such a location, one for all that are alike.  NULL: no
 * memory.
 */
ngx_cqrs_catalog_t *ngx_http_cqrs_query_catalog(ngx_conf_t *cf,
    ngx_http_cqrs_query_loc_conf_t *conf);


#endif /* NGX_HTTP_CQRS_QUERY_H */
