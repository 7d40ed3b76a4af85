
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* What functions of a database say of the answer. */

#include "arena.h"

#include "cqrs_answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>


static cqrs_answer_t       answer;
static cqrs_query_error_t  error;


static void
refused(const char *status, const char *headers, const char *code)
{
    assert_int_equal(cqrs_answer_read(&answer, status, headers, &arena,
                                      &error), -1);
    assert_int_equal(error.status, 500);
    assert_string_equal(error.code, code);
}


static void
test_settings(void **state)
{
    cqrs_answer_header_t  *header;

    (void) state;

    assert_int_equal(cqrs_answer_read(&answer, NULL, NULL, &arena, &error),
                     0);
    assert_int_equal(answer.status, 0);
    assert_null(answer.headers);

    assert_int_equal(cqrs_answer_read(&answer, "418",
                         "[{\"Set-Cookie\": \"a\"}, {\"Set-Cookie\": \"b\"}]",
                         &arena, &error), 0);
    assert_int_equal(answer.status, 418);

    header = answer.headers;
    assert_string_equal(header->name.data, "Set-Cookie");
    assert_string_equal(header->value.data, "a");

    header = header->next;
    assert_string_equal(header->value.data, "b");
    assert_null(header->next);
}


static void
test_settings_that_say_nothing(void **state)
{
    (void) state;

    refused("", NULL, "PGRST112");
    refused("ok", NULL, "PGRST112");
    refused("100", NULL, "PGRST112");
    refused("2000", NULL, "PGRST112");
    refused(NULL, "{\"a\": \"b\"}", "PGRST111");
    refused(NULL, "[{\"a\": 1}]", "PGRST111");
    refused(NULL, "[{\"a\": \"b\", \"c\": \"d\"}]", "PGRST111");
    refused(NULL, "[1]", "PGRST111");
    refused(NULL, "[", "PGRST111");
}


static void
test_headers_that_would_break_the_answer(void **state)
{
    (void) state;

    refused(NULL, "[{\"a\": \"b\\r\\nc: d\"}]", "PGRST111");
    refused(NULL, "[{\"a\\r\\nc\": \"d\"}]", "PGRST111");
    refused(NULL, "[{\"a b\": \"c\"}]", "PGRST111");
    refused(NULL, "[{\"\": \"c\"}]", "PGRST111");
}


static void
raised(const char *message, const char *detail, unsigned status,
    const char *code)
{
    cqrs_answer_raised(&answer, message, detail, &arena, &error);

    assert_int_equal(error.status, status);
    assert_string_equal(error.code, code);
}


static void
test_raised(void **state)
{
    (void) state;

    raised("{\"code\": \"X1\", \"message\": \"m\", \"details\": \"d\","
           " \"hint\": null}",
           "{\"status\": 332, \"status_text\": \"Odd\","
           " \"headers\": {\"X-A\": \"b\"}}", 332, "X1");

    assert_string_equal(error.message.data, "m");
    assert_string_equal(error.details.data, "d");
    assert_null(error.hint.data);
    assert_string_equal(answer.reason.data, "Odd");
    assert_string_equal(answer.headers->name.data, "X-A");
}


static void
test_raised_and_malformed(void **state)
{
    (void) state;

    raised("no json", NULL, 500, "PGRST121");
    assert_non_null(strstr(error.details.data, "no json"));
    assert_int_equal(answer.status, 0);

    raised("{\"code\": \"X1\"}", "{}", 500, "PGRST121");
    raised("{\"code\": \"X1\", \"message\": \"m\"}", NULL, 500, "PGRST121");
    raised("{\"code\": \"X1\", \"message\": \"m\"}", "{\"status\": 400}", 500,
           "PGRST121");
    raised("{\"code\": \"X1\", \"message\": \"m\"}",
           "{\"status\": \"400\", \"headers\": {}}", 500, "PGRST121");
    raised("{\"code\": \"X1\", \"message\": \"m\"}",
           "{\"status\": 400, \"headers\": {\"a\": \"\\n\"}}", 500,
           "PGRST121");
    raised("{\"code\": \"X\\n1\", \"message\": \"m\"}",
           "{\"status\": 400, \"headers\": {}}", 500, "PGRST121");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_settings, setup, teardown),
        cmocka_unit_test_setup_teardown(test_settings_that_say_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_headers_that_would_break_the_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_raised, setup, teardown),
        cmocka_unit_test_setup_teardown(test_raised_and_malformed, setup,
                                        teardown)
    };

    return cmocka_run_group_tests_name("cqrs_answer", tests, NULL, NULL);
}
