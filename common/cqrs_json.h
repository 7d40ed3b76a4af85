
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Compact JSON, written piece by piece into memory that is kept for the next
 * time.
 *
 * A double is written with as few digits as make the same double when they are
 * read again: what came as 0.1 leaves as 0.1.  Nothing needs to be checked on
 * the way: where memory ends, cqrs_json_end() says so.
 */

#ifndef CQRS_JSON_H
#define CQRS_JSON_H


#include <jansson.h>
#include <stddef.h>


typedef struct {
    char    *data;
    size_t   len;
    size_t   size;
    int      failed;
} cqrs_json_t;


void cqrs_json_init(cqrs_json_t *json);
void cqrs_json_cleanup(cqrs_json_t *json);

/* Begins anew. */
void cqrs_json_clear(cqrs_json_t *json);

/* Text that is JSON already. */
void cqrs_json_raw(cqrs_json_t *json, const char *text, size_t len);
void cqrs_json_text(cqrs_json_t *json, const char *text);

void cqrs_json_number(cqrs_json_t *json, long long number);

/* UTF-8, in quotes; NULL is null. */
void cqrs_json_string(cqrs_json_t *json, const char *text, size_t len);

/* Any value; NULL is null. */
void cqrs_json_value(cqrs_json_t *json, const json_t *value);

/* The text, with a NUL at its end; NULL: there was no memory. */
const char *cqrs_json_end(cqrs_json_t *json);


#endif /* CQRS_JSON_H */
