
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The directive cqrs_query, and the catalogues of its locations: one for each
 * database and list of schemas, loaded when a worker starts.
 */

#include "ngx_http_cqrs_module.h"
#include "ngx_http_cqrs_jwt.h"
#include "ngx_http_cqrs_query.h"


typedef struct {
    ngx_array_t                      catalogs;   /* of ngx_cqrs_catalog_t * */
} ngx_http_cqrs_query_main_conf_t;


static char *ngx_http_cqrs_query(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_cqrs_query_parse_schemas(ngx_conf_t *cf,
    ngx_http_cqrs_query_loc_conf_t *qlcf, u_char *p, u_char *last);
static char *ngx_http_cqrs_query_parse_relation(ngx_conf_t *cf,
    ngx_http_cqrs_query_loc_conf_t *qlcf, ngx_str_t *value);
static void *ngx_http_cqrs_query_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_cqrs_query_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_cqrs_query_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_cqrs_catalog_t *ngx_http_cqrs_query_catalog(ngx_conf_t *cf,
    ngx_cqrs_pg_t *pg, ngx_array_t *schemas);
static ngx_int_t ngx_http_cqrs_query_init_process(ngx_cycle_t *cycle);
static void ngx_http_cqrs_query_exit_process(ngx_cycle_t *cycle);


static ngx_command_t  ngx_http_cqrs_query_commands[] = {

    { ngx_string("cqrs_query"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_cqrs_query,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


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


static char *
ngx_http_cqrs_query(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                            *rv;
    ngx_str_t                       *args, value;
    ngx_uint_t                       i;
    ngx_http_core_loc_conf_t        *clcf;
    ngx_http_cqrs_query_loc_conf_t  *qlcf = conf;

    if (qlcf->schemas != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    args = cf->args->elts;
    rv = NGX_CONF_OK;

    for (i = 1; i < cf->args->nelts && rv == NGX_CONF_OK; i++) {

        value = args[i];

        if (ngx_strncmp(value.data, "schema=", 7) == 0
            && qlcf->schemas == NGX_CONF_UNSET_PTR)
        {
            rv = ngx_http_cqrs_query_parse_schemas(cf, qlcf, value.data + 7,
                                                   value.data + value.len);

        } else if (ngx_strncmp(value.data, "relation=", 9) == 0
                   && qlcf->relation == NGX_CONF_UNSET_PTR)
        {
            value.data += 9;
            value.len -= 9;

            rv = ngx_http_cqrs_query_parse_relation(cf, qlcf, &value);

        } else if (ngx_strncmp(value.data, "max_rows=", 9) == 0
                   && qlcf->max_rows == NGX_CONF_UNSET)
        {
            qlcf->max_rows = ngx_atoi(value.data + 9, value.len - 9);

            if (qlcf->max_rows == NGX_ERROR) {
                return "has an invalid \"max_rows\"";
            }

        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value);
            return NGX_CONF_ERROR;
        }
    }

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (qlcf->schemas == NGX_CONF_UNSET_PTR) {
        return "needs \"schema=\"";
    }

    if (qlcf->relation == NGX_CONF_UNSET_PTR
        && (clcf->regex || clcf->named || clcf->exact_match
            || clcf->name.len == 0))
    {
        return "needs \"relation=\" in a location that is no prefix";
    }

    clcf->handler = ngx_http_cqrs_query_handler;

    return NGX_CONF_OK;
}


static char *
ngx_http_cqrs_query_parse_schemas(ngx_conf_t *cf,
    ngx_http_cqrs_query_loc_conf_t *qlcf, u_char *p, u_char *last)
{
    u_char     *end;
    ngx_str_t  *schema;

    qlcf->schemas = ngx_array_create(cf->pool, 2, sizeof(ngx_str_t));
    if (qlcf->schemas == NULL) {
        return NGX_CONF_ERROR;
    }

    for ( ;; ) {
        end = ngx_strlchr(p, last, ',');

        if (end == NULL) {
            end = last;
        }

        if (end == p) {
            return "has an empty name in \"schema\"";
        }

        schema = ngx_array_push(qlcf->schemas);
        if (schema == NULL) {
            return NGX_CONF_ERROR;
        }

        schema->data = p;
        schema->len = end - p;

        if (end == last) {
            return NGX_CONF_OK;
        }

        p = end + 1;
    }
}


static char *
ngx_http_cqrs_query_parse_relation(ngx_conf_t *cf,
    ngx_http_cqrs_query_loc_conf_t *qlcf, ngx_str_t *value)
{
    ngx_http_compile_complex_value_t  ccv;

    qlcf->relation = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (qlcf->relation == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = value;
    ccv.complex_value = qlcf->relation;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


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


static void *
ngx_http_cqrs_query_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_cqrs_query_loc_conf_t  *qlcf;

    qlcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_cqrs_query_loc_conf_t));
    if (qlcf == NULL) {
        return NULL;
    }

    qlcf->schemas = NGX_CONF_UNSET_PTR;
    qlcf->relation = NGX_CONF_UNSET_PTR;
    qlcf->max_rows = NGX_CONF_UNSET;

    return qlcf;
}


static char *
ngx_http_cqrs_query_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_uint_t                       own;
    ngx_http_core_loc_conf_t        *clcf;
    ngx_http_cqrs_loc_conf_t        *lcf;
    ngx_http_cqrs_query_loc_conf_t  *prev = parent;
    ngx_http_cqrs_query_loc_conf_t  *conf = child;

    own = (conf->schemas != NGX_CONF_UNSET_PTR);

    ngx_conf_merge_ptr_value(conf->schemas, prev->schemas, NULL);
    ngx_conf_merge_ptr_value(conf->relation, prev->relation, NULL);
    ngx_conf_merge_value(conf->max_rows, prev->max_rows, -1);

    if (conf->schemas == NULL) {
        return NGX_CONF_OK;
    }

    lcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_cqrs_module);

    conf->postgres = lcf->postgres;

    if (conf->postgres == NULL) {

        if (!own) {
            return NGX_CONF_OK;
        }

        clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"cqrs_query\" in location \"%V\" needs "
                      "\"cqrs_postgres\"", &clcf->name);

        return NGX_CONF_ERROR;
    }

    conf->catalog = ngx_http_cqrs_query_catalog(cf, conf->postgres,
                                                conf->schemas);
    if (conf->catalog == NULL) {
        return NGX_CONF_ERROR;
    }

    return own ? ngx_http_cqrs_jwt_check_conf(cf) : NGX_CONF_OK;
}


/* One for all locations with the same database and schemas. */

static ngx_cqrs_catalog_t *
ngx_http_cqrs_query_catalog(ngx_conf_t *cf, ngx_cqrs_pg_t *pg,
    ngx_array_t *schemas)
{
    ngx_uint_t                        i;
    ngx_cqrs_catalog_t              **catalog;
    ngx_cqrs_catalog_conf_t           conf;
    ngx_http_cqrs_query_main_conf_t  *qmcf;

    ngx_memzero(&conf, sizeof(ngx_cqrs_catalog_conf_t));

    conf.pg = pg;
    conf.schemas = schemas;

    qmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_cqrs_query_module);

    catalog = qmcf->catalogs.elts;

    for (i = 0; i < qmcf->catalogs.nelts; i++) {
        if (ngx_cqrs_catalog_is(catalog[i], &conf)) {
            return catalog[i];
        }
    }

    catalog = ngx_array_push(&qmcf->catalogs);
    if (catalog == NULL) {
        return NULL;
    }

    *catalog = ngx_cqrs_catalog_create(cf, &conf);

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
