
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * No text of a request changes the shape of its SQL.
 *
 * Requests are made at random, each of them twice: wherever a client's own
 * words go, one has harmless words and the other has hostile ones.  Postgres'
 * parser reads what is planned for both, and the trees must be equal, but for
 * the places where words are meant to be: names of output columns, and of
 * types of casts.
 *
 * CQRS_SEED repeats a run, CQRS_SHAPES says how many requests it has.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "query_shape.h"


#define SHAPES        1500
#define SHAPE_PATH    4096
#define SHAPE_DEPTH   3

/* A request is a select and the rest of it. */
#define SELECT        0
#define REST          1


typedef struct {
    const char    *text;
    int            relation;
    int            to_one;
} shape_embed_t;


typedef struct {
    const char    *name;
    const char    *columns[6];
    const char    *json;
    shape_embed_t  embeds[8];
} shape_relation_t;


typedef struct {
    char           text[2][SHAPE_PATH];
} shape_path_t;


static void shape_of(const char *name, int relation);
static void shape_node(int relation, int depth, const shape_path_t *path,
    int grouped);
static void shape_items(const shape_relation_t *relation, int grouped);
static void shape_embed(const shape_relation_t *relation,
    const shape_embed_t *embed, int depth, const shape_path_t *path,
    int grouped);
static void shape_filter(const shape_relation_t *relation,
    const shape_path_t *path);
static void shape_logic(const shape_relation_t *relation,
    const shape_path_t *path);
static void shape_range(const shape_relation_t *relation,
    const shape_path_t *path);
static const char *shape_column(const shape_relation_t *relation);
static void shape_put(int part, const char *text);
static void shape_put_path(int part, const shape_path_t *path);
static void shape_key(const shape_path_t *path, const char *key);
static int shape_hole(int part, shape_place_e place);
static void shape_put_hole(int part, int hole);
static void shape_check(void);
static char *shape_plan(const char *url, size_t *nparams);
static void shape_whole(void);


static const shape_relation_t  relations[] = {
    { "customers", { "id", "name", "country", "rating", "born" }, NULL,
      { { "orders", 1, 0 }, { "settings", 5, 1 }, { "countries", 6, 1 },
        { "paid_orders", 1, 0 }, { "last_order", 1, 1 },
        { "products!favourites", 2, 0 }, { "referrer", 0, 1 } } },
    { "orders", { "id", "status", "placed", "customer_id" }, "notes",
      { { "customers", 0, 1 }, { "order_lines", 3, 0 },
        { "products!order_lines", 2, 0 },
        { "buyer", 0, 1 } } },
    { "products", { "id", "name", "price", "colour", "sku" }, "data",
      { { "categories", 4, 1 }, { "order_lines", 3, 0 },
        { "customers!ratings", 0, 0 }, { "orders!order_lines", 1, 0 } } },
    { "order_lines", { "order_id", "product_id", "quantity" }, NULL,
      { { "orders", 1, 1 }, { "products", 2, 1 } } },
    { "categories", { "id", "name", "parent" }, NULL,
      { { "categories", 4, 0 }, { "parent", 4, 1 }, { "products", 2, 0 } } },
    { "settings", { "customer_id", "theme", "newsletter" }, NULL,
      { { "customers", 0, 1 } } },
    { "countries", { "code", "name" }, NULL, { { "customers", 0, 0 } } },
    { "Odd Names", { "%22select%22", "%22a.b,c:d(e)%22", "_t",
                     "%22with%20%5C%22quote%22" }, NULL, { { NULL, 0, 0 } } }
};


static const struct {
    const char  *name;
    int          relation;
} functions[] = {
    { "rpc/products_below", 2 }, { "rpc/customers_of", 0 },
    { "rpc/join_with", -1 }, { "rpc/hello", -1 }
};


static char           text[2][2][SHAPE_TEXT];


static void
shape_stays_whatever_a_client_says(void **state)
{
    int          i, n, function;
    const char  *seed, *count;

    (void) state;

    seed = getenv("CQRS_SEED");
    count = getenv("CQRS_SHAPES");

    shape_state = seed ? (uint32_t) strtoul(seed, NULL, 10)
                       : (uint32_t) time(NULL);
    n = count ? atoi(count) : SHAPES;

    plan_strict = 1;                       /* or a name means two embeds */

    print_message("# CQRS_SEED=%u\n", shape_state);

    for (i = 0; i < n; i++) {

        plan_options.body = shape_random(CQRS_QUERY_BODY_NONE + 1);
        plan_options.handler = cqrs_catalog_handlers(shop);
        plan_options.count = shape_random(4);
        plan_options.strip_nulls = shape_random(8) == 0;
        plan_options.max_rows = shape_random(3) ? -1 : 100;
        plan_options.aggregates = 1;

        if (shape_random(5) == 0) {
            function = shape_random(count_of(functions));
            shape_of(functions[function].name, functions[function].relation);

        } else {
            function = shape_random(count_of(relations));
            shape_of(relations[function].name, function);
        }

        shape_check();
    }
}


/* What is no name of the catalogue's is refused, or only shown in an error. */

static void
shape_refuses_names_that_are_not_there(void **state)
{
    size_t       i, k;
    const char  *format;

    static const char *const  formats[] = {
        "%s", "customers?select=%s", "customers?select=a:%s,id",
        "customers?select=%s(id)", "customers?select=x:%s(id)",
        "customers?select=...%s(id)", "customers?select=orders!%s(id)",
        "customers?select=%s->a", "customers?select=%s.sum()",
        "customers?%s=eq.1", "customers?or=(%s.eq.1)", "customers?order=%s",
        "customers?select=orders(id)&orders.%s=eq.1",
        "customers?select=orders(id)&orders.order=%s",
        "customers?select=countries(name)&order=countries(%s)",
        "customers?select=countries(name)&order=%s(name)",
        "customers?%s.limit=1", "rpc/%s", "rpc/hello?%s=1",
        "rpc/all_products?select=%s", "rpc/all_products?select=%s(id)",
        "customers?select=id::%s", "customers?name=fts(%s).a"
    };

    (void) state;

    plan_options.aggregates = 1;

    for (i = 0; i < count_of(formats); i++) {

        for (k = 0; k < count_of(hostile); k++) {

            format = formats[i];
            nholes = 0;

            if (strcmp(hostile[k], "count") == 0) {
                continue;                  /* of rows, as a column */
            }

            strcpy(holes[0].word[HOSTILE], hostile[k]);
            holes[0].place = SHAPE_QUOTED;
            nholes = 1;

            shape_write_hole(text[0][0], SHAPE_TEXT, 0, HOSTILE);
            snprintf(url[0], sizeof(url[0]), format, text[0][0]);

            if (plan_url(url[0]) == 0) {
                fail_msg("\"%s\" becomes %s", url[0], plan.main.text.data);
            }

            assert_true(plan_error.status >= 400);
        }
    }
}


/* A table that is named like a row of ours is joined as any other. */

static void
shape_is_not_changed_by_names_of_tables(void **state)
{
    size_t                    i;
    cqrs_catalog_t           *others;
    cqrs_catalog_load_t      *load;

    static const char *const  rows[][CQRS_CATALOG_SQL_COLUMNS] = {
        { "1", "0", "1", "shop", "_t1", "r", "true" },
        { "1", "0", "2", "shop", "_e1", "r", "true" },
        { "2", "1", "1", "1", "id", "integer", "integer" },
        { "2", "2", "1", "2", "other", "integer", "integer" },
        { "2", "1", "2", "1", "id", "integer", "integer" },
        { "4", "0", "2", "1" },
        { "5", "0", "1", "2", "2", "1", "key", "false" }
    };

    (void) state;

    load = cqrs_catalog_load_create();

    for (i = 0; i < count_of(rows); i++) {
        assert_int_equal(cqrs_catalog_load_add(load, rows[i]), 0);
    }

    others = shop;
    shop = cqrs_catalog_load_end(load);

    assert_int_equal(plan_url("_t1?select=id,_e1(id)"), 0);
    assert_non_null(strstr(plan.main.text.data, "from \"shop\".\"_t1\" _t0"
        " left join lateral (select _t1.\"id\" from \"shop\".\"_e1\" _t1"
        " where _t1.\"id\" = _t0.\"other\") _e1 on true"));

    assert_int_equal(plan_url("_e1?select=id,_t1(id)"), 0);
    assert_non_null(strstr(plan.main.text.data, "from \"shop\".\"_t1\" _t1"
        " where _t1.\"other\" = _t0.\"id\") _r) _e1 on true"));

    cqrs_catalog_unref(shop);
    shop = others;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(shape_stays_whatever_a_client_says, plan_reset),
        cmocka_unit_test_setup(shape_refuses_names_that_are_not_there,
                               plan_reset),
        cmocka_unit_test_setup(shape_is_not_changed_by_names_of_tables,
                               plan_reset),
    };

    return cmocka_run_group_tests(tests, plan_open, plan_close);
}


/* A request; a function without relation has arguments alone. */

static void
shape_of(const char *name, int relation)
{
    int           i;
    shape_path_t  path;

    memset(text, 0, sizeof(text));
    memset(&path, 0, sizeof(path));
    nholes = 0;

    if (relation >= 0) {
        shape_put(SELECT, "select=");
        shape_node(relation, 0, &path, shape_random(6) == 0);
    }

    if (strcmp(name, "rpc/products_below") == 0) {
        shape_put(REST, "&price=");
        shape_hole(REST, SHAPE_VALUE);
        shape_put(REST, "&category=");
        shape_hole(REST, SHAPE_VALUE);

    } else if (strcmp(name, "rpc/customers_of") == 0) {
        shape_put(REST, "&country=");
        shape_hole(REST, SHAPE_VALUE);

    } else if (strcmp(name, "rpc/hello") == 0) {
        shape_put(REST, "&name=");
        shape_hole(REST, SHAPE_VALUE);

    } else if (strcmp(name, "rpc/join_with") == 0) {
        shape_put(REST, "&separator=");
        shape_hole(REST, SHAPE_VALUE);
        shape_put(REST, "&words=");
        holes[shape_hole(REST, SHAPE_VALUE)].whole = 0;
        shape_put(REST, "&words=");
        holes[shape_hole(REST, SHAPE_VALUE)].whole = 0;
    }

    for (i = HARMLESS; i <= HOSTILE; i++) {
        assert_true(snprintf(url[i], sizeof(url[i]), "%s?%s%s", name,
                             text[SELECT][i], text[REST][i])
                    < (int) sizeof(url[i]));
    }
}


static void
shape_node(int relation, int depth, const shape_path_t *path, int grouped)
{
    int                      i;
    const shape_embed_t     *embed;
    const shape_relation_t  *of;

    of = &relations[relation];

    shape_items(of, grouped);

    for (embed = of->embeds, i = 0;
         i < (int) count_of(of->embeds) && embed->text && depth < SHAPE_DEPTH;
         i++, embed++)
    {
        if (shape_random(3) == 0) {
            shape_embed(of, embed, depth, path, grouped);
        }
    }

    for (i = shape_random(3); i; i--) {
        shape_filter(of, path);
    }

    if (shape_random(3) == 0) {
        shape_logic(of, path);
    }

    shape_range(of, path);
}


static void
shape_items(const shape_relation_t *relation, int grouped)
{
    int  i;

    /* the first column is always there, for others to sort by */

    shape_put(SELECT, relation->columns[0]);

    for (i = shape_random(4); i; i--) {

        shape_put(SELECT, ",");

        if (shape_random(2)) {
            shape_hole(SELECT, SHAPE_QUOTED);
            shape_put(SELECT, ":");
        }

        if (relation->json && shape_random(3) == 0) {
            shape_put(SELECT, relation->json);
            shape_put(SELECT, "->");
            shape_hole(SELECT, SHAPE_QUOTED);
            shape_put(SELECT, shape_random(2) ? "->1->>" : "->>");
            shape_hole(SELECT, SHAPE_QUOTED);

        } else {
            shape_put(SELECT, shape_column(relation));
        }

        if (shape_random(3) == 0) {
            shape_put(SELECT, "::");
            shape_hole(SELECT, SHAPE_TYPE);
        }

        if (grouped && shape_random(2)) {
            shape_put(SELECT, shape_random(2) ? ".max()" : ".sum()");

            if (shape_random(2)) {
                shape_put(SELECT, "::");
                shape_hole(SELECT, SHAPE_TYPE);
            }
        }
    }

    if (!grouped && shape_random(6) == 0) {
        shape_put(SELECT, ",*");
    }
}


static void
shape_embed(const shape_relation_t *relation, const shape_embed_t *embed,
    int depth, const shape_path_t *path, int grouped)
{
    int           i, alias, spread;
    char          name[2][SHAPE_WORD * 3];
    shape_path_t  inner;

    alias = -1;
    spread = (shape_random(4) == 0);

    shape_put(SELECT, spread ? ",..." : ",");

    for (i = HARMLESS; i <= HOSTILE; i++) {
        snprintf(name[i], sizeof(name[i]), "%.*s",
                 (int) strcspn(embed->text, "!"), embed->text);
    }

    /* a name of its own, or it would be that of a column, too */

    if (!spread) {
        alias = shape_new_hole(SHAPE_QUOTED);
        shape_put_hole(SELECT, alias);
        shape_put(SELECT, ":");

        for (i = HARMLESS; i <= HOSTILE; i++) {
            shape_write_hole(name[i], sizeof(name[i]), alias, i);
        }
    }

    for (i = HARMLESS; i <= HOSTILE; i++) {

        if (snprintf(inner.text[i], SHAPE_PATH, "%s%s.", path->text[i],
                     name[i])
            >= SHAPE_PATH)
        {
            fail_msg("%s", "a path is too long");
        }
    }

    shape_put(SELECT, embed->text);
    shape_put(SELECT, shape_random(4) ? "(" : "!inner(");

    shape_node(embed->relation, depth + 1, &inner,
               grouped && !spread && shape_random(2));

    shape_put(SELECT, ")");

    if (alias < 0) {
        return;
    }

    if (shape_random(4) == 0) {
        shape_put(REST, "&");
        shape_put_path(REST, path);
        shape_put_hole(REST, alias);
        shape_put(REST, shape_random(2) ? "=is.null" : "=not.is.null");
    }

    if (embed->to_one && shape_random(3) == 0) {
        shape_key(path, "order=");
        shape_put_hole(REST, alias);
        shape_put(REST, "(");
        shape_put(REST, relations[embed->relation].columns[0]);
        shape_put(REST, ").desc,");
        shape_put(REST, shape_column(relation));
    }
}


static void
shape_filter(const shape_relation_t *relation, const shape_path_t *path)
{
    int                       i;

    static const char *const  ops[] = {
        "eq", "neq", "gt", "gte", "lt", "lte", "match", "imatch", "isdistinct",
        "cs", "cd", "ov", "sl", "sr", "nxr", "nxl", "adj", "not.eq",
        "eq(any)", "lt(all)", "not.match(any)", "fts", "plfts", "not.phfts"
    };

    shape_key(path, "");

    if (relation->json && shape_random(4) == 0) {
        shape_put(REST, relation->json);
        shape_put(REST, "->");
        shape_hole(REST, SHAPE_QUOTED);
        shape_put(REST, "->>");
        shape_hole(REST, SHAPE_QUOTED);

    } else {
        shape_put(REST, shape_column(relation));
    }

    switch (shape_random(6)) {

    case 0:
        shape_put(REST, "=in.(");

        for (i = shape_random(4); i >= 0; i--) {
            shape_hole(REST, SHAPE_QUOTED);
            shape_put(REST, i ? "," : ")");
        }

        break;

    case 1:
        shape_put(REST, "=wfts(");
        shape_hole(REST, SHAPE_TYPE);
        shape_put(REST, ").");
        shape_hole(REST, SHAPE_VALUE);
        break;

    case 2:
        shape_put(REST, shape_random(2) ? "=like." : "=not.ilike(any).");
        holes[shape_hole(REST, SHAPE_VALUE)].whole = 0;
        break;

    default:
        shape_put(REST, "=");
        shape_put(REST, ops[shape_random(count_of(ops))]);
        shape_put(REST, ".");
        shape_hole(REST, SHAPE_VALUE);
        break;
    }
}


static void
shape_logic(const shape_relation_t *relation, const shape_path_t *path)
{
    shape_key(path, shape_random(2) ? "or=(" : "not.and=(");
    shape_put(REST, shape_column(relation));
    shape_put(REST, ".eq.");
    shape_hole(REST, SHAPE_QUOTED);
    shape_put(REST, ",not.and(");
    shape_put(REST, shape_column(relation));
    shape_put(REST, ".not.in.(");
    shape_hole(REST, SHAPE_QUOTED);
    shape_put(REST, "),");
    shape_put(REST, shape_column(relation));
    shape_put(REST, ".phfts(");
    shape_hole(REST, SHAPE_TYPE);
    shape_put(REST, ").");
    shape_hole(REST, SHAPE_QUOTED);
    shape_put(REST, "))");
}


static void
shape_range(const shape_relation_t *relation, const shape_path_t *path)
{
    if (shape_random(3) == 0) {
        shape_key(path, "order=");
        shape_put(REST, shape_column(relation));

        if (relation->json) {
            shape_put(REST, ".desc,");
            shape_put(REST, relation->json);
            shape_put(REST, "->");
            shape_hole(REST, SHAPE_QUOTED);
            shape_put(REST, ".asc.nullslast");
        }
    }

    /* below the highest number of rows, or above: both are limits */

    if (shape_random(3) == 0) {
        shape_key(path, "limit=");
        shape_hole(REST, SHAPE_NUMBER);
    }

    if (shape_random(3) == 0) {
        shape_key(path, "offset=");
        shape_hole(REST, SHAPE_NUMBER);
    }
}


static const char *
shape_column(const shape_relation_t *relation)
{
    size_t  n;

    for (n = 0; n < count_of(relation->columns) && relation->columns[n]; n++) {
        /* void */
    }

    return relation->columns[shape_random((int) n)];
}


static void
shape_put(int part, const char *more)
{
    int  i;

    for (i = HARMLESS; i <= HOSTILE; i++) {
        assert_true(strlen(text[part][i]) + strlen(more) < SHAPE_TEXT);
        strcat(text[part][i], more);
    }
}


static void
shape_put_path(int part, const shape_path_t *path)
{
    int  i;

    for (i = HARMLESS; i <= HOSTILE; i++) {
        assert_true(strlen(text[part][i]) + SHAPE_PATH < SHAPE_TEXT);
        strcat(text[part][i], path->text[i]);
    }
}


static void
shape_key(const shape_path_t *path, const char *key)
{
    shape_put(REST, "&");
    shape_put_path(REST, path);
    shape_put(REST, key);
}


static int
shape_hole(int part, shape_place_e place)
{
    int  hole;

    hole = shape_new_hole(place);
    shape_put_hole(part, hole);

    return hole;
}


static void
shape_put_hole(int part, int hole)
{
    int   i;
    char  word[SHAPE_WORD * 4];

    for (i = HARMLESS; i <= HOSTILE; i++) {
        shape_write_hole(word, sizeof(word), hole, i);
        assert_true(strlen(text[part][i]) + strlen(word) < SHAPE_TEXT);
        strcat(text[part][i], word);
    }
}


static void
shape_check(void)
{
    char    *estimate[2], *main[2];
    json_t  *one, *two;
    size_t   i, nparams[2];

    for (i = HARMLESS; i <= HOSTILE; i++) {

        main[i] = shape_plan(url[i], &nparams[i]);
        estimate[i] = plan.estimate.text.data
                      ? strdup(plan.estimate.text.data) : NULL;

        if (i == HOSTILE) {
            shape_whole();
        }
    }

    assert_int_equal(nparams[HARMLESS], nparams[HOSTILE]);

    one = shape_tree(main[HARMLESS]);
    two = shape_tree(main[HOSTILE]);
    shape_same(one, two, "");
    json_decref(one);
    json_decref(two);

    /* an estimate has no output at all, so not a letter differs */

    assert_int_equal(estimate[HARMLESS] == NULL, estimate[HOSTILE] == NULL);

    if (estimate[HARMLESS]) {
        assert_string_equal(estimate[HARMLESS], estimate[HOSTILE]);
    }

    for (i = HARMLESS; i <= HOSTILE; i++) {
        free(main[i]);
        free(estimate[i]);
    }
}


static char *
shape_plan(const char *request, size_t *nparams)
{
    if (plan_url(request) != 0) {
        shape_fail("is refused", plan_error.message.data);
    }

    *nparams = plan.main.nparams;

    return strdup(plan.main.text.data);
}


static void
shape_whole(void)
{
    size_t  i, k;

    for (i = 0; i < nholes; i++) {

        if (!holes[i].whole) {
            continue;
        }

        for (k = 0; k < plan.main.nparams; k++) {
            if (strcmp(plan.main.params[k], holes[i].word[HOSTILE]) == 0) {
                break;
            }
        }

        if (k == plan.main.nparams) {
            shape_fail("is no parameter", holes[i].word[HOSTILE]);
        }
    }
}


