
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * An aggregate in a spread of one row makes no sense there: it is applied, and
 * rows are grouped, in the nearest node around it that is the root or is an
 * object or an array of its own.  Until there its column is passed on.
 */

#include "cqrs_query_embed.h"

#include <stdarg.h>
#include <stdio.h>


static int cqrs_query_derive_node(cqrs_query_planner_t *planner,
    cqrs_query_node_t *node, int expanded);
static int cqrs_query_check_aggregates(cqrs_query_planner_t *planner,
    const cqrs_query_node_t *node);
static int cqrs_query_derive_items(cqrs_query_planner_t *planner,
    cqrs_query_node_t *node);
static int cqrs_query_derive_children(cqrs_query_planner_t *planner,
    cqrs_query_node_t *node);
static int cqrs_query_derive_orders(cqrs_query_planner_t *planner,
    const cqrs_query_node_t *node);
static cqrs_query_output_t *cqrs_query_output(cqrs_query_planner_t *planner,
    cqrs_query_node_t *node, const cqrs_str_t *name);
static int cqrs_query_has_aggregates(const cqrs_query_node_t *node);
static void cqrs_query_group(cqrs_query_node_t *node);


int
cqrs_query_derive(cqrs_query_planner_t *planner, cqrs_query_node_t *root)
{
    if (cqrs_query_derive_orders(planner, root) != 0
        || cqrs_query_check_aggregates(planner, root) != 0)
    {
        return -1;
    }

    return cqrs_query_derive_node(planner, root, 0);
}


static int
cqrs_query_derive_node(cqrs_query_planner_t *planner, cqrs_query_node_t *node,
    int expanded)
{
    cqrs_query_node_t   *child;
    cqrs_query_embed_t  *embed;

    embed = node->embed;

    embed->hoisted = node->spread && embed->to_one;

    if (cqrs_query_has_aggregates(node)) {
        embed->aggregated = !embed->hoisted;
        expanded = 1;
    }

    if (node->spread && !embed->to_one) {
        expanded = 1;
    }

    for (child = node->children; child; child = child->next) {
        if (cqrs_query_derive_node(planner, child, expanded) != 0) {
            return -1;
        }
    }

    embed->expanded = expanded;

    if (cqrs_query_derive_children(planner, node) != 0) {
        return -1;
    }

    if (embed->aggregated) {

        if (node->spread) {
            cqrs_query_refuse(planner->error, 400, "PGRST127",
                              "Feature not implemented");
            planner->error->details = cqrs_str_lit(
                      "Aggregates are not implemented for one-to-many or "
                      "many-to-many spreads.");
            return -1;
        }

        embed->expanded = 1;
        cqrs_query_group(node);
    }

    if (embed->relation == NULL) {
        embed->expanded = 0;

    } else if (embed->relation->representations) {
        embed->expanded = 1;
    }

    return cqrs_query_derive_items(planner, node);
}


static int
cqrs_query_check_aggregates(cqrs_query_planner_t *planner,
    const cqrs_query_node_t *node)
{
    const cqrs_query_node_t  *child;

    if (!planner->options->aggregates && cqrs_query_has_aggregates(node)) {
        cqrs_query_refuse(planner->error, 400, "PGRST123",
                          "Use of aggregate functions is not allowed");
        return -1;
    }

    for (child = node->children; child; child = child->next) {
        if (cqrs_query_check_aggregates(planner, child) != 0) {
            return -1;
        }
    }

    return 0;
}


static int
cqrs_query_derive_items(cqrs_query_planner_t *planner,
    cqrs_query_node_t *node)
{
    cqrs_query_embed_t       *embed;
    cqrs_query_output_t      *output, *inherited, **last;
    const cqrs_column_t      *column;
    const cqrs_query_item_t  *item;

    embed = node->embed;

    /* what the children have put out comes after the node's own */

    inherited = embed->outputs;
    last = embed->last;

    embed->outputs = NULL;
    embed->last = &embed->outputs;

    for (item = node->items; item; item = item->next) {

        if (item->star && !item->aggregate && embed->expanded) {

            for (column = embed->relation->columns;
                 column;
                 column = column->next)
            {
                if (cqrs_query_output(planner, node, &column->key.name)
                    == NULL)
                {
                    return -1;
                }
            }

            continue;
        }

        output = cqrs_query_output(planner, node,
                                   (item->star && !item->aggregate)
                                       ? NULL : cqrs_query_item_name(item));
        if (output == NULL) {
            return -1;
        }

        if (embed->hoisted) {
            output->aggregate = item->aggregate;
            output->cast = item->aggregate_cast;
            output->alias = output->name;
        }
    }

    /* "clients()" shows nothing, but is there to be sorted by */

    if (node->items == NULL && node->children == NULL && embed->to_one
        && !node->spread && cqrs_query_output(planner, node, NULL) == NULL)
    {
        return -1;
    }

    if (inherited) {
        *embed->last = inherited;
        embed->last = last;
    }

    return 0;
}


static int
cqrs_query_derive_children(cqrs_query_planner_t *planner,
    cqrs_query_node_t *node)
{
    cqrs_query_node_t          *child;
    cqrs_query_output_t        *output;
    const cqrs_query_output_t  *inner;

    for (child = node->children; child; child = child->next) {

        if (!child->spread) {
            if (cqrs_query_output(planner, node, cqrs_query_label(child))
                == NULL)
            {
                return -1;
            }

            continue;
        }

        for (inner = child->embed->outputs; inner; inner = inner->next) {

            output = cqrs_query_output(planner, node,
                                       inner->name.data ? &inner->name : NULL);
            if (output == NULL) {
                return -1;
            }

            if (!inner->aggregate) {
                continue;
            }

            if (node->embed->hoisted) {
                output->aggregate = inner->aggregate;
                output->cast = inner->cast;
                output->alias = inner->alias;

            } else {
                node->embed->aggregated = 1;
            }
        }
    }

    return 0;
}


static int
cqrs_query_derive_orders(cqrs_query_planner_t *planner,
    const cqrs_query_node_t *node)
{
    const char                *name;
    cqrs_query_error_t        *error;
    const cqrs_query_node_t   *child;
    const cqrs_query_order_t  *order;

    error = planner->error;

    for (order = node->orders; order; order = order->next) {

        if (order->relation.data == NULL) {
            continue;
        }

        name = order->relation.data;
        child = cqrs_query_child(node, &order->relation);

        if (child == NULL) {
            cqrs_query_refuse(error, 400, "PGRST108", "");

            if (cqrs_query_say(planner->arena, error, &error->message,
                               "'%s' is not an embedded resource in this "
                               "request", name)
                == 0)
            {
                (void) cqrs_query_say(planner->arena, error, &error->hint,
                                      "Verify that '%s' is included in the "
                                      "'select' query parameter.", name);
            }

            return -1;
        }

        if (child->embed->to_one) {
            continue;
        }

        cqrs_query_refuse(error, 400, "PGRST118", "");

        if (cqrs_query_say(planner->arena, error, &error->message,
                           "A related order on '%s' is not possible", name)
            == 0)
        {
            (void) cqrs_query_say(planner->arena, error, &error->details,
                                  "'%s' and '%s' do not form a many-to-one "
                                  "or one-to-one relationship",
                                  node->embed->origin.data, name);
        }

        return -1;
    }

    for (child = node->children; child; child = child->next) {
        if (cqrs_query_derive_orders(planner, child) != 0) {
            return -1;
        }
    }

    return 0;
}


static cqrs_query_output_t *
cqrs_query_output(cqrs_query_planner_t *planner, cqrs_query_node_t *node,
    const cqrs_str_t *name)
{
    cqrs_query_output_t  *output;

    output = cqrs_arena_calloc(planner->arena, sizeof(cqrs_query_output_t));
    if (output == NULL) {
        cqrs_query_no_memory(planner->error);
        return NULL;
    }

    if (name) {
        output->name = *name;
    }

    *node->embed->last = output;
    node->embed->last = &output->next;

    return output;
}


static int
cqrs_query_has_aggregates(const cqrs_query_node_t *node)
{
    const cqrs_query_item_t  *item;

    for (item = node->items; item; item = item->next) {
        if (item->aggregate) {
            return 1;
        }
    }

    return 0;
}


/* What is spread into groups is grouped, too. */

static void
cqrs_query_group(cqrs_query_node_t *node)
{
    cqrs_query_node_t  *child;

    node->embed->grouped = 1;

    for (child = node->children; child; child = child->next) {
        if (child->embed->hoisted) {
            cqrs_query_group(child);
        }
    }
}


cqrs_query_node_t *
cqrs_query_child(const cqrs_query_node_t *node, const cqrs_str_t *name)
{
    cqrs_query_node_t  *child;

    for (child = node->children; child; child = child->next) {
        if (cqrs_str_equal(cqrs_query_label(child), name)) {
            return child;
        }
    }

    return NULL;
}


const cqrs_str_t *
cqrs_query_label(const cqrs_query_node_t *node)
{
    return node->alias.data ? &node->alias : &node->name;
}


const cqrs_str_t *
cqrs_query_item_name(const cqrs_query_item_t *item)
{
    const cqrs_str_t         *name;
    const cqrs_query_step_t  *step;

    static const cqrs_str_t   aggregates[] = {
        cqrs_str(""), cqrs_str("sum"), cqrs_str("avg"), cqrs_str("count"),
        cqrs_str("max"), cqrs_str("min")
    };

    if (item->alias.data) {
        return &item->alias;
    }

    if (item->aggregate) {
        return &aggregates[item->aggregate];
    }

    name = &item->field.name;

    /* SQL has no name for what has none */

    for (step = item->field.path; step; step = step->next) {
        if (!step->index && step->key.len) {
            name = &step->key;
        }
    }

    return name;
}


int
cqrs_query_say(cqrs_arena_t *arena, cqrs_query_error_t *error,
    cqrs_str_t *out, const char *format, ...)
{
    int      len;
    char    *p;
    va_list  args;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);

    p = cqrs_arena_alloc(arena, (size_t) len + 1);
    if (p == NULL) {
        cqrs_query_no_memory(error);
        return -1;
    }

    va_start(args, format);
    (void) vsnprintf(p, (size_t) len + 1, format, args);
    va_end(args);

    out->data = p;
    out->len = (size_t) len;

    return 0;
}
