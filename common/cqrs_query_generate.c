
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The tree becomes one select, and that becomes JSON:
 *
 *     select pg_catalog.count(*), coalesce(pg_catalog.json_agg(_t.*), '[]')
 *       from (select "api"."items"."id" from "api"."items"
 *              where "api"."items"."id" = $1 limit $2::bigint) _t
 *
 * The server finds the type of $1 by the column beside it, as it would for a
 * constant in quotes.
 */

#include "cqrs_query.h"
#include "cqrs_buf.h"


typedef struct {
    cqrs_buf_t              buf;
    cqrs_arena_t           *arena;
    const cqrs_catalog_t   *catalog;
    const cqrs_relation_t  *relation;
    cqrs_query_error_t     *error;

    const char            **params;
    size_t                  nparams;
} cqrs_query_generator_t;


static int cqrs_query_write_items(cqrs_query_generator_t *g,
    const cqrs_query_t *query);
static int cqrs_query_write_filters(cqrs_query_generator_t *g,
    const cqrs_query_t *query);
static int cqrs_query_write_filter(cqrs_query_generator_t *g,
    const cqrs_query_filter_t *filter);
static int cqrs_query_write_orders(cqrs_query_generator_t *g,
    const cqrs_query_t *query);
static int cqrs_query_write_range(cqrs_query_generator_t *g,
    const cqrs_query_t *query, const cqrs_query_options_t *options);
static int cqrs_query_write_number(cqrs_query_generator_t *g,
    const char *keyword, int64_t number);
static int cqrs_query_write_column(cqrs_query_generator_t *g,
    const cqrs_str_t *name);
static void cqrs_query_write_relation(cqrs_query_generator_t *g);
static void cqrs_query_write_name(cqrs_buf_t *buf, const cqrs_str_t *name);
static void cqrs_query_write_param(cqrs_query_generator_t *g,
    const char *value);
static const char *cqrs_query_array(cqrs_query_generator_t *g,
    const cqrs_query_value_t *values);
static size_t cqrs_query_count_params(const cqrs_query_t *query);
static int cqrs_query_no_column(cqrs_query_generator_t *g,
    const cqrs_str_t *name);


int
cqrs_query_generate(cqrs_query_sql_t *sql, const cqrs_query_t *query,
    const cqrs_catalog_t *catalog, const cqrs_relation_t *relation,
    const cqrs_query_options_t *options, cqrs_arena_t *arena,
    cqrs_query_error_t *error)
{
    cqrs_query_generator_t  g;

    memset(error, 0, sizeof(cqrs_query_error_t));

    g.arena = arena;
    g.catalog = catalog;
    g.relation = relation;
    g.error = error;
    g.nparams = 0;
    g.params = cqrs_arena_alloc(arena, cqrs_query_count_params(query)
                                       * sizeof(char *));
    if (g.params == NULL) {
        cqrs_query_no_memory(error);
        return -1;
    }

    cqrs_buf_init(&g.buf, arena);

    cqrs_buf_text(&g.buf, "select pg_catalog.count(*), ");
    cqrs_buf_text(&g.buf, options->head
                          ? "''"
                          : "coalesce(pg_catalog.json_agg(_t.*), '[]')");
    cqrs_buf_text(&g.buf, " from (select ");

    if (cqrs_query_write_items(&g, query) != 0) {
        return -1;
    }

    cqrs_buf_text(&g.buf, " from ");
    cqrs_query_write_relation(&g);

    if (cqrs_query_write_filters(&g, query) != 0
        || cqrs_query_write_orders(&g, query) != 0
        || cqrs_query_write_range(&g, query, options) != 0)
    {
        return -1;
    }

    cqrs_buf_text(&g.buf, ") _t");

    if (cqrs_buf_end(&g.buf, &sql->text) != 0) {
        cqrs_query_no_memory(error);
        return -1;
    }

    sql->nparams = g.nparams;
    sql->params = g.params;

    return 0;
}


void
cqrs_query_no_relation(cqrs_query_error_t *error,
    const cqrs_catalog_t *catalog, const cqrs_str_t *schema,
    const cqrs_str_t *name, cqrs_arena_t *arena)
{
    cqrs_buf_t              buf;
    const cqrs_relation_t  *similar;

    memset(error, 0, sizeof(cqrs_query_error_t));

    error->status = 404;
    error->code = "PGRST205";
    error->stale = 1;

    cqrs_buf_init(&buf, arena);
    cqrs_buf_text(&buf, "Could not find the table '");
    cqrs_buf_str(&buf, schema);
    cqrs_buf_text(&buf, ".");
    cqrs_buf_str(&buf, name);
    cqrs_buf_text(&buf, "' in the schema cache");

    if (cqrs_buf_end(&buf, &error->message) != 0) {
        cqrs_query_no_memory(error);
        return;
    }

    similar = cqrs_catalog_similar(catalog, schema, name);
    if (similar == NULL) {
        return;
    }

    cqrs_buf_init(&buf, arena);
    cqrs_buf_text(&buf, "Perhaps you meant the table '");
    cqrs_buf_str(&buf, &similar->schema);
    cqrs_buf_text(&buf, ".");
    cqrs_buf_str(&buf, &similar->key.name);
    cqrs_buf_text(&buf, "'");

    if (cqrs_buf_end(&buf, &error->hint) != 0) {
        cqrs_query_no_memory(error);
    }
}


static int
cqrs_query_write_items(cqrs_query_generator_t *g, const cqrs_query_t *query)
{
    const cqrs_query_item_t  *item;

    if (query->items == NULL) {
        cqrs_query_write_relation(g);
        cqrs_buf_text(&g->buf, ".*");
        return 0;
    }

    for (item = query->items; item; item = item->next) {

        if (item != query->items) {
            cqrs_buf_text(&g->buf, ", ");
        }

        if (item->column.data == NULL) {
            cqrs_query_write_relation(g);
            cqrs_buf_text(&g->buf, ".*");
            continue;
        }

        if (cqrs_query_write_column(g, &item->column) != 0) {
            return -1;
        }

        if (item->alias.data) {
            cqrs_buf_text(&g->buf, " as ");
            cqrs_query_write_name(&g->buf, &item->alias);
        }
    }

    return 0;
}


static int
cqrs_query_write_filters(cqrs_query_generator_t *g, const cqrs_query_t *query)
{
    const char                 *keyword;
    const cqrs_query_filter_t  *filter;

    keyword = " where ";

    for (filter = query->filters; filter; filter = filter->next) {

        cqrs_buf_text(&g->buf, keyword);
        keyword = " and ";

        if (cqrs_query_write_filter(g, filter) != 0) {
            return -1;
        }
    }

    return 0;
}


static int
cqrs_query_write_filter(cqrs_query_generator_t *g,
    const cqrs_query_filter_t *filter)
{
    const char  *array;

    cqrs_buf_text(&g->buf, filter->negated ? "not (" : "(");

    if (cqrs_query_write_column(g, &filter->column) != 0) {
        return -1;
    }

    cqrs_buf_text(&g->buf, filter->op->sql);

    switch (filter->op->kind) {

    case CQRS_QUERY_IS:
        cqrs_buf_text(&g->buf, filter->is);
        break;

    case CQRS_QUERY_LIST:
        array = cqrs_query_array(g, filter->values);
        if (array == NULL) {
            cqrs_query_no_memory(g->error);
            return -1;
        }

        cqrs_buf_text(&g->buf, "(");
        cqrs_query_write_param(g, array);
        cqrs_buf_text(&g->buf, ")");
        break;

    default:
        cqrs_query_write_param(g, filter->values->text.data);
        break;
    }

    cqrs_buf_text(&g->buf, ")");

    return 0;
}


static int
cqrs_query_write_orders(cqrs_query_generator_t *g, const cqrs_query_t *query)
{
    const char                *keyword;
    const cqrs_query_order_t  *order;

    keyword = " order by ";

    for (order = query->orders; order; order = order->next) {

        cqrs_buf_text(&g->buf, keyword);
        keyword = ", ";

        if (cqrs_query_write_column(g, &order->column) != 0) {
            return -1;
        }

        cqrs_buf_text(&g->buf, order->direction);
        cqrs_buf_text(&g->buf, order->nulls);
    }

    return 0;
}


static int
cqrs_query_write_range(cqrs_query_generator_t *g, const cqrs_query_t *query,
    const cqrs_query_options_t *options)
{
    int64_t  limit;

    limit = query->limit;

    if (options->max_rows >= 0 && (limit < 0 || limit > options->max_rows)) {
        limit = options->max_rows;
    }

    if (limit >= 0 && cqrs_query_write_number(g, " limit ", limit) != 0) {
        return -1;
    }

    if (query->offset > 0) {
        return cqrs_query_write_number(g, " offset ", query->offset);
    }

    return 0;
}


static int
cqrs_query_write_number(cqrs_query_generator_t *g, const char *keyword,
    int64_t number)
{
    cqrs_buf_t  buf;
    cqrs_str_t  text;

    cqrs_buf_init(&buf, g->arena);
    cqrs_buf_number(&buf, (size_t) number);

    if (cqrs_buf_end(&buf, &text) != 0) {
        cqrs_query_no_memory(g->error);
        return -1;
    }

    cqrs_buf_text(&g->buf, keyword);
    cqrs_query_write_param(g, text.data);
    cqrs_buf_text(&g->buf, "::bigint");

    return 0;
}


static int
cqrs_query_write_column(cqrs_query_generator_t *g, const cqrs_str_t *name)
{
    const cqrs_column_t  *column;

    column = cqrs_catalog_column(g->catalog, g->relation, name);
    if (column == NULL) {
        return cqrs_query_no_column(g, name);
    }

    cqrs_query_write_relation(g);
    cqrs_buf_text(&g->buf, ".");
    cqrs_query_write_name(&g->buf, &column->key.name);

    return 0;
}


static void
cqrs_query_write_relation(cqrs_query_generator_t *g)
{
    cqrs_query_write_name(&g->buf, &g->relation->schema);
    cqrs_buf_text(&g->buf, ".");
    cqrs_query_write_name(&g->buf, &g->relation->key.name);
}


static void
cqrs_query_write_name(cqrs_buf_t *buf, const cqrs_str_t *name)
{
    size_t  i, begin;

    cqrs_buf_text(buf, "\"");

    for (i = 0, begin = 0; i < name->len; i++) {
        if (name->data[i] == '"') {
            cqrs_buf_add(buf, name->data + begin, i - begin + 1);
            begin = i;                     /* once more */
        }
    }

    cqrs_buf_add(buf, name->data + begin, name->len - begin);
    cqrs_buf_text(buf, "\"");
}


static void
cqrs_query_write_param(cqrs_query_generator_t *g, const char *value)
{
    g->params[g->nparams++] = value;

    cqrs_buf_text(&g->buf, "$");
    cqrs_buf_number(&g->buf, g->nparams);
}


/* The text of an array of texts. */

static const char *
cqrs_query_array(cqrs_query_generator_t *g, const cqrs_query_value_t *values)
{
    size_t                     i;
    cqrs_buf_t                 buf;
    cqrs_str_t                 text;
    const cqrs_query_value_t  *value;

    cqrs_buf_init(&buf, g->arena);
    cqrs_buf_text(&buf, "{");

    for (value = values; value; value = value->next) {

        cqrs_buf_text(&buf, value == values ? "\"" : ",\"");

        for (i = 0; i < value->text.len; i++) {

            if (value->text.data[i] == '"' || value->text.data[i] == '\\') {
                cqrs_buf_text(&buf, "\\");
            }

            cqrs_buf_add(&buf, value->text.data + i, 1);
        }

        cqrs_buf_text(&buf, "\"");
    }

    cqrs_buf_text(&buf, "}");

    return (cqrs_buf_end(&buf, &text) == 0) ? text.data : NULL;
}


/* At most: one for each filter, the limit and the offset. */

static size_t
cqrs_query_count_params(const cqrs_query_t *query)
{
    size_t                      n;
    const cqrs_query_filter_t  *filter;

    n = 2;

    for (filter = query->filters; filter; filter = filter->next) {
        n++;
    }

    return n;
}


/* As Postgres says it. */

static int
cqrs_query_no_column(cqrs_query_generator_t *g, const cqrs_str_t *name)
{
    cqrs_buf_t  buf;

    g->error->status = 400;
    g->error->code = "42703";
    g->error->stale = 1;

    cqrs_buf_init(&buf, g->arena);
    cqrs_buf_text(&buf, "column ");
    cqrs_buf_str(&buf, &g->relation->key.name);
    cqrs_buf_text(&buf, ".");
    cqrs_buf_str(&buf, name);
    cqrs_buf_text(&buf, " does not exist");

    if (cqrs_buf_end(&buf, &g->error->message) != 0) {
        cqrs_query_no_memory(g->error);
    }

    return -1;
}
