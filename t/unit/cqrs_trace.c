
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* How a trace goes on, and when another one is begun. */

#include "cqrs_trace.h"
#include "cqrs_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>


#define TRACE  "4bf92f3577b34da6a3ce929d0e0e4736"
#define NEW    "08090a0b0c0d0e0f1011121314151617"
#define SPAN   "0001020304050607"


static void
is(const char *from, const char *wanted)
{
    char     got[CQRS_TRACE_LEN + 1];
    size_t   i;
    uint8_t  random[CQRS_TRACE_RANDOM_LEN];

    for (i = 0; i < sizeof(random); i++) {
        random[i] = i;
    }

    got[CQRS_TRACE_LEN] = '\0';

    cqrs_trace_next(got, from, from ? strlen(from) : 0, random);

    assert_string_equal(got, wanted);
    assert_int_equal(cqrs_check_traceparent(got, CQRS_TRACE_LEN), 0);
}


static void
test_continued(void **state)
{
    (void) state;

    is("00-" TRACE "-00f067aa0ba902b7-01", "00-" TRACE "-" SPAN "-01");
    is("00-" TRACE "-00f067aa0ba902b7-00", "00-" TRACE "-" SPAN "-00");
    is("00-" TRACE "-00f067aa0ba902b7-ff", "00-" TRACE "-" SPAN "-01");
    is("00-" TRACE "-00f067aa0ba902b7-fe", "00-" TRACE "-" SPAN "-00");
}


static void
test_version_to_come(void **state)
{
    (void) state;

    is("cc-" TRACE "-00f067aa0ba902b7-01", "00-" TRACE "-" SPAN "-01");
    is("cc-" TRACE "-00f067aa0ba902b7-01-what", "00-" TRACE "-" SPAN "-01");
    is("cc-" TRACE "-00f067aa0ba902b7-01.what", "00-" NEW "-" SPAN "-00");
    is("00-" TRACE "-00f067aa0ba902b7-01-what", "00-" NEW "-" SPAN "-00");
}


static void
test_begun(void **state)
{
    (void) state;

    is(NULL, "00-" NEW "-" SPAN "-00");
    is("", "00-" NEW "-" SPAN "-00");
    is("ff-" TRACE "-00f067aa0ba902b7-01", "00-" NEW "-" SPAN "-00");
    is("00-" TRACE "-0000000000000000-01", "00-" NEW "-" SPAN "-00");
    is("00-00000000000000000000000000000000-00f067aa0ba902b7-01",
       "00-" NEW "-" SPAN "-00");
}


static void
test_chance_of_zeros(void **state)
{
    char     got[CQRS_TRACE_LEN];
    uint8_t  random[CQRS_TRACE_RANDOM_LEN];

    (void) state;

    memset(random, 0, sizeof(random));

    cqrs_trace_next(got, NULL, 0, random);

    assert_int_equal(cqrs_check_traceparent(got, CQRS_TRACE_LEN), 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_continued),
        cmocka_unit_test(test_version_to_come),
        cmocka_unit_test(test_begun),
        cmocka_unit_test(test_chance_of_zeros)
    };

    return cmocka_run_group_tests_name("cqrs_trace", tests, NULL, NULL);
}
