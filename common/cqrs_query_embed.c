
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * A node becomes a select, and what is embedded in it a lateral join:
 *
 *     select "projects"."id", row_to_json(_e1.*) as "client",
 *            coalesce(_e2._j, '[]') as "tasks"
 *       from "api"."projects" "projects"
 *       left join lateral (select ... from "api"."clients" _t1
 *            where _t1."id" = "projects"."client_id") _e1 on true
 *       left join lateral (select json_agg(_r.*) as _j, ... as _n
 *            from (select ... from "api"."tasks" _t2
 *                   where _t2."project_id" = "projects"."id") _r) _e2 on true
 *
 * _n is null where an embed of many rows has none.
 */

#include "cqrs_query_columns.h"


static int cqrs_query_write_join(cqrs_query_writer_t *w,
    const cqrs_query_node_t *node, const cqrs_query_node_t *child);
static int cqrs_query_write_many(cqrs_query_writer_t *w,
    const cqrs_query_node_t *node, const cqrs_query_node_t *child);
static void cqrs_query_write_lists(cqrs_query_writer_t *w,
    const cqrs_query_node_t *child);
static int cqrs_query_write_order_columns(cqrs_query_columns_t *columns,
    const cqrs_query_node_t *node);
static int cqrs_query_write_orders(cqrs_query_writer_t *w,
    const cqrs_query_node_t *node);
static int cqrs_query_write_order(cqrs_query_writer_t *w,
    const cqrs_query_node_t *node, const cqrs_query_order_t *order);
static void cqrs_query_write_direction(cqrs_query_writer_t *w,
    const cqrs_query_order_t *order);
static int cqrs_query_write_range(cqrs_query_writer_t *w,
    const cqrs_query_node_t *node);
static void cqrs_query_write_bound(cqrs_query_writer_t *w, int64_t number,
    const cqrs_str_t *digits);
static int cqrs_query_negative(cqrs_query_writer_t *w, const char *sqlstate,
    const char *message);
static int cqrs_query_is_empty(const cqrs_query_node_t *node);
static int cqrs_query_has_output(const cqrs_query_writer_t *w,
    const cqrs_query_node_t *node, const cqrs_str_t *name);


int
cqrs_query_write_select(cqrs_query_writer_t *w,
    const cqrs_query_node_t *parent, const cqrs_query_node_t *node)
{
    const cqrs_query_node_t  *child;
    const cqrs_query_item_t  *item;
    cqrs_query_columns_t      columns;

    cqrs_query_columns_init(&columns, w, node);

    cqrs_buf_text(&w->buf, "select ");

    for (item = node->items; item; item = item->next) {
        if (cqrs_query_write_item(&columns, node, item) != 0) {
            return -1;
        }
    }

    for (child = node->children; child; child = child->next) {

        if (child->spread) {
            cqrs_query_write_spread(&columns, node, child);

        } else if (!cqrs_query_is_empty(child)) {
            cqrs_query_write_json(&columns, node, child);
        }
    }

    /* rows may be sorted by what of them is not shown */

    if (node->items == NULL && node->children == NULL
        && node->embed->to_one)
    {
        cqrs_query_write_table(w, node);
        cqrs_buf_text(&w->buf, ".*");
    }

    if (node->spread && !node->embed->to_one
        && cqrs_query_write_order_columns(&columns, node) != 0)
    {
        return -1;
    }

    cqrs_query_write_from(w, parent, node);

    for (child = node->children; child; child = child->next) {
        if (cqrs_query_write_join(w, node, child) != 0) {
            return -1;
        }
    }

    if (cqrs_query_write_where(w, parent, node, 0) != 0) {
        return -1;
    }

    if (columns.group_by.failed) {
        w->buf.failed = 1;
    }

    if (node->embed->aggregated) {
        cqrs_buf_add(&w->buf, columns.group_by.data, columns.group_by.len);
    }

    if (cqrs_query_write_orders(w, node) != 0) {
        return -1;
    }

    return cqrs_query_write_range(w, node);
}


int
cqrs_query_write_rows(cqrs_query_writer_t *w,
    const cqrs_query_node_t *parent, const cqrs_query_node_t *node)
{
    cqrs_buf_text(&w->buf, "select 1");
    cqrs_query_write_from(w, parent, node);

    return cqrs_query_write_where(w, parent, node, 1);
}


void
cqrs_query_write_from(cqrs_query_writer_t *w, const cqrs_query_node_t *parent,
    const cqrs_query_node_t *node)
{
    const cqrs_relation_t      *relation;
    const cqrs_relationship_t  *relationship;

    relation = node->embed->relation;
    relationship = node->embed->relationship;

    cqrs_buf_text(&w->buf, " from ");

    if (relation && relation->kind != 'r' && relation->kind != 'p') {
        w->calls = 1;
    }

    if (relationship && relationship->cardinality == CQRS_COMPUTED) {
        w->calls = 1;
        cqrs_query_write_qualified(w, &relationship->function.schema,
                                   &relationship->function.name);
        cqrs_buf_text(&w->buf, "(");
        cqrs_query_write_row(w, parent);
        cqrs_buf_text(&w->buf, "::");
        cqrs_query_write_qualified(w, &relationship->from->schema,
                                   &relationship->from->key.name);
        cqrs_buf_text(&w->buf, ")");

    } else if (relationship == NULL && w->source) {
        cqrs_buf_text(&w->buf, w->source);

    } else {
        cqrs_query_write_qualified(w, &relation->schema, &relation->key.name);
    }

    cqrs_buf_text(&w->buf, " ");
    cqrs_query_write_table(w, node);

    if (relationship && relationship->cardinality == CQRS_MANY_TO_MANY) {
        cqrs_buf_text(&w->buf, ", ");
        cqrs_query_write_qualified(w, &relationship->junction->schema,
                                   &relationship->junction->key.name);
        cqrs_buf_text(&w->buf, " _j");
        cqrs_buf_number(&w->buf, node->embed->number);
    }
}


static int
cqrs_query_write_join(cqrs_query_writer_t *w, const cqrs_query_node_t *node,
    const cqrs_query_node_t *child)
{
    int  inner;

    inner = (child->join == CQRS_QUERY_JOIN_INNER);

    cqrs_buf_text(&w->buf, inner ? " join lateral (" : " left join lateral (");

    if (child->embed->to_one) {

        if (cqrs_query_write_select(w, node, child) != 0) {
            return -1;
        }

    } else if (cqrs_query_write_many(w, node, child) != 0) {
        return -1;
    }

    cqrs_buf_text(&w->buf, ") ");
    cqrs_query_write_embed(w, child);

    if (inner && !child->embed->to_one) {
        cqrs_buf_text(&w->buf, " on ");
        cqrs_query_write_embed(w, child);
        cqrs_buf_text(&w->buf, "._n is not null");

    } else {
        cqrs_buf_text(&w->buf, " on true");
    }

    return 0;
}


static int
cqrs_query_write_many(cqrs_query_writer_t *w, const cqrs_query_node_t *node,
    const cqrs_query_node_t *child)
{
    cqrs_buf_text(&w->buf,
                  "select nullif(pg_catalog.count(*), 0) as _n");

    if (child->spread) {
        cqrs_query_write_lists(w, child);

    } else if (!cqrs_query_is_empty(child)) {
        cqrs_buf_text(&w->buf, ", pg_catalog.json_agg(_r.*) as _j");
    }

    cqrs_buf_text(&w->buf, " from (");

    if (cqrs_query_write_select(w, node, child) != 0) {
        return -1;
    }

    cqrs_buf_text(&w->buf, ") _r");

    return 0;
}


/* An array for each column, all in the same order. */

static void
cqrs_query_write_lists(cqrs_query_writer_t *w, const cqrs_query_node_t *child)
{
    size_t                      n;
    const char                 *keyword;
    const cqrs_query_order_t   *order;
    const cqrs_query_output_t  *output;

    for (output = child->embed->outputs; output; output = output->next) {

        if (output->name.data == NULL) {
            continue;                      /* columns that are not known */
        }

        cqrs_buf_text(&w->buf, ", coalesce(pg_catalog.json_agg(_r.");
        cqrs_query_write_name(w, &output->name);

        keyword = " order by _r._o";
        n = 0;

        for (order = child->orders; order; order = order->next) {
            cqrs_buf_text(&w->buf, keyword);
            cqrs_buf_number(&w->buf, ++n);
            cqrs_query_write_direction(w, order);
            keyword = ", _r._o";
        }

        cqrs_buf_text(&w->buf, "), '[]') as ");
        cqrs_query_write_name(w, &output->name);
    }
}


static int
cqrs_query_write_order_columns(cqrs_query_columns_t *columns,
    const cqrs_query_node_t *node)
{
    size_t                     n;
    const cqrs_query_order_t  *order;

    n = 0;

    for (order = node->orders; order; order = order->next) {

        cqrs_query_column_begin(columns, 0, CQRS_ROW_UNKNOWN, &node->name);

        if (cqrs_query_write_order(columns->w, node, order) != 0) {
            return -1;
        }

        cqrs_buf_text(&columns->w->buf, " as _o");
        cqrs_buf_number(&columns->w->buf, ++n);
    }

    return 0;
}


static int
cqrs_query_write_orders(cqrs_query_writer_t *w, const cqrs_query_node_t *node)
{
    const char                *keyword;
    const cqrs_query_order_t  *order;

    keyword = " order by ";

    for (order = node->orders; order; order = order->next) {

        cqrs_buf_text(&w->buf, keyword);
        keyword = ", ";

        if (cqrs_query_write_order(w, node, order) != 0) {
            return -1;
        }

        cqrs_query_write_direction(w, order);
    }

    return 0;
}


static int
cqrs_query_write_order(cqrs_query_writer_t *w, const cqrs_query_node_t *node,
    const cqrs_query_order_t *order)
{
    int                       rc;
    const cqrs_query_node_t  *child;

    if (order->relation.data == NULL) {
        w->ordering = 1;
        rc = cqrs_query_write_field(w, node, &order->field);
        w->ordering = 0;

        return rc;
    }

    /* it is there, and of one row: that has been looked at */

    child = cqrs_query_child(node, &order->relation);

    if (!cqrs_query_has_output(w, child, &order->field.name)) {
        return cqrs_query_no_output(w, node, child, &order->field.name);
    }

    cqrs_buf_text(&w->buf, order->field.path ? "pg_catalog.to_jsonb(" : "");
    cqrs_query_write_embed(w, child);
    cqrs_buf_text(&w->buf, ".");
    cqrs_query_write_name(w, &order->field.name);
    cqrs_buf_text(&w->buf, order->field.path ? ")" : "");

    cqrs_query_write_path(w, order->field.path);

    return 0;
}


static void
cqrs_query_write_direction(cqrs_query_writer_t *w,
    const cqrs_query_order_t *order)
{
    static const char *const  directions[] = { "", " asc", " desc" };
    static const char *const  nulls[] = {
        "", " nulls first", " nulls last"
    };

    cqrs_buf_text(&w->buf, directions[order->direction]);
    cqrs_buf_text(&w->buf, nulls[order->nulls]);
}


/* The highest number of rows holds for each list of them. */

static int
cqrs_query_write_range(cqrs_query_writer_t *w, const cqrs_query_node_t *node)
{
    int64_t  limit;

    limit = node->limit;

    if (node->offset < 0) {
        return cqrs_query_negative(w, "2201X", "OFFSET must not be negative");
    }

    if (limit < -1) {
        return cqrs_query_negative(w, "2201W", "LIMIT must not be negative");
    }

    if (w->options->max_rows >= 0
        && (limit < 0 || limit > w->options->max_rows)
        && !(node->embed->relationship && node->embed->to_one))
    {
        limit = w->options->max_rows;
    }

    if (limit >= 0) {
        cqrs_buf_text(&w->buf, " limit ");
        cqrs_query_write_bound(w, limit, &node->limit_said.digits);
    }

    if (node->offset > 0) {
        cqrs_buf_text(&w->buf, " offset ");
        cqrs_query_write_bound(w, node->offset, &node->offset_said.digits);
    }

    return 0;
}


/* What is more than Postgres counts to is its to refuse. */

static void
cqrs_query_write_bound(cqrs_query_writer_t *w, int64_t number,
    const cqrs_str_t *digits)
{
    char  *p;

    if (digits->data == NULL || number < INT64_MAX / 8) {
        cqrs_query_write_number(w, number);
        return;
    }

    p = cqrs_arena_copy(w->arena, digits->data, digits->len);
    if (p == NULL) {
        w->buf.failed = 1;
        return;
    }

    cqrs_query_write_param(w, p);
    cqrs_buf_text(&w->buf, "::pg_catalog.int8");
}


static int
cqrs_query_negative(cqrs_query_writer_t *w, const char *sqlstate,
    const char *message)
{
    cqrs_query_refuse(w->error, 400, sqlstate, message);
    w->error->late = 1;

    return -1;
}


/* "clients()", and "clients(projects())" too: joined, and not shown. */

static int
cqrs_query_is_empty(const cqrs_query_node_t *node)
{
    const cqrs_query_node_t  *child;

    if (node->items) {
        return 0;
    }

    for (child = node->children; child; child = child->next) {
        if (!cqrs_query_is_empty(child)) {
            return 0;
        }
    }

    return 1;
}


static int
cqrs_query_has_output(const cqrs_query_writer_t *w,
    const cqrs_query_node_t *node, const cqrs_str_t *name)
{
    const cqrs_query_output_t  *output;

    for (output = node->embed->outputs; output; output = output->next) {

        if (output->name.data == NULL
            ? node->embed->relation == NULL
              || cqrs_query_column(w, node, name)
            : cqrs_str_equal(&output->name, name))
        {
            return 1;
        }
    }

    return 0;
}
