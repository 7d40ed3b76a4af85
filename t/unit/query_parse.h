
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Parses query strings and compares what comes out, for tests.  A tree is
 * written as text:
 *
 *     {items; children} ?conditions ^orders #limit,offset @arguments
 */

#ifndef QUERY_PARSE_H
#define QUERY_PARSE_H


#include "cqrs_query_parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>


#define MEMORY  (1024 * 1024)


static void dump(const char *format, ...)
    __attribute__((format(printf, 1, 2)));


static char    query_dumped[65536];
static size_t  query_dump_len;


static void
dump(const char *format, ...)
{
    int      n;
    size_t   left;
    va_list  args;

    left = sizeof(query_dumped) - query_dump_len;

    va_start(args, format);
    n = vsnprintf(query_dumped + query_dump_len, left, format, args);
    va_end(args);

    /* what is longer is cut */

    if (n > 0) {
        query_dump_len += ((size_t) n < left) ? (size_t) n : left - 1;
    }
}


static void
dump_field(const cqrs_query_field_t *field)
{
    const cqrs_query_step_t  *step;

    dump("%s", field->name.data);

    for (step = field->path; step; step = step->next) {
        dump("%s%s%s%s", step->text ? "->>" : "->", step->index ? "[" : "",
             step->key.data, step->index ? "]" : "");
    }
}


static void
dump_item(const cqrs_query_item_t *item)
{
    static const char  *aggregates[] = {
        "", ".sum()", ".avg()", ".count()", ".max()", ".min()"
    };

    if (item->alias.data) {
        dump("%s=", item->alias.data);
    }

    if (item->star) {
        dump("*");

    } else {
        dump_field(&item->field);
    }

    if (item->cast.data) {
        dump("::%s", item->cast.data);
    }

    dump("%s", aggregates[item->aggregate]);

    if (item->aggregate_cast.data) {
        dump("::%s", item->aggregate_cast.data);
    }
}


static void
dump_filter(const cqrs_query_filter_t *filter)
{
    const cqrs_query_value_t  *value;

    static const char  *ops[] = {
        "eq", "neq", "gt", "gte", "lt", "lte", "like", "ilike", "match",
        "imatch", "in", "is", "isdistinct", "fts", "plfts", "phfts", "wfts",
        "cs", "cd", "ov", "sl", "sr", "nxr", "nxl", "adj"
    };

    static const char  *quantifiers[] = { "", "(any)", "(all)" };

    static const char  *words[] = {
        "null", "not_null", "true", "false", "unknown"
    };

    dump_field(&filter->field);
    dump(".%s%s%s", filter->negated ? "not." : "", ops[filter->op],
         quantifiers[filter->quantifier]);

    if (filter->language.data) {
        dump("(%s)", filter->language.data);
    }

    dump(".%s", filter->op == CQRS_QUERY_IS ? words[filter->is] : "");

    for (value = filter->values; value; value = value->next) {
        dump("<%s>", value->text.data);
    }
}


static void
dump_logic(const cqrs_query_logic_t *logic, const char *between)
{
    const cqrs_query_logic_t  *one;

    for (one = logic; one; one = one->next) {

        dump("%s", one == logic ? "" : between);

        if (one->kind == CQRS_QUERY_FILTER) {
            dump_filter(&one->filter);
            continue;
        }

        dump("%s%s(", one->negated ? "not." : "",
             one->kind == CQRS_QUERY_AND ? "and" : "or");
        dump_logic(one->children, ",");
        dump(")");
    }
}


static void
dump_orders(const cqrs_query_order_t *orders)
{
    const cqrs_query_order_t  *order;

    static const char  *directions[] = { "", ".asc", ".desc" };
    static const char  *nulls[] = { "", ".nullsfirst", ".nullslast" };

    for (order = orders; order; order = order->next) {

        dump("%s", order == orders ? "" : ",");

        if (order->relation.data) {
            dump("%s(", order->relation.data);
        }

        dump_field(&order->field);
        dump("%s%s%s", order->relation.data ? ")" : "",
             directions[order->direction], nulls[order->nulls]);
    }
}


static void
dump_node(const cqrs_query_node_t *node)
{
    const cqrs_query_item_t  *item;
    const cqrs_query_node_t  *child;

    static const char  *joins[] = { "", "!left", "!inner" };

    if (node->name.data) {
        dump("%s%s%s%s%s%s%s%s", node->spread ? "..." : "",
             node->alias.data ? node->alias.data : "",
             node->alias.data ? "=" : "", node->name.data,
             node->hint.data ? "!" : "",
             node->hint.data ? node->hint.data : "", joins[node->join],
             node->legacy ? "~legacy" : "");
    }

    dump("{");

    for (item = node->items; item; item = item->next) {
        dump_item(item);
        dump("%s", item->next ? "," : "");
    }

    for (child = node->children; child; child = child->next) {
        dump("%s", child == node->children ? ";" : ",");
        dump_node(child);
    }

    dump("}");

    if (node->logic) {
        dump(" ?");
        dump_logic(node->logic, "&");
    }

    if (node->orders) {
        dump(" ^");
        dump_orders(node->orders);
    }

    if (node->limit != -1 || node->offset != 0) {
        dump(" #%lld,%lld", (long long) node->limit,
             (long long) node->offset);
    }
}


static const char *
query_dump(const cqrs_query_t *query)
{
    const cqrs_query_pair_t  *pair;

    query_dump_len = 0;

    dump_node(&query->root);

    for (pair = query->arguments; pair; pair = pair->next) {
        dump("%s%s=%s", pair == query->arguments ? " @" : ",",
             pair->key.data, pair->value.data);
    }

    return query_dumped;
}

static cqrs_arena_t                arena;
static cqrs_query_t                query;
static cqrs_query_error_t          error;
static cqrs_query_parse_options_t  options;


static int
parse(const char *args)
{
    cqrs_arena_cleanup(&arena);
    cqrs_arena_init(&arena, MEMORY);

    return cqrs_query_parse(&query, &arena, args, strlen(args), &options,
                            &error);
}


static void
same(const char *args, const char *got, const char *wanted)
{
    if (strcmp(got, wanted) != 0) {
        fail_msg("\"%s\" gives\n%s\nnot\n%s", args, got, wanted);
    }
}


static void
refused(const char *args, unsigned status, const char *code,
    const char *message, const char *details, const char *hint)
{
    if (parse(args) == 0) {
        fail_msg("\"%s\" gives %s", args, query_dump(&query));
    }

    same(args, error.code, code);
    assert_int_equal(error.status, status);
    same(args, error.message.data, message);
    same(args, error.details.data ? error.details.data : "", details);
    same(args, error.hint.data ? error.hint.data : "", hint);
}


static void
wrong(const char *args, const char *message, const char *details)
{
    refused(args, 400, "PGRST100", message, details, "");
}


static int
setup(void **state)
{
    (void) state;

    memset(&options, 0, sizeof(options));
    cqrs_arena_init(&arena, MEMORY);

    return 0;
}


static int
teardown(void **state)
{
    (void) state;

    cqrs_arena_cleanup(&arena);

    return 0;
}


#endif /* QUERY_PARSE_H */
