
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* Bytes and their number, owned by somebody else; no NUL at the end. */

#ifndef CQRS_STR_H
#define CQRS_STR_H


#include <stddef.h>
#include <string.h>


typedef struct {
    size_t       len;
    const char  *data;
} cqrs_str_t;


#define cqrs_str(text)       { sizeof(text) - 1, text }
#define cqrs_str_lit(text)   ((cqrs_str_t) cqrs_str(text))


static inline int
cqrs_str_equal(const cqrs_str_t *a, const cqrs_str_t *b)
{
    return a->len == b->len
           && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}


static inline int
cqrs_str_is(const cqrs_str_t *a, const char *text)
{
    return a->len == strlen(text)
           && (a->len == 0 || memcmp(a->data, text, a->len) == 0);
}


#endif /* CQRS_STR_H */
