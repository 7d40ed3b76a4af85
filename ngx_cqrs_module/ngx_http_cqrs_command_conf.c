
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* Reads cqrs_command and cqrs_command_keys, and merges what locations say. */

#include "ngx_http_cqrs_module.h"
#include "ngx_http_cqrs_command.h"
#include "ngx_http_cqrs_jwt.h"


#define NGX_HTTP_CQRS_COMMAND_WAIT  30000
#define NGX_HTTP_CQRS_COMMAND_KEYS  (1024 * 1024)


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
static char *ngx_http_cqrs_command_make_keys(ngx_conf_t *cf);
static char *ngx_http_cqrs_command_learn(ngx_conf_t *cf,
    ngx_http_cqrs_command_loc_conf_t *conf, ngx_cqrs_pg_t *pg);


static ngx_conf_bitmask_t  ngx_http_cqrs_command_methods[] = {
    { ngx_string("POST"), NGX_HTTP_POST },
    { ngx_string("PUT"), NGX_HTTP_PUT },
    { ngx_string("PATCH"), NGX_HTTP_PATCH },
    { ngx_string("DELETE"), NGX_HTTP_DELETE },
    { ngx_null_string, 0 }
};


/*
 * cqrs_command TYPE stream=STREAM [methods=METHOD,...] [wait=TIME]
 *              [body=required|optional] [causation=EVENT]
 */

char *
ngx_http_cqrs_command_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_cqrs_command_loc_conf_t *ccf = conf;

    ngx_str_t                 *value, stream, methods, wait, body, causation;
    ngx_uint_t                 i;
    ngx_http_core_loc_conf_t  *clcf;

    if (ccf->type) {
        return "is duplicate";
    }

    ngx_str_null(&stream);
    ngx_str_null(&wait);
    ngx_str_null(&causation);
    ngx_str_set(&methods, "POST");
    ngx_str_set(&body, "required");

    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_http_cqrs_command_parameter(&value[i], "stream=", &stream)
            || ngx_http_cqrs_command_parameter(&value[i], "methods=", &methods)
            || ngx_http_cqrs_command_parameter(&value[i], "wait=", &wait)
            || ngx_http_cqrs_command_parameter(&value[i], "body=", &body)
            || ngx_http_cqrs_command_parameter(&value[i], "causation=",
                                               &causation))
        {
            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\", known are "
                           "stream=, methods=, wait=, body= and causation=",
                           &value[i]);
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
        || (causation.data
            && ngx_http_cqrs_command_compile(cf, &causation, &ccf->causation)
               != NGX_CONF_OK)
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


/* cqrs_command_keys SIZE|off */

char *
ngx_http_cqrs_command_set_keys(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_cqrs_command_main_conf_t *mcf = conf;

    ssize_t     size;
    ngx_str_t  *value;

    if (mcf->keys_size != NGX_CONF_UNSET_SIZE) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        mcf->keys_size = 0;
        return NGX_CONF_OK;
    }

    size = ngx_parse_size(&value[1]);

    if (size == NGX_ERROR || size < (ssize_t) NGX_CQRS_KEYS_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid size \"%V\", it is %uz or more, or "
                           "\"off\"", &value[1], NGX_CQRS_KEYS_MIN);
        return NGX_CONF_ERROR;
    }

    mcf->keys_size = size;

    return NGX_CONF_OK;
}


/* Whoever is the first to have commands. */

static char *
ngx_http_cqrs_command_make_keys(ngx_conf_t *cf)
{
    ngx_http_cqrs_command_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_cqrs_command_module);

    if (mcf->keys || mcf->keys_size == 0) {
        return NGX_CONF_OK;
    }

    mcf->keys = ngx_cqrs_keys_create(cf, mcf->keys_size,
                                     &ngx_http_cqrs_command_module);

    return mcf->keys ? NGX_CONF_OK : NGX_CONF_ERROR;
}


void *
ngx_http_cqrs_command_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_cqrs_command_main_conf_t  *mcf;

    mcf = ngx_palloc(cf->pool, sizeof(ngx_http_cqrs_command_main_conf_t));
    if (mcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&mcf->learned, cf->pool, 1,
                       sizeof(ngx_cqrs_partitions_t *))
        != NGX_OK)
    {
        return NULL;
    }

    mcf->keys_size = NGX_CONF_UNSET_SIZE;
    mcf->keys = NULL;

    return mcf;
}


char *
ngx_http_cqrs_command_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_cqrs_command_main_conf_t  *mcf = conf;

    ngx_conf_init_size_value(mcf->keys_size, NGX_HTTP_CQRS_COMMAND_KEYS);

    return NGX_CONF_OK;
}


void *
ngx_http_cqrs_command_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_cqrs_command_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_cqrs_command_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->partitions = NGX_CONF_UNSET;
    conf->confirm = NGX_CONF_UNSET;
    conf->unroutable = NGX_CONF_UNSET_UINT;

    return conf;
}


char *
ngx_http_cqrs_command_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_cqrs_command_loc_conf_t *prev = parent;
    ngx_http_cqrs_command_loc_conf_t *conf = child;

    ngx_http_core_loc_conf_t  *clcf;
    ngx_http_cqrs_loc_conf_t  *backends;

    if (conf->partitions == NGX_CONF_UNSET) {
        conf->partitions = prev->partitions;
    }

    ngx_conf_merge_value(conf->confirm, prev->confirm, 1);
    ngx_conf_merge_uint_value(conf->unroutable, prev->unroutable,
                              NGX_HTTP_SERVICE_UNAVAILABLE);

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* an "if" inside of the location keeps its handler */

    if (conf->type == NULL && (clcf->noname || clcf->lmt_excpt)) {
        conf->type = prev->type;
        conf->stream = prev->stream;
        conf->causation = prev->causation;
        conf->methods = prev->methods;
        conf->allow = prev->allow;
        conf->wait = prev->wait;
        conf->optional = prev->optional;
    }

    if (conf->type == NULL) {
        return NGX_CONF_OK;
    }

    backends = ngx_http_conf_get_module_loc_conf(cf, ngx_http_cqrs_module);

    if (backends->rabbitmq == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"cqrs_command\" needs \"cqrs_rabbitmq\" "
                           "in location \"%V\" or around it", &clcf->name);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_cqrs_jwt_check_conf(cf) != NGX_CONF_OK
        || ngx_http_cqrs_command_make_keys(cf) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (backends->redis == NULL) {

        if (conf->wait != NGX_CONF_UNSET_MSEC && conf->wait != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"cqrs_command\" with wait= needs "
                               "\"cqrs_redis\" in location \"%V\" "
                               "or around it", &clcf->name);
            return NGX_CONF_ERROR;
        }

        conf->wait = 0;

    } else if (conf->wait == NGX_CONF_UNSET_MSEC) {
        conf->wait = NGX_HTTP_CQRS_COMMAND_WAIT;
    }

    if (conf->partitions != NGX_CONF_UNSET) {
        return NGX_CONF_OK;
    }

    if (backends->postgres == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"cqrs_command\" needs \"cqrs_partitions\", or "
                           "\"cqrs_postgres\" to ask for their number, "
                           "in location \"%V\" or around it", &clcf->name);
        return NGX_CONF_ERROR;
    }

    return ngx_http_cqrs_command_learn(cf, conf, backends->postgres);
}


/* Locations with the same store ask it once. */

static char *
ngx_http_cqrs_command_learn(ngx_conf_t *cf,
    ngx_http_cqrs_command_loc_conf_t *conf, ngx_cqrs_pg_t *pg)
{
    ngx_uint_t                          i;
    ngx_cqrs_partitions_t             **learned;
    ngx_http_cqrs_command_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_cqrs_command_module);

    learned = mcf->learned.elts;

    for (i = 0; i < mcf->learned.nelts; i++) {
        if (ngx_cqrs_partitions_store(learned[i]) == pg) {
            conf->learned = learned[i];
            return NGX_CONF_OK;
        }
    }

    learned = ngx_array_push(&mcf->learned);
    if (learned == NULL) {
        return NGX_CONF_ERROR;
    }

    *learned = ngx_cqrs_partitions_create(cf, pg);
    if (*learned == NULL) {
        return NGX_CONF_ERROR;
    }

    conf->learned = *learned;

    return NGX_CONF_OK;
}
