
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "cqrs_query_call.h"


static int cqrs_query_write_arguments(cqrs_query_writer_t *w,
    const cqrs_function_t *function, const cqrs_query_pair_t *arguments);
static int cqrs_query_write_argument(cqrs_query_writer_t *w,
    const cqrs_parameter_t *parameter, const cqrs_query_pair_t *arguments);
static const cqrs_query_pair_t *cqrs_query_argument(
    const cqrs_query_pair_t *arguments, const cqrs_str_t *name);


int
cqrs_query_write_call(cqrs_query_writer_t *w, const cqrs_function_t *function,
    const cqrs_query_pair_t *arguments)
{
    cqrs_buf_text(&w->buf, function->composite
                           ? "select _f.* from "
                           : "select _f.pgrst_scalar from (select ");

    cqrs_query_write_qualified(w, &function->schema, &function->key.name);
    cqrs_buf_text(&w->buf, "(");

    if (cqrs_query_write_arguments(w, function, arguments) != 0) {
        return -1;
    }

    cqrs_buf_text(&w->buf, function->composite ? ") _f"
                                               : ") as pgrst_scalar) _f");

    return 0;
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
