
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "ngx_http_cqrs_query_body.h"


#define NGX_HTTP_CQRS_QUERY_PIECE  (32 * 1024)
#define NGX_HTTP_CQRS_QUERY_ALIGN  64      /* of XXH3_state_t */


static ngx_buf_t *ngx_http_cqrs_query_body_piece(
    ngx_http_cqrs_query_body_t *body, size_t size);
static ngx_int_t ngx_http_cqrs_query_body_save(
    ngx_http_cqrs_query_body_t *body);
static void ngx_http_cqrs_query_body_hash(ngx_http_cqrs_query_body_t *body);
static ngx_int_t ngx_http_cqrs_query_body_open(
    ngx_http_cqrs_query_body_t *body);


void
ngx_http_cqrs_query_body_init(ngx_http_cqrs_query_body_t *body,
    ngx_http_request_t *r, size_t limit, ngx_uint_t hashed)
{
    u_char                    *state;
    ngx_http_core_loc_conf_t  *clcf;

    ngx_memzero(body, sizeof(ngx_http_cqrs_query_body_t));

    body->request = r;
    body->limit = limit;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (hashed && clcf->etag && r->method == NGX_HTTP_GET) {

        /* without memory for it there is no ETag */

        state = ngx_palloc(r->pool, sizeof(XXH3_state_t)
                                    + NGX_HTTP_CQRS_QUERY_ALIGN - 1);
        if (state) {
            body->hash = (XXH3_state_t *)
                         ngx_align_ptr(state, NGX_HTTP_CQRS_QUERY_ALIGN);
        }
    }

    ngx_http_cqrs_query_body_reset(body);
}


void
ngx_http_cqrs_query_body_reset(ngx_http_cqrs_query_body_t *body)
{
    ngx_chain_t  *cl;

    for (cl = body->chain; cl; cl = cl->next) {
        cl->buf->pos = cl->buf->start;
        cl->buf->last = cl->buf->start;
    }

    body->last = body->chain;
    body->len = 0;

    if (body->file) {
        body->file->offset = 0;            /* and is written over */
    }

    if (body->hash) {
        XXH3_128bits_reset(body->hash);
    }
}


u_char *
ngx_http_cqrs_query_body_reserve(ngx_http_cqrs_query_body_t *body,
    size_t size)
{
    ngx_buf_t  *b;

    b = body->last ? body->last->buf : NULL;

    if (b && (size_t) (b->end - b->last) >= size) {
        return b->last;
    }

    if (body->len - (body->file ? body->file->offset : 0) + (off_t) size
        > (off_t) body->limit
        && ngx_http_cqrs_query_body_save(body) != NGX_OK)
    {
        return NULL;
    }

    b = ngx_http_cqrs_query_body_piece(body, size);

    return b ? b->last : NULL;
}


void
ngx_http_cqrs_query_body_written(ngx_http_cqrs_query_body_t *body,
    u_char *last)
{
    ngx_buf_t  *b;

    b = body->last->buf;

    body->len += last - b->last;
    b->last = last;
}


ngx_int_t
ngx_http_cqrs_query_body_refer(ngx_http_cqrs_query_body_t *body,
    u_char *data, size_t len)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    b = ngx_calloc_buf(body->request->pool);
    cl = ngx_alloc_chain_link(body->request->pool);

    if (b == NULL || cl == NULL) {
        return NGX_ERROR;
    }

    b->pos = data;
    b->last = data + len;
    b->end = b->last;
    b->memory = 1;

    cl->buf = b;
    cl->next = NULL;

    if (body->last) {
        body->last->next = cl;

    } else {
        body->chain = cl;
    }

    body->last = cl;
    body->len += len;

    return NGX_OK;
}


ngx_chain_t *
ngx_http_cqrs_query_body_end(ngx_http_cqrs_query_body_t *body)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    if (body->file == NULL) {

        /* pieces that were used before it began anew may be left over */

        if (body->last) {
            body->last->next = NULL;
        }

        ngx_http_cqrs_query_body_hash(body);

        return body->chain;
    }

    if (ngx_http_cqrs_query_body_save(body) != NGX_OK) {
        return NULL;
    }

    cl = ngx_alloc_chain_link(body->request->pool);
    b = ngx_calloc_buf(body->request->pool);

    if (cl == NULL || b == NULL) {
        return NULL;
    }

    b->file = &body->file->file;
    b->file_last = body->len;
    b->in_file = 1;

    cl->buf = b;
    cl->next = NULL;

    return cl;
}


/* The one behind the last if it is large enough, or a new one. */

static ngx_buf_t *
ngx_http_cqrs_query_body_piece(ngx_http_cqrs_query_body_t *body, size_t size)
{
    ngx_buf_t     *b;
    ngx_chain_t   *cl, **ll;

    ll = body->last ? &body->last->next : &body->chain;
    cl = *ll;

    if (cl && (size_t) (cl->buf->end - cl->buf->start) >= size) {
        body->last = cl;
        return cl->buf;
    }

    b = ngx_create_temp_buf(body->request->pool,
                            ngx_max(size, NGX_HTTP_CQRS_QUERY_PIECE));
    if (b == NULL) {
        return NULL;
    }

    cl = ngx_alloc_chain_link(body->request->pool);
    if (cl == NULL) {
        return NULL;
    }

    cl->buf = b;
    cl->next = *ll;
    *ll = cl;

    body->last = cl;

    return b;
}


/* What is in memory goes to the file, and its pieces are free again. */

static ngx_int_t
ngx_http_cqrs_query_body_save(ngx_http_cqrs_query_body_t *body)
{
    ssize_t       n;
    ngx_chain_t  *cl, *rest;

    if (body->last == NULL) {
        return NGX_OK;
    }

    if (body->file == NULL && ngx_http_cqrs_query_body_open(body) != NGX_OK) {
        return NGX_ERROR;
    }

    rest = body->last->next;
    body->last->next = NULL;

    ngx_http_cqrs_query_body_hash(body);

    n = ngx_write_chain_to_temp_file(body->file, body->chain);

    body->last->next = rest;

    if (n == NGX_ERROR) {
        return NGX_ERROR;
    }

    body->file->offset += n;

    for (cl = body->chain; cl != rest; cl = cl->next) {
        cl->buf->last = cl->buf->start;
    }

    body->last = NULL;

    return NGX_OK;
}


/* What is in memory, before it leaves it. */

static void
ngx_http_cqrs_query_body_hash(ngx_http_cqrs_query_body_t *body)
{
    ngx_chain_t  *cl;

    if (body->hash == NULL) {
        return;
    }

    for (cl = body->chain; cl; cl = cl->next) {
        XXH3_128bits_update(body->hash, cl->buf->pos,
                            cl->buf->last - cl->buf->pos);
    }
}


static ngx_int_t
ngx_http_cqrs_query_body_open(ngx_http_cqrs_query_body_t *body)
{
    ngx_temp_file_t           *file;
    ngx_http_request_t        *r;
    ngx_http_core_loc_conf_t  *clcf;

    r = body->request;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    file = ngx_pcalloc(r->pool, sizeof(ngx_temp_file_t));
    if (file == NULL) {
        return NGX_ERROR;
    }

    file->file.fd = NGX_INVALID_FILE;
    file->file.log = r->connection->log;
    file->path = clcf->client_body_temp_path;
    file->pool = r->pool;
    file->clean = 1;

    body->file = file;

    return NGX_OK;
}
