
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The directives of queries: cqrs_query, which makes a location one that is
 * read, and those that say who reads, what may be asked and how it is
 * answered.
 */

#include "ngx_http_cqrs_module.h"
#include "ngx_http_cqrs_jwt.h"
#include "ngx_http_cqrs_query.h"
#include "ngx_http_cqrs_query_conf.h"

#include "cqrs_openapi.h"


static char *ngx_http_cqrs_query(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_cqrs_query_set_schemas(ngx_conf_t *cf,
    ngx_http_cqrs_query_loc_conf_t *qlcf, u_char *p, u_char *last);
static char *ngx_http_cqrs_query_set_relation(ngx_conf_t *cf,
    ngx_http_cqrs_query_loc_conf_t *qlcf, ngx_str_t *value);
static char *ngx_http_cqrs_query_merge_own(ngx_conf_t *cf,
    ngx_http_cqrs_query_loc_conf_t *conf, ngx_uint_t own);
static char *ngx_http_cqrs_query_merge_path(ngx_conf_t *cf,
    ngx_http_cqrs_query_loc_conf_t *conf);


#define NGX_HTTP_CQRS_QUERY_CONF                                              \
    NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF


static ngx_conf_enum_t  ngx_http_cqrs_query_openapi_modes[] = {
    { ngx_string("disabled"), NGX_HTTP_CQRS_QUERY_OPENAPI_DISABLED },
    { ngx_string("follow-privileges"), NGX_HTTP_CQRS_QUERY_OPENAPI_FOLLOW },
    { ngx_string("ignore-privileges"), NGX_HTTP_CQRS_QUERY_OPENAPI_IGNORE },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_cqrs_query_openapi_versions[] = {
    { ngx_string("2.0"), CQRS_OPENAPI_2 },
    { ngx_string("3.1"), CQRS_OPENAPI_3 },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_cqrs_query_tx_ends[] = {
    { ngx_string("commit"), NGX_HTTP_CQRS_QUERY_TX_FIXED },
    { ngx_string("rollback"), NGX_HTTP_CQRS_QUERY_TX_FIXED },
    { ngx_string("commit-allow-override"), NGX_HTTP_CQRS_QUERY_TX_ASKED },
    { ngx_string("rollback-allow-override"), NGX_HTTP_CQRS_QUERY_TX_ASKED },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_cqrs_query_verbosities[] = {
    { ngx_string("full"), 0 },
    { ngx_string("minimal"), 1 },
    { ngx_null_string, 0 }
};


ngx_command_t  ngx_http_cqrs_query_commands[] = {

    { ngx_string("cqrs_query"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_cqrs_query,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cqrs_sql"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_cqrs_query_set_sql,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cqrs_query_anonymous_role"),
      NGX_HTTP_CQRS_QUERY_CONF|NGX_CONF_TAKE1,
      ngx_http_cqrs_query_set_name,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_cqrs_query_loc_conf_t, anonymous_role),
      NULL },

    { ngx_string("cqrs_query_role_claim"),
      NGX_HTTP_CQRS_QUERY_CONF|NGX_CONF_TAKE1,
      ngx_http_cqrs_query_set_role_claim,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cqrs_query_settings"),
      NGX_HTTP_CQRS_QUERY_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_cqrs_query_loc_conf_t, settings),
      NULL },

    { ngx_string("cqrs_query_extra_search_path"),
      NGX_HTTP_CQRS_QUERY_CONF|NGX_CONF_1MORE,
      ngx_http_cqrs_query_set_names,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_cqrs_query_loc_conf_t, extra),
      NULL },

    { ngx_string("cqrs_query_setting"),
      NGX_HTTP_CQRS_QUERY_CONF|NGX_CONF_TAKE2,
      ngx_http_cqrs_query_set_setting,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cqrs_query_pre_request"),
      NGX_HTTP_CQRS_QUERY_CONF|NGX_CONF_TAKE1,
      ngx_http_cqrs_query_set_pre_request,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cqrs_query_timezone"),
      NGX_HTTP_CQRS_QUERY_CONF|NGX_CONF_TAKE1,
      ngx_http_cqrs_query_set_name,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_cqrs_query_loc_conf_t, timezone),
      NULL },

    { ngx_string("cqrs_query_aggregates"),
      NGX_HTTP_CQRS_QUERY_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_cqrs_query_loc_conf_t, aggregates),
      NULL },

    { ngx_string("cqrs_query_plan"),
      NGX_HTTP_CQRS_QUERY_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_cqrs_query_loc_conf_t, plan),
      NULL },

    { ngx_string("cqrs_query_legacy_targets"),
      NGX_HTTP_CQRS_QUERY_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_cqrs_query_loc_conf_t, legacy_targets),
      NULL },

    { ngx_string("cqrs_query_tx_end"),
      NGX_HTTP_CQRS_QUERY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_cqrs_query_loc_conf_t, tx_end),
      ngx_http_cqrs_query_tx_ends },

    { ngx_string("cqrs_query_cors_origins"),
      NGX_HTTP_CQRS_QUERY_CONF|NGX_CONF_1MORE,
      ngx_http_cqrs_query_set_origins,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cqrs_query_buffer"),
      NGX_HTTP_CQRS_QUERY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_cqrs_query_loc_conf_t, buffer),
      NULL },

    { ngx_string("cqrs_query_server_timing"),
      NGX_HTTP_CQRS_QUERY_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_cqrs_query_loc_conf_t, server_timing),
      NULL },

    { ngx_string("cqrs_query_trace_header"),
      NGX_HTTP_CQRS_QUERY_CONF|NGX_CONF_TAKE1,
      ngx_http_cqrs_query_set_trace_header,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cqrs_query_error_verbosity"),
      NGX_HTTP_CQRS_QUERY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_cqrs_query_loc_conf_t, minimal),
      ngx_http_cqrs_query_verbosities },

    { ngx_string("cqrs_query_openapi"),
      NGX_HTTP_CQRS_QUERY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_cqrs_query_loc_conf_t, openapi),
      ngx_http_cqrs_query_openapi_modes },

    { ngx_string("cqrs_query_openapi_version"),
      NGX_HTTP_CQRS_QUERY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_cqrs_query_loc_conf_t, openapi_version),
      ngx_http_cqrs_query_openapi_versions },

    { ngx_string("cqrs_query_openapi_security"),
      NGX_HTTP_CQRS_QUERY_CONF|NGX_CONF_TAKE1,
      ngx_http_cqrs_query_set_security,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cqrs_query_openapi_proxy"),
      NGX_HTTP_CQRS_QUERY_CONF|NGX_CONF_TAKE1,
      ngx_http_cqrs_query_set_proxy,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cqrs_query_root_function"),
      NGX_HTTP_CQRS_QUERY_CONF|NGX_CONF_TAKE1,
      ngx_http_cqrs_query_set_name,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_cqrs_query_loc_conf_t, root_function),
      NULL },

    { ngx_string("cqrs_query_channel"),
      NGX_HTTP_CQRS_QUERY_CONF|NGX_CONF_TAKE1,
      ngx_http_cqrs_query_set_name,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_cqrs_query_loc_conf_t, channel),
      NULL },

      ngx_null_command
};


/* cqrs_query schema=NAME,... [relation=VALUE] [max_rows=N] */

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

    if (qlcf->sql.len) {
        return "and \"cqrs_sql\" exclude each other";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    args = cf->args->elts;
    rv = NGX_CONF_OK;

    for (i = 1; i < cf->args->nelts && rv == NGX_CONF_OK; i++) {

        value = args[i];

        if (ngx_strncmp(value.data, "schema=", 7) == 0
            && qlcf->schemas == NGX_CONF_UNSET_PTR)
        {
            rv = ngx_http_cqrs_query_set_schemas(cf, qlcf, value.data + 7,
                                                 value.data + value.len);

        } else if (ngx_strncmp(value.data, "relation=", 9) == 0
                   && qlcf->relation == NGX_CONF_UNSET_PTR)
        {
            value.data += 9;
            value.len -= 9;

            rv = ngx_http_cqrs_query_set_relation(cf, qlcf, &value);

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
ngx_http_cqrs_query_set_schemas(ngx_conf_t *cf,
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
ngx_http_cqrs_query_set_relation(ngx_conf_t *cf,
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


void *
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
    qlcf->settings = NGX_CONF_UNSET;
    qlcf->extra = NGX_CONF_UNSET_PTR;
    qlcf->variables = NGX_CONF_UNSET_PTR;
    qlcf->aggregates = NGX_CONF_UNSET;
    qlcf->plan = NGX_CONF_UNSET;
    qlcf->legacy_targets = NGX_CONF_UNSET;
    qlcf->tx_end = NGX_CONF_UNSET_UINT;
    qlcf->cors = NGX_CONF_UNSET_UINT;
    qlcf->buffer = NGX_CONF_UNSET_SIZE;
    qlcf->server_timing = NGX_CONF_UNSET;
    qlcf->minimal = NGX_CONF_UNSET_UINT;
    qlcf->openapi = NGX_CONF_UNSET_UINT;
    qlcf->openapi_version = NGX_CONF_UNSET_UINT;
    qlcf->openapi_security = NGX_CONF_UNSET;

    return qlcf;
}


char *
ngx_http_cqrs_query_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_uint_t                       own;
    ngx_http_cqrs_query_loc_conf_t  *prev = parent;
    ngx_http_cqrs_query_loc_conf_t  *conf = child;

    own = (conf->schemas != NGX_CONF_UNSET_PTR || conf->sql.len);

    if (!own) {
        conf->sql = prev->sql;
        conf->parameters = prev->parameters;
    }

    ngx_conf_merge_ptr_value(conf->schemas, prev->schemas, NULL);
    ngx_conf_merge_ptr_value(conf->relation, prev->relation, NULL);
    ngx_conf_merge_value(conf->max_rows, prev->max_rows, -1);

    ngx_conf_merge_str_value(conf->anonymous_role, prev->anonymous_role, "");
    ngx_conf_merge_str_value(conf->role_claim, prev->role_claim, "");

    ngx_conf_merge_value(conf->settings, prev->settings, 1);
    ngx_conf_merge_ptr_value(conf->extra, prev->extra, NULL);
    ngx_conf_merge_ptr_value(conf->variables, prev->variables, NULL);
    ngx_conf_merge_str_value(conf->pre_request, prev->pre_request, "");
    ngx_conf_merge_str_value(conf->timezone, prev->timezone, "");

    ngx_conf_merge_value(conf->aggregates, prev->aggregates, 0);
    ngx_conf_merge_value(conf->plan, prev->plan, 0);
    ngx_conf_merge_value(conf->legacy_targets, prev->legacy_targets, 1);
    ngx_conf_merge_uint_value(conf->tx_end, prev->tx_end,
                              NGX_HTTP_CQRS_QUERY_TX_FIXED);

    if (conf->cors == NGX_CONF_UNSET_UINT) {
        conf->origins = prev->origins;
    }

    ngx_conf_merge_uint_value(conf->cors, prev->cors,
                              NGX_HTTP_CQRS_QUERY_CORS_ANY);
    ngx_conf_merge_size_value(conf->buffer, prev->buffer, 1024 * 1024);
    ngx_conf_merge_value(conf->server_timing, prev->server_timing, 0);
    ngx_conf_merge_str_value(conf->trace_header, prev->trace_header, "");
    ngx_conf_merge_str_value(conf->trace_lowcase, prev->trace_lowcase, "");
    ngx_conf_merge_uint_value(conf->minimal, prev->minimal, 0);

    ngx_conf_merge_uint_value(conf->openapi, prev->openapi,
                              NGX_HTTP_CQRS_QUERY_OPENAPI_FOLLOW);
    ngx_conf_merge_uint_value(conf->openapi_version, prev->openapi_version,
                              CQRS_OPENAPI_2);

    if (conf->openapi_security == NGX_CONF_UNSET) {
        conf->openapi_connect = prev->openapi_connect;
    }

    ngx_conf_merge_value(conf->openapi_security, prev->openapi_security, 0);
    ngx_conf_merge_str_value(conf->openapi_proxy, prev->openapi_proxy, "");
    ngx_conf_merge_str_value(conf->root_function, prev->root_function, "");

    ngx_conf_merge_str_value(conf->channel, prev->channel, "pgrst");

    if (conf->schemas == NULL && conf->sql.len == 0) {
        return NGX_CONF_OK;
    }

    return ngx_http_cqrs_query_merge_own(cf, conf, own);
}


/* Where queries are answered, or would be. */

static char *
ngx_http_cqrs_query_merge_own(ngx_conf_t *cf,
    ngx_http_cqrs_query_loc_conf_t *conf, ngx_uint_t own)
{
    ngx_http_core_loc_conf_t  *clcf;
    ngx_http_cqrs_loc_conf_t  *lcf;

    lcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_cqrs_module);

    conf->postgres = lcf->postgres;

    if (conf->postgres == NULL) {

        if (!own) {
            return NGX_CONF_OK;
        }

        clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%s\" in location \"%V\" needs "
                      "\"cqrs_postgres\"",
                      conf->sql.len ? "cqrs_sql" : "cqrs_query",
                      &clcf->name);

        return NGX_CONF_ERROR;
    }

    conf->roles = conf->anonymous_role.len || conf->role_claim.len;

    if (conf->roles && !conf->settings) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "a role can't be set with \"cqrs_query_settings off\"");
        return NGX_CONF_ERROR;
    }

    if (ngx_http_cqrs_query_merge_path(cf, conf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    if (conf->sql.len == 0) {
        conf->catalog = ngx_http_cqrs_query_catalog(cf, conf);
        if (conf->catalog == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (conf->roles) {
        ngx_http_cqrs_jwt_as_postgrest(cf);
    }

    return own ? ngx_http_cqrs_jwt_check_conf(cf) : NGX_CONF_OK;
}


/* What follows the request's own schema. */

static char *
ngx_http_cqrs_query_merge_path(ngx_conf_t *cf,
    ngx_http_cqrs_query_loc_conf_t *conf)
{
    u_char      *p;
    size_t       len;
    ngx_str_t   *name;
    ngx_uint_t   i;

    if (conf->extra == NULL) {
        conf->extra = ngx_array_create(cf->pool, 1, sizeof(ngx_str_t));
        if (conf->extra == NULL) {
            return NGX_CONF_ERROR;
        }

        name = ngx_array_push(conf->extra);
        if (name == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_str_set(name, "public");
    }

    name = conf->extra->elts;
    len = 0;

    for (i = 0; i < conf->extra->nelts; i++) {
        len += 2 * name[i].len + sizeof(", \"\"");
    }

    p = ngx_pnalloc(cf->pool, len + 1);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    conf->search_path.data = p;

    for (i = 0; i < conf->extra->nelts; i++) {
        *p++ = ',';
        *p++ = ' ';
        p = ngx_http_cqrs_query_quote(p, &name[i]);
    }

    conf->search_path.len = p - conf->search_path.data;

    return NGX_CONF_OK;
}
