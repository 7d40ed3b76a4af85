
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The AMQP machine against a broker that is made of bytes: what the test wants
 * the broker to say is encoded by librabbitmq and given in, in pieces of any
 * size; what the machine says is decoded by librabbitmq and looked at.
 */

#include "cqrs_amqp.h"
#include "cqrs_amqp_output.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>


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


static amqp_bytes_t
bytes(const char *text)
{
    return amqp_cstring_bytes(text);
}


static void
on_ready(void *data)
{
    ((session_t *) data)->ready++;
}


static void
on_confirmed(uint64_t tag, int multiple, int accepted, void *data)
{
    session_t  *s = data;

    s->confirms++;
    s->tag = tag;
    s->multiple = multiple;
    s->accepted = accepted;
}


static void
on_returned(amqp_bytes_t id, void *data)
{
    session_t  *s = data;

    s->returns++;
    (void) snprintf(s->returned, sizeof(s->returned), "%.*s", (int) id.len,
                    id.len ? (char *) id.bytes : "");
}


static void
on_blocked(const char *reason, void *data)
{
    session_t  *s = data;

    s->blocked = (reason != NULL);
    (void) snprintf(s->reason, sizeof(s->reason), "%s", reason ? reason : "");
}


static void
on_channel_closed(unsigned code, const char *text, void *data)
{
    session_t  *s = data;

    s->closed = code;
    (void) snprintf(s->reason, sizeof(s->reason), "%s", text);
}


static const cqrs_amqp_handlers_t  handlers = {
    on_ready, on_confirmed, on_returned, on_blocked, on_channel_closed
};


static void
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


static void
session_close(session_t *s)
{
    cqrs_amqp_destroy(s->amqp);
    cqrs_amqp_output_cleanup(&s->broker);
    empty_amqp_pool(&s->pool);
}


/* Gives in what the broker has to say. */

static int
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


static void
say(session_t *s, int channel, amqp_method_number_t id, void *method)
{
    assert_int_equal(cqrs_amqp_output_method(&s->broker, (uint16_t) channel,
                                             id, method, 2000), 0);
}


/* Takes the next frame of the machine's. */

static int
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


static void *
expect_method(session_t *s, int channel, amqp_method_number_t id)
{
    frame_t  f;

    assert_true(next_frame(s, &f));
    assert_int_equal(f.type, AMQP_FRAME_METHOD);
    assert_int_equal(f.channel, channel);
    assert_int_equal(f.id, id);

    return f.method;
}


static void
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


static void
say_tune(session_t *s)
{
    amqp_connection_tune_t  tune = { 2047, FRAME_MAX, 60 };

    say(s, 0, AMQP_CONNECTION_TUNE_METHOD, &tune);
}


static void
say_channel_is_open(session_t *s)
{
    amqp_channel_open_ok_t    open;
    amqp_confirm_select_ok_t  select = { 0 };

    open.channel_id = amqp_empty_bytes;

    say(s, 1, AMQP_CHANNEL_OPEN_OK_METHOD, &open);
    say(s, 1, AMQP_CONFIRM_SELECT_OK_METHOD, &select);
}


/* All of the broker's part of the handshake. */

static void
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

static void
session_ready(session_t *s, size_t piece)
{
    const void  *data;

    session_open(s, piece);
    say_welcome(s);

    assert_int_equal(hear(s), CQRS_AMQP_OK);
    assert_int_equal(s->ready, 1);

    cqrs_amqp_sent(s->amqp, cqrs_amqp_output(s->amqp, &data));
}


static uint64_t
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

static void
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


static void
say_ack(session_t *s, uint64_t tag, int multiple)
{
    amqp_basic_ack_t  ack = { tag, multiple };

    say(s, 1, AMQP_BASIC_ACK_METHOD, &ack);
}


static void
handshake(size_t piece)
{
    session_t                    s;
    const void                  *data;
    amqp_connection_open_t      *open;
    amqp_connection_open_ok_t    opened;
    amqp_connection_start_ok_t  *ok;
    amqp_connection_tune_ok_t   *tune;
    amqp_table_t                *capabilities;

    session_open(&s, piece);

    assert_int_equal(cqrs_amqp_output(s.amqp, &data), 8);
    assert_memory_equal(data, "AMQP\0\0\x09\x01", 8);
    cqrs_amqp_sent(s.amqp, 8);

    say_start(&s);
    assert_int_equal(hear(&s), CQRS_AMQP_OK);

    ok = expect_method(&s, 0, AMQP_CONNECTION_START_OK_METHOD);
    assert_int_equal(ok->mechanism.len, 5);
    assert_memory_equal(ok->mechanism.bytes, "PLAIN", 5);
    assert_int_equal(ok->response.len, 12);
    assert_memory_equal(ok->response.bytes, "\0bank\0secret", 12);

    assert_int_equal(ok->client_properties.num_entries, 3);
    capabilities = &ok->client_properties.entries[2].value.value.table;
    assert_int_equal(capabilities->num_entries, 5);
    assert_memory_equal(capabilities->entries[2].key.bytes,
                        "connection.blocked", 18);

    say_tune(&s);
    assert_int_equal(hear(&s), CQRS_AMQP_OK);

    tune = expect_method(&s, 0, AMQP_CONNECTION_TUNE_OK_METHOD);
    assert_int_equal(tune->channel_max, 1);
    assert_int_equal(tune->frame_max, FRAME_MAX);
    assert_int_equal(tune->heartbeat, 10);
    assert_int_equal(cqrs_amqp_heartbeat(s.amqp), 10);

    open = expect_method(&s, 0, AMQP_CONNECTION_OPEN_METHOD);
    assert_int_equal(open->virtual_host.len, 1);
    assert_memory_equal(open->virtual_host.bytes, "/", 1);

    opened.known_hosts = amqp_empty_bytes;
    say(&s, 0, AMQP_CONNECTION_OPEN_OK_METHOD, &opened);
    assert_int_equal(hear(&s), CQRS_AMQP_OK);
    expect_method(&s, 1, AMQP_CHANNEL_OPEN_METHOD);
    assert_int_equal(s.ready, 0);

    say_channel_is_open(&s);
    assert_int_equal(hear(&s), CQRS_AMQP_OK);
    expect_method(&s, 1, AMQP_CONFIRM_SELECT_METHOD);
    assert_int_equal(s.ready, 1);

    session_close(&s);
}


static void
test_handshake(void **state)
{
    (void) state;

    handshake(0);
    handshake(1);
    handshake(5);
}


static void
test_publish(void **state)
{
    size_t                    left, size;
    frame_t                   f;
    session_t                 s;
    amqp_bytes_t              encoded;
    amqp_basic_publish_t     *m;
    amqp_basic_properties_t  *p;

    (void) state;

    session_ready(&s, 0);

    assert_int_equal(publish(&s, "id-1", 10000), 1);
    assert_int_equal(publish(&s, "id-2", 0), 2);

    m = expect_method(&s, 1, AMQP_BASIC_PUBLISH_METHOD);
    assert_true(m->mandatory);
    assert_memory_equal(m->exchange.bytes, "cqrs.commands", 13);
    assert_memory_equal(m->routing_key.bytes, "deposit.1", 9);

    assert_true(next_frame(&s, &f));
    assert_int_equal(f.type, AMQP_FRAME_HEADER);

    encoded.bytes = (uint8_t *) f.payload.bytes + 12;
    encoded.len = f.payload.len - 12;
    assert_int_equal(amqp_decode_properties(AMQP_BASIC_CLASS, &s.pool, encoded,
                                            (void **) &p), 0);
    assert_int_equal(p->delivery_mode, AMQP_DELIVERY_PERSISTENT);
    assert_int_equal(p->timestamp, 1764000000);
    assert_memory_equal(p->message_id.bytes, "id-1", 4);
    assert_memory_equal(p->type.bytes, "deposit", 7);
    assert_int_equal(p->headers.num_entries, 1);
    assert_int_equal(p->headers.entries[0].value.kind, AMQP_FIELD_KIND_UTF8);

    for (left = 10000; left; left -= f.payload.len) {
        assert_true(next_frame(&s, &f));
        assert_int_equal(f.type, AMQP_FRAME_BODY);

        size = left < FRAME_MAX - 8 ? left : FRAME_MAX - 8;
        assert_int_equal(f.payload.len, size);
    }

    expect_method(&s, 1, AMQP_BASIC_PUBLISH_METHOD);
    assert_true(next_frame(&s, &f));
    assert_int_equal(f.type, AMQP_FRAME_HEADER);
    assert_false(next_frame(&s, &f));

    session_close(&s);
}


static void
test_publish_limits(void **state)
{
    int                   rc;
    char                  large[FRAME_MAX];
    uint64_t              tag;
    session_t             s;
    const void           *data;
    cqrs_amqp_header_t    header = { "claims", { sizeof(large), large } };
    cqrs_amqp_message_t   message;

    (void) state;

    memset(large, 'x', sizeof(large));
    memset(&message, 0, sizeof(message));

    session_open(&s, 0);
    assert_int_equal(cqrs_amqp_publish(s.amqp, &message, &tag),
                     CQRS_AMQP_NOT_READY);
    session_close(&s);

    session_ready(&s, 0);

    message.headers = &header;
    message.nheaders = 1;
    assert_int_equal(cqrs_amqp_publish(s.amqp, &message, &tag),
                     CQRS_AMQP_TOO_LARGE);

    message.nheaders = 0;
    message.type.bytes = large;
    message.type.len = 256;
    assert_int_equal(cqrs_amqp_publish(s.amqp, &message, &tag),
                     CQRS_AMQP_TOO_LARGE);
    assert_int_equal(cqrs_amqp_output(s.amqp, &data), 0);

    /* the first may be of any size, what follows must fit in the rest */

    message.type.len = 255;
    message.body.len = 200000;
    message.body.bytes = calloc(1, message.body.len);
    assert_int_equal(cqrs_amqp_publish(s.amqp, &message, &tag), CQRS_AMQP_OK);

    free(message.body.bytes);
    message.body.len = 0;
    rc = cqrs_amqp_publish(s.amqp, &message, &tag);
    assert_int_equal(rc, CQRS_AMQP_FULL);

    cqrs_amqp_sent(s.amqp, cqrs_amqp_output(s.amqp, &data));
    assert_int_equal(cqrs_amqp_publish(s.amqp, &message, &tag), CQRS_AMQP_OK);
    assert_int_equal(tag, 2);

    session_close(&s);
}


static void
test_confirms(void **state)
{
    session_t          s;
    amqp_basic_nack_t  nack = { 3, 0, 0 };

    (void) state;

    session_ready(&s, 3);

    publish(&s, "1", 1);
    publish(&s, "2", 1);
    publish(&s, "3", 1);

    say_ack(&s, 2, 1);
    assert_int_equal(hear(&s), CQRS_AMQP_OK);
    assert_int_equal(s.tag, 2);
    assert_true(s.multiple && s.accepted);

    say(&s, 1, AMQP_BASIC_NACK_METHOD, &nack);
    assert_int_equal(hear(&s), CQRS_AMQP_OK);
    assert_int_equal(s.tag, 3);
    assert_false(s.multiple || s.accepted);
    assert_int_equal(s.confirms, 2);

    say_ack(&s, 4, 0);
    assert_int_equal(hear(&s), CQRS_AMQP_CLOSED);
    assert_non_null(strstr(cqrs_amqp_reason(s.amqp), "not published"));
    assert_int_equal(s.confirms, 2);

    session_close(&s);
}


static void
test_returns(void **state)
{
    size_t     piece;
    session_t  s;

    (void) state;

    for (piece = 0; piece < 3; piece++) {
        session_ready(&s, piece);
        publish(&s, "the one", 10000);

        say_return(&s, "the one", 10000);
        say_ack(&s, 1, 0);
        assert_int_equal(hear(&s), CQRS_AMQP_OK);
        assert_int_equal(s.returns, 1);
        assert_string_equal(s.returned, "the one");
        assert_int_equal(s.confirms, 1);

        say_return(&s, NULL, 0);
        say_return(&s, "", 1);
        assert_int_equal(hear(&s), CQRS_AMQP_OK);
        assert_int_equal(s.returns, 3);
        assert_string_equal(s.returned, "");

        session_close(&s);
    }
}


static void
test_channel_closed(void **state)
{
    session_t             s;
    amqp_channel_close_t  close = {
        AMQP_NOT_FOUND, { 0, NULL }, AMQP_BASIC_CLASS, 40
    };

    (void) state;

    session_ready(&s, 0);
    publish(&s, "1", 1);

    close.reply_text = bytes("NOT_FOUND - no\nexchange");
    say_return(&s, "1", 1);
    s.broker.end -= 9;                     /* cut off before the body */
    say(&s, 1, AMQP_CHANNEL_CLOSE_METHOD, &close);

    assert_int_equal(hear(&s), CQRS_AMQP_OK);
    assert_int_equal(s.closed, AMQP_NOT_FOUND);
    assert_string_equal(s.reason, "NOT_FOUND - no?exchange");
    assert_int_equal(s.ready, 1);

    expect_method(&s, 1, AMQP_BASIC_PUBLISH_METHOD);
    frame_t  f;
    assert_true(next_frame(&s, &f) && next_frame(&s, &f));
    expect_method(&s, 1, AMQP_CHANNEL_CLOSE_OK_METHOD);
    expect_method(&s, 1, AMQP_CHANNEL_OPEN_METHOD);

    say_channel_is_open(&s);
    assert_int_equal(hear(&s), CQRS_AMQP_OK);
    assert_int_equal(s.ready, 2);
    assert_int_equal(publish(&s, "2", 1), 1);

    session_close(&s);
}


static void
test_connection_closed(void **state)
{
    session_t                s;
    amqp_connection_close_t  close = { AMQP_CONNECTION_FORCED, { 0, NULL },
                                       0, 0 };

    (void) state;

    session_ready(&s, 0);

    close.reply_text = bytes("CONNECTION_FORCED - broker forced it");
    say(&s, 0, AMQP_CONNECTION_CLOSE_METHOD, &close);
    say_ack(&s, 1, 0);                     /* is not even looked at */

    assert_int_equal(hear(&s), CQRS_AMQP_CLOSED);
    assert_string_equal(cqrs_amqp_reason(s.amqp),
                        "the broker closed the connection, "
                        "320 \"CONNECTION_FORCED - broker forced it\"");
    expect_method(&s, 0, AMQP_CONNECTION_CLOSE_OK_METHOD);
    assert_int_equal(s.confirms, 0);

    session_close(&s);
}


static void
test_goodbye(void **state)
{
    session_t                   s;
    amqp_connection_close_ok_t  ok = { 0 };

    (void) state;

    session_ready(&s, 0);
    publish(&s, "1", 0);
    cqrs_amqp_close(s.amqp);
    cqrs_amqp_close(s.amqp);

    frame_t  f;
    assert_true(next_frame(&s, &f) && next_frame(&s, &f));
    expect_method(&s, 0, AMQP_CONNECTION_CLOSE_METHOD);
    assert_false(next_frame(&s, &f));

    say_ack(&s, 1, 0);
    assert_int_equal(hear(&s), CQRS_AMQP_OK);
    assert_int_equal(s.confirms, 1);

    say(&s, 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &ok);
    assert_int_equal(hear(&s), CQRS_AMQP_CLOSED);

    session_close(&s);

    session_open(&s, 0);
    cqrs_amqp_close(s.amqp);
    assert_int_equal(cqrs_amqp_tick(s.amqp), CQRS_AMQP_CLOSED);
    session_close(&s);
}


static void
test_heartbeats(void **state)
{
    int        i;
    frame_t    f;
    session_t  s;

    (void) state;

    session_ready(&s, 0);

    /* there was traffic, then there is none */

    assert_int_equal(cqrs_amqp_tick(s.amqp), CQRS_AMQP_OK);
    assert_false(next_frame(&s, &f));

    assert_int_equal(cqrs_amqp_tick(s.amqp), CQRS_AMQP_OK);
    assert_true(next_frame(&s, &f));
    assert_int_equal(f.type, AMQP_FRAME_HEARTBEAT);
    assert_int_equal(f.channel, 0);
    assert_int_equal(f.payload.len, 0);

    for (i = 0; i < 20; i++) {
        assert_int_equal(cqrs_amqp_output_heartbeat(&s.broker), 0);
        assert_int_equal(hear(&s), CQRS_AMQP_OK);
        assert_int_equal(cqrs_amqp_tick(s.amqp), CQRS_AMQP_OK);
    }

    for (i = 0; cqrs_amqp_tick(s.amqp) == CQRS_AMQP_OK; i++) {
        assert_true(i < 10);
    }

    assert_int_equal(i, 3);
    assert_non_null(strstr(cqrs_amqp_reason(s.amqp), "silent"));

    session_close(&s);
}


static void
test_blocked(void **state)
{
    uint64_t                    tag;
    session_t                   s;
    cqrs_amqp_message_t         message;
    amqp_connection_blocked_t   blocked;
    amqp_connection_unblocked_t unblocked = { 0 };

    (void) state;

    memset(&message, 0, sizeof(message));
    session_ready(&s, 0);

    blocked.reason = bytes("low on memory");
    say(&s, 0, AMQP_CONNECTION_BLOCKED_METHOD, &blocked);
    assert_int_equal(hear(&s), CQRS_AMQP_OK);
    assert_true(s.blocked);
    assert_string_equal(s.reason, "low on memory");
    assert_int_equal(cqrs_amqp_publish(s.amqp, &message, &tag),
                     CQRS_AMQP_NOT_READY);

    say(&s, 0, AMQP_CONNECTION_UNBLOCKED_METHOD, &unblocked);
    assert_int_equal(hear(&s), CQRS_AMQP_OK);
    assert_false(s.blocked);
    assert_int_equal(publish(&s, "1", 1), 1);

    session_close(&s);
}


/* Raw bytes after the handshake, and why they end it. */

static void
refused(const char *bytes_in, size_t len, const char *reason)
{
    size_t     piece;
    session_t  s;

    for (piece = 0; piece < 3; piece++) {
        session_ready(&s, piece);
        publish(&s, "1", 1);

        assert_int_equal(cqrs_amqp_output_bytes(&s.broker, bytes_in, len), 0);
        assert_int_equal(hear(&s), CQRS_AMQP_CLOSED);

        if (strstr(cqrs_amqp_reason(s.amqp), reason) == NULL) {
            fail_msg("\"%s\" is not \"%s\"", cqrs_amqp_reason(s.amqp), reason);
        }

        session_close(&s);
    }
}


#define REFUSED(bytes, reason)  refused(bytes, sizeof(bytes) - 1, reason)


static void
test_bad_frames(void **state)
{
    session_t  s;

    (void) state;

    REFUSED("\x04\0\0\0\0\0\0\xce", "unknown type 4");
    REFUSED("HTTP/1.1 400", "unknown type 72");
    REFUSED("\x01\0\x02\0\0\0\0\xce", "channel 2");
    REFUSED("\x08\xff\xff\0\0\0\0\xce", "channel 65535");
    REFUSED("\x01\0\x01\xff\xff\xff\xff\xce", "4294967295 bytes");
    REFUSED("\x01\0\x01\0\0\x10\0\xce", "4096 bytes");
    REFUSED("\x08\0\0\0\0\0\0\xcf", "without an end");
    REFUSED("\x01\0\x01\0\0\0\0\xce", "without a name");
    REFUSED("\x01\0\x01\0\0\0\x03\0\x3c\0\xce", "without a name");
    REFUSED("\x01\0\x01\0\0\0\x04\0\x3c\0\x50\xce", "60.80 with broken");
    REFUSED("\x01\0\x01\0\0\0\x05\0\x3c\0\x50\0\xce", "60.80 with broken");
    REFUSED("\x01\0\0\0\0\0\x0d\0\x3c\0\x50\0\0\0\0\0\0\0\x01\0\xce",
            "60.80 out of turn");
    REFUSED("\x01\0\x01\0\0\0\x04\0\x3c\0\x28\xce", "60.40 out of turn");
    REFUSED("\x01\0\0\0\0\0\x04\0\x0a\0\x0a\xce", "10.10 out of turn");
    REFUSED("\x01\0\0\0\0\0\x04\xff\xff\xff\xff\xce", "65535.65535 out of");
    REFUSED("\x02\0\x01\0\0\0\0\xce", "out of turn");
    REFUSED("\x02\0\0\0\0\0\0\xce", "outside of a channel");
    REFUSED("\x03\0\x01\0\0\0\x01x\xce", "body out of turn");

    session_open(&s, 0);
    assert_int_equal(cqrs_amqp_input(s.amqp, "AMQP\0\0\x08\0", 8),
                     CQRS_AMQP_CLOSED);
    assert_non_null(strstr(cqrs_amqp_reason(s.amqp), "another version"));
    session_close(&s);
}


static void
test_bad_returns(void **state)
{
    size_t     cut, whole;
    session_t  s;

    (void) state;

    /* a header that ends anywhere before the message id does */

    session_ready(&s, 0);
    say_return(&s, "the one", 0);
    whole = cqrs_amqp_output_len(&s.broker);
    session_close(&s);

    for (cut = 1; cut < 70; cut++) {
        uint8_t  *head;
        size_t    method, size;

        session_ready(&s, 0);
        say_return(&s, "the one", 0);

        method = 8 + s.broker.data[6];
        head = s.broker.data + method;
        size = whole - method - 8 - cut;
        head[5] = (uint8_t) (size >> 8);
        head[6] = (uint8_t) size;
        head[7 + size] = AMQP_FRAME_END;
        s.broker.end -= cut;

        (void) hear(&s);
        assert_true(s.returns <= 1);
        session_close(&s);
    }

    /* a body that is longer than was said */

    session_ready(&s, 0);
    say_return(&s, "the one", 4);
    assert_int_equal(cqrs_amqp_output_body(&s.broker, 1, bytes("x"), FRAME_MAX),
                     0);
    assert_int_equal(hear(&s), CQRS_AMQP_CLOSED);
    session_close(&s);

    /* an ack in the middle of it */

    session_ready(&s, 0);
    publish(&s, "1", 1);
    say_return(&s, "1", 1);
    s.broker.end -= 9;
    say_ack(&s, 1, 0);
    assert_int_equal(hear(&s), CQRS_AMQP_CLOSED);
    session_close(&s);
}


/* A whole session of the broker's, to be spoilt. */

static void
say_all(session_t *s)
{
    say_welcome(s);
    say_return(s, "1", 50);
    say_ack(s, 1, 0);
    assert_int_equal(cqrs_amqp_output_heartbeat(&s->broker), 0);
    say_ack(s, 2, 1);
}


static void
test_every_byte_spoilt(void **state)
{
    size_t     i, len;
    unsigned   k;
    session_t  s;
    static const uint8_t  spoil[] = { 0x01, 0x80, 0xff, 0x41, 0x10 };

    (void) state;

    session_open(&s, 0);
    say_all(&s);
    len = cqrs_amqp_output_len(&s.broker);
    session_close(&s);

    for (i = 0; i < len; i++) {
        for (k = 0; k < sizeof(spoil); k++) {
            session_open(&s, k == 0 ? 7 : 0);
            say_all(&s);
            s.broker.data[s.broker.start + i] ^= spoil[k];
            (void) hear(&s);
            (void) cqrs_amqp_tick(s.amqp);
            session_close(&s);
        }
    }
}


static void
test_garbage(void **state)
{
    size_t     i, n, round;
    uint8_t    noise[600];
    uint32_t   seed;
    session_t  s;

    (void) state;

    seed = 2463534242U;

    for (round = 0; round < 3000; round++) {
        session_open(&s, 0);

        if (round & 1) {
            say_welcome(&s);
            assert_int_equal(hear(&s), CQRS_AMQP_OK);
        }

        for (i = 0; i < sizeof(noise); i++) {
            seed ^= seed << 13;
            seed ^= seed >> 17;
            seed ^= seed << 5;
            noise[i] = (uint8_t) seed;
        }

        /* half of them begin like a frame */

        if (round & 2) {
            n = noise[7] % 200;
            noise[0] = (uint8_t) (1 + noise[8] % 3);
            memset(noise + 1, 0, 6);
            noise[2] = noise[9] & 1;
            noise[6] = (uint8_t) n;
            noise[7 + n] = AMQP_FRAME_END;

            if (noise[10] & 1) {
                memcpy(noise + 7, noise[2] ? "\0\x3c\0\x32" : "\0\x0a\0\x0a",
                       4);
            }
        }

        (void) cqrs_amqp_input(s.amqp, noise, sizeof(noise));
        (void) cqrs_amqp_input(s.amqp, noise, sizeof(noise));
        session_close(&s);
    }
}


/* Tables in tables, as many as a frame takes: the decoder recurses. */

static void
test_nested_tables(void **state)
{
    size_t     n, size;
    uint8_t    frame[FRAME_MAX], *p;
    session_t  s;

    (void) state;

    size = FRAME_MAX - 8;
    memset(frame, 0, sizeof(frame));

    p = frame;
    *p++ = AMQP_FRAME_METHOD;
    p += 4;
    *p++ = (uint8_t) (size >> 8);
    *p++ = (uint8_t) size;
    memcpy(p, "\0\x0a\0\x0a\0\x09", 6);
    p += 6;

    for (n = size - 10; n > 20; n -= 6) {
        *p++ = 0;
        *p++ = 0;
        *p++ = (uint8_t) (n >> 8);
        *p++ = (uint8_t) n;
        *p++ = 0;                          /* a key without characters */
        *p++ = AMQP_FIELD_KIND_TABLE;
    }

    frame[FRAME_MAX - 1] = AMQP_FRAME_END;

    session_open(&s, 0);
    assert_int_equal(cqrs_amqp_input(s.amqp, frame, sizeof(frame)),
                     CQRS_AMQP_CLOSED);
    session_close(&s);
}


static void
test_a_million(void **state)
{
    uint64_t    i, tag;
    session_t   s;
    const void *data;
    size_t      before, after;

    (void) state;

    session_ready(&s, 0);
    before = 0;
    after = 0;

    for (i = 1; i <= 1000000; i++) {
        tag = publish(&s, "id", i % 100 == 0 ? 9000 : 50);
        assert_int_equal(tag, i);

        if (i % 50) {
            continue;
        }

        cqrs_amqp_sent(s.amqp, cqrs_amqp_output(s.amqp, &data));
        say_return(&s, "id", 100);
        say_ack(&s, tag, 1);
        assert_int_equal(hear(&s), CQRS_AMQP_OK);

#if !defined(__SANITIZE_ADDRESS__)
        if (i == 10000) {
            before = mallinfo2().uordblks;
        }
#endif
    }

#if !defined(__SANITIZE_ADDRESS__)
    after = mallinfo2().uordblks;
#endif

    assert_true(after <= before + 65536);
    assert_int_equal(s.confirms, 20000);

    session_close(&s);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_handshake),
        cmocka_unit_test(test_publish),
        cmocka_unit_test(test_publish_limits),
        cmocka_unit_test(test_confirms),
        cmocka_unit_test(test_returns),
        cmocka_unit_test(test_channel_closed),
        cmocka_unit_test(test_connection_closed),
        cmocka_unit_test(test_goodbye),
        cmocka_unit_test(test_heartbeats),
        cmocka_unit_test(test_blocked),
        cmocka_unit_test(test_bad_frames),
        cmocka_unit_test(test_bad_returns),
        cmocka_unit_test(test_every_byte_spoilt),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_nested_tables),
        cmocka_unit_test(test_a_million)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
