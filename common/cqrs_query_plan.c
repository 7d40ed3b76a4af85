
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The whole statement: the select of the root becomes the body of the answer,
 * with the numbers of its rows beside it.
 *
 *     select null, count(*)::text, coalesce(json_agg(_t.*), '[]'), ...
 *       from (select ...) _t
 *
 * Here and elsewhere, no row is called by its name alone: it would be taken
 * for a column of that name, and a request may call one so.
 */

#include "cqrs_query_call.h"


typedef struct {
    cqrs_query_plan_t      *plan;
    cqrs_query_t           *query;
    cqrs_query_planner_t    planner;
    cqrs_query_writer_t     w;
    const cqrs_function_t  *function;        /* NULL: a relation is read */
    const cqrs_str_t       *text;            /* NULL: it is not given */
} cqrs_query_planning_t;


static void cqrs_query_planning_init(cqrs_query_planning_t *p,
    cqrs_query_plan_t *plan, cqrs_query_t *query,
    const cqrs_catalog_t *catalog, const cqrs_query_options_t *options,
    cqrs_arena_t *arena, cqrs_query_error_t *error);
static int cqrs_query_plan(cqrs_query_planning_t *p);
static int cqrs_query_plan_main(cqrs_query_planning_t *p);
static int cqrs_query_write_main(cqrs_query_planning_t *p);
static int cqrs_query_can_be_rows(const cqrs_query_planning_t *p);
static int cqrs_query_plan_rows(cqrs_query_planning_t *p);
static int cqrs_query_is_single(const cqrs_query_node_t *root);
static int cqrs_query_is_given(const cqrs_query_node_t *root,
    const cqrs_column_t *column);
static int cqrs_query_plan_estimate(cqrs_query_planning_t *p);
static int cqrs_query_write_source(cqrs_query_planning_t *p);
static int cqrs_query_write_root(cqrs_query_planning_t *p);
static int cqrs_query_write_total(cqrs_query_planning_t *p);
static void cqrs_query_write_page(cqrs_query_planning_t *p);
static void cqrs_query_write_body(cqrs_query_planning_t *p);
static void cqrs_query_write_body_json(cqrs_query_planning_t *p);
static void cqrs_query_write_body_csv(cqrs_query_planning_t *p);
static void cqrs_query_write_body_handler(cqrs_query_planning_t *p);


int
cqrs_query_plan_relation(cqrs_query_plan_t *plan, cqrs_query_t *query,
    const cqrs_catalog_t *catalog, const cqrs_relation_t *relation,
    const cqrs_query_options_t *options, cqrs_arena_t *arena,
    cqrs_query_error_t *error)
{
    cqrs_query_planning_t  p;

    cqrs_query_planning_init(&p, plan, query, catalog, options, arena, error);

    p.planner.schema = relation->schema;

    if (cqrs_query_relate(&p.planner, &query->root, relation,
                          &relation->key.name)
        != 0)
    {
        return -1;
    }

    return cqrs_query_plan(&p);
}


int
cqrs_query_plan_function(cqrs_query_plan_t *plan, cqrs_query_t *query,
    const cqrs_catalog_t *catalog, const cqrs_function_t *function,
    const cqrs_query_options_t *options, cqrs_arena_t *arena,
    cqrs_query_error_t *error)
{
    const cqrs_str_t       *origin;
    cqrs_query_planning_t   p;
    const cqrs_relation_t  *relation, *exposed;

    cqrs_query_planning_init(&p, plan, query, catalog, options, arena, error);

    p.function = function;
    p.planner.schema = function->schema;

    relation = function->relation;
    origin = &function->key.name;

    if (function->composite && relation == NULL) {
        origin = &function->type.name;
    }

    if (relation) {

        /* the relation of that name here, which may be embedded from */

        origin = &relation->key.name;
        exposed = cqrs_catalog_relation(catalog, &function->schema, origin);
        relation = exposed ? exposed : relation;
    }

    if (cqrs_query_relate(&p.planner, &query->root, relation, origin) != 0) {
        return -1;
    }

    return cqrs_query_plan(&p);
}


int
cqrs_query_plan_text(cqrs_query_plan_t *plan, const cqrs_str_t *text,
    const char *const *params, size_t nparams,
    const cqrs_query_options_t *options, cqrs_arena_t *arena,
    cqrs_query_error_t *error)
{
    size_t                  i;
    cqrs_query_t            query;
    cqrs_query_planning_t   p;

    memset(&query, 0, sizeof(cqrs_query_t));
    query.root.limit = -1;

    cqrs_query_planning_init(&p, plan, &query, NULL, options, arena, error);

    p.text = text;

    cqrs_query_write_init(&p.w, &p.planner);

    for (i = 0; i < nparams; i++) {
        cqrs_query_write_param(&p.w, params[i]);
    }

    /* the numbers stand in the text */

    p.w.buf.len = 0;

    return cqrs_query_write_main(&p);
}


static void
cqrs_query_planning_init(cqrs_query_planning_t *p, cqrs_query_plan_t *plan,
    cqrs_query_t *query, const cqrs_catalog_t *catalog,
    const cqrs_query_options_t *options, cqrs_arena_t *arena,
    cqrs_query_error_t *error)
{
    memset(plan, 0, sizeof(cqrs_query_plan_t));
    memset(error, 0, sizeof(cqrs_query_error_t));

    memset(p, 0, sizeof(cqrs_query_planning_t));

    p->plan = plan;
    p->query = query;
    p->planner.arena = arena;
    p->planner.catalog = catalog;
    p->planner.options = options;
    p->planner.error = error;
}


static int
cqrs_query_plan(cqrs_query_planning_t *p)
{
    const cqrs_query_options_t  *options;

    options = p->planner.options;

    if (cqrs_query_derive(&p->planner, &p->query->root) != 0) {
        return -1;
    }

    if (cqrs_query_can_be_rows(p) && cqrs_query_plan_rows(p) != 0) {
        return -1;
    }

    if (p->plan->columns == NULL && cqrs_query_plan_main(p) != 0) {
        return -1;
    }

    /* a guess at what a function gives would be a constant */

    if (p->function == NULL
        && (options->count == CQRS_QUERY_COUNT_PLANNED
            || options->count == CQRS_QUERY_COUNT_ESTIMATED))
    {
        return cqrs_query_plan_estimate(p);
    }

    return 0;
}


/*
 * A total, a function's result and grouped rows are left to SQL, and so is
 * what has columns that nobody has told us.
 */

static int
cqrs_query_can_be_rows(const cqrs_query_planning_t *p)
{
    const cqrs_query_node_t     *root, *child;
    const cqrs_query_output_t   *output;
    const cqrs_query_options_t  *options;

    root = &p->query->root;
    options = p->planner.options;

    if (options->body != CQRS_QUERY_BODY_ROWS
        || options->strip_nulls
        || options->explain
        || options->count == CQRS_QUERY_COUNT_EXACT
        || options->count == CQRS_QUERY_COUNT_ESTIMATED
        || p->function
        || root->embed->aggregated)
    {
        return 0;
    }

    for (child = root->children; child; child = child->next) {

        for (output = child->embed->outputs;
             child->spread && output;
             output = output->next)
        {
            if (output->name.data == NULL) {
                return 0;
            }
        }
    }

    return 1;
}


static int
cqrs_query_plan_rows(cqrs_query_planning_t *p)
{
    cqrs_query_writer_t  *w;

    w = &p->w;

    cqrs_query_write_init(w, &p->planner);

    w->rows = 1;
    p->query->root.embed->expanded = 1;

    if (cqrs_query_write_select(w, NULL, &p->query->root) != 0
        || cqrs_query_write_end(w, &p->plan->main) != 0)
    {
        return -1;
    }

    p->plan->columns = w->columns;
    p->plan->ncolumns = w->ncolumns;
    p->plan->settings = w->calls;
    p->plan->single = cqrs_query_is_single(&p->query->root);

    return 0;
}


/* Of a table: in a view the key of one may be there many times. */

static int
cqrs_query_is_single(const cqrs_query_node_t *root)
{
    int                     key;
    const cqrs_column_t    *column;
    const cqrs_relation_t  *relation;

    relation = root->embed->relation;

    if (relation == NULL || (relation->kind != 'r' && relation->kind != 'p')) {
        return 0;
    }

    key = 0;

    for (column = relation->columns; column; column = column->next) {

        if (!column->primary) {
            continue;
        }

        if (!cqrs_query_is_given(root, column)) {
            return 0;
        }

        key = 1;
    }

    return key;
}


static int
cqrs_query_is_given(const cqrs_query_node_t *root, const cqrs_column_t *column)
{
    const cqrs_query_logic_t   *logic;
    const cqrs_query_filter_t  *filter;

    for (logic = root->logic; logic; logic = logic->next) {
        filter = &logic->filter;

        if (logic->kind == CQRS_QUERY_FILTER
            && filter->op == CQRS_QUERY_EQ
            && filter->quantifier == CQRS_QUERY_NO_QUANTIFIER
            && !filter->negated
            && filter->field.path == NULL
            && cqrs_str_equal(&filter->field.name, &column->key.name))
        {
            return 1;
        }
    }

    return 0;
}


static int
cqrs_query_plan_main(cqrs_query_planning_t *p)
{
    cqrs_query_write_init(&p->w, &p->planner);

    return cqrs_query_write_main(p);
}


static int
cqrs_query_write_main(cqrs_query_planning_t *p)
{
    cqrs_query_writer_t  *w;

    w = &p->w;

    if (w->options->explain) {
        cqrs_buf_text(&w->buf, "explain (");
        cqrs_buf_text(&w->buf, w->options->explain);
        cqrs_buf_text(&w->buf, ") ");
    }

    if (cqrs_query_write_source(p) != 0) {
        return -1;
    }

    cqrs_buf_text(&w->buf, "select ");

    if (cqrs_query_write_total(p) != 0) {
        return -1;
    }

    cqrs_buf_text(&w->buf, ", ");
    cqrs_query_write_page(p);
    cqrs_buf_text(&w->buf, ", ");
    cqrs_query_write_body(p);

    cqrs_buf_text(&w->buf,
        ", nullif(pg_catalog.current_setting('response.headers', true), '')"
        ", nullif(pg_catalog.current_setting('response.status', true), '')"
        " from (");

    if (w->options->body == CQRS_QUERY_BODY_CSV) {
        cqrs_buf_text(&w->buf, "select * from _s");

    } else if (cqrs_query_write_root(p) != 0) {
        return -1;
    }

    cqrs_buf_text(&w->buf, ") _t");

    return cqrs_query_write_end(w, &p->plan->main);
}


static int
cqrs_query_plan_estimate(cqrs_query_planning_t *p)
{
    cqrs_query_writer_t  *w;

    w = &p->w;

    cqrs_query_write_init(w, &p->planner);

    cqrs_buf_text(&w->buf, "explain (format json) ");

    if (cqrs_query_write_rows(w, NULL, &p->query->root) != 0) {
        return -1;
    }

    return cqrs_query_write_end(w, &p->plan->estimate);
}


/* A function is called once, however often its rows are looked at. */

static int
cqrs_query_write_source(cqrs_query_planning_t *p)
{
    const char           *keyword;
    cqrs_query_writer_t  *w;

    w = &p->w;
    keyword = "with ";

    if (p->function) {
        cqrs_buf_text(&w->buf, "with _c as (");

        if (cqrs_query_write_call(w, p->function, p->query) != 0) {
            return -1;
        }

        cqrs_buf_text(&w->buf, ") ");
        keyword = ", ";
        w->source = "_c";
    }

    if (w->options->body == CQRS_QUERY_BODY_CSV) {
        cqrs_buf_text(&w->buf, keyword);
        cqrs_buf_text(&w->buf, "_s as (");

        if (cqrs_query_write_root(p) != 0) {
            return -1;
        }

        cqrs_buf_text(&w->buf, ") ");
    }

    return 0;
}


static int
cqrs_query_write_root(cqrs_query_planning_t *p)
{
    if (p->text == NULL) {
        return cqrs_query_write_select(&p->w, NULL, &p->query->root);
    }

    /* it may end with a comment */

    cqrs_buf_str(&p->w.buf, p->text);
    cqrs_buf_text(&p->w.buf, "\n");

    return 0;
}


/* An estimate is exact up to the highest number of rows. */

static int
cqrs_query_write_total(cqrs_query_planning_t *p)
{
    cqrs_query_node_t           *root;
    cqrs_query_writer_t         *w;
    const cqrs_query_options_t  *options;

    w = &p->w;
    options = w->options;
    root = &p->query->root;

    if (options->count != CQRS_QUERY_COUNT_EXACT
        && options->count != CQRS_QUERY_COUNT_ESTIMATED)
    {
        cqrs_buf_text(&w->buf, "null::pg_catalog.text");
        return 0;
    }

    if (p->text
        || (root->limit < 0 && root->offset <= 0 && options->max_rows < 0))
    {
        cqrs_query_write_page(p);
        return 0;
    }

    cqrs_buf_text(&w->buf, "(select pg_catalog.count(*)::pg_catalog.text "
                           "from (");

    if (cqrs_query_write_rows(w, NULL, root) != 0) {
        return -1;
    }

    if (options->count == CQRS_QUERY_COUNT_ESTIMATED
        && options->max_rows >= 0 && p->function == NULL)
    {
        cqrs_buf_text(&w->buf, " limit ");
        cqrs_query_write_number(w, options->max_rows + 1);
    }

    cqrs_buf_text(&w->buf, ") _n)");

    return 0;
}


static void
cqrs_query_write_page(cqrs_query_planning_t *p)
{
    cqrs_buf_text(&p->w.buf, (p->function && !p->function->set)
                             ? "'1'"
                             : "pg_catalog.count(*)::pg_catalog.text");
}


static void
cqrs_query_write_body(cqrs_query_planning_t *p)
{
    cqrs_query_writer_t  *w;

    w = &p->w;

    switch (w->options->body) {

    case CQRS_QUERY_BODY_CSV:
        cqrs_query_write_body_csv(p);
        break;

    case CQRS_QUERY_BODY_GEOJSON:
        cqrs_buf_text(&w->buf,
            "pg_catalog.json_build_object('type', 'FeatureCollection', "
            "'features', coalesce(pg_catalog.json_agg("
            "st_asgeojson(_t.*)::pg_catalog.json), '[]'))");
        break;

    case CQRS_QUERY_BODY_HANDLER:
        cqrs_query_write_body_handler(p);
        break;

    case CQRS_QUERY_BODY_NONE:
        cqrs_buf_text(&w->buf, "''");
        break;

    default:
        cqrs_query_write_body_json(p);
        break;
    }
}


static void
cqrs_query_write_body_json(cqrs_query_planning_t *p)
{
    int                     scalar, single;
    cqrs_query_writer_t    *w;
    const cqrs_function_t  *function;

    w = &p->w;
    function = p->function;

    single = (function && !function->set)
             || w->options->body == CQRS_QUERY_BODY_OBJECT;

    /* one of a set is an object, as any row is */

    scalar = function && !function->composite
             && !(function->set && single);

    cqrs_buf_text(&w->buf, "coalesce(");
    cqrs_buf_text(&w->buf, w->options->strip_nulls
                           ? "pg_catalog.json_strip_nulls(" : "");
    cqrs_buf_text(&w->buf, scalar ? "pg_catalog.json_agg(_t.pgrst_scalar)"
                                  : "pg_catalog.json_agg(_t.*)");
    cqrs_buf_text(&w->buf, single ? "->0" : "");
    cqrs_buf_text(&w->buf, w->options->strip_nulls ? ")" : "");
    cqrs_buf_text(&w->buf, single ? ", 'null')" : ", '[]')");
}


/* The first row's names, then each row as Postgres writes a record. */

static void
cqrs_query_write_body_csv(cqrs_query_planning_t *p)
{
    const cqrs_query_node_t  *root;

    root = &p->query->root;

    cqrs_buf_text(&p->w.buf,
        "(select coalesce(pg_catalog.string_agg(_k, ','), '') from ("
          "select pg_catalog.json_object_keys(pg_catalog.row_to_json(_h.*)) "
          "as _k from (select * from ");

    /* also where all that a function gives is filtered out */

    cqrs_buf_text(&p->w.buf, (p->function && root->items->star
                              && !root->items->aggregate
                              && root->items->next == NULL
                              && root->children == NULL) ? "_c" : "_s");

    cqrs_buf_text(&p->w.buf, " limit 1) _h) _a) || E'\\n' || "
        "coalesce(pg_catalog.string_agg(pg_catalog.substr("
          "(_t.*)::pg_catalog.text, 2, "
          "pg_catalog.length((_t.*)::pg_catalog.text) - 2), E'\\n'), '')");
}


static void
cqrs_query_write_body_handler(cqrs_query_planning_t *p)
{
    int                    scalar;
    cqrs_query_writer_t   *w;
    const cqrs_handler_t  *handler;

    w = &p->w;
    handler = w->options->handler;
    scalar = p->function && !p->function->composite;

    if (!handler->aggregate) {
        cqrs_buf_text(&w->buf, "_t.pgrst_scalar");
        return;
    }

    cqrs_query_write_qualified(w, &handler->function.schema,
                               &handler->function.name);
    cqrs_buf_text(&w->buf, scalar ? "(_t.pgrst_scalar" : "((_t.*)");

    if (handler->relation.name.data && !scalar) {
        cqrs_buf_text(&w->buf, "::");
        cqrs_query_write_qualified(w, &handler->relation.schema,
                                   &handler->relation.name);
    }

    cqrs_buf_text(&w->buf, ")");
}
