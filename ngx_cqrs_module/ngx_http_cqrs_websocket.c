
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The life of an open WebSocket.
 *
 * A connection is closed, and all of this freed, from its own events only: a
 * message for it, or a reason to end it, posts its write event.  One timer
 * does it all, since only one thing is awaited at a time: the next ping, the
 * moment to leave, the other side's goodbye.
 */

#include "ngx_http_cqrs_websocket.h"
#include "ngx_http_cqrs_detach.h"

#include "cqrs_websocket.h"


#define NGX_HTTP_CQRS_WEBSOCKET_WRITES   16     /* frames in one write */
#define NGX_HTTP_CQRS_WEBSOCKET_GOODBYE  2000   /* to answer a close frame */
#define NGX_HTTP_CQRS_WEBSOCKET_DELAYED  10000  /* the same, from the slow */


typedef enum {
    NGX_HTTP_CQRS_WEBSOCKET_OPEN = 0,   /* the timer pings */
    NGX_HTTP_CQRS_WEBSOCKET_DRAINING,   /* the timer closes it with 1012 */
    NGX_HTTP_CQRS_WEBSOCKET_CLOSING,    /* we said goodbye, and wait */
    NGX_HTTP_CQRS_WEBSOCKET_CLOSED      /* both did, what is left is sent */
} ngx_http_cqrs_websocket_state_e;


struct ngx_http_cqrs_websocket_s {
    ngx_http_cqrs_session_t              session;
    ngx_connection_t                    *connection;
    ngx_http_cqrs_subscribe_loc_conf_t  *conf;

    size_t                               sent;       /* of the first message */

    u_char                              *rest;       /* a frame's begin */
    size_t                               rest_len;

    time_t                               expires;    /* 0: never */

    unsigned                             state:2;
    unsigned                             heard:1;    /* since the last ping */
    unsigned                             deaf:1;     /* input is of no use */
};


static void ngx_http_cqrs_websocket_wake(ngx_http_cqrs_session_t *session);
static ngx_int_t ngx_http_cqrs_websocket_take_pipelined(
    ngx_http_cqrs_websocket_t *ws, ngx_http_request_t *r);
static void ngx_http_cqrs_websocket_read_handler(ngx_event_t *rev);
static ngx_int_t ngx_http_cqrs_websocket_read(ngx_http_cqrs_websocket_t *ws);
static ngx_int_t ngx_http_cqrs_websocket_input(ngx_http_cqrs_websocket_t *ws,
    u_char *buf, size_t len);
static void ngx_http_cqrs_websocket_frame(ngx_http_cqrs_websocket_t *ws,
    cqrs_websocket_frame_t *frame);
static ngx_int_t ngx_http_cqrs_websocket_keep(ngx_http_cqrs_websocket_t *ws,
    u_char *buf, size_t len);
static void ngx_http_cqrs_websocket_timer(ngx_http_cqrs_websocket_t *ws);
static void ngx_http_cqrs_websocket_set_timer(ngx_http_cqrs_websocket_t *ws,
    ngx_msec_t wait, ngx_uint_t cancelable);
static void ngx_http_cqrs_websocket_await_ping(ngx_http_cqrs_websocket_t *ws);
static void ngx_http_cqrs_websocket_drain(ngx_http_cqrs_websocket_t *ws);
static void ngx_http_cqrs_websocket_close(ngx_http_cqrs_websocket_t *ws,
    uint16_t code, const char *reason);
static void ngx_http_cqrs_websocket_send(ngx_http_cqrs_websocket_t *ws,
    uint8_t opcode, const u_char *payload, size_t len);
static void ngx_http_cqrs_websocket_write_handler(ngx_event_t *wev);
static void ngx_http_cqrs_websocket_shutdown(ngx_http_cqrs_websocket_t *ws);
static ngx_int_t ngx_http_cqrs_websocket_write(ngx_http_cqrs_websocket_t *ws);
static ngx_chain_t *ngx_http_cqrs_websocket_chain(
    ngx_http_cqrs_websocket_t *ws, ngx_chain_t *chain, ngx_buf_t *buf);
static void ngx_http_cqrs_websocket_set_head(ngx_cqrs_message_t *msg,
    uint8_t opcode);
static void ngx_http_cqrs_websocket_sent(ngx_http_cqrs_websocket_t *ws,
    size_t n);
static void ngx_http_cqrs_websocket_finish(ngx_http_cqrs_websocket_t *ws,
    const char *reason);


ngx_http_cqrs_websocket_t *
ngx_http_cqrs_websocket_create(ngx_http_cqrs_subscribe_loc_conf_t *conf,
    ngx_log_t *log)
{
    ngx_http_cqrs_websocket_t  *ws;

    ws = ngx_calloc(sizeof(ngx_http_cqrs_websocket_t), log);
    if (ws == NULL) {
        return NULL;
    }

    ws->conf = conf;

    return ws;
}


void
ngx_http_cqrs_websocket_destroy(ngx_http_cqrs_websocket_t *ws)
{
    ngx_http_cqrs_session_cleanup(&ws->session);

    if (ws->rest) {
        ngx_free(ws->rest);
    }

    ngx_free(ws);
}


ngx_http_cqrs_session_t *
ngx_http_cqrs_websocket_session(ngx_http_cqrs_websocket_t *ws)
{
    return &ws->session;
}


ngx_int_t
ngx_http_cqrs_websocket_open(ngx_http_cqrs_websocket_t *ws,
    ngx_http_request_t *r, time_t expires)
{
    ngx_connection_t    *c;
    ngx_cqrs_message_t  *answer;

    answer = ngx_http_cqrs_websocket_answer(r);

    if (answer == NULL
        || ngx_http_cqrs_session_prepend(&ws->session, answer) != NGX_OK
        || ngx_http_cqrs_websocket_take_pipelined(ws, r) != NGX_OK)
    {
        return NGX_ERROR;
    }

    r->headers_out.status = NGX_HTTP_SWITCHING_PROTOCOLS;

    c = ngx_http_cqrs_detach(r);
    if (c == NULL) {
        return NGX_ERROR;
    }

    c->data = ws;
    c->read->handler = ngx_http_cqrs_websocket_read_handler;
    c->write->handler = ngx_http_cqrs_websocket_write_handler;

    ws->connection = c;
    ws->session.wake = ngx_http_cqrs_websocket_wake;
    ws->session.data = ws;
    ws->expires = expires;
    ws->heard = 1;

    if (ngx_exiting) {
        ngx_http_cqrs_websocket_drain(ws);

    } else {
        ngx_http_cqrs_websocket_await_ping(ws);
    }

    ngx_post_event(c->write, &ngx_posted_events);
    ngx_post_event(c->read, &ngx_posted_events);

    return NGX_OK;
}


/* A client should wait for the answer; what came earlier is not lost. */

static ngx_int_t
ngx_http_cqrs_websocket_take_pipelined(ngx_http_cqrs_websocket_t *ws,
    ngx_http_request_t *r)
{
    return ngx_http_cqrs_websocket_keep(ws, r->header_in->pos,
                                        r->header_in->last
                                        - r->header_in->pos);
}


static void
ngx_http_cqrs_websocket_wake(ngx_http_cqrs_session_t *session)
{
    ngx_http_cqrs_websocket_t  *ws;

    ws = session->data;

    ngx_post_event(ws->connection->write, &ngx_posted_events);
}


static void
ngx_http_cqrs_websocket_read_handler(ngx_event_t *rev)
{
    ngx_connection_t           *c;
    ngx_http_cqrs_websocket_t  *ws;

    c = rev->data;
    ws = c->data;

    if (c->error) {                        /* worker_shutdown_timeout */
        ngx_http_cqrs_websocket_finish(ws, "the worker may not wait");
        return;
    }

    if (c->close) {
        c->close = 0;
        ngx_http_cqrs_websocket_drain(ws);
        return;
    }

    if (rev->timedout) {
        rev->timedout = 0;
        ngx_http_cqrs_websocket_timer(ws);
        return;
    }

    if (ngx_http_cqrs_websocket_read(ws) != NGX_OK) {
        ngx_http_cqrs_websocket_finish(ws, "client left");
        return;
    }

    if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_http_cqrs_websocket_finish(ws, "reading cannot be awaited");
    }
}


static ngx_int_t
ngx_http_cqrs_websocket_read(ngx_http_cqrs_websocket_t *ws)
{
    u_char             buf[2 * NGX_HTTP_CQRS_WEBSOCKET_READ];   /* rest, new */
    size_t             len;
    ssize_t            n;
    ngx_connection_t  *c;

    c = ws->connection;

    do {
        len = ws->rest_len;

        if (len) {
            ngx_memcpy(buf, ws->rest, len);
        }

        n = c->recv(c, buf + len, NGX_HTTP_CQRS_WEBSOCKET_READ);

        if (n == NGX_ERROR || n == 0) {
            return NGX_ERROR;
        }

        if (n > 0) {
            ws->heard = 1;
            len += n;
        }

        if (len && ngx_http_cqrs_websocket_input(ws, buf, len) != NGX_OK) {
            return NGX_ERROR;
        }

    } while (n > 0 && c->read->ready);

    return NGX_OK;
}


static ngx_int_t
ngx_http_cqrs_websocket_input(ngx_http_cqrs_websocket_t *ws, u_char *buf,
    size_t len)
{
    int                     n;
    size_t                  used;
    cqrs_websocket_frame_t  frame;

    used = 0;

    while (!ws->deaf && used < len) {

        n = cqrs_websocket_read(&frame, buf + used, len - used);

        if (n == 0) {
            break;
        }

        if (n < 0) {
            ngx_log_error(NGX_LOG_INFO, ws->connection->log, 0,
                          "client sent an invalid frame, closed with %d", -n);

            ngx_http_cqrs_websocket_close(ws, (uint16_t) -n, "");
            ws->deaf = 1;
            break;
        }

        ngx_http_cqrs_websocket_frame(ws, &frame);

        used += n;
    }

    if (ws->deaf) {
        used = len;
    }

    return ngx_http_cqrs_websocket_keep(ws, buf + used, len - used);
}


static void
ngx_http_cqrs_websocket_frame(ngx_http_cqrs_websocket_t *ws,
    cqrs_websocket_frame_t *frame)
{
    switch (frame->opcode) {

    case CQRS_WEBSOCKET_PING:

        if (ws->state < NGX_HTTP_CQRS_WEBSOCKET_CLOSING) {
            ngx_http_cqrs_websocket_send(ws, CQRS_WEBSOCKET_PONG,
                                         frame->payload, frame->length);
        }

        break;

    case CQRS_WEBSOCKET_CLOSE:

        if (ws->state < NGX_HTTP_CQRS_WEBSOCKET_CLOSING) {
            ngx_http_cqrs_session_drop(&ws->session);
            ngx_http_cqrs_websocket_close(ws, frame->code, "");
        }

        ws->state = NGX_HTTP_CQRS_WEBSOCKET_CLOSED;
        ws->deaf = 1;

        ngx_post_event(ws->connection->write, &ngx_posted_events);
        break;

    default: /* CQRS_WEBSOCKET_PONG */
        break;
    }
}


/* Keeps what is not yet a whole frame; mostly that is nothing. */

static ngx_int_t
ngx_http_cqrs_websocket_keep(ngx_http_cqrs_websocket_t *ws, u_char *buf,
    size_t len)
{
    if (ws->rest) {
        ngx_free(ws->rest);
        ws->rest = NULL;
    }

    ws->rest_len = 0;

    if (len == 0) {
        return NGX_OK;
    }

    ws->rest = ngx_alloc(len, ngx_cycle->log);
    if (ws->rest == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(ws->rest, buf, len);
    ws->rest_len = len;

    return NGX_OK;
}


static void
ngx_http_cqrs_websocket_timer(ngx_http_cqrs_websocket_t *ws)
{
    switch (ws->state) {

    case NGX_HTTP_CQRS_WEBSOCKET_OPEN:

        if (ws->expires && ws->expires <= ngx_time()) {
            ngx_http_cqrs_websocket_close(ws, CQRS_WEBSOCKET_POLICY,
                                          "token expired");
            return;
        }

        if (!ws->heard) {
            ngx_http_cqrs_websocket_finish(ws, "client answers no ping");
            return;
        }

        ws->heard = 0;

        ngx_http_cqrs_websocket_send(ws, CQRS_WEBSOCKET_PING, NULL, 0);
        ngx_http_cqrs_websocket_await_ping(ws);

        return;

    case NGX_HTTP_CQRS_WEBSOCKET_DRAINING:
        ngx_http_cqrs_websocket_close(ws, CQRS_WEBSOCKET_RESTART,
                                      "service restart");
        return;

    default: /* NGX_HTTP_CQRS_WEBSOCKET_CLOSING, _CLOSED */
        ngx_http_cqrs_websocket_finish(ws, "client does not say goodbye");
    }
}


static void
ngx_http_cqrs_websocket_set_timer(ngx_http_cqrs_websocket_t *ws,
    ngx_msec_t wait, ngx_uint_t cancelable)
{
    ngx_event_t  *rev;

    rev = ws->connection->read;

    if (rev->timer_set) {
        ngx_del_timer(rev);
    }

    rev->cancelable = cancelable ? 1 : 0;

    ngx_add_timer(rev, wait);
}


static void
ngx_http_cqrs_websocket_await_ping(ngx_http_cqrs_websocket_t *ws)
{
    time_t      left;
    ngx_msec_t  wait;

    wait = ws->conf->ping;

    if (ws->expires) {
        left = ws->expires - ngx_time();

        if (left <= 0) {
            wait = 1;

        } else if (left < (time_t) (wait / 1000) + 1) {
            wait = ngx_min(wait, (ngx_msec_t) left * 1000);
        }
    }

    ngx_http_cqrs_websocket_set_timer(ws, wait, 1);
}


/* Subscribers leave one after the other, so that they come back so. */

static void
ngx_http_cqrs_websocket_drain(ngx_http_cqrs_websocket_t *ws)
{
    ngx_msec_t  wait;

    if (ws->state != NGX_HTTP_CQRS_WEBSOCKET_OPEN) {
        return;
    }

    ws->state = NGX_HTTP_CQRS_WEBSOCKET_DRAINING;

    wait = 1 + (ngx_msec_t) ngx_random() % (ws->conf->drain + 1);

    ngx_http_cqrs_websocket_set_timer(ws, wait, 0);
}


static void
ngx_http_cqrs_websocket_close(ngx_http_cqrs_websocket_t *ws, uint16_t code,
    const char *reason)
{
    size_t  len;
    u_char  payload[CQRS_WEBSOCKET_CONTROL_MAX];

    if (ws->state >= NGX_HTTP_CQRS_WEBSOCKET_CLOSING) {
        return;
    }

    ws->state = NGX_HTTP_CQRS_WEBSOCKET_CLOSING;

    ngx_http_cqrs_session_end(&ws->session);

    len = (code == CQRS_WEBSOCKET_NO_CODE)
          ? 0 : cqrs_websocket_close(payload, code, reason);

    ngx_http_cqrs_websocket_send(ws, CQRS_WEBSOCKET_CLOSE, payload, len);
    ngx_http_cqrs_websocket_set_timer(ws, NGX_HTTP_CQRS_WEBSOCKET_GOODBYE, 0);
}


static void
ngx_http_cqrs_websocket_send(ngx_http_cqrs_websocket_t *ws, uint8_t opcode,
    const u_char *payload, size_t len)
{
    ngx_cqrs_message_t  *msg;

    if (ws->session.size > ws->session.limit
        && opcode == CQRS_WEBSOCKET_PONG)
    {
        ws->session.overflow = 1;          /* it asks and does not read */

    } else {
        msg = ngx_cqrs_message_create(len, ngx_cycle->log);

        if (msg == NULL) {
            ws->session.overflow = 1;

        } else {
            if (len) {
                ngx_memcpy(msg->data, payload, len);
            }

            ngx_http_cqrs_websocket_set_head(msg, opcode);

            (void) ngx_http_cqrs_session_append(&ws->session, msg);
        }
    }

    ngx_post_event(ws->connection->write, &ngx_posted_events);
}


static void
ngx_http_cqrs_websocket_write_handler(ngx_event_t *wev)
{
    ngx_connection_t           *c;
    ngx_http_cqrs_session_t    *session;
    ngx_http_cqrs_websocket_t  *ws;

    c = wev->data;
    ws = c->data;
    session = &ws->session;

    if (session->overflow && ws->state < NGX_HTTP_CQRS_WEBSOCKET_CLOSING) {
        ngx_log_error(NGX_LOG_INFO, c->log, 0,
                      "client reads too slowly, %uz bytes wait",
                      session->size);

        ngx_http_cqrs_session_drop(session);
        ngx_http_cqrs_websocket_close(ws, CQRS_WEBSOCKET_LATER, "too slow");
        ngx_http_cqrs_websocket_set_timer(ws, NGX_HTTP_CQRS_WEBSOCKET_DELAYED,
                                          0);
    }

    if (session->refused) {
        ngx_http_cqrs_websocket_close(ws, CQRS_WEBSOCKET_POLICY,
                                      "channel refused");
    }

    if (ngx_http_cqrs_websocket_write(ws) != NGX_OK) {
        ngx_http_cqrs_websocket_finish(ws, "client left");
        return;
    }

    if (session->first == NULL) {

        if (ws->state == NGX_HTTP_CQRS_WEBSOCKET_CLOSED) {
            ngx_http_cqrs_websocket_finish(ws, "closed");
            return;
        }

        if (ws->deaf) {
            ngx_http_cqrs_websocket_shutdown(ws);
        }

        if (session->subscription) {
            ngx_cqrs_subscription_resume(session->subscription);
        }
    }

    if (ngx_handle_write_event(wev, 0) != NGX_OK) {
        ngx_http_cqrs_websocket_finish(ws, "writing cannot be awaited");
    }
}


/*
 * A goodbye that we could not understand is not waited for.  But to close with
 * input unread would take back what we sent.
 */

static void
ngx_http_cqrs_websocket_shutdown(ngx_http_cqrs_websocket_t *ws)
{
    ngx_connection_t  *c;

    c = ws->connection;

#if (NGX_SSL)

    if (c->ssl) {
        return;
    }

#endif

    (void) ngx_shutdown_socket(c->fd, NGX_WRITE_SHUTDOWN);
}


static ngx_int_t
ngx_http_cqrs_websocket_write(ngx_http_cqrs_websocket_t *ws)
{
    off_t              before;
    ngx_buf_t          bufs[NGX_HTTP_CQRS_WEBSOCKET_WRITES];
    ngx_chain_t       *cl, chain[NGX_HTTP_CQRS_WEBSOCKET_WRITES];
    ngx_connection_t  *c;

    c = ws->connection;

    while (ws->session.first && c->write->ready) {

        cl = ngx_http_cqrs_websocket_chain(ws, chain, bufs);
        before = c->sent;

        cl = c->send_chain(c, cl, 0);

        if (cl == NGX_CHAIN_ERROR) {
            return NGX_ERROR;
        }

        ngx_http_cqrs_websocket_sent(ws, c->sent - before);

        if (cl) {
            break;
        }
    }

    return NGX_OK;
}


static ngx_chain_t *
ngx_http_cqrs_websocket_chain(ngx_http_cqrs_websocket_t *ws,
    ngx_chain_t *chain, ngx_buf_t *buf)
{
    ngx_uint_t                 i;
    ngx_cqrs_message_t        *msg;
    ngx_http_cqrs_outgoing_t  *out;

    for (i = 0, out = ws->session.first;
         out && i < NGX_HTTP_CQRS_WEBSOCKET_WRITES;
         i++, out = out->next)
    {
        msg = out->msg;

        if (!msg->has_head) {
            ngx_http_cqrs_websocket_set_head(msg, CQRS_WEBSOCKET_TEXT);
        }

        ngx_memzero(&buf[i], sizeof(ngx_buf_t));

        buf[i].pos = msg->data - msg->head_len;
        buf[i].last = msg->data + msg->len;
        buf[i].memory = 1;

        chain[i].buf = &buf[i];
        chain[i].next = NULL;

        if (i > 0) {
            chain[i - 1].next = &chain[i];
        }
    }

    buf[0].pos += ws->sent;

    return chain;
}


static void
ngx_http_cqrs_websocket_set_head(ngx_cqrs_message_t *msg, uint8_t opcode)
{
    size_t  len;
    u_char  head[CQRS_WEBSOCKET_HEAD_MAX];

    len = cqrs_websocket_head(head, opcode, msg->len);

    ngx_cqrs_message_set_head(msg, head, len);
}


static void
ngx_http_cqrs_websocket_sent(ngx_http_cqrs_websocket_t *ws, size_t n)
{
    size_t               left;
    ngx_cqrs_message_t  *msg;

    while (ws->session.first) {
        msg = ws->session.first->msg;
        left = msg->head_len + msg->len - ws->sent;

        if (n < left) {
            ws->sent += n;
            return;
        }

        n -= left;
        ws->sent = 0;

        ngx_http_cqrs_session_shift(&ws->session);
    }
}


static void
ngx_http_cqrs_websocket_finish(ngx_http_cqrs_websocket_t *ws,
    const char *reason)
{
    ngx_connection_t  *c;

    c = ws->connection;

    ngx_log_error(NGX_LOG_INFO, c->log, 0, "subscriber is gone, %s", reason);

    ngx_http_cqrs_websocket_destroy(ws);

    c->idle = 0;
    c->data = NULL;

    ngx_http_close_connection(c);
}
