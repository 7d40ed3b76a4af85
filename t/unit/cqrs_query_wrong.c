
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* How a query string is refused that is wrong, or too much. */

#include "query_parse.h"


static void
test_embeds_refused(void **state)
{
    (void) state;

    wrong("select=rel->path(*)",
          "\"failed to parse select parameter (rel->path(*))\" "
          "(line 1, column 10)",
          "unexpected '(' expecting \"-\", \"->>\", \"->\", \"::\", \".\", "
          "\")\", \",\" or end of input");
    wrong("select=name!hint",
          "\"failed to parse select parameter (name!hint)\" "
          "(line 1, column 5)",
          "unexpected '!' expecting letter, digit, \"-\", \"->>\", \"->\", "
          "\"::\", \".\", \")\", \",\" or end of input");
    wrong("select=id,clients(name[])",
          "\"failed to parse select parameter (id,clients(name[]))\" "
          "(line 1, column 16)",
          "unexpected '[' expecting letter, digit, \"-\", \"->>\", \"->\", "
          "\"::\", \".\", \")\", \",\" or end of input");
    wrong("select=name::",
          "\"failed to parse select parameter (name::)\" (line 1, column 7)",
          "unexpected end of input expecting letter or digit");
    wrong("select=a:...rel(*)",
          "\"failed to parse select parameter (a:...rel(*))\" "
          "(line 1, column 3)",
          "unexpected \".\" expecting \":\" or field name "
          "(* or [a..z0..9_$])");
    wrong("select=clients(name",
          "\"failed to parse select parameter (clients(name)\" "
          "(line 1, column 13)",
          "unexpected end of input expecting letter, digit, \"-\", \"->>\", "
          "\"->\", \"::\", \".\", \")\", \",\" or end of input");
    wrong("select=id,",
          "\"failed to parse select parameter (id,)\" (line 1, column 4)",
          "unexpected end of input expecting \"...\", field name (* or "
          "[a..z0..9_$]), \"*\" or \"count()\"");
}


static void
test_filters_refused(void **state)
{
    (void) state;

    wrong("a=0", "\"failed to parse filter (0)\" (line 1, column 1)",
          "unexpected \"0\" expecting \"not\" or operator (eq, gt, ...)");
    wrong("a=", "\"failed to parse filter ()\" (line 1, column 1)",
          "unexpected end of input expecting \"not\" or operator "
          "(eq, gt, ...)");
    wrong("a=noop.0", "\"failed to parse filter (noop.0)\" (line 1, column 1)",
          "unexpected \"o\" expecting \"not\" or operator (eq, gt, ...)");
    wrong("a=not.x", "\"failed to parse filter (not.x)\" (line 1, column 5)",
          "unexpected \"x\" expecting operator (eq, gt, ...)");
    wrong("a=eqq.1", "\"failed to parse filter (eqq.1)\" (line 1, column 3)",
          "unexpected \"q\" expecting operator (eq, gt, ...)");
    wrong("a=eq().1", "\"failed to parse filter (eq().1)\" (line 1, column 4)",
          "unexpected \")\" expecting operator (eq, gt, ...)");
    wrong("a=fts().1", "\"failed to parse filter (fts().1)\" "
          "(line 1, column 5)",
          "unexpected \")\" expecting operator (eq, gt, ...)");
    wrong("a=is().1", "\"failed to parse filter (is().1)\" (line 1, column 3)",
          "unexpected \"(\" expecting operator (eq, gt, ...)");
    wrong("a=in().1", "\"failed to parse filter (in().1)\" (line 1, column 3)",
          "unexpected \"(\" expecting operator (eq, gt, ...)");
    wrong("a=neq(any).1",
          "\"failed to parse filter (neq(any).1)\" (line 1, column 4)",
          "unexpected \"(\" expecting operator (eq, gt, ...)");
    wrong("a=is.5", "\"failed to parse filter (is.5)\" (line 1, column 4)",
          "unexpected \"5\" expecting isVal: (null, not_null, true, false, "
          "unknown)");
    wrong("a.=eq.1", "\"failed to parse tree path (a.)\" (line 1, column 3)",
          "unexpected end of input expecting field name "
          "(* or [a..z0..9_$])");
    wrong("=eq.1", "\"failed to parse tree path ()\" (line 1, column 1)",
          "unexpected end of input expecting field name "
          "(* or [a..z0..9_$])");
    wrong("a=%C3%A9", "\"failed to parse filter (\xc3\xa9)\" "
          "(line 1, column 1)",
          "unexpected \"\\233\" expecting \"not\" or operator "
          "(eq, gt, ...)");
    wrong("\"a=eq.1", "\"failed to parse tree path (\"a)\" (line 1, column 3)",
          "unexpected end of input expecting \"\\\\\" or \"\\\"\"");
    wrong("%E6%97%A5.!=eq.1",
          "\"failed to parse tree path (\xe6\x97\xa5.!)\" (line 1, column 3)",
          "unexpected \"!\" expecting field name (* or [a..z0..9_$])");

    refused("a=eq.%00", 400, "22021",
            "invalid byte sequence for encoding \"UTF8\": 0x00", "", "");
}


static void
test_logic_refused(void **state)
{
    (void) state;

    wrong("or=()", "\"failed to parse logic tree (())\" (line 1, column 4)",
          "unexpected \")\" expecting field name (* or [a..z0..9_$]), "
          "negation operator (not) or logic operator (and, or)");
    wrong("or=)(", "\"failed to parse logic tree ()()\" (line 1, column 3)",
          "unexpected \")\" expecting \"(\"");
    wrong("or=(id.in.1,2,id.eq.3)",
          "\"failed to parse logic tree ((id.in.1,2,id.eq.3))\" "
          "(line 1, column 10)",
          "unexpected \"1\" expecting \"(\"");
    wrong("and=(ord(id.eq.1,id.eq.1),id.eq.2)",
          "\"failed to parse logic tree ((ord(id.eq.1,id.eq.1),id.eq.2))\" "
          "(line 1, column 7)",
          "unexpected \"d\" expecting \"(\"");
    wrong("or=(id.eq.1,not.xor(id.eq.2,id.eq.3))",
          "\"failed to parse logic tree "
          "((id.eq.1,not.xor(id.eq.2,id.eq.3)))\" (line 1, column 16)",
          "unexpected \"x\" expecting logic operator (and, or)");
    wrong("or=(id.eq.1",
          "\"failed to parse logic tree ((id.eq.1)\" (line 1, column 11)",
          "unexpected end of input expecting \",\" or \")\"");
    wrong("or=", "\"failed to parse logic tree ()\" (line 1, column 3)",
          "unexpected end of input expecting \"(\"");
}


static void
test_limits(void **state)
{
    char  *p;
    char   args[CQRS_QUERY_ITEMS_MAX * 8];
    int    i;

    (void) state;

    for (i = 0, p = args; i < CQRS_QUERY_FILTERS_MAX; i++) {
        p += sprintf(p, "a=eq.1&");
    }

    assert_int_equal(parse(args), 0);
    strcpy(p, "or=(a.eq.1)");
    wrong(args, "There are too many filters", "");

    for (i = 1, p = args + sprintf(args, "select=a");
         i < CQRS_QUERY_ITEMS_MAX;
         i++)
    {
        p += sprintf(p, ",a");
    }

    assert_int_equal(parse(args), 0);
    strcpy(p, ",b()");
    wrong(args, "There are too many terms in select", "");

    for (i = 1, p = args + sprintf(args, "order=a");
         i < CQRS_QUERY_ORDERS_MAX;
         i++)
    {
        p += sprintf(p, ",a");
    }

    assert_int_equal(parse(args), 0);
    strcpy(p, ",b");
    wrong(args, "There are too many terms in order", "");

    for (i = 0, p = args + sprintf(args, "select=a");
         i < CQRS_QUERY_STEPS_MAX;
         i++)
    {
        p += sprintf(p, "->a");
    }

    assert_int_equal(parse(args), 0);
    strcpy(p, "->>a");
    wrong(args, "A JSON path has too many steps", "");

    p = args + sprintf(args, "select=");
    memset(p, 'a', CQRS_QUERY_NAME_MAX);
    p[CQRS_QUERY_NAME_MAX] = '\0';
    assert_int_equal(parse(args), 0);
    strcpy(p + CQRS_QUERY_NAME_MAX, "a");
    wrong(args, "A name is too long", "");

    wrong("select=\"\"", "A name is empty", "");
}


static void
test_depth(void **state)
{
    char  *p;
    char   args[CQRS_QUERY_ITEMS_MAX * 8];
    int    i, n, more;

    (void) state;

    for (more = 0; more <= 1; more++) {

        n = CQRS_QUERY_DEPTH_MAX + more;
        p = args + sprintf(args, "select=");

        for (i = 0; i < n; i++) {
            p += sprintf(p, "a(");
        }

        memset(p, ')', (size_t) n);
        p[n] = '\0';

        if (more) {
            wrong(args, "Relations are embedded too deeply", "");
        } else {
            assert_int_equal(parse(args), 0);
        }

        p = args + sprintf(args, "and=(");

        for (i = 1; i < n; i++) {
            p += sprintf(p, "and(");
        }

        p += sprintf(p, "a.eq.1");
        memset(p, ')', (size_t) n);
        p[n] = '\0';

        if (more) {
            wrong(args, "Filters are nested too deeply", "");
        } else {
            assert_int_equal(parse(args), 0);
        }
    }
}


static void
test_memory(void **state)
{
    size_t  limit;

    static const char  args[] =
        "select=a:\"x\\\"y\",b->0,c:d!e(f.sum(),...g(h))&c.g.order=h(i).desc"
        "&or=(a.in.(1,\"2\"),b.fts(x).y,not.and(c.like.*z,d.eq.{1}))&x=is.null"
        "&c.limit=1&p=0";

    (void) state;

    options.function = 1;

    for (limit = 0; limit < MEMORY; limit += 8) {

        cqrs_arena_cleanup(&arena);
        cqrs_arena_init(&arena, limit);

        if (cqrs_query_parse(&query, &arena, args, sizeof(args) - 1, &options,
                             &error)
            == 0)
        {
            break;
        }

        assert_int_equal(error.status, 414);
    }

    assert_in_range(limit, 1, 64 * 1024);
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        { "a wrong select is told as PostgREST does",
          test_embeds_refused, setup, teardown, NULL },
        { "a wrong filter is told as PostgREST does",
          test_filters_refused, setup, teardown, NULL },
        { "a wrong tree is told as PostgREST does",
          test_logic_refused, setup, teardown, NULL },
        { "what is too much is refused",
          test_limits, setup, teardown, NULL },
        { "what is too deep is refused",
          test_depth, setup, teardown, NULL },
        { "memory may end anywhere",
          test_memory, setup, teardown, NULL }
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
