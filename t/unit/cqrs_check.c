
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* What may be part of a command, and what may not. */

#include "cqrs_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>


#define TEXT(text)  text, sizeof(text) - 1


static void
test_type(void **state)
{
    char  text[101];

    (void) state;

    assert_int_equal(cqrs_check_type(TEXT("deposit")), 0);
    assert_int_equal(cqrs_check_type(TEXT("0.a_b-c")), 0);
    assert_int_equal(cqrs_check_type(TEXT("")), -1);
    assert_int_equal(cqrs_check_type(TEXT(".deposit")), -1);
    assert_int_equal(cqrs_check_type(TEXT("-deposit")), -1);
    assert_int_equal(cqrs_check_type(TEXT("Deposit")), -1);
    assert_int_equal(cqrs_check_type(TEXT("de posit")), -1);
    assert_int_equal(cqrs_check_type(TEXT("deposit#")), -1);
    assert_int_equal(cqrs_check_type(TEXT("deposit\0x")), -1);

    memset(text, 'a', sizeof(text));
    assert_int_equal(cqrs_check_type(text, 100), 0);
    assert_int_equal(cqrs_check_type(text, 101), -1);
}


static void
test_stream(void **state)
{
    char  text[256];

    (void) state;

    assert_int_equal(cqrs_check_stream(TEXT("account-1")), 0);
    assert_int_equal(cqrs_check_stream(TEXT("konto-\xc3\xbcmlaut")), 0);
    assert_int_equal(cqrs_check_stream(TEXT("\xe2\x82\xac \xf0\x9f\x90\xa2")),
                     0);
    assert_int_equal(cqrs_check_stream(TEXT("\xf4\x8f\xbf\xbf")), 0);

    assert_int_equal(cqrs_check_stream(TEXT("")), -1);
    assert_int_equal(cqrs_check_stream(TEXT("a\nb")), -1);
    assert_int_equal(cqrs_check_stream(TEXT("a\0b")), -1);
    assert_int_equal(cqrs_check_stream(TEXT("a\x7f")), -1);
    assert_int_equal(cqrs_check_stream(TEXT("a\xc2\x85")), -1);
    assert_int_equal(cqrs_check_stream(TEXT("a\xff")), -1);
    assert_int_equal(cqrs_check_stream(TEXT("a\xc3")), -1);
    assert_int_equal(cqrs_check_stream(TEXT("\xc0\x80")), -1);
    assert_int_equal(cqrs_check_stream(TEXT("\xe0\x80\x80")), -1);
    assert_int_equal(cqrs_check_stream(TEXT("\xed\xa0\x80")), -1);
    assert_int_equal(cqrs_check_stream(TEXT("\xf0\x80\x80\x80")), -1);
    assert_int_equal(cqrs_check_stream(TEXT("\xf4\x90\x80\x80")), -1);
    assert_int_equal(cqrs_check_stream(TEXT("\xe2\x82")), -1);
    assert_int_equal(cqrs_check_stream(TEXT("\xe2(\xac")), -1);

    memset(text, 'a', sizeof(text));
    assert_int_equal(cqrs_check_stream(text, 255), 0);
    assert_int_equal(cqrs_check_stream(text, 256), -1);
}


static void
test_token(void **state)
{
    (void) state;

    assert_int_equal(cqrs_check_token(TEXT("!order-17~"), 10), 0);
    assert_int_equal(cqrs_check_token(TEXT("!order-17~"), 9), -1);
    assert_int_equal(cqrs_check_token(TEXT(""), 9), -1);
    assert_int_equal(cqrs_check_token(TEXT("a b"), 9), -1);
    assert_int_equal(cqrs_check_token(TEXT("\xc3\xbc"), 9), -1);
}


static void
test_traceparent(void **state)
{
    char        text[56];
    size_t      i;
    const char  good[] =
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    (void) state;

    assert_int_equal(cqrs_check_traceparent(good, 55), 0);
    assert_int_equal(cqrs_check_traceparent(good, 54), -1);

    for (i = 0; i < 55; i++) {
        memcpy(text, good, 56);
        text[i] = 'G';
        assert_int_equal(cqrs_check_traceparent(text, 55), -1);
    }

    memcpy(text, good, 56);
    memcpy(text, "ff", 2);
    assert_int_equal(cqrs_check_traceparent(text, 55), -1);

    memcpy(text, good, 56);
    memset(text + 3, '0', 32);
    assert_int_equal(cqrs_check_traceparent(text, 55), -1);

    memcpy(text, good, 56);
    memset(text + 36, '0', 16);
    assert_int_equal(cqrs_check_traceparent(text, 55), -1);
}


static void
good(const char *text, size_t len)
{
    char  error[200];

    if (cqrs_check_body(text, len, error, sizeof(error)) != 0) {
        fail_msg("\"%.*s\" is refused: %s", (int) len, text, error);
    }
}


static void
bad(const char *text, size_t len, const char *why)
{
    char  error[200];

    if (cqrs_check_body(text, len, error, sizeof(error)) == 0) {
        fail_msg("\"%.*s\" is taken", (int) len, text);
    }

    if (strstr(error, why) == NULL) {
        fail_msg("\"%.*s\" is refused by \"%s\", not \"%s\"", (int) len, text,
                 error, why);
    }

    /* what the client sent is not sent back */

    assert_null(strstr(error, "near"));
}


static void
test_body(void **state)
{
    (void) state;

    good(TEXT("{}"));
    good(TEXT(" {\"a\": [1, -2.5e3, true, null, \"\\u20ac\xe2\x82\xac\"]}\n"));
    good(TEXT("{\"a\": 123456789012345678901234567890}"));
    good(TEXT("{\"a\": {\"b\": 1}, \"b\": {\"a\": 1}}"));

    bad(TEXT(""), "line 1");
    bad(TEXT("[1]"), "not an object");
    bad(TEXT("1"), "expected");
    bad(TEXT("\"text\""), "expected");
    bad(TEXT("{\"a\": 1,\n \"b\": }"), "line 2, column 7");
    bad(TEXT("{\"a\": 1} x"), "end of file expected");
    bad(TEXT("{} {}"), "end of file expected");
    bad(TEXT("{\"a\": 1, \"a\": 2}"), "duplicate object key");
    bad(TEXT("{\"a\": {\"b\": 1, \"b\": 1}}"), "duplicate object key");
    bad(TEXT("{\"a\": \"\\u0000\"}"), "\\u0000");
    bad(TEXT("{\"a\\u0000\": 1}"), "NUL byte");
    bad(TEXT("{\"a\": \"\\ud800\"}"), "line 1");
    bad(TEXT("{\"a\": \"\xff\"}"), "line 1");
    bad(TEXT("{\"a\": \"\xed\xa0\x80\"}"), "line 1");
    bad(TEXT("{\"a\":\n \"\0\"}"), "line 2: a NUL byte");
    bad(TEXT("{\"a\": 1\0}"), "line 1: a NUL byte");
    bad(TEXT("\xef\xbb\xbf{}"), "line 1");
    bad(TEXT("{'a': 1}"), "line 1");
    bad(TEXT("{\"a\": 01}"), "line 1");
    bad(TEXT("{\"a\": NaN}"), "line 1");
    bad(TEXT("{\"a\": \"x\ny\"}"), "line 1, column 8");
    bad(TEXT("{\"a\": 1,}"), "line 1");
}


static void
test_depth(void **state)
{
    char    text[2 * 70 + 2 * 70 + 8], *p;
    size_t  i, depth;

    (void) state;

    for (depth = 2; depth <= 66; depth++) {
        p = text;
        *p++ = '{';
        *p++ = '"';
        *p++ = '"';
        *p++ = ':';

        for (i = 1; i < depth; i++) {
            *p++ = '[';
        }

        for (i = 1; i < depth; i++) {
            *p++ = ']';
        }

        *p++ = '}';

        if (depth <= CQRS_DEPTH_MAX) {
            good(text, (size_t) (p - text));
        } else {
            bad(text, (size_t) (p - text), "line 1: nested deeper than 64");
        }
    }

    /* in a string it is none */

    good(TEXT("{\"a\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
              "[[[[[[[[[[[[[[[[[\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"}"));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_type),
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_token),
        cmocka_unit_test(test_traceparent),
        cmocka_unit_test(test_body),
        cmocka_unit_test(test_depth)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
