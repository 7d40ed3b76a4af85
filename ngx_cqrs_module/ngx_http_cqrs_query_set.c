
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* Directives of queries whose values are more than a word or a number. */

#include "ngx_http_cqrs_query.h"
#include "ngx_http_cqrs_query_conf.h"

#include "cqrs_identifier.h"
#include "cqrs_openapi.h"
#include "cqrs_role_claim.h"


/* A name is cut by Postgres where it is longer. */
#define NGX_HTTP_CQRS_QUERY_NAME_MAX      63

/* The settings of the request itself need some places, too. */
#define NGX_HTTP_CQRS_QUERY_SETTINGS_MAX  50


static ngx_uint_t ngx_http_cqrs_query_off(ngx_conf_t *cf);
static ngx_uint_t ngx_http_cqrs_query_is_token(ngx_str_t *name);
static const char *ngx_http_cqrs_query_bad_setting(ngx_str_t *name);


/* What nobody else may set: the request does. */

static ngx_str_t  ngx_http_cqrs_query_reserved[] = {
    ngx_string("role"),
    ngx_string("search_path"),
    ngx_string("session_authorization"),
    ngx_null_string
};


char *
ngx_http_cqrs_query_set_name(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_str_t  *value, *field;

    field = (ngx_str_t *) (p + cmd->offset);
    value = cf->args->elts;

    if (field->data) {
        return "is duplicate";
    }

    if (value[1].len == 0) {
        return "has an empty value";
    }

    if (value[1].len > NGX_HTTP_CQRS_QUERY_NAME_MAX) {
        return "has a name that is too long";
    }

    if (ngx_http_cqrs_query_off(cf)) {
        ngx_str_set(field, "");
        return NGX_CONF_OK;
    }

    *field = value[1];

    return NGX_CONF_OK;
}


char *
ngx_http_cqrs_query_set_names(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_str_t     *value, *name;
    ngx_uint_t     i;
    ngx_array_t  **names;

    names = (ngx_array_t **) (p + cmd->offset);
    value = cf->args->elts;

    if (*names != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    *names = ngx_array_create(cf->pool, cf->args->nelts, sizeof(ngx_str_t));
    if (*names == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_cqrs_query_off(cf)) {
        return NGX_CONF_OK;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (value[i].len == 0) {
            return "has an empty value";
        }

        name = ngx_array_push(*names);
        if (name == NULL) {
            return NGX_CONF_ERROR;
        }

        *name = value[i];
    }

    return NGX_CONF_OK;
}


char *
ngx_http_cqrs_query_set_role_claim(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_cqrs_query_loc_conf_t *qlcf = conf;

    ngx_str_t   *value;
    cqrs_str_t   path;
    const char  *where;

    if (qlcf->role_claim.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    path.data = (char *) value[1].data;
    path.len = value[1].len;

    where = cqrs_role_claim_check(&path);

    if (where) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid path \"%V\" at \"%s\", it must be like "
                           "\".role\" or \".app.roles[0]\"", &value[1], where);
        return NGX_CONF_ERROR;
    }

    qlcf->role_claim = value[1];

    return NGX_CONF_OK;
}


char *
ngx_http_cqrs_query_set_setting(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_cqrs_query_loc_conf_t *qlcf = conf;

    ngx_str_t                         *value;
    const char                        *reason;
    ngx_http_cqrs_query_setting_t     *setting;
    ngx_http_compile_complex_value_t   ccv;

    value = cf->args->elts;

    reason = ngx_http_cqrs_query_bad_setting(&value[1]);

    if (reason) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "setting \"%V\" %s", &value[1], reason);
        return NGX_CONF_ERROR;
    }

    if (qlcf->variables == NGX_CONF_UNSET_PTR) {
        qlcf->variables = ngx_array_create(cf->pool, 4,
                                       sizeof(ngx_http_cqrs_query_setting_t));
        if (qlcf->variables == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (qlcf->variables->nelts == NGX_HTTP_CQRS_QUERY_SETTINGS_MAX) {
        return "is there too often";
    }

    setting = ngx_array_push(qlcf->variables);
    if (setting == NULL) {
        return NGX_CONF_ERROR;
    }

    setting->name = value[1];

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value[2];
    ccv.complex_value = &setting->value;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* NULL: it is good. */

static const char *
ngx_http_cqrs_query_bad_setting(ngx_str_t *name)
{
    size_t      i;
    u_char      c;
    ngx_str_t  *reserved;

    for (reserved = ngx_http_cqrs_query_reserved; reserved->len; reserved++) {
        if (name->len == reserved->len
            && ngx_strncasecmp(name->data, reserved->data, name->len) == 0)
        {
            return "is set by the request";
        }
    }

    if (name->len >= sizeof("request.") - 1
        && ngx_strncasecmp(name->data, (u_char *) "request.",
                           sizeof("request.") - 1)
           == 0)
    {
        return "is set by the request";
    }

    for (i = 0; i < name->len; i++) {
        c = ngx_tolower(name->data[i]);

        if (!((c >= 'a' && c <= 'z') || c == '_'
              || (i && ((c >= '0' && c <= '9') || c == '$' || c == '.'))))
        {
            return "has no name of a setting";
        }
    }

    return (name->len == 0 || name->data[name->len - 1] == '.')
           ? "has no name of a setting" : NULL;
}


/* schema.function, or a function that the search path finds. */

char *
ngx_http_cqrs_query_set_pre_request(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_cqrs_query_loc_conf_t *qlcf = conf;

    u_char     *p, *dot;
    ngx_str_t  *value, schema, name;

    if (qlcf->pre_request.data) {
        return "is duplicate";
    }

    if (ngx_http_cqrs_query_off(cf)) {
        ngx_str_set(&qlcf->pre_request, "");
        return NGX_CONF_OK;
    }

    value = cf->args->elts;

    name = value[1];
    ngx_str_null(&schema);

    dot = ngx_strlchr(name.data, name.data + name.len, '.');

    if (dot) {
        schema.data = name.data;
        schema.len = dot - name.data;

        name.len -= schema.len + 1;
        name.data = dot + 1;
    }

    if (name.len == 0 || (dot && schema.len == 0)) {
        return "needs the name of a function";
    }

    p = ngx_pnalloc(cf->pool, sizeof("select \"\".\"\"()")
                              + 2 * (schema.len + name.len));
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    qlcf->pre_request.data = p;

    p = ngx_cpymem(p, "select ", sizeof("select ") - 1);

    if (dot) {
        p = ngx_http_cqrs_query_quote(p, &schema);
        *p++ = '.';
    }

    p = ngx_http_cqrs_query_quote(p, &name);
    *p++ = '(';
    *p++ = ')';

    qlcf->pre_request.len = p - qlcf->pre_request.data;

    return NGX_CONF_OK;
}


char *
ngx_http_cqrs_query_set_origins(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_cqrs_query_loc_conf_t *qlcf = conf;

    u_char      *p;
    ngx_str_t   *value, *origin;
    ngx_uint_t   i;

    if (qlcf->cors != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_http_cqrs_query_off(cf)) {
        qlcf->cors = NGX_HTTP_CQRS_QUERY_CORS_OFF;
        return NGX_CONF_OK;
    }

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "*") == 0) {
        qlcf->cors = NGX_HTTP_CQRS_QUERY_CORS_ANY;
        return NGX_CONF_OK;
    }

    qlcf->cors = NGX_HTTP_CQRS_QUERY_CORS_LISTED;

    qlcf->origins = ngx_array_create(cf->pool, cf->args->nelts,
                                     sizeof(ngx_str_t));
    if (qlcf->origins == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        p = ngx_strstrn(value[i].data, "://", 3 - 1);

        if (p == NULL || p == value[i].data || p[3] == '\0'
            || ngx_strchr(p + 3, '/'))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid origin \"%V\", it must be like "
                               "\"https://example.com\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        origin = ngx_array_push(qlcf->origins);
        if (origin == NULL) {
            return NGX_CONF_ERROR;
        }

        *origin = value[i];
    }

    return NGX_CONF_OK;
}


char *
ngx_http_cqrs_query_set_trace_header(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_cqrs_query_loc_conf_t *qlcf = conf;

    ngx_str_t  *value;

    if (qlcf->trace_header.data) {
        return "is duplicate";
    }

    if (ngx_http_cqrs_query_off(cf)) {
        ngx_str_set(&qlcf->trace_header, "");
        ngx_str_set(&qlcf->trace_lowcase, "");
        return NGX_CONF_OK;
    }

    value = cf->args->elts;

    if (!ngx_http_cqrs_query_is_token(&value[1])) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid name of a header \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    qlcf->trace_header = value[1];

    qlcf->trace_lowcase.len = value[1].len;
    qlcf->trace_lowcase.data = ngx_pstrdup(cf->pool, &value[1]);
    if (qlcf->trace_lowcase.data == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_strlow(qlcf->trace_lowcase.data, value[1].data, value[1].len);

    return NGX_CONF_OK;
}


/* on, off, or where OpenID tells who gives tokens */

char *
ngx_http_cqrs_query_set_security(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_cqrs_query_loc_conf_t *qlcf = conf;

    ngx_str_t              *value;
    cqrs_str_t              uri;
    cqrs_openapi_server_t   server;

    if (qlcf->openapi_security != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_http_cqrs_query_off(cf)) {
        qlcf->openapi_security = 0;
        return NGX_CONF_OK;
    }

    qlcf->openapi_security = 1;

    if (ngx_strcmp(value[1].data, "on") == 0) {
        return NGX_CONF_OK;
    }

    uri.data = (char *) value[1].data;
    uri.len = value[1].len;

    if (cqrs_openapi_server(&server, &uri) != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\", it must be \"on\", "
                           "\"off\" or like \"https://example.com/"
                           ".well-known/openid-configuration\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    qlcf->openapi_connect = value[1];

    return NGX_CONF_OK;
}


char *
ngx_http_cqrs_query_set_proxy(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_cqrs_query_loc_conf_t *qlcf = conf;

    ngx_str_t              *value;
    cqrs_str_t              uri;
    cqrs_openapi_server_t   server;

    if (qlcf->openapi_proxy.data) {
        return "is duplicate";
    }

    if (ngx_http_cqrs_query_off(cf)) {
        ngx_str_set(&qlcf->openapi_proxy, "");
        return NGX_CONF_OK;
    }

    value = cf->args->elts;

    uri.data = (char *) value[1].data;
    uri.len = value[1].len;

    if (cqrs_openapi_server(&server, &uri) != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid address \"%V\", it must be like "
                           "\"https://example.com/api\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    qlcf->openapi_proxy = value[1];

    return NGX_CONF_OK;
}


u_char *
ngx_http_cqrs_query_quote(u_char *p, ngx_str_t *name)
{
    return (u_char *) cqrs_identifier((char *) p, (char *) name->data,
                                      name->len);
}


static ngx_uint_t
ngx_http_cqrs_query_off(ngx_conf_t *cf)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    return cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0;
}


static ngx_uint_t
ngx_http_cqrs_query_is_token(ngx_str_t *name)
{
    size_t  i;
    u_char  c;

    for (i = 0; i < name->len; i++) {
        c = ngx_tolower(name->data[i]);

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'
              || c == '_'))
        {
            return 0;
        }
    }

    return name->len != 0;
}
