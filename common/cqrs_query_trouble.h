
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Why a text cannot be read further, in the words of PostgREST.  For the
 * parser alone.
 */

#ifndef CQRS_QUERY_TROUBLE_H
#define CQRS_QUERY_TROUBLE_H


#include "cqrs_query.h"


#define CQRS_QUERY_EXPECTED_MAX  24


typedef struct {
    const char             *text;
    int                     literal;   /* is shown in quotes */
} cqrs_query_expected_t;


/* None, or why reading cannot go on at pos. */
typedef struct {
    size_t                  pos;
    int                     missed;
    size_t                  found;     /* instead, or the text's length */
    int                     refused;
    size_t                  refusal;   /* what must not be there */
    unsigned                nexpected;
    cqrs_query_expected_t   expected[CQRS_QUERY_EXPECTED_MAX];
} cqrs_query_trouble_t;


/* What is beyond nexpected is not copied. */
static inline void
cqrs_query_trouble_copy(cqrs_query_trouble_t *to,
    const cqrs_query_trouble_t *from)
{
    memcpy(to, from, offsetof(cqrs_query_trouble_t, expected)
                     + from->nexpected * sizeof(cqrs_query_expected_t));
}


int cqrs_query_trouble_none(const cqrs_query_trouble_t *trouble);

/* The one farther to the right stays; at the same place both do. */
void cqrs_query_trouble_add(cqrs_query_trouble_t *trouble,
    const cqrs_query_trouble_t *more);

/* Fills in the error: what was parsed, as it is shown, and where it failed. */
void cqrs_query_trouble_tell(const cqrs_query_trouble_t *trouble,
    const char *what, const cqrs_str_t *shown, const cqrs_str_t *text,
    cqrs_arena_t *arena, cqrs_query_error_t *error);

/* The character of UTF-8 at pos, how many bytes it has. */
size_t cqrs_query_trouble_width(const cqrs_str_t *text, size_t pos);


#endif /* CQRS_QUERY_TROUBLE_H */
