
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The connection string is taken apart, completed and handed to libpq in
 * pieces.  Some of the session's settings are ours: a connection only reads,
 * and the server looks every half second whether we are still there, because
 * closing the connection is how a query is cancelled, see ngx_cqrs_pg.c.
 *
 * With prepare=off nothing is set, for what answers may be a proxy that gives
 * each transaction another session; see ngx_cqrs_pg_run.c.
 */

#include "ngx_cqrs_pg_conf.h"

#include "ngx_cqrs_pg_hosts.h"

#include <libpq-fe.h>


static PQconninfoOption *ngx_cqrs_pg_conf_parse(ngx_conf_t *cf,
    ngx_str_t *conninfo);
static const char *ngx_cqrs_pg_conf_option(PQconninfoOption *options,
    const char *keyword);
static ngx_int_t ngx_cqrs_pg_conf_connection(ngx_conf_t *cf,
    ngx_cqrs_pg_conf_t *conf, PQconninfoOption *options);
static const char *ngx_cqrs_pg_conf_settings(ngx_conf_t *cf,
    PQconninfoOption *options);
static ngx_int_t ngx_cqrs_pg_conf_add(ngx_conf_t *cf,
    ngx_array_t *keywords, ngx_array_t *values, const char *keyword,
    const char *value);
static ngx_int_t ngx_cqrs_pg_conf_label(ngx_conf_t *cf,
    ngx_cqrs_pg_conf_t *conf, PQconninfoOption *options);
static ngx_int_t ngx_cqrs_pg_conf_parameters(ngx_conf_t *cf,
    ngx_cqrs_pg_conf_t *conf);
static ngx_int_t ngx_cqrs_pg_conf_number(ngx_str_t *arg, const char *name,
    ngx_uint_t min, ngx_uint_t max, ngx_uint_t *value);
static ngx_int_t ngx_cqrs_pg_conf_msec(ngx_str_t *arg, const char *name,
    ngx_msec_t *value);
static ngx_int_t ngx_cqrs_pg_conf_flag(ngx_str_t *arg, const char *name,
    ngx_uint_t *value);


ngx_int_t
ngx_cqrs_pg_conf_read(ngx_conf_t *cf, ngx_cqrs_pg_conf_t *conf)
{
    ngx_int_t          rc;
    ngx_str_t         *args;
    PQconninfoOption  *options;

    args = cf->args->elts;

    if (ngx_cqrs_pg_conf_parameters(cf, conf) != NGX_OK) {
        return NGX_ERROR;
    }

    options = ngx_cqrs_pg_conf_parse(cf, &args[1]);
    if (options == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_cqrs_pg_conf_connection(cf, conf, options);

    if (rc == NGX_OK) {
        rc = ngx_cqrs_pg_conf_label(cf, conf, options);
    }

    PQconninfoFree(options);

    return rc;
}


static PQconninfoOption *
ngx_cqrs_pg_conf_parse(ngx_conf_t *cf, ngx_str_t *conninfo)
{
    char              *error;
    PQconninfoOption  *options;

    error = NULL;

    /* nginx ends the arguments of directives with NUL */

    options = PQconninfoParse((char *) conninfo->data, &error);

    if (options == NULL) {

        /* libpq's own words quote the string, maybe a piece of a password */

        PQfreemem(error);

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid connection string in \"cqrs_postgres\", "
                           "it must be \"key=value key=value\" or "
                           "\"postgresql://...\" with keys that libpq knows");
        return NULL;
    }

    if (ngx_cqrs_pg_conf_option(options, "service")) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"service\" is not supported in "
                           "\"cqrs_postgres\", its host could not be "
                           "resolved beforehand");

        PQconninfoFree(options);
        return NULL;
    }

    return options;
}


static const char *
ngx_cqrs_pg_conf_option(PQconninfoOption *options, const char *keyword)
{
    for ( /* void */ ; options->keyword; options++) {
        if (ngx_strcmp(options->keyword, keyword) == 0) {
            return (options->val && options->val[0]) ? options->val : NULL;
        }
    }

    return NULL;
}


static ngx_int_t
ngx_cqrs_pg_conf_connection(ngx_conf_t *cf, ngx_cqrs_pg_conf_t *conf,
    PQconninfoOption *options)
{
    const char           *host;
    ngx_array_t           keywords, values;
    PQconninfoOption     *option;
    ngx_cqrs_pg_hosts_t   resolved;

    if (ngx_array_init(&keywords, cf->pool, 16, sizeof(char *)) != NGX_OK
        || ngx_array_init(&values, cf->pool, 16, sizeof(char *)) != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (option = options; option->keyword; option++) {
        if (option->val
            && ngx_cqrs_pg_conf_add(cf, &keywords, &values, option->keyword,
                                    option->val)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    /* of a keyword that is there twice libpq takes the last */

    host = ngx_cqrs_pg_conf_option(options, "host");

    if (host && ngx_cqrs_pg_conf_option(options, "hostaddr") == NULL) {

        if (ngx_cqrs_pg_hosts_resolve(cf, &resolved, host,
                                      ngx_cqrs_pg_conf_option(options, "port"))
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (ngx_cqrs_pg_conf_add(cf, &keywords, &values, "host",
                                 resolved.hosts)
            != NGX_OK
            || ngx_cqrs_pg_conf_add(cf, &keywords, &values, "hostaddr",
                                    resolved.addresses)
               != NGX_OK
            || ngx_cqrs_pg_conf_add(cf, &keywords, &values, "port",
                                    resolved.ports)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (conf->prepare
        && ngx_cqrs_pg_conf_add(cf, &keywords, &values, "options",
                                ngx_cqrs_pg_conf_settings(cf, options))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_cqrs_pg_conf_add(cf, &keywords, &values, "client_encoding",
                             "UTF8")
        != NGX_OK
        || ngx_cqrs_pg_conf_add(cf, &keywords, &values,
                                "fallback_application_name", "ngx_cqrs")
           != NGX_OK
        || ngx_cqrs_pg_conf_add(cf, &keywords, &values, NULL, NULL) != NGX_OK)
    {
        return NGX_ERROR;
    }

    conf->keywords = keywords.elts;
    conf->values = values.elts;

    return NGX_OK;
}


/*
 * The user's own settings may change the first of ours, not those behind them:
 * rows are made JSON here as Postgres makes them, which writes dates like ISO.
 */

static const char *
ngx_cqrs_pg_conf_settings(ngx_conf_t *cf, PQconninfoOption *options)
{
    u_char             *settings;
    const char         *own;

    static const char   before[] = "-c client_connection_check_interval=500 ";
    static const char   after[] = " -c datestyle=ISO"
                                  " -c default_transaction_read_only=on";

    own = ngx_cqrs_pg_conf_option(options, "options");
    if (own == NULL) {
        own = "";
    }

    settings = ngx_pnalloc(cf->pool,
                           sizeof(before) + ngx_strlen(own) + sizeof(after));
    if (settings == NULL) {
        return NULL;
    }

    ngx_sprintf(settings, "%s%s%s%Z", before, own, after);

    return (const char *) settings;
}


static ngx_int_t
ngx_cqrs_pg_conf_add(ngx_conf_t *cf, ngx_array_t *keywords,
    ngx_array_t *values, const char *keyword, const char *value)
{
    size_t        len;
    const char  **k, **v;

    k = ngx_array_push(keywords);
    v = ngx_array_push(values);

    if (k == NULL || v == NULL) {
        return NGX_ERROR;
    }

    *k = NULL;
    *v = NULL;

    if (keyword == NULL) {
        return NGX_OK;
    }

    if (value == NULL) {
        return NGX_ERROR;
    }

    /* the options are libpq's, copies live as long as the configuration */

    len = ngx_strlen(keyword) + 1;

    *k = ngx_pnalloc(cf->pool, len);
    if (*k == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy((char *) *k, keyword, len);

    len = ngx_strlen(value) + 1;

    *v = ngx_pnalloc(cf->pool, len);
    if (*v == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy((char *) *v, value, len);

    return NGX_OK;
}


static ngx_int_t
ngx_cqrs_pg_conf_label(ngx_conf_t *cf, ngx_cqrs_pg_conf_t *conf,
    PQconninfoOption *options)
{
    size_t       len;
    const char  *database, *host, *port;

    database = ngx_cqrs_pg_conf_option(options, "dbname");
    if (database == NULL) {
        database = ngx_cqrs_pg_conf_option(options, "user");
    }

    host = ngx_cqrs_pg_conf_option(options, "host");
    if (host == NULL) {
        host = ngx_cqrs_pg_conf_option(options, "hostaddr");
    }

    port = ngx_cqrs_pg_conf_option(options, "port");

    database = database ? database : "default";
    host = host ? host : "default";
    port = port ? port : "5432";

    len = ngx_strlen(database) + ngx_strlen(host) + ngx_strlen(port)
          + sizeof(" at :");

    conf->label.data = ngx_pnalloc(cf->pool, len);
    if (conf->label.data == NULL) {
        return NGX_ERROR;
    }

    conf->label.len = ngx_sprintf(conf->label.data, "%s at %s:%s", database,
                                  host, port)
                      - conf->label.data;

    return NGX_OK;
}


static ngx_int_t
ngx_cqrs_pg_conf_parameters(ngx_conf_t *cf, ngx_cqrs_pg_conf_t *conf)
{
    ngx_int_t    rc;
    ngx_str_t   *args;
    ngx_uint_t   i;

    conf->pool = 4;
    conf->pipeline = 16;
    conf->queue = 1024;
    conf->timeout = 1500;
    conf->query_timeout = 30000;
    conf->prepare = 1;

    args = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {

        rc = ngx_cqrs_pg_conf_number(&args[i], "pool=", 1, 256, &conf->pool);

        if (rc == NGX_DECLINED) {
            rc = ngx_cqrs_pg_conf_number(&args[i], "pipeline=", 1, 1024,
                                         &conf->pipeline);
        }

        if (rc == NGX_DECLINED) {
            rc = ngx_cqrs_pg_conf_flag(&args[i], "prepare=", &conf->prepare);
        }

        if (rc == NGX_DECLINED) {
            rc = ngx_cqrs_pg_conf_number(&args[i], "queue=", 1, 1000000,
                                         &conf->queue);
        }

        if (rc == NGX_DECLINED) {
            rc = ngx_cqrs_pg_conf_msec(&args[i], "timeout=", &conf->timeout);
        }

        if (rc == NGX_DECLINED) {
            rc = ngx_cqrs_pg_conf_msec(&args[i], "query_timeout=",
                                       &conf->query_timeout);
        }

        if (rc == NGX_OK) {
            continue;
        }

        if (rc == NGX_ERROR) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid value in \"%V\" of \"cqrs_postgres\"",
                               &args[i]);
            return NGX_ERROR;
        }

        /* it may be a piece of an unquoted connection string */

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "argument %ui of \"cqrs_postgres\" is none of "
                           "\"pool=\", \"pipeline=\", \"queue=\", "
                           "\"timeout=\", \"query_timeout=\" and "
                           "\"prepare=\"; a connection string with "
                           "blanks must be in quotes", i);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* NGX_DECLINED: the argument has another name. */

static ngx_int_t
ngx_cqrs_pg_conf_number(ngx_str_t *arg, const char *name, ngx_uint_t min,
    ngx_uint_t max, ngx_uint_t *value)
{
    size_t     len;
    ngx_int_t  n;

    len = ngx_strlen(name);

    if (ngx_strncmp(arg->data, name, len) != 0) {
        return NGX_DECLINED;
    }

    n = ngx_atoi(arg->data + len, arg->len - len);

    if (n == NGX_ERROR || (ngx_uint_t) n < min || (ngx_uint_t) n > max) {
        return NGX_ERROR;
    }

    *value = n;

    return NGX_OK;
}


static ngx_int_t
ngx_cqrs_pg_conf_msec(ngx_str_t *arg, const char *name, ngx_msec_t *value)
{
    size_t     len;
    ngx_int_t  msec;
    ngx_str_t  text;

    len = ngx_strlen(name);

    if (ngx_strncmp(arg->data, name, len) != 0) {
        return NGX_DECLINED;
    }

    text.data = arg->data + len;
    text.len = arg->len - len;

    msec = ngx_parse_time(&text, 0);

    if (msec == NGX_ERROR || msec == 0) {
        return NGX_ERROR;
    }

    *value = msec;

    return NGX_OK;
}


static ngx_int_t
ngx_cqrs_pg_conf_flag(ngx_str_t *arg, const char *name, ngx_uint_t *value)
{
    size_t   len;
    u_char  *text;

    len = ngx_strlen(name);

    if (ngx_strncmp(arg->data, name, len) != 0) {
        return NGX_DECLINED;
    }

    text = arg->data + len;

    if (ngx_strcmp(text, "on") == 0) {
        *value = 1;

    } else if (ngx_strcmp(text, "off") == 0) {
        *value = 0;

    } else {
        return NGX_ERROR;
    }

    return NGX_OK;
}
