
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "cqrs_query_call.h"


static void cqrs_query_write_called(cqrs_query_writer_t *w,
    const cqrs_query_node_t *root);
static void cqrs_query_called_logic(cqrs_query_writer_t *w,
    cqrs_query_value_t **names, const cqrs_query_logic_t *logic);
static void cqrs_query_called_column(cqrs_query_writer_t *w,
    cqrs_query_value_t **names, const cqrs_str_t *name);
static int cqrs_query_write_arguments(cqrs_query_writer_t *w,
    const cqrs_function_t *function, const cqrs_query_pair_t *arguments);
static int cqrs_query_write_argument(cqrs_query_writer_t *w,
    const cqrs_parameter_t *parameter, const cqrs_query_pair_t *arguments);
static const cqrs_query_pair_t *cqrs_query_argument(
    const cqrs_query_pair_t *arguments, const cqrs_str_t *name);


int
cqrs_query_write_call(cqrs_query_writer_t *w, const cqrs_function_t *function,
    const cqrs_query_t *query)
{
    cqrs_buf_text(&w->buf, "select ");

    if (function->composite) {
        cqrs_query_write_called(w, &query->root);
        cqrs_buf_text(&w->buf, " from ");

    } else {
        cqrs_buf_text(&w->buf, "pgrst_call.pgrst_scalar from (select ");
    }

    cqrs_query_write_qualified(w, &function->schema, &function->key.name);
    cqrs_buf_text(&w->buf, "(");

    if (cqrs_query_write_arguments(w, function, query->arguments) != 0) {
        return -1;
    }

    cqrs_buf_text(&w->buf, function->composite
                           ? ") pgrst_call"
                           : ") as pgrst_scalar) pgrst_call");

    return 0;
}


/*
 * Of columns that nobody has told us those alone that are named, by their
 * names, so that Postgres says which of them is not there, and of what.
 */

static void
cqrs_query_write_called(cqrs_query_writer_t *w, const cqrs_query_node_t *root)
{
    cqrs_query_value_t        *names;
    const cqrs_query_item_t   *item;
    const cqrs_query_order_t  *order;

    names = NULL;

    for (item = root->items; item; item = item->next) {
        if (item->star) {
            break;
        }

        cqrs_query_called_column(w, &names, &item->field.name);
    }

    if (root->embed->relation || item || names == NULL) {
        cqrs_buf_text(&w->buf, "pgrst_call.*");
        return;
    }

    cqrs_query_called_logic(w, &names, root->logic);

    for (order = root->orders; order; order = order->next) {
        if (order->relation.data == NULL) {
            cqrs_query_called_column(w, &names, &order->field.name);
        }
    }

    for ( /* void */ ; names; names = names->next) {
        cqrs_buf_text(&w->buf, "pgrst_call.");
        cqrs_query_write_name(w, &names->text);
        cqrs_buf_text(&w->buf, names->next ? ", " : "");
    }
}


static void
cqrs_query_called_logic(cqrs_query_writer_t *w, cqrs_query_value_t **names,
    const cqrs_query_logic_t *logic)
{
    for ( /* void */ ; logic; logic = logic->next) {

        if (logic->kind == CQRS_QUERY_FILTER) {
            cqrs_query_called_column(w, names, &logic->filter.field.name);

        } else {
            cqrs_query_called_logic(w, names, logic->children);
        }
    }
}


static void
cqrs_query_called_column(cqrs_query_writer_t *w, cqrs_query_value_t **names,
    const cqrs_str_t *name)
{
    int                  order;
    cqrs_query_value_t  *value;

    while (*names && (order = strcmp((*names)->text.data, name->data)) <= 0) {

        if (order == 0) {
            return;
        }

        names = &(*names)->next;
    }

    value = cqrs_arena_calloc(w->arena, sizeof(cqrs_query_value_t));

    if (value == NULL) {
        w->buf.failed = 1;
        return;
    }

    value->text = *name;
    value->next = *names;
    *names = value;
}


static int
cqrs_query_write_arguments(cqrs_query_writer_t *w,
    const cqrs_function_t *function, const cqrs_query_pair_t *arguments)
{
    const char              *comma;
    const cqrs_parameter_t  *parameter;

    comma = "";

    for (parameter = function->parameters;
         parameter;
         parameter = parameter->next)
    {
        if (cqrs_query_argument(arguments, &parameter->name) == NULL) {
            continue;
        }

        cqrs_buf_text(&w->buf, comma);
        comma = ", ";

        if (cqrs_query_write_argument(w, parameter, arguments) != 0) {
            return -1;
        }
    }

    return 0;
}


/* Of several values a variadic parameter takes all, another one the last. */

static int
cqrs_query_write_argument(cqrs_query_writer_t *w,
    const cqrs_parameter_t *parameter, const cqrs_query_pair_t *arguments)
{
    cqrs_query_value_t        *value, *values, **last;
    const cqrs_query_pair_t   *pair;

    values = NULL;
    last = &values;

    for (pair = cqrs_query_argument(arguments, &parameter->name);
         pair;
         pair = cqrs_query_argument(pair->next, &parameter->name))
    {
        value = cqrs_arena_calloc(w->arena, sizeof(cqrs_query_value_t));
        if (value == NULL) {
            cqrs_query_no_memory(w->error);
            return -1;
        }

        value->text = pair->value;

        if (!parameter->variadic) {
            last = &values;
        }

        *last = value;
        last = &value->next;
    }

    cqrs_buf_text(&w->buf, parameter->variadic ? "variadic " : "");
    cqrs_query_write_name(w, &parameter->name);
    cqrs_buf_text(&w->buf, " := ");

    if (parameter->variadic) {
        cqrs_query_write_array(w, values);

    } else {
        cqrs_query_write_param(w, values->text.data);
    }

    cqrs_buf_text(&w->buf, "::");
    cqrs_buf_str(&w->buf, &parameter->type);

    return 0;
}


static const cqrs_query_pair_t *
cqrs_query_argument(const cqrs_query_pair_t *arguments,
    const cqrs_str_t *name)
{
    const cqrs_query_pair_t  *pair;

    for (pair = arguments; pair; pair = pair->next) {
        if (cqrs_str_equal(&pair->key, name)) {
            return pair;
        }
    }

    return NULL;
}
