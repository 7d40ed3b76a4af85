
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* Reads the directive cqrs_command. */

#include "ngx_http_cqrs_command.h"


static ngx_int_t ngx_http_cqrs_command_parameter(ngx_str_t *arg,
    const char *name, ngx_str_t *value);
static char *ngx_http_cqrs_command_compile(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_complex_value_t **value);
static char *ngx_http_cqrs_command_set_methods(ngx_conf_t *cf,
    ngx_http_cqrs_command_loc_conf_t *conf, ngx_str_t *value);
static char *ngx_http_cqrs_command_set_wait(ngx_conf_t *cf,
    ngx_http_cqrs_command_loc_conf_t *conf, ngx_str_t *value);
static char *ngx_http_cqrs_command_set_body(ngx_conf_t *cf,
    ngx_http_cqrs_command_loc_conf_t *conf, ngx_str_t *value);


static ngx_conf_bitmask_t  ngx_http_cqrs_command_methods[] = {
    { ngx_string("POST"), NGX_HTTP_POST },
    { ngx_string("PUT"), NGX_HTTP_PUT },
    { ngx_string("PATCH"), NGX_HTTP_PATCH },
    { ngx_string("DELETE"), NGX_HTTP_DELETE },
    { ngx_null_string, 0 }
};


/*
 * cqrs_command TYPE stream=STREAM [methods=METHOD,...] [wait=TIME]
 *              [body=required|optional]
 */

char *
ngx_http_cqrs_command_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_cqrs_command_loc_conf_t *ccf = conf;

    ngx_str_t                 *value, stream, methods, wait, body;
    ngx_uint_t                 i;
    ngx_http_core_loc_conf_t  *clcf;

    if (ccf->type) {
        return "is duplicate";
    }

    ngx_str_null(&stream);
    ngx_str_null(&wait);
    ngx_str_set(&methods, "POST");
    ngx_str_set(&body, "required");

    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_http_cqrs_command_parameter(&value[i], "stream=", &stream)
            || ngx_http_cqrs_command_parameter(&value[i], "methods=", &methods)
            || ngx_http_cqrs_command_parameter(&value[i], "wait=", &wait)
            || ngx_http_cqrs_command_parameter(&value[i], "body=", &body))
        {
            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\", known are "
                           "stream=, methods=, wait= and body=", &value[i]);
        return NGX_CONF_ERROR;
    }

    if (stream.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"cqrs_command\" does not say which stream "
                           "the command is for, it needs stream=");
        return NGX_CONF_ERROR;
    }

    if (ngx_http_cqrs_command_compile(cf, &value[1], &ccf->type)
           != NGX_CONF_OK
        || ngx_http_cqrs_command_compile(cf, &stream, &ccf->stream)
           != NGX_CONF_OK
        || ngx_http_cqrs_command_set_methods(cf, ccf, &methods)
           != NGX_CONF_OK
        || ngx_http_cqrs_command_set_wait(cf, ccf, &wait) != NGX_CONF_OK
        || ngx_http_cqrs_command_set_body(cf, ccf, &body) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_cqrs_command_handler;

    return NGX_CONF_OK;
}


/* 1 if the argument is this parameter. */

static ngx_int_t
ngx_http_cqrs_command_parameter(ngx_str_t *arg, const char *name,
    ngx_str_t *value)
{
    size_t  len;

    len = ngx_strlen(name);

    if (arg->len < len || ngx_memcmp(arg->data, name, len) != 0) {
        return 0;
    }

    value->data = arg->data + len;
    value->len = arg->len - len;

    return 1;
}


static char *
ngx_http_cqrs_command_compile(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_complex_value_t **value)
{
    ngx_http_compile_complex_value_t  ccv;

    *value = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (*value == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = text;
    ccv.complex_value = *value;

    return ngx_http_compile_complex_value(&ccv) == NGX_OK ? NGX_CONF_OK
                                                          : NGX_CONF_ERROR;
}


/* Reads "POST,PUT" and writes it again as the Allow header has it. */

static char *
ngx_http_cqrs_command_set_methods(ngx_conf_t *cf,
    ngx_http_cqrs_command_loc_conf_t *conf, ngx_str_t *value)
{
    u_char              *p, *last, *end;
    ngx_conf_bitmask_t  *method;

    conf->allow.data = ngx_pnalloc(cf->pool, 2 * value->len + 1);
    if (conf->allow.data == NULL) {
        return NGX_CONF_ERROR;
    }

    last = value->data + value->len;

    for (p = value->data; p <= last; p = end + 1) {
        end = ngx_strlchr(p, last, ',');
        if (end == NULL) {
            end = last;
        }

        for (method = ngx_http_cqrs_command_methods; method->name.len;
             method++)
        {
            if (method->name.len == (size_t) (end - p)
                && ngx_memcmp(method->name.data, p, end - p) == 0)
            {
                break;
            }
        }

        if (method->name.len == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid methods \"%V\", a list of "
                               "POST, PUT, PATCH and DELETE is known", value);
            return NGX_CONF_ERROR;
        }

        conf->methods |= method->mask;

        if (conf->allow.len) {
            conf->allow.data[conf->allow.len++] = ',';
            conf->allow.data[conf->allow.len++] = ' ';
        }

        ngx_memcpy(conf->allow.data + conf->allow.len, p, end - p);
        conf->allow.len += end - p;
    }

    return NGX_CONF_OK;
}


/* Not said is the usual, where there is a Redis. */

static char *
ngx_http_cqrs_command_set_wait(ngx_conf_t *cf,
    ngx_http_cqrs_command_loc_conf_t *conf, ngx_str_t *value)
{
    ngx_int_t  msec;

    conf->wait = NGX_CONF_UNSET_MSEC;

    if (value->data == NULL) {
        return NGX_CONF_OK;
    }

    msec = ngx_parse_time(value, 0);

    if (msec == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid wait \"%V\", it is a time such as 30s, "
                           "or 0 for never", value);
        return NGX_CONF_ERROR;
    }

    conf->wait = (ngx_msec_t) msec;

    return NGX_CONF_OK;
}


static char *
ngx_http_cqrs_command_set_body(ngx_conf_t *cf,
    ngx_http_cqrs_command_loc_conf_t *conf, ngx_str_t *value)
{
    conf->optional = (ngx_strcmp(value->data, "optional") == 0);

    if (conf->optional || ngx_strcmp(value->data, "required") == 0) {
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid body \"%V\", it is required or optional",
                       value);
    return NGX_CONF_ERROR;
}
