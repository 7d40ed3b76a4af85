
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* What the catalogue makes of rows, what it finds, and what it does not. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "catalog_text.h"
#include "cqrs_catalog_load.h"


#define RELATION    "1", "0"
#define COLUMN      "2", "0"
#define ORIGIN      "3", "0"
#define PRIMARY     "4", "0"
#define FOREIGN     "5", "0"
#define FUNCTION    "6", "0"
#define PARAMETER   "7", "0"
#define SETTING     "8", "0"
#define FIELD       "9", "0"
#define COMPUTED    "10", "0"
#define HANDLER     "11", "0"


typedef const char *catalog_row_t[CQRS_CATALOG_SQL_COLUMNS];


static int catalog_small(void **state);
static int catalog_free(void **state);
static cqrs_catalog_t *catalog_of(const catalog_row_t *rows, size_t n);
static const cqrs_column_t *catalog_column(const cqrs_catalog_t *catalog,
    const cqrs_relation_t *relation, const char *name);
static const cqrs_function_t *catalog_function(const cqrs_catalog_t *catalog,
    const char *name);
static const char *catalog_similar(const cqrs_catalog_t *catalog,
    const char *name);
static int catalog_computed(const cqrs_catalog_t *catalog,
    const char *relation, const char *name);


/*
 * 1 people, 2 orders, 3 hidden base of the views 4 and 5, 6 tags, 7 the
 * junction of people and tags, 8 settings of people.
 */

static const catalog_row_t  catalog_rows[] = {
    { RELATION, "2", "api", "orders", "r", "true", "true", "true", "true" },
    { RELATION, "1", "api", "people", "r", "true", "true", "true", "true",
      "Who" },
    { RELATION, "4", "api", "seen", "v", "true", "true", "false", "false" },
    { RELATION, "5", "api", "seen_twice", "v", "true" },
    { RELATION, "6", "api", "tags", "r", "true" },
    { RELATION, "7", "api", "tagged", "r", "true" },
    { RELATION, "8", "api", "settings", "r", "true" },
    { RELATION, "9", "two", "people", "m", "true" },
    { RELATION, "10", "back", "people", "r", "false" },

    { COLUMN, "1", "1", "id", "bigint", "bigint", NULL, NULL, NULL, NULL,
      "false" },
    { COLUMN, "1", "3", "colour", "api.colour", "integer", "api", "to_json",
      "api", "of_text", "true", NULL, "1", NULL, "Its colour" },
    { COLUMN, "1", "2", "parent", "character varying(20)",
      "character varying", NULL, NULL, NULL, NULL, "true", "20" },
    { COLUMN, "2", "1", "id", "integer", "integer" },
    { COLUMN, "2", "2", "bill", "integer", "integer" },
    { COLUMN, "2", "3", "send", "integer", "integer" },
    { COLUMN, "4", "1", "one", "integer", "integer" },
    { COLUMN, "4", "2", "two", "integer", "integer" },
    { COLUMN, "5", "1", "x", "integer", "integer" },
    { COLUMN, "5", "2", "y", "integer", "integer" },
    { COLUMN, "5", "3", "z", "integer", "integer" },
    { COLUMN, "6", "1", "a", "integer", "integer" },
    { COLUMN, "6", "2", "b", "integer", "integer" },
    { COLUMN, "7", "1", "person", "integer", "integer" },
    { COLUMN, "7", "2", "tag_a", "integer", "integer" },
    { COLUMN, "7", "3", "tag_b", "integer", "integer" },
    { COLUMN, "8", "1", "id", "integer", "integer" },
    { COLUMN, "9", "1", "other", "uuid", "uuid" },
    { COLUMN, "10", "1", "secret", "text", "text" },
    { COLUMN, "99", "1", "of nothing", "text", "text" },

    { ORIGIN, "4", "1", "3", "1" },
    { ORIGIN, "4", "2", "3", "2" },
    { ORIGIN, "5", "1", "4", "1" },
    { ORIGIN, "5", "2", "4", "2" },
    { ORIGIN, "5", "3", "4", "2" },

    { PRIMARY, "1", "1" },
    { PRIMARY, "2", "1" },
    { PRIMARY, "3", "1" },
    { PRIMARY, "6", "1 2" },
    { PRIMARY, "7", "1 2 3" },
    { PRIMARY, "8", "1" },

    { FOREIGN, "2", "2", "1", "1", "orders_bill", "false" },
    { FOREIGN, "2", "3", "1", "1", "orders_send", "false" },
    { FOREIGN, "1", "2", "1", "1", "people_parent", "false" },
    { FOREIGN, "3", "2", "6", "1", "seen_tag", "false" },
    { FOREIGN, "3", "3", "1", "1", "seen_unseen", "false" },
    { FOREIGN, "7", "1", "1", "1", "tagged_person", "false" },
    { FOREIGN, "7", "2 3", "6", "1 2", "tagged_tag", "false" },
    { FOREIGN, "8", "1", "1", "1", "settings_person", "true" },

    { FUNCTION, "20", "api", "find", "v", "true", "true", "api", "people",
      "1" },
    { FUNCTION, "21", "api", "find", "s", "false", "false", "pg_catalog",
      "void", NULL, "Finds" },
    { FUNCTION, "22", "api", "add", "i", "false", "false", "pg_catalog",
      "int4" },
    { FUNCTION, "23", "two", "find", "i", "true", "true", "back", "people",
      "10" },

    { PARAMETER, "20", "name", "character varying", "character", "true" },
    { PARAMETER, "20", "rest", "text[]", "text[]", "false", "true" },
    { PARAMETER, "99", "name", "text", "text", "true" },
    { SETTING, "20", "work_mem", "5MB" },

    { FIELD, "1", "initial" },
    { FIELD, "1", "initial" },
    { FIELD, "99", "initial" },

    { COMPUTED, "2", "1", "api", "people", "true" },
    { COMPUTED, "6", "1", "api", "found", "false" },

    { HANDLER, "api", "page", "false", NULL, NULL, "text/html", "api",
      "text/html" },
    { HANDLER, "api", "rows", "true", "api", "people", "text/x", "api",
      "text/x" },

    { "77", "0", "of a later version" }
};


static void
catalog_finds_by_schema_and_name(void **state)
{
    cqrs_catalog_t         *catalog = *state;
    const cqrs_relation_t  *relation;

    assert_int_equal(cqrs_catalog_relations(catalog), 8);

    relation = catalog_relation(catalog, "api", "people");
    assert_non_null(relation);
    assert_int_equal(relation->kind, 'r');
    assert_true(cqrs_str_is(&relation->schema, "api"));
    assert_true(cqrs_str_is(&relation->key.name, "people"));
    assert_true(cqrs_str_is(&relation->comment, "Who"));

    relation = catalog_relation(catalog, "two", "people");
    assert_non_null(relation);
    assert_int_equal(relation->kind, 'm');
    assert_null(relation->comment.data);

    relation = catalog_relation(catalog, "api", "seen");
    assert_true(relation->insertable);
    assert_false(relation->updatable);

    assert_null(catalog_relation(catalog, "api", "People"));
    assert_null(catalog_relation(catalog, "api", "peopl"));
    assert_null(catalog_relation(catalog, "api", ""));
    assert_null(catalog_relation(catalog, "api", "find"));
    assert_null(catalog_relation(catalog, "two", "tags"));
    assert_null(catalog_relation(catalog, "three", "people"));
    assert_null(catalog_relation(catalog, "", "api"));
}


static void
catalog_hides_what_is_not_exposed(void **state)
{
    cqrs_str_t              back = catalog_str("back");
    cqrs_catalog_t         *catalog = *state;
    const cqrs_function_t  *function;

    assert_null(catalog_relation(catalog, "back", "people"));
    assert_null(cqrs_catalog_next_relation(catalog, &back, NULL));

    function = cqrs_catalog_next_function(catalog,
                                   &(cqrs_str_t) { 3, "two" }, NULL);

    assert_non_null(function->relation);
    assert_true(cqrs_str_is(&function->relation->schema, "back"));
    assert_non_null(catalog_column(catalog, function->relation, "secret"));
}


static void
catalog_finds_columns_of_their_relation(void **state)
{
    cqrs_catalog_t         *catalog = *state;
    const cqrs_column_t    *column;
    const cqrs_relation_t  *people;

    people = catalog_relation(catalog, "api", "people");

    column = catalog_column(catalog, people, "parent");
    assert_non_null(column);
    assert_ptr_equal(column->relation, people);
    assert_true(cqrs_str_is(&column->type, "character varying(20)"));
    assert_true(cqrs_str_is(&column->base, "character varying"));
    assert_int_equal(column->max_length, 20);
    assert_true(column->nullable);
    assert_null(column->fallback.data);
    assert_false(column->primary);

    column = catalog_column(catalog, people, "id");
    assert_int_equal(column->max_length, -1);
    assert_false(column->nullable);
    assert_null(column->to_json.name.data);
    assert_true(column->primary);

    column = catalog_column(catalog, people, "colour");
    assert_true(cqrs_str_is(&column->to_json.name, "to_json"));
    assert_true(cqrs_str_is(&column->from_text.name, "of_text"));
    assert_true(cqrs_str_is(&column->fallback, "1"));
    assert_true(cqrs_str_is(&column->comment, "Its colour"));
    assert_true(people->representations);

    assert_null(catalog_column(catalog, people, "send"));
    assert_null(catalog_column(catalog, people, ""));
    assert_null(catalog_column(catalog,
                               catalog_relation(catalog, "two", "people"),
                               "id"));
}


static void
catalog_keeps_the_order_of_columns(void **state)
{
    cqrs_catalog_t       *catalog = *state;
    const cqrs_column_t  *column;

    column = catalog_relation(catalog, "api", "people")->columns;

    assert_true(cqrs_str_is(&column->key.name, "id"));
    assert_int_equal(column->number, 0);

    column = column->next;
    assert_true(cqrs_str_is(&column->key.name, "colour"));
    assert_int_equal(column->number, 1);

    assert_null(column->next->next);
}


static void
catalog_walks_in_the_order_of_names(void **state)
{
    int                     i;
    cqrs_str_t              api = catalog_str("api");
    cqrs_catalog_t         *catalog = *state;
    const cqrs_function_t  *function;
    const cqrs_relation_t  *relation;

    static const char *const  names[] = {
        "orders", "people", "seen", "seen_twice", "settings", "tagged", "tags"
    };

    relation = NULL;

    for (i = 0; i < 7; i++) {
        relation = cqrs_catalog_next_relation(catalog, &api, relation);
        assert_non_null(relation);
        assert_true(cqrs_str_is(&relation->key.name, names[i]));
    }

    assert_null(cqrs_catalog_next_relation(catalog, &api, relation));

    function = cqrs_catalog_next_function(catalog, &api, NULL);
    assert_true(cqrs_str_is(&function->key.name, "add"));
    function = cqrs_catalog_next_function(catalog, &api, function);
    assert_true(cqrs_str_is(&function->key.name, "find"));
    assert_null(cqrs_catalog_next_function(catalog, &api, function));
}


static void
catalog_relates_keys(void **state)
{
    cqrs_catalog_t  *catalog = *state;

    catalog_related(catalog, "api", "people",
        "1:n orders orders_bill (id=bill)\n"
        "1:n orders orders_send (id=send)\n"
        "1:n people people_parent (id=parent) self\n"
        "n:1 people people_parent (parent=id) self\n"
        "1:1 settings settings_person (id=id) parent\n"
        "1:n tagged tagged_person (id=person)\n"
        "n:m tags tagged_person (id=person)"
            " tagged tagged_tag (tag_a=a,tag_b=b)\n");

    catalog_related(catalog, "api", "settings",
        "1:1 people settings_person (id=id)\n");
}


static void
catalog_relates_through_a_junction(void **state)
{
    cqrs_catalog_t  *catalog = *state;

    catalog_related(catalog, "api", "tagged",
        "n:1 people tagged_person (person=id)\n"
        "n:1 tags tagged_tag (tag_a=a,tag_b=b)\n");
}


/* The base table of the views is hidden, and its third column not shown. */

static void
catalog_relates_views_by_all_they_show(void **state)
{
    cqrs_catalog_t         *catalog = *state;
    const cqrs_relation_t  *view;

    catalog_related(catalog, "api", "seen",
        "n:1 tags seen_tag (two=a)\n");
    catalog_related(catalog, "api", "seen_twice",
        "n:1 tags seen_tag (y=a)\n"
        "n:1 tags seen_tag (z=a)\n");

    view = catalog_relation(catalog, "api", "seen_twice");
    assert_true(catalog_column(catalog, view, "x")->primary);
    assert_false(catalog_column(catalog, view, "y")->primary);
}


/* Those to people are replaced by a function people(orders). */

static void
catalog_prefers_computed_relationships(void **state)
{
    cqrs_catalog_t  *catalog = *state;

    catalog_related(catalog, "api", "orders",
        "api.people() people single\n");
    catalog_related(catalog, "api", "tags",
        "n:m people tagged_tag (a=tag_a,b=tag_b)"
            " tagged tagged_person (person=id)\n"
        "1:n seen seen_tag (a=two)\n"
        "1:n seen_twice seen_tag (a=y)\n"
        "1:n seen_twice seen_tag (a=z)\n"
        "1:n tagged tagged_tag (a=tag_a,b=tag_b)\n"
        "api.found() people\n");
}


static void
catalog_finds_functions_with_fewer_parameters_first(void **state)
{
    cqrs_catalog_t         *catalog = *state;
    const cqrs_function_t  *function;

    function = catalog_function(catalog, "find");
    assert_non_null(function);
    assert_int_equal(function->nparameters, 0);
    assert_int_equal(function->volatility, 's');
    assert_true(function->nothing);
    assert_false(function->set);
    assert_null(function->relation);
    assert_true(cqrs_str_is(&function->comment, "Finds"));

    function = function->next;
    assert_non_null(function);
    assert_null(function->next);
    assert_int_equal(function->nparameters, 2);
    assert_true(function->set && function->composite);
    assert_ptr_equal(function->relation,
                     catalog_relation(catalog, "api", "people"));

    assert_true(cqrs_str_is(&function->parameters->name, "name"));
    assert_true(cqrs_str_is(&function->parameters->type,
                            "character varying"));
    assert_true(cqrs_str_is(&function->parameters->declared, "character"));
    assert_true(function->parameters->required);
    assert_false(function->parameters->variadic);
    assert_false(function->parameters->next->required);
    assert_true(function->parameters->next->variadic);

    assert_true(cqrs_str_is(&function->settings->name, "work_mem"));
    assert_true(cqrs_str_is(&function->settings->value, "5MB"));

    assert_null(catalog_function(catalog, "people"));
    assert_null(catalog_function(catalog, "fin"));
}


static void
catalog_knows_computed_fields(void **state)
{
    cqrs_catalog_t  *catalog = *state;

    assert_true(catalog_computed(catalog, "people", "initial"));
    assert_false(catalog_computed(catalog, "people", "id"));
    assert_false(catalog_computed(catalog, "orders", "initial"));
}


static void
catalog_knows_handlers(void **state)
{
    cqrs_catalog_t        *catalog = *state;
    const cqrs_handler_t  *handler;

    handler = cqrs_catalog_handlers(catalog);
    assert_true(cqrs_str_is(&handler->media, "text/html"));
    assert_false(handler->aggregate);
    assert_null(handler->relation.name.data);

    handler = handler->next;
    assert_true(cqrs_str_is(&handler->function.name, "rows"));
    assert_true(handler->aggregate);
    assert_true(cqrs_str_is(&handler->relation.name, "people"));
    assert_null(handler->next);
}


static void
catalog_knows_what_is_similar(void **state)
{
    char                    text[200];
    cqrs_str_t              api = catalog_str("api");
    cqrs_catalog_t         *catalog = *state;
    const cqrs_function_t  *function;

    assert_string_equal(catalog_similar(catalog, "settingx"), "settings");
    assert_string_equal(catalog_similar(catalog, "setings"), "settings");
    assert_string_equal(catalog_similar(catalog, "peopl"), "people");

    assert_null(catalog_similar(catalog, "sexxxngs"));
    assert_null(catalog_similar(catalog, "ta"));
    assert_null(catalog_similar(catalog, ""));

    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    assert_null(catalog_similar(catalog, text));

    function = cqrs_catalog_similar_function(catalog, &api,
                                             &(cqrs_str_t) { 5, "finds" });
    assert_non_null(function);
    assert_true(cqrs_str_is(&function->key.name, "find"));
}


static void
catalog_is_empty_without_rows(void **state)
{
    cqrs_catalog_t  *catalog;

    (void) state;

    catalog = catalog_of(NULL, 0);
    assert_non_null(catalog);
    assert_int_equal(cqrs_catalog_relations(catalog), 0);
    assert_null(catalog_relation(catalog, "api", "people"));
    assert_null(cqrs_catalog_handlers(catalog));

    cqrs_catalog_unref(catalog);
}


/* Rows that are not there, keys of two lengths, views upon each other. */

static void
catalog_survives_what_can_not_be(void **state)
{
    cqrs_catalog_t  *catalog;

    static const catalog_row_t  rows[] = {
        { RELATION, "1", "api", "a", "v", "true" },
        { RELATION, "2", "api", "b", "v", "true" },
        { COLUMN, "1", "1", "x", "integer", "integer" },
        { COLUMN, "2", "1", "y", "integer", "integer" },
        { ORIGIN, "1", "1", "2", "1" },
        { ORIGIN, "2", "1", "1", "1" },
        { PRIMARY, "1", "" },
        { PRIMARY, "9", "1" },
        { FOREIGN, "1", "1", "2", "1 2", "uneven", "false" },
        { FOREIGN, "1", "1", "9", "1", "nowhere", "false" },
        { COMPUTED, "1", "9", "api", "f", "true" },
        { FUNCTION, "1", "api", "f", "i", "false", "false", "api", "t",
          "9" },
        { NULL },
        { "x" }
    };

    (void) state;

    catalog = catalog_of(rows, sizeof(rows) / sizeof(rows[0]));
    assert_non_null(catalog);
    assert_null(catalog_relation(catalog, "api", "a")->relationships);

    cqrs_catalog_unref(catalog);
}


static void
catalog_finds_all_of_many(void **state)
{
    int                      i, j;
    char                     number[32], place[32], relation[32], column[32];
    const char              *row[CQRS_CATALOG_SQL_COLUMNS] = { NULL };
    cqrs_catalog_t          *catalog;
    cqrs_catalog_load_t     *load;
    const cqrs_relation_t   *found;

    (void) state;

    load = cqrs_catalog_load_create();
    assert_non_null(load);

    for (i = 0; i < 2000; i++) {
        snprintf(number, sizeof(number), "%d", i);
        snprintf(relation, sizeof(relation), "relation_%d", i);

        row[0] = "1";
        row[2] = number;
        row[3] = "api";
        row[4] = relation;
        row[5] = "r";
        row[6] = "true";
        assert_int_equal(cqrs_catalog_load_add(load, row), 0);

        for (j = 0; j < 10; j++) {
            snprintf(place, sizeof(place), "%d", j + 1);
            snprintf(column, sizeof(column), "column_%d_%d", i, j);

            row[0] = "2";
            row[3] = place;
            row[4] = column;
            row[5] = "text";
            assert_int_equal(cqrs_catalog_load_add(load, row), 0);
        }
    }

    catalog = cqrs_catalog_load_end(load);
    assert_non_null(catalog);
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

    catalog = catalog_of(catalog_rows, 3);
    assert_non_null(catalog);

    cqrs_catalog_ref(catalog);
    cqrs_catalog_unref(catalog);
    assert_non_null(catalog_relation(catalog, "api", "people"));

    cqrs_catalog_unref(catalog);
    cqrs_catalog_unref(NULL);
}


static void
catalog_may_be_given_up(void **state)
{
    cqrs_catalog_load_t  *load;

    (void) state;

    load = cqrs_catalog_load_create();
    assert_non_null(load);
    assert_int_equal(cqrs_catalog_load_add(load, catalog_rows[0]), 0);

    cqrs_catalog_load_destroy(load);
    cqrs_catalog_load_destroy(NULL);
}


#define catalog_test(name)                                                   \
    cmocka_unit_test_setup_teardown(name, catalog_small, catalog_free)


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        catalog_test(catalog_finds_by_schema_and_name),
        catalog_test(catalog_hides_what_is_not_exposed),
        catalog_test(catalog_finds_columns_of_their_relation),
        catalog_test(catalog_keeps_the_order_of_columns),
        catalog_test(catalog_walks_in_the_order_of_names),
        catalog_test(catalog_relates_keys),
        catalog_test(catalog_relates_through_a_junction),
        catalog_test(catalog_relates_views_by_all_they_show),
        catalog_test(catalog_prefers_computed_relationships),
        catalog_test(catalog_finds_functions_with_fewer_parameters_first),
        catalog_test(catalog_knows_computed_fields),
        catalog_test(catalog_knows_handlers),
        catalog_test(catalog_knows_what_is_similar),
        cmocka_unit_test(catalog_is_empty_without_rows),
        cmocka_unit_test(catalog_survives_what_can_not_be),
        cmocka_unit_test(catalog_finds_all_of_many),
        cmocka_unit_test(catalog_stays_while_somebody_holds_it),
        cmocka_unit_test(catalog_may_be_given_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}


static int
catalog_small(void **state)
{
    *state = catalog_of(catalog_rows,
                        sizeof(catalog_rows) / sizeof(catalog_rows[0]));

    return *state ? 0 : -1;
}


static int
catalog_free(void **state)
{
    cqrs_catalog_unref(*state);

    return 0;
}


static cqrs_catalog_t *
catalog_of(const catalog_row_t *rows, size_t n)
{
    size_t                i;
    cqrs_catalog_load_t  *load;

    load = cqrs_catalog_load_create();
    if (load == NULL) {
        return NULL;
    }

    for (i = 0; i < n; i++) {
        if (cqrs_catalog_load_add(load, rows[i]) != 0) {
            cqrs_catalog_load_destroy(load);
            return NULL;
        }
    }

    return cqrs_catalog_load_end(load);
}


static const cqrs_column_t *
catalog_column(const cqrs_catalog_t *catalog, const cqrs_relation_t *relation,
    const char *name)
{
    cqrs_str_t  n = catalog_str(name);

    return cqrs_catalog_column(catalog, relation, &n);
}


static const cqrs_function_t *
catalog_function(const cqrs_catalog_t *catalog, const char *name)
{
    cqrs_str_t  s = catalog_str("api");
    cqrs_str_t  n = catalog_str(name);

    return cqrs_catalog_function(catalog, &s, &n);
}


static const char *
catalog_similar(const cqrs_catalog_t *catalog, const char *name)
{
    cqrs_str_t              s = catalog_str("api");
    cqrs_str_t              n = catalog_str(name);
    const cqrs_relation_t  *relation;

    relation = cqrs_catalog_similar(catalog, &s, &n);

    return relation ? relation->key.name.data : NULL;
}


static int
catalog_computed(const cqrs_catalog_t *catalog, const char *relation,
    const char *name)
{
    cqrs_str_t  n = catalog_str(name);

    return cqrs_catalog_computed(catalog,
                                 catalog_relation(catalog, "api", relation),
                                 &n);
}
