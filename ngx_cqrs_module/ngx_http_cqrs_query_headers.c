
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * How an answer leaves: what the database says of status and headers goes
 * before what we say, but for what would break the answer.
 */

#include "ngx_http_cqrs_query_ctx.h"

#include "ngx_http_cqrs_reply.h"

#include "cqrs_buf.h"

#include <time.h>


static ngx_int_t ngx_http_cqrs_query_send_ours(
    ngx_http_cqrs_query_ctx_t *ctx);
static ngx_int_t ngx_http_cqrs_query_send_theirs(
    ngx_http_cqrs_query_ctx_t *ctx);
static ngx_uint_t ngx_http_cqrs_query_said(ngx_http_cqrs_query_ctx_t *ctx,
    const char *name);
static ngx_int_t ngx_http_cqrs_query_send_common(
    ngx_http_cqrs_query_ctx_t *ctx);
static ngx_int_t ngx_http_cqrs_query_type(ngx_http_cqrs_query_ctx_t *ctx,
    const ngx_str_t *type);
static ngx_int_t ngx_http_cqrs_query_timing(ngx_http_cqrs_query_ctx_t *ctx);
static ngx_int_t ngx_http_cqrs_query_cors(ngx_http_cqrs_query_ctx_t *ctx);
static ngx_str_t *ngx_http_cqrs_query_origin(ngx_http_cqrs_query_ctx_t *ctx);
static ngx_int_t ngx_http_cqrs_query_permit(ngx_http_cqrs_query_ctx_t *ctx,
    ngx_str_t *headers);
static ngx_int_t ngx_http_cqrs_query_send_as(ngx_http_cqrs_query_ctx_t *ctx,
    ngx_uint_t status, const ngx_str_t *type);
static ngx_int_t ngx_http_cqrs_query_etag(ngx_http_cqrs_query_ctx_t *ctx);


/* Of the answer's frame, not of its meaning: only nginx can say these. */

static const char *const  ngx_http_cqrs_query_frame[] = {
    "Connection",
    "Content-Length",
    "Keep-Alive",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    NULL
};


static const char *const  ngx_http_cqrs_query_steps[] = {
    "jwt", "parse", "plan", "transaction", "response"
};


static ngx_str_t  ngx_http_cqrs_query_all = ngx_string("*");
static ngx_str_t  ngx_http_cqrs_query_true = ngx_string("true");

static ngx_str_t  ngx_http_cqrs_query_vary =
    ngx_string("Accept, Prefer, Range");
static ngx_str_t  ngx_http_cqrs_query_vary_origin =
    ngx_string("Accept, Prefer, Range, Origin");

static ngx_str_t  ngx_http_cqrs_query_exposed = ngx_string(
    "Content-Encoding, Content-Location, Content-Range, Content-Type, "
    "Date, Location, Server, Transfer-Encoding, Range-Unit");

static ngx_str_t  ngx_http_cqrs_query_methods = ngx_string(
    "GET, POST, PATCH, PUT, DELETE, OPTIONS, HEAD");

static ngx_str_t  ngx_http_cqrs_query_age = ngx_string("86400");

static ngx_str_t  ngx_http_cqrs_query_origin_name = ngx_string("origin");
static ngx_str_t  ngx_http_cqrs_query_asked_method =
    ngx_string("access-control-request-method");
static ngx_str_t  ngx_http_cqrs_query_asked_headers =
    ngx_string("access-control-request-headers");


void
ngx_http_cqrs_query_header(ngx_http_cqrs_query_ctx_t *ctx, const char *name,
    const ngx_str_t *value)
{
    ngx_http_cqrs_query_header_t  *header;

    if (ctx->nheaders == NGX_HTTP_CQRS_QUERY_HEADERS_MAX) {
        ngx_log_error(NGX_LOG_ALERT, ctx->request->connection->log, 0,
                      "no place for the header %s", name);
        return;
    }

    header = &ctx->headers[ctx->nheaders++];

    header->name = name;
    header->value = *value;
}


ngx_int_t
ngx_http_cqrs_query_send(ngx_http_cqrs_query_ctx_t *ctx, ngx_uint_t status,
    const ngx_str_t *type, ngx_str_t *body)
{
    ngx_http_cqrs_query_body_init(&ctx->body, ctx->request, 0,
                                  status == NGX_HTTP_OK);

    if (ngx_http_cqrs_query_body_refer(&ctx->body, body->data, body->len)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_cqrs_query_send_as(ctx, status, type);
}


ngx_int_t
ngx_http_cqrs_query_send_body(ngx_http_cqrs_query_ctx_t *ctx,
    ngx_uint_t status)
{
    return ngx_http_cqrs_query_send_as(ctx, status, NULL);
}


static ngx_int_t
ngx_http_cqrs_query_send_as(ngx_http_cqrs_query_ctx_t *ctx,
    ngx_uint_t status, const ngx_str_t *type)
{
    ngx_int_t            rc;
    ngx_chain_t         *out;
    ngx_http_request_t  *r;

    r = ctx->request;

    ngx_http_cqrs_query_step(ctx, NGX_HTTP_CQRS_QUERY_RESPONSE);

    if (ctx->answer.status) {
        status = ctx->answer.status;
    }

    if (ngx_http_cqrs_query_send_ours(ctx) != NGX_OK
        || ngx_http_cqrs_query_send_common(ctx) != NGX_OK
        || ((type || ctx->n) && status != NGX_HTTP_NO_CONTENT
            && ngx_http_cqrs_query_type(ctx, type) != NGX_OK)
        || ngx_http_cqrs_query_send_theirs(ctx) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->method == NGX_HTTP_HEAD || status == NGX_HTTP_NO_CONTENT) {

        rc = ngx_http_discard_request_body(r);
        if (rc != NGX_OK) {
            return rc;
        }

        /* rows have not been made, so their length is not known */

        if (ctx->refused && status != NGX_HTTP_NO_CONTENT) {
            r->headers_out.content_length_n = ctx->body.len;
        }

        r->headers_out.status = status;
        r->header_only = 1;

        return ngx_http_send_header(r);
    }

    out = ngx_http_cqrs_query_body_end(&ctx->body);

    if (out == NULL
        || (status == NGX_HTTP_OK && ngx_http_cqrs_query_etag(ctx) != NGX_OK))
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_cqrs_send_chain(r, status, NULL, out, ctx->body.len);
}


static ngx_int_t
ngx_http_cqrs_query_send_ours(ngx_http_cqrs_query_ctx_t *ctx)
{
    ngx_str_t                      *vary, schema;
    ngx_uint_t                      i;
    ngx_http_cqrs_query_header_t   *header;

    if (!ctx->refused && !ngx_http_cqrs_query_said(ctx, "Vary")) {
        vary = (ctx->conf->cors == NGX_HTTP_CQRS_QUERY_CORS_LISTED)
               ? &ngx_http_cqrs_query_vary_origin : &ngx_http_cqrs_query_vary;

        if (ngx_http_cqrs_add_header(ctx->request, "Vary", vary) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (!ctx->refused && ctx->profile && !ctx->nothing && ctx->n) {
        schema.data = (u_char *) ctx->schema.data;
        schema.len = ctx->schema.len;

        ngx_http_cqrs_query_header(ctx, "Content-Profile", &schema);
    }

    for (i = 0; i < ctx->nheaders; i++) {
        header = &ctx->headers[i];

        if (ngx_http_cqrs_query_said(ctx, header->name)) {
            continue;
        }

        if (ngx_http_cqrs_add_header(ctx->request, header->name,
                                     &header->value)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* The database's own. */

static ngx_int_t
ngx_http_cqrs_query_send_theirs(ngx_http_cqrs_query_ctx_t *ctx)
{
    u_char                 *name;
    ngx_str_t               value;
    ngx_uint_t              i;
    ngx_table_elt_t        *h;
    ngx_http_request_t     *r;
    cqrs_answer_header_t   *header;

    r = ctx->request;

    for (header = ctx->answer.headers; header; header = header->next) {

        name = (u_char *) header->name.data;

        value.data = (u_char *) header->value.data;
        value.len = header->value.len;

        for (i = 0; ngx_http_cqrs_query_frame[i]; i++) {
            if (ngx_strcasecmp(name, (u_char *) ngx_http_cqrs_query_frame[i])
                == 0)
            {
                break;
            }
        }

        if (ngx_http_cqrs_query_frame[i]) {
            continue;
        }

        if (ngx_strcasecmp(name, (u_char *) "Content-Type") == 0) {
            r->headers_out.content_type = value;
            r->headers_out.content_type_len = value.len;
            r->headers_out.content_type_lowcase = NULL;
            ngx_str_null(&r->headers_out.charset);
            continue;
        }

        h = ngx_list_push(&r->headers_out.headers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(h, sizeof(ngx_table_elt_t));

        h->hash = 1;
        h->key.data = name;
        h->key.len = header->name.len;
        h->value = value;

        /* nginx would say these itself, or asks what they are */

        if (ngx_strcasecmp(name, (u_char *) "Date") == 0) {
            r->headers_out.date = h;

        } else if (ngx_strcasecmp(name, (u_char *) "Server") == 0) {
            r->headers_out.server = h;

        } else if (ngx_strcasecmp(name, (u_char *) "ETag") == 0) {
            r->headers_out.etag = h;

        } else if (ngx_strcasecmp(name, (u_char *) "Content-Encoding") == 0) {
            r->headers_out.content_encoding = h;
        }
    }

    return NGX_OK;
}


/* Does the database say it itself? */

static ngx_uint_t
ngx_http_cqrs_query_said(ngx_http_cqrs_query_ctx_t *ctx, const char *name)
{
    cqrs_answer_header_t  *header;

    for (header = ctx->answer.headers; header; header = header->next) {
        if (ngx_strcasecmp((u_char *) header->name.data, (u_char *) name)
            == 0)
        {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_cqrs_query_send_common(ngx_http_cqrs_query_ctx_t *ctx)
{
    ngx_str_t                       *trace;
    ngx_http_cqrs_query_loc_conf_t  *conf;

    conf = ctx->conf;

    if (conf->trace_header.len) {
        trace = ngx_http_cqrs_query_request_header(ctx->request,
                                                   &conf->trace_lowcase);

        /* nginx ends the arguments of directives with NUL */

        if (trace
            && ngx_http_cqrs_add_header(ctx->request,
                                        (char *) conf->trace_header.data,
                                        trace)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (conf->server_timing && !ctx->refused
        && ngx_http_cqrs_query_timing(ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_cqrs_query_cors(ctx);
}


static ngx_int_t
ngx_http_cqrs_query_type(ngx_http_cqrs_query_ctx_t *ctx,
    const ngx_str_t *type)
{
    cqrs_str_t           name;
    ngx_http_request_t  *r;

    r = ctx->request;

    if (type) {
        name.data = (char *) type->data;
        name.len = type->len;

    } else if (cqrs_media_name(&ctx->media, &ctx->arena, &name) != 0) {
        return NGX_ERROR;
    }

    r->headers_out.content_type.data = (u_char *) name.data;
    r->headers_out.content_type.len = name.len;
    r->headers_out.content_type_len = name.len;
    r->headers_out.content_type_lowcase = NULL;

    if (type || cqrs_media_is_text(&ctx->media)) {
        ngx_str_set(&r->headers_out.charset, "utf-8");
    }

    return NGX_OK;
}


/* Tenths of milliseconds are more than any clock here is good for. */

static ngx_int_t
ngx_http_cqrs_query_timing(ngx_http_cqrs_query_ctx_t *ctx)
{
    u_char      *p;
    uint64_t     tenths;
    ngx_str_t    value;
    ngx_uint_t   i;

    p = ngx_pnalloc(ctx->request->pool,
                    NGX_HTTP_CQRS_QUERY_STEPS
                    * (sizeof("transaction;dur=, .") + NGX_INT64_LEN));
    if (p == NULL) {
        return NGX_ERROR;
    }

    value.data = p;

    for (i = 0; i < NGX_HTTP_CQRS_QUERY_STEPS; i++) {
        tenths = (ctx->steps[i] + 50) / 100;

        p = ngx_sprintf(p, "%s%s;dur=%uL.%uL", i ? ", " : "",
                        ngx_http_cqrs_query_steps[i], tenths / 10,
                        tenths % 10);
    }

    value.len = p - value.data;

    return ngx_http_cqrs_add_header(ctx->request, "Server-Timing", &value);
}


/* What a page of another origin may see. */

static ngx_int_t
ngx_http_cqrs_query_cors(ngx_http_cqrs_query_ctx_t *ctx)
{
    ngx_str_t  *origin;

    origin = ngx_http_cqrs_query_origin(ctx);

    if (origin == NULL) {
        return NGX_OK;
    }

    /* OPTIONS says so by itself */

    if (ctx->request->method == NGX_HTTP_OPTIONS && ctx->nheaders
        && origin == &ngx_http_cqrs_query_all)
    {
        return NGX_OK;
    }

    if (ngx_http_cqrs_query_permit(ctx, origin) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_cqrs_add_header(ctx->request,
                                    "Access-Control-Expose-Headers",
                                    &ngx_http_cqrs_query_exposed);
}


/* Who is permitted; NULL: nobody asks, or is not to. */

static ngx_str_t *
ngx_http_cqrs_query_origin(ngx_http_cqrs_query_ctx_t *ctx)
{
    ngx_str_t   *origin, *listed;
    ngx_uint_t   i;

    if (ctx->conf->cors == NGX_HTTP_CQRS_QUERY_CORS_OFF) {
        return NULL;
    }

    origin = ngx_http_cqrs_query_request_header(ctx->request,
                                           &ngx_http_cqrs_query_origin_name);

    if (origin == NULL) {
        return NULL;
    }

    if (ctx->conf->cors == NGX_HTTP_CQRS_QUERY_CORS_ANY) {
        return &ngx_http_cqrs_query_all;
    }

    listed = ctx->conf->origins->elts;

    for (i = 0; i < ctx->conf->origins->nelts; i++) {
        if (listed[i].len == origin->len
            && ngx_memcmp(listed[i].data, origin->data, origin->len) == 0)
        {
            return origin;
        }
    }

    return NULL;
}


static ngx_int_t
ngx_http_cqrs_query_permit(ngx_http_cqrs_query_ctx_t *ctx, ngx_str_t *origin)
{
    if (ngx_http_cqrs_add_header(ctx->request, "Access-Control-Allow-Origin",
                                 origin)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (origin == &ngx_http_cqrs_query_all) {
        return NGX_OK;
    }

    return ngx_http_cqrs_add_header(ctx->request,
                                    "Access-Control-Allow-Credentials",
                                    &ngx_http_cqrs_query_true);
}


ngx_uint_t
ngx_http_cqrs_query_preflight(ngx_http_cqrs_query_ctx_t *ctx, ngx_int_t *rc)
{
    char                *p, *next, *last, *end;
    ngx_str_t           *origin, *asked, value, body;
    cqrs_buf_t           buf;
    cqrs_str_t           allowed;
    ngx_http_request_t  *r;

    r = ctx->request;

    if (r->method != NGX_HTTP_OPTIONS
        || ngx_http_cqrs_query_request_header(r,
                                       &ngx_http_cqrs_query_asked_method)
           == NULL)
    {
        return 0;
    }

    origin = ngx_http_cqrs_query_origin(ctx);

    if (origin == NULL) {
        return 0;
    }

    cqrs_buf_init(&buf, &ctx->arena);
    cqrs_buf_text(&buf, "Authorization");

    asked = ngx_http_cqrs_query_request_header(r,
                                       &ngx_http_cqrs_query_asked_headers);

    p = asked ? (char *) asked->data : NULL;
    last = asked ? p + asked->len : NULL;

    while (p < last) {
        next = (char *) ngx_strlchr((u_char *) p, (u_char *) last, ',');
        next = next ? next : last;

        for (end = next; end > p && end[-1] == ' '; end--) { /* void */ }
        for ( /* void */ ; p < end && *p == ' '; p++) { /* void */ }

        if (p < end) {
            cqrs_buf_text(&buf, ", ");
            cqrs_buf_add(&buf, p, end - p);
        }

        p = next + 1;
    }

    cqrs_buf_text(&buf, ", Accept, Accept-Language, Content-Language");

    *rc = NGX_HTTP_INTERNAL_SERVER_ERROR;

    if (cqrs_buf_end(&buf, &allowed) != 0) {
        return 1;
    }

    value.data = (u_char *) allowed.data;
    value.len = allowed.len;

    if (ngx_http_cqrs_query_permit(ctx, origin) != NGX_OK
        || ngx_http_cqrs_add_header(r, "Access-Control-Allow-Methods",
                                    &ngx_http_cqrs_query_methods)
           != NGX_OK
        || ngx_http_cqrs_add_header(r, "Access-Control-Allow-Headers", &value)
           != NGX_OK
        || ngx_http_cqrs_add_header(r, "Access-Control-Max-Age",
                                    &ngx_http_cqrs_query_age)
           != NGX_OK)
    {
        return 1;
    }

    ngx_str_set(&body, "");

    *rc = ngx_http_cqrs_send(r, NGX_HTTP_OK, NULL, &body);

    return 1;
}


/*
 * A weak one: compression may change the bytes.  nginx compares it with what
 * the client has, and answers 304.
 */

static ngx_int_t
ngx_http_cqrs_query_etag(ngx_http_cqrs_query_ctx_t *ctx)
{
    u_char                    *p;
    XXH128_canonical_t         hash;
    ngx_table_elt_t           *h;
    ngx_http_request_t        *r;

    r = ctx->request;

    if (r->headers_out.etag || ctx->body.hash == NULL) {
        return NGX_OK;
    }

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    p = ngx_pnalloc(r->pool, sizeof("W/\"\"") - 1 + 2 * sizeof(hash));
    if (p == NULL) {
        return NGX_ERROR;
    }

    XXH3_128bits_update(ctx->body.hash, r->headers_out.content_type.data,
                        r->headers_out.content_type.len);
    XXH128_canonicalFromHash(&hash, XXH3_128bits_digest(ctx->body.hash));

    h->value.data = p;

    p = ngx_cpymem(p, "W/\"", sizeof("W/\"") - 1);
    p = ngx_hex_dump(p, hash.digest, sizeof(hash));
    *p++ = '"';

    h->value.len = p - h->value.data;
    h->hash = 1;
    ngx_str_set(&h->key, "ETag");

    r->headers_out.etag = h;

    return NGX_OK;
}


void
ngx_http_cqrs_query_step(ngx_http_cqrs_query_ctx_t *ctx,
    ngx_http_cqrs_query_step_e step)
{
    uint64_t         now;
    struct timespec  ts;

    if (!ctx->conf->server_timing) {
        return;
    }

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    now = (uint64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;

    ctx->steps[step] = now - ctx->began;
    ctx->began = now;
}
