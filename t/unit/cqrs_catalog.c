
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* What the catalogue finds, and what it does not. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "cqrs_catalog.h"


static int catalog_small(void **state);
static int catalog_free(void **state);
static const cqrs_relation_t *catalog_relation(const cqrs_catalog_t *catalog,
    const char *schema, const char *name);
static const cqrs_column_t *catalog_column(const cqrs_catalog_t *catalog,
    const cqrs_relation_t *relation, const char *name);
static const cqrs_relation_t *catalog_similar(const cqrs_catalog_t *catalog,
    const char *name);
static cqrs_str_t catalog_str(const char *text);


static const char *const  catalog_rows[][CQRS_CATALOG_SQL_COLUMNS] = {
    { "api", "items",    "r", "id",     "bigint" },
    { "api", "items",    "r", "name",   "text" },
    { "api", "empty",    "r", NULL,     NULL },
    { "api", "projects", "v", "a \"b\"", "numeric(10,2)" },
    { "two", "items",    "m", "other",  "uuid" }
};


static void
catalog_finds_by_schema_and_name(void **state)
{
    cqrs_catalog_t         *catalog = *state;
    const cqrs_relation_t  *relation;

    assert_int_equal(cqrs_catalog_relations(catalog), 4);

    relation = catalog_relation(catalog, "api", "items");
    assert_non_null(relation);
    assert_int_equal(relation->kind, 'r');
    assert_true(cqrs_str_is(&relation->schema, "api"));
    assert_true(cqrs_str_is(&relation->key.name, "items"));

    relation = catalog_relation(catalog, "two", "items");
    assert_non_null(relation);
    assert_int_equal(relation->kind, 'm');

    assert_null(catalog_relation(catalog, "api", "Items"));
    assert_null(catalog_relation(catalog, "api", "item"));
    assert_null(catalog_relation(catalog, "api", ""));
    assert_null(catalog_relation(catalog, "two", "empty"));
    assert_null(catalog_relation(catalog, "three", "items"));
    assert_null(catalog_relation(catalog, "", "api"));
}


static void
catalog_finds_columns_of_their_relation(void **state)
{
    cqrs_catalog_t         *catalog = *state;
    const cqrs_column_t    *column;
    const cqrs_relation_t  *items, *two;

    items = catalog_relation(catalog, "api", "items");
    two = catalog_relation(catalog, "two", "items");

    column = catalog_column(catalog, items, "name");
    assert_non_null(column);
    assert_ptr_equal(column->relation, items);
    assert_true(cqrs_str_is(&column->type, "text"));

    assert_null(catalog_column(catalog, two, "name"));
    assert_null(catalog_column(catalog, items, "other"));
    assert_null(catalog_column(catalog, items, ""));
    assert_null(catalog_column(catalog,
                               catalog_relation(catalog, "api", "empty"),
                               "id"));
}


static void
catalog_keeps_the_order_of_columns(void **state)
{
    cqrs_catalog_t       *catalog = *state;
    const cqrs_column_t  *column;

    column = catalog_relation(catalog, "api", "items")->columns;

    assert_true(cqrs_str_is(&column->key.name, "id"));
    assert_true(cqrs_str_is(&column->next->key.name, "name"));
    assert_null(column->next->next);

    assert_null(catalog_relation(catalog, "api", "empty")->columns);
}


static void
catalog_knows_what_is_similar(void **state)
{
    char                   text[200];
    cqrs_catalog_t        *catalog = *state;

    assert_ptr_equal(catalog_similar(catalog, "projectx"),
                     catalog_relation(catalog, "api", "projects"));
    assert_ptr_equal(catalog_similar(catalog, "projcts"),
                     catalog_relation(catalog, "api", "projects"));
    assert_ptr_equal(catalog_similar(catalog, "item"),
                     catalog_relation(catalog, "api", "items"));

    assert_null(catalog_similar(catalog, "prxxxcts"));
    assert_null(catalog_similar(catalog, "it"));
    assert_null(catalog_similar(catalog, ""));

    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    assert_null(catalog_similar(catalog, text));
}


static void
catalog_finds_all_of_many(void **state)
{
    int                      i, j;
    char                     relation[32], column[32];
    const char              *row[CQRS_CATALOG_SQL_COLUMNS];
    cqrs_catalog_t          *catalog;
    const cqrs_relation_t   *found;

    (void) state;

    catalog = cqrs_catalog_create();
    assert_non_null(catalog);

    row[0] = "api";
    row[1] = relation;
    row[2] = "r";
    row[3] = column;
    row[4] = "text";

    for (i = 0; i < 2000; i++) {
        for (j = 0; j < 10; j++) {
            snprintf(relation, sizeof(relation), "relation_%d", i);
            snprintf(column, sizeof(column), "column_%d_%d", i, j);
            assert_int_equal(cqrs_catalog_add(catalog, row), 0);
        }
    }

    assert_int_equal(cqrs_catalog_relations(catalog), 2000);

    for (i = 0; i < 2000; i++) {
        snprintf(relation, sizeof(relation), "relation_%d", i);
        found = catalog_relation(catalog, "api", relation);
        assert_non_null(found);

        for (j = 0; j < 10; j++) {
            snprintf(column, sizeof(column), "column_%d_%d", i, j);
            assert_non_null(catalog_column(catalog, found, column));
        }

        snprintf(column, sizeof(column), "column_%d_0", i + 1);
        assert_null(catalog_column(catalog, found, column));
    }

    cqrs_catalog_unref(catalog);
}


static void
catalog_stays_while_somebody_holds_it(void **state)
{
    cqrs_catalog_t  *catalog;

    (void) state;

    catalog = cqrs_catalog_create();
    assert_non_null(catalog);
    assert_int_equal(cqrs_catalog_add(catalog, catalog_rows[0]), 0);

    cqrs_catalog_ref(catalog);
    cqrs_catalog_unref(catalog);
    assert_non_null(catalog_relation(catalog, "api", "items"));

    cqrs_catalog_unref(catalog);
    cqrs_catalog_unref(NULL);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(catalog_finds_by_schema_and_name,
                                        catalog_small, catalog_free),
        cmocka_unit_test_setup_teardown(
                                    catalog_finds_columns_of_their_relation,
                                    catalog_small, catalog_free),
        cmocka_unit_test_setup_teardown(catalog_keeps_the_order_of_columns,
                                        catalog_small, catalog_free),
        cmocka_unit_test_setup_teardown(catalog_knows_what_is_similar,
                                        catalog_small, catalog_free),
        cmocka_unit_test(catalog_finds_all_of_many),
        cmocka_unit_test(catalog_stays_while_somebody_holds_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}


static int
catalog_small(void **state)
{
    size_t           i;
    cqrs_catalog_t  *catalog;

    catalog = cqrs_catalog_create();

    for (i = 0; i < sizeof(catalog_rows) / sizeof(catalog_rows[0]); i++) {
        if (catalog == NULL
            || cqrs_catalog_add(catalog, catalog_rows[i]) != 0)
        {
            return -1;
        }
    }

    *state = catalog;

    return 0;
}


static int
catalog_free(void **state)
{
    cqrs_catalog_unref(*state);

    return 0;
}


static const cqrs_relation_t *
catalog_relation(const cqrs_catalog_t *catalog, const char *schema,
    const char *name)
{
    cqrs_str_t  s = catalog_str(schema);
    cqrs_str_t  n = catalog_str(name);

    return cqrs_catalog_relation(catalog, &s, &n);
}


static const cqrs_column_t *
catalog_column(const cqrs_catalog_t *catalog, const cqrs_relation_t *relation,
    const char *name)
{
    cqrs_str_t  n = catalog_str(name);

    return cqrs_catalog_column(catalog, relation, &n);
}


static const cqrs_relation_t *
catalog_similar(const cqrs_catalog_t *catalog, const char *name)
{
    cqrs_str_t  s = catalog_str("api");
    cqrs_str_t  n = catalog_str(name);

    return cqrs_catalog_similar(catalog, &s, &n);
}


static cqrs_str_t
catalog_str(const char *text)
{
    cqrs_str_t  str = { strlen(text), text };

    return str;
}
