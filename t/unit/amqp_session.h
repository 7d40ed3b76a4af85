
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * A broker made of bytes, for the tests of the AMQP machine: what it shall say
 * is encoded by librabbitmq and given in, in pieces of any size; what the
 * machine says is decoded by librabbitmq.
 */

#ifndef AMQP_SESSION_H
#define AMQP_SESSION_H


#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cqrs_amqp.h"
#include "cqrs_amqp_output.h"


#define FRAME_MAX  4096


typedef struct {
    cqrs_amqp_t         *amqp;
    cqrs_amqp_output_t   broker;       /* what it is going to say */
    amqp_pool_t          pool;
    size_t               piece;        /* bytes a read, 0: all at once */

    int                  ready;
    int                  confirms;
    uint64_t             tag;
    int                  multiple;
    int                  accepted;
    int                  returns;
    char                 returned[64];
    int                  blocked;
    char                 reason[300];
    unsigned             closed;
} session_t;


typedef struct {
    int                  type;
    int                  channel;
    amqp_bytes_t         payload;
    amqp_method_number_t id;
    void                *method;
} frame_t;


static inline amqp_bytes_t
bytes(const char *text)
{
    return amqp_cstring_bytes(text);
}


static inline void
on_ready(void *data)
{
    ((session_t *) data)->ready++;
}


static inline void
on_confirmed(uint64_t tag, int multiple, int accepted, void *data)
{
    session_t  *s = data;

    s->confirms++;
    s->tag = tag;
    s->multiple = multiple;
    s->accepted = accepted;
}


static inline void
on_returned(amqp_bytes_t id, void *data)
{
    session_t  *s = data;

    s->returns++;
    (void) snprintf(s->returned, sizeof(s->returned), "%.*s", (int) id.len,
                    id.len ? (char *) id.bytes : "");
}


static inline void
on_blocked(const char *reason, void *data)
{
    session_t  *s = data;

    s->blocked = (reason != NULL);
    (void) snprintf(s->reason, sizeof(s->reason), "%s", reason ? reason : "");
}


static inline void
on_channel_closed(unsigned code, const char *text, void *data)
{
    session_t  *s = data;

    s->closed = code;
    (void) snprintf(s->reason, sizeof(s->reason), "%s", text);
}


static const cqrs_amqp_handlers_t  handlers = {
    on_ready, on_confirmed, on_returned, on_blocked, on_channel_closed
};


static inline void
session_open(session_t *s, size_t piece)
{
    cqrs_amqp_conf_t  conf;

    memset(s, 0, sizeof(session_t));

    conf.user = bytes("bank");
    conf.password = bytes("secret");
    conf.vhost = bytes("/");
    conf.name = bytes("a test");
    conf.heartbeat = 10;
    conf.output_max = 100000;
    conf.handlers = &handlers;
    conf.data = s;

    s->piece = piece;
    s->amqp = cqrs_amqp_create(&conf);
    assert_non_null(s->amqp);

    init_amqp_pool(&s->pool, 4096);
}


static inline void
session_close(session_t *s)
{
    cqrs_amqp_destroy(s->amqp);
    cqrs_amqp_output_cleanup(&s->broker);
    empty_amqp_pool(&s->pool);
}


/* Gives in what the broker has to say. */

static inline int
hear(session_t *s)
{
    int      rc;
    size_t   n, len;
    uint8_t  piece[8192];

    rc = CQRS_AMQP_OK;

    while ((len = cqrs_amqp_output_len(&s->broker)) > 0) {
        n = s->piece ? s->piece : sizeof(piece);
        n = n < len ? n : len;

        /* a copy of exact size: a read beyond it is one the sanitizer sees */

        uint8_t  *copy = malloc(n);

        memcpy(copy, s->broker.data + s->broker.start, n);
        rc = cqrs_amqp_input(s->amqp, copy, n);
        free(copy);

        cqrs_amqp_output_sent(&s->broker, n);
    }

    return rc;
}


static inline void
say(session_t *s, int channel, amqp_method_number_t id, void *method)
{
    assert_int_equal(cqrs_amqp_output_method(&s->broker, (uint16_t) channel,
                                             id, method, 2000), 0);
}


/* Takes the next frame of the machine's. */

static inline int
next_frame(session_t *s, frame_t *f)
{
    size_t          len, size;
    const uint8_t  *p;
    const void     *data;

    len = cqrs_amqp_output(s->amqp, &data);
    p = data;

    if (len == 0) {
        return 0;
    }

    assert_true(len >= 8);

    size = (size_t) p[3] << 24 | (size_t) p[4] << 16 | (size_t) p[5] << 8
           | p[6];

    assert_true(len >= size + 8);
    assert_int_equal(p[size + 7], AMQP_FRAME_END);

    f->type = p[0];
    f->channel = p[1] << 8 | p[2];
    f->payload.len = size;
    f->payload.bytes = amqp_pool_alloc(&s->pool, size + 1);
    memcpy(f->payload.bytes, p + 7, size);

    f->id = 0;
    f->method = NULL;

    if (f->type == AMQP_FRAME_METHOD) {
        amqp_bytes_t  encoded = { size - 4, (uint8_t *) f->payload.bytes + 4 };

        f->id = (amqp_method_number_t) p[7] << 24 | p[8] << 16 | p[9] << 8
                | p[10];
        assert_int_equal(amqp_decode_method(f->id, &s->pool, encoded,
                                            &f->method), 0);
    }

    cqrs_amqp_sent(s->amqp, size + 8);

    return 1;
}


static inline void *
expect_method(session_t *s, int channel, amqp_method_number_t id)
{
    frame_t  f;

    assert_true(next_frame(s, &f));
    assert_int_equal(f.type, AMQP_FRAME_METHOD);
    assert_int_equal(f.channel, channel);
    assert_int_equal(f.id, id);

    return f.method;
}


static inline void
say_start(session_t *s)
{
    amqp_table_entry_t       entries[2], inner;
    amqp_connection_start_t  start;

    inner.key = bytes("publisher_confirms");
    inner.value.kind = AMQP_FIELD_KIND_BOOLEAN;
    inner.value.value.boolean = 1;

    entries[0].key = bytes("product");
    entries[0].value.kind = AMQP_FIELD_KIND_UTF8;
    entries[0].value.value.bytes = bytes("a test's broker");
    entries[1].key = bytes("capabilities");
    entries[1].value.kind = AMQP_FIELD_KIND_TABLE;
    entries[1].value.value.table.num_entries = 1;
    entries[1].value.value.table.entries = &inner;

    start.version_major = 0;
    start.version_minor = 9;
    start.server_properties.num_entries = 2;
    start.server_properties.entries = entries;
    start.mechanisms = bytes("PLAIN AMQPLAIN");
    start.locales = bytes("en_US");

    say(s, 0, AMQP_CONNECTION_START_METHOD, &start);
}


static inline void
say_tune(session_t *s)
{
    amqp_connection_tune_t  tune = { 2047, FRAME_MAX, 60 };

    say(s, 0, AMQP_CONNECTION_TUNE_METHOD, &tune);
}


static inline void
say_channel_is_open(session_t *s)
{
    amqp_channel_open_ok_t    open;
    amqp_confirm_select_ok_t  select = { 0 };

    open.channel_id = amqp_empty_bytes;

    say(s, 1, AMQP_CHANNEL_OPEN_OK_METHOD, &open);
    say(s, 1, AMQP_CONFIRM_SELECT_OK_METHOD, &select);
}


/* All of the broker's part of the handshake. */

static inline void
say_welcome(session_t *s)
{
    amqp_connection_open_ok_t  open;

    open.known_hosts = amqp_empty_bytes;

    say_start(s);
    say_tune(s);
    say(s, 0, AMQP_CONNECTION_OPEN_OK_METHOD, &open);
    say_channel_is_open(s);
}


/* A session that is ready, all of whose greetings were taken. */

static inline void
session_ready(session_t *s, size_t piece)
{
    const void  *data;

    session_open(s, piece);
    say_welcome(s);

    assert_int_equal(hear(s), CQRS_AMQP_OK);
    assert_int_equal(s->ready, 1);

    cqrs_amqp_sent(s->amqp, cqrs_amqp_output(s->amqp, &data));
}


static inline uint64_t
publish(session_t *s, const char *id, size_t body)
{
    char                 *text;
    uint64_t              tag;
    cqrs_amqp_header_t    header = { "stream", bytes("account-1") };
    cqrs_amqp_message_t   message;

    text = malloc(body + 1);
    memset(text, 'x', body);

    memset(&message, 0, sizeof(message));

    message.exchange = bytes("cqrs.commands");
    message.routing_key = bytes("deposit.1");
    message.message_id = bytes(id);
    message.type = bytes("deposit");
    message.content_type = bytes("application/json");
    message.timestamp = 1764000000;
    message.headers = &header;
    message.nheaders = 1;
    message.body.bytes = text;
    message.body.len = body;

    tag = 0;
    assert_int_equal(cqrs_amqp_publish(s->amqp, &message, &tag), CQRS_AMQP_OK);

    free(text);

    return tag;
}


/* A returned message, as RabbitMQ sends it. */

static inline void
say_return(session_t *s, const char *id, size_t body)
{
    char                     *text;
    amqp_bytes_t              content;
    amqp_table_entry_t        entry;
    amqp_basic_return_t       m;
    amqp_basic_properties_t   properties;

    m.reply_code = AMQP_NO_ROUTE;
    m.reply_text = bytes("NO_ROUTE");
    m.exchange = bytes("cqrs.commands");
    m.routing_key = bytes("deposit.1");

    entry.key = bytes("stream");
    entry.value.kind = AMQP_FIELD_KIND_UTF8;
    entry.value.value.bytes = bytes("account-1");

    memset(&properties, 0, sizeof(properties));

    properties._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_HEADERS_FLAG
                        | AMQP_BASIC_DELIVERY_MODE_FLAG
                        | AMQP_BASIC_TYPE_FLAG;
    properties.content_type = bytes("application/json");
    properties.headers.num_entries = 1;
    properties.headers.entries = &entry;
    properties.delivery_mode = 2;
    properties.type = bytes("deposit");

    if (id) {
        properties._flags |= AMQP_BASIC_MESSAGE_ID_FLAG;
        properties.message_id = bytes(id);
    }

    text = malloc(body + 1);
    memset(text, 'x', body);

    content.bytes = text;
    content.len = body;

    say(s, 1, AMQP_BASIC_RETURN_METHOD, &m);
    assert_int_equal(cqrs_amqp_output_header(&s->broker, 1, &properties, body,
                                             1000), 0);
    assert_int_equal(cqrs_amqp_output_body(&s->broker, 1, content, FRAME_MAX),
                     0);

    free(text);
}


static inline void
say_ack(session_t *s, uint64_t tag, int multiple)
{
    amqp_basic_ack_t  ack = { tag, multiple };

    say(s, 1, AMQP_BASIC_ACK_METHOD, &ack);
}


#endif /* AMQP_SESSION_H */
