
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* Frames of a client, good, bad and in parts; frames and closes of ours. */

#include "cqrs_websocket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>


#define TEST_MASKED  0x80
#define TEST_FIN     0x80
#define TEST_BINARY  0x2


static const unsigned char  test_mask[4] = { 0x12, 0x34, 0x56, 0x78 };


/* A frame as a client sends it; the length is that of the payload. */

static size_t
test_frame(unsigned char *p, unsigned char first, const void *payload,
    size_t len)
{
    size_t                i;
    const unsigned char  *from = payload;

    p[0] = first;
    p[1] = (unsigned char) (TEST_MASKED | len);
    memcpy(p + 2, test_mask, 4);

    for (i = 0; i < len; i++) {
        p[6 + i] = from[i] ^ test_mask[i % 4];
    }

    return 6 + len;
}


/* Exactly as many bytes, so that a sanitizer sees who looks too far. */

static int
test_read(cqrs_websocket_frame_t *frame, const unsigned char *p, size_t len)
{
    int             rc;
    unsigned char  *exact;

    exact = malloc(len ? len : 1);
    assert_non_null(exact);
    memcpy(exact, p, len);

    rc = cqrs_websocket_read(frame, exact, len);

    free(exact);

    return rc;
}


static int
test_read_frame(unsigned char first, const void *payload, size_t len)
{
    unsigned char           p[CQRS_WEBSOCKET_REST_MAX];
    cqrs_websocket_frame_t  frame;

    return test_read(&frame, p, test_frame(p, first, payload, len));
}


static void
test_control_frames_are_read(void **state)
{
    size_t                  i, len, whole;
    unsigned char           p[CQRS_WEBSOCKET_REST_MAX], payload[125];
    cqrs_websocket_frame_t  frame;

    static const uint8_t  opcodes[] = {
        CQRS_WEBSOCKET_PING, CQRS_WEBSOCKET_PONG
    };

    (void) state;

    for (i = 0; i < sizeof(payload); i++) {
        payload[i] = i * 7;
    }

    for (i = 0; i < 2; i++) {
        for (len = 0; len <= 125; len++) {
            whole = test_frame(p, TEST_FIN | opcodes[i], payload, len);

            assert_int_equal(test_read(&frame, p, whole), whole);
            assert_int_equal(frame.opcode, opcodes[i]);
            assert_int_equal(frame.length, len);
            assert_memory_equal(frame.payload, payload, len);
        }
    }
}


static void
test_a_part_of_a_frame_is_not_yet_one(void **state)
{
    size_t                  cut, whole;
    unsigned char           p[CQRS_WEBSOCKET_REST_MAX], payload[125];
    cqrs_websocket_frame_t  frame;

    (void) state;

    memset(payload, 'x', sizeof(payload));
    whole = test_frame(p, TEST_FIN | CQRS_WEBSOCKET_PING, payload, 125);

    assert_int_equal(whole, CQRS_WEBSOCKET_REST_MAX);

    for (cut = 0; cut < whole; cut++) {
        assert_int_equal(test_read(&frame, p, cut), 0);
    }
}


static void
test_what_follows_a_frame_is_left_alone(void **state)
{
    size_t                  whole;
    unsigned char           p[2 * CQRS_WEBSOCKET_REST_MAX];
    cqrs_websocket_frame_t  frame;

    (void) state;

    memset(p, 0xff, sizeof(p));
    whole = test_frame(p, TEST_FIN | CQRS_WEBSOCKET_PONG, "abc", 3);

    assert_int_equal(test_read(&frame, p, sizeof(p)), whole);
}


static void
test_data_is_refused(void **state)
{
    unsigned char           p[32];
    cqrs_websocket_frame_t  frame;

    static const unsigned char  long_one[] = {
        TEST_FIN | CQRS_WEBSOCKET_TEXT, TEST_MASKED | 126, 0x10, 0x01,
        0, 0, 0, 0, 'a'
    };

    static const unsigned char  huge_one[] = {
        TEST_FIN | TEST_BINARY, TEST_MASKED | 127,
        0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0, 0, 0, 0, 'a'
    };

    (void) state;

    assert_int_equal(test_read_frame(TEST_FIN | CQRS_WEBSOCKET_TEXT, "a", 1),
                     -CQRS_WEBSOCKET_REFUSED);
    assert_int_equal(test_read_frame(TEST_FIN | TEST_BINARY, "", 0),
                     -CQRS_WEBSOCKET_REFUSED);

    memcpy(p, long_one, sizeof(long_one));
    assert_int_equal(test_read(&frame, p, sizeof(long_one)),
                     -CQRS_WEBSOCKET_TOO_BIG);

    p[3] = 0;                              /* 4,096 bytes */
    assert_int_equal(test_read(&frame, p, sizeof(long_one)),
                     -CQRS_WEBSOCKET_REFUSED);

    assert_int_equal(test_read(&frame, huge_one, sizeof(huge_one)),
                     -CQRS_WEBSOCKET_TOO_BIG);
}


static void
test_frames_against_the_rules_are_refused(void **state)
{
    size_t                  i;
    cqrs_websocket_frame_t  frame;

    static const struct {
        size_t         len;
        unsigned char  bytes[16];
    } wrong[] = {
        { 2, { 0x89, 0x00 } },                        /* not masked */
        { 6, { 0xc9, 0x80 } },                        /* RSV1 */
        { 6, { 0xa9, 0x80 } },                        /* RSV2 */
        { 6, { 0x99, 0x80 } },                        /* RSV3 */
        { 6, { 0x09, 0x80 } },                        /* ping in fragments */
        { 8, { 0x89, 0xfe, 0, 126 } },                /* a long ping */
        { 6, { 0x80, 0x80 } },                        /* continues nothing */
        { 6, { 0x83, 0x80 } },                        /* unknown opcodes */
        { 6, { 0x87, 0x80 } },
        { 6, { 0x8b, 0x80 } },
        { 6, { 0x8f, 0x80 } },
        { 8, { 0x82, 0xfe, 0, 125 } },                /* length too long */
        { 14, { 0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff } },
        { 14, { 0x82, 0xff, 0x80 } }                  /* and negative */
    };

    (void) state;

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(test_read(&frame, wrong[i].bytes, wrong[i].len),
                         -CQRS_WEBSOCKET_PROTOCOL);
    }
}


static void
test_a_close_frame_says_why(void **state)
{
    size_t                  len;
    unsigned char           p[CQRS_WEBSOCKET_REST_MAX], payload[125];
    cqrs_websocket_frame_t  frame;

    (void) state;

    len = test_frame(p, TEST_FIN | CQRS_WEBSOCKET_CLOSE, "", 0);
    assert_int_equal(test_read(&frame, p, len), len);
    assert_int_equal(frame.code, CQRS_WEBSOCKET_NO_CODE);

    len = cqrs_websocket_close(payload, 4321, "bye");
    assert_int_equal(len, 5);

    len = test_frame(p, TEST_FIN | CQRS_WEBSOCKET_CLOSE, payload, len);
    assert_int_equal(test_read(&frame, p, len), len);
    assert_int_equal(frame.code, 4321);
    assert_memory_equal(frame.payload + 2, "bye", 3);
}


static void
test_a_wrong_close_frame_is_refused(void **state)
{
    unsigned char  payload[8];
    unsigned       code, allowed;

    (void) state;

    assert_int_equal(test_read_frame(TEST_FIN | CQRS_WEBSOCKET_CLOSE, "a", 1),
                     -CQRS_WEBSOCKET_PROTOCOL);

    for (code = 0; code < 65536; code++) {
        payload[0] = code >> 8;
        payload[1] = code & 0xff;

        allowed = (code >= 1000 && code <= 1014 && code != 1004
                   && code != 1005 && code != 1006)
                  || (code >= 3000 && code <= 4999);

        assert_int_equal(test_read_frame(TEST_FIN | CQRS_WEBSOCKET_CLOSE,
                                         payload, 2),
                         allowed ? 8 : -CQRS_WEBSOCKET_PROTOCOL);
    }

    memcpy(payload, "\x03\xe8\xff", 3);
    assert_int_equal(test_read_frame(TEST_FIN | CQRS_WEBSOCKET_CLOSE,
                                     payload, 3),
                     -CQRS_WEBSOCKET_NO_TEXT);
}


static void
test_heads_are_written(void **state)
{
    unsigned char  head[CQRS_WEBSOCKET_HEAD_MAX];

    (void) state;

    assert_int_equal(cqrs_websocket_head(head, CQRS_WEBSOCKET_TEXT, 125), 2);
    assert_memory_equal(head, "\x81\x7d", 2);

    assert_int_equal(cqrs_websocket_head(head, CQRS_WEBSOCKET_TEXT, 126), 4);
    assert_memory_equal(head, "\x81\x7e\x00\x7e", 4);

    assert_int_equal(cqrs_websocket_head(head, CQRS_WEBSOCKET_TEXT, 65535),
                     4);
    assert_memory_equal(head, "\x81\x7e\xff\xff", 4);

    assert_int_equal(cqrs_websocket_head(head, CQRS_WEBSOCKET_PING, 65536),
                     10);
    assert_memory_equal(head, "\x89\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 10);
}


static void
test_a_long_reason_is_cut(void **state)
{
    char           reason[200];
    unsigned char  payload[CQRS_WEBSOCKET_CONTROL_MAX];

    (void) state;

    memset(reason, 'r', sizeof(reason));
    reason[sizeof(reason) - 1] = '\0';

    assert_int_equal(cqrs_websocket_close(payload, 1000, reason),
                     CQRS_WEBSOCKET_CONTROL_MAX);
}


static void
test_no_bytes_do_harm(void **state)
{
    int                     rc;
    size_t                  i, len;
    unsigned                n;
    unsigned char           p[64];
    cqrs_websocket_frame_t  frame;

    (void) state;

    srand(1);

    for (n = 0; n < 200000; n++) {
        len = rand() % sizeof(p);

        for (i = 0; i < len; i++) {
            p[i] = rand() >> 7;
        }

        rc = test_read(&frame, p, len);

        assert_true(rc <= (int) len);
        assert_true(rc >= -CQRS_WEBSOCKET_TOO_BIG);
        assert_true(frame.length <= CQRS_WEBSOCKET_CONTROL_MAX);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_control_frames_are_read),
        cmocka_unit_test(test_a_part_of_a_frame_is_not_yet_one),
        cmocka_unit_test(test_what_follows_a_frame_is_left_alone),
        cmocka_unit_test(test_data_is_refused),
        cmocka_unit_test(test_frames_against_the_rules_are_refused),
        cmocka_unit_test(test_a_close_frame_says_why),
        cmocka_unit_test(test_a_wrong_close_frame_is_refused),
        cmocka_unit_test(test_heads_are_written),
        cmocka_unit_test(test_a_long_reason_is_cut),
        cmocka_unit_test(test_no_bytes_do_harm)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
