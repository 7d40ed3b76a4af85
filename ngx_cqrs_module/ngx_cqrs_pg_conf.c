
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * PQconnectStart() waits for the name server, so every host name becomes
 * addresses here, while the configuration is read.  The name itself stays
 * beside them: it is what a TLS certificate is checked against.
 *
 * Some of the session's settings are ours.  A connection only reads.  And
 * the server looks every half second whether we are still there, because
 * closing the connection is how a query is cancelled, see ngx_cqrs_pg.c.
 */

#include "ngx_cqrs_pg_conf.h"

#include <libpq-fe.h>


#define NGX_CQRS_PG_HOSTS_MAX  32


/* Lists of the same length: host 1 is at address 1 and port 1. */
typedef struct {
    ngx_array_t    hosts;          /* of ngx_str_t */
    ngx_array_t    addresses;
    ngx_array_t    ports;
} ngx_cqrs_pg_hosts_t;


static PQconninfoOption *ngx_cqrs_pg_conf_parse(ngx_conf_t *cf,
    ngx_str_t *conninfo);
static const char *ngx_cqrs_pg_conf_option(PQconninfoOption *options,
    const char *keyword);
static ngx_int_t ngx_cqrs_pg_conf_connection(ngx_conf_t *cf,
    ngx_cqrs_pg_conf_t *conf, PQconninfoOption *options);
static ngx_int_t ngx_cqrs_pg_conf_add(ngx_conf_t *cf,
    ngx_array_t *keywords, ngx_array_t *values, const char *keyword,
    const char *value);
static ngx_int_t ngx_cqrs_pg_conf_hosts(ngx_conf_t *cf,
    ngx_cqrs_pg_hosts_t *list, PQconninfoOption *options);
static ngx_int_t ngx_cqrs_pg_conf_host(ngx_conf_t *cf,
    ngx_cqrs_pg_hosts_t *list, ngx_str_t *host, ngx_str_t *port);
static ngx_int_t ngx_cqrs_pg_conf_push_host(ngx_cqrs_pg_hosts_t *list,
    ngx_str_t *host, ngx_str_t *address, ngx_str_t *port);
static ngx_int_t ngx_cqrs_pg_conf_split(ngx_conf_t *cf, ngx_array_t *parts,
    const char *text);
static const char *ngx_cqrs_pg_conf_join(ngx_conf_t *cf, ngx_array_t *parts);
static ngx_int_t ngx_cqrs_pg_conf_label(ngx_conf_t *cf,
    ngx_cqrs_pg_conf_t *conf, PQconninfoOption *options);
static ngx_int_t ngx_cqrs_pg_conf_parameters(ngx_conf_t *cf,
    ngx_cqrs_pg_conf_t *conf);
static ngx_int_t ngx_cqrs_pg_conf_number(ngx_str_t *arg, const char *name,
    ngx_uint_t min, ngx_uint_t max, ngx_uint_t *value);
static ngx_int_t ngx_cqrs_pg_conf_msec(ngx_str_t *arg, const char *name,
    ngx_msec_t *value);


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
                           "\"service\" is not supported in \"cqrs_postgres\", "
                           "its host could not be resolved beforehand");

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
    char                 *settings;
    size_t                size;
    const char           *own;
    ngx_array_t           keywords, values;
    PQconninfoOption     *option;
    ngx_cqrs_pg_hosts_t   list;

    static const char  before[] = "-c client_connection_check_interval=500 ";
    static const char  after[] = " -c default_transaction_read_only=on";

    if (ngx_cqrs_pg_conf_hosts(cf, &list, options) != NGX_OK
        || ngx_array_init(&keywords, cf->pool, 16, sizeof(char *)) != NGX_OK
        || ngx_array_init(&values, cf->pool, 16, sizeof(char *)) != NGX_OK)
    {
        return NGX_ERROR;
    }

    own = ngx_cqrs_pg_conf_option(options, "options");
    if (own == NULL) {
        own = "";
    }

    size = sizeof(before) + ngx_strlen(own) + sizeof(after);

    settings = ngx_pnalloc(cf->pool, size);
    if (settings == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf((u_char *) settings, "%s%s%s%Z", before, own, after);

    if (ngx_cqrs_pg_conf_add(cf, &keywords, &values, "options", settings)
        != NGX_OK
        || ngx_cqrs_pg_conf_add(cf, &keywords, &values, "client_encoding",
                                "UTF8")
           != NGX_OK
        || ngx_cqrs_pg_conf_add(cf, &keywords, &values,
                                "fallback_application_name", "ngx_cqrs")
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (list.hosts.nelts
        && (ngx_cqrs_pg_conf_add(cf, &keywords, &values, "host",
                                 ngx_cqrs_pg_conf_join(cf, &list.hosts))
            != NGX_OK
            || ngx_cqrs_pg_conf_add(cf, &keywords, &values, "hostaddr",
                                    ngx_cqrs_pg_conf_join(cf, &list.addresses))
               != NGX_OK
            || ngx_cqrs_pg_conf_add(cf, &keywords, &values, "port",
                                    ngx_cqrs_pg_conf_join(cf, &list.ports))
               != NGX_OK))
    {
        return NGX_ERROR;
    }

    for (option = options; option->keyword; option++) {

        if (option->val == NULL
            || ngx_strcmp(option->keyword, "options") == 0
            || ngx_strcmp(option->keyword, "client_encoding") == 0
            || ngx_strcmp(option->keyword, "fallback_application_name") == 0)
        {
            continue;
        }

        if (list.hosts.nelts
            && (ngx_strcmp(option->keyword, "host") == 0
                || ngx_strcmp(option->keyword, "port") == 0))
        {
            continue;
        }

        if (ngx_cqrs_pg_conf_add(cf, &keywords, &values, option->keyword,
                                 option->val)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (ngx_cqrs_pg_conf_add(cf, &keywords, &values, NULL, NULL) != NGX_OK) {
        return NGX_ERROR;
    }

    conf->keywords = keywords.elts;
    conf->values = values.elts;

    return NGX_OK;
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


/* Leaves the lists empty where libpq has nothing to resolve. */

static ngx_int_t
ngx_cqrs_pg_conf_hosts(ngx_conf_t *cf, ngx_cqrs_pg_hosts_t *list,
    PQconninfoOption *options)
{
    ngx_str_t    *host, *port;
    ngx_uint_t    i;
    ngx_array_t   hosts, ports;
    const char   *text;

    if (ngx_array_init(&list->hosts, cf->pool, 4, sizeof(ngx_str_t)) != NGX_OK
        || ngx_array_init(&list->addresses, cf->pool, 4, sizeof(ngx_str_t))
           != NGX_OK
        || ngx_array_init(&list->ports, cf->pool, 4, sizeof(ngx_str_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    text = ngx_cqrs_pg_conf_option(options, "host");

    if (text == NULL || ngx_cqrs_pg_conf_option(options, "hostaddr")) {
        return NGX_OK;
    }

    if (ngx_cqrs_pg_conf_split(cf, &hosts, text) != NGX_OK) {
        return NGX_ERROR;
    }

    text = ngx_cqrs_pg_conf_option(options, "port");

    if (ngx_cqrs_pg_conf_split(cf, &ports, text ? text : "") != NGX_OK) {
        return NGX_ERROR;
    }

    if (ports.nelts != 1 && ports.nelts != hosts.nelts) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"cqrs_postgres\" has %ui hosts and %ui ports",
                           hosts.nelts, ports.nelts);
        return NGX_ERROR;
    }

    host = hosts.elts;
    port = ports.elts;

    for (i = 0; i < hosts.nelts; i++) {
        if (ngx_cqrs_pg_conf_host(cf, list, &host[i],
                                  &port[ports.nelts == 1 ? 0 : i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (list->hosts.nelts > NGX_CQRS_PG_HOSTS_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"cqrs_postgres\" has %ui addresses, at most %d "
                           "are allowed",
                           list->hosts.nelts, NGX_CQRS_PG_HOSTS_MAX);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_cqrs_pg_conf_host(ngx_conf_t *cf, ngx_cqrs_pg_hosts_t *list,
    ngx_str_t *host, ngx_str_t *port)
{
    ngx_str_t    address;
    ngx_url_t    u;
    ngx_uint_t   i;

    ngx_str_set(&address, "");

    if (host->len == 0 || host->data[0] == '/' || host->data[0] == '@') {
        return ngx_cqrs_pg_conf_push_host(list, host, &address, port);
    }

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.host = *host;

    if (ngx_inet_resolve_host(cf->pool, &u) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s in \"cqrs_postgres\", host \"%V\"",
                           u.err ? u.err : "no memory", host);
        return NGX_ERROR;
    }

    for (i = 0; i < u.naddrs; i++) {

        address.data = ngx_pnalloc(cf->pool, NGX_SOCKADDR_STRLEN);
        if (address.data == NULL) {
            return NGX_ERROR;
        }

        address.len = ngx_sock_ntop(u.addrs[i].sockaddr, u.addrs[i].socklen,
                                    address.data, NGX_SOCKADDR_STRLEN, 0);

        if (address.len > 2 && address.data[0] == '[') {
            address.data++;                /* libpq wants IPv6 bare */
            address.len -= 2;
        }

        if (ngx_cqrs_pg_conf_push_host(list, host, &address, port)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_cqrs_pg_conf_push_host(ngx_cqrs_pg_hosts_t *list, ngx_str_t *host,
    ngx_str_t *address, ngx_str_t *port)
{
    ngx_str_t  *h, *a, *p;

    h = ngx_array_push(&list->hosts);
    a = ngx_array_push(&list->addresses);
    p = ngx_array_push(&list->ports);

    if (h == NULL || a == NULL || p == NULL) {
        return NGX_ERROR;
    }

    *h = *host;
    *a = *address;
    *p = *port;

    return NGX_OK;
}


/* The parts of a list with commas; one empty part if the text is empty. */

static ngx_int_t
ngx_cqrs_pg_conf_split(ngx_conf_t *cf, ngx_array_t *parts, const char *text)
{
    size_t      len;
    ngx_str_t  *part;

    if (ngx_array_init(parts, cf->pool, 4, sizeof(ngx_str_t)) != NGX_OK) {
        return NGX_ERROR;
    }

    for ( ;; ) {
        len = strcspn(text, ",");

        part = ngx_array_push(parts);
        if (part == NULL) {
            return NGX_ERROR;
        }

        part->len = len;
        part->data = ngx_pnalloc(cf->pool, len + 1);
        if (part->data == NULL) {
            return NGX_ERROR;
        }

        (void) ngx_cpystrn(part->data, (u_char *) text, len + 1);

        if (text[len] == '\0') {
            return NGX_OK;
        }

        text += len + 1;
    }
}


static const char *
ngx_cqrs_pg_conf_join(ngx_conf_t *cf, ngx_array_t *parts)
{
    u_char      *p, *text;
    size_t       len;
    ngx_str_t   *part;
    ngx_uint_t   i;

    part = parts->elts;
    len = 0;

    for (i = 0; i < parts->nelts; i++) {
        len += part[i].len + 1;
    }

    text = ngx_pnalloc(cf->pool, len);
    if (text == NULL) {
        return NULL;
    }

    p = text;

    for (i = 0; i < parts->nelts; i++) {
        p = ngx_cpymem(p, part[i].data, part[i].len);
        *p++ = ',';
    }

    p[-1] = '\0';

    return (const char *) text;
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
    conf->queue = 1024;
    conf->timeout = 1500;
    conf->query_timeout = 30000;

    args = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {

        rc = ngx_cqrs_pg_conf_number(&args[i], "pool=", 1, 256, &conf->pool);

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
                           "\"pool=\", \"queue=\", \"timeout=\" and "
                           "\"query_timeout=\"; a connection string with "
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
