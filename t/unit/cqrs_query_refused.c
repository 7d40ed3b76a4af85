
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * What the planner refuses, over the catalogue of a shop.  Clients match these
 * texts, so they are PostgREST's to the letter.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "query_plan.h"


static void refused(const char *url, unsigned status, const char *code,
    const char *message, const char *details, const char *hint);
static void same(const char *url, const cqrs_str_t *got, const char *wanted);


static void
a_relation_that_is_not_there_may_have_a_near_name(void **state)
{
    (void) state;

    refused("customer", 404, "PGRST205", "Could not find the table "
            "'shop.customer' in the schema cache", "",
            "Perhaps you meant the table 'shop.customers'");
    assert_true(plan_error.stale);

    refused("zzz", 404, "PGRST205", "Could not find the table 'shop.zzz' in "
            "the schema cache", "", "");

    /* neither what is not exposed, nor what is elsewhere */

    refused("product_labels", 404, "PGRST205", "Could not find the table "
            "'shop.product_labels' in the schema cache", "", "");
    refused("tickets", 404, "PGRST205", "Could not find the table "
            "'shop.tickets' in the schema cache", "", "");
}


static void
a_column_that_is_not_there_is_told_as_postgres_tells_it(void **state)
{
    (void) state;

    refused("customers?nam=eq.a", 400, "42703", "column customers.nam does "
            "not exist", "", "Perhaps you meant to reference the column "
            "\"customers.name\".");
    assert_true(plan_error.stale);

    refused("customers?select=quite_different", 400, "42703",
            "column customers.quite_different does not exist", "", "");
    refused("customers?order=quite_different", 400, "42703",
            "column customers.quite_different does not exist", "", "");
    refused("customers?select=orders(statu)", 400, "42703",
            "column orders_1.statu does not exist", "", "Perhaps you meant "
            "to reference the column \"orders_1.status\".");
    refused("customers?select=orders(order_lines(quality))", 400, "42703",
            "column order_lines_2.quality does not exist", "", "Perhaps you "
            "meant to reference the column \"order_lines_2.quantity\".");
    refused("customers?select=products!favourites(nope)", 400, "42703",
            "column products.nope does not exist", "", "Perhaps you meant to "
            "reference the column \"products.name\".");

    /* half of few letters is none */

    refused("customers?select=i", 400, "42703", "column customers.i does not "
            "exist", "", "");
}


static void
a_column_of_a_call_is_missed_where_it_is_named(void **state)
{
    (void) state;

    refused("rpc/products_below?price=1&select=nam", 400, "42703",
            "column pgrst_call.nam does not exist", "", "Perhaps you meant to "
            "reference the column \"pgrst_call.name\".");
    refused("rpc/products_below?price=1&nam=eq.1&select=id", 400, "42703",
            "column pgrst_call.nam does not exist", "", "Perhaps you meant to "
            "reference the column \"pgrst_call.name\".");
    refused("rpc/products_below?price=1&nam=eq.1", 400, "42703",
            "column products.nam does not exist", "", "Perhaps you meant to "
            "reference the column \"products.name\".");
    refused("rpc/products_below?price=1&select=id&order=nam", 400, "42703",
            "column products.nam does not exist", "", "Perhaps you meant to "
            "reference the column \"products.name\".");
}


static void
a_range_of_an_embed_is_not_negative(void **state)
{
    (void) state;

    refused("customers?select=orders(id)&orders.limit=-1", 400, "2201W",
            "LIMIT must not be negative", "", "");
    refused("customers?select=orders(id)&orders.limit=1&orders.offset=-1",
            400, "2201X", "OFFSET must not be negative", "", "");
    assert_true(plan_error.late);
}


static void
an_embed_without_a_relationship_may_have_a_near_name(void **state)
{
    (void) state;

    refused("customers?select=id,order(id)", 400, "PGRST200",
            "Could not find a relationship between 'customers' and 'order' "
            "in the schema cache", "Searched for a foreign key relationship "
            "between 'customers' and 'order' in the schema 'shop', but no "
            "matches were found.", "Perhaps you meant 'orders' instead of "
            "'order'.");
    assert_true(plan_error.stale);

    refused("customers?select=id,orders!nope(id)", 400, "PGRST200",
            "Could not find a relationship between 'customers' and 'orders' "
            "in the schema cache", "Searched for a foreign key relationship "
            "between 'customers' and 'orders' using the hint 'nope' in the "
            "schema 'shop', but no matches were found.", "");

    /* its junction is not exposed */

    refused("labels?select=products(id)", 400, "PGRST200",
            "Could not find a relationship between 'labels' and 'products' "
            "in the schema cache", "Searched for a foreign key relationship "
            "between 'labels' and 'products' in the schema 'shop', but no "
            "matches were found.", "");
}


static void
several_relationships_are_told_one_by_one(void **state)
{
    (void) state;

    refused("orders?select=addresses(street)", 300, "PGRST201",
            "Could not embed because more than one relationship was found "
            "for 'orders' and 'addresses'",
            "[{\"cardinality\":\"many-to-one\","
            "\"embedding\":\"orders with addresses\",\"relationship\":"
            "\"orders_bill_to using orders(bill_to) and addresses(id)\"},"
            "{\"cardinality\":\"many-to-one\","
            "\"embedding\":\"orders with addresses\",\"relationship\":"
            "\"orders_send_to using orders(send_to) and addresses(id)\"}]",
            "Try changing 'addresses' to one of the following: "
            "'addresses!orders_bill_to', 'addresses!orders_send_to'. Find "
            "the desired relationship in the 'details' key.");
    assert_true(plan_error.details_json);

    refused("customers?select=products(name)", 300, "PGRST201",
            "Could not embed because more than one relationship was found "
            "for 'customers' and 'products'",
            "[{\"cardinality\":\"many-to-many\","
            "\"embedding\":\"customers with products\",\"relationship\":"
            "\"favourites using favourites_customer_id_fkey(customer_id) and "
            "favourites_product_id_fkey(product_id)\"},"
            "{\"cardinality\":\"many-to-many\","
            "\"embedding\":\"customers with products\",\"relationship\":"
            "\"ratings using ratings_customer_id_fkey(customer_id) and "
            "ratings_product_id_fkey(product_id)\"}]",
            "Try changing 'products' to one of the following: "
            "'products!favourites', 'products!ratings'. Find the desired "
            "relationship in the 'details' key.");
}


static void
a_filter_order_or_limit_needs_its_embed(void **state)
{
    size_t                    i;

    static const char *const  urls[] = {
        "customers?orders.id=eq.1", "customers?orders.order=id",
        "customers?orders.limit=1", "customers?orders.or=(id.eq.1,id.eq.2)",
        "customers?order=orders(id)", "customers?select=id&orders.offset=1"
    };

    (void) state;

    for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        refused(urls[i], 400, "PGRST108", "'orders' is not an embedded "
                "resource in this request", "", "Verify that 'orders' is "
                "included in the 'select' query parameter.");
    }
}


static void
rows_are_not_ordered_by_an_embed_of_many_rows(void **state)
{
    (void) state;

    refused("customers?select=orders(id)&order=orders(id)", 400, "PGRST118",
            "A related order on 'orders' is not possible", "'customers' and "
            "'orders' do not form a many-to-one or one-to-one relationship",
            "");
    refused("customers?select=settings(theme)&order=settings(newsletter)",
            400, "42703", "column customers_settings_1.newsletter does not "
            "exist", "", "");
    refused("customers?select=s:settings(theme)&order=s(them)", 400, "42703",
            "column customers_s_1.them does not exist", "", "Perhaps you "
            "meant to reference the column \"customers_s_1.theme\".");
}


static void
an_embed_is_asked_for_null_alone(void **state)
{
    (void) state;

    refused("customers?select=orders(id)&orders=eq.1", 400, "PGRST120",
            "Bad operator on the 'orders' embedded resource", "Only is null "
            "or not is null filters are allowed on embedded resources", "");
    refused("customers?select=o:orders(id)&or=(o.is.true,id.eq.1)", 400,
            "PGRST120", "Bad operator on the 'o' embedded resource", "Only "
            "is null or not is null filters are allowed on embedded "
            "resources", "");
}


static void
aggregates_must_be_allowed(void **state)
{
    size_t                    i;

    static const char *const  urls[] = {
        "customers?select=id.sum()", "customers?select=count()",
        "customers?select=orders(count())",
        "orders?select=...customers(rating.avg())"
    };

    (void) state;

    for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        refused(urls[i], 400, "PGRST123", "Use of aggregate functions is not "
                "allowed", "", "");
    }
}


static void
aggregates_are_not_in_spreads_of_many_rows(void **state)
{
    (void) state;

    plan_options.aggregates = 1;

    refused("customers?select=id,...orders(id.sum())", 400, "PGRST127",
            "Feature not implemented", "Aggregates are not implemented for "
            "one-to-many or many-to-many spreads.", "");
    refused("customers?select=id,...orders(id,...customers(rating.avg()))",
            400, "PGRST127", "Feature not implemented", "Aggregates are not "
            "implemented for one-to-many or many-to-many spreads.", "");
}


static void
a_call_that_fits_no_function_may_be_near_one(void **state)
{
    (void) state;

    refused("rpc/hello?nam=x", 404, "PGRST202", "Could not find the function "
            "shop.hello(nam) in the schema cache", "Searched for the function "
            "shop.hello with parameter nam, but no matches were found in the "
            "schema cache.", "Perhaps you meant to call the function "
            "shop.hello(name)");
    assert_true(plan_error.stale);

    refused("rpc/hello", 404, "PGRST202", "Could not find the function "
            "shop.hello without parameters in the schema cache", "Searched "
            "for the function shop.hello without parameters, but no matches "
            "were found in the schema cache.", "");
    refused("rpc/pick?d=1&a=2", 404, "PGRST202", "Could not find the function "
            "shop.pick(a, d) in the schema cache", "Searched for the function "
            "shop.pick with parameters a, d, but no matches were found in the "
            "schema cache.", "Perhaps you meant to call the function "
            "shop.pick(a, b)");
    refused("rpc/helo?name=1", 404, "PGRST202", "Could not find the function "
            "shop.helo(name) in the schema cache", "Searched for the function "
            "shop.helo with parameter name, but no matches were found in the "
            "schema cache.", "Perhaps you meant to call the function "
            "shop.hello");
}


static void
a_call_that_fits_several_functions_is_refused(void **state)
{
    (void) state;

    refused("rpc/same?value=1", 300, "PGRST203", "Could not choose the best "
            "candidate function between: shop.same(value => integer), "
            "shop.same(value => text)", "", "Try renaming the parameters or "
            "the function itself in the database so function overloading can "
            "be resolved");
}


int
main(void)
{
#define test(name)  cmocka_unit_test_setup(name, plan_reset)

    const struct CMUnitTest  tests[] = {
        test(a_relation_that_is_not_there_may_have_a_near_name),
        test(a_column_that_is_not_there_is_told_as_postgres_tells_it),
        test(a_column_of_a_call_is_missed_where_it_is_named),
        test(a_range_of_an_embed_is_not_negative),
        test(an_embed_without_a_relationship_may_have_a_near_name),
        test(several_relationships_are_told_one_by_one),
        test(a_filter_order_or_limit_needs_its_embed),
        test(rows_are_not_ordered_by_an_embed_of_many_rows),
        test(an_embed_is_asked_for_null_alone),
        test(aggregates_must_be_allowed),
        test(aggregates_are_not_in_spreads_of_many_rows),
        test(a_call_that_fits_no_function_may_be_near_one),
        test(a_call_that_fits_several_functions_is_refused),
    };

    return cmocka_run_group_tests(tests, plan_open, plan_close);
}


/* Texts that are not there are empty here. */

static void
refused(const char *url, unsigned status, const char *code,
    const char *message, const char *details, const char *hint)
{
    if (plan_url(url) == 0) {
        fail_msg("\"%s\" becomes %s", url, plan.main.text.data);
    }

    assert_string_equal(plan_error.code, code);
    assert_int_equal(plan_error.status, status);

    same(url, &plan_error.message, message);
    same(url, &plan_error.details, details);
    same(url, &plan_error.hint, hint);
}


static void
same(const char *url, const cqrs_str_t *got, const char *wanted)
{
    const char  *text;

    text = got->data ? got->data : "";

    if (strcmp(text, wanted) != 0) {
        fail_msg("\"%s\" is told\n%s\nnot\n%s", url, text, wanted);
    }
}
