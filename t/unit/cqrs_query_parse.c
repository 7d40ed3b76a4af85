
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* What a query string asks for, written as query_parse.h does. */

#include "query_parse.h"


static void
is(const char *args, const char *wanted)
{
    if (parse(args) != 0) {
        fail_msg("\"%s\" gives %s: %s, %s", args, error.code,
                 error.message.data,
                 error.details.data ? error.details.data : "-");
    }

    same(args, query_dump(&query), wanted);
}


static void
canonical(const char *args, const char *wanted)
{
    assert_int_equal(parse(args), 0);
    same(args, query.canonical.data, wanted);
}


static void
test_select(void **state)
{
    (void) state;

    is("", "{*}");
    is("select=", "{*}");
    is("select", "{*}");
    is("select=*", "{*}");
    is("select=id,field-with_sep", "{id,field-with_sep}");
    is("select=%20id%20,%20a%20-%20b%09,%20c%20d%20", "{id,a-b,c d}");
    is("select=due_at,*,id", "{due_at,*,id}");
    is("select=my:id", "{my=id}");
    is("select=m%20y%20:%20id", "{m y=id}");
    is("select=id::text,n:x::double%20precision",
       "{id::text,n=x::double precision}");
    is("select=\"a.dotted.column\",\"  col  w  space  \","
       "\"x\\\"y\\\\z\":\":*(,)\"",
       "{a.dotted.column,  col  w  space  ,x\"y\\z=:*(,)}");
    is("select=1,$,_,%E6%97%A5%E6%9C%AC,%C3%A9t%C3%A9-2",
       "{1,$,_,\xe6\x97\xa5\xe6\x9c\xac,\xc3\xa9t\xc3\xa9-2}");
    is("select=a&select=b", "{a}");
    is("select&select=b", "{*}");
}


static void
test_json_path(void **state)
{
    (void) state;

    is("select=data->foo->>bar", "{data->foo->>bar}");
    is("select=data->0->>-1", "{data->[0]->>[-1]}");
    is("select=x:data->!@%23$%25^%26*_a->>!@%23$%25^%26*_b::integer",
       "{x=data->!@#$%^&*_a->>!@#$%^&*_b::integer}");
    is("select=data->\"a.b,c)\",d->e-f,g->78xy",
       "{data->a.b,c),d->e-f,g->78xy}");
    is("select=a-b->c", "{a-b->c}");
    is("select=r(d->0),d->1.count()", "{d->[1].count();r{d->[0]}}");
    is("select=d->12345678901", "{d->12345678901}");
    is("data->foo->>bar=eq.baz", "{*} ?data->foo->>bar.eq.<baz>");
    is("order=data->0->>b.desc", "{*} ^data->[0]->>b.desc");

    wrong("select=data->>--34",
          "\"failed to parse select parameter (data->>--34)\" "
          "(line 1, column 9)",
          "unexpected \"-\" expecting digit");
    wrong("select=data->>-78xy",
          "\"failed to parse select parameter (data->>-78xy)\" "
          "(line 1, column 11)",
          "unexpected 'x' expecting digit, \"->\", \"::\", \".\", \",\" "
          "or end of input");
    wrong("select=data->>-xy-4",
          "\"failed to parse select parameter (data->>-xy-4)\" "
          "(line 1, column 9)",
          "unexpected \"x\" expecting digit");
    wrong("select=data->(!x->>y::integer",
          "\"failed to parse select parameter (data->(!x->>y::integer)\" "
          "(line 1, column 7)",
          "unexpected \"(\" expecting \"-\", digit or any non reserved "
          "character different from: .,>()");
}


static void
test_aggregates(void **state)
{
    (void) state;

    is("select=total.sum(),total.avg(),total.count(),total.max(),total.min()",
       "{total.sum(),total.avg(),total.count(),total.max(),total.min()}");
    is("select=count()", "{*.count()}");
    is("select=count(),n:count()::text,count",
       "{*.count(),n=*.count()::text,count}");
    is("select=t:total::numeric.sum()::text,d->x::int.max()",
       "{t=total::numeric.sum()::text,d->x::int.max()}");
    is("select=id::text::int", "{id::text}");

    wrong("select=total.sun()",
          "\"failed to parse select parameter (total.sun())\" "
          "(line 1, column 7)",
          "unexpected \"n\" expecting \"sum\"");
    wrong("select=total.median()",
          "\"failed to parse select parameter (total.median())\" "
          "(line 1, column 7)",
          "unexpected \"m\" expecting \"sum\", \"avg\", \"count\", \"max\" or "
          "\"min\"");
    wrong("select=total.xyz()",
          "\"failed to parse select parameter (total.xyz())\" "
          "(line 1, column 7)",
          "unexpected \"x\" expecting \"sum\", \"avg\", \"count\", \"max\" or "
          "\"min\"");
}


static void
test_embeds(void **state)
{
    (void) state;

    is("select=id,clients(name)", "{id;clients{name}}");
    is("select=clients(*)", "{;clients{*}}");
    is("select=clients()", "{;clients{}}");
    is("select=id,projects(id,tasks(id,name)),x",
       "{id,x;projects{id;tasks{id,name}}}");
    is("select=s:person!fk(id),r:\"a b\"!inner(x),c!left(*)",
       "{;s=person!fk{id},r=a b!inner{x},c!left{*}}");
    is("select=c!hint!inner(*),d!inner!hint(*),e!a!b(*),f!inner!left(*)",
       "{;c!hint!inner{*},d!hint!inner{*},e!a{*},f!inner{*}}");
    is("select=c!left_fk(*),d!inner-fk!inner(*)",
       "{;c!left_fk{*},d!inner-fk!inner{*}}");
    is("select=id,...clients(client:name),...a!h!inner(...b(c))",
       "{id;...clients{client=name},...a!h!inner{;...b{c}}}");
    is("select=%20c%20(%20id%20,%20d%20(%20x%20)),e",
       "{e;c{id;d{x}}}");
}


static void
test_operators(void **state)
{
    size_t  i;
    char    args[64], tree[64];

    static const char  *plain[] = {
        "eq", "neq", "gt", "gte", "lt", "lte", "like", "ilike", "match",
        "imatch", "isdistinct", "fts", "plfts", "phfts", "wfts", "cs", "cd",
        "ov", "sl", "sr", "nxr", "nxl", "adj"
    };

    static const char  *quantified[] = {
        "eq", "gt", "gte", "lt", "lte", "like", "ilike", "match", "imatch"
    };

    (void) state;

    for (i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
        snprintf(args, sizeof(args), "a=%s.x.y", plain[i]);
        snprintf(tree, sizeof(tree), "{*} ?a.%s.<x.y>", plain[i]);
        is(args, tree);

        snprintf(args, sizeof(args), "or=(a.not.%s.x.y)", plain[i]);
        snprintf(tree, sizeof(tree), "{*} ?or(a.not.%s.<x.y>)", plain[i]);
        is(args, tree);
    }

    for (i = 0; i < sizeof(quantified) / sizeof(quantified[0]); i++) {
        snprintf(args, sizeof(args), "a=not.%s(any).{1,2}", quantified[i]);
        snprintf(tree, sizeof(tree), "{*} ?a.not.%s(any).<{1,2}>",
                 quantified[i]);
        is(args, tree);

        snprintf(args, sizeof(args), "a=%s(all).{1,2}", quantified[i]);
        snprintf(tree, sizeof(tree), "{*} ?a.%s(all).<{1,2}>", quantified[i]);
        is(args, tree);
    }
}


static void
test_filters(void **state)
{
    (void) state;

    is("a=eq.", "{*} ?a.eq.<>");
    is("a=eq.1&a=lt.5&b=neq.x", "{*} ?a.eq.<1>&a.lt.<5>&b.neq.<x>");
    is("a=like.*y*&b=not.ilike(any).{*x,y*}&c=eq.*&d=match.a*",
       "{*} ?a.like.<%y%>&b.not.ilike(any).<{%x,y%}>&c.eq.<*>&d.match.<a*>");
    is("a=fts(french).amusant&b=not.wfts(simple_x).a%20b",
       "{*} ?a.fts(french).<amusant>&b.not.wfts(simple_x).<a b>");
    is("\"*id*\"=eq.1&a%20b-c=eq.2", "{*} ?*id*.eq.<1>&a b-c.eq.<2>");
    is("a=is.null&b=is.NOT_NULL&c=is.True&d=not.is.fAlse&e=is.UNKNOWN",
       "{*} ?a.is.null&b.is.not_null&c.is.true&d.not.is.false&e.is.unknown");
    is("a=eq.%22x%22&b=eq.(1,2)", "{*} ?a.eq.<\"x\">&b.eq.<(1,2)>");
    is("id", "{*}");
}


static void
test_lists(void **state)
{
    (void) state;

    is("a=in.(1,3,5)", "{*} ?a.in.<1><3><5>");
    is("a=not.in.(1)", "{*} ?a.not.in.<1>");
    is("a=in.()", "{*} ?a.in.");
    is("a=in.(%20%20)", "{*} ?a.in.");
    is("a=in.(\"\")", "{*} ?a.in.");
    is("a=in.(,)", "{*} ?a.in.<><>");
    is("a=in.(\"\",b)", "{*} ?a.in.<><b>");
    is("a=in.%20(%20a,%20b%20)%20", "{*} ?a.in.<a>< b >");
    is("a=in.(\"Hebdon,%20John\",David%20White)",
       "{*} ?a.in.<Hebdon, John><David White>");
    is("a=in.(\"a\\\"b\\\\c)\",d\"e,f\\g,\"h\"i,\"j)",
       "{*} ?a.in.<a\"b\\c)><d\"e><f\\g><\"h\"i><\"j>");

    wrong("a=in.1,2", "\"failed to parse filter (in.1,2)\" (line 1, column 4)",
          "unexpected \"1\" expecting \"(\"");
    wrong("a=in.(1,2",
          "\"failed to parse filter (in.(1,2)\" (line 1, column 8)",
          "unexpected end of input expecting \",\" or \")\"");

    is("a=in.(1,2)3", "{*} ?a.in.<1><2>");
}


static void
test_logic(void **state)
{
    (void) state;

    is("or=(id.eq.1,id.eq.2)&select=id", "{id} ?or(id.eq.<1>,id.eq.<2>)");
    is("and=(id.gt.1,not.or(id.eq.2,name.not.eq.x))",
       "{*} ?and(id.gt.<1>,not.or(id.eq.<2>,name.not.eq.<x>))");
    is("not.and=(a.eq.1)&not.or=(a.eq.1,and(b.eq.2))",
       "{*} ?not.and(a.eq.<1>)&not.or(a.eq.<1>,and(b.eq.<2>))");
    is("a=eq.0&or=(b.eq.1)&c=eq.2",
       "{*} ?or(b.eq.<1>)&a.eq.<0>&c.eq.<2>");
    is("or=%20(%20id.eq.1%20,%20and(%20a%20.eq.2,b.is.NULL)%20)%20",
       "{*} ?or(id.eq.<1 >,and(a.eq.<2>,b.is.null))");
    is("or=(r.adj.\"[1,4]\",r.ov.\"(9,11)\",s.eq.\"a\\\"b\",t.eq.\"a\"b)",
       "{*} ?or(r.adj.<[1,4]>,r.ov.<(9,11)>,s.eq.<a\"b>,t.eq.<\"a\"b>)");
    is("or=(a.cs.{1,2,3},b.eq(any).{x,y},c.eq.{{1},d.eq.{)",
       "{*} ?or(a.cs.<{1,2,3}>,b.eq(any).<{x,y}>,c.eq.<{{1}>,d.eq.<{>)");
    is("or=(a.in.(1,2,\"x,y\"),b.not.in.())",
       "{*} ?or(a.in.<1><2><x,y>,b.not.in.)");
    is("or=(d->a->>0.eq.1,v.phfts(german).Art%20Spass,w.like.*x*)",
       "{*} ?or(d->a->>[0].eq.<1>,v.phfts(german).<Art Spass>,"
       "w.like.<%x%>)");
    is("or=(\"a.b\".eq.1,not.eq.2)", "{*} ?or(a.b.eq.<1>,not.eq.<2>)");
    is("select=id,p(id)&p.or=(a.eq.1)&p.not.and=(b.eq.2)&not.p.or=(c.eq.3)",
       "{id;p{id} ?or(a.eq.<1>)&not.and(b.eq.<2>)&not.or(c.eq.<3>)}");
}


static void
test_order(void **state)
{
    (void) state;

    is("order=a,b.asc,c.desc,d.nullsfirst,e.asc.nullslast,f.desc.nullsfirst",
       "{*} ^a,b.asc,c.desc,d.nullsfirst,e.asc.nullslast,f.desc.nullsfirst");
    is("order=%20a%20,%20\"b.c\"%20.desc",
       "{*} ^a,b.c.desc");
    is("order=j->!@%23$%25^%26*_a.asc.nullslast,k->0.desc",
       "{*} ^j->!@#$%^&*_a.asc.nullslast,k->[0].desc");
    is("select=clients(name)&order=clients(name).desc.nullslast,id,c(j->x)",
       "{;clients{name}} ^clients(name).desc.nullslast,id,c(j->x)");
    is("order=a&order=b", "{*} ^a");
    is("order", "{*}");

    wrong("order=id.ac", "\"failed to parse order (id.ac)\" "
          "(line 1, column 4)",
          "unexpected \"c\" expecting \"asc\", \"desc\", \"nullsfirst\" or "
          "\"nullslast\"");
    wrong("order=id.descc", "\"failed to parse order (id.descc)\" "
          "(line 1, column 8)",
          "unexpected 'c' expecting delimiter (.), \",\" or end of input");
    wrong("order=id.asc.nlsfst", "\"failed to parse order (id.asc.nlsfst)\" "
          "(line 1, column 8)",
          "unexpected \"l\" expecting \"nullsfirst\" or \"nullslast\"");
    wrong("order=id.asc.nullslasttt",
          "\"failed to parse order (id.asc.nullslasttt)\" "
          "(line 1, column 17)",
          "unexpected 't' expecting \",\" or end of input");
    wrong("order=clients(name,id)",
          "\"failed to parse order (clients(name,id))\" "
          "(line 1, column 8)",
          "unexpected '(' expecting letter, digit, \"-\", \"->>\", \"->\", "
          "delimiter (.), \",\" or end of input");
    wrong("order=", "\"failed to parse order ()\" (line 1, column 1)",
          "unexpected end of input expecting field name "
          "(* or [a..z0..9_$])");
}


static void
test_range(void **state)
{
    (void) state;

    is("limit=3&offset=2", "{*} #3,2");
    is("limit=0", "{*} #0,0");
    is("limit=x", "{*}");
    is("offset=y", "{*}");
    is("limit=&offset", "{*}");
    is("limit&offset", "{*}");
    is("offset=-4", "{*}");
    is("limit=1&limit=2", "{*} #2,0");
    is("limit=99999999999999999999", "{*} #2305843009213693951,0");
    is("select=c(*)&c.limit=1&c.offset=5&limit=2", "{;c{*} #1,5} #2,0");
}


static void
test_range_of_both(void **state)
{
    (void) state;

    is("limit=x&offset=y", "{*} #0,0");
    is("limit=x&offset=2", "{*} #-2,2");
    is("limit=-1", "{*} #-2,0");
    is("limit=0&offset=2", "{*} #-2,2");
    is("limit=7&offset=-3", "{*} #4,0");
    is("limit=3&offset=-3", "{*} #0,0");
    is("limit=2&offset=-3", "{*} #-2,0");
    is("select=c(*)&c.limit=-1&c.offset=-3", "{;c{*} #-2,-3}");
    is("select=c(*)&c.limit=x&c.offset=3", "{;c{*} #0,3}");
    is("select=c(d(*))&c.d.limit=0&c.d.offset=3", "{;c{;d{*} #0,3}}");
}


static void
test_numbers(void **state)
{
    (void) state;

    is("limit=%20(%20(7)%20)%20", "{*} #7,0");
    is("limit=0x1f", "{*} #31,0");
    is("limit=0O17", "{*} #15,0");
    is("limit=10&offset=(-%203)", "{*} #7,0");

    is("limit=-(3)", "{*}");
    is("limit=(3", "{*}");
    is("limit=0x", "{*}");
    is("limit=0o8", "{*}");
    is("limit=3a", "{*}");
    is("limit=3.0", "{*}");
    is("limit=3e1", "{*}");
    is("limit=%2B3", "{*}");
    is("limit=()", "{*}");
}


static void
test_what_follows(void **state)
{
    (void) state;

    is("select=id)x", "{id}");
    is("select=c(id)x,y", "{;c{id}}");
    is("select=(id", "{*}");
    is("select=id,c(d(e)))", "{id;c{;d{e}}}");
    is("or=(a.eq.1))&a!b=is.nullable", "{*} ?or(a.eq.<1>)&a.is.null");
    is("a->b(c=eq.1", "{*} ?a->b.eq.<1>");
}


static void
test_targets(void **state)
{
    (void) state;

    is("select=id,p(id,t(id))&p.t.name=like.D*&p.order=id.desc&p.limit=1"
       "&p.t.x->y=eq.1",
       "{id;p{id;t{id} ?name.like.<D%>&x->y.eq.<1>} ^id.desc #1,0}");
    is("select=a:p(id),b:p(id)&a.id=eq.1&b.id=eq.2&p.id=eq.3",
       "{;a=p~legacy{id} ?id.eq.<1>&id.eq.<3>,b=p{id} ?id.eq.<2>}");
    is("select=...c(*)&c.id=eq.1", "{;...c{*} ?id.eq.<1>}");
    is("select=c()&c=is.null", "{;c{}} ?c.is.null");
    is("select=a:b(),b:c()&b.x=eq.1", "{;a=b~legacy{} ?x.eq.<1>,b=c{}}");

    refused("select=*&nope.name=eq.x", 400, "PGRST108",
            "'nope' is not an embedded resource in this request", "",
            "Verify that 'nope' is included in the 'select' query "
            "parameter.");
    refused("select=c(*)&c.nope.order=x", 400, "PGRST108",
            "'nope' is not an embedded resource in this request", "",
            "Verify that 'nope' is included in the 'select' query "
            "parameter.");

    options.strict_targets = 1;

    is("select=a:b(),b:c()&a.x=eq.1", "{;a=b{} ?x.eq.<1>,b=c{}}");
    is("select=b()&b.x=eq.1", "{;b{} ?x.eq.<1>}");

    refused("select=the_tasks:tasks(id)&tasks.limit=1", 400, "PGRST108",
            "'tasks' is not an embedded resource in this request",
            "Target names are not allowed in filters if they have an alias",
            "Change 'tasks' to 'the_tasks' in filters, orders or limits.");
}


static void
test_arguments(void **state)
{
    (void) state;

    options.function = 1;

    is("b=2&a=x%20y&id=gt.2&a=&c.d=z", "{*} ?id.gt.<2> @b=2,a=x y,a=,d=z");
    is("a=eq&b=is&c=not&d={1,2}", "{*} @a=eq,b=is,c=not,d={1,2}");
    is("select=id&limit=1&a=1", "{id} #1,0 @a=1");

    wrong("a=not.x", "\"failed to parse filter (not.x)\" (line 1, column 5)",
          "unexpected \"x\" expecting operator (eq, gt, ...)");
    wrong("a=is.5", "\"failed to parse filter (is.5)\" (line 1, column 4)",
          "unexpected \"5\" expecting isVal: (null, not_null, true, false, "
          "unknown)");
}


static void
test_pairs(void **state)
{
    (void) state;

    is("a=eq.1;b=eq.2&&c=eq.x%2By+z%&",
       "{*} ?a.eq.<1>&b.eq.<2>&c.eq.<x+y z%>");
    is("a=eq.1=2%3d%3D", "{*} ?a.eq.<1=2==>");
    is("a=eq.%4&b=eq.%zz&c=eq.%e4",
       "{*} ?a.eq.<%4>&b.eq.<%zz>&c.eq.<\xe4>");
    is("columns=a,%20b&on_conflict=c", "{*}");
    is("x.select=eq.1&select=x()", "{;x{} ?select.eq.<1>}");

    wrong("columns=", "\"failed to parse columns parameter ()\" "
          "(line 1, column 1)",
          "unexpected end of input expecting field name "
          "(* or [a..z0..9_$])");

    /* an error of the order is told before one of a filter */

    wrong("a=0&order=",  "\"failed to parse order ()\" (line 1, column 1)",
          "unexpected end of input expecting field name "
          "(* or [a..z0..9_$])");
}


static void
test_canonical(void **state)
{
    (void) state;

    canonical("", "");
    canonical("b=eq.1&a=eq.1", "a=eq.1&b=eq.1");
    canonical("b=eq.3&a=eq.1;b=eq.2&B&aa=eq.1",
              "B=&a=eq.1&aa=eq.1&b=eq.3,eq.2");
    canonical("a=eq.(x+y%2Fz)~-_.&select=*,%C3%A9",
              "a=eq.%28x%20y%2Fz%29~-_.&select=%2A%2C%C3%A9");
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        { "select names columns, with aliases and casts",
          test_select, setup, teardown, NULL },
        { "JSON paths go by keys and indexes",
          test_json_path, setup, teardown, NULL },
        { "aggregates are cast before and after",
          test_aggregates, setup, teardown, NULL },
        { "embeds nest, are hinted, joined and spread",
          test_embeds, setup, teardown, NULL },
        { "every operator is known, inside of trees too",
          test_operators, setup, teardown, NULL },
        { "a filter's value is all that follows",
          test_filters, setup, teardown, NULL },
        { "lists hold values, in quotes or not",
          test_lists, setup, teardown, NULL },
        { "filters are joined by and, or and not",
          test_logic, setup, teardown, NULL },
        { "order has directions and a place for nulls",
          test_order, setup, teardown, NULL },
        { "limit and offset are numbers or nothing",
          test_range, setup, teardown, NULL },
        { "limit and offset are one range",
          test_range_of_both, setup, teardown, NULL },
        { "numbers may have brackets and a base",
          test_numbers, setup, teardown, NULL },
        { "what follows what was read is not looked at",
          test_what_follows, setup, teardown, NULL },
        { "paths find embeds by alias or name",
          test_targets, setup, teardown, NULL },
        { "a function's arguments are what has no operator",
          test_arguments, setup, teardown, NULL },
        { "pairs are cut and decoded",
          test_pairs, setup, teardown, NULL },
        { "the canonical form is sorted and encoded",
          test_canonical, setup, teardown, NULL }
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
