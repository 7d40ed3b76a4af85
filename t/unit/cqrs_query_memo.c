
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * A plan that is remembered is the one that would be made: whatever is
 * recalled is compared with what is planned anew.  t/fuzz/plan.c does it with
 * requests that nobody has thought of.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cqrs_query_memo.h"
#include "shop_rows.h"


#define MEMORY  (1024 * 1024)


typedef struct {
    cqrs_arena_t         arena;
    cqrs_query_pairs_t   pairs;
    cqrs_query_key_t     key;
    int                  keyed;
    cqrs_query_t         query;
    cqrs_query_plan_t    plan;
} request_t;


static cqrs_catalog_t        *shop;
static cqrs_query_memo_t      memo;
static cqrs_query_options_t   options;


static void
cut(request_t *request, const char *url)
{
    size_t               len;
    const char          *args;
    cqrs_str_t           words[1];
    cqrs_query_error_t   error;

    memset(request, 0, sizeof(request_t));
    cqrs_arena_init(&request->arena, MEMORY);

    args = strchr(url, '?');
    len = args ? (size_t) (args - url) : strlen(url);

    words[0].data = url;
    words[0].len = len;

    args = args ? args + 1 : "";

    assert_int_equal(cqrs_query_pairs(&request->pairs, &request->arena, args,
                                      strlen(args), &error),
                     0);

    request->keyed = cqrs_query_key(&request->key, words, 1, &request->pairs,
                                    &request->arena);
}


static void
make(request_t *request, const char *url)
{
    cqrs_str_t                  schema = cqrs_str("shop"), name;
    cqrs_query_error_t          error;
    const cqrs_relation_t      *relation;
    cqrs_query_parse_options_t  parse = { 0, 0 };

    name.data = url;
    name.len = strcspn(url, "?");

    assert_int_equal(cqrs_query_parse_pairs(&request->query, &request->pairs,
                                            &request->arena, &parse, &error),
                     0);

    relation = cqrs_query_relation(shop, &schema, &name, &request->arena,
                                   &error);
    assert_non_null(relation);

    assert_int_equal(cqrs_query_plan_relation(&request->plan, &request->query,
                                              shop, relation, &options,
                                              &request->arena, &error),
                     0);
}


static void
same(const request_t *a, const request_t *b)
{
    size_t  i;

    assert_string_equal(a->plan.main.text.data, b->plan.main.text.data);
    assert_int_equal(a->plan.main.nparams, b->plan.main.nparams);

    for (i = 0; i < a->plan.main.nparams; i++) {
        assert_string_equal(a->plan.main.params[i], b->plan.main.params[i]);
    }

    assert_int_equal(a->plan.ncolumns, b->plan.ncolumns);

    for (i = 0; i < a->plan.ncolumns; i++) {
        assert_int_equal(a->plan.columns[i].kind, b->plan.columns[i].kind);
        assert_true(cqrs_str_equal(&a->plan.columns[i].prefix,
                                   &b->plan.columns[i].prefix));
    }

    assert_int_equal(a->plan.single, b->plan.single);
    assert_int_equal(a->plan.settings, b->plan.settings);
    assert_int_equal(a->query.root.limit, b->query.root.limit);
    assert_int_equal(a->query.root.offset, b->query.root.offset);
    assert_true(cqrs_str_equal(&a->query.canonical, &b->query.canonical));
}


/* Is the second one known after the first one?  Nothing of it is shared. */

static int
known(const char *first, const char *second)
{
    int        found;
    request_t  had, now, fresh;

    cqrs_query_memo_clear(&memo);

    cut(&had, first);
    make(&had, first);

    if (had.keyed) {
        cqrs_query_remember(&memo, &had.key, &had.query, &had.plan);
    }

    cqrs_arena_cleanup(&had.arena);

    cut(&now, second);

    found = now.keyed
            && cqrs_query_recall(&memo, &now.key, &now.pairs, &now.query,
                                 &now.plan, &now.arena);

    cqrs_query_memo_clear(&memo);

    if (found) {
        cut(&fresh, second);
        make(&fresh, second);
        same(&now, &fresh);
        cqrs_arena_cleanup(&fresh.arena);
    }

    cqrs_arena_cleanup(&now.arena);

    return found;
}


static void
other_operands_have_the_same_plan(void **state)
{
    size_t  i;

    static const char *const  pairs[][2] = {
        { "customers?id=eq.1", "customers?id=eq.2" },
        { "customers?id=eq.1", "customers?id=eq." },
        { "customers?id=eq.1", "customers?id=eq.eq.%2A%22%5Cx" },
        { "customers?id=gt.1&id=lt.9&name=not.eq.a",
          "customers?id=gt.5&id=lt.6&name=not.eq.b%26c" },
        { "customers?id=gte.1&id=lte.9&name=neq.a",
          "customers?id=gte.9&id=lte.1&name=neq.%C3%A9" },
        { "customers?select=id,orders(id)&orders.id=eq.1&limit=5&offset=2",
          "customers?select=id,orders(id)&orders.id=eq.7&limit=5&offset=2" },
        { "customers?select=id&name->a->>b=eq.1&order=id.desc",
          "customers?select=id&name->a->>b=eq.x&order=id.desc" },
        { "customers?or=(id.eq.1,name.like.a*)&id=eq.3",
          "customers?or=(id.eq.1,name.like.a*)&id=eq.4" },
        { "customers?id=in.(1,2)&name=like.a*",
          "customers?id=in.(1,2)&name=like.a*" },
        { "products?colour=eq.red", "products?colour=eq.blue" },
        { "customers", "customers" }
    };

    (void) state;

    for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        if (!known(pairs[i][0], pairs[i][1])) {
            fail_msg("not known: %s", pairs[i][1]);
        }
    }
}


static void
everything_else_has_its_own(void **state)
{
    size_t  i;

    static const char *const  pairs[][2] = {
        { "customers?id=eq.1", "customers?id=gt.1" },
        { "customers?id=eq.1", "customers?id=not.eq.1" },
        { "customers?id=eq.1", "customers?name=eq.1" },
        { "customers?id=eq.1", "customers?id=eq.1&id=eq.1" },
        { "customers?id=eq.1", "customers?id=eq.1&limit=1" },
        { "customers?limit=1", "customers?limit=2" },
        { "customers?offset=1", "customers?offset=2" },
        { "customers?id=eq.1", "customers?select=id&id=eq.1" },
        { "customers?select=id", "customers?select=name" },
        { "customers?order=id", "customers?order=id.desc" },
        { "customers?id=eq(any).{1}", "customers?id=eq(any).{2}" },
        { "customers?id=in.(1)", "customers?id=in.(2)" },
        { "customers?id=is.null", "customers?id=is.not_null" },
        { "customers?name=like.a", "customers?name=like.b" },
        { "customers?or=(id.eq.1)", "customers?or=(id.eq.2)" },
        { "customers?id=eq.1", "orders?id=eq.1" },
        { "customers?id=eq.1&name=eq.", "customers?id=eq.1%26name=eq." }
    };

    (void) state;

    for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        if (known(pairs[i][0], pairs[i][1])) {
            fail_msg("known: %s", pairs[i][1]);
        }
    }
}


static void
what_is_no_plan_of_rows_alone_is_not_kept(void **state)
{
    (void) state;

    options.body = CQRS_QUERY_BODY_CSV;
    assert_false(known("customers?id=eq.1", "customers?id=eq.1"));

    options.body = CQRS_QUERY_BODY_ROWS;
    options.count = CQRS_QUERY_COUNT_PLANNED;
    assert_false(known("customers?id=eq.1", "customers?id=eq.1"));

    options.count = CQRS_QUERY_COUNT_NONE;
    assert_true(known("customers?id=eq.1", "customers?id=eq.1"));

    /* the answer to it warns */

    assert_false(known("customers?select=o:orders(id)&orders.id=eq.1",
                       "customers?select=o:orders(id)&orders.id=eq.1"));
}


/* So many operands, so long a text. */

static void
a_request_may_have_no_key(void **state)
{
    char       url[4096];
    int        i;
    request_t  request;

    (void) state;

    strcpy(url, "customers?");

    for (i = 0; i < CQRS_QUERY_MEMO_OPERANDS; i++) {
        strcat(url, i ? "&id=eq.1" : "id=eq.1");
    }

    assert_true(known(url, url));

    strcat(url, "&id=eq.1");

    cut(&request, url);
    assert_int_equal(request.keyed, 0);
    cqrs_arena_cleanup(&request.arena);

    memset(url, 'x', sizeof(url) - 1);
    memcpy(url, "customers?", 10);
    url[CQRS_QUERY_MEMO_KEY + 11] = '\0';

    cut(&request, url);
    assert_int_equal(request.keyed, 0);
    cqrs_arena_cleanup(&request.arena);
}


static void
a_full_memo_begins_anew(void **state)
{
    int        i;
    char       url[64];
    request_t  request, again;

    (void) state;

    for (i = 0; i < 3 * CQRS_QUERY_MEMO_PLANS; i++) {

        snprintf(url, sizeof(url), "customers?limit=%d&id=eq.1", i);

        cut(&request, url);
        make(&request, url);

        cqrs_query_remember(&memo, &request.key, &request.query,
                            &request.plan);

        assert_in_range(memo.n, 1, CQRS_QUERY_MEMO_PLANS);

        cut(&again, url);
        assert_int_equal(cqrs_query_recall(&memo, &again.key, &again.pairs,
                                           &again.query, &again.plan,
                                           &again.arena),
                         1);
        same(&again, &request);

        cqrs_arena_cleanup(&again.arena);
        cqrs_arena_cleanup(&request.arena);
    }

    cqrs_query_memo_clear(&memo);
    assert_int_equal(memo.n, 0);
}


/* Wherever it ends, nothing is recalled by half. */

static void
memory_may_be_short(void **state)
{
    int         rc;
    size_t      limit;
    request_t   request, again;
    cqrs_str_t  words[1] = { cqrs_str("customers") };
    const char *url = "customers?select=id,name&id=eq.1&limit=3";

    (void) state;

    cut(&request, url);
    make(&request, url);
    cqrs_query_remember(&memo, &request.key, &request.query, &request.plan);

    rc = -1;

    for (limit = 0; rc == -1; limit += 16) {

        cqrs_arena_init(&again.arena, limit);

        rc = cqrs_query_key(&again.key, words, 1, &request.pairs,
                            &again.arena);
        if (rc == 1) {
            rc = cqrs_query_recall(&memo, &again.key, &request.pairs,
                                   &again.query, &again.plan, &again.arena);
        }

        if (rc == 1) {
            same(&again, &request);
        }

        cqrs_arena_cleanup(&again.arena);
    }

    assert_int_equal(rc, 1);

    cqrs_query_memo_clear(&memo);
    cqrs_arena_cleanup(&request.arena);
}


static int
open_shop(void **state)
{
    (void) state;

    options.body = CQRS_QUERY_BODY_ROWS;
    options.max_rows = -1;

    cqrs_query_memo_init(&memo);

    shop = shop_rows_load();

    return shop ? 0 : -1;
}


static int
close_shop(void **state)
{
    (void) state;

    cqrs_query_memo_clear(&memo);
    cqrs_catalog_unref(shop);

    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(other_operands_have_the_same_plan),
        cmocka_unit_test(everything_else_has_its_own),
        cmocka_unit_test(what_is_no_plan_of_rows_alone_is_not_kept),
        cmocka_unit_test(a_request_may_have_no_key),
        cmocka_unit_test(a_full_memo_begins_anew),
        cmocka_unit_test(memory_may_be_short)
    };

    return cmocka_run_group_tests(tests, open_shop, close_shop);
}
