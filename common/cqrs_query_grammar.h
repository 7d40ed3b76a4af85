
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The rules of PostgREST's grammar, as cqrs_query_scan.h has it: 0, or -1.
 * For the parser alone.
 */

#ifndef CQRS_QUERY_GRAMMAR_H
#define CQRS_QUERY_GRAMMAR_H


#include "cqrs_query_scan.h"


/* "..." with \ before any character. */
int cqrs_query_quoted(cqrs_query_scan_t *scan, cqrs_str_t *value);

/* Letters, digits, _ $ and blanks within: of types and dictionaries. */
int cqrs_query_identifier(cqrs_query_scan_t *scan, cqrs_str_t *value);

/* The same with - or quoted: of columns, relations and aliases. */
int cqrs_query_name(cqrs_query_scan_t *scan, cqrs_str_t *name);

/* A name and the arrows after it; without blanks around it, or with them. */
int cqrs_query_path(cqrs_query_scan_t *scan, cqrs_query_step_t **path);
int cqrs_query_field(cqrs_query_scan_t *scan, cqrs_query_field_t *field);

/* All of select, into the items and the children of a node. */
int cqrs_query_select(cqrs_query_scan_t *scan, cqrs_query_node_t *node,
    unsigned depth);

/* [not.]operator.value, without the field; in a tree, values have an end. */
int cqrs_query_filter(cqrs_query_scan_t *scan, cqrs_query_filter_t *filter,
    int tree);

/* One filter or tree of them. */
int cqrs_query_logic(cqrs_query_scan_t *scan, cqrs_query_logic_t **logic,
    unsigned depth);

/* All of order. */
int cqrs_query_order(cqrs_query_scan_t *scan, cqrs_query_order_t **orders);


#endif /* CQRS_QUERY_GRAMMAR_H */
