
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* Which message is the outcome of a command, and which one only looks so. */

#include "cqrs_outcome.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>


#define ID  "01939d5e-6f1a-7c3b-9d2e-0b6f5a1c7e44"


static void
is(const char *message, cqrs_outcome_e wanted)
{
    cqrs_outcome_e  got;

    got = cqrs_outcome_of(message, strlen(message), ID);

    if (got != wanted) {
        fail_msg("\"%s\" is %d, not %d", message, (int) got, (int) wanted);
    }
}


static void
test_outcomes(void **state)
{
    (void) state;

    is("{\"type\":\"cqrs.command.completed\",\"data\":{\"id\":\"" ID "\","
       "\"version\":3},\"cursor\":\"1-0\"}", CQRS_OUTCOME_COMPLETED);
    is("{\"type\":\"cqrs.command.rejected\",\"data\":{\"id\":\"" ID "\","
       "\"code\":\"conflict\"}}", CQRS_OUTCOME_CONFLICT);
    is("{\"type\":\"cqrs.command.rejected\",\"data\":{\"id\":\"" ID "\","
       "\"code\":\"insufficient-funds\"}}", CQRS_OUTCOME_REJECTED);
    is("{\"type\":\"cqrs.command.rejected\",\"data\":{\"id\":\"" ID "\"}}",
       CQRS_OUTCOME_REJECTED);
    is("{\"type\":\"cqrs.command.failed\",\"data\":{\"id\":\"" ID "\","
       "\"code\":\"conflict\"}}", CQRS_OUTCOME_FAILED);
}


static void
test_others(void **state)
{
    (void) state;

    is("", CQRS_OUTCOME_NONE);
    is(ID, CQRS_OUTCOME_NONE);
    is("[\"" ID "\"]", CQRS_OUTCOME_NONE);
    is("{\"data\":{\"id\":\"" ID "\"}}", CQRS_OUTCOME_NONE);
    is("{\"type\":\"cqrs.command.completed\",\"data\":\"" ID "\"}",
       CQRS_OUTCOME_NONE);
    is("{\"type\":\"cqrs.command.completed\",\"id\":\"" ID "\",\"data\":{}}",
       CQRS_OUTCOME_NONE);
    is("{\"type\":\"cqrs.command.completed\",\"data\":{\"id\":\"" ID "0\"}}",
       CQRS_OUTCOME_NONE);
    is("{\"type\":\"transfer.completed\",\"data\":{\"id\":\"" ID "\"}}",
       CQRS_OUTCOME_NONE);
    is("{\"type\":\"cqrs.command.completed\",\"data\":{\"id\":"
       "\"01939d5e-6f1a-7c3b-9d2e-0b6f5a1c7e45\"}}", CQRS_OUTCOME_NONE);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_outcomes),
        cmocka_unit_test(test_others)
    };

    return cmocka_run_group_tests_name("cqrs_outcome", tests, NULL, NULL);
}
