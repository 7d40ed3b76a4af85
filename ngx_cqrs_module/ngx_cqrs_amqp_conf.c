
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * cqrs_rabbitmq amqp[s]://USER:PASSWORD@HOST[:PORT]/[VHOST] ...
 *               [NAME=VALUE ...]
 *
 * Host names are resolved here, when the configuration is read; later only by
 * nginx's resolver, for nothing may wait for a name server.  An URL holds a
 * password, so no message quotes one: it is called by its number instead.
 */

#include "ngx_cqrs_amqp_conf.h"


#define NGX_CQRS_AMQP_PORT           5672
#define NGX_CQRS_AMQP_TLS_PORT       5671
#define NGX_CQRS_AMQP_TEXT_MAX       255   /* what AMQP calls a short string */

#define NGX_CQRS_AMQP_PARAM_NUMBER   0
#define NGX_CQRS_AMQP_PARAM_SECONDS  1
#define NGX_CQRS_AMQP_PARAM_MSEC     2
#define NGX_CQRS_AMQP_PARAM_FLAG     3
#define NGX_CQRS_AMQP_PARAM_TEXT     4


typedef struct {
    ngx_str_t    name;
    ngx_uint_t   kind;
    ngx_int_t    min;
    ngx_int_t    max;
    size_t       offset;
} ngx_cqrs_amqp_param_t;


static ngx_int_t ngx_cqrs_amqp_conf_url(ngx_conf_t *cf,
    ngx_cqrs_amqp_conf_t *conf, ngx_str_t *text, ngx_uint_t n);
static ngx_int_t ngx_cqrs_amqp_conf_addrs(ngx_conf_t *cf,
    ngx_cqrs_amqp_conf_t *conf, ngx_cqrs_amqp_server_t *server,
    ngx_str_t *host, ngx_uint_t n);
static ngx_int_t ngx_cqrs_amqp_conf_param(ngx_conf_t *cf,
    ngx_cqrs_amqp_conf_t *conf, ngx_str_t *text);
static ngx_int_t ngx_cqrs_amqp_conf_decode(ngx_conf_t *cf, ngx_str_t *text,
    u_char *start, u_char *end);


static ngx_str_t  ngx_cqrs_amqp_guest = ngx_string("guest");
static ngx_str_t  ngx_cqrs_amqp_root = ngx_string("/");


static const ngx_cqrs_amqp_param_t  ngx_cqrs_amqp_params[] = {
    { ngx_string("timeout="), NGX_CQRS_AMQP_PARAM_MSEC, 10, 60000,
      offsetof(ngx_cqrs_amqp_conf_t, timeout) },
    { ngx_string("heartbeat="), NGX_CQRS_AMQP_PARAM_SECONDS, 0, 3600,
      offsetof(ngx_cqrs_amqp_conf_t, heartbeat) },
    { ngx_string("max_unconfirmed="), NGX_CQRS_AMQP_PARAM_NUMBER, 1, 1000000,
      offsetof(ngx_cqrs_amqp_conf_t, max_unconfirmed) },
    { ngx_string("ssl_verify="), NGX_CQRS_AMQP_PARAM_FLAG, 0, 1,
      offsetof(ngx_cqrs_amqp_conf_t, ssl.verify) },
    { ngx_string("ssl_verify_depth="), NGX_CQRS_AMQP_PARAM_NUMBER, 0, 100,
      offsetof(ngx_cqrs_amqp_conf_t, ssl.verify_depth) },
    { ngx_string("ssl_trusted_certificate="), NGX_CQRS_AMQP_PARAM_TEXT, 0, 0,
      offsetof(ngx_cqrs_amqp_conf_t, ssl.trusted_certificate) },
    { ngx_string("ssl_crl="), NGX_CQRS_AMQP_PARAM_TEXT, 0, 0,
      offsetof(ngx_cqrs_amqp_conf_t, ssl.crl) },
    { ngx_string("ssl_name="), NGX_CQRS_AMQP_PARAM_TEXT, 0, 0,
      offsetof(ngx_cqrs_amqp_conf_t, ssl.name) },
    { ngx_string("ssl_ciphers="), NGX_CQRS_AMQP_PARAM_TEXT, 0, 0,
      offsetof(ngx_cqrs_amqp_conf_t, ssl.ciphers) },
    { ngx_string("ssl_certificate="), NGX_CQRS_AMQP_PARAM_TEXT, 0, 0,
      offsetof(ngx_cqrs_amqp_conf_t, ssl.certificate) },
    { ngx_string("ssl_certificate_key="), NGX_CQRS_AMQP_PARAM_TEXT, 0, 0,
      offsetof(ngx_cqrs_amqp_conf_t, ssl.certificate_key) },
    { ngx_string("ssl_password_file="), NGX_CQRS_AMQP_PARAM_TEXT, 0, 0,
      offsetof(ngx_cqrs_amqp_conf_t, ssl.password_file) },
    { ngx_null_string, 0, 0, 0, 0 }
};


ngx_int_t
ngx_cqrs_amqp_conf_read(ngx_conf_t *cf, ngx_cqrs_amqp_conf_t *conf)
{
    ngx_int_t                rc;
    ngx_str_t               *value;
    ngx_uint_t               i;
    ngx_cqrs_amqp_server_t  *server;

    conf->timeout = 1500;
    conf->heartbeat = 10;
    conf->max_unconfirmed = 4096;
    conf->ssl.verify = 1;
    conf->ssl.verify_depth = 1;

    if (ngx_array_init(&conf->servers, cf->pool, 2,
                       sizeof(ngx_cqrs_amqp_server_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "amqp://", 7) == 0
            || ngx_strncmp(value[i].data, "amqps://", 8) == 0)
        {
            rc = ngx_cqrs_amqp_conf_url(cf, conf, &value[i], i);

        } else {
            rc = ngx_cqrs_amqp_conf_param(cf, conf, &value[i]);
        }

        if (rc != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (conf->servers.nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"cqrs_rabbitmq\" names no broker, it needs "
                           "\"amqp://user:password@host/vhost\"");
        return NGX_ERROR;
    }

    server = conf->servers.elts;

    conf->place.data = ngx_pnalloc(cf->pool, server->host.len + 1
                                             + NGX_INT_T_LEN + 1
                                             + server->vhost.len);
    if (conf->place.data == NULL) {
        return NGX_ERROR;
    }

    conf->place.len = ngx_sprintf(conf->place.data, "%V:%ui/%V",
                                  &server->host, (ngx_uint_t) server->port,
                                  &server->vhost)
                      - conf->place.data;

    for (i = 0; i < conf->servers.nelts; i++) {
        if (server[i].tls) {
            return ngx_cqrs_amqp_ssl_create(cf, &conf->ssl);
        }
    }

    return NGX_OK;
}


void
ngx_cqrs_amqp_conf_move(ngx_cqrs_amqp_server_t *server,
    struct sockaddr *sockaddr, socklen_t socklen)
{
    u_char  *p;

    ngx_memcpy(server->sockaddr, sockaddr, socklen);
    ngx_inet_set_port(server->sockaddr, server->port);

    server->socklen = socklen;

    p = server->name.data + ngx_sock_ntop(server->sockaddr, socklen,
                                          server->name.data,
                                          NGX_SOCKADDR_STRLEN, 1);
    *p++ = ' ';
    p = ngx_cpymem(p, server->vhost.data, server->vhost.len);

    server->name.len = p - server->name.data;
}


static ngx_int_t
ngx_cqrs_amqp_conf_url(ngx_conf_t *cf, ngx_cqrs_amqp_conf_t *conf,
    ngx_str_t *text, ngx_uint_t n)
{
    u_char                  *p, *last, *at, *colon, *slash;
    ngx_str_t                host;
    ngx_cqrs_amqp_server_t   server;

    ngx_memzero(&server, sizeof(ngx_cqrs_amqp_server_t));

    server.user = ngx_cqrs_amqp_guest;
    server.password = ngx_cqrs_amqp_guest;
    server.vhost = ngx_cqrs_amqp_root;

    server.tls = (text->data[4] == 's');

    p = text->data + sizeof("amqp://") - 1 + server.tls;
    last = text->data + text->len;

    slash = ngx_strlchr(p, last, '/');
    if (slash == NULL) {
        slash = last;
    }

    at = ngx_strlchr(p, slash, '@');

    if (at) {
        colon = ngx_strlchr(p, at, ':');

        if (colon == NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "URL %ui of \"cqrs_rabbitmq\" "
                               "has a user but no password", n);
            return NGX_ERROR;
        }

        if (ngx_cqrs_amqp_conf_decode(cf, &server.user, p, colon) != NGX_OK
            || ngx_cqrs_amqp_conf_decode(cf, &server.password, colon + 1, at)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        p = at + 1;
    }

    host.data = p;
    host.len = slash - p;

    if (host.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "URL %ui of \"cqrs_rabbitmq\" has no host", n);
        return NGX_ERROR;
    }

    if (last - slash > 1
        && ngx_cqrs_amqp_conf_decode(cf, &server.vhost, slash + 1, last)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (server.user.len > NGX_CQRS_AMQP_TEXT_MAX
        || server.password.len > NGX_CQRS_AMQP_TEXT_MAX
        || server.vhost.len > NGX_CQRS_AMQP_TEXT_MAX)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "URL %ui of \"cqrs_rabbitmq\" has a user, password "
                           "or vhost of more than %d bytes",
                           n, NGX_CQRS_AMQP_TEXT_MAX);
        return NGX_ERROR;
    }

    return ngx_cqrs_amqp_conf_addrs(cf, conf, &server, &host, n);
}


static ngx_int_t
ngx_cqrs_amqp_conf_addrs(ngx_conf_t *cf, ngx_cqrs_amqp_conf_t *conf,
    ngx_cqrs_amqp_server_t *server, ngx_str_t *host, ngx_uint_t n)
{
    ngx_url_t                u;
    ngx_uint_t               i;
    ngx_cqrs_amqp_server_t  *s;

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url = *host;
    u.default_port = server->tls ? NGX_CQRS_AMQP_TLS_PORT
                                 : NGX_CQRS_AMQP_PORT;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "URL %ui of \"cqrs_rabbitmq\": %s",
                           n, u.err ? u.err : "memory is short");
        return NGX_ERROR;
    }

    server->host = u.host;
    server->port = u.port;
    server->named = u.host.len && u.host.data[0] != '['
                    && ngx_inet_addr(u.host.data, u.host.len) == INADDR_NONE;

    for (i = 0; i < u.naddrs; i++) {
        s = ngx_array_push(&conf->servers);
        if (s == NULL) {
            return NGX_ERROR;
        }

        *s = *server;

        s->sockaddr = ngx_pcalloc(cf->pool, sizeof(ngx_sockaddr_t));
        s->name.data = ngx_pnalloc(cf->pool,
                                   NGX_SOCKADDR_STRLEN + 1 + s->vhost.len);

        if (s->sockaddr == NULL || s->name.data == NULL) {
            return NGX_ERROR;
        }

        ngx_cqrs_amqp_conf_move(s, u.addrs[i].sockaddr, u.addrs[i].socklen);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_cqrs_amqp_conf_param(ngx_conf_t *cf, ngx_cqrs_amqp_conf_t *conf,
    ngx_str_t *text)
{
    ngx_int_t                     n;
    ngx_str_t                     value;
    ngx_uint_t                   *slot;
    const ngx_cqrs_amqp_param_t  *param;

    for (param = ngx_cqrs_amqp_params; param->name.len; param++) {
        if (ngx_strncmp(text->data, param->name.data, param->name.len) == 0) {
            break;
        }
    }

    if (param->name.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"cqrs_rabbitmq\" takes URLs that begin with "
                           "\"amqp://\" or \"amqps://\", and timeout=, "
                           "heartbeat=, max_unconfirmed=, ssl_verify=, "
                           "ssl_verify_depth=, ssl_trusted_certificate=, "
                           "ssl_crl=, ssl_name=, ssl_ciphers=, "
                           "ssl_certificate=, ssl_certificate_key=, "
                           "ssl_password_file=");
        return NGX_ERROR;
    }

    value.data = text->data + param->name.len;
    value.len = text->len - param->name.len;

    switch (param->kind) {

    case NGX_CQRS_AMQP_PARAM_TEXT:
        *(ngx_str_t *) ((u_char *) conf + param->offset) = value;
        return NGX_OK;

    case NGX_CQRS_AMQP_PARAM_FLAG:
        n = ngx_strcmp(value.data, "on") == 0 ? 1
            : ngx_strcmp(value.data, "off") == 0 ? 0 : NGX_ERROR;
        break;

    case NGX_CQRS_AMQP_PARAM_NUMBER:
        n = ngx_atoi(value.data, value.len);
        break;

    default:
        n = ngx_parse_time(&value,
                           param->kind == NGX_CQRS_AMQP_PARAM_SECONDS);
    }

    if (n == NGX_ERROR || n < param->min || n > param->max) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid \"%V\" in \"cqrs_rabbitmq\"", text);
        return NGX_ERROR;
    }

    slot = (ngx_uint_t *) ((u_char *) conf + param->offset);
    *slot = (ngx_uint_t) n;

    return NGX_OK;
}


/* Copies with %XX decoded. */

static ngx_int_t
ngx_cqrs_amqp_conf_decode(ngx_conf_t *cf, ngx_str_t *text, u_char *start,
    u_char *end)
{
    u_char  *dst, *src;

    text->data = ngx_pnalloc(cf->pool, end - start + 1);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    dst = text->data;
    src = start;

    ngx_unescape_uri(&dst, &src, end - start, 0);

    text->len = dst - text->data;

    return NGX_OK;
}
