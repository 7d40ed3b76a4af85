
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "ngx_http_cqrs_session.h"

#include <ngx_event.h>

#include "cqrs_uuid.h"


#define NGX_HTTP_CQRS_SESSION_ITEM                                            \
    (sizeof(ngx_http_cqrs_outgoing_t) + NGX_CQRS_MESSAGE_HEADROOM)


static void ngx_http_cqrs_session_position(const ngx_str_t *channel,
    const cqrs_cursor_t *cursor, ngx_uint_t reset, void *data);
static void ngx_http_cqrs_session_message(ngx_cqrs_message_t *msg, void *data);
static ngx_uint_t ngx_http_cqrs_session_full(size_t len, void *data);
static ngx_uint_t ngx_http_cqrs_session_takes(
    ngx_http_cqrs_session_t *session, size_t len);
static void ngx_http_cqrs_session_refused(void *data);
static ngx_cqrs_message_t *ngx_http_cqrs_session_event(const char *type,
    const ngx_str_t *channel, const cqrs_cursor_t *cursor);
static u_char *ngx_http_cqrs_session_id(u_char *p);


static const ngx_cqrs_subscriber_t  ngx_http_cqrs_session_subscriber = {
    ngx_http_cqrs_session_position,
    ngx_http_cqrs_session_message,
    ngx_http_cqrs_session_full,
    ngx_http_cqrs_session_refused
};


ngx_int_t
ngx_http_cqrs_session_begin(ngx_http_cqrs_session_t *session,
    ngx_cqrs_redis_t *redis, const ngx_str_t *channel,
    const cqrs_cursor_t *cursor, size_t limit)
{
    session->last = &session->first;
    session->limit = limit;

    session->subscription =
        ngx_cqrs_subscribe(redis, channel, cursor,
                           &ngx_http_cqrs_session_subscriber, session);

    return session->subscription ? NGX_OK : NGX_ERROR;
}


void
ngx_http_cqrs_session_end(ngx_http_cqrs_session_t *session)
{
    if (session->subscription) {
        ngx_cqrs_unsubscribe(session->subscription);
        session->subscription = NULL;
    }
}


void
ngx_http_cqrs_session_drop(ngx_http_cqrs_session_t *session)
{
    ngx_http_cqrs_outgoing_t  *out, *next;

    if (session->first == NULL) {
        return;
    }

    for (out = session->first->next; out; out = next) {
        next = out->next;

        session->size -= out->msg->len + NGX_HTTP_CQRS_SESSION_ITEM;

        ngx_cqrs_message_unref(out->msg);
        ngx_free(out);
    }

    session->first->next = NULL;
    session->last = &session->first->next;
}


void
ngx_http_cqrs_session_cleanup(ngx_http_cqrs_session_t *session)
{
    ngx_http_cqrs_session_end(session);

    while (session->first) {
        ngx_http_cqrs_session_shift(session);
    }
}


ngx_int_t
ngx_http_cqrs_session_append(ngx_http_cqrs_session_t *session,
    ngx_cqrs_message_t *msg)
{
    ngx_http_cqrs_outgoing_t  *out;

    out = ngx_alloc(sizeof(ngx_http_cqrs_outgoing_t), ngx_cycle->log);
    if (out == NULL) {
        ngx_cqrs_message_unref(msg);
        session->overflow = 1;
        return NGX_ERROR;
    }

    out->msg = msg;
    out->next = NULL;

    *session->last = out;
    session->last = &out->next;
    session->size += msg->len + NGX_HTTP_CQRS_SESSION_ITEM;

    return NGX_OK;
}


ngx_int_t
ngx_http_cqrs_session_prepend(ngx_http_cqrs_session_t *session,
    ngx_cqrs_message_t *msg)
{
    ngx_http_cqrs_outgoing_t  *out;

    out = ngx_alloc(sizeof(ngx_http_cqrs_outgoing_t), ngx_cycle->log);
    if (out == NULL) {
        ngx_cqrs_message_unref(msg);
        return NGX_ERROR;
    }

    out->msg = msg;
    out->next = session->first;

    if (session->first == NULL) {
        session->last = &out->next;
    }

    session->first = out;
    session->size += msg->len + NGX_HTTP_CQRS_SESSION_ITEM;

    return NGX_OK;
}


void
ngx_http_cqrs_session_shift(ngx_http_cqrs_session_t *session)
{
    ngx_http_cqrs_outgoing_t  *out;

    out = session->first;

    session->first = out->next;
    session->size -= out->msg->len + NGX_HTTP_CQRS_SESSION_ITEM;

    if (session->first == NULL) {
        session->last = &session->first;
    }

    ngx_cqrs_message_unref(out->msg);
    ngx_free(out);
}


static void
ngx_http_cqrs_session_position(const ngx_str_t *channel,
    const cqrs_cursor_t *cursor, ngx_uint_t reset, void *data)
{
    ngx_cqrs_message_t       *msg;
    ngx_http_cqrs_session_t  *session = data;

    msg = ngx_http_cqrs_session_event(reset ? "reset" : "subscribed", channel,
                                      cursor);

    if (msg == NULL) {
        session->overflow = 1;

    } else {
        ngx_http_cqrs_session_message(msg, session);
        ngx_cqrs_message_unref(msg);
    }

    session->wake(session);
}


static void
ngx_http_cqrs_session_message(ngx_cqrs_message_t *msg, void *data)
{
    ngx_http_cqrs_session_t  *session = data;

    if (session->overflow) {
        return;
    }

    if (ngx_http_cqrs_session_takes(session, msg->len)) {
        (void) ngx_http_cqrs_session_append(session,
                                            ngx_cqrs_message_ref(msg));

    } else {
        session->overflow = 1;
    }

    session->wake(session);
}


static ngx_uint_t
ngx_http_cqrs_session_full(size_t len, void *data)
{
    return !ngx_http_cqrs_session_takes(data, len);
}


/* What is longer than the limit is taken by whoever has nothing else. */

static ngx_uint_t
ngx_http_cqrs_session_takes(ngx_http_cqrs_session_t *session, size_t len)
{
    return session->first == NULL
           || session->size + len + NGX_HTTP_CQRS_SESSION_ITEM
              <= session->limit;
}


static void
ngx_http_cqrs_session_refused(void *data)
{
    ngx_http_cqrs_session_t  *session = data;

    session->refused = 1;
    session->wake(session);
}


/* What we tell by ourselves has the form of all notifications. */

static ngx_cqrs_message_t *
ngx_http_cqrs_session_event(const char *type, const ngx_str_t *channel,
    const cqrs_cursor_t *cursor)
{
    u_char              *p;
    size_t               len;
    ngx_cqrs_message_t  *msg;

    len = sizeof("{\"specversion\":\"1.0\",\"id\":\"\",\"source\":\"/cqrs\","
                 "\"type\":\"cqrs.subscribed\",\"data\":{\"channel\":\"\"},"
                 "\"cursor\":\"\"}")
          + CQRS_UUID_TEXT_LEN + CQRS_CURSOR_TEXT_MAX + channel->len
          + ngx_escape_json(NULL, channel->data, channel->len);

    msg = ngx_cqrs_message_create(len, ngx_cycle->log);
    if (msg == NULL) {
        return NULL;
    }

    p = ngx_sprintf(msg->data, "{\"specversion\":\"1.0\",\"id\":\"");
    p = ngx_http_cqrs_session_id(p);
    p = ngx_sprintf(p, "\",\"source\":\"/cqrs\",\"type\":\"cqrs.%s\","
                       "\"data\":{\"channel\":\"", type);
    p = (u_char *) ngx_escape_json(p, channel->data, channel->len);
    p = ngx_sprintf(p, "\"},\"cursor\":\"");
    p += cqrs_cursor_format((char *) p, cursor);
    *p++ = '"';
    *p++ = '}';

    msg->len = p - msg->data;

    return msg;
}


static u_char *
ngx_http_cqrs_session_id(u_char *p)
{
    uint8_t       chance[10];
    cqrs_uuid_t   uuid;
    ngx_time_t   *tp;
    ngx_uint_t    i;

    for (i = 0; i < sizeof(chance); i++) {
        chance[i] = ngx_random() >> 8;
    }

    tp = ngx_timeofday();

    cqrs_uuid_v7(&uuid, (uint64_t) tp->sec * 1000 + tp->msec, chance);
    cqrs_uuid_format((char *) p, &uuid);

    return p + CQRS_UUID_TEXT_LEN;
}
