
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * From a URL to SQL over the catalogue of shop_rows.h, for tests; to be
 * included by one.  "rpc/" before a name means a function.
 */

#ifndef QUERY_PLAN_H
#define QUERY_PLAN_H


#include "cqrs_query_parse.h"
#include "cqrs_query_plan.h"
#include "shop_rows.h"


#define PLAN_MEMORY  (16 * 1024 * 1024)


static cqrs_catalog_t        *shop;
static cqrs_arena_t           plan_arena;
static cqrs_query_plan_t      plan;
static cqrs_query_error_t     plan_error;
static cqrs_query_options_t   plan_options;
static const char            *plan_schema;
static int                    plan_strict;


/* Of what has been planned nothing is left after the next one. */

static int
plan_url(const char *url)
{
    cqrs_str_t                  schema, name;
    const char                 *args;
    cqrs_query_t                query;
    const cqrs_function_t      *function;
    const cqrs_relation_t      *relation;
    cqrs_query_parse_options_t  options;

    cqrs_arena_cleanup(&plan_arena);
    cqrs_arena_init(&plan_arena, PLAN_MEMORY);

    memset(&options, 0, sizeof(options));
    memset(&plan_error, 0, sizeof(plan_error));

    options.function = (strncmp(url, "rpc/", 4) == 0);
    options.strict_targets = plan_strict;
    url += options.function ? 4 : 0;

    args = strchr(url, '?');
    name.len = args ? (size_t) (args - url) : strlen(url);
    name.data = cqrs_arena_copy(&plan_arena, url, name.len);
    args = args ? args + 1 : "";

    schema.data = plan_schema;
    schema.len = strlen(plan_schema);

    if (cqrs_query_parse(&query, &plan_arena, args, strlen(args), &options,
                         &plan_error)
        != 0)
    {
        return -1;
    }

    if (!options.function) {

        relation = cqrs_query_relation(shop, &schema, &name, &plan_arena,
                                       &plan_error);

        return relation
               ? cqrs_query_plan_relation(&plan, &query, shop, relation,
                                          &plan_options, &plan_arena,
                                          &plan_error)
               : -1;
    }

    function = cqrs_query_function(shop, &schema, &name, query.arguments,
                                   &plan_arena, &plan_error);

    return function
           ? cqrs_query_plan_function(&plan, &query, shop, function,
                                      &plan_options, &plan_arena, &plan_error)
           : -1;
}


static int
plan_reset(void **state)
{
    (void) state;

    memset(&plan_options, 0, sizeof(plan_options));

    plan_options.max_rows = -1;
    plan_schema = "shop";
    plan_strict = 0;

    return 0;
}


static int
plan_open(void **state)
{
    (void) state;

    cqrs_arena_init(&plan_arena, PLAN_MEMORY);

    shop = shop_rows_load();

    return shop ? 0 : -1;
}


static int
plan_close(void **state)
{
    (void) state;

    cqrs_arena_cleanup(&plan_arena);
    cqrs_catalog_unref(shop);

    return 0;
}


#endif /* QUERY_PLAN_H */
