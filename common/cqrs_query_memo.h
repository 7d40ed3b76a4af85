
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Plans that were made before.  Requests come again with other values, and of
 * what a request says the plan depends on all but those: the operands of
 * comparisons.  So a plan is found by everything else, which is its key.
 *
 * Plans of rows alone are remembered.  A memo is of one catalogue; it holds so
 * many plans, and forgets all of them when one more comes.
 */

#ifndef CQRS_QUERY_MEMO_H
#define CQRS_QUERY_MEMO_H


#include "cqrs_query_parse.h"
#include "cqrs_query_plan.h"

#include <stdint.h>


#define CQRS_QUERY_MEMO_PLANS     500
#define CQRS_QUERY_MEMO_MEMORY    (2 * 1024 * 1024)
#define CQRS_QUERY_MEMO_KEY       2048     /* bytes; longer ones hardly come
                                              again */
#define CQRS_QUERY_MEMO_TEXT      16384    /* bytes of SQL */
#define CQRS_QUERY_MEMO_OPERANDS  16
#define CQRS_QUERY_MEMO_BUCKETS   512      /* a power of two */


typedef struct cqrs_query_memo_plan_s  cqrs_query_memo_plan_t;

typedef struct {
    cqrs_arena_t              arena;
    cqrs_query_memo_plan_t   *buckets[CQRS_QUERY_MEMO_BUCKETS];
    size_t                    n;
} cqrs_query_memo_t;


typedef struct {
    cqrs_str_t                text;
    uint32_t                  hash;
    const cqrs_query_part_t  *operands[CQRS_QUERY_MEMO_OPERANDS];
    size_t                    n;
} cqrs_query_key_t;


void cqrs_query_memo_init(cqrs_query_memo_t *memo);

/* Forgets all; it may be used again. */
void cqrs_query_memo_clear(cqrs_query_memo_t *memo);

/*
 * The key of a request that was cut and not parsed yet.  words: what else the
 * plan depends on; one that is absent is not one that is empty.  Returns 1,
 * 0: it has none, or -1: no memory.
 */
int cqrs_query_key(cqrs_query_key_t *key, const cqrs_str_t *words, size_t n,
    const cqrs_query_pairs_t *pairs, cqrs_arena_t *arena);

/*
 * Makes the plan of this request, and of the query what concerns the answer:
 * limit and offset of the root, and the canonical text.  All of it is in the
 * arena.  Returns 1, 0: it is not known, or -1: no memory.
 */
int cqrs_query_recall(const cqrs_query_memo_t *memo,
    const cqrs_query_key_t *key, const cqrs_query_pairs_t *pairs,
    cqrs_query_t *query, cqrs_query_plan_t *plan, cqrs_arena_t *arena);

/*
 * After the plan was made: remembers it, if that can be done and memory
 * allows.
 */
void cqrs_query_remember(cqrs_query_memo_t *memo, const cqrs_query_key_t *key,
    const cqrs_query_t *query, const cqrs_query_plan_t *plan);


#endif /* CQRS_QUERY_MEMO_H */
