
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The module of queries, and the catalogues of its locations: one for each
 * database, list of schemas and search path, loaded when a worker starts.
 */

#include "ngx_http_cqrs_query.h"


typedef struct {
    ngx_array_t                      catalogs;   /* of ngx_cqrs_catalog_t * */
} ngx_http_cqrs_query_main_conf_t;


static void *ngx_http_cqrs_query_create_main_conf(ngx_conf_t *cf);
static ngx_int_t ngx_http_cqrs_query_init_process(ngx_cycle_t *cycle);
static void ngx_http_cqrs_query_exit_process(ngx_cycle_t *cycle);


static ngx_http_module_t  ngx_http_cqrs_query_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    ngx_http_cqrs_query_create_main_conf,  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_cqrs_query_create_loc_conf,   /* create location configuration */
    ngx_http_cqrs_query_merge_loc_conf     /* merge location configuration */
};


ngx_module_t  ngx_http_cqrs_query_module = {
    NGX_MODULE_V1,
    &ngx_http_cqrs_query_module_ctx,       /* module context */
    ngx_http_cqrs_query_commands,          /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_cqrs_query_init_process,      /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_cqrs_query_exit_process,      /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_http_cqrs_query_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_cqrs_query_main_conf_t  *qmcf;

    qmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_cqrs_query_main_conf_t));
    if (qmcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&qmcf->catalogs, cf->pool, 2,
                       sizeof(ngx_cqrs_catalog_t *))
        != NGX_OK)
    {
        return NULL;
    }

    return qmcf;
}


ngx_cqrs_catalog_t *
ngx_http_cqrs_query_catalog(ngx_conf_t *cf,
    ngx_http_cqrs_query_loc_conf_t *conf)
{
    ngx_uint_t                        i;
    ngx_cqrs_catalog_t              **catalog;
    ngx_cqrs_catalog_conf_t           what;
    ngx_http_cqrs_query_main_conf_t  *qmcf;

    ngx_memzero(&what, sizeof(ngx_cqrs_catalog_conf_t));

    what.pg = conf->postgres;
    what.schemas = conf->schemas;
    what.extra = conf->extra;

    if (ngx_cqrs_pg_sessions(conf->postgres)) {
        what.channel = conf->channel;
    }

    qmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_cqrs_query_module);

    catalog = qmcf->catalogs.elts;

    for (i = 0; i < qmcf->catalogs.nelts; i++) {
        if (ngx_cqrs_catalog_is(catalog[i], &what)) {
            return catalog[i];
        }
    }

    catalog = ngx_array_push(&qmcf->catalogs);
    if (catalog == NULL) {
        return NULL;
    }

    *catalog = ngx_cqrs_catalog_create(cf, &what);

    return *catalog;
}


static ngx_int_t
ngx_http_cqrs_query_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                        i;
    ngx_cqrs_catalog_t              **catalog;
    ngx_http_cqrs_query_main_conf_t  *qmcf;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    qmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_cqrs_query_module);
    if (qmcf == NULL) {
        return NGX_OK;                     /* no http block */
    }

    catalog = qmcf->catalogs.elts;

    for (i = 0; i < qmcf->catalogs.nelts; i++) {
        if (ngx_cqrs_catalog_start(catalog[i], cycle) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static void
ngx_http_cqrs_query_exit_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                        i;
    ngx_cqrs_catalog_t              **catalog;
    ngx_http_cqrs_query_main_conf_t  *qmcf;

    qmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_cqrs_query_module);
    if (qmcf == NULL) {
        return;
    }

    catalog = qmcf->catalogs.elts;

    for (i = 0; i < qmcf->catalogs.nelts; i++) {
        ngx_cqrs_catalog_stop(catalog[i]);
    }
}
