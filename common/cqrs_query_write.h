
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* SQL, written piece by piece with its parameters.  For the planner alone. */

#ifndef CQRS_QUERY_WRITE_H
#define CQRS_QUERY_WRITE_H


#include "cqrs_buf.h"
#include "cqrs_query_embed.h"


typedef struct {
    cqrs_buf_t                   buf;
    cqrs_arena_t                *arena;
    const cqrs_catalog_t        *catalog;
    const cqrs_query_options_t  *options;
    cqrs_query_error_t          *error;

    const char                 **params;
    size_t                       nparams;
    size_t                       size;       /* of params */

    /* what the root reads, where that is no relation */
    const char                  *source;

    int                          rows;       /* of the root, for cqrs_row.h */
    cqrs_row_column_t           *columns;    /* the same */
    unsigned                     ncolumns;

    int                          calls;      /* somebody's own SQL runs */
    int                          ordering;   /* "order by" is written */
} cqrs_query_writer_t;


/* All functions that return int return 0, or -1 with the error filled in. */

void cqrs_query_write_init(cqrs_query_writer_t *w,
    const cqrs_query_planner_t *planner);
int cqrs_query_write_end(cqrs_query_writer_t *w, cqrs_query_sql_t *sql);

/* "name" */
void cqrs_query_write_name(cqrs_query_writer_t *w, const cqrs_str_t *name);

/* "schema"."name" */
void cqrs_query_write_qualified(cqrs_query_writer_t *w,
    const cqrs_str_t *schema, const cqrs_str_t *name);

/* $n; the value stays where it is */
void cqrs_query_write_param(cqrs_query_writer_t *w, const char *value);
void cqrs_query_write_number(cqrs_query_writer_t *w, int64_t number);

/* An array of texts as one parameter. */
void cqrs_query_write_array(cqrs_query_writer_t *w,
    const cqrs_query_value_t *values);

/* _t1: the rows that a node reads; _e1: what it puts out. */
void cqrs_query_write_table(cqrs_query_writer_t *w,
    const cqrs_query_node_t *node);
void cqrs_query_write_row(cqrs_query_writer_t *w,
    const cqrs_query_node_t *node);
void cqrs_query_write_embed(cqrs_query_writer_t *w,
    const cqrs_query_node_t *node);

/* The type of a cast, as safe as a name: quoted, or a word of SQL. */
void cqrs_query_write_type(cqrs_query_writer_t *w, const cqrs_str_t *type);

/* A column with its JSON path. */
int cqrs_query_write_field(cqrs_query_writer_t *w,
    const cqrs_query_node_t *node, const cqrs_query_field_t *field);

/*
 * These fill in the error for a column that is not there, as Postgres says it,
 * and return -1: one of a node's relation, or of what is embedded in a node.
 */
int cqrs_query_no_column(cqrs_query_writer_t *w,
    const cqrs_query_node_t *node, const cqrs_str_t *name);
int cqrs_query_no_output(cqrs_query_writer_t *w,
    const cqrs_query_node_t *node, const cqrs_query_node_t *child,
    const cqrs_str_t *name);

/* ->$1->>$2; NULL: nothing */
void cqrs_query_write_path(cqrs_query_writer_t *w,
    const cqrs_query_step_t *path);

/* The column, if the catalogue knows it; NULL also for a computed one. */
const cqrs_column_t *cqrs_query_column(const cqrs_query_writer_t *w,
    const cqrs_query_node_t *node, const cqrs_str_t *name);

/* " where ..." with the node's conditions and its join; counting: embeds are
   not joined but asked for by "exists". */
int cqrs_query_write_where(cqrs_query_writer_t *w,
    const cqrs_query_node_t *parent, const cqrs_query_node_t *node,
    int counting);

/* " from ..." without joins. */
void cqrs_query_write_from(cqrs_query_writer_t *w,
    const cqrs_query_node_t *parent, const cqrs_query_node_t *node);

/* "select 1 ...": a row for each that there would be without limits. */
int cqrs_query_write_rows(cqrs_query_writer_t *w,
    const cqrs_query_node_t *parent, const cqrs_query_node_t *node);

/* "select ..." of a node and all that is embedded in it. */
int cqrs_query_write_select(cqrs_query_writer_t *w,
    const cqrs_query_node_t *parent, const cqrs_query_node_t *node);


#endif /* CQRS_QUERY_WRITE_H */
