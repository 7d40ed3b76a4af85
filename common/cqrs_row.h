
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Rows as JSON, byte for byte as row_to_json() and json_agg() of Postgres
 * write them, from the values as Postgres writes them in text.
 *
 * That holds for the types that cqrs_row_kind() knows, with datestyle ISO.
 */

#ifndef CQRS_ROW_H
#define CQRS_ROW_H


#include "cqrs_str.h"


typedef enum {
    CQRS_ROW_UNKNOWN = 0,            /* only Postgres can make it JSON */
    CQRS_ROW_JSON,                   /* it is JSON */
    CQRS_ROW_NUMBER,                 /* it is, unless it is NaN or so */
    CQRS_ROW_BOOLEAN,
    CQRS_ROW_STRING,
    CQRS_ROW_QUOTED,                 /* a string without what is escaped */
    CQRS_ROW_TIMESTAMP,
    CQRS_ROW_TIMESTAMPTZ
} cqrs_row_kind_e;


typedef struct {
    cqrs_row_kind_e      kind;
    cqrs_str_t           prefix;     /* {"id": or ,"id": */
} cqrs_row_column_t;


/* Of a built-in type, by its name as format_type() writes it, or its oid. */
cqrs_row_kind_e cqrs_row_kind(const cqrs_str_t *type);
cqrs_row_kind_e cqrs_row_kind_of(unsigned oid);

/*
 * How many bytes the prefix takes, and how many the value takes at most, for
 * values of that length; exactly if the value is long.
 */
size_t cqrs_row_prefix_size(const cqrs_str_t *name);
size_t cqrs_row_value_size(cqrs_row_kind_e kind, const char *value,
    size_t len);

/*
 * Write them; the value NULL is null.  They return the end of what has been
 * written.
 */
char *cqrs_row_prefix(char *p, const cqrs_str_t *name, int first);
char *cqrs_row_value(char *p, cqrs_row_kind_e kind, const char *value,
    size_t len);

/* The whole row: prefix and value of each column, and the closing brace. */
char *cqrs_row_write(char *p, const cqrs_row_column_t *columns,
    const cqrs_str_t *values, size_t n);


#endif /* CQRS_ROW_H */
