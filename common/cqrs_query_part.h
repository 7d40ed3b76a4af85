
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * What one pair of the query string asks for, and of which relation.  For the
 * parser, and for what remembers plans.
 */

#ifndef CQRS_QUERY_PART_H
#define CQRS_QUERY_PART_H


#include "cqrs_query.h"


typedef enum {
    CQRS_QUERY_PART_FILTER = 0,
    CQRS_QUERY_PART_LOGIC,
    CQRS_QUERY_PART_ORDER,
    CQRS_QUERY_PART_LIMIT,
    CQRS_QUERY_PART_OFFSET,
    CQRS_QUERY_PART_SELECT,
    CQRS_QUERY_PART_COLUMNS,
    CQRS_QUERY_PART_ON_CONFLICT,
    CQRS_QUERY_PART_NONE             /* a key without a value, an argument */
} cqrs_query_part_e;


struct cqrs_query_part_s {
    cqrs_query_part_e      kind;
    cqrs_query_pair_t      pair;     /* without "=" the value is absent */

    cqrs_query_value_t    *path;     /* of embeds, from the root */
    cqrs_query_logic_t    *logic;    /* FILTER, LOGIC */
    cqrs_query_order_t    *orders;
    cqrs_query_number_t    number;   /* LIMIT, OFFSET */

    cqrs_query_part_t     *next;
};


/*
 * Gives a node what the part asks of it.  Returns 0, or -1 with the error: the
 * path leads nowhere.
 */
int cqrs_query_attach(cqrs_query_node_t *root, cqrs_query_part_t *part,
    int strict, cqrs_arena_t *arena, cqrs_query_error_t *error);

/*
 * Reads a number as Haskell's read does, for that is what PostgREST has:
 * blanks and brackets may be around it.
 */
void cqrs_query_number(const cqrs_str_t *text, cqrs_query_number_t *number);

/* What limit and offset mean together: of the root, or of embeds. */
void cqrs_query_settle_root(cqrs_query_node_t *root);
void cqrs_query_settle(cqrs_query_node_t *node);

/* All pairs, sorted by key and encoded.  Returns 0, or -1: no memory. */
int cqrs_query_canonical(const cqrs_query_part_t *parts, cqrs_arena_t *arena,
    cqrs_str_t *canonical);


#endif /* CQRS_QUERY_PART_H */
