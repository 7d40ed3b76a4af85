
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* The AMQP machine with a broker that keeps to the protocol. */

#include "amqp_session.h"

#include <malloc.h>


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
        cmocka_unit_test(test_a_million)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
