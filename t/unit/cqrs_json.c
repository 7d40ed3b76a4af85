
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* JSON that is written: it reads as what it was made of. */

#include "cqrs_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>


static void test_same(const char *text);
static void test_written(const char *text, const char *written);


static void
test_compact_json_is_written_as_it_was(void **state)
{
    (void) state;

    test_same("{}");
    test_same("[]");
    test_same("null");
    test_same("true");
    test_same("false");
    test_same("\"\"");
    test_same("[1,[2,{}],{\"a\":[],\"b\":null}]");
    test_same("{\"b\":1,\"a\":{\"c\":\"x\"}}");
    test_same("-9223372036854775808");
    test_same("9223372036854775807");
}


static void
test_decimals_stay_what_they_were(void **state)
{
    (void) state;

    test_same("0.1");
    test_same("20.5");
    test_same("-0.01");
    test_same("999999999.99");
    test_same("1999999999.98");
    test_same("35000000000000.01");
    test_same("0.30000000000000004");
    test_same("1.7976931348623157e+308");

    test_written("0.50", "0.5");
    test_written("1e2", "100");
    test_written("1e300", "1e+300");
}


static void
test_text_is_quoted(void **state)
{
    (void) state;

    test_same("\"a \\\"quote\\\", a \\\\ and \xc3\xbc\"");
    test_same("{\"\\\"\":\"\\\\\"}");

    test_written("\"\\n\\t\\u001f/\\/\"", "\"\\u000a\\u0009\\u001f//\"");
    test_written("\"\\u00fc\\ud83d\\ude00\"", "\"\xc3\xbc\xf0\x9f\x98\x80\"");
}


static void
test_pieces_make_a_whole(void **state)
{
    cqrs_json_t  json;

    (void) state;

    cqrs_json_init(&json);

    assert_string_equal(cqrs_json_end(&json), "");

    cqrs_json_text(&json, "gone");
    cqrs_json_clear(&json);

    cqrs_json_text(&json, "{\"n\":");
    cqrs_json_number(&json, -5);
    cqrs_json_text(&json, ",\"s\":");
    cqrs_json_string(&json, "xyz", 2);
    cqrs_json_text(&json, ",\"none\":");
    cqrs_json_string(&json, NULL, 0);
    cqrs_json_text(&json, ",\"value\":");
    cqrs_json_value(&json, NULL);
    cqrs_json_raw(&json, "}}}", 1);

    assert_string_equal(cqrs_json_end(&json),
                        "{\"n\":-5,\"s\":\"xy\",\"none\":null,"
                        "\"value\":null}");

    cqrs_json_cleanup(&json);
}


static void
test_it_grows(void **state)
{
    int          i;
    cqrs_json_t  json;

    (void) state;

    cqrs_json_init(&json);

    for (i = 0; i < 100000; i++) {
        cqrs_json_text(&json, "0123456789");
    }

    assert_int_equal(strlen(cqrs_json_end(&json)), 1000000);

    cqrs_json_cleanup(&json);
}


static void
test_same(const char *text)
{
    test_written(text, text);
}


static void
test_written(const char *text, const char *written)
{
    json_t       *value;
    cqrs_json_t   json;

    value = json_loads(text, JSON_DECODE_ANY, NULL);
    assert_non_null(value);

    cqrs_json_init(&json);
    cqrs_json_value(&json, value);

    assert_string_equal(cqrs_json_end(&json), written);

    cqrs_json_cleanup(&json);
    json_decref(value);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_compact_json_is_written_as_it_was),
        cmocka_unit_test(test_decimals_stay_what_they_were),
        cmocka_unit_test(test_text_is_quoted),
        cmocka_unit_test(test_pieces_make_a_whole),
        cmocka_unit_test(test_it_grows)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
