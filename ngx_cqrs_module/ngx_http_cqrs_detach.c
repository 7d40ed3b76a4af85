
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * A request is some 9 KB: its pool, the header it was read into, buffers that
 * wait for the next one.  A connection that only waits for messages needs none
 * of it.  nginx does the same when it keeps a connection alive, see
 * ngx_http_set_keepalive().
 *
 * limit_conn counts until the request's pool goes.  Where it is in use the
 * pool stays, so that a connection counts as long as it is there.
 */

#include "ngx_http_cqrs_detach.h"


static ngx_int_t ngx_http_cqrs_detach_pool(ngx_http_request_t *r);
static void ngx_http_cqrs_detach_cleanup(void *data);
static void ngx_http_cqrs_detach_buffers(ngx_connection_t *c,
    ngx_http_connection_t *hc);
static void ngx_http_cqrs_detach_free_chain(ngx_connection_t *c,
    ngx_chain_t **chain);


ngx_connection_t *
ngx_http_cqrs_detach(ngx_http_request_t *r)
{
    ngx_connection_t       *c;
    ngx_http_log_ctx_t     *ctx;
    ngx_http_connection_t  *hc;

    c = r->connection;
    hc = r->http_connection;

    if (r->limit_conn_status && ngx_http_cqrs_detach_pool(r) != NGX_OK) {
        return NULL;
    }

    ngx_http_free_request(r, 0);

    c->destroyed = 0;
    c->sent = 0;

    ctx = c->log->data;
    ctx->current_request = NULL;

    c->log->action = "serving a subscriber";

    ngx_http_cqrs_detach_buffers(c, hc);

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    c->idle = 1;
    ngx_reusable_connection(c, 0);

    (void) ngx_tcp_nodelay(c);

    return c;
}


/* Lets the pool live as long as the connection; the request gets another. */

static ngx_int_t
ngx_http_cqrs_detach_pool(ngx_http_request_t *r)
{
    ngx_pool_t          *pool;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(r->connection->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    pool = ngx_create_pool(NGX_MIN_POOL_SIZE, r->connection->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_cqrs_detach_cleanup;
    cln->data = r->pool;

    r->pool = pool;

    return NGX_OK;
}


static void
ngx_http_cqrs_detach_cleanup(void *data)
{
    ngx_destroy_pool(data);
}


static void
ngx_http_cqrs_detach_buffers(ngx_connection_t *c, ngx_http_connection_t *hc)
{
    if (c->buffer) {
        (void) ngx_pfree(c->pool, c->buffer->start);
        c->buffer = NULL;
    }

    ngx_http_cqrs_detach_free_chain(c, &hc->free);
    ngx_http_cqrs_detach_free_chain(c, &hc->busy);
    hc->nbusy = 0;

#if (NGX_HTTP_SSL)

    if (c->ssl) {
        ngx_ssl_free_buffer(c);
        c->ssl->buffer = 0;
    }

#endif
}


static void
ngx_http_cqrs_detach_free_chain(ngx_connection_t *c, ngx_chain_t **chain)
{
    ngx_chain_t  *cl, *next;

    for (cl = *chain; cl; cl = next) {
        next = cl->next;

        ngx_pfree(c->pool, cl->buf->start);
        ngx_free_chain(c->pool, cl);
    }

    *chain = NULL;
}
