
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * A read request in PostgREST's language: from the text of a URL to a tree,
 * and from the tree to SQL.
 *
 * Nothing of the request becomes SQL text: values are parameters, and the
 * names of relations and columns are the catalogue's own, found by what the
 * request says.  Aliases alone are the request's, quoted.
 */

#ifndef CQRS_QUERY_H
#define CQRS_QUERY_H


#include "cqrs_arena.h"
#include "cqrs_catalog.h"

#include <stdint.h>


#define CQRS_QUERY_ITEMS_MAX    1000
#define CQRS_QUERY_FILTERS_MAX  200
#define CQRS_QUERY_ORDERS_MAX   100
#define CQRS_QUERY_NAME_MAX     255


/* Why there is no answer, as PostgREST tells it; data NULL is null. */
typedef struct {
    unsigned             status;     /* of HTTP */
    const char          *code;
    cqrs_str_t           message;
    cqrs_str_t           details;
    cqrs_str_t           hint;
    int                  stale;      /* a newer catalogue may know better */
} cqrs_query_error_t;


typedef enum {
    CQRS_QUERY_BINARY = 0,           /* column <sql> $n */
    CQRS_QUERY_PATTERN,              /* the same, and * in the value means % */
    CQRS_QUERY_LIST,                 /* column = any ($n), an array */
    CQRS_QUERY_IS                    /* column is null... */
} cqrs_query_op_e;


typedef struct {
    cqrs_str_t           name;       /* in the request */
    const char          *sql;
    cqrs_query_op_e      kind;
} cqrs_query_op_t;


typedef struct cqrs_query_value_s   cqrs_query_value_t;
typedef struct cqrs_query_item_s    cqrs_query_item_t;
typedef struct cqrs_query_filter_s  cqrs_query_filter_t;
typedef struct cqrs_query_order_s   cqrs_query_order_t;


struct cqrs_query_value_s {
    cqrs_str_t           text;       /* a NUL follows */
    cqrs_query_value_t  *next;
};


struct cqrs_query_item_s {
    cqrs_str_t           column;     /* data NULL: all of them */
    cqrs_str_t           alias;      /* data NULL: none */
    cqrs_query_item_t   *next;
};


struct cqrs_query_filter_s {
    cqrs_str_t              column;
    int                     negated;
    const cqrs_query_op_t  *op;
    cqrs_query_value_t     *values;  /* one; LIST: any number; IS: none */
    const char             *is;      /* IS: SQL */
    cqrs_query_filter_t    *next;
};


struct cqrs_query_order_s {
    cqrs_str_t           column;
    const char          *direction;  /* SQL, "" where not said */
    const char          *nulls;
    cqrs_query_order_t  *next;
};


/* What is asked of one relation. */
typedef struct {
    cqrs_query_item_t    *items;     /* NULL: all columns */
    cqrs_query_filter_t  *filters;   /* all must hold */
    cqrs_query_order_t   *orders;
    int64_t               limit;     /* -1: none */
    int64_t               offset;
} cqrs_query_t;


typedef struct {
    int                  head;       /* the rows are counted, not returned */
    int64_t              max_rows;   /* -1: none */
} cqrs_query_options_t;


/*
 * One row, two columns: the number of rows, and the rows as a JSON array.
 * All parameters are text.
 */
typedef struct {
    cqrs_str_t           text;       /* a NUL follows */
    size_t               nparams;
    const char         **params;
} cqrs_query_sql_t;


/*
 * Reads the query string of a URL, as it came.  All memory is the arena's; the
 * query may point into the text.  Returns 0, or -1 with the error filled in.
 */
int cqrs_query_parse(cqrs_query_t *query, cqrs_arena_t *arena,
    const char *args, size_t len, cqrs_query_error_t *error);

/*
 * Writes the SQL.  Requests that differ in values alone have the same text.
 * Returns 0, or -1 with the error filled in.
 */
int cqrs_query_generate(cqrs_query_sql_t *sql, const cqrs_query_t *query,
    const cqrs_catalog_t *catalog, const cqrs_relation_t *relation,
    const cqrs_query_options_t *options, cqrs_arena_t *arena,
    cqrs_query_error_t *error);

/* Fills in the error for a relation that the catalogue lacks. */
void cqrs_query_no_relation(cqrs_query_error_t *error,
    const cqrs_catalog_t *catalog, const cqrs_str_t *schema,
    const cqrs_str_t *name, cqrs_arena_t *arena);

/* Fills in an error; code and message must be constants. */
void cqrs_query_refuse(cqrs_query_error_t *error, unsigned status,
    const char *code, const char *message);

/* The same for a request that needs more memory than it may have. */
void cqrs_query_no_memory(cqrs_query_error_t *error);

/* The status of HTTP for an error of Postgres. */
unsigned cqrs_query_status(const char *sqlstate, int anonymous);


#endif /* CQRS_QUERY_H */
