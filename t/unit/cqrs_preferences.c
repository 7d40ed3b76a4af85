
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* What a client prefers of a query, and what it is told of that. */

#include "arena.h"

#include "cqrs_preferences.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>


static cqrs_preferences_t  preferences;


static void
prefer(const char *text, int tx)
{
    cqrs_preferences_init(&preferences, tx);

    assert_int_equal(cqrs_preferences_read(&preferences, &arena, text,
                                           strlen(text)), 0);
}


static void
applied(int call, const char *wanted)
{
    cqrs_str_t  got;

    assert_int_equal(cqrs_preferences_applied(&preferences, call, &arena,
                                              &got), 0);

    if (wanted == NULL) {
        assert_null(got.data);
        return;
    }

    assert_non_null(got.data);
    assert_string_equal(got.data, wanted);
}


static void
test_applied_in_its_own_order(void **state)
{
    (void) state;

    prefer("timezone=Europe/Rome,handling=lenient ,  count=exact", 0);
    applied(0, "count=exact, handling=lenient, timezone=Europe/Rome");

    prefer("return=minimal, missing=null", 0);
    applied(0, NULL);
    assert_null(preferences.unknown.data);
}


static void
test_the_first_counts(void **state)
{
    (void) state;

    prefer("count=planned, count=exact, timezone=A, timezone=B", 0);
    applied(0, "count=planned, timezone=A");

    assert_int_equal(cqrs_preferences_read(&preferences, &arena,
                                           "count=estimated", 15), 0);
    applied(0, "count=planned, timezone=A");
}


static void
test_unknown_ones_are_refused_to_the_strict(void **state)
{
    (void) state;

    prefer("anything, count=some , tx=commit", 0);
    assert_string_equal(preferences.unknown.data, "anything, count=some");
    assert_false(cqrs_preferences_refused(&preferences));

    prefer("anything, handling=strict", 0);
    assert_true(cqrs_preferences_refused(&preferences));

    prefer("handling=strict", 0);
    assert_false(cqrs_preferences_refused(&preferences));
}


static void
test_the_end_of_a_transaction_where_it_may_be_said(void **state)
{
    (void) state;

    prefer("tx=rollback", 0);
    applied(0, NULL);

    prefer("tx=rollback", 1);
    applied(0, "tx=rollback");
}


static void
test_rows_affected_by_a_strict_call(void **state)
{
    (void) state;

    prefer("max-affected=10, handling=strict", 0);
    assert_int_equal(preferences.max_affected, 10);
    applied(1, "handling=strict, max-affected=10");
    applied(0, "handling=strict");

    prefer("max-affected=10", 0);
    applied(1, NULL);

    prefer("max-affected=ten, handling=strict", 0);
    assert_int_equal(preferences.max_affected, -1);
    assert_false(cqrs_preferences_refused(&preferences));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_applied_in_its_own_order, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_the_first_counts, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_unknown_ones_are_refused_to_the_strict, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_the_end_of_a_transaction_where_it_may_be_said, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_rows_affected_by_a_strict_call,
                                        setup, teardown)
    };

    return cmocka_run_group_tests_name("cqrs_preferences", tests, NULL, NULL);
}
