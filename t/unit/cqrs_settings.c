
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* What a transaction is told, as a statement and its parameters. */

#include "arena.h"

#include "cqrs_buf_json.h"
#include "cqrs_identifier.h"
#include "cqrs_settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>


static void
test_statement(void **state)
{
    cqrs_query_sql_t  sql;
    cqrs_settings_t   settings;

    (void) state;

    cqrs_settings_init(&settings, &arena);
    cqrs_settings_add(&settings, "role", &cqrs_str_lit("web"));
    cqrs_settings_add_empty(&settings, "response.status");
    cqrs_settings_add_named(&settings, &cqrs_str_lit("a.b"),
                            &cqrs_str_lit("'; drop"));

    assert_int_equal(cqrs_settings_end(&settings, &sql), 0);
    assert_string_equal(sql.text.data,
                        "select pg_catalog.num_nulls("
                        "pg_catalog.set_config('role', $1, true), "
                        "pg_catalog.set_config('response.status', '', true), "
                        "pg_catalog.set_config($2, $3, true))");
    assert_int_equal(sql.nparams, 3);
    assert_string_equal(sql.params[0], "web");
    assert_string_equal(sql.params[1], "a.b");
    assert_string_equal(sql.params[2], "'; drop");
}


static void
test_too_many_are_refused(void **state)
{
    size_t            i;
    cqrs_query_sql_t  sql;
    cqrs_settings_t   settings;

    (void) state;

    cqrs_settings_init(&settings, &arena);

    for (i = 0; i <= CQRS_SETTINGS_MAX; i++) {
        cqrs_settings_add(&settings, "a.b", &cqrs_str_lit("c"));
    }

    assert_int_equal(cqrs_settings_end(&settings, &sql), -1);
}


static void
test_names_in_quotes(void **state)
{
    cqrs_buf_t  buf;
    cqrs_str_t  text;

    (void) state;

    cqrs_buf_init(&buf, &arena);
    cqrs_buf_identifier(&buf, &cqrs_str_lit("a \"b\""));

    assert_int_equal(cqrs_buf_end(&buf, &text), 0);
    assert_string_equal(text.data, "\"a \"\"b\"\"\"");
}


static void
test_headers_and_cookies(void **state)
{
    cqrs_buf_t  buf;
    cqrs_str_t  text;

    (void) state;

    cqrs_buf_init(&buf, &arena);
    cqrs_settings_member(&buf, "User-Agent", 10, "\"x\"\\", 4);
    cqrs_settings_member(&buf, "Empty", 5, "", 0);

    assert_int_equal(cqrs_buf_end(&buf, &text), 0);
    assert_string_equal(text.data,
                        "{\"user-agent\":\"\\\"x\\\"\\\\\",\"empty\":\"\"");

    cqrs_buf_init(&buf, &arena);
    cqrs_settings_cookies(&buf, "Session=a=b; ;flag;  x=", 23);

    assert_int_equal(cqrs_buf_end(&buf, &text), 0);
    assert_string_equal(text.data,
                        "{\"Session\":\"a=b\",\"flag\":\"\",\"x\":\"\"");
}


static void
json_is(const char *data, size_t len, const char *wanted)
{
    cqrs_buf_t  buf;
    cqrs_str_t  text;

    cqrs_buf_init(&buf, &arena);
    cqrs_buf_json(&buf, data, len);

    assert_int_equal(cqrs_buf_end(&buf, &text), 0);
    assert_string_equal(text.data, wanted);
}


static void
test_strings_of_json(void **state)
{
    (void) state;

    json_is(NULL, 0, "null");
    json_is("", 0, "\"\"");
    json_is("a\tb\n\r\"\\\x01", 8, "\"a\\tb\\n\\r\\\"\\\\\\u0001\"");
    json_is("Gr\xc3\xb6\xc3\x9f""e \xe2\x82\xac \xf0\x9f\x98\x80", 16,
            "\"Gr\xc3\xb6\xc3\x9f""e \xe2\x82\xac \xf0\x9f\x98\x80\"");
    json_is("a\xff\xc3(\xe2\x82", 6, "\"a?\?(?\?\"");
    json_is("a\0b", 3, "\"a?b\"");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_statement, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_many_are_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_names_in_quotes, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_headers_and_cookies, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_strings_of_json, setup, teardown)
    };

    return cmocka_run_group_tests_name("cqrs_settings", tests, NULL, NULL);
}
