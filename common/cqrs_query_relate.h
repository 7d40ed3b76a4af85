
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* Errors about relationships, relations and functions.  For the planner. */

#ifndef CQRS_QUERY_RELATE_H
#define CQRS_QUERY_RELATE_H


#include "cqrs_buf.h"
#include "cqrs_query_embed.h"


/* Several relationships fit; they are told one by one. */
typedef struct {
    cqrs_query_planner_t     *planner;
    const cqrs_query_node_t  *parent;
    const cqrs_query_node_t  *node;
    cqrs_buf_t                text;          /* of one of them */
    cqrs_buf_t                details;
    cqrs_buf_t                choices;
    size_t                    count;
} cqrs_query_ambiguity_t;


void cqrs_query_ambiguity_init(cqrs_query_ambiguity_t *ambiguity,
    cqrs_query_planner_t *planner, const cqrs_query_node_t *parent,
    const cqrs_query_node_t *node);
void cqrs_query_ambiguity_add(cqrs_query_ambiguity_t *ambiguity,
    const cqrs_relationship_t *relationship);

/* Fills in the planner's error. */
void cqrs_query_ambiguity_end(cqrs_query_ambiguity_t *ambiguity);

/* Fills in the planner's error: none fits. */
void cqrs_query_no_relationship(cqrs_query_planner_t *planner,
    const cqrs_query_node_t *parent, const cqrs_query_node_t *node);


#endif /* CQRS_QUERY_RELATE_H */
