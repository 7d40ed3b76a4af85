
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* Cursors, and where they stand in a message. */

#include "cqrs_cursor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>


static const char  test_message[] = "{\"type\":\"a\",\"cursor\":\"12-7\"}";


static void
test_good_cursors_are_read_and_written(void **state)
{
    char           out[CQRS_CURSOR_TEXT_MAX];
    size_t         i, len;
    cqrs_cursor_t  cursor;

    static const char  *good[] = {
        "0-0", "0-1", "1764000000130-0", "10-10",
        "18446744073709551615-18446744073709551615"
    };

    (void) state;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(cqrs_cursor_parse(&cursor, good[i], strlen(good[i])),
                         0);

        len = cqrs_cursor_format(out, &cursor);

        assert_int_equal(len, strlen(good[i]));
        assert_memory_equal(out, good[i], len);
    }
}


static void
test_anything_else_is_no_cursor(void **state)
{
    size_t         i;
    cqrs_cursor_t  cursor;

    static const char  *bad[] = {
        "", "-", "1", "1-", "-1", "1--1", "1-1-1", " 1-1", "1-1 ", "01-1",
        "1-01", "+1-1", "1-x", "0x1-1", "$", "*",
        "18446744073709551616-0", "0-18446744073709551616",
        "99999999999999999999-0",
        "18446744073709551615-184467440737095516150"
    };

    (void) state;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(cqrs_cursor_parse(&cursor, bad[i], strlen(bad[i])),
                         -1);
    }
}


static void
test_cursors_have_an_order(void **state)
{
    size_t  i, j;
    int     found;

    static const cqrs_cursor_t  in_order[] = {
        { 0, 0 }, { 0, 1 }, { 1, 0 }, { 1, UINT64_MAX }, { 2, 0 },
        { UINT64_MAX, UINT64_MAX }
    };

    (void) state;

    for (i = 0; i < 6; i++) {
        for (j = 0; j < 6; j++) {
            found = cqrs_cursor_compare(&in_order[i], &in_order[j]);

            assert_int_equal((found > 0) - (found < 0), (i > j) - (i < j));
        }
    }
}


static void
test_the_last_member_of_a_message_is_its_cursor(void **state)
{
    cqrs_cursor_t  cursor;

    (void) state;

    assert_int_equal(cqrs_cursor_of_message(&cursor, test_message,
                                            sizeof(test_message) - 1),
                     0);
    assert_int_equal(cursor.msec, 12);
    assert_int_equal(cursor.number, 7);
}


static void
test_what_only_looks_like_a_cursor_is_none(void **state)
{
    char          *exact;
    size_t         i, len;
    cqrs_cursor_t  cursor;

    static const char  *none[] = {
        "", "}", "\"}", "{}", "12-7\"}", "{\"cursor\":\"12-7\"}",
        "{\"a\":1,\"cursor\":\"12-7\"} ", "{\"a\":1,\"cursor\":\"12-7\" }",
        "{\"a\":1, \"cursor\":\"12-7\"}", "{\"a\":1,\"cursor\": \"12-7\"}",
        "{\"a\":1,\"cursor\":\"12\"}", "{\"a\":1,\"cursor\":\"\"}",
        "{\"a\":1,\"cursor\":12-7}", "{\"a\":1,\"cursor\":\"12-7\",\"b\":2}",
        "{\"a\":1,\"Cursor\":\"12-7\"}", "{\"a\":1,\"xcursor\":\"12-7\"}",
        "{\"a\":1,\"cursor\":\"012-7\"}",
        "{\"a\":1,\"cursor\":\"1234567890123456789012-1234567890123456789\"}",
        "{\"a\":1,\"cursor\":\"--------------------------------------------\"}"
    };

    (void) state;

    for (i = 0; i < sizeof(none) / sizeof(none[0]); i++) {

        /* no byte more, so that a sanitizer sees who looks too far */

        len = strlen(none[i]);
        exact = malloc(len ? len : 1);
        assert_non_null(exact);
        memcpy(exact, none[i], len);

        assert_int_equal(cqrs_cursor_of_message(&cursor, exact, len), -1);

        free(exact);
    }
}


static void
test_a_cursor_is_spliced_in_and_found_again(void **state)
{
    char           out[100];
    size_t         len;
    cqrs_cursor_t  found;

    static const char           message[] = "{\"type\":\"a\"}";
    static const cqrs_cursor_t  cursor = { 12, 7 };

    (void) state;

    len = cqrs_cursor_splice(out, message, sizeof(message) - 1, &cursor);

    assert_int_equal(len, sizeof(test_message) - 1);
    assert_memory_equal(out, test_message, len);
    assert_int_equal(cqrs_cursor_of_message(&found, out, len), 0);
    assert_int_equal(cqrs_cursor_compare(&found, &cursor), 0);
}


static void
test_the_longest_cursor_has_room(void **state)
{
    char                *out;
    size_t               len;
    static const cqrs_cursor_t  cursor = { UINT64_MAX, UINT64_MAX };

    (void) state;

    out = malloc(2 + CQRS_CURSOR_MEMBER_MAX);
    assert_non_null(out);

    len = cqrs_cursor_splice(out, "{}", 2, &cursor);

    assert_int_equal(len, 2 + CQRS_CURSOR_MEMBER_MAX);

    free(out);
}


static void
test_into_what_is_no_object_nothing_is_spliced(void **state)
{
    char  out[100];

    static const cqrs_cursor_t  cursor = { 12, 7 };

    (void) state;

    assert_int_equal(cqrs_cursor_splice(out, "", 0, &cursor), 0);
    assert_int_equal(cqrs_cursor_splice(out, "[1]", 3, &cursor), 0);
    assert_int_equal(cqrs_cursor_splice(out, "{} ", 3, &cursor), 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_good_cursors_are_read_and_written),
        cmocka_unit_test(test_anything_else_is_no_cursor),
        cmocka_unit_test(test_cursors_have_an_order),
        cmocka_unit_test(test_the_last_member_of_a_message_is_its_cursor),
        cmocka_unit_test(test_what_only_looks_like_a_cursor_is_none),
        cmocka_unit_test(test_a_cursor_is_spliced_in_and_found_again),
        cmocka_unit_test(test_the_longest_cursor_has_room),
        cmocka_unit_test(test_into_what_is_no_object_nothing_is_spliced)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
