
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* The cache of states: what is known, what leaves, and who owns what. */

#include "cqrs_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>


static void test_set(cqrs_cache_t *cache, const char *stream, int64_t version);
static int64_t test_version(cqrs_cache_t *cache, const char *stream);


static void
test_a_state_is_found_by_its_stream(void **state)
{
    cqrs_cache_t  cache;

    (void) state;

    assert_int_equal(cqrs_cache_init(&cache, 10), 0);

    test_set(&cache, "account-1", 7);
    test_set(&cache, "account-2", 8);

    assert_int_equal(test_version(&cache, "account-1"), 7);
    assert_int_equal(test_version(&cache, "account-2"), 8);
    assert_int_equal(test_version(&cache, "account-3"), -1);
    assert_int_equal(test_version(&cache, "account-"), -1);
    assert_int_equal(test_version(&cache, "account-11"), -1);

    cqrs_cache_cleanup(&cache);
}


static void
test_a_newer_state_takes_the_place_of_an_older(void **state)
{
    cqrs_cache_t  cache;

    (void) state;

    assert_int_equal(cqrs_cache_init(&cache, 10), 0);

    test_set(&cache, "a", 1);
    test_set(&cache, "a", 2);

    assert_int_equal(test_version(&cache, "a"), 2);
    assert_int_equal(cache.n, 1);

    cqrs_cache_cleanup(&cache);
}


static void
test_a_stream_without_a_state_is_known_too(void **state)
{
    cqrs_cache_t         cache;
    cqrs_cache_entry_t  *entry;

    (void) state;

    assert_int_equal(cqrs_cache_init(&cache, 10), 0);

    cqrs_cache_set(&cache, "a", 1, 3, NULL);
    entry = cqrs_cache_get(&cache, "a", 1);

    assert_non_null(entry);
    assert_null(entry->state);
    assert_int_equal(entry->version, 3);

    cqrs_cache_cleanup(&cache);
}


static void
test_who_was_asked_for_longest_ago_leaves(void **state)
{
    cqrs_cache_t  cache;

    (void) state;

    assert_int_equal(cqrs_cache_init(&cache, 3), 0);

    test_set(&cache, "a", 1);
    test_set(&cache, "b", 2);
    test_set(&cache, "c", 3);

    assert_int_equal(test_version(&cache, "a"), 1);

    test_set(&cache, "d", 4);

    assert_int_equal(test_version(&cache, "b"), -1);
    assert_int_equal(test_version(&cache, "c"), 3);
    assert_int_equal(test_version(&cache, "a"), 1);
    assert_int_equal(test_version(&cache, "d"), 4);

    test_set(&cache, "e", 5);

    assert_int_equal(test_version(&cache, "c"), -1);
    assert_int_equal(cache.n, 3);

    cqrs_cache_cleanup(&cache);
}


static void
test_there_is_room_for_one(void **state)
{
    cqrs_cache_t  cache;

    (void) state;

    assert_int_equal(cqrs_cache_init(&cache, 1), 0);

    test_set(&cache, "a", 1);
    test_set(&cache, "b", 2);
    test_set(&cache, "b", 3);

    assert_int_equal(test_version(&cache, "a"), -1);
    assert_int_equal(test_version(&cache, "b"), 3);

    cqrs_cache_cleanup(&cache);
}


static void
test_what_is_dropped_is_not_known(void **state)
{
    cqrs_cache_t  cache;

    (void) state;

    assert_int_equal(cqrs_cache_init(&cache, 3), 0);

    test_set(&cache, "a", 1);
    test_set(&cache, "b", 2);
    test_set(&cache, "c", 3);

    cqrs_cache_drop(&cache, "b", 1);
    cqrs_cache_drop(&cache, "never", 5);

    assert_int_equal(test_version(&cache, "b"), -1);
    assert_int_equal(test_version(&cache, "a"), 1);
    assert_int_equal(test_version(&cache, "c"), 3);

    cqrs_cache_drop(&cache, "a", 1);
    cqrs_cache_drop(&cache, "c", 1);

    assert_int_equal(cache.n, 0);
    assert_null(cache.newest);
    assert_null(cache.oldest);

    cqrs_cache_cleanup(&cache);
}


static void
test_after_a_clear_nothing_is_known(void **state)
{
    cqrs_cache_t  cache;

    (void) state;

    assert_int_equal(cqrs_cache_init(&cache, 3), 0);

    test_set(&cache, "a", 1);
    test_set(&cache, "b", 2);

    cqrs_cache_clear(&cache);

    assert_int_equal(test_version(&cache, "a"), -1);

    test_set(&cache, "a", 5);

    assert_int_equal(test_version(&cache, "a"), 5);
    assert_int_equal(cache.n, 1);

    cqrs_cache_cleanup(&cache);
}


static void
test_the_caller_keeps_its_reference(void **state)
{
    json_t        *value;
    cqrs_cache_t   cache;

    (void) state;

    assert_int_equal(cqrs_cache_init(&cache, 3), 0);

    value = json_object();

    cqrs_cache_set(&cache, "a", 1, 1, value);
    cqrs_cache_set(&cache, "a", 1, 2, value);
    cqrs_cache_clear(&cache);

    assert_int_equal(value->refcount, 1);

    json_decref(value);
    cqrs_cache_cleanup(&cache);
}


static void
test_many_streams_are_kept_apart(void **state)
{
    int           i;
    char          stream[32];
    cqrs_cache_t  cache;

    (void) state;

    assert_int_equal(cqrs_cache_init(&cache, 1000), 0);

    for (i = 0; i < 5000; i++) {
        snprintf(stream, sizeof(stream), "account-%d", i);
        test_set(&cache, stream, i);
    }

    assert_int_equal(cache.n, 1000);

    for (i = 0; i < 5000; i++) {
        snprintf(stream, sizeof(stream), "account-%d", i);
        assert_int_equal(test_version(&cache, stream), i < 4000 ? -1 : i);
    }

    cqrs_cache_cleanup(&cache);
}


static void
test_set(cqrs_cache_t *cache, const char *stream, int64_t version)
{
    json_t  *value;

    value = json_integer(version);

    cqrs_cache_set(cache, stream, strlen(stream), version, value);

    json_decref(value);
}


/* -1: it is not known. */

static int64_t
test_version(cqrs_cache_t *cache, const char *stream)
{
    cqrs_cache_entry_t  *entry;

    entry = cqrs_cache_get(cache, stream, strlen(stream));

    if (entry == NULL) {
        return -1;
    }

    assert_int_equal(json_integer_value(entry->state), entry->version);

    return entry->version;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_a_state_is_found_by_its_stream),
        cmocka_unit_test(test_a_newer_state_takes_the_place_of_an_older),
        cmocka_unit_test(test_a_stream_without_a_state_is_known_too),
        cmocka_unit_test(test_who_was_asked_for_longest_ago_leaves),
        cmocka_unit_test(test_there_is_room_for_one),
        cmocka_unit_test(test_what_is_dropped_is_not_known),
        cmocka_unit_test(test_after_a_clear_nothing_is_known),
        cmocka_unit_test(test_the_caller_keeps_its_reference),
        cmocka_unit_test(test_many_streams_are_kept_apart)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
