
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * What the catalogue's statement reads from a real database, that of
 * t/lib/query_schema.sql: t/query_catalog_shop.t makes it and says where it is
 * in CQRS_SHOP.  Elsewhere all of this is skipped.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <libpq-fe.h>

#include "catalog_text.h"
#include "cqrs_catalog_load.h"


static int shop_open(void **state);
static int shop_close(void **state);
static cqrs_catalog_t *shop_load(PGconn *db);
static const cqrs_column_t *shop_column(const char *relation,
    const char *name);
static const cqrs_function_t *shop_function(const char *name);
static int shop_is(const cqrs_qualified_t *name, const char *schema,
    const char *text);
static void shop_primary(const char *relation, const char *expected);
static void shop_computed(const char *relation, const char *expected);
static void shop_handler(const char *media, int aggregate,
    const char *relation, const char *function);


static PGconn          *shop_db;
static cqrs_catalog_t  *shop;


static void
shop_exposes_two_schemas_and_no_partition(void **state)
{
    (void) state;

    assert_non_null(catalog_relation(shop, "shop", "customers"));
    assert_non_null(catalog_relation(shop, "other", "customers"));
    assert_null(catalog_relation(shop, "hidden", "suppliers"));

    assert_int_equal(catalog_relation(shop, "shop", "visits")->kind, 'p');
    assert_null(catalog_relation(shop, "shop", "visits_2024"));
    assert_int_equal(catalog_relation(shop, "shop", "sales")->kind, 'm');
    assert_int_equal(catalog_relation(shop, "shop", "buyers")->kind, 'v');
    assert_int_equal(catalog_relation(shop, "shop", "far_away")->kind, 'f');
    assert_null(catalog_relation(shop, "shop", "no_columns")->columns);
}


static void
shop_knows_what_may_be_written(void **state)
{
    const cqrs_relation_t  *relation;

    (void) state;

    relation = catalog_relation(shop, "shop", "buyers");
    assert_true(relation->insertable && relation->updatable
                && relation->deletable);

    relation = catalog_relation(shop, "shop", "inbox");
    assert_true(relation->insertable);
    assert_false(relation->updatable || relation->deletable);

    relation = catalog_relation(shop, "shop", "order_list");
    assert_false(relation->insertable || relation->updatable
                 || relation->deletable);

    relation = catalog_relation(shop, "shop", "sales");
    assert_false(relation->insertable);
}


static void
shop_describes_columns(void **state)
{
    const cqrs_column_t  *column;

    (void) state;

    column = shop_column("orders", "status");
    assert_string_equal(column->type.data, "shop.order_status");
    assert_string_equal(column->fallback.data, "'new'::shop.order_status");
    assert_string_equal(column->labels.data,
                        "[\"new\", \"paid\", \"sent\", \"returned\"]");
    assert_string_equal(column->comment.data, "How far it is");
    assert_false(column->nullable);

    column = shop_column("customers", "email");
    assert_string_equal(column->type.data, "shop.private_email");
    assert_string_equal(column->base.data, "text");
    assert_true(column->nullable);

    column = shop_column("kinds", "name");
    assert_string_equal(column->base.data, "character varying");
    assert_int_equal(column->max_length, 20);
    assert_false(column->nullable);

    column = shop_column("products", "price");
    assert_string_equal(column->type.data, "numeric(10,2)");
    assert_string_equal(column->base.data, "numeric");
    assert_int_equal(column->max_length, -1);

    assert_int_equal(shop_column("addresses", "city")->max_length, 30);
    assert_int_equal(shop_column("countries", "code")->max_length, 2);
    assert_int_equal(shop_column("kinds", "bits")->max_length, 8);
    assert_string_equal(shop_column("shipments", "id")->fallback.data,
                        "nextval('shop.shipments_id_seq')");
    assert_non_null(shop_column("Odd Names", "with \"quote"));
}


static void
shop_represents_domains(void **state)
{
    const cqrs_column_t  *column;

    (void) state;

    column = shop_column("products", "colour");
    assert_true(shop_is(&column->to_json, "shop", "colour_json"));
    assert_true(shop_is(&column->from_text, "shop", "colour_read"));

    column = shop_column("products", "added");
    assert_true(shop_is(&column->to_json, "shop", "moment_json"));
    assert_null(column->from_text.name.data);

    column = shop_column("products", "sku");
    assert_null(column->to_json.name.data);
    assert_true(shop_is(&column->from_text, "extra", "sku_read"));

    assert_true(catalog_relation(shop, "shop", "products")->representations);
    assert_false(catalog_relation(shop, "shop", "orders")->representations);
}


static void
shop_gives_views_the_keys_they_show(void **state)
{
    (void) state;

    shop_primary("order_lines", "order_id product_id");
    shop_primary("line_list", "o p");
    shop_primary("half_lines", "");
    shop_primary("loud_buyers", "buyer_id");
    shop_primary("suppliers", "id");
    shop_primary("visits", "id day");
    shop_primary("no_key", "");
    shop_primary("people", "");
    shop_primary("dear_products", "id");
    shop_primary("open_orders", "id");
}


static void
shop_relates_tables(void **state)
{
    (void) state;

    catalog_related(shop, "shop", "addresses",
        "n:1 broken addresses_customer_id_fkey (customer_id=id)\n"
        "n:1 buyers addresses_customer_id_fkey (customer_id=buyer_id)\n"
        "n:1 customers addresses_customer_id_fkey (customer_id=id)\n"
        "n:1 loud_buyers addresses_customer_id_fkey (customer_id=buyer_id)\n"
        "1:n order_list orders_bill_to (id=bill_to)\n"
        "1:n order_list orders_send_to (id=send_to)\n"
        "1:n orders orders_bill_to (id=bill_to)\n"
        "1:n orders orders_send_to (id=send_to)\n");

    catalog_related(shop, "shop", "shipments",
        "1:1 open_orders shipments_order_id_fkey (order_id=id)\n"
        "1:1 order_list shipments_order_id_fkey (order_id=id)\n"
        "1:1 orders shipments_order_id_fkey (order_id=id)\n");

    catalog_related(shop, "shop", "categories",
        "1:n categories categories_parent_fkey (id=parent) self\n"
        "n:1 categories categories_parent_fkey (parent=id) self\n"
        "1:n dear_products products_category_fkey (id=category_id)\n"
        "1:n products products_category_fkey (id=category)\n");

    catalog_related(shop, "shop", "complaints",
        "n:1 line_list complaints_line (order=o,product=p)\n"
        "n:1 order_lines complaints_line (order=order_id,"
            "product=product_id)\n");

    catalog_related(shop, "shop", "visits",
        "n:1 broken visits_customer_id_fkey (customer_id=id)\n"
        "n:1 buyers visits_customer_id_fkey (customer_id=buyer_id)\n"
        "n:1 customers visits_customer_id_fkey (customer_id=id)\n"
        "n:1 loud_buyers visits_customer_id_fkey (customer_id=buyer_id)\n");
}


static void
shop_relates_views_of_hidden_tables(void **state)
{
    (void) state;

    catalog_related(shop, "shop", "suppliers",
        "n:1 countries suppliers_country_fkey (country=code)\n"
        "n:m dear_products supplies_supplier_id_fkey (id=supplier_id)"
            " supplies supplies_product_id_fkey (product_id=id)\n"
        "n:m products supplies_supplier_id_fkey (id=supplier_id)"
            " supplies supplies_product_id_fkey (product_id=id)\n"
        "1:n supplies supplies_supplier_id_fkey (id=supplier_id)\n");

    /* the junction between labels and products is not exposed */

    catalog_related(shop, "shop", "labels", "");
    catalog_related(shop, "shop", "people", "");
    catalog_related(shop, "shop", "totals", "");
}


static void
shop_computes_relationships(void **state)
{
    (void) state;

    shop_computed("customers",
        "shop.last_order() orders single\n"
        "shop.paid_orders() orders\n"
        "shop.referred() customers\n");
    shop_computed("orders",
        "shop.buyer() customers single\n");
    shop_computed("buyers",
        "shop.orders_of() orders\n");
}


static void
shop_replaces_what_a_function_is_named_like(void **state)
{
    size_t                      computed;
    const cqrs_relationship_t  *r;

    (void) state;

    computed = 0;

    for (r = catalog_relation(shop, "shop", "products")->relationships;
         r;
         r = r->next)
    {
        if (!cqrs_str_is(&r->to->key.name, "categories")) {
            continue;
        }

        assert_int_equal(r->cardinality, CQRS_COMPUTED);
        assert_true(r->single);
        assert_true(shop_is(&r->function, "shop", "categories"));
        computed++;
    }

    assert_int_equal(computed, 1);
}


static void
shop_knows_computed_fields(void **state)
{
    size_t                  i;
    cqrs_str_t              name;
    const cqrs_relation_t  *customers;

    static const char *const  fields[] = { "initial", "always_true", "shout" };

    (void) state;

    customers = catalog_relation(shop, "shop", "customers");

    for (i = 0; i < 3; i++) {
        name = catalog_str(fields[i]);
        assert_true(cqrs_catalog_computed(shop, customers, &name));
    }

    name = catalog_str("whisper");
    assert_false(cqrs_catalog_computed(shop, customers, &name));
    name = catalog_str("gross");
    assert_false(cqrs_catalog_computed(shop, customers, &name));
}


static void
shop_describes_functions(void **state)
{
    const cqrs_function_t  *f;

    (void) state;

    f = shop_function("hello");
    assert_true(shop_is(&f->type, "pg_catalog", "text"));
    assert_int_equal(f->volatility, 'i');
    assert_false(f->set || f->composite || f->nothing);

    assert_true(shop_function("nothing")->nothing);
    assert_true(shop_function("count_to")->set);
    assert_false(shop_function("count_to")->composite);

    f = shop_function("price_table");
    assert_true(f->set && f->composite);
    assert_null(f->relation);
    assert_int_equal(f->nparameters, 1);

    f = shop_function("split");
    assert_true(f->composite && !f->set);
    assert_int_equal(f->nparameters, 1);

    f = shop_function("twice");
    assert_true(f->composite);
    assert_int_equal(f->nparameters, 1);

    f = shop_function("customers_of");
    assert_ptr_equal(f->relation, catalog_relation(shop, "shop",
                                                   "customers"));

    f = shop_function("suppliers_hidden");
    assert_non_null(f->relation);
    assert_true(cqrs_str_is(&f->relation->schema, "hidden"));
    assert_non_null(f->relation->columns);

    f = shop_function("a_small_size");
    assert_true(f->composite);
    assert_true(shop_is(&f->type, "shop", "size"));
    assert_null(f->relation);

    f = shop_function("with_settings");
    assert_string_equal(f->settings->name.data, "work_mem");
    assert_string_equal(f->settings->value.data, "5MB");

    assert_int_equal(shop_function("write_number")->volatility, 'v');
    assert_null(shop_function("procedure"));
    assert_null(shop_function("names"));
    assert_null(shop_function("unnamed_two"));
}


static void
shop_describes_parameters(void **state)
{
    const cqrs_function_t   *f;
    const cqrs_parameter_t  *p;

    (void) state;

    p = shop_function("lengths")->parameters;
    assert_string_equal(p->type.data, "character varying");
    p = p->next;
    assert_string_equal(p->type.data, "character varying");
    assert_string_equal(p->declared.data, "character");
    p = p->next;
    assert_string_equal(p->type.data, "bit varying");
    assert_string_equal(p->declared.data, "bit");

    p = shop_function("join_with")->parameters;
    assert_true(p->required && !p->variadic);
    assert_true(!p->next->required && p->next->variadic);
    assert_string_equal(p->next->type.data, "text[]");

    assert_int_equal(shop_function("unnamed")->parameters->name.len, 0);
    assert_string_equal(shop_function("takes_status")->parameters->type.data,
                        "shop.order_status");

    f = shop_function("pick");
    assert_int_equal(f->nparameters, 0);
    f = f->next;
    assert_int_equal(f->nparameters, 1);
    f = f->next;
    assert_string_equal(f->parameters->next->name.data, "b");
    f = f->next;
    assert_string_equal(f->parameters->next->name.data, "c");
    assert_null(f->next);
}


static void
shop_knows_handlers(void **state)
{
    (void) state;

    shop_handler("text/html", 0, NULL, "page");
    shop_handler("application/vnd.shop.names", 1, "customers", "names");
    shop_handler("text/tab-separated-values", 1, NULL, "tabs");
    shop_handler("*/*", 0, NULL, "anything");
}


/* The session's own search path must not change how types are written. */

static void
shop_is_the_same_with_a_search_path(void **state)
{
    cqrs_catalog_t       *catalog, *before;
    const cqrs_column_t  *column;

    (void) state;

    PQclear(PQexec(shop_db, "set search_path = shop, extra, public"));

    catalog = shop_load(shop_db);
    assert_non_null(catalog);

    before = shop;
    shop = catalog;

    column = shop_column("orders", "status");
    assert_string_equal(column->type.data, "shop.order_status");
    assert_string_equal(column->fallback.data, "'new'::shop.order_status");
    assert_string_equal(shop_function("takes_status")->parameters->type.data,
                        "shop.order_status");

    shop = before;
    cqrs_catalog_unref(catalog);
}


/* Braces, quotes and the words of a tree in names of columns. */

static void
shop_reads_any_view(void **state)
{
    cqrs_catalog_t  *catalog, *before;

    (void) state;

    PQclear(PQexec(shop_db, "begin"));
    PQclear(PQexec(shop_db,
        "create view shop.odd as"
        " select 1 as \"} :resno 2\","
               " (select customer_id from shop.orders limit 1) as \"{\","
               " o.customer_id as \"\\} \\\\{ :resorigtbl 1 \","
               " exists (select l.product_id from shop.order_lines l) as x"
        " from shop.orders o"
        " where o.id in (select order_id from shop.order_lines)"
        " order by (select id from shop.customers limit 1), o.placed"));

    catalog = shop_load(shop_db);
    assert_non_null(catalog);

    PQclear(PQexec(shop_db, "rollback"));

    before = shop;
    shop = catalog;

    catalog_related(shop, "shop", "odd",
        "n:1 broken orders_customer"
            " (\\} \\\\{ :resorigtbl 1 =id)\n"
        "n:1 buyers orders_customer"
            " (\\} \\\\{ :resorigtbl 1 =buyer_id)\n"
        "n:1 customers orders_customer"
            " (\\} \\\\{ :resorigtbl 1 =id)\n"
        "n:1 loud_buyers orders_customer"
            " (\\} \\\\{ :resorigtbl 1 =buyer_id)\n");

    shop = before;
    cqrs_catalog_unref(catalog);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(shop_exposes_two_schemas_and_no_partition),
        cmocka_unit_test(shop_knows_what_may_be_written),
        cmocka_unit_test(shop_describes_columns),
        cmocka_unit_test(shop_represents_domains),
        cmocka_unit_test(shop_gives_views_the_keys_they_show),
        cmocka_unit_test(shop_relates_tables),
        cmocka_unit_test(shop_relates_views_of_hidden_tables),
        cmocka_unit_test(shop_computes_relationships),
        cmocka_unit_test(shop_replaces_what_a_function_is_named_like),
        cmocka_unit_test(shop_knows_computed_fields),
        cmocka_unit_test(shop_describes_functions),
        cmocka_unit_test(shop_describes_parameters),
        cmocka_unit_test(shop_knows_handlers),
        cmocka_unit_test(shop_is_the_same_with_a_search_path),
        cmocka_unit_test(shop_reads_any_view),
    };

    if (getenv("CQRS_SHOP") == NULL) {
        puts("1..1\nok 1 - no shop # SKIP CQRS_SHOP is not set");
        return 0;
    }

    return cmocka_run_group_tests(tests, shop_open, shop_close);
}


static int
shop_open(void **state)
{
    (void) state;

    shop_db = PQconnectdb(getenv("CQRS_SHOP"));

    if (PQstatus(shop_db) != CONNECTION_OK) {
        print_error("%s", PQerrorMessage(shop_db));
        return -1;
    }

    shop = shop_load(shop_db);

    return shop ? 0 : -1;
}


static int
shop_close(void **state)
{
    (void) state;

    cqrs_catalog_unref(shop);
    PQfinish(shop_db);

    return 0;
}


static cqrs_catalog_t *
shop_load(PGconn *db)
{
    int                   i, j, own;
    PGresult             *result;
    const char           *row[CQRS_CATALOG_SQL_COLUMNS];
    cqrs_catalog_t       *catalog;
    cqrs_catalog_load_t  *load;

    static const char *const  params[] = { "{shop,other}", "{extra}" };

    own = (PQtransactionStatus(db) == PQTRANS_IDLE);

    if (own) {
        PQclear(PQexec(db, "begin"));
    }

    PQclear(PQexec(db, cqrs_catalog_setting_sql));

    result = PQexecParams(db, cqrs_catalog_sql, CQRS_CATALOG_SQL_PARAMETERS,
                          NULL, params, NULL, NULL, 0);

    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        print_error("%s", PQresultErrorMessage(result));
        PQclear(result);
        return NULL;
    }

    load = cqrs_catalog_load_create();

    for (i = 0; load && i < PQntuples(result); i++) {

        for (j = 0; j < CQRS_CATALOG_SQL_COLUMNS; j++) {
            row[j] = PQgetisnull(result, i, j) ? NULL
                                               : PQgetvalue(result, i, j);
        }

        if (cqrs_catalog_load_add(load, row) != 0) {
            cqrs_catalog_load_destroy(load);
            load = NULL;
        }
    }

    catalog = load ? cqrs_catalog_load_end(load) : NULL;

    PQclear(result);

    if (own) {
        PQclear(PQexec(db, "commit"));
    }

    return catalog;
}


static const cqrs_column_t *
shop_column(const char *relation, const char *name)
{
    cqrs_str_t            n = catalog_str(name);
    const cqrs_column_t  *column;

    column = cqrs_catalog_column(shop, catalog_relation(shop, "shop",
                                                        relation),
                                 &n);
    assert_non_null(column);

    return column;
}


static const cqrs_function_t *
shop_function(const char *name)
{
    cqrs_str_t  s = catalog_str("shop");
    cqrs_str_t  n = catalog_str(name);

    return cqrs_catalog_function(shop, &s, &n);
}


static int
shop_is(const cqrs_qualified_t *name, const char *schema, const char *text)
{
    return name->name.data && cqrs_str_is(&name->schema, schema)
           && cqrs_str_is(&name->name, text);
}


static void
shop_primary(const char *relation, const char *expected)
{
    char                  text[256];
    size_t                len;
    const cqrs_column_t  *column;

    len = 0;
    text[0] = '\0';

    for (column = catalog_relation(shop, "shop", relation)->columns;
         column;
         column = column->next)
    {
        if (column->primary) {
            len += snprintf(text + len, sizeof(text) - len, "%s%s",
                            len ? " " : "", column->key.name.data);
        }
    }

    assert_string_equal(text, expected);
}


static void
shop_computed(const char *relation, const char *expected)
{
    char                        text[1024];
    size_t                      len;
    const cqrs_relationship_t  *r;

    len = 0;
    text[0] = '\0';

    for (r = catalog_relation(shop, "shop", relation)->relationships;
         r;
         r = r->next)
    {
        if (r->cardinality == CQRS_COMPUTED) {
            len = catalog_write_relationship(text, len, sizeof(text), r);
        }
    }

    assert_string_equal(text, expected);
}


static void
shop_handler(const char *media, int aggregate, const char *relation,
    const char *function)
{
    const cqrs_handler_t  *handler;

    for (handler = cqrs_catalog_handlers(shop);
         handler;
         handler = handler->next)
    {
        if (cqrs_str_is(&handler->media, media)
            && handler->aggregate == aggregate)
        {
            break;
        }
    }

    assert_non_null(handler);
    assert_true(shop_is(&handler->function, "shop", function));
    assert_true(shop_is(&handler->result, "shop", media));

    if (relation) {
        assert_true(shop_is(&handler->relation, "shop", relation));

    } else {
        assert_null(handler->relation.name.data);
    }
}
