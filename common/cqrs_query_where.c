
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Conditions.  A parameter's type is found by the server, by the column beside
 * it, as it would for a constant in quotes.
 */

#include "cqrs_query_write.h"


static int cqrs_query_write_logic(cqrs_query_writer_t *w,
    const cqrs_query_node_t *node, const cqrs_query_logic_t *logic,
    int counting);
static int cqrs_query_write_filter(cqrs_query_writer_t *w,
    const cqrs_query_node_t *node, const cqrs_query_filter_t *filter);
static int cqrs_query_write_fts(cqrs_query_writer_t *w,
    const cqrs_query_node_t *node, const cqrs_query_filter_t *filter);
static void cqrs_query_write_language(cqrs_query_writer_t *w,
    const cqrs_query_filter_t *filter);
static void cqrs_query_write_value(cqrs_query_writer_t *w,
    const cqrs_query_filter_t *filter, const cqrs_column_t *column);
static void cqrs_query_write_list(cqrs_query_writer_t *w,
    const cqrs_query_filter_t *filter, const cqrs_column_t *column);
static int cqrs_query_write_presence(cqrs_query_writer_t *w,
    const cqrs_query_node_t *node, const cqrs_query_node_t *child,
    const cqrs_query_filter_t *filter, int counting);
static void cqrs_query_write_keys(cqrs_query_writer_t *w,
    const cqrs_query_node_t *parent, const cqrs_query_node_t *node,
    const char *keyword);
static void cqrs_query_write_key(cqrs_query_writer_t *w,
    const cqrs_query_node_t *node, int junction,
    const cqrs_column_t *column);


/* In the order of cqrs_query_op_e.  Errors tell functions as they stand. */

static const char *const  cqrs_query_ops[] = {
    " = ", " <> ", " > ", " >= ", " < ", " <= ",
    " like ", " ilike ", " ~ ", " ~* ",
    " = any ", " is ", " is distinct from ",
    " @@ to_tsquery(", " @@ plainto_tsquery(", " @@ phraseto_tsquery(",
    " @@ websearch_to_tsquery(",
    " @> ", " <@ ", " && ", " << ", " >> ", " &< ", " &> ", " -|- "
};


int
cqrs_query_write_where(cqrs_query_writer_t *w,
    const cqrs_query_node_t *parent, const cqrs_query_node_t *node,
    int counting)
{
    const char                *keyword;
    const cqrs_query_node_t   *child;
    const cqrs_query_logic_t  *logic;

    keyword = " where ";

    for (logic = node->logic; logic; logic = logic->next) {

        cqrs_buf_text(&w->buf, keyword);
        keyword = " and ";

        if (cqrs_query_write_logic(w, node, logic, counting) != 0) {
            return -1;
        }
    }

    if (node->embed->relationship
        && node->embed->relationship->cardinality != CQRS_COMPUTED)
    {
        cqrs_query_write_keys(w, parent, node, keyword);
        keyword = " and ";
    }

    for (child = node->children; counting && child; child = child->next) {

        if (child->join != CQRS_QUERY_JOIN_INNER) {
            continue;
        }

        cqrs_buf_text(&w->buf, keyword);
        cqrs_buf_text(&w->buf, "exists (");
        keyword = " and ";

        if (cqrs_query_write_rows(w, node, child) != 0) {
            return -1;
        }

        cqrs_buf_text(&w->buf, ")");
    }

    return 0;
}


static int
cqrs_query_write_logic(cqrs_query_writer_t *w, const cqrs_query_node_t *node,
    const cqrs_query_logic_t *logic, int counting)
{
    const char                *between;
    const cqrs_query_node_t   *child;
    const cqrs_query_logic_t  *inner;

    if (logic->kind == CQRS_QUERY_FILTER) {

        child = logic->filter.field.path
                ? NULL : cqrs_query_child(node, &logic->filter.field.name);

        return child ? cqrs_query_write_presence(w, node, child,
                                                 &logic->filter, counting)
                     : cqrs_query_write_filter(w, node, &logic->filter);
    }

    cqrs_buf_text(&w->buf, logic->negated ? "not (" : "(");

    between = "";

    for (inner = logic->children; inner; inner = inner->next) {

        cqrs_buf_text(&w->buf, between);

        if (cqrs_query_write_logic(w, node, inner, counting) != 0) {
            return -1;
        }

        between = (logic->kind == CQRS_QUERY_AND) ? " and " : " or ";
    }

    cqrs_buf_text(&w->buf, ")");

    return 0;
}


static int
cqrs_query_write_filter(cqrs_query_writer_t *w, const cqrs_query_node_t *node,
    const cqrs_query_filter_t *filter)
{
    const cqrs_column_t      *column;

    static const char *const  is[] = {
        "null", "not null", "true", "false", "unknown"
    };

    cqrs_buf_text(&w->buf, filter->negated ? "not (" : "(");

    if (filter->op >= CQRS_QUERY_FTS && filter->op <= CQRS_QUERY_WFTS) {

        if (cqrs_query_write_fts(w, node, filter) != 0) {
            return -1;
        }

    } else if (cqrs_query_write_field(w, node, &filter->field) != 0) {
        return -1;
    }

    cqrs_buf_text(&w->buf, cqrs_query_ops[filter->op]);

    column = filter->field.path
             ? NULL : cqrs_query_column(w, node, &filter->field.name);

    switch (filter->op) {

    case CQRS_QUERY_IS:
        cqrs_buf_text(&w->buf, is[filter->is]);
        break;

    case CQRS_QUERY_IN:
        cqrs_query_write_list(w, filter, column);
        break;

    case CQRS_QUERY_FTS:
    case CQRS_QUERY_PLFTS:
    case CQRS_QUERY_PHFTS:
    case CQRS_QUERY_WFTS:
        cqrs_query_write_language(w, filter);
        cqrs_query_write_param(w, filter->values->text.data);
        cqrs_buf_text(&w->buf, ")");
        break;

    case CQRS_QUERY_LIKE:
    case CQRS_QUERY_ILIKE:
    case CQRS_QUERY_ISDISTINCT:
        cqrs_query_write_value(w, filter, NULL);
        break;

    default:
        cqrs_query_write_value(w, filter, column);
        break;
    }

    cqrs_buf_text(&w->buf, ")");

    return 0;
}


/* What is no tsvector yet is made one in the same language. */

static int
cqrs_query_write_fts(cqrs_query_writer_t *w, const cqrs_query_node_t *node,
    const cqrs_query_filter_t *filter)
{
    int                   vector;
    const cqrs_column_t  *column;

    column = cqrs_query_column(w, node, &filter->field.name);

    vector = column == NULL || cqrs_str_is(&column->base, "tsvector");

    if (!vector) {
        cqrs_buf_text(&w->buf, "to_tsvector(");
        cqrs_query_write_language(w, filter);
    }

    if (cqrs_query_write_field(w, node, &filter->field) != 0) {
        return -1;
    }

    cqrs_buf_text(&w->buf, vector ? "" : ")");

    return 0;
}


static void
cqrs_query_write_language(cqrs_query_writer_t *w,
    const cqrs_query_filter_t *filter)
{
    if (filter->language.data) {
        cqrs_query_write_param(w, filter->language.data);
        cqrs_buf_text(&w->buf, ", ");
    }
}


/* The column is given if its type may have its own way to be written. */

static void
cqrs_query_write_value(cqrs_query_writer_t *w,
    const cqrs_query_filter_t *filter, const cqrs_column_t *column)
{
    int  parsed;

    static const char *const  quantifiers[] = { "", "any (", "all (" };

    parsed = column && column->from_text.name.data;

    cqrs_buf_text(&w->buf, quantifiers[filter->quantifier]);

    if (parsed) {
        w->calls = 1;
        cqrs_query_write_qualified(w, &column->from_text.schema,
                                   &column->from_text.name);
        cqrs_buf_text(&w->buf, "(");
    }

    cqrs_query_write_param(w, filter->values->text.data);

    cqrs_buf_text(&w->buf, parsed ? "::pg_catalog.text)" : "");
    cqrs_buf_text(&w->buf, filter->quantifier ? ")" : "");
}


static void
cqrs_query_write_list(cqrs_query_writer_t *w,
    const cqrs_query_filter_t *filter, const cqrs_column_t *column)
{
    if (column == NULL || column->from_text.name.data == NULL) {
        cqrs_buf_text(&w->buf, "(");
        cqrs_query_write_array(w, filter->values);
        cqrs_buf_text(&w->buf, ")");
        return;
    }

    cqrs_buf_text(&w->buf, "(select ");
    cqrs_query_write_qualified(w, &column->from_text.schema,
                               &column->from_text.name);
    cqrs_buf_text(&w->buf, "(pg_catalog.unnest(");
    cqrs_query_write_array(w, filter->values);
    cqrs_buf_text(&w->buf, "::pg_catalog.text[])))");
}


/* A filter that is named like an embed asks whether that has any rows. */

static int
cqrs_query_write_presence(cqrs_query_writer_t *w,
    const cqrs_query_node_t *node, const cqrs_query_node_t *child,
    const cqrs_query_filter_t *filter, int counting)
{
    int  absent;

    if (filter->op != CQRS_QUERY_IS
        || (filter->is != CQRS_QUERY_IS_NULL
            && filter->is != CQRS_QUERY_IS_NOT_NULL))
    {
        if (cqrs_query_column(w, node, &filter->field.name)) {
            return cqrs_query_write_filter(w, node, filter);
        }

        cqrs_query_refuse(w->error, 400, "PGRST120", "");

        if (cqrs_query_say(w->arena, w->error, &w->error->message,
                           "Bad operator on the '%s' embedded resource",
                           filter->field.name.data)
            == 0)
        {
            w->error->details = cqrs_str_lit("Only is null or not is null "
                              "filters are allowed on embedded resources");
        }

        return -1;
    }

    absent = (filter->is == CQRS_QUERY_IS_NULL) != filter->negated;

    if (counting) {
        cqrs_buf_text(&w->buf, absent ? "not exists (" : "exists (");

        if (cqrs_query_write_rows(w, node, child) != 0) {
            return -1;
        }

        cqrs_buf_text(&w->buf, ")");
        return 0;
    }

    cqrs_query_write_embed(w, child);

    if (child->embed->to_one) {
        cqrs_buf_text(&w->buf, absent ? ".* is not distinct from null"
                                      : ".* is distinct from null");

    } else {
        cqrs_buf_text(&w->buf, absent ? "._n is null" : "._n is not null");
    }

    return 0;
}


static void
cqrs_query_write_keys(cqrs_query_writer_t *w, const cqrs_query_node_t *parent,
    const cqrs_query_node_t *node, const char *keyword)
{
    int                         many;
    const cqrs_join_t          *join;
    const cqrs_relationship_t  *relationship;

    relationship = node->embed->relationship;
    many = (relationship->cardinality == CQRS_MANY_TO_MANY);

    for (join = relationship->joins; join; join = join->next) {
        cqrs_buf_text(&w->buf, keyword);
        keyword = " and ";

        cqrs_query_write_key(w, node, many, join->to);
        cqrs_buf_text(&w->buf, " = ");
        cqrs_query_write_key(w, parent, 0, join->from);
    }

    for (join = many ? relationship->joins2 : NULL; join; join = join->next) {
        cqrs_buf_text(&w->buf, keyword);

        cqrs_query_write_key(w, node, 0, join->to);
        cqrs_buf_text(&w->buf, " = ");
        cqrs_query_write_key(w, node, 1, join->from);
    }
}


static void
cqrs_query_write_key(cqrs_query_writer_t *w, const cqrs_query_node_t *node,
    int junction, const cqrs_column_t *column)
{
    if (junction) {
        cqrs_buf_text(&w->buf, "_j");
        cqrs_buf_number(&w->buf, node->embed->number);

    } else {
        cqrs_query_write_table(w, node);
    }

    cqrs_buf_text(&w->buf, ".");
    cqrs_query_write_name(w, &column->key.name);
}
