
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* Memory with a limit, and the text that grows in it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cqrs_arena.h"
#include "cqrs_buf.h"


static void
arena_aligns_what_it_gives(void **state)
{
    void          *p;
    size_t         size;
    cqrs_arena_t   arena;

    (void) state;

    cqrs_arena_init(&arena, 1024 * 1024);

    for (size = 0; size < 300; size++) {
        p = cqrs_arena_alloc(&arena, size);
        assert_non_null(p);
        assert_int_equal((uintptr_t) p % 16, 0);
        memset(p, 0xff, size);
    }

    cqrs_arena_cleanup(&arena);
}


static void
arena_stops_at_its_limit(void **state)
{
    size_t        given;
    cqrs_arena_t  arena;

    (void) state;

    cqrs_arena_init(&arena, 10000);

    for (given = 0; cqrs_arena_alloc(&arena, 96); given += 96) { /* void */ }

    assert_in_range(given, 9000, 10000);
    assert_null(cqrs_arena_alloc(&arena, 96));

    cqrs_arena_cleanup(&arena);

    cqrs_arena_init(&arena, 10000);
    assert_null(cqrs_arena_alloc(&arena, SIZE_MAX));
    assert_null(cqrs_arena_alloc(&arena, 10001));
    assert_non_null(cqrs_arena_alloc(&arena, 10000));
    assert_null(cqrs_arena_alloc(&arena, 1));
    cqrs_arena_cleanup(&arena);
}


static void
arena_copies_end_with_nul(void **state)
{
    char          *p;
    cqrs_arena_t   arena;

    (void) state;

    cqrs_arena_init(&arena, 1000);

    p = cqrs_arena_copy(&arena, "abcdef", 3);
    assert_string_equal(p, "abc");

    p = cqrs_arena_copy(&arena, NULL, 0);
    assert_string_equal(p, "");

    cqrs_arena_cleanup(&arena);
}


static void
buf_grows_over_all_its_sizes(void **state)
{
    size_t        i;
    cqrs_buf_t    buf;
    cqrs_str_t    text;
    cqrs_arena_t  arena;

    (void) state;

    cqrs_arena_init(&arena, 1024 * 1024);
    cqrs_buf_init(&buf, &arena);

    for (i = 0; i < 10000; i++) {
        cqrs_buf_number(&buf, i % 10);
    }

    assert_int_equal(cqrs_buf_end(&buf, &text), 0);
    assert_int_equal(text.len, 10000);
    assert_int_equal(strlen(text.data), 10000);

    for (i = 0; i < 10000; i++) {
        assert_int_equal(text.data[i], '0' + i % 10);
    }

    cqrs_arena_cleanup(&arena);
}


static void
buf_writes_numbers(void **state)
{
    cqrs_buf_t    buf;
    cqrs_str_t    text;
    cqrs_arena_t  arena;

    (void) state;

    cqrs_arena_init(&arena, 10000);
    cqrs_buf_init(&buf, &arena);

    cqrs_buf_number(&buf, 0);
    cqrs_buf_text(&buf, " ");
    cqrs_buf_number(&buf, SIZE_MAX);

    assert_int_equal(cqrs_buf_end(&buf, &text), 0);
    assert_string_equal(text.data, "0 18446744073709551615");

    cqrs_arena_cleanup(&arena);
}


static void
buf_tells_the_end_of_memory_at_its_own_end(void **state)
{
    size_t        i;
    cqrs_buf_t    buf;
    cqrs_str_t    text;
    cqrs_arena_t  arena;

    (void) state;

    cqrs_arena_init(&arena, 2000);
    cqrs_buf_init(&buf, &arena);

    for (i = 0; i < 1000; i++) {
        cqrs_buf_text(&buf, "0123456789");
    }

    assert_int_equal(cqrs_buf_end(&buf, &text), -1);

    cqrs_arena_cleanup(&arena);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(arena_aligns_what_it_gives),
        cmocka_unit_test(arena_stops_at_its_limit),
        cmocka_unit_test(arena_copies_end_with_nul),
        cmocka_unit_test(buf_grows_over_all_its_sizes),
        cmocka_unit_test(buf_writes_numbers),
        cmocka_unit_test(buf_tells_the_end_of_memory_at_its_own_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
