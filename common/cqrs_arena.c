
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "cqrs_arena.h"

#include <stdint.h>
#include <stdlib.h>


#define CQRS_ARENA_CHUNK  4000
#define CQRS_ARENA_ALIGN  16


struct cqrs_arena_chunk_s {
    cqrs_arena_chunk_t  *next;
    max_align_t          data[];
};


void
cqrs_arena_init(cqrs_arena_t *arena, size_t limit)
{
    arena->pos = NULL;
    arena->end = NULL;
    arena->chunks = NULL;
    arena->left = limit;
}


void
cqrs_arena_cleanup(cqrs_arena_t *arena)
{
    cqrs_arena_chunk_t  *chunk, *next;

    for (chunk = arena->chunks; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }

    cqrs_arena_init(arena, 0);
}


void *
cqrs_arena_alloc(cqrs_arena_t *arena, size_t size)
{
    char                *p;
    size_t               room;
    cqrs_arena_chunk_t  *chunk;

    if (size > arena->left) {
        return NULL;
    }

    if (size == 0) {
        size = 1;
    }

    size = (size + CQRS_ARENA_ALIGN - 1) & ~(size_t) (CQRS_ARENA_ALIGN - 1);

    arena->left -= (size < arena->left) ? size : arena->left;

    if (size > (size_t) (arena->end - arena->pos)) {

        room = (size > CQRS_ARENA_CHUNK) ? size : CQRS_ARENA_CHUNK;

        chunk = malloc(sizeof(cqrs_arena_chunk_t) + room);
        if (chunk == NULL) {
            return NULL;
        }

        chunk->next = arena->chunks;
        arena->chunks = chunk;

        arena->pos = (char *) chunk->data;
        arena->end = arena->pos + room;
    }

    p = arena->pos;
    arena->pos += size;

    return p;
}


void *
cqrs_arena_calloc(cqrs_arena_t *arena, size_t size)
{
    void  *p;

    p = cqrs_arena_alloc(arena, size);

    if (p) {
        memset(p, 0, size);
    }

    return p;
}


char *
cqrs_arena_copy(cqrs_arena_t *arena, const char *data, size_t len)
{
    char  *p;

    p = cqrs_arena_alloc(arena, len + 1);
    if (p == NULL) {
        return NULL;
    }

    if (len) {
        memcpy(p, data, len);
    }

    p[len] = '\0';

    return p;
}
