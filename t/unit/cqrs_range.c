
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* Which rows are asked for, and how it is told which came. */

#include "cqrs_range.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>


static void
cut(const char *range, int64_t limit, int64_t offset, int64_t wanted_limit,
    int64_t wanted_offset)
{
    cqrs_query_error_t  error;

    assert_int_equal(cqrs_range_cut(&limit, &offset, range,
                                    range ? strlen(range) : 0, &error), 0);
    assert_int_equal(limit, wanted_limit);
    assert_int_equal(offset, wanted_offset);
}


static void
refused(const char *range, int64_t limit, int64_t offset, const char *details)
{
    cqrs_query_error_t  error;

    assert_int_equal(cqrs_range_cut(&limit, &offset, range, strlen(range),
                                    &error), -1);
    assert_int_equal(error.status, 416);
    assert_string_equal(error.code, "PGRST103");
    assert_non_null(strstr(error.details.data, details));
}


static void
test_header_alone(void **state)
{
    (void) state;

    cut("0-9", -1, 0, 10, 0);
    cut("5-5", -1, 0, 1, 5);
    cut("5-", -1, 0, -1, 5);
    cut(NULL, 7, 3, 7, 3);
    cut(NULL, -1, 0, -1, 0);
}


static void
test_header_and_arguments_are_cut(void **state)
{
    (void) state;

    cut("0-9", 5, 0, 5, 0);
    cut("0-4", 10, 2, 3, 2);
    cut("3-", 10, 0, 7, 3);
    cut("3-", -1, 8, -1, 8);
    cut("0-9", 0, 5, 0, 0);
}


static void
test_what_is_no_range_is_not_there(void **state)
{
    (void) state;

    cut("bytes=0-9", 3, 1, 3, 1);
    cut("a-b", 3, 1, 3, 1);
    cut("1", 3, 1, 3, 1);
    cut("1-2-3", 3, 1, 3, 1);
    cut("-5", 3, 1, 3, 1);
    cut("", 3, 1, 3, 1);
}


static void
test_ranges_without_a_row(void **state)
{
    (void) state;

    refused("5-1", -1, 0, "lower boundary");
    refused("0-1", -1, 5, "Limit");
    refused("10-", 5, 0, "Limit");
}


static void
test_numbers_beyond_all_bounds(void **state)
{
    (void) state;

    cut("0-99999999999999999999999999", -1, 0, -1, 0);
    cut("0-9", INT64_MAX, 0, 10, 0);
    refused("99999999999999999999999999-1", -1, 0, "lower boundary");
}


static void
written(int64_t offset, int64_t rows, int64_t total, const char *wanted,
    unsigned status)
{
    size_t  len;
    char    text[CQRS_RANGE_MAX];

    len = cqrs_range_write(text, offset, rows, total);

    assert_int_equal(len, strlen(wanted));
    assert_memory_equal(text, wanted, len);

    assert_int_equal(cqrs_range_status(offset, rows, total), status);
}


static void
test_content_range_and_status(void **state)
{
    (void) state;

    written(0, 3, -1, "0-2/*", 200);
    written(2, 3, -1, "2-4/*", 200);
    written(0, 0, -1, "*/*", 200);
    written(0, 3, 3, "0-2/3", 200);
    written(0, 3, 10, "0-2/10", 206);
    written(0, 0, 0, "*/0", 200);
    written(10, 0, 10, "*/10", 206);
    written(11, 0, 10, "*/10", 416);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_header_alone),
        cmocka_unit_test(test_header_and_arguments_are_cut),
        cmocka_unit_test(test_what_is_no_range_is_not_there),
        cmocka_unit_test(test_ranges_without_a_row),
        cmocka_unit_test(test_numbers_beyond_all_bounds),
        cmocka_unit_test(test_content_range_and_status)
    };

    return cmocka_run_group_tests_name("cqrs_range", tests, NULL, NULL);
}
