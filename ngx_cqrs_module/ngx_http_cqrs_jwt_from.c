
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "ngx_http_cqrs_jwt_from.h"


typedef enum {
    NGX_HTTP_CQRS_JWT_HEADER = 0,
    NGX_HTTP_CQRS_JWT_COOKIE,
    NGX_HTTP_CQRS_JWT_ARGUMENT,
    NGX_HTTP_CQRS_JWT_SUBPROTOCOL
} ngx_http_cqrs_jwt_place_e;


typedef struct {
    ngx_http_cqrs_jwt_place_e  place;
    ngx_str_t                  name;
} ngx_http_cqrs_jwt_from_t;


static ngx_int_t ngx_http_cqrs_jwt_from_place(ngx_str_t *text,
    ngx_http_cqrs_jwt_from_t *from);
static ngx_int_t ngx_http_cqrs_jwt_from_add(ngx_conf_t *cf,
    ngx_array_t **hidden, const ngx_http_cqrs_jwt_from_t *from);
static ngx_int_t ngx_http_cqrs_jwt_from_look(ngx_http_request_t *r,
    ngx_http_cqrs_jwt_from_t *from, ngx_str_t *hidden, ngx_str_t *text);
static ngx_int_t ngx_http_cqrs_jwt_from_header(ngx_http_request_t *r,
    ngx_str_t *text);
static ngx_int_t ngx_http_cqrs_jwt_from_offered(ngx_http_request_t *r,
    ngx_str_t *name, ngx_str_t *text);
static ngx_uint_t ngx_http_cqrs_jwt_from_next(u_char **p, u_char *last,
    ngx_str_t *word);
static ngx_int_t ngx_http_cqrs_jwt_from_argument(const ngx_str_t *args,
    ngx_http_cqrs_jwt_from_t *from, ngx_str_t *text);
static ngx_uint_t ngx_http_cqrs_jwt_from_is_hidden(const ngx_str_t *text);
static ngx_int_t ngx_http_cqrs_jwt_from_cover(ngx_http_request_t *r,
    ngx_array_t *from, ngx_str_t *line, size_t start);
static size_t ngx_http_cqrs_jwt_from_query(const ngx_str_t *line);
static u_char *ngx_http_cqrs_jwt_from_end(u_char *p, u_char *last);
static u_char *ngx_http_cqrs_jwt_from_blank(u_char *p, u_char *last);
static u_char *ngx_http_cqrs_jwt_from_quoted(u_char *p, u_char *last);
static ngx_uint_t ngx_http_cqrs_jwt_from_is(const ngx_http_cqrs_jwt_from_t *f,
    u_char *p, u_char *end);
static ngx_http_cqrs_jwt_from_t *ngx_http_cqrs_jwt_from_one(ngx_array_t *from,
    u_char *p, u_char *end);


static ngx_http_cqrs_jwt_from_t  ngx_http_cqrs_jwt_from_default = {
    NGX_HTTP_CQRS_JWT_HEADER, ngx_null_string
};


ngx_array_t *
ngx_http_cqrs_jwt_from_read(ngx_conf_t *cf, ngx_array_t **hidden)
{
    ngx_str_t                 *value;
    ngx_uint_t                 i;
    ngx_array_t               *from;
    ngx_http_cqrs_jwt_from_t  *f;

    from = ngx_array_create(cf->pool, cf->args->nelts - 1,
                            sizeof(ngx_http_cqrs_jwt_from_t));
    if (from == NULL) {
        return NULL;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        f = ngx_array_push(from);

        if (ngx_http_cqrs_jwt_from_place(&value[i], f) != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid place \"%V\", a token is taken from "
                               "\"header\", \"cookie:NAME\", "
                               "\"argument:NAME\" or \"subprotocol:NAME\"",
                               &value[i]);
            return NULL;
        }

        if (f->place == NGX_HTTP_CQRS_JWT_ARGUMENT
            && ngx_http_cqrs_jwt_from_add(cf, hidden, f) != NGX_OK)
        {
            return NULL;
        }
    }

    return from;
}


static ngx_int_t
ngx_http_cqrs_jwt_from_add(ngx_conf_t *cf, ngx_array_t **hidden,
    const ngx_http_cqrs_jwt_from_t *from)
{
    ngx_uint_t                 i;
    ngx_http_cqrs_jwt_from_t  *added;

    if (*hidden == NULL) {
        *hidden = ngx_array_create(cf->pool, 1,
                                   sizeof(ngx_http_cqrs_jwt_from_t));
        if (*hidden == NULL) {
            return NGX_ERROR;
        }
    }

    added = (*hidden)->elts;

    for (i = 0; i < (*hidden)->nelts; i++) {
        if (added[i].name.len == from->name.len
            && ngx_strncasecmp(added[i].name.data, from->name.data,
                               from->name.len)
               == 0)
        {
            return NGX_OK;
        }
    }

    added = ngx_array_push(*hidden);
    if (added == NULL) {
        return NGX_ERROR;
    }

    *added = *from;

    return NGX_OK;
}


static ngx_int_t
ngx_http_cqrs_jwt_from_place(ngx_str_t *text, ngx_http_cqrs_jwt_from_t *from)
{
    size_t  skip;

    if (from == NULL) {
        return NGX_ERROR;
    }

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

    } else if (ngx_strncmp(text->data, "subprotocol:", 12) == 0) {
        from->place = NGX_HTTP_CQRS_JWT_SUBPROTOCOL;
        skip = 12;

    } else {
        return NGX_ERROR;
    }

    from->name.data = text->data + skip;
    from->name.len = text->len - skip;

    /* what can't be in a list of subprotocols could never be offered */

    if (from->place == NGX_HTTP_CQRS_JWT_SUBPROTOCOL
        && strcspn((char *) from->name.data, "()<>@,;:\\\"/[]?={} \t")
           != from->name.len)
    {
        return NGX_ERROR;
    }

    return from->name.len ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_cqrs_jwt_from_find(ngx_http_request_t *r, ngx_array_t *from,
    ngx_str_t *hidden, ngx_str_t *token)
{
    u_char                    *copy;
    ngx_str_t                  text;
    ngx_uint_t                 i, n;
    ngx_http_cqrs_jwt_from_t  *f;

    f = from ? from->elts : &ngx_http_cqrs_jwt_from_default;
    n = from ? from->nelts : 1;

    for (i = 0; i < n; i++) {

        if (ngx_http_cqrs_jwt_from_look(r, &f[i], hidden, &text) != NGX_OK
            || text.len == 0)
        {
            continue;
        }

        copy = ngx_pnalloc(r->pool, text.len + 1);
        if (copy == NULL) {
            return NGX_ERROR;
        }

        *ngx_cpymem(copy, text.data, text.len) = '\0';

        token->data = copy;
        token->len = text.len;

        return NGX_OK;
    }

    ngx_str_null(token);

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_cqrs_jwt_from_look(ngx_http_request_t *r,
    ngx_http_cqrs_jwt_from_t *from, ngx_str_t *hidden, ngx_str_t *text)
{
    switch (from->place) {

    case NGX_HTTP_CQRS_JWT_COOKIE:

        /* the cookie's place in the list of headers, or NGX_DECLINED */

        return ngx_http_parse_multi_header_lines(&r->headers_in.cookies,
                                                 &from->name, text)
               == NGX_DECLINED ? NGX_DECLINED : NGX_OK;

    case NGX_HTTP_CQRS_JWT_ARGUMENT:

        if (ngx_http_cqrs_jwt_from_argument(&r->args, from, text) != NGX_OK) {
            return NGX_DECLINED;
        }

        return ngx_http_cqrs_jwt_from_is_hidden(text)
               ? ngx_http_cqrs_jwt_from_argument(hidden, from, text) : NGX_OK;

    case NGX_HTTP_CQRS_JWT_SUBPROTOCOL:
        return ngx_http_cqrs_jwt_from_offered(r, &from->name, text);

    default: /* NGX_HTTP_CQRS_JWT_HEADER */
        return ngx_http_cqrs_jwt_from_header(r, text);
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


/* The token is what is offered next after the name. */

static ngx_int_t
ngx_http_cqrs_jwt_from_offered(ngx_http_request_t *r, ngx_str_t *name,
    ngx_str_t *text)
{
    u_char           *p, *last;
    ngx_uint_t        i, found;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    static ngx_str_t  header = ngx_string("sec-websocket-protocol");

    found = 0;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].key.len != header.len
                || ngx_strncmp(h[i].lowcase_key, header.data, header.len) != 0)
            {
                continue;
            }

            p = h[i].value.data;
            last = p + h[i].value.len;

            while (ngx_http_cqrs_jwt_from_next(&p, last, text)) {

                if (found) {
                    return NGX_OK;
                }

                found = (text->len == name->len
                         && ngx_memcmp(text->data, name->data, name->len)
                            == 0);
            }
        }
    }

    return NGX_DECLINED;
}


/* The next word of a list with commas. */

static ngx_uint_t
ngx_http_cqrs_jwt_from_next(u_char **p, u_char *last, ngx_str_t *word)
{
    u_char  *s = *p;

    while (s < last && (*s == ' ' || *s == '\t' || *s == ',')) {
        s++;
    }

    word->data = s;

    while (s < last && *s != ' ' && *s != '\t' && *s != ',') {
        s++;
    }

    word->len = s - word->data;

    *p = s;

    return word->len != 0;
}


static ngx_int_t
ngx_http_cqrs_jwt_from_argument(const ngx_str_t *args,
    ngx_http_cqrs_jwt_from_t *from, ngx_str_t *text)
{
    u_char  *p, *end, *last;

    if (args->len == 0) {
        return NGX_DECLINED;
    }

    last = args->data + args->len;

    for (p = args->data; p < last; p = end + 1) {
        end = ngx_http_cqrs_jwt_from_end(p, last);

        if (ngx_http_cqrs_jwt_from_is(from, p, end)) {
            text->data = p + from->name.len + 1;
            text->len = end - text->data;
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


static ngx_uint_t
ngx_http_cqrs_jwt_from_is_hidden(const ngx_str_t *text)
{
    size_t  i;

    for (i = 0; i < text->len; i++) {
        if (text->data[i] != '*') {
            return 0;
        }
    }

    return text->len != 0;
}


ngx_int_t
ngx_http_cqrs_jwt_from_hide(ngx_http_request_t *r, ngx_array_t *from,
    ngx_str_t *hidden)
{
    ngx_str_t  args;

    if (from == NULL) {
        return NGX_OK;
    }

    args = r->args;

    if (ngx_http_cqrs_jwt_from_cover(r, from, &r->args, 0) != NGX_OK
        || ngx_http_cqrs_jwt_from_cover(r, from, &r->unparsed_uri,
               ngx_http_cqrs_jwt_from_query(&r->unparsed_uri)) != NGX_OK
        || ngx_http_cqrs_jwt_from_cover(r, from, &r->request_line,
               ngx_http_cqrs_jwt_from_query(&r->request_line)) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (args.data != r->args.data && hidden->len == 0) {
        *hidden = args;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_cqrs_jwt_from_hide_all(ngx_http_request_t *r, ngx_array_t *from)
{
    ngx_str_t        *page, hidden;
    ngx_table_elt_t  *referer;

    if (from == NULL) {
        return NGX_OK;
    }

    ngx_str_null(&hidden);

    if (ngx_http_cqrs_jwt_from_hide(r, from, &hidden) != NGX_OK) {
        return NGX_ERROR;
    }

    referer = r->headers_in.referer;

    if (referer == NULL) {
        return NGX_OK;
    }

    page = &referer->value;

    return ngx_http_cqrs_jwt_from_cover(r, from, page,
                                        ngx_http_cqrs_jwt_from_query(page));
}


void
ngx_http_cqrs_jwt_from_cover_text(ngx_array_t *from, u_char *p, u_char *last)
{
    u_char                    *end;
    ngx_http_cqrs_jwt_from_t  *f;

    while (p < last) {

        if (*p != '?' && *p != '&') {
            p++;
            continue;
        }

        p++;
        end = ngx_http_cqrs_jwt_from_quoted(p, last);
        f = ngx_http_cqrs_jwt_from_one(from, p, end);

        if (f) {
            p += f->name.len + 1;
            ngx_memset(p, '*', end - p);
        }
    }
}


/* In a copy: what is there may be the configuration's. */

static ngx_int_t
ngx_http_cqrs_jwt_from_cover(ngx_http_request_t *r, ngx_array_t *from,
    ngx_str_t *line, size_t start)
{
    u_char                    *p, *end, *last, *copy;
    ngx_str_t                  value;
    ngx_http_cqrs_jwt_from_t  *f;

    if (line->len == start) {
        return NGX_OK;
    }

    copy = NULL;
    last = line->data + line->len;

    for (p = line->data + start; p < last; p = end + 1) {

        /* in the request line the protocol follows, if nothing worse does */

        end = ngx_http_cqrs_jwt_from_blank(p, last);

        f = ngx_http_cqrs_jwt_from_one(from, p, end);
        if (f == NULL) {
            continue;
        }

        value.data = p + f->name.len + 1;
        value.len = end - value.data;

        if (value.len == 0 || ngx_http_cqrs_jwt_from_is_hidden(&value)) {
            continue;
        }

        if (copy == NULL) {
            copy = ngx_pstrdup(r->pool, line);
            if (copy == NULL) {
                return NGX_ERROR;
            }
        }

        ngx_memset(copy + (value.data - line->data), '*', value.len);
    }

    if (copy) {
        line->data = copy;
    }

    return NGX_OK;
}


static size_t
ngx_http_cqrs_jwt_from_query(const ngx_str_t *line)
{
    u_char  *p;

    p = ngx_strlchr(line->data, line->data + line->len, '?');

    return p ? (size_t) (p + 1 - line->data) : line->len;
}


static u_char *
ngx_http_cqrs_jwt_from_end(u_char *p, u_char *last)
{
    u_char  *end;

    end = ngx_strlchr(p, last, '&');

    return end ? end : last;
}


/* The same where a blank ends it, too. */

static u_char *
ngx_http_cqrs_jwt_from_blank(u_char *p, u_char *last)
{
    while (p < last && *p != '&' && *p != ' ') {
        p++;
    }

    return p;
}


/* And where what it is part of ends: request: "...", host: "..." */

static u_char *
ngx_http_cqrs_jwt_from_quoted(u_char *p, u_char *last)
{
    last = ngx_http_cqrs_jwt_from_blank(p, last);

    for ( /* void */ ; p < last; p++) {
        if (*p == '"' && (p + 1 == last || p[1] == ',')) {
            break;
        }
    }

    return p;
}


static ngx_uint_t
ngx_http_cqrs_jwt_from_is(const ngx_http_cqrs_jwt_from_t *f, u_char *p,
    u_char *end)
{
    return (size_t) (end - p) > f->name.len
           && p[f->name.len] == '='
           && ngx_strncasecmp(p, f->name.data, f->name.len) == 0;
}


/* Which of the places an argument is, or NULL. */

static ngx_http_cqrs_jwt_from_t *
ngx_http_cqrs_jwt_from_one(ngx_array_t *from, u_char *p, u_char *end)
{
    ngx_uint_t                 i;
    ngx_http_cqrs_jwt_from_t  *f;

    f = from->elts;

    for (i = 0; i < from->nelts; i++) {

        if (f[i].place == NGX_HTTP_CQRS_JWT_ARGUMENT
            && ngx_http_cqrs_jwt_from_is(&f[i], p, end))
        {
            return &f[i];
        }
    }

    return NULL;
}


ngx_int_t
ngx_http_cqrs_jwt_from_args(ngx_http_request_t *r, ngx_array_t *from,
    ngx_str_t *args)
{
    u_char  *p, *end, *last, *to;

    *args = r->args;

    if (from == NULL || args->len == 0) {
        return NGX_OK;
    }

    to = ngx_pnalloc(r->pool, r->args.len);
    if (to == NULL) {
        return NGX_ERROR;
    }

    args->data = to;

    last = r->args.data + r->args.len;

    for (p = r->args.data; p < last; p = end + 1) {
        end = ngx_http_cqrs_jwt_from_end(p, last);

        if (ngx_http_cqrs_jwt_from_one(from, p, end)) {
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


void
ngx_http_cqrs_jwt_from_subprotocol(ngx_http_request_t *r, ngx_array_t *from,
    ngx_str_t *name)
{
    ngx_str_t                  token;
    ngx_uint_t                 i;
    ngx_http_cqrs_jwt_from_t  *f;

    ngx_str_null(name);

    f = from ? from->elts : NULL;

    for (i = 0; from && i < from->nelts; i++) {

        if (f[i].place == NGX_HTTP_CQRS_JWT_SUBPROTOCOL
            && ngx_http_cqrs_jwt_from_offered(r, &f[i].name, &token) == NGX_OK)
        {
            *name = f[i].name;
            return;
        }
    }
}
