
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* The AMQP machine with a broker that does not keep to the protocol. */

#include "amqp_session.h"


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
    assert_int_equal(cqrs_amqp_output_body(&s.broker, 1, bytes("x"),
                                           FRAME_MAX), 0);
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


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_bad_frames),
        cmocka_unit_test(test_bad_returns),
        cmocka_unit_test(test_every_byte_spoilt),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_nested_tables)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
