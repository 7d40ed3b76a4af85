
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "ngx_http_cqrs_reply.h"


#define NGX_HTTP_CQRS_DETAIL_MAX  512


static ngx_str_t  ngx_http_cqrs_problem_type =
    ngx_string("application/problem+json");

static ngx_str_t  ngx_http_cqrs_retry_after = ngx_string("1");


ngx_int_t
ngx_http_cqrs_send(ngx_http_request_t *r, ngx_uint_t status,
    const ngx_str_t *content_type, ngx_str_t *body)
{
    ngx_buf_t    *b;
    ngx_chain_t   out;

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = body->data;
    b->last = body->data + body->len;
    b->memory = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_cqrs_send_chain(r, status, content_type, &out, body->len);
}


ngx_int_t
ngx_http_cqrs_send_chain(ngx_http_request_t *r, ngx_uint_t status,
    const ngx_str_t *content_type, ngx_chain_t *body, off_t len)
{
    ngx_int_t     rc;
    ngx_chain_t  *cl;

    /* what is left of a body would be taken for the next request */

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    r->headers_out.status = status;
    r->headers_out.content_length_n = len;

    if (content_type) {
        r->headers_out.content_type = *content_type;
        r->headers_out.content_type_len = content_type->len;
        r->headers_out.content_type_lowcase = NULL;
    }

    if (len == 0) {
        r->header_only = 1;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    for (cl = body; cl->next; cl = cl->next) { /* void */ }

    cl->buf->last_buf = (r == r->main) ? 1 : 0;
    cl->buf->last_in_chain = 1;

    return ngx_http_output_filter(r, body);
}


ngx_int_t
ngx_http_cqrs_problem(ngx_http_request_t *r, ngx_uint_t status,
    const char *kind, const char *fmt, ...)
{
    u_char     *p, *last, detail[NGX_HTTP_CQRS_DETAIL_MAX];
    size_t      klen, len;
    va_list     args;
    ngx_int_t   rc;
    ngx_str_t   body;

    va_start(args, fmt);
    last = ngx_vslprintf(detail, detail + sizeof(detail), fmt, args);
    va_end(args);

    klen = ngx_strlen(kind);
    len = last - detail;

    body.data = ngx_pnalloc(r->pool,
                            sizeof("{\"type\":\"urn:ngx-cqrs:problem:\","
                                   "\"title\":\"\",\"status\":,"
                                   "\"detail\":\"\"}")
                            + 2 * klen + NGX_INT_T_LEN
                            + len + ngx_escape_json(NULL, detail, len));
    if (body.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = ngx_sprintf(body.data,
                    "{\"type\":\"urn:ngx-cqrs:problem:%s\",\"title\":\"",
                    kind);

    for ( /* void */ ; *kind; kind++) {
        *p++ = (*kind == '-') ? ' ' : *kind;
    }

    p = ngx_sprintf(p, "\",\"status\":%ui,\"detail\":\"", status);
    p = (u_char *) ngx_escape_json(p, detail, len);
    *p++ = '"';
    *p++ = '}';

    body.len = p - body.data;

    if (status == NGX_HTTP_SERVICE_UNAVAILABLE
        && ngx_http_cqrs_add_header(r, "Retry-After",
                                    &ngx_http_cqrs_retry_after)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_cqrs_send(r, status, &ngx_http_cqrs_problem_type, &body);

    /* to nginx the same: the answer is on its way */

    return (rc == NGX_OK) ? NGX_AGAIN : rc;
}


ngx_int_t
ngx_http_cqrs_add_header(ngx_http_request_t *r, const char *name,
    const ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value = *value;

    return NGX_OK;
}
