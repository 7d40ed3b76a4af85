
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* What a client accepts, in its order, and how an answer's type is written. */

#include "arena.h"

#include "cqrs_negotiate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>


/* The names of what is accepted, with blanks between them. */

static void
accepts(const char *text, const char *wanted)
{
    char               got[1024];
    size_t             i;
    cqrs_str_t         name;
    cqrs_media_list_t  list;

    assert_int_equal(cqrs_media_accept(&list, &arena, text, strlen(text)), 0);

    got[0] = '\0';

    for (i = 0; i < list.n; i++) {
        assert_int_equal(cqrs_media_name(&list.types[i], &arena, &name), 0);

        strcat(got, i ? " " : "");
        strncat(got, name.data, name.len);
    }

    assert_string_equal(got, wanted);
}


static void
is(const char *text, const char *wanted, int charset)
{
    cqrs_str_t    name;
    cqrs_media_t  media;

    cqrs_media_read(&media, text, strlen(text));

    assert_int_equal(cqrs_media_name(&media, &arena, &name), 0);
    assert_int_equal(name.len, strlen(wanted));
    assert_memory_equal(name.data, wanted, name.len);
    assert_int_equal(cqrs_media_is_text(&media), charset);
}


static void
test_order(void **state)
{
    (void) state;

    accepts("text/csv", "text/csv");
    accepts("text/csv;q=0.5, application/json", "application/json text/csv");
    accepts("*/*, text/csv", "text/csv */*");
    accepts("a/b;q=0.1,c/d;q=0.9,e/f;q=0.5", "c/d e/f a/b");
    accepts("a/b, c/d, e/f", "a/b c/d e/f");
    accepts("a/b;q=0, c/d;q=0.0", "");
    accepts("a/b;q=x, c/d ; q=0.999", "a/b c/d");
    accepts(" , ,a/b,", "a/b");
    accepts("", "");
}


static void
test_names(void **state)
{
    (void) state;

    is("Application/JSON", "application/json", 1);
    is("application/vnd.pgrst.array+json", "application/json", 1);
    is("application/vnd.pgrst.array+json;nulls=stripped",
       "application/vnd.pgrst.array+json;nulls=stripped", 1);
    is("application/vnd.pgrst.object", "application/vnd.pgrst.object+json", 1);
    is("application/vnd.pgrst.object+json; nulls=stripped",
       "application/vnd.pgrst.object+json;nulls=stripped", 1);
    is("text/xml; charset=utf-8", "text/xml", 1);
    is("application/octet-stream", "application/octet-stream", 0);
    is("image/png", "image/png", 0);
    is("application/vnd.oai.openapi+json;version=3.1",
       "application/vnd.oai.openapi+json;version=3.1", 1);
}


static void
test_plans(void **state)
{
    const char    *explain;
    cqrs_media_t   media;

    static const char  text[] =
        "application/vnd.pgrst.plan+json; for=\"text/csv\"; "
        "options=wal|analyze|nonsense";

    (void) state;

    is(text, "application/vnd.pgrst.plan+json; for=\"text/csv\"; "
             "options=analyze|wal", 1);
    is("application/vnd.pgrst.plan",
       "application/vnd.pgrst.plan+text; for=\"application/json\"", 1);
    is("application/vnd.pgrst.plan;for=\"a\tb\"",
       "application/vnd.pgrst.plan+text", 1);

    cqrs_media_read(&media, text, strlen(text));

    explain = cqrs_media_explain(&media, &arena);

    assert_non_null(explain);
    assert_string_equal(explain, "format json, analyze, wal");
}


static void
chooses(const char *accept, int plans, cqrs_query_body_e body,
    const char *wanted)
{
    cqrs_str_t            name;
    cqrs_media_t          media;
    cqrs_negotiate_t      what;
    cqrs_media_list_t     list;
    cqrs_query_error_t    error;
    cqrs_query_options_t  options;

    memset(&what, 0, sizeof(cqrs_negotiate_t));
    memset(&options, 0, sizeof(cqrs_query_options_t));

    what.plans = plans;

    assert_int_equal(cqrs_media_accept(&list, &arena, accept, strlen(accept)),
                     0);

    if (wanted == NULL) {
        assert_int_equal(cqrs_negotiate(&options, &media, &list, &what, NULL,
                                        &arena, &error), -1);
        assert_int_equal(error.status, 406);
        assert_string_equal(error.code, "PGRST107");
        return;
    }

    assert_int_equal(cqrs_negotiate(&options, &media, &list, &what, NULL,
                                    &arena, &error), 0);
    assert_int_equal(options.body, body);

    assert_int_equal(cqrs_media_name(&media, &arena, &name), 0);
    assert_int_equal(name.len, strlen(wanted));
    assert_memory_equal(name.data, wanted, name.len);
}


static void
test_what_is_made_without_handlers(void **state)
{
    (void) state;

    chooses("*/*", 0, CQRS_QUERY_BODY_ROWS, "application/json");
    chooses("image/png, text/csv;q=0.1", 0, CQRS_QUERY_BODY_CSV, "text/csv");
    chooses("application/vnd.pgrst.object+json", 0, CQRS_QUERY_BODY_OBJECT,
            "application/vnd.pgrst.object+json");
    chooses("application/vnd.pgrst.plan", 1, CQRS_QUERY_BODY_ROWS,
            "application/vnd.pgrst.plan+text; for=\"application/json\"");
    chooses("application/vnd.pgrst.plan", 0, 0, NULL);
    chooses("application/vnd.pgrst.plan;for=\"image/png\"", 1, 0, NULL);
    chooses("image/png, text/plain", 0, 0, NULL);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_plans, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_made_without_handlers,
                                        setup, teardown)
    };

    return cmocka_run_group_tests_name("cqrs_media", tests, NULL, NULL);
}
