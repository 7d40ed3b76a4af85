
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* What stands between "select" and "from".  For the planner alone. */

#ifndef CQRS_QUERY_COLUMNS_H
#define CQRS_QUERY_COLUMNS_H


#include "cqrs_query_write.h"


typedef struct {
    cqrs_query_writer_t  *w;
    int                   rows;          /* each is a column of cqrs_row.h */
    int                   wrapped;       /* in to_json() */
    unsigned              position;      /* of the column that comes next */
    size_t                groups;        /* that were written */
    cqrs_buf_t            group_by;      /* " group by 1, 3" */
} cqrs_query_columns_t;


void cqrs_query_columns_init(cqrs_query_columns_t *columns,
    cqrs_query_writer_t *w, const cqrs_query_node_t *node);

/* What comes before a column; the caller writes the column. */
void cqrs_query_column_begin(cqrs_query_columns_t *columns, int grouped,
    cqrs_row_kind_e kind, const cqrs_str_t *name);

/* Returns 0, or -1 with the error filled in. */
int cqrs_query_write_item(cqrs_query_columns_t *columns,
    const cqrs_query_node_t *node, const cqrs_query_item_t *item);

/* An embed, as one column, or as many. */
void cqrs_query_write_json(cqrs_query_columns_t *columns,
    const cqrs_query_node_t *node, const cqrs_query_node_t *child);
void cqrs_query_write_spread(cqrs_query_columns_t *columns,
    const cqrs_query_node_t *node, const cqrs_query_node_t *child);


#endif /* CQRS_QUERY_COLUMNS_H */
