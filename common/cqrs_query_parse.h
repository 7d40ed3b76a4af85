
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * From the query string of a URL to a tree: pure grammar, no catalogue.
 */

#ifndef CQRS_QUERY_PARSE_H
#define CQRS_QUERY_PARSE_H


#include "cqrs_query.h"


typedef struct {
    int                  function;       /* a value without operator is an
                                            argument, not an error */
    int                  strict_targets; /* filters mean embeds by their alias
                                            alone, where they have one */
} cqrs_query_parse_options_t;


/* A query string that was cut. */
typedef struct {
    cqrs_query_part_t   *parts;
    cqrs_str_t           canonical;
    const char          *args;
    size_t               len;
} cqrs_query_pairs_t;


/*
 * Reads the query string as it came.  All memory is the arena's; the query may
 * point into the text.  Filters, orders and limits are in the nodes that their
 * paths name.  Returns 0, or -1 with the error filled in.
 */
int cqrs_query_parse(cqrs_query_t *query, cqrs_arena_t *arena,
    const char *args, size_t len, const cqrs_query_parse_options_t *options,
    cqrs_query_error_t *error);

/*
 * The same in two steps, for those who look at the pairs between them.  The
 * second one fills in what the parts mean.
 */
int cqrs_query_pairs(cqrs_query_pairs_t *pairs, cqrs_arena_t *arena,
    const char *args, size_t len, cqrs_query_error_t *error);
int cqrs_query_parse_pairs(cqrs_query_t *query, cqrs_query_pairs_t *pairs,
    cqrs_arena_t *arena, const cqrs_query_parse_options_t *options,
    cqrs_query_error_t *error);


#endif /* CQRS_QUERY_PARSE_H */
