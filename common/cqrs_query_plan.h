
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * From the tree to SQL, by what the catalogue knows.
 *
 * Nothing of the request becomes SQL text but aliases, quoted, and types of
 * casts, quoted or from a list: values are parameters, and the names of
 * relations, columns and functions are the catalogue's own, found by what the
 * request says.  Requests that differ in values alone have the same text.
 */

#ifndef CQRS_QUERY_PLAN_H
#define CQRS_QUERY_PLAN_H


#include "cqrs_catalog.h"
#include "cqrs_query.h"
#include "cqrs_row.h"


typedef enum {
    CQRS_QUERY_COUNT_NONE = 0,
    CQRS_QUERY_COUNT_EXACT,
    CQRS_QUERY_COUNT_PLANNED,
    CQRS_QUERY_COUNT_ESTIMATED
} cqrs_query_count_e;


typedef enum {
    CQRS_QUERY_BODY_JSON = 0,            /* an array, or a function's value */
    CQRS_QUERY_BODY_ROWS,                /* the same, made by the caller if
                                            plan.columns says so */
    CQRS_QUERY_BODY_OBJECT,              /* the first row alone */
    CQRS_QUERY_BODY_CSV,
    CQRS_QUERY_BODY_GEOJSON,
    CQRS_QUERY_BODY_HANDLER,             /* options.handler makes it */
    CQRS_QUERY_BODY_NONE                 /* rows are counted alone */
} cqrs_query_body_e;


typedef struct {
    cqrs_query_body_e        body;
    int                      strip_nulls;    /* JSON, OBJECT */
    const cqrs_handler_t    *handler;        /* HANDLER */
    cqrs_query_count_e       count;
    int64_t                  max_rows;       /* -1: none */
    int                      aggregates;     /* are allowed */
    const char              *explain;        /* options in brackets, checked,
                                                "format text, verbose"; NULL */
} cqrs_query_options_t;


/*
 * One row of five columns: the number of all rows or null, the number of rows
 * in the body, the body, and the settings response.headers and response.status
 * or null; to be asked for in binary, since all are text but a body of bytes.
 * With options.explain: the lines of a plan.
 *
 * With plan.columns: the rows themselves, in text, that cqrs_row.h makes JSON.
 */
typedef struct {
    cqrs_str_t           text;           /* a NUL follows */
    size_t               nparams;
    const char         **params;         /* text */
} cqrs_query_sql_t;


typedef struct {
    cqrs_query_sql_t     main;
    cqrs_row_column_t   *columns;        /* NULL: the body is made in SQL */
    unsigned             ncolumns;
    int                  single;         /* columns: there is hardly more than
                                            one row, since a key is given */
    int                  settings;       /* rows alone: response.* may have
                                            been set: ask for them */
    cqrs_query_sql_t     estimate;       /* "explain (format json)" of the rows
                                            to be counted; text.data NULL */
} cqrs_query_plan_t;


/*
 * Plans a read of a relation.  Returns 0, or -1 with the error filled in.  The
 * plan is in the arena; it points into the catalogue no more.
 */
int cqrs_query_plan_relation(cqrs_query_plan_t *plan, cqrs_query_t *query,
    const cqrs_catalog_t *catalog, const cqrs_relation_t *relation,
    const cqrs_query_options_t *options, cqrs_arena_t *arena,
    cqrs_query_error_t *error);

/*
 * The same for a call of a function; query->arguments are its arguments and
 * must be those that cqrs_query_function() has found it by.
 */
int cqrs_query_plan_function(cqrs_query_plan_t *plan, cqrs_query_t *query,
    const cqrs_catalog_t *catalog, const cqrs_function_t *function,
    const cqrs_query_options_t *options, cqrs_arena_t *arena,
    cqrs_query_error_t *error);

/*
 * The same for a select that somebody has written, whose parameters are $1 to
 * $n; NULL is null.
 */
int cqrs_query_plan_text(cqrs_query_plan_t *plan, const cqrs_str_t *text,
    const char *const *params, size_t nparams,
    const cqrs_query_options_t *options, cqrs_arena_t *arena,
    cqrs_query_error_t *error);

/* Finds the relation, or fills in the error and returns NULL. */
const cqrs_relation_t *cqrs_query_relation(const cqrs_catalog_t *catalog,
    const cqrs_str_t *schema, const cqrs_str_t *name, cqrs_arena_t *arena,
    cqrs_query_error_t *error);

/* Finds the overload that takes these arguments, by their names. */
const cqrs_function_t *cqrs_query_function(const cqrs_catalog_t *catalog,
    const cqrs_str_t *schema, const cqrs_str_t *name,
    const cqrs_query_pair_t *arguments, cqrs_arena_t *arena,
    cqrs_query_error_t *error);


#endif /* CQRS_QUERY_PLAN_H */
