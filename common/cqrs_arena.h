
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Memory that is given back all at once, and never grows beyond its limit.
 */

#ifndef CQRS_ARENA_H
#define CQRS_ARENA_H


#include "cqrs_str.h"


typedef struct cqrs_arena_chunk_s  cqrs_arena_chunk_t;

typedef struct {
    char                *pos;
    char                *end;
    cqrs_arena_chunk_t  *chunks;
    size_t               left;      /* of the limit */
} cqrs_arena_t;


/* The limit is on all that will be asked for, in bytes. */
void cqrs_arena_init(cqrs_arena_t *arena, size_t limit);

void cqrs_arena_cleanup(cqrs_arena_t *arena);

/* Aligned for any type, not set to zero; NULL beyond the limit. */
void *cqrs_arena_alloc(cqrs_arena_t *arena, size_t size);

/* The same, all zero. */
void *cqrs_arena_calloc(cqrs_arena_t *arena, size_t size);

/* A copy with a NUL after it, that is not counted; NULL beyond the limit. */
char *cqrs_arena_copy(cqrs_arena_t *arena, const char *data, size_t len);


#endif /* CQRS_ARENA_H */
