
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * A column of a node's select is written as it is, or so that cqrs_row.h can
 * write it: then what Postgres alone can make JSON is made so here.
 */

#include "cqrs_query_columns.h"


static void cqrs_query_group_by(cqrs_query_columns_t *columns,
    const cqrs_query_node_t *node, const cqrs_str_t *name);
static void cqrs_query_column_end(cqrs_query_columns_t *columns);
static void cqrs_query_row_column(cqrs_query_writer_t *w,
    cqrs_row_kind_e kind, const cqrs_str_t *name);
static cqrs_row_kind_e cqrs_query_item_kind(const cqrs_query_writer_t *w,
    const cqrs_query_node_t *node, const cqrs_query_item_t *item);
static int cqrs_query_write_star(cqrs_query_columns_t *columns,
    const cqrs_query_node_t *node, int bare);
static int cqrs_query_write_expression(cqrs_query_writer_t *w,
    const cqrs_query_node_t *node, const cqrs_query_item_t *item);
static int cqrs_query_is_count(const cqrs_query_writer_t *w,
    const cqrs_query_node_t *node, const cqrs_query_item_t *item);


/* In the order of cqrs_query_aggregate_e.  Errors tell them as they stand. */

static const char *const  cqrs_query_aggregates[] = {
    "", "sum(", "avg(", "count(", "max(", "min("
};


void
cqrs_query_columns_init(cqrs_query_columns_t *columns,
    cqrs_query_writer_t *w, const cqrs_query_node_t *node)
{
    memset(columns, 0, sizeof(cqrs_query_columns_t));

    columns->w = w;
    columns->rows = w->rows && node->embed->relationship == NULL;

    cqrs_buf_init(&columns->group_by, w->arena);
}


void
cqrs_query_column_begin(cqrs_query_columns_t *columns, int grouped,
    cqrs_row_kind_e kind, const cqrs_str_t *name)
{
    cqrs_query_writer_t  *w;

    w = columns->w;

    if (columns->position++) {
        cqrs_buf_text(&w->buf, ", ");
    }

    if (grouped) {
        cqrs_buf_text(&columns->group_by,
                      columns->groups++ ? ", " : " group by ");
        cqrs_buf_number(&columns->group_by, columns->position);
    }

    columns->wrapped = 0;

    if (columns->rows) {

        if (kind == CQRS_ROW_UNKNOWN) {
            columns->wrapped = 1;
            cqrs_buf_text(&w->buf, "pg_catalog.to_json(");
            kind = CQRS_ROW_JSON;
        }

        cqrs_query_row_column(w, kind, name);
    }
}


/* Of what is cast the column itself, so that rows may be sorted by it. */

static void
cqrs_query_group_by(cqrs_query_columns_t *columns,
    const cqrs_query_node_t *node, const cqrs_str_t *name)
{
    cqrs_buf_t            statement;
    cqrs_query_writer_t  *w;

    w = columns->w;

    statement = w->buf;
    w->buf = columns->group_by;

    cqrs_buf_text(&w->buf, columns->groups++ ? ", " : " group by ");
    cqrs_query_write_table(w, node);
    cqrs_buf_text(&w->buf, ".");
    cqrs_query_write_name(w, name);

    columns->group_by = w->buf;
    w->buf = statement;
}


static void
cqrs_query_column_end(cqrs_query_columns_t *columns)
{
    if (columns->wrapped) {
        cqrs_buf_text(&columns->w->buf, ")");
    }
}


static void
cqrs_query_row_column(cqrs_query_writer_t *w, cqrs_row_kind_e kind,
    const cqrs_str_t *name)
{
    char               *p;
    unsigned            size;
    cqrs_row_column_t  *columns;

    /* a power of two has been filled: twice as many */

    if ((w->ncolumns & (w->ncolumns - 1)) == 0) {

        size = w->ncolumns ? w->ncolumns * 2 : 1;

        columns = cqrs_arena_alloc(w->arena,
                                   size * sizeof(cqrs_row_column_t));
        if (columns == NULL) {
            w->buf.failed = 1;
            return;
        }

        if (w->ncolumns) {
            memcpy(columns, w->columns,
                   w->ncolumns * sizeof(cqrs_row_column_t));
        }

        w->columns = columns;
    }

    p = cqrs_arena_alloc(w->arena, cqrs_row_prefix_size(name));
    if (p == NULL) {
        w->buf.failed = 1;
        return;
    }

    columns = &w->columns[w->ncolumns];

    columns->kind = kind;
    columns->prefix.data = p;
    columns->prefix.len = (size_t) (cqrs_row_prefix(p, name, !w->ncolumns)
                                    - p);
    w->ncolumns++;
}


/* Of what cqrs_query_write_expression() writes. */

static cqrs_row_kind_e
cqrs_query_item_kind(const cqrs_query_writer_t *w,
    const cqrs_query_node_t *node, const cqrs_query_item_t *item)
{
    const cqrs_column_t      *column;
    const cqrs_query_step_t  *step;

    if (item->cast.data || item->aggregate) {
        return CQRS_ROW_UNKNOWN;
    }

    step = item->field.path;

    if (step) {
        while (step->next) {
            step = step->next;
        }

        return step->text ? CQRS_ROW_STRING : CQRS_ROW_JSON;
    }

    column = cqrs_query_column(w, node, &item->field.name);

    if (column == NULL) {
        return CQRS_ROW_UNKNOWN;
    }

    if (column->to_json.name.data && !item->bare) {
        return CQRS_ROW_JSON;
    }

    return column->labels.data ? CQRS_ROW_STRING
                               : column->kind;
}


int
cqrs_query_write_item(cqrs_query_columns_t *columns,
    const cqrs_query_node_t *node, const cqrs_query_item_t *item)
{
    int                   aggregate, cast, named;
    cqrs_query_writer_t  *w;
    const cqrs_column_t  *column;

    w = columns->w;

    if (item->star && !item->aggregate) {
        return cqrs_query_write_star(columns, node, item->bare);
    }

    aggregate = item->aggregate && !node->embed->hoisted;

    cast = item->cast.data && item->alias.data == NULL
           && item->field.path == NULL
           && cqrs_query_column(w, node, &item->field.name);

    cqrs_query_column_begin(columns, !aggregate && !cast,
                            cqrs_query_item_kind(w, node, item),
                            cqrs_query_item_name(item));

    if (cast && !aggregate) {
        cqrs_query_group_by(columns, node, &item->field.name);
    }

    if (aggregate) {
        cqrs_buf_text(&w->buf, item->aggregate_cast.data ? "cast(" : "");
        cqrs_buf_text(&w->buf, cqrs_query_aggregates[item->aggregate]);
    }

    if (item->star) {

        /* a spread's row is counted by what is null where there is none */

        cqrs_buf_text(&w->buf, node->embed->hoisted ? "1" : "*");

    } else if (cqrs_query_is_count(w, node, item)) {
        cqrs_buf_text(&w->buf, "count");
        cqrs_query_write_row(w, node);

    } else if (cqrs_query_write_expression(w, node, item) != 0) {
        return -1;
    }

    if (aggregate) {
        cqrs_buf_text(&w->buf, ")");

        if (item->aggregate_cast.data) {
            cqrs_buf_text(&w->buf, " as ");
            cqrs_query_write_type(w, &item->aggregate_cast);
            cqrs_buf_text(&w->buf, ")");
        }
    }

    cqrs_query_column_end(columns);

    /* nobody knows the number of an enum's type */

    column = cqrs_query_column(w, node, &item->field.name);

    if (columns->rows && column && column->labels.data
        && item->field.path == NULL && item->cast.data == NULL)
    {
        cqrs_buf_text(&w->buf, "::pg_catalog.text");
    }

    /* a plain column has its name already */

    named = columns->wrapped || item->alias.data || item->aggregate
            || item->cast.data || item->field.path
            || node->embed->relation == NULL
            || node->embed->relation->representations;

    if (named) {
        cqrs_buf_text(&w->buf, " as ");
        cqrs_query_write_name(w, cqrs_query_item_name(item));
    }

    return 0;
}


static int
cqrs_query_write_star(cqrs_query_columns_t *columns,
    const cqrs_query_node_t *node, int bare)
{
    cqrs_query_item_t     item;
    const cqrs_column_t  *column;

    if (!node->embed->expanded) {
        cqrs_query_column_begin(columns, 0, CQRS_ROW_JSON, &node->name);
        cqrs_query_write_table(columns->w, node);
        cqrs_buf_text(&columns->w->buf, ".*");
        return 0;
    }

    memset(&item, 0, sizeof(cqrs_query_item_t));
    item.bare = bare;

    for (column = node->embed->relation->columns;
         column;
         column = column->next)
    {
        item.field.name = column->key.name;

        if (cqrs_query_write_item(columns, node, &item) != 0) {
            return -1;
        }
    }

    return 0;
}


static int
cqrs_query_write_expression(cqrs_query_writer_t *w,
    const cqrs_query_node_t *node, const cqrs_query_item_t *item)
{
    int                   represented;
    const cqrs_column_t  *column;

    column = item->field.path
             ? NULL : cqrs_query_column(w, node, &item->field.name);

    represented = column && column->to_json.name.data && !item->bare;

    cqrs_buf_text(&w->buf, item->cast.data ? "cast(" : "");

    if (represented) {
        w->calls = 1;
        cqrs_query_write_qualified(w, &column->to_json.schema,
                                   &column->to_json.name);
        cqrs_buf_text(&w->buf, "(");
    }

    if (cqrs_query_write_field(w, node, &item->field) != 0) {
        return -1;
    }

    cqrs_buf_text(&w->buf, represented ? ")" : "");

    if (item->cast.data) {
        cqrs_buf_text(&w->buf, " as ");
        cqrs_query_write_type(w, &item->cast);
        cqrs_buf_text(&w->buf, ")");
    }

    return 0;
}


/* "count" means the number of rows, where no column is called so. */

static int
cqrs_query_is_count(const cqrs_query_writer_t *w,
    const cqrs_query_node_t *node, const cqrs_query_item_t *item)
{
    return item->field.path == NULL
           && item->cast.data == NULL
           && item->aggregate == CQRS_QUERY_NO_AGGREGATE
           && node->embed->relation
           && cqrs_str_is(&item->field.name, "count")
           && cqrs_query_column(w, node, &item->field.name) == NULL
           && !cqrs_catalog_computed(w->catalog, node->embed->relation,
                                     &item->field.name);
}


/* Rows are grouped by jsonb, since json has no equality. */

void
cqrs_query_write_json(cqrs_query_columns_t *columns,
    const cqrs_query_node_t *node, const cqrs_query_node_t *child)
{
    int                   jsonb;
    cqrs_query_writer_t  *w;

    w = columns->w;

    cqrs_query_column_begin(columns, 1, CQRS_ROW_JSON,
                            cqrs_query_label(child));

    if (child->embed->to_one) {
        cqrs_buf_text(&w->buf, "pg_catalog.row_to_json(");
        cqrs_query_write_embed(w, child);
        cqrs_buf_text(&w->buf, ".*)");

    } else {
        cqrs_buf_text(&w->buf, "coalesce(");
        cqrs_query_write_embed(w, child);
        cqrs_buf_text(&w->buf, "._j, '[]')");
    }

    /* as text, too, it is PostgREST's */

    jsonb = node->embed->grouped
            || w->options->body == CQRS_QUERY_BODY_CSV
            || w->options->body == CQRS_QUERY_BODY_HANDLER;

    cqrs_buf_text(&w->buf, jsonb ? "::pg_catalog.jsonb as " : " as ");
    cqrs_query_write_name(w, cqrs_query_label(child));
}


void
cqrs_query_write_spread(cqrs_query_columns_t *columns,
    const cqrs_query_node_t *node, const cqrs_query_node_t *child)
{
    int                         aggregate, jsonb;
    cqrs_query_writer_t        *w;
    const cqrs_query_output_t  *output;

    w = columns->w;

    for (output = child->embed->outputs; output; output = output->next) {

        aggregate = output->aggregate && !node->embed->hoisted;

        cqrs_query_column_begin(columns, !aggregate, CQRS_ROW_UNKNOWN,
                                &output->name);

        if (aggregate) {
            cqrs_buf_text(&w->buf, output->cast.data ? "cast(" : "");
            cqrs_buf_text(&w->buf, cqrs_query_aggregates[output->aggregate]);
        }

        cqrs_query_write_embed(w, child);
        cqrs_buf_text(&w->buf, ".");

        if (output->name.data == NULL) {
            cqrs_buf_text(&w->buf, "*");
            continue;
        }

        cqrs_query_write_name(w, &output->name);

        /* lists are grouped by jsonb, too */

        jsonb = node->embed->grouped && !child->embed->to_one;

        cqrs_buf_text(&w->buf, jsonb ? "::pg_catalog.jsonb" : "");

        if (columns->wrapped || jsonb) {
            cqrs_query_column_end(columns);
            cqrs_buf_text(&w->buf, " as ");
            cqrs_query_write_name(w, &output->name);
        }

        if (aggregate) {
            cqrs_buf_text(&w->buf, ")");

            if (output->cast.data) {
                cqrs_buf_text(&w->buf, " as ");
                cqrs_query_write_type(w, &output->cast);
                cqrs_buf_text(&w->buf, ")");
            }

            cqrs_buf_text(&w->buf, " as ");
            cqrs_query_write_name(w, &output->alias);
        }
    }
}
