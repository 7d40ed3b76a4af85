
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* How long a client wants to wait, and how it may say so. */

#include "cqrs_prefer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>


static void
is(const char *text, long wanted)
{
    long  got;

    got = cqrs_prefer_wait(text, strlen(text));

    if (got != wanted) {
        fail_msg("\"%s\" is %ld, not %ld", text, got, wanted);
    }
}


static void
test_wait(void **state)
{
    (void) state;

    is("wait=10", 10);
    is("Wait = 0", 0);
    is("\twait=\"7\" ", 7);
    is("respond-async, wait=10", 10);
    is("respond-async,wait=10;strict,wait=20", 10);
    is("note=\"a, wait=1; \\\" wait=2\", wait=3", 3);
    is(",,wait=999999999", 999999999);
}


static void
test_none(void **state)
{
    (void) state;

    is("", CQRS_PREFER_WAIT_NONE);
    is("return=minimal", CQRS_PREFER_WAIT_NONE);
    is("waiting=5", CQRS_PREFER_WAIT_NONE);
    is("return=minimal; wait=5", CQRS_PREFER_WAIT_NONE);
    is("note=\"wait=5", CQRS_PREFER_WAIT_NONE);
    is(",", CQRS_PREFER_WAIT_NONE);
}


/* The first one counts, also if it says nothing. */

static void
test_invalid(void **state)
{
    (void) state;

    is("wait", CQRS_PREFER_WAIT_INVALID);
    is("wait=", CQRS_PREFER_WAIT_INVALID);
    is("wait=\"\"", CQRS_PREFER_WAIT_INVALID);
    is("wait=\"", CQRS_PREFER_WAIT_INVALID);
    is("wait=-1", CQRS_PREFER_WAIT_INVALID);
    is("wait=1.5", CQRS_PREFER_WAIT_INVALID);
    is("wait=1s, wait=2", CQRS_PREFER_WAIT_INVALID);
    is("wait=1000000000", CQRS_PREFER_WAIT_INVALID);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_wait),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_invalid)
    };

    return cmocka_run_group_tests_name("cqrs_prefer", tests, NULL, NULL);
}
