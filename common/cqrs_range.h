
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* Which rows: the header Range, limit and offset, and Content-Range. */

#ifndef CQRS_RANGE_H
#define CQRS_RANGE_H


#include "cqrs_query.h"

#include <stdint.h>


/* Of a Content-Range: three numbers and what is between them. */
#define CQRS_RANGE_MAX  64


/*
 * Cuts the rows that limit and offset mean to those of the header Range:
 * "0-9", "10-"; what is neither is as if it were not there.  Limit is -1 where
 * there is none, and less where it can't be met.  Returns 0, or -1 with the
 * error: none can be left.
 */
int cqrs_range_cut(int64_t *limit, int64_t *offset, const char *text,
    size_t len, cqrs_query_error_t *error);

/* Rows that begin at offset, of so many in all; -1: that is not known. */
unsigned cqrs_range_status(int64_t offset, int64_t rows, int64_t total);

/* Writes "0-9/100"; returns the length. */
size_t cqrs_range_write(char text[CQRS_RANGE_MAX], int64_t offset,
    int64_t rows, int64_t total);


#endif /* CQRS_RANGE_H */
