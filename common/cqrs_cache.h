
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The states of streams, each with its version; of so many at most.  Where a
 * new one finds no room, the one that was asked for longest ago leaves.
 */

#ifndef CQRS_CACHE_H
#define CQRS_CACHE_H


#include <jansson.h>
#include <stddef.h>
#include <stdint.h>


typedef struct cqrs_cache_entry_s  cqrs_cache_entry_t;

struct cqrs_cache_entry_s {
    json_t              *state;          /* NULL: it has none */
    int64_t              version;

    cqrs_cache_entry_t  *next;           /* of the same bucket */
    cqrs_cache_entry_t  *newer;
    cqrs_cache_entry_t  *older;
    uint64_t             hash;
    size_t               len;
    char                 stream[];
};

typedef struct {
    cqrs_cache_entry_t  **buckets;
    size_t                nbuckets;      /* a power of two */
    size_t                n;
    size_t                max;
    cqrs_cache_entry_t   *newest;
    cqrs_cache_entry_t   *oldest;
} cqrs_cache_t;


/* 0, or -1: no memory. */
int cqrs_cache_init(cqrs_cache_t *cache, size_t max);
void cqrs_cache_cleanup(cqrs_cache_t *cache);

/* Forgets all. */
void cqrs_cache_clear(cqrs_cache_t *cache);

/* NULL: it is not known.  The entry lives until the cache is changed. */
cqrs_cache_entry_t *cqrs_cache_get(cqrs_cache_t *cache, const char *stream,
    size_t len);

/*
 * Remembers a state, in place of what was known of the stream.  Counts a
 * reference to it; without memory the stream is forgotten.
 */
void cqrs_cache_set(cqrs_cache_t *cache, const char *stream, size_t len,
    int64_t version, json_t *state);

void cqrs_cache_drop(cqrs_cache_t *cache, const char *stream, size_t len);


#endif /* CQRS_CACHE_H */
