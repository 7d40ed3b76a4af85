
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * One timer serves each state in turn.  It is cancelable, so a worker that
 * exits does not wait for it; messages in flight have timers of their own.
 *
 * The machine's handlers run inside of the read event.  None of them may close
 * the socket: what ends the connection is found out after they have returned.
 */

#include "ngx_cqrs_amqp_conn.h"


#define NGX_CQRS_AMQP_READ_BUFFER  65536
#define NGX_CQRS_AMQP_OUTPUT_MAX   (8 * 1024 * 1024)
#define NGX_CQRS_AMQP_STABLE       2000    /* a good connection lasts longer */
#define NGX_CQRS_AMQP_LOOK_AGAIN   100     /* at what an exiting one needs */


static void ngx_cqrs_amqp_conn_open(ngx_cqrs_amqp_conn_t *conn);
static ngx_int_t ngx_cqrs_amqp_conn_resolve(ngx_cqrs_amqp_conn_t *conn);
static void ngx_cqrs_amqp_conn_resolved(ngx_resolver_ctx_t *ctx);
static void ngx_cqrs_amqp_conn_connect(ngx_cqrs_amqp_conn_t *conn);
static ngx_int_t ngx_cqrs_amqp_conn_machine(ngx_cqrs_amqp_conn_t *conn);
static void ngx_cqrs_amqp_conn_established(ngx_cqrs_amqp_conn_t *conn);
static void ngx_cqrs_amqp_conn_secured(ngx_connection_t *c);
static void ngx_cqrs_amqp_conn_write_handler(ngx_event_t *wev);
static void ngx_cqrs_amqp_conn_read_handler(ngx_event_t *rev);
static void ngx_cqrs_amqp_conn_flush_handler(ngx_event_t *ev);
static void ngx_cqrs_amqp_conn_timer_handler(ngx_event_t *ev);
static ngx_int_t ngx_cqrs_amqp_conn_connected(ngx_connection_t *c);
static ngx_int_t ngx_cqrs_amqp_conn_send(ngx_cqrs_amqp_conn_t *conn);
static void ngx_cqrs_amqp_conn_fail(ngx_cqrs_amqp_conn_t *conn, ngx_err_t err,
    const char *reason);
static void ngx_cqrs_amqp_conn_release(ngx_cqrs_amqp_conn_t *conn);
static ngx_cqrs_amqp_server_t *ngx_cqrs_amqp_conn_server(
    ngx_cqrs_amqp_conn_t *conn);
static amqp_bytes_t ngx_cqrs_amqp_conn_bytes(const ngx_str_t *text);


void
ngx_cqrs_amqp_conn_start(ngx_cqrs_amqp_conn_t *conn)
{
    conn->state = NGX_CQRS_AMQP_CONN_DOWN;

    conn->name_len = ngx_sprintf(conn->name, "nginx worker %P", ngx_pid)
                     - conn->name;

    conn->timer.handler = ngx_cqrs_amqp_conn_timer_handler;
    conn->timer.data = conn;
    conn->timer.log = conn->log;
    conn->timer.cancelable = 1;

    conn->flush.handler = ngx_cqrs_amqp_conn_flush_handler;
    conn->flush.data = conn;
    conn->flush.log = conn->log;

    ngx_cqrs_amqp_conn_open(conn);
}


void
ngx_cqrs_amqp_conn_ready(ngx_cqrs_amqp_conn_t *conn)
{
    unsigned  heartbeat;

    if (conn->state == NGX_CQRS_AMQP_CONN_READY) {
        return;                  /* only the channel is a new one */
    }

    conn->state = NGX_CQRS_AMQP_CONN_READY;
    conn->failures = 0;
    conn->since = ngx_current_msec;

    ngx_log_error(NGX_LOG_NOTICE, conn->log, 0, "rabbitmq \"%V\": connected",
                  ngx_cqrs_amqp_conn_name(conn));

    ngx_del_timer(&conn->timer);

    heartbeat = cqrs_amqp_heartbeat(conn->machine);

    if (heartbeat) {
        ngx_add_timer(&conn->timer, heartbeat * 1000 / 2);
    }
}


void
ngx_cqrs_amqp_conn_flush(ngx_cqrs_amqp_conn_t *conn)
{
    if (!conn->flush.posted) {
        ngx_post_event(&conn->flush, &ngx_posted_events);
    }
}


void
ngx_cqrs_amqp_conn_stop(ngx_cqrs_amqp_conn_t *conn)
{
    if (conn->state == NGX_CQRS_AMQP_CONN_READY) {
        cqrs_amqp_close(conn->machine);
        (void) ngx_cqrs_amqp_conn_send(conn);
    }

    conn->state = NGX_CQRS_AMQP_CONN_STOPPED;

    ngx_cqrs_amqp_conn_release(conn);
}


ngx_uint_t
ngx_cqrs_amqp_conn_is_away(ngx_cqrs_amqp_conn_t *conn)
{
    return conn->failures >= conn->conf->servers.nelts;
}


ngx_str_t *
ngx_cqrs_amqp_conn_name(ngx_cqrs_amqp_conn_t *conn)
{
    return &ngx_cqrs_amqp_conn_server(conn)->name;
}


static void
ngx_cqrs_amqp_conn_open(ngx_cqrs_amqp_conn_t *conn)
{
    ngx_cqrs_amqp_server_t  *server;

    conn->state = NGX_CQRS_AMQP_CONN_RESOLVING;
    conn->attempts++;

    if (ngx_cqrs_amqp_conn_machine(conn) != NGX_OK) {
        ngx_cqrs_amqp_conn_fail(conn, 0, "memory is short");
        return;
    }

    /* a message that waits shall live to see a second address tried */

    ngx_add_timer(&conn->timer, conn->conf->servers.nelts > 1
                                ? conn->conf->timeout / 2
                                : conn->conf->timeout);

    server = ngx_cqrs_amqp_conn_server(conn);

    if (server->named
        && conn->conf->resolver
        && ngx_cqrs_amqp_conn_resolve(conn) == NGX_OK)
    {
        return;
    }

    ngx_cqrs_amqp_conn_connect(conn);
}


/* NGX_OK: it goes on in the handler, where it may have been already. */

static ngx_int_t
ngx_cqrs_amqp_conn_resolve(ngx_cqrs_amqp_conn_t *conn)
{
    ngx_resolver_ctx_t  *ctx;

    ctx = ngx_resolve_start(conn->conf->resolver, NULL);

    if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
        return NGX_DECLINED;
    }

    ctx->name = ngx_cqrs_amqp_conn_server(conn)->host;
    ctx->handler = ngx_cqrs_amqp_conn_resolved;
    ctx->data = conn;
    ctx->cancelable = 1;

    /* the address that was good last time shall be tried then */

    ctx->timeout = conn->conf->timeout / 4;

    conn->resolving = ctx;

    if (ngx_resolve_name(ctx) != NGX_OK) {
        conn->resolving = NULL;
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static void
ngx_cqrs_amqp_conn_resolved(ngx_resolver_ctx_t *ctx)
{
    ngx_resolver_addr_t     *addr;
    ngx_cqrs_amqp_conn_t    *conn;
    ngx_cqrs_amqp_server_t  *server;

    conn = ctx->data;
    server = ngx_cqrs_amqp_conn_server(conn);

    if (ctx->state == NGX_OK && ctx->naddrs) {
        addr = &ctx->addrs[conn->attempts % ctx->naddrs];

        ngx_cqrs_amqp_conf_move(server, addr->sockaddr, addr->socklen);

    } else {
        ngx_log_error(NGX_LOG_WARN, conn->log, 0,
                      "rabbitmq \"%V\": the name \"%V\" is not resolved, "
                      "\"%s\"; the address that is known is tried",
                      &server->name, &ctx->name,
                      ngx_resolver_strerror(ctx->state));
    }

    conn->resolving = NULL;
    ngx_resolve_name_done(ctx);

    ngx_cqrs_amqp_conn_connect(conn);
}


static void
ngx_cqrs_amqp_conn_connect(ngx_cqrs_amqp_conn_t *conn)
{
    ngx_int_t                rc;
    ngx_connection_t        *c;
    ngx_cqrs_amqp_server_t  *server;

    conn->state = NGX_CQRS_AMQP_CONN_CONNECTING;

    server = ngx_cqrs_amqp_conn_server(conn);

    ngx_memzero(&conn->peer, sizeof(ngx_peer_connection_t));

    conn->peer.sockaddr = server->sockaddr;
    conn->peer.socklen = server->socklen;
    conn->peer.name = &server->name;
    conn->peer.get = ngx_event_get_peer;
    conn->peer.log = conn->log;
    conn->peer.log_error = NGX_ERROR_INFO;

    rc = ngx_event_connect_peer(&conn->peer);

    if (rc != NGX_OK && rc != NGX_AGAIN) {
        ngx_cqrs_amqp_conn_fail(conn, ngx_socket_errno, "connect() failed");
        return;
    }

    c = conn->peer.connection;

    c->data = conn;
    c->read->handler = ngx_cqrs_amqp_conn_read_handler;
    c->write->handler = ngx_cqrs_amqp_conn_write_handler;

    if (rc == NGX_OK) {
        ngx_cqrs_amqp_conn_write_handler(c->write);
    }
}


static ngx_int_t
ngx_cqrs_amqp_conn_machine(ngx_cqrs_amqp_conn_t *conn)
{
    cqrs_amqp_conf_t         conf;
    ngx_cqrs_amqp_server_t  *server;

    server = ngx_cqrs_amqp_conn_server(conn);

    conf.user = ngx_cqrs_amqp_conn_bytes(&server->user);
    conf.password = ngx_cqrs_amqp_conn_bytes(&server->password);
    conf.vhost = ngx_cqrs_amqp_conn_bytes(&server->vhost);
    conf.name.bytes = conn->name;
    conf.name.len = conn->name_len;
    conf.heartbeat = (uint16_t) conn->conf->heartbeat;
    conf.output_max = NGX_CQRS_AMQP_OUTPUT_MAX;
    conf.handlers = conn->handlers;
    conf.data = conn->data;

    conn->machine = cqrs_amqp_create(&conf);

    return conn->machine ? NGX_OK : NGX_ERROR;
}


static void
ngx_cqrs_amqp_conn_write_handler(ngx_event_t *wev)
{
    ngx_connection_t      *c;
    ngx_cqrs_amqp_conn_t  *conn;

    c = wev->data;
    conn = c->data;

    if (conn->state == NGX_CQRS_AMQP_CONN_CONNECTING) {

        if (wev->ready) {
            ngx_cqrs_amqp_conn_established(conn);
        }

        return;
    }

    if (ngx_cqrs_amqp_conn_send(conn) != NGX_OK) {
        ngx_cqrs_amqp_conn_fail(conn, ngx_socket_errno, "send() failed");
    }
}


static void
ngx_cqrs_amqp_conn_established(ngx_cqrs_amqp_conn_t *conn)
{
    ngx_connection_t        *c;
    ngx_cqrs_amqp_server_t  *server;

    c = conn->peer.connection;

    if (ngx_cqrs_amqp_conn_connected(c) != NGX_OK) {
        ngx_cqrs_amqp_conn_fail(conn, ngx_socket_errno, "connect() failed");
        return;
    }

    server = ngx_cqrs_amqp_conn_server(conn);

    if (!server->tls) {
        conn->state = NGX_CQRS_AMQP_CONN_GREETING;
        ngx_cqrs_amqp_conn_write_handler(c->write);
        return;
    }

    conn->state = NGX_CQRS_AMQP_CONN_SECURING;

    c->pool = ngx_create_pool(256, conn->log);

    if (c->pool == NULL
        || ngx_cqrs_amqp_ssl_begin(&conn->conf->ssl, c, &server->host,
                                   ngx_cqrs_amqp_conn_secured)
           != NGX_OK)
    {
        ngx_cqrs_amqp_conn_fail(conn, 0, "TLS can't be begun");
    }
}


static void
ngx_cqrs_amqp_conn_secured(ngx_connection_t *c)
{
    const char            *reason;
    ngx_cqrs_amqp_conn_t  *conn;

    conn = c->data;

    reason = ngx_cqrs_amqp_ssl_refused(&conn->conf->ssl, c,
                                       &ngx_cqrs_amqp_conn_server(conn)->host);
    if (reason) {
        ngx_cqrs_amqp_conn_fail(conn, 0, reason);
        return;
    }

    c->read->handler = ngx_cqrs_amqp_conn_read_handler;
    c->write->handler = ngx_cqrs_amqp_conn_write_handler;

    conn->state = NGX_CQRS_AMQP_CONN_GREETING;

    ngx_cqrs_amqp_conn_write_handler(c->write);

    /* the broker may have spoken already, with the end of the handshake */

    if (conn->state == NGX_CQRS_AMQP_CONN_GREETING && c->read->ready) {
        ngx_post_event(c->read, &ngx_posted_events);
    }
}


static void
ngx_cqrs_amqp_conn_read_handler(ngx_event_t *rev)
{
    int                    rc;
    ssize_t                n;
    ngx_connection_t      *c;
    ngx_cqrs_amqp_conn_t  *conn;
    static u_char          buffer[NGX_CQRS_AMQP_READ_BUFFER];

    c = rev->data;
    conn = c->data;

    if (conn->state == NGX_CQRS_AMQP_CONN_CONNECTING) {

        /* a failure is told as one of connect() */

        ngx_cqrs_amqp_conn_write_handler(c->write);
        return;
    }

    for ( ;; ) {
        n = c->recv(c, buffer, NGX_CQRS_AMQP_READ_BUFFER);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == NGX_ERROR) {
            ngx_cqrs_amqp_conn_fail(conn, ngx_socket_errno, "recv() failed");
            return;
        }

        if (n == 0) {
            ngx_cqrs_amqp_conn_fail(conn, 0, "the broker closed it");
            return;
        }

        rc = cqrs_amqp_input(conn->machine, buffer, n);

        if (rc != CQRS_AMQP_OK) {
            (void) ngx_cqrs_amqp_conn_send(conn);
            ngx_cqrs_amqp_conn_fail(conn, 0, cqrs_amqp_reason(conn->machine));
            return;
        }

        if (!rev->ready) {
            break;
        }
    }

    if (ngx_handle_read_event(rev, 0) != NGX_OK
        || ngx_cqrs_amqp_conn_send(conn) != NGX_OK)
    {
        ngx_cqrs_amqp_conn_fail(conn, ngx_socket_errno, "send() failed");
    }
}


static void
ngx_cqrs_amqp_conn_flush_handler(ngx_event_t *ev)
{
    ngx_cqrs_amqp_conn_t  *conn;

    conn = ev->data;

    if (conn->state == NGX_CQRS_AMQP_CONN_READY
        && ngx_cqrs_amqp_conn_send(conn) != NGX_OK)
    {
        ngx_cqrs_amqp_conn_fail(conn, ngx_socket_errno, "send() failed");
    }
}


static void
ngx_cqrs_amqp_conn_timer_handler(ngx_event_t *ev)
{
    ngx_cqrs_amqp_conn_t  *conn;

    conn = ev->data;

    switch (conn->state) {

    case NGX_CQRS_AMQP_CONN_DOWN:

        if (ngx_exiting && !conn->wanted(conn->data)) {
            ngx_add_timer(ev, NGX_CQRS_AMQP_LOOK_AGAIN);
            break;
        }

        ngx_cqrs_amqp_conn_open(conn);
        break;

    case NGX_CQRS_AMQP_CONN_RESOLVING:
    case NGX_CQRS_AMQP_CONN_CONNECTING:
    case NGX_CQRS_AMQP_CONN_SECURING:
    case NGX_CQRS_AMQP_CONN_GREETING:
        ngx_cqrs_amqp_conn_fail(conn, 0, "no answer in time");
        break;

    case NGX_CQRS_AMQP_CONN_READY:

        if (cqrs_amqp_tick(conn->machine) != CQRS_AMQP_OK) {
            ngx_cqrs_amqp_conn_fail(conn, 0, cqrs_amqp_reason(conn->machine));
            break;
        }

        ngx_cqrs_amqp_conn_flush(conn);

        ngx_add_timer(ev, cqrs_amqp_heartbeat(conn->machine) * 1000 / 2);
        break;

    case NGX_CQRS_AMQP_CONN_STOPPED:
        break;
    }
}


static ngx_int_t
ngx_cqrs_amqp_conn_connected(ngx_connection_t *c)
{
    int        err;
    socklen_t  len;

    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        return NGX_ERROR;
    }

    if (err) {
        ngx_set_socket_errno(err);
        return NGX_ERROR;
    }

    return ngx_tcp_nodelay(c);
}


/* Sends what there is, or as much as the socket takes. */

static ngx_int_t
ngx_cqrs_amqp_conn_send(ngx_cqrs_amqp_conn_t *conn)
{
    size_t             len;
    ssize_t            n;
    ngx_uint_t         sent;
    const void        *data;
    ngx_connection_t  *c;

    c = conn->peer.connection;
    sent = 0;

    for ( ;; ) {
        len = cqrs_amqp_output(conn->machine, &data);

        if (len == 0) {
            break;
        }

        n = c->send(c, (u_char *) data, len);

        if (n == NGX_AGAIN) {
            return ngx_handle_write_event(c->write, 0);
        }

        if (n == NGX_ERROR || n == 0) {
            return NGX_ERROR;
        }

        cqrs_amqp_sent(conn->machine, n);
        sent = 1;
    }

    if (sent && conn->state == NGX_CQRS_AMQP_CONN_READY) {
        conn->drained(conn->data);
    }

    return ngx_handle_write_event(c->write, 0);
}


static void
ngx_cqrs_amqp_conn_fail(ngx_cqrs_amqp_conn_t *conn, ngx_err_t err,
    const char *reason)
{
    uint32_t                 told;
    ngx_uint_t               level;
    ngx_cqrs_amqp_server_t  *server;

    if (conn->state == NGX_CQRS_AMQP_CONN_READY) {
        ngx_log_error(NGX_LOG_ERR, conn->log, err,
                      "rabbitmq \"%V\": connection lost, %s",
                      ngx_cqrs_amqp_conn_name(conn), reason);

        if (ngx_current_msec - conn->since >= NGX_CQRS_AMQP_STABLE) {
            ngx_cqrs_backoff_reset(&conn->backoff);
        }

    } else {
        /* the same failure is no news until the outage is over */

        server = ngx_cqrs_amqp_conn_server(conn);
        told = ngx_crc32_long((u_char *) reason, ngx_strlen(reason));

        level = (conn->failures && server->told == told) ? NGX_LOG_INFO
                                                         : NGX_LOG_ERR;
        server->told = told;

        ngx_log_error(level, conn->log, err,
                      "rabbitmq \"%V\": no connection, %s",
                      ngx_cqrs_amqp_conn_name(conn), reason);

        conn->failures++;
    }

    ngx_cqrs_amqp_conn_release(conn);

    conn->state = NGX_CQRS_AMQP_CONN_DOWN;
    conn->server = (conn->server + 1) % conn->conf->servers.nelts;

    ngx_add_timer(&conn->timer, ngx_cqrs_backoff_next(&conn->backoff));

    conn->down(conn->data);
}


static void
ngx_cqrs_amqp_conn_release(ngx_cqrs_amqp_conn_t *conn)
{
    ngx_pool_t        *pool;
    ngx_connection_t  *c;

    if (conn->timer.timer_set) {
        ngx_del_timer(&conn->timer);
    }

    if (conn->flush.posted) {
        ngx_delete_posted_event(&conn->flush);
    }

    if (conn->resolving) {
        ngx_resolve_name_done(conn->resolving);
        conn->resolving = NULL;
    }

    c = conn->peer.connection;

    if (c) {
        pool = c->pool;

        ngx_cqrs_amqp_ssl_end(c);
        ngx_close_connection(c);

        if (pool) {
            ngx_destroy_pool(pool);
        }

        conn->peer.connection = NULL;
    }

    if (conn->machine) {
        cqrs_amqp_destroy(conn->machine);
        conn->machine = NULL;
    }
}


static ngx_cqrs_amqp_server_t *
ngx_cqrs_amqp_conn_server(ngx_cqrs_amqp_conn_t *conn)
{
    ngx_cqrs_amqp_server_t  *servers;

    servers = conn->conf->servers.elts;

    return &servers[conn->server];
}


static amqp_bytes_t
ngx_cqrs_amqp_conn_bytes(const ngx_str_t *text)
{
    amqp_bytes_t  bytes;

    bytes.bytes = text->data;
    bytes.len = text->len;

    return bytes;
}
