
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * What SQL is planned for which request, over the catalogue of a shop; that it
 * gives the right rows is tested with a server.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "query_plan.h"


static void has(const char *url, const char *sql);
static void has_not(const char *url, const char *sql);
static void params(const char *first, ...);
static void row(const char *url, const char *columns);
static const char *text_of(const char *url);


static void
a_key_of_this_relation_gives_an_object(void **state)
{
    (void) state;

    has("orders?select=id,customers(name)",
        "row_to_json(_e1.*) as \"customers\"");
    has("orders?select=id,customers(name)",
        "left join lateral (select _t1.\"name\""
        " from \"shop\".\"customers\" _t1"
        " where _t1.\"id\" = \"orders\".\"customer_id\") _e1 on true");
}


static void
a_key_of_the_other_relation_gives_an_array(void **state)
{
    (void) state;

    has("customers?select=id,orders(id)",
        "coalesce(_e1._j, '[]') as \"orders\"");
    has("customers?select=id,orders(id)",
        "json_agg(_r.*) as _j from (select _t1.\"id\""
        " from \"shop\".\"orders\" _t1"
        " where _t1.\"customer_id\" = \"customers\".\"id\") _r) _e1 on true");
}


static void
a_key_that_is_unique_gives_an_object_from_both_sides(void **state)
{
    (void) state;

    has("orders?select=id,shipments(carrier)",
        "row_to_json(_e1.*) as \"shipments\"");
    has("orders?select=id,shipments(carrier)",
        "where _t1.\"order_id\" = \"orders\".\"id\") _e1 on true");
    has("shipments?select=id,orders(id)", "row_to_json(_e1.*) as \"orders\"");
    has("shipments?select=id,orders(id)",
        "where _t1.\"id\" = \"shipments\".\"order_id\") _e1 on true");
    has("customers?select=id,settings(theme)",
        "row_to_json(_e1.*) as \"settings\"");
}


static void
a_junction_is_joined_beside_its_target(void **state)
{
    (void) state;

    has("customers?select=id,products!favourites(name)",
        "from \"shop\".\"products\" _t1, \"shop\".\"favourites\" _j1"
        " where _j1.\"customer_id\" = \"customers\".\"id\""
        " and _t1.\"id\" = _j1.\"product_id\") _r) _e1 on true");
    has("suppliers?select=products(name)",
        "from \"shop\".\"products\" _t1, \"shop\".\"supplies\" _j1"
        " where _j1.\"supplier_id\" = \"suppliers\".\"id\"");
}


static void
within_one_table_its_name_means_many_and_the_column_one(void **state)
{
    (void) state;

    has("categories?select=name,categories(name)",
        "coalesce(_e1._j, '[]') as \"categories\"");
    has("categories?select=name,categories(name)",
        "where _t1.\"parent\" = \"categories\".\"id\"");
    has("categories?select=name,parent(name)",
        "row_to_json(_e1.*) as \"parent\"");
    has("categories?select=name,parent(name)",
        "where _t1.\"id\" = \"categories\".\"parent\"");
}


static void
all_columns_of_a_key_are_compared(void **state)
{
    (void) state;

    has("complaints?select=order_lines(quantity)",
        "where _t1.\"order_id\" = \"complaints\".\"order\""
        " and _t1.\"product_id\" = \"complaints\".\"product\"");
    has("order_lines?select=complaints(reason)",
        "where _t1.\"order\" = \"order_lines\".\"order_id\""
        " and _t1.\"product\" = \"order_lines\".\"product_id\"");
}


static void
a_computed_relationship_is_a_call_with_the_row(void **state)
{
    (void) state;

    has("customers?select=paid_orders(id)",
        "coalesce(_e1._j, '[]') as \"paid_orders\"");
    has("customers?select=paid_orders(id)",
        "from \"shop\".\"paid_orders\"((\"customers\".*)"
        "::\"shop\".\"customers\") _t1");
    has("customers?select=last_order(id)",
        "row_to_json(_e1.*) as \"last_order\"");
    has("orders?select=buyer(name)", "row_to_json(_e1.*) as \"buyer\"");

    /* it takes the place of the key to the relation of that name */

    has("products?select=categories(name)",
        "from \"shop\".\"categories\"((\"products\".*)"
        "::\"shop\".\"products\") _t1");
}


static void
views_have_the_keys_of_their_tables(void **state)
{
    (void) state;

    has("buyers?select=buyer_id,orders(id)",
        "where _t1.\"customer_id\" = \"buyers\".\"buyer_id\"");
    has("orders?select=buyers(buyer_name)",
        "where _t1.\"buyer_id\" = \"orders\".\"customer_id\"");
    has("suppliers?select=countries(name)",
        "where _t1.\"code\" = \"suppliers\".\"country\"");
}


static void
a_constraint_a_column_or_a_hint_chooses_among_keys(void **state)
{
    (void) state;

    has("orders?select=orders_bill_to(street)",
        "where _t1.\"id\" = \"orders\".\"bill_to\"");
    has("orders?select=send_to(street)",
        "where _t1.\"id\" = \"orders\".\"send_to\"");
    has("orders?select=addresses!orders_bill_to(street)",
        "where _t1.\"id\" = \"orders\".\"bill_to\"");
    has("orders?select=addresses!send_to(street)",
        "where _t1.\"id\" = \"orders\".\"send_to\"");
    has("addresses?select=orders!bill_to(id)",
        "where _t1.\"bill_to\" = \"addresses\".\"id\"");
}


static void
a_spread_of_one_row_lifts_its_columns(void **state)
{
    (void) state;

    has("orders?select=id,...customers(name,...countries(land:name))",
        "select \"orders\".\"id\", _e1.\"name\", _e1.\"land\" from");
    has("orders?select=id,...customers(name,...countries(land:name))",
        "select _t1.\"name\", _e2.\"land\" from \"shop\".\"customers\" _t1"
        " left join lateral (select _t2.\"name\" as \"land\"");
}


static void
a_spread_of_many_rows_gives_arrays_in_one_order(void **state)
{
    (void) state;

    has("customers?select=...orders(id,placed)&orders.order=placed.desc",
        "json_agg(_r.\"id\" order by _r._o1 desc), '[]') as \"id\", ");
    has("customers?select=...orders(id,placed)&orders.order=placed.desc",
        "json_agg(_r.\"placed\" order by _r._o1 desc), '[]')"
        " as \"placed\" from (select _t1.\"id\", _t1.\"placed\","
        " _t1.\"placed\" as _o1 ");
}


static void
embeds_within_embeds_refer_to_the_rows_around_them(void **state)
{
    (void) state;

    has("customers?select=orders(order_lines(products(name)))",
        "where _t1.\"customer_id\" = \"customers\".\"id\"");
    has("customers?select=orders(order_lines(products(name)))",
        "where _t2.\"order_id\" = _t1.\"id\"");
    has("customers?select=orders(order_lines(products(name)))",
        "where _t3.\"id\" = _t2.\"product_id\"");
}


static void
an_inner_embed_drops_rows_without_it(void **state)
{
    (void) state;

    has("orders?select=customers!inner(name)&customers.name=eq.Ada",
        " join lateral (select _t1.\"name\" from \"shop\".\"customers\" _t1"
        " where (_t1.\"name\" = $1) and ");
    has_not("orders?select=customers!inner(name)", "left join");
    has("customers?select=orders!inner(id)", "_e1 on _e1._n is not null");
}


static void
an_embed_may_be_asked_whether_it_has_rows(void **state)
{
    (void) state;

    has("customers?select=orders()&orders=is.null", "where _e1._n is null");
    has("customers?select=orders()&orders=not.is.null",
        "where _e1._n is not null");
    has("customers?select=settings()&settings=is.null",
        "where _e1.* is not distinct from null");
    has("customers?select=settings()&settings=not.is.null",
        "where _e1.* is distinct from null");
    has("customers?select=settings(),orders()"
        "&or=(orders.is.null,settings.not.is.null)",
        "(_e2._n is null or _e1.* is distinct from null)");
    has_not("customers?select=id,orders()&orders=is.null", "_j");
}


static void
rows_are_ordered_by_an_embed_of_one_row(void **state)
{
    (void) state;

    has("orders?select=id,customers(name)&order=customers(name).desc,id",
        "order by _e1.\"name\" desc, \"orders\".\"id\"");
    has("orders?select=id,c:customers(name)&order=c(name).asc.nullsfirst",
        "order by _e1.\"name\" asc nulls first");
}


static void
other_columns_beside_aggregates_are_groups(void **state)
{
    (void) state;

    has("products?select=category,price.sum(),count(),name",
        "sum(\"products\".\"price\") as \"sum\","
        " count(*) as \"count\"");
    has("products?select=category,price.sum(),count(),name",
        " group by 1, 4)");
    has("products?select=p:price::int.avg()::text",
        "cast(avg(cast(\"products\".\"price\" as pg_catalog.int4))"
        " as \"text\") as \"p\"");
    has("customers?select=orders(status,count())",
        "where _t1.\"customer_id\" = \"customers\".\"id\" group by 1) _r");
    has("orders?select=status,customers(name),count()",
        "row_to_json(_e1.*)::pg_catalog.jsonb as \"customers\"");
    has("orders?select=count", "select count(\"orders\".*) from");
}


static void
aggregates_in_a_spread_are_applied_around_it(void **state)
{
    (void) state;

    has("orders?select=status,...customers(rating.avg()::int,count())",
        "cast(avg(_e1.\"avg\") as pg_catalog.int4) as \"avg\","
        " count(_e1.\"count\") as \"count\"");
    has("orders?select=status,...customers(rating.avg()::int,count())",
        "select _t1.\"rating\" as \"avg\", 1 as \"count\" from");
    has("orders?select=status,...customers(rating.avg()::int,count())",
        "_e1 on true group by 1)");
}


static void
rows_are_counted_exactly_without_limits_and_embeds(void **state)
{
    (void) state;

    plan_options.count = CQRS_QUERY_COUNT_EXACT;

    has("customers?select=id,orders!inner(id),settings()&settings=is.null"
        "&limit=1",
        "(select pg_catalog.count(*)::pg_catalog.text from ("
        "select 1 from \"shop\".\"customers\" \"customers\""
        " where not exists (select 1 from \"shop\".\"settings\" _t2"
        " where _t2.\"customer_id\" = \"customers\".\"id\")"
        " and exists (select 1 from \"shop\".\"orders\" _t1"
        " where _t1.\"customer_id\" = \"customers\".\"id\")) _n)");

    /* all of them are in the body already */

    has("customers?select=id", "select pg_catalog.count(*)::pg_catalog.text, "
        "pg_catalog.count(*)::pg_catalog.text, ");
    assert_null(plan.estimate.text.data);
}


static void
rows_are_estimated_by_a_plan_of_the_server(void **state)
{
    (void) state;

    plan_options.count = CQRS_QUERY_COUNT_PLANNED;

    has("customers?select=name&id=gt.1&limit=1",
        "select null::pg_catalog.text, ");
    assert_string_equal(plan.estimate.text.data, "explain (format json) "
        "select 1 from \"shop\".\"customers\" \"customers\""
        " where (\"customers\".\"id\" > $1)");
    assert_int_equal(plan.estimate.nparams, 1);

    /* and exactly counted as far as that goes */

    plan_options.count = CQRS_QUERY_COUNT_ESTIMATED;
    plan_options.max_rows = 10;

    has("customers?select=name", " limit $1::pg_catalog.int8) _n), ");
    params("11", "10", NULL);
    assert_non_null(plan.estimate.text.data);
}


static void
the_highest_number_of_rows_holds_for_each_list(void **state)
{
    (void) state;

    plan_options.max_rows = 10;

    (void) text_of("customers?select=orders(id),settings(theme)&limit=20");
    params("10", "10", NULL);

    (void) text_of("customers?limit=3&offset=4");
    params("3", "4", NULL);
}


static void
rows_tell_their_columns_and_how_they_become_json(void **state)
{
    (void) state;

    plan_options.body = CQRS_QUERY_BODY_ROWS;

    row("customers?select=id,name,joined,active,d:born",
        "{\"id\": number\n,\"name\": string\n,\"joined\": timestamptz\n"
        ",\"active\": boolean\n,\"d\": quoted\n");
    row("orders?select=placed,status,notes,notes->a,notes->>b",
        "{\"placed\": timestamp\n,\"status\": string\n,\"notes\": json\n"
        ",\"a\": json\n,\"b\": string\n");
    row("orders?select=customers(name),order_lines(quantity)",
        "{\"customers\": json\n,\"order_lines\": json\n");

    /* Postgres alone can write the rest, and has done so */

    row("products?select=colour,size,tags,price::text",
        "{\"colour\": json\n,\"size\": json\n,\"tags\": json\n"
        ",\"price\": json\n");
    has("products?select=size", "pg_catalog.to_json(\"products\".\"size\")"
        " as \"size\"");
    row("orders?select=...customers(name)", "{\"name\": json\n");
    row("Odd Names?select=%22with%20%5C%22quote%22",
        "{\"with \\\"quote\": string\n");
}


static void
one_row_comes_where_a_whole_key_is_given(void **state)
{
    size_t                    i;

    static const char *const  urls[] = {
        "orders?id=eq.1", "orders?select=customers(name)&bill_to=gt.0&id=eq.1",
        "order_lines?order_id=eq.1&product_id=eq.2", "orders",
        "orders?id=gt.1", "orders?id=not.eq.1", "orders?id=eq(any).{1,2}",
        "orders?or=(id.eq.1,id.eq.2)", "order_lines?order_id=eq.1",
        "buyers?buyer_id=eq.1"
    };

    (void) state;

    plan_options.body = CQRS_QUERY_BODY_ROWS;

    for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        (void) text_of(urls[i]);
        assert_int_equal(plan.single, i < 3);
    }
}


static void
a_body_is_made_in_sql_where_rows_will_not_do(void **state)
{
    size_t                    i;

    static const char *const  urls[] = {
        "orders?select=id,...customers(*)", "orders?select=id.sum()",
        "no_columns", "rpc/all_products"
    };

    (void) state;

    plan_options.body = CQRS_QUERY_BODY_ROWS;
    plan_options.aggregates = 1;

    for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        (void) text_of(urls[i]);
        assert_null(plan.columns);
    }

    plan_options.count = CQRS_QUERY_COUNT_EXACT;

    (void) text_of("customers?select=id");
    assert_null(plan.columns);
}


static void
a_body_is_what_was_asked_for(void **state)
{
    const cqrs_handler_t  *handler;

    (void) state;

    has("customers", "coalesce(pg_catalog.json_agg(_t.*), '[]'), ");

    plan_options.strip_nulls = 1;
    has("customers", "coalesce(pg_catalog.json_strip_nulls("
        "pg_catalog.json_agg(_t.*)), '[]'), ");
    plan_options.strip_nulls = 0;

    plan_options.body = CQRS_QUERY_BODY_OBJECT;
    has("customers", "coalesce(pg_catalog.json_agg(_t.*)->0, 'null'), ");

    plan_options.body = CQRS_QUERY_BODY_NONE;
    has("customers", "pg_catalog.count(*)::pg_catalog.text, '', ");

    plan_options.body = CQRS_QUERY_BODY_CSV;
    has("customers?select=id", "with _s as (select \"customers\".\"id\" from");
    has("customers?select=id", " from (select * from _s) _t");

    plan_options.body = CQRS_QUERY_BODY_HANDLER;

    for (handler = cqrs_catalog_handlers(shop);
         handler;
         handler = handler->next)
    {
        plan_options.handler = handler;

        if (cqrs_str_is(&handler->function.name, "names")) {
            has("customers", "\"shop\".\"names\"((_t.*)"
                "::\"shop\".\"customers\"), ");

        } else if (cqrs_str_is(&handler->function.name, "tabs")) {
            has("customers?select=id", "\"shop\".\"tabs\"((_t.*)), ");

        } else if (cqrs_str_is(&handler->function.name, "page")) {
            has("rpc/page", "'1', _t.pgrst_scalar, ");
        }
    }
}


static void
a_plan_is_asked_for_by_explain(void **state)
{
    (void) state;

    plan_options.explain = "format json, verbose";

    has("customers", "explain (format json, verbose) select ");
    has("rpc/all_products", "explain (format json, verbose) with _c as (");
}


static void
domains_have_their_own_ways_to_be_read_and_written(void **state)
{
    (void) state;

    has("products?select=colour", "\"shop\".\"colour_json\"(\"products\"."
        "\"colour\") as \"colour\"");
    has("products?colour=eq.%23ff0000", "(\"products\".\"colour\" = "
        "\"shop\".\"colour_read\"($1::pg_catalog.text))");
    has("products?sku=in.(a,b)", "= any (select \"extra\".\"sku_read\"("
        "pg_catalog.unnest($1::pg_catalog.text[])))");
    has("products?added=gt.1", "(\"products\".\"added\" > $1)");
}


static void
json_paths_are_parameters(void **state)
{
    (void) state;

    has("documents?select=data->a->0", "\"documents\".\"data\"->$1->"
        "$2::pg_catalog.int4 as \"a\"");
    params("a", "0", NULL);
    has("documents?list->-1=eq.1", "(pg_catalog.to_jsonb(\"documents\"."
        "\"list\")->$1::pg_catalog.int4 = $2)");
    params("-1", "1", NULL);
    has("documents?select=x:more->>b&order=more->c.desc",
        "order by \"documents\".\"more\"->$2 desc");

    /* what has no name is called like what it is in */

    has("documents?select=data->>%22%22", "->>$1 as \"data\"");
}


static void
filters_are_what_they_say(void **state)
{
    (void) state;

    has("customers?or=(name.eq.a,not.and(id.gt.1,id.in.(1,2)))",
        "where ((\"customers\".\"name\" = $1) or not ("
        "(\"customers\".\"id\" > $2) and (\"customers\".\"id\" = any ($3))))");
    params("a", "1", "{\"1\",\"2\"}", NULL);
    has("customers?active=is.not_null&born=not.is.null",
        "(\"customers\".\"active\" is not null) and "
        "not (\"customers\".\"born\" is null)");
    has("customers?name=like(any).{a*,b}", "like any ($1)");
    params("{a%,b}", NULL);
    has("customers?id=isdistinct.1", "is distinct from $1)");
    has("articles?search=fts(german).a", "@@ to_tsquery($1, $2))");
    has("articles?body=wfts.b", "(to_tsvector(\"articles\".\"body\")"
        " @@ websearch_to_tsquery($1))");
    has("customers?name=in.(%22a%22,%22b%5C%22c%22)", "= any ($1)");
    params("{\"a\",\"b\\\"c\"}", NULL);
}


static void
computed_fields_are_columns(void **state)
{
    (void) state;

    has("customers?select=initial,shout&always_true=is.true",
        "select \"customers\".\"initial\", \"customers\".\"shout\" from"
        " \"shop\".\"customers\" \"customers\""
        " where (\"customers\".\"always_true\" is true)");
    has("rpc/all_products?select=gross",
        "((\"products\".*)::\"shop\".\"products\").\"gross\" as \"gross\"");
}


static void
a_function_is_called_once_with_named_arguments(void **state)
{
    (void) state;

    has("rpc/products_below?price=10&id=gt.1&select=name,categories(name)",
        "with _c as (select pgrst_call.* from \"shop\".\"products_below\"("
        "\"price\" := $1::numeric) pgrst_call) select");
    params("10", "1", NULL);
    has("rpc/products_below?price=10&category=1",
        "(\"price\" := $1::numeric, \"category\" := $2::integer)");
    has("rpc/greet?punctuation=.", "\"shop\".\"greet\"("
        "\"punctuation\" := $1::text) as pgrst_scalar");
    has("rpc/Odd Function?an%20argument=1", "\"shop\".\"Odd Function\"("
        "\"an argument\" := $1::integer)");
    has("rpc/count_to?n=3&limit=1&offset=2", "from _c \"count_to\""
        " limit $2::pg_catalog.int8 offset $3::pg_catalog.int8");
    has("rpc/lengths?a=1&b=2&c=3&d=4", "(\"a\" := $1::character varying,"
        " \"b\" := $2::character varying, \"c\" := $3::bit varying,"
        " \"d\" := $4::bit varying)");
}


static void
of_repeated_arguments_the_last_counts_unless_variadic(void **state)
{
    (void) state;

    has("rpc/hello?name=a&name=b", "(\"name\" := $1::text)");
    params("b", NULL);
    has("rpc/join?words=a&words=b", "(variadic \"words\" := $1::text[])");
    params("{\"a\",\"b\"}", NULL);
    has("rpc/join_with?separator=-", "(\"separator\" := $1::text)");
}


static void
an_overload_is_chosen_by_the_names_of_arguments(void **state)
{
    (void) state;

    has("rpc/pick", "\"shop\".\"pick\"()");
    has("rpc/pick?a=1", "\"shop\".\"pick\"(\"a\" := $1::integer)");
    has("rpc/pick?a=1&b=2", "(\"a\" := $1::integer, \"b\" := $2::integer)");
    has("rpc/pick?c=x&a=1", "(\"a\" := $1::integer, \"c\" := $2::text)");
}


static void
a_result_is_an_array_an_object_or_a_value(void **state)
{
    (void) state;

    has("rpc/count_to?n=1", "json_agg(_t.pgrst_scalar), '[]')");
    has("rpc/add?a=1&b=2", "'1', coalesce(pg_catalog.json_agg("
        "_t.pgrst_scalar)->0, 'null')");
    has("rpc/customer?id=1", "json_agg(_t.*)->0, 'null')");
    has("rpc/split?number=12&select=tens",
        "with _c as (select pgrst_call.\"tens\" from \"shop\".\"split\"(");
    has("rpc/suppliers_hidden?select=countries(name)",
        "where _t1.\"code\" = \"suppliers\".\"country\"");
}


static void
requests_that_differ_in_values_alone_have_the_same_text(void **state)
{
    size_t                    i;
    char                     *text;

    static const char *const  pairs[][2] = {
        { "customers?id=eq.1&limit=1&offset=1",
          "customers?id=eq.'2'&limit=200&offset=99" },
        { "customers?id=in.(1)", "customers?id=in.(1,2,3,4)" },
        { "documents?select=a:data->b&data->>c=like.d*",
          "documents?select=a:data->x&data->>y=like.*" },
        { "articles?search=fts(german).a", "articles?search=fts(english).b" },
        { "customers?or=(id.eq.1,name.eq.a)",
          "customers?or=(id.eq.2,name.eq.%22b,c%22)" },
        { "rpc/join?words=a", "rpc/join?words=a&words=b" },
        { "rpc/hello?name=a", "rpc/hello?name=$1;--" }
    };

    (void) state;

    for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        text = strdup(text_of(pairs[i][0]));
        assert_string_equal(text_of(pairs[i][1]), text);
        free(text);
    }
}


static void
an_alias_is_never_taken_for_a_row(void **state)
{
    (void) state;

    has("customers?select=_t:id", "json_agg(_t.*)");
    has("customers?select=orders(_r:id)", "json_agg(_r.*)");
    has("orders?select=customers(_e1:id)", "row_to_json(_e1.*)");
}


int
main(void)
{
#define test(name)  cmocka_unit_test_setup(name, plan_reset)

    const struct CMUnitTest  tests[] = {
        test(a_key_of_this_relation_gives_an_object),
        test(a_key_of_the_other_relation_gives_an_array),
        test(a_key_that_is_unique_gives_an_object_from_both_sides),
        test(a_junction_is_joined_beside_its_target),
        test(within_one_table_its_name_means_many_and_the_column_one),
        test(all_columns_of_a_key_are_compared),
        test(a_computed_relationship_is_a_call_with_the_row),
        test(views_have_the_keys_of_their_tables),
        test(a_constraint_a_column_or_a_hint_chooses_among_keys),
        test(a_spread_of_one_row_lifts_its_columns),
        test(a_spread_of_many_rows_gives_arrays_in_one_order),
        test(embeds_within_embeds_refer_to_the_rows_around_them),
        test(an_inner_embed_drops_rows_without_it),
        test(an_embed_may_be_asked_whether_it_has_rows),
        test(rows_are_ordered_by_an_embed_of_one_row),
        test(other_columns_beside_aggregates_are_groups),
        test(aggregates_in_a_spread_are_applied_around_it),
        test(rows_are_counted_exactly_without_limits_and_embeds),
        test(rows_are_estimated_by_a_plan_of_the_server),
        test(the_highest_number_of_rows_holds_for_each_list),
        test(rows_tell_their_columns_and_how_they_become_json),
        test(one_row_comes_where_a_whole_key_is_given),
        test(a_body_is_made_in_sql_where_rows_will_not_do),
        test(a_body_is_what_was_asked_for),
        test(a_plan_is_asked_for_by_explain),
        test(domains_have_their_own_ways_to_be_read_and_written),
        test(json_paths_are_parameters),
        test(filters_are_what_they_say),
        test(computed_fields_are_columns),
        test(a_function_is_called_once_with_named_arguments),
        test(of_repeated_arguments_the_last_counts_unless_variadic),
        test(an_overload_is_chosen_by_the_names_of_arguments),
        test(a_result_is_an_array_an_object_or_a_value),
        test(requests_that_differ_in_values_alone_have_the_same_text),
        test(an_alias_is_never_taken_for_a_row),
    };

    return cmocka_run_group_tests(tests, plan_open, plan_close);
}


static const char *
text_of(const char *url)
{
    if (plan_url(url) != 0) {
        fail_msg("\"%s\" is refused: %s", url, plan_error.message.data);
    }

    return plan.main.text.data;
}


static void
has(const char *url, const char *sql)
{
    plan_options.aggregates = 1;

    if (strstr(text_of(url), sql) == NULL) {
        fail_msg("\"%s\" has no\n%s\nbut is\n%s", url, sql,
                 plan.main.text.data);
    }
}


static void
has_not(const char *url, const char *sql)
{
    if (strstr(text_of(url), sql)) {
        fail_msg("\"%s\" has\n%s\nin\n%s", url, sql, plan.main.text.data);
    }
}


/* Of what was planned last; NULL ends. */

static void
params(const char *first, ...)
{
    size_t       i;
    va_list      args;
    const char  *value;

    va_start(args, first);

    for (i = 0, value = first; value; i++) {
        assert_true(i < plan.main.nparams);
        assert_string_equal(plan.main.params[i], value);
        value = va_arg(args, const char *);
    }

    va_end(args);

    assert_int_equal(i, plan.main.nparams);
}


static void
row(const char *url, const char *columns)
{
    char                      text[1024];
    size_t                    len;
    unsigned                  i;
    const cqrs_row_column_t  *column;

    static const char *const  kinds[] = {
        "unknown", "json", "number", "boolean", "string", "quoted",
        "timestamp", "timestamptz"
    };

    (void) text_of(url);

    for (i = 0, len = 0; i < plan.ncolumns; i++) {
        column = &plan.columns[i];
        len += (size_t) snprintf(text + len, sizeof(text) - len, "%.*s %s\n",
                                 (int) column->prefix.len,
                                 column->prefix.data, kinds[column->kind]);
    }

    assert_string_equal(text, columns);
}
