
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* What ids stand for: until they expire, and as far as there is room. */

#include "cqrs_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>


#define TEST_SIZE  65536


static cqrs_uuid_t
test_uuid(unsigned n)
{
    char         name[16];
    cqrs_uuid_t  uuid, nil;

    memset(&nil, 0, sizeof(nil));
    snprintf(name, sizeof(name), "%u", n);
    cqrs_uuid_derive(&uuid, &nil, name, strlen(name));

    return uuid;
}


static cqrs_keys_e
test_claim(cqrs_keys_t *keys, unsigned id, unsigned what, uint32_t now)
{
    cqrs_uuid_t  a, b;

    a = test_uuid(id);
    b = test_uuid(what);

    return cqrs_keys_claim(keys, &a, &b, now, now + 100);
}


static cqrs_keys_e
test_find(cqrs_keys_t *keys, unsigned id, unsigned what, uint32_t now)
{
    cqrs_uuid_t  a, b;

    a = test_uuid(id);
    b = test_uuid(what);

    return cqrs_keys_find(keys, &a, &b, now);
}


static void
test_the_first_one_says_what_an_id_is(void **state)
{
    void         *memory;
    cqrs_keys_t  *keys;

    (void) state;

    memory = malloc(TEST_SIZE);
    memset(memory, 0xa5, TEST_SIZE);
    keys = cqrs_keys_create(memory, TEST_SIZE);
    assert_non_null(keys);

    assert_int_equal(test_find(keys, 1, 7, 10), CQRS_KEYS_ABSENT);
    assert_int_equal(test_claim(keys, 1, 7, 10), CQRS_KEYS_ABSENT);
    assert_int_equal(test_claim(keys, 1, 7, 10), CQRS_KEYS_SAME);
    assert_int_equal(test_claim(keys, 1, 8, 10), CQRS_KEYS_OTHER);
    assert_int_equal(test_find(keys, 1, 7, 10), CQRS_KEYS_SAME);
    assert_int_equal(test_find(keys, 1, 8, 10), CQRS_KEYS_OTHER);
    assert_int_equal(test_find(keys, 2, 7, 10), CQRS_KEYS_ABSENT);

    free(memory);
}


static void
test_an_id_expires(void **state)
{
    void         *memory;
    cqrs_keys_t  *keys;

    (void) state;

    memory = malloc(TEST_SIZE);
    keys = cqrs_keys_create(memory, TEST_SIZE);

    (void) test_claim(keys, 1, 7, 10);

    assert_int_equal(test_find(keys, 1, 7, 109), CQRS_KEYS_SAME);
    assert_int_equal(test_find(keys, 1, 7, 110), CQRS_KEYS_ABSENT);
    assert_int_equal(test_claim(keys, 1, 8, 110), CQRS_KEYS_ABSENT);
    assert_int_equal(test_find(keys, 1, 8, 209), CQRS_KEYS_SAME);
    assert_int_equal(cqrs_keys_evicted(keys), 0);

    free(memory);
}


static void
test_where_there_is_no_room_the_oldest_leaves(void **state)
{
    void         *memory;
    unsigned      i, kept;
    cqrs_keys_t  *keys;

    (void) state;

    memory = malloc(TEST_SIZE);
    keys = cqrs_keys_create(memory, TEST_SIZE);

    /* the first one is asked for all the time */

    for (i = 0; i < 10000; i++) {
        assert_int_equal(test_claim(keys, i, i, 10 + i / 1000),
                         CQRS_KEYS_ABSENT);
        assert_int_equal(test_find(keys, 0, 0, 10 + i / 1000),
                         CQRS_KEYS_SAME);
    }

    kept = 0;

    for (i = 0; i < 10000; i++) {
        kept += test_find(keys, i, i, 20) == CQRS_KEYS_SAME;
    }

    assert_int_equal(kept, TEST_SIZE / 40 / 16 * 16);
    assert_int_equal(kept + cqrs_keys_evicted(keys), 10000);

    for (i = 9500; i < 10000; i++) {
        assert_int_equal(test_find(keys, i, i, 20), CQRS_KEYS_SAME);
    }

    free(memory);
}


static void
test_a_fair_share_of_the_memory_is_used(void **state)
{
    void         *memory;
    unsigned      i;
    cqrs_keys_t  *keys;

    (void) state;

    memory = malloc(1024 * 1024);
    keys = cqrs_keys_create(memory, 1024 * 1024);

    for (i = 0; i < 10000; i++) {
        (void) test_claim(keys, i, i, 10);
    }

    assert_true(cqrs_keys_evicted(keys) < 10);

    free(memory);
}


static void
test_too_little_memory(void **state)
{
    char  memory[64];

    (void) state;

    assert_null(cqrs_keys_create(memory, 0));
    assert_null(cqrs_keys_create(memory, sizeof(memory)));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_the_first_one_says_what_an_id_is),
        cmocka_unit_test(test_an_id_expires),
        cmocka_unit_test(test_where_there_is_no_room_the_oldest_leaves),
        cmocka_unit_test(test_a_fair_share_of_the_memory_is_used),
        cmocka_unit_test(test_too_little_memory)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
