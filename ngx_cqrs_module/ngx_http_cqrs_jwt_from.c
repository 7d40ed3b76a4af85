
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "ngx_http_cqrs_jwt_from.h"


typedef enum {
    NGX_HTTP_CQRS_JWT_HEADER = 0,
    NGX_HTTP_CQRS_JWT_COOKIE,
    NGX_HTTP_CQRS_JWT_ARGUMENT
} ngx_http_cqrs_jwt_place_e;


typedef struct {
    ngx_http_cqrs_jwt_place_e  place;
    ngx_str_t                  name;
} ngx_http_cqrs_jwt_from_t;


static ngx_int_t ngx_http_cqrs_jwt_from_place(ngx_str_t *text,
    ngx_http_cqrs_jwt_from_t *from);
static ngx_int_t ngx_http_cqrs_jwt_from_look(ngx_http_request_t *r,
    ngx_http_cqrs_jwt_from_t *from, const ngx_http_cqrs_jwt_token_t *before,
    ngx_http_cqrs_jwt_token_t *token);
static ngx_int_t ngx_http_cqrs_jwt_from_header(ngx_http_request_t *r,
    ngx_str_t *text);
static void ngx_http_cqrs_jwt_from_cover(ngx_str_t *line,
    const ngx_str_t *text);


static ngx_http_cqrs_jwt_from_t  ngx_http_cqrs_jwt_from_default = {
    NGX_HTTP_CQRS_JWT_HEADER, ngx_null_string
};


ngx_array_t *
ngx_http_cqrs_jwt_from_read(ngx_conf_t *cf)
{
    ngx_str_t    *value;
    ngx_uint_t    i;
    ngx_array_t  *from;

    from = ngx_array_create(cf->pool, cf->args->nelts - 1,
                            sizeof(ngx_http_cqrs_jwt_from_t));
    if (from == NULL) {
        return NULL;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_http_cqrs_jwt_from_place(&value[i], ngx_array_push(from))
            != NGX_OK)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid place \"%V\", a token is taken from "
                               "\"header\", \"cookie:NAME\" or "
                               "\"argument:NAME\"", &value[i]);
            return NULL;
        }
    }

    return from;
}


static ngx_int_t
ngx_http_cqrs_jwt_from_place(ngx_str_t *text, ngx_http_cqrs_jwt_from_t *from)
{
    size_t  skip;

    if (ngx_strcmp(text->data, "header") == 0) {
        *from = ngx_http_cqrs_jwt_from_default;
        return NGX_OK;
    }

    if (ngx_strncmp(text->data, "cookie:", 7) == 0) {
        from->place = NGX_HTTP_CQRS_JWT_COOKIE;
        skip = 7;

    } else if (ngx_strncmp(text->data, "argument:", 9) == 0) {
        from->place = NGX_HTTP_CQRS_JWT_ARGUMENT;
        skip = 9;

    } else {
        return NGX_ERROR;
    }

    from->name.data = text->data + skip;
    from->name.len = text->len - skip;

    return from->name.len ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_cqrs_jwt_from_find(ngx_http_request_t *r, ngx_array_t *from,
    const ngx_http_cqrs_jwt_token_t *before, ngx_http_cqrs_jwt_token_t *token)
{
    u_char                    *copy;
    ngx_uint_t                 i, n;
    ngx_http_cqrs_jwt_from_t  *f;

    f = from ? from->elts : &ngx_http_cqrs_jwt_from_default;
    n = from ? from->nelts : 1;

    for (i = 0; i < n; i++) {

        if (ngx_http_cqrs_jwt_from_look(r, &f[i], before, token) != NGX_OK
            || token->text.len == 0)
        {
            continue;
        }

        copy = ngx_pnalloc(r->pool, token->text.len + 1);
        if (copy == NULL) {
            return NGX_ERROR;
        }

        *ngx_cpymem(copy, token->text.data, token->text.len) = '\0';

        token->text.data = copy;

        return NGX_OK;
    }

    ngx_str_null(&token->text);
    ngx_str_null(&token->argument);

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_cqrs_jwt_from_look(ngx_http_request_t *r,
    ngx_http_cqrs_jwt_from_t *from, const ngx_http_cqrs_jwt_token_t *before,
    ngx_http_cqrs_jwt_token_t *token)
{
    ngx_str_null(&token->argument);

    switch (from->place) {

    case NGX_HTTP_CQRS_JWT_COOKIE:

        /* the cookie's place in the list of headers, or NGX_DECLINED */

        return ngx_http_parse_multi_header_lines(&r->headers_in.cookies,
                                                 &from->name, &token->text)
               == NGX_DECLINED ? NGX_DECLINED : NGX_OK;

    case NGX_HTTP_CQRS_JWT_ARGUMENT:

        token->argument = from->name;

        if (before && before->argument.len == from->name.len
            && ngx_strncasecmp(before->argument.data, from->name.data,
                               from->name.len)
               == 0)
        {
            token->text = before->text;
            return NGX_OK;
        }

        return ngx_http_arg(r, from->name.data, from->name.len, &token->text);

    default: /* NGX_HTTP_CQRS_JWT_HEADER */
        return ngx_http_cqrs_jwt_from_header(r, &token->text);
    }
}


static ngx_int_t
ngx_http_cqrs_jwt_from_header(ngx_http_request_t *r, ngx_str_t *text)
{
    u_char           *p, *last;
    ngx_table_elt_t  *h;

    h = r->headers_in.authorization;

    if (h == NULL
        || h->value.len < sizeof("Bearer ") - 1
        || ngx_strncasecmp(h->value.data, (u_char *) "Bearer ",
                           sizeof("Bearer ") - 1)
           != 0)
    {
        return NGX_DECLINED;
    }

    p = h->value.data + sizeof("Bearer ") - 1;
    last = h->value.data + h->value.len;

    while (p < last && *p == ' ') {
        p++;
    }

    text->data = p;
    text->len = last - p;

    return NGX_OK;
}


void
ngx_http_cqrs_jwt_from_hide(ngx_http_request_t *r,
    const ngx_http_cqrs_jwt_token_t *token)
{
    if (token->argument.len == 0) {
        return;
    }

    /* in HTTP/1 these are one piece of memory, in HTTP/2 they are not */

    ngx_http_cqrs_jwt_from_cover(&r->request_line, &token->text);
    ngx_http_cqrs_jwt_from_cover(&r->unparsed_uri, &token->text);
    ngx_http_cqrs_jwt_from_cover(&r->args, &token->text);
}


static void
ngx_http_cqrs_jwt_from_cover(ngx_str_t *line, const ngx_str_t *text)
{
    u_char  *p, *last;

    last = line->data + line->len;

    for (p = line->data; p + text->len <= last; p++) {

        if (ngx_memcmp(p, text->data, text->len) == 0) {
            ngx_memset(p, '*', text->len);
        }
    }
}


ngx_int_t
ngx_http_cqrs_jwt_from_args(ngx_http_request_t *r,
    const ngx_http_cqrs_jwt_token_t *token, ngx_str_t *args)
{
    u_char     *p, *end, *last, *to;
    ngx_str_t   name;

    *args = r->args;

    name = token->argument;

    if (name.len == 0) {
        return NGX_OK;
    }

    to = ngx_pnalloc(r->pool, r->args.len);
    if (to == NULL) {
        return NGX_ERROR;
    }

    args->data = to;

    last = r->args.data + r->args.len;

    for (p = r->args.data; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, '&');
        if (end == NULL) {
            end = last;
        }

        if ((size_t) (end - p) > name.len
            && p[name.len] == '='
            && ngx_strncasecmp(p, name.data, name.len) == 0)
        {
            continue;
        }

        if (to != args->data) {
            *to++ = '&';
        }

        to = ngx_cpymem(to, p, end - p);
    }

    args->len = to - args->data;

    return NGX_OK;
}
