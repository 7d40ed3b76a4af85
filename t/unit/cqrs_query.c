
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* From query strings to SQL: what is said, what is refused, what is inert. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cqrs_buf.h"
#include "cqrs_query.h"


#define ALL    "\"api\".\"items\".*"
#define COL(c) "\"api\".\"items\".\"" c "\""
#define FROM   " from \"api\".\"items\""


/* The answer to one query string; its memory is the arena's. */
typedef struct {
    cqrs_arena_t          arena;
    cqrs_query_t          query;
    cqrs_query_sql_t      sql;
    cqrs_query_error_t    error;
    int                   rc;
} query_t;


typedef struct {
    const char           *args;
    const char           *inner;        /* the select inside, NULL: refused */
    const char           *params[4];
} query_case_t;


typedef struct {
    const char           *args;
    unsigned              status;
    const char           *code;
    const char           *message;
    const char           *details;
} query_error_case_t;


static void query_begin(query_t *q, const char *args, size_t len);
static void query_end(query_t *q);
static void query_check(const query_case_t *test);
static int query_open(void **state);
static int query_close(void **state);
static int query_is_inert(const cqrs_str_t *sql);


static cqrs_catalog_t        *query_catalog;
static const cqrs_relation_t *query_relation;
static cqrs_query_options_t   query_options = { 0, -1 };


static void
query_select(void **state)
{
    size_t                     i;
    static const query_case_t  cases[] = {
        { "",                    "select " ALL FROM, { NULL } },
        { "select=",             "select " ALL FROM, { NULL } },
        { "select=*",            "select " ALL FROM, { NULL } },
        { "&&;select=id&",       "select " COL("id") FROM, { NULL } },
        { "select=id,name",      "select " COL("id") ", " COL("name") FROM,
                                 { NULL } },
        { "select=id,*",         "select " COL("id") ", " ALL FROM, { NULL } },
        { "select=n:name",       "select " COL("name") " as \"n\"" FROM,
                                 { NULL } },
        { "select=id&select=name", "select " COL("id") FROM, { NULL } },
        { "select=%22a%20%5C%22b%5C%22.c%22",
                                 "select " COL("a \"\"b\"\".c") FROM,
                                 { NULL } },
        { "select=%22a%3Bb%22:id", "select " COL("id") " as \"a;b\"" FROM,
                                 { NULL } },
        { "select=+id+,+name",   "select " COL("id") ", " COL("name") FROM,
                                 { NULL } },
        { "select=with-dash",    "select " COL("with-dash") FROM, { NULL } },
        { "select=%C3%BC",       "select " COL("\xc3\xbc") FROM, { NULL } }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        query_check(&cases[i]);
    }
}


static void
query_filters(void **state)
{
    size_t                     i;
    static const query_case_t  cases[] = {
        { "id=eq.5",     "where (" COL("id") " = $1)", { "5" } },
        { "id=neq.5",    "where (" COL("id") " <> $1)", { "5" } },
        { "id=gt.5",     "where (" COL("id") " > $1)", { "5" } },
        { "id=gte.5",    "where (" COL("id") " >= $1)", { "5" } },
        { "id=lt.5",     "where (" COL("id") " < $1)", { "5" } },
        { "id=lte.5",    "where (" COL("id") " <= $1)", { "5" } },
        { "name=like.a*", "where (" COL("name") " like $1)", { "a%" } },
        { "name=ilike.*%25", "where (" COL("name") " ilike $1)", { "%%" } },
        { "name=match.^a*", "where (" COL("name") " ~ $1)", { "^a*" } },
        { "name=imatch.a", "where (" COL("name") " ~* $1)", { "a" } },
        { "id=isdistinct.5", "where (" COL("id") " is distinct from $1)",
                           { "5" } },
        { "id=not.eq.5", "where not (" COL("id") " = $1)", { "5" } },
        { "name=eq.",    "where (" COL("name") " = $1)", { "" } },
        { "name=eq.a.b(,)\"", "where (" COL("name") " = $1)", { "a.b(,)\"" } },
        { "name=eq.a%3Db%26c+d", "where (" COL("name") " = $1)",
                           { "a=b&c d" } },
        { "name=eq.%zz%4", "where (" COL("name") " = $1)", { "%zz%4" } },
        { "name=eq.a=b", "where (" COL("name") " = $1)", { "a=b" } },
        { "id=is.null",  "where (" COL("id") " is null)", { NULL } },
        { "id=is.NOT_Null", "where (" COL("id") " is not null)", { NULL } },
        { "id=not.is.true", "where not (" COL("id") " is true)", { NULL } },
        { "id=is.false", "where (" COL("id") " is false)", { NULL } },
        { "id=is.unknown", "where (" COL("id") " is unknown)", { NULL } },
        { "id=gt.1&id=lt.5",
          "where (" COL("id") " > $1) and (" COL("id") " < $2)",
          { "1", "5" } },
        { "columns=x&on_conflict=y&id=eq.1", "where (" COL("id") " = $1)",
                           { "1" } }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        query_check(&cases[i]);
    }
}


static void
query_lists(void **state)
{
    size_t                     i;
    static const query_case_t  cases[] = {
        { "id=in.(1,3,5)", "= any ($1))", { "{\"1\",\"3\",\"5\"}" } },
        { "id=in.(1)",     "= any ($1))", { "{\"1\"}" } },
        { "id=in.()",      "= any ($1))", { "{}" } },
        { "id=in.(++)",    "= any ($1))", { "{}" } },
        { "id=not.in.()",  "where not (" COL("id") " = any ($1))", { "{}" } },
        { "id=in.(,)",     "= any ($1))", { "{\"\",\"\"}" } },
        { "name=in.(\"a,b)\",c d)", "= any ($1))",
                           { "{\"a,b)\",\"c d\"}" } },
        { "name=in.(\"a\\\"b\\\\\")", "= any ($1))",
                           { "{\"a\\\"b\\\\\"}" } },
        { "name=in.(a\"b,c\\d)", "= any ($1))",
                           { "{\"a\\\"b\",\"c\\\\d\"}" } },
        { "name=in.(\"a\"b)", "= any ($1))", { "{\"\\\"a\\\"b\"}" } },
        { "name=in.({},NULL)", "= any ($1))", { "{\"{}\",\"NULL\"}" } }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        query_check(&cases[i]);
    }
}


static void
query_orders_and_ranges(void **state)
{
    size_t                     i;
    static const query_case_t  cases[] = {
        { "order=id",          " order by " COL("id"), { NULL } },
        { "order=id.asc",      " order by " COL("id") " asc", { NULL } },
        { "order=id.desc.nullslast,name.nullsfirst",
          " order by " COL("id") " desc nulls last, " COL("name")
          " nulls first", { NULL } },
        { "order=id&order=name", FROM " order by " COL("name"), { NULL } },
        { "limit=3&offset=2",  " limit $1::bigint offset $2::bigint",
                               { "3", "2" } },
        { "limit=0",           " limit $1::bigint", { "0" } },
        { "offset=-5",         FROM, { NULL } },
        { "offset=0",          FROM, { NULL } },
        { "limit=x&offset=",   FROM, { NULL } },
        { "limit=99999999999999999999999999", " limit $1::bigint",
                               { "9223372036854775807" } },
        { "limit=1&limit=2",   " limit $1::bigint", { "2" } },
        { "id=eq.7&limit=3",   "= $1) limit $2::bigint", { "7", "3" } }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        query_check(&cases[i]);
    }
}


static void
query_options_shape_the_sql(void **state)
{
    query_t  q;

    (void) state;

    query_options.max_rows = 10;

    query_begin(&q, "", 0);
    assert_int_equal(q.rc, 0);
    assert_string_equal(q.sql.params[0], "10");
    query_end(&q);

    query_begin(&q, "limit=5", 7);
    assert_string_equal(q.sql.params[0], "5");
    query_end(&q);

    query_begin(&q, "limit=11", 8);
    assert_string_equal(q.sql.params[0], "10");
    query_end(&q);

    query_options.max_rows = -1;
    query_options.head = 1;

    query_begin(&q, "id=eq.1", 7);
    assert_int_equal(q.rc, 0);
    assert_null(strstr(q.sql.text.data, "json_agg"));
    query_end(&q);

    query_options.head = 0;
}


static void
query_errors(void **state)
{
    size_t                           i;
    query_t                          q;
    const query_error_case_t        *test;
    static const query_error_case_t  cases[] = {
        { "id=x", 400, "PGRST100",
          "\"failed to parse filter (x)\" (line 1, column 1)",
          "unexpected \"x\" expecting \"not\" or operator (eq, gt, ...)" },
        { "id", 400, "PGRST100",
          "\"failed to parse filter ()\" (line 1, column 1)",
          "unexpected end of input expecting "
          "\"not\" or operator (eq, gt, ...)" },
        { "id=not.x.1", 400, "PGRST100",
          "\"failed to parse filter (not.x.1)\" (line 1, column 5)",
          "unexpected \"x\" expecting operator (eq, gt, ...)" },
        { "id=eq", 400, "PGRST100", NULL, NULL },
        { "id=EQ.1", 400, "PGRST100", NULL, NULL },
        { "id=is.nil", 400, "PGRST100",
          "\"failed to parse filter (is.nil)\" (line 1, column 4)", NULL },
        { "id=is.nullx", 400, "PGRST100", NULL, NULL },
        { "id=in.1,2", 400, "PGRST100", NULL,
          "unexpected \"1\" expecting \"(\"" },
        { "id=in.(1", 400, "PGRST100", NULL,
          "unexpected end of input expecting \",\" or \")\"" },
        { "id=in.(1)x", 400, "PGRST100", NULL,
          "unexpected \"x\" expecting end of input" },
        { "select=%C3%BC%21", 400, "PGRST100",
          "\"failed to parse select parameter (\xc3\xbc!)\" "
          "(line 1, column 2)",
          "unexpected \"!\" expecting \",\" or end of input" },
        { "select=id,", 400, "PGRST100", NULL, NULL },
        { "select=a:b:c", 400, "PGRST100", NULL, NULL },
        { "select=id::text", 400, "PGRST100", NULL, NULL },
        { "select=id->x", 400, "PGRST100", NULL, NULL },
        { "select=other(id)", 400, "PGRST100", NULL, NULL },
        { "select=%22a;b%22:id", 400, "PGRST100", NULL, NULL },
        { "select=%22id", 400, "PGRST100", NULL, NULL },
        { "select=%22%22", 400, "PGRST100", NULL, NULL },
        { "order=", 400, "PGRST100", NULL, NULL },
        { "order=id.up", 400, "PGRST100",
          "\"failed to parse order (id.up)\" (line 1, column 4)", NULL },
        { "order=id.desc.x", 400, "PGRST100", NULL,
          "unexpected \"x\" expecting \"nullsfirst\" or \"nullslast\"" },
        { "order=id.descx", 400, "PGRST100", NULL, NULL },
        { "order=id,,name", 400, "PGRST100", NULL, NULL },
        { "limit=-1", 416, "PGRST103", "Requested range not satisfiable",
          "Limit should be greater than or equal to zero." },
        { "or=(id.eq.1)", 400, "PGRST100", NULL, NULL },
        { "not.and=(id.eq.1)", 400, "PGRST100", NULL, NULL },
        { "a.b=eq.1", 400, "PGRST108",
          "'a' is not an embedded resource in this request", NULL },
        { "a->b=eq.1", 400, "PGRST100", NULL, NULL },
        { "name=eq.a%00b", 400, "22021", NULL, NULL },
        { "foo=eq.1", 400, "42703", "column items.foo does not exist", NULL },
        { "select=foo", 400, "42703", NULL, NULL },
        { "order=foo", 400, "42703", NULL, NULL },
        { "Id=eq.1", 400, "42703", NULL, NULL }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        test = &cases[i];

        query_begin(&q, test->args, strlen(test->args));

        if (q.rc == 0) {
            fail_msg("%s was not refused", test->args);
        }

        assert_string_equal(q.error.code, test->code);
        assert_int_equal(q.error.status, test->status);
        assert_int_equal(q.error.stale, strcmp(test->code, "42703") == 0);

        if (test->message) {
            assert_string_equal(q.error.message.data, test->message);
        }

        if (test->details) {
            assert_string_equal(q.error.details.data, test->details);
        }

        query_end(&q);
    }
}


static void
query_unknown_relation(void **state)
{
    cqrs_str_t          schema = cqrs_str("api"), name = cqrs_str("itemz");
    cqrs_arena_t        arena;
    cqrs_query_error_t  error;

    (void) state;

    cqrs_arena_init(&arena, 10000);

    cqrs_query_no_relation(&error, query_catalog, &schema, &name, &arena);

    assert_int_equal(error.status, 404);
    assert_true(error.stale);
    assert_string_equal(error.code, "PGRST205");
    assert_string_equal(error.message.data,
                  "Could not find the table 'api.itemz' in the schema cache");
    assert_string_equal(error.hint.data,
                        "Perhaps you meant the table 'api.items'");

    cqrs_arena_cleanup(&arena);
}


static void
query_same_shape_same_text(void **state)
{
    query_t  a, b;

    (void) state;

    query_begin(&a, "id=in.(1,2,3)&name=like.a*&limit=5", 34);
    query_begin(&b, "id=in.(7)&name=like.%27;--&limit=1", 34);

    assert_int_equal(a.rc, 0);
    assert_int_equal(b.rc, -1);            /* the ; begins another pair */

    query_end(&b);

    query_begin(&b, "id=in.(7)&name=like.%27%3B--&limit=1", 36);

    assert_int_equal(b.rc, 0);
    assert_string_equal(a.sql.text.data, b.sql.text.data);
    assert_string_equal(b.sql.params[1], "';--");

    query_end(&a);
    query_end(&b);
}


static void
query_limits(void **state)
{
    int           i;
    char         *text, *p;
    query_t       q;

    (void) state;

    text = malloc(100000);
    assert_non_null(text);

    for (i = 0, p = text; i <= CQRS_QUERY_FILTERS_MAX; i++) {
        p += sprintf(p, "id=eq.%d&", i);
    }

    query_begin(&q, text, (size_t) (p - text));
    assert_int_equal(q.rc, -1);
    assert_string_equal(q.error.code, "PGRST100");
    query_end(&q);

    for (i = 0, p = text + sprintf(text, "select=id");
         i < CQRS_QUERY_ITEMS_MAX;
         i++)
    {
        p += sprintf(p, ",id");
    }

    query_begin(&q, text, (size_t) (p - text));
    assert_int_equal(q.rc, -1);
    query_end(&q);

    query_begin(&q, text, (size_t) (p - text) - 3);
    assert_int_equal(q.rc, 0);
    query_end(&q);

    for (i = 0, p = text + sprintf(text, "order=id");
         i < CQRS_QUERY_ORDERS_MAX;
         i++)
    {
        p += sprintf(p, ",id");
    }

    query_begin(&q, text, (size_t) (p - text));
    assert_int_equal(q.rc, -1);
    query_end(&q);

    memset(text, 'a', 1000);
    memcpy(text, "select=", 7);

    query_begin(&q, text, 1000);
    assert_int_equal(q.rc, -1);
    assert_string_equal(q.error.code, "PGRST100");
    query_end(&q);

    free(text);
}


static void
query_statuses(void **state)
{
    (void) state;

    assert_int_equal(cqrs_query_status("42501", 1), 401);
    assert_int_equal(cqrs_query_status("42501", 0), 403);
    assert_int_equal(cqrs_query_status("22P02", 0), 400);
    assert_int_equal(cqrs_query_status("42P01", 0), 404);
    assert_int_equal(cqrs_query_status("42883", 0), 404);
    assert_int_equal(cqrs_query_status("42703", 0), 400);
    assert_int_equal(cqrs_query_status("42P17", 0), 500);
    assert_int_equal(cqrs_query_status("25006", 0), 405);
    assert_int_equal(cqrs_query_status("25P02", 0), 500);
    assert_int_equal(cqrs_query_status("23505", 0), 409);
    assert_int_equal(cqrs_query_status("23514", 0), 400);
    assert_int_equal(cqrs_query_status("28000", 0), 403);
    assert_int_equal(cqrs_query_status("53300", 0), 503);
    assert_int_equal(cqrs_query_status("53400", 0), 500);
    assert_int_equal(cqrs_query_status("57014", 0), 500);
    assert_int_equal(cqrs_query_status("P0001", 0), 400);
    assert_int_equal(cqrs_query_status("P0002", 0), 500);
    assert_int_equal(cqrs_query_status("PT402", 0), 402);
    assert_int_equal(cqrs_query_status("PTabc", 0), 500);
    assert_int_equal(cqrs_query_status("PT999", 0), 500);
    assert_int_equal(cqrs_query_status("XX000", 0), 500);
}


/*
 * Whatever the bytes are: no fault, and no byte of them outside quotes.  Half
 * of the time they are the grammar's own words, else little is reached.
 */

static void
query_random_bytes_are_inert(void **state)
{
    int                 i;
    char                text[512];
    size_t              len, n;
    query_t             q;
    unsigned            seed;
    const char         *word;
    static const char  *words[] = {
        "select=", "order=", "limit=", "offset=", "id=", "name=", "&", ";",
        "eq.", "not.", "in.(", ")", "is.null", "like.", "*", ",", ".", ":",
        "\"", "\\", "%22", "%27", "'", "--", "$1", "%00", "%ff", "+", "desc",
        "nullslast", "id", "name", "%5C", "1", "-", ">", "/*", "::", "x",
        "%22a%20%5C%22b%5C%22.c%22"
    };

    (void) state;

    seed = 20260801;

    for (i = 0; i < 100000; i++) {

        len = 0;

        while (len < sizeof(text) - 64 && rand_r(&seed) % 24) {

            if (rand_r(&seed) % 2) {
                word = words[(size_t) rand_r(&seed)
                             % (sizeof(words) / sizeof(words[0]))];
                n = strlen(word);
                memcpy(text + len, word, n);
                len += n;

            } else if (rand_r(&seed) % 4 == 0) {
                text[len++] = (char) rand_r(&seed);
            }
        }

        query_begin(&q, text, len);

        if (q.rc == 0) {
            assert_true(query_is_inert(&q.sql.text));
            assert_int_equal(strlen(q.sql.text.data), q.sql.text.len);

        } else {
            assert_non_null(q.error.code);
            assert_true(q.error.status >= 400 && q.error.status < 500);
            assert_non_null(q.error.message.data);
        }

        query_end(&q);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(query_select),
        cmocka_unit_test(query_filters),
        cmocka_unit_test(query_lists),
        cmocka_unit_test(query_orders_and_ranges),
        cmocka_unit_test(query_options_shape_the_sql),
        cmocka_unit_test(query_errors),
        cmocka_unit_test(query_unknown_relation),
        cmocka_unit_test(query_same_shape_same_text),
        cmocka_unit_test(query_limits),
        cmocka_unit_test(query_statuses),
        cmocka_unit_test(query_random_bytes_are_inert),
    };

    return cmocka_run_group_tests(tests, query_open, query_close);
}


/* The text is copied to memory of its own size, so that ASan sees its end. */

static void
query_begin(query_t *q, const char *args, size_t len)
{
    char  *copy;

    cqrs_arena_init(&q->arena, 1024 * 1024);

    copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, args, len);

    q->rc = cqrs_query_parse(&q->query, &q->arena, copy, len, &q->error);

    free(copy);

    if (q->rc == 0) {
        q->rc = cqrs_query_generate(&q->sql, &q->query, query_catalog,
                                    query_relation, &query_options,
                                    &q->arena, &q->error);
    }
}


static void
query_end(query_t *q)
{
    cqrs_arena_cleanup(&q->arena);
}


/* The SQL holds the text, has these parameters, and nothing is odd in it. */

static void
query_check(const query_case_t *test)
{
    size_t   n;
    query_t  q;

    query_begin(&q, test->args, strlen(test->args));

    if (q.rc != 0) {
        fail_msg("%s was refused: %s", test->args, q.error.message.data);
    }

    if (strstr(q.sql.text.data, test->inner) == NULL) {
        fail_msg("%s: \"%s\" is not in \"%s\"", test->args, test->inner,
                 q.sql.text.data);
    }

    for (n = 0; test->params[n]; n++) {
        assert_true(n < q.sql.nparams);
        assert_string_equal(q.sql.params[n], test->params[n]);
    }

    assert_int_equal(q.sql.nparams, n);
    assert_true(query_is_inert(&q.sql.text));

    query_end(&q);
}


static int
query_open(void **state)
{
    size_t                    i;
    static const char *const  rows[][CQRS_CATALOG_SQL_COLUMNS] = {
        { "api", "items", "r", "id",          "bigint" },
        { "api", "items", "r", "name",        "text" },
        { "api", "items", "r", "a \"b\".c",   "text" },
        { "api", "items", "r", "with-dash",   "text" },
        { "api", "items", "r", "\xc3\xbc",    "text" }
    };
    cqrs_str_t                schema = cqrs_str("api");
    cqrs_str_t                name = cqrs_str("items");

    (void) state;

    query_catalog = cqrs_catalog_create();

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (cqrs_catalog_add(query_catalog, rows[i]) != 0) {
            return -1;
        }
    }

    query_relation = cqrs_catalog_relation(query_catalog, &schema, &name);

    return query_relation ? 0 : -1;
}


static int
query_close(void **state)
{
    (void) state;

    cqrs_catalog_unref(query_catalog);

    return 0;
}


/*
 * Outside double quotes the generator writes lower-case letters, digits and a
 * few signs; '' and '[]' are its only constants.
 */

static int
query_is_inert(const cqrs_str_t *sql)
{
    int     quoted;
    size_t  i;

    quoted = 0;

    for (i = 0; i < sql->len; i++) {

        if (sql->data[i] == '"') {
            quoted = !quoted;

        } else if (!quoted
                   && strchr("abcdefghijklmnopqrstuvwxyz0123456789_ .,()*"
                             "$:=<>~'[]", sql->data[i])
                      == NULL)
        {
            return 0;
        }
    }

    return !quoted && strstr(sql->data, "--") == NULL;
}
