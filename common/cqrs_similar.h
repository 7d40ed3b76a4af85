
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Which of many names somebody may have meant, as PostgREST's hints have it:
 * of those that share groups of letters with what was written, the fifty
 * nearest by these are compared letter by letter.
 *
 *     cqrs_similar_init(&similar, &wanted, 0.75);
 *     cqrs_similar_add(&similar, &name);              as often as there are
 *     found = cqrs_similar_best(&similar);
 *
 * What is added must stay where it is until then.
 */

#ifndef CQRS_SIMILAR_H
#define CQRS_SIMILAR_H


#include "cqrs_str.h"


#define CQRS_SIMILAR_MAX     255         /* bytes of a name; longer ones have
                                            nothing similar */
#define CQRS_SIMILAR_BEST    50
#define CQRS_SIMILAR_GROUPS  2           /* of three letters, and of two */


typedef struct {
    const cqrs_str_t      *name;
    size_t                 shared;       /* groups */
    size_t                 own;          /* groups, squared */
} cqrs_similar_name_t;


typedef struct {
    char                   wanted[CQRS_SIMILAR_MAX];
    size_t                 len;
    double                 part;
    const cqrs_str_t      *exact;        /* the same but for its case */
    cqrs_similar_name_t    names[CQRS_SIMILAR_GROUPS][CQRS_SIMILAR_BEST];
    size_t                 n[CQRS_SIMILAR_GROUPS];
} cqrs_similar_t;


/* Of the longer of both names at least this part must agree. */
void cqrs_similar_init(cqrs_similar_t *similar, const cqrs_str_t *wanted,
    double part);
void cqrs_similar_add(cqrs_similar_t *similar, const cqrs_str_t *name);

/* The nearest one, or NULL. */
const cqrs_str_t *cqrs_similar_best(const cqrs_similar_t *similar);

/* How many letters two names differ by: Levenshtein's. */
size_t cqrs_similar_distance(const char *a, size_t alen, const char *b,
    size_t blen);


#endif /* CQRS_SIMILAR_H */
