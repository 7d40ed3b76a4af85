
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * What planning finds out about a node of the tree: which relation it reads,
 * by which relationship, and which columns its select puts out.  For the
 * planner alone.
 */

#ifndef CQRS_QUERY_EMBED_H
#define CQRS_QUERY_EMBED_H


#include "cqrs_query_plan.h"


typedef struct cqrs_query_output_s  cqrs_query_output_t;


/* A column of a node's select, as the node around it may name it. */
struct cqrs_query_output_s {
    cqrs_str_t                   name;       /* data NULL: all, a star */

    /* an aggregate that the node around a to-one spread applies */
    cqrs_query_aggregate_e       aggregate;
    cqrs_str_t                   cast;
    cqrs_str_t                   alias;

    cqrs_query_output_t         *next;
};


struct cqrs_query_embed_s {
    const cqrs_relation_t       *relation;   /* NULL: columns are not known */
    const cqrs_relationship_t   *relationship;   /* NULL: the root */
    cqrs_str_t                   origin;     /* its name for relationships */

    unsigned                     number;     /* of its aliases in SQL */
    unsigned                     depth;      /* 0: the root */
    int                          to_one;
    int                          expanded;   /* a star is written column by
                                                column */
    int                          aggregated; /* rows are grouped here */
    int                          grouped;    /* or in the node around it */
    int                          hoisted;    /* aggregates go to the node
                                                around it */

    cqrs_query_output_t         *outputs;
    cqrs_query_output_t        **last;
};


/* What the steps of planning share. */
typedef struct {
    cqrs_arena_t                *arena;
    const cqrs_catalog_t        *catalog;
    const cqrs_query_options_t  *options;
    cqrs_query_error_t          *error;
    cqrs_str_t                   schema;     /* where embeds are looked up */
    unsigned                     nodes;
} cqrs_query_planner_t;


/*
 * Finds the relation and the relationship of each node.  The root's relation
 * may be NULL; its origin is what it is called in relationships and errors.
 * Returns 0, or -1 with the error filled in, as all functions here.
 */
int cqrs_query_relate(cqrs_query_planner_t *planner, cqrs_query_node_t *root,
    const cqrs_relation_t *relation, const cqrs_str_t *origin);

/* Finds where rows are grouped and which columns each node puts out. */
int cqrs_query_derive(cqrs_query_planner_t *planner, cqrs_query_node_t *root);

/* The embed that is called so in filters and orders; NULL if there is none. */
cqrs_query_node_t *cqrs_query_child(const cqrs_query_node_t *node,
    const cqrs_str_t *name);

/* What an embed is called in the answer. */
const cqrs_str_t *cqrs_query_label(const cqrs_query_node_t *node);

/* An item that says no alias is called this. */
const cqrs_str_t *cqrs_query_item_name(const cqrs_query_item_t *item);

/* Fills in message, details or hint, in the format of printf(). */
int cqrs_query_say(cqrs_arena_t *arena, cqrs_query_error_t *error,
    cqrs_str_t *out, const char *format, ...)
    __attribute__((format(printf, 4, 5)));


#endif /* CQRS_QUERY_EMBED_H */
