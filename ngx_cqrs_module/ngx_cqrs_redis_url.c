
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "ngx_cqrs_redis_url.h"


#define NGX_CQRS_REDIS_PORT     6379
#define NGX_CQRS_REDIS_TIMEOUT  1500


static ngx_int_t ngx_cqrs_redis_url_userinfo(ngx_conf_t *cf,
    ngx_cqrs_redis_url_t *url, ngx_str_t *text);
static ngx_int_t ngx_cqrs_redis_url_decode(ngx_conf_t *cf, ngx_str_t *to,
    u_char *from, u_char *last);
static ngx_int_t ngx_cqrs_redis_url_address(ngx_conf_t *cf,
    ngx_cqrs_redis_url_t *url, ngx_str_t *text);
static ngx_int_t ngx_cqrs_redis_url_db(ngx_conf_t *cf,
    ngx_cqrs_redis_url_t *url, ngx_str_t *text);
static ngx_int_t ngx_cqrs_redis_url_option(ngx_conf_t *cf,
    ngx_cqrs_redis_url_t *url, ngx_str_t *text);


ngx_int_t
ngx_cqrs_redis_url_read(ngx_conf_t *cf, ngx_cqrs_redis_url_t *url)
{
    ngx_str_t   text, *value;
    ngx_uint_t  i;

    value = cf->args->elts;
    text = value[1];

    if (text.len < 8
        || ngx_strncasecmp(text.data, (u_char *) "redis://", 8) != 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"cqrs_redis\" expects "
                           "redis://[user:password@]host[:port][/number]");
        return NGX_ERROR;
    }

    text.data += 8;
    text.len -= 8;

    if (ngx_cqrs_redis_url_userinfo(cf, url, &text) != NGX_OK
        || ngx_cqrs_redis_url_db(cf, url, &text) != NGX_OK
        || ngx_cqrs_redis_url_address(cf, url, &text) != NGX_OK)
    {
        return NGX_ERROR;
    }

    url->timeout = NGX_CQRS_REDIS_TIMEOUT;

    for (i = 2; i < cf->args->nelts; i++) {
        if (ngx_cqrs_redis_url_option(cf, url, &value[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* Takes "user:password@" off the text; the user may be empty. */

static ngx_int_t
ngx_cqrs_redis_url_userinfo(ngx_conf_t *cf, ngx_cqrs_redis_url_t *url,
    ngx_str_t *text)
{
    u_char  *p, *at, *colon, *last;

    at = NULL;
    colon = NULL;
    last = text->data + text->len;

    for (p = text->data; p < last; p++) {
        if (*p == '@') {
            at = p;
        }
    }

    if (at == NULL) {
        return NGX_OK;
    }

    colon = ngx_strlchr(text->data, at, ':');

    if (colon == NULL || colon + 1 == at) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no password before \"@\" in \"cqrs_redis\"");
        return NGX_ERROR;
    }

    if (ngx_cqrs_redis_url_decode(cf, &url->user, text->data, colon) != NGX_OK
        || ngx_cqrs_redis_url_decode(cf, &url->password, colon + 1, at)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    text->data = at + 1;
    text->len = last - text->data;

    return NGX_OK;
}


static ngx_int_t
ngx_cqrs_redis_url_decode(ngx_conf_t *cf, ngx_str_t *to, u_char *from,
    u_char *last)
{
    u_char     *p;
    ngx_int_t   ch;

    to->data = ngx_pnalloc(cf->pool, last - from + 1);
    if (to->data == NULL) {
        return NGX_ERROR;
    }

    for (p = to->data; from < last; p++) {

        if (*from != '%') {
            *p = *from++;
            continue;
        }

        ch = (last - from < 3) ? NGX_ERROR : ngx_hextoi(from + 1, 2);

        if (ch == NGX_ERROR) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%%\" without two hexadecimal digits "
                               "before \"@\" in \"cqrs_redis\"");
            return NGX_ERROR;
        }

        *p = (u_char) ch;
        from += 3;
    }

    to->len = p - to->data;

    return NGX_OK;
}


/* Takes "/number" off the end of the text. */

static ngx_int_t
ngx_cqrs_redis_url_db(ngx_conf_t *cf, ngx_cqrs_redis_url_t *url,
    ngx_str_t *text)
{
    u_char  *slash, *last;

    last = text->data + text->len;

    slash = ngx_strlchr(text->data, last, '/');
    if (slash == NULL) {
        return NGX_OK;
    }

    text->len = slash - text->data;

    url->db.data = slash + 1;
    url->db.len = last - url->db.data;

    if (url->db.len
        && ngx_atoi(url->db.data, url->db.len) == NGX_ERROR)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid database number \"%V\" in \"cqrs_redis\"",
                           &url->db);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_cqrs_redis_url_address(ngx_conf_t *cf, ngx_cqrs_redis_url_t *url,
    ngx_str_t *text)
{
    ngx_url_t  u;

    if (text->len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "no host in \"cqrs_redis\"");
        return NGX_ERROR;
    }

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url = *text;
    u.default_port = NGX_CQRS_REDIS_PORT;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s in \"%V\" of \"cqrs_redis\"",
                           u.err ? u.err : "no memory", text);
        return NGX_ERROR;
    }

    url->addrs = u.addrs;
    url->naddrs = u.naddrs;
    url->name = *text;

    return NGX_OK;
}


static ngx_int_t
ngx_cqrs_redis_url_option(ngx_conf_t *cf, ngx_cqrs_redis_url_t *url,
    ngx_str_t *text)
{
    ngx_int_t  msec;
    ngx_str_t  value;

    if (text->len > 8 && ngx_strncmp(text->data, "timeout=", 8) == 0) {

        value.data = text->data + 8;
        value.len = text->len - 8;

        msec = ngx_parse_time(&value, 0);

        if (msec != NGX_ERROR && msec > 0) {
            url->timeout = msec;
            return NGX_OK;
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" of \"cqrs_redis\"", text);

    return NGX_ERROR;
}
