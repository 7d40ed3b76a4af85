
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Reads a piece of a request from left to right, and says what was expected
 * where reading failed.  For the parser alone.
 */

#ifndef CQRS_QUERY_SCAN_H
#define CQRS_QUERY_SCAN_H


#include "cqrs_query.h"


typedef struct {
    const char          *what;       /* is parsed, for the message */
    cqrs_str_t           text;
    size_t               pos;
    cqrs_arena_t        *arena;
    cqrs_query_error_t  *error;
} cqrs_query_scan_t;


void cqrs_query_scan_init(cqrs_query_scan_t *scan, const char *what,
    const cqrs_str_t *text, cqrs_arena_t *arena, cqrs_query_error_t *error);

/* At the end of the text? */
int cqrs_query_scan_end(const cqrs_query_scan_t *scan);

/* Steps over the character or the text if it comes next; else 0. */
int cqrs_query_scan_char(cqrs_query_scan_t *scan, char c);
int cqrs_query_scan_text(cqrs_query_scan_t *scan, const char *text);

void cqrs_query_scan_blanks(cqrs_query_scan_t *scan);

/* A name, bare or in double quotes.  Returns 0, or -1 with the error. */
int cqrs_query_scan_name(cqrs_query_scan_t *scan, cqrs_str_t *name);

/* "..." with \ before any character; 0, or -1 and no error: there is none. */
int cqrs_query_scan_quoted(cqrs_query_scan_t *scan, cqrs_str_t *value);

/* Fills in the error: what comes next was not expected.  Returns -1. */
int cqrs_query_scan_fail(cqrs_query_scan_t *scan, const char *expected);


#endif /* CQRS_QUERY_SCAN_H */
