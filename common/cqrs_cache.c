
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "cqrs_cache.h"

#include <stdlib.h>
#include <string.h>


static uint64_t cqrs_cache_hash(const char *stream, size_t len);
static cqrs_cache_entry_t **cqrs_cache_find(cqrs_cache_t *cache,
    const char *stream, size_t len, uint64_t hash);
static void cqrs_cache_link(cqrs_cache_t *cache, cqrs_cache_entry_t *entry);
static void cqrs_cache_unlink(cqrs_cache_t *cache, cqrs_cache_entry_t *entry);
static void cqrs_cache_remove(cqrs_cache_t *cache,
    cqrs_cache_entry_t **place);


int
cqrs_cache_init(cqrs_cache_t *cache, size_t max)
{
    memset(cache, 0, sizeof(*cache));

    cache->max = max;
    cache->nbuckets = 16;

    while (cache->nbuckets < max) {
        cache->nbuckets *= 2;
    }

    cache->buckets = calloc(cache->nbuckets, sizeof(cqrs_cache_entry_t *));

    return cache->buckets ? 0 : -1;
}


void
cqrs_cache_cleanup(cqrs_cache_t *cache)
{
    cqrs_cache_clear(cache);

    free(cache->buckets);
    cache->buckets = NULL;
}


void
cqrs_cache_clear(cqrs_cache_t *cache)
{
    cqrs_cache_entry_t  *entry, *older;

    for (entry = cache->newest; entry; entry = older) {
        older = entry->older;

        json_decref(entry->state);
        free(entry);
    }

    cache->newest = NULL;
    cache->oldest = NULL;

    if (cache->n) {
        memset(cache->buckets, 0,
               cache->nbuckets * sizeof(cqrs_cache_entry_t *));
        cache->n = 0;
    }
}


cqrs_cache_entry_t *
cqrs_cache_get(cqrs_cache_t *cache, const char *stream, size_t len)
{
    cqrs_cache_entry_t  *entry;

    entry = *cqrs_cache_find(cache, stream, len, cqrs_cache_hash(stream, len));

    if (entry && entry != cache->newest) {
        cqrs_cache_unlink(cache, entry);
        cqrs_cache_link(cache, entry);
    }

    return entry;
}


void
cqrs_cache_set(cqrs_cache_t *cache, const char *stream, size_t len,
    int64_t version, json_t *state)
{
    uint64_t              hash;
    cqrs_cache_entry_t   *entry, *oldest, **place;

    entry = cqrs_cache_get(cache, stream, len);

    if (entry) {
        json_incref(state);
        json_decref(entry->state);

        entry->state = state;
        entry->version = version;

        return;
    }

    if (cache->n == cache->max) {
        oldest = cache->oldest;
        cqrs_cache_drop(cache, oldest->stream, oldest->len);
    }

    entry = malloc(sizeof(cqrs_cache_entry_t) + len);

    if (entry == NULL) {
        return;
    }

    hash = cqrs_cache_hash(stream, len);
    place = cqrs_cache_find(cache, stream, len, hash);

    entry->state = json_incref(state);
    entry->version = version;
    entry->next = NULL;
    entry->hash = hash;
    entry->len = len;
    memcpy(entry->stream, stream, len);

    *place = entry;
    cqrs_cache_link(cache, entry);
    cache->n++;
}


void
cqrs_cache_drop(cqrs_cache_t *cache, const char *stream, size_t len)
{
    cqrs_cache_entry_t  **place;

    place = cqrs_cache_find(cache, stream, len, cqrs_cache_hash(stream, len));

    if (*place) {
        cqrs_cache_remove(cache, place);
    }
}


/* FNV-1a. */

static uint64_t
cqrs_cache_hash(const char *stream, size_t len)
{
    size_t    i;
    uint64_t  hash;

    hash = 14695981039346656037ULL;

    for (i = 0; i < len; i++) {
        hash ^= (unsigned char) stream[i];
        hash *= 1099511628211ULL;
    }

    return hash;
}


/* Where the pointer to it stands, or is to stand. */

static cqrs_cache_entry_t **
cqrs_cache_find(cqrs_cache_t *cache, const char *stream, size_t len,
    uint64_t hash)
{
    cqrs_cache_entry_t  *entry, **place;

    place = &cache->buckets[(hash ^ hash >> 32) & (cache->nbuckets - 1)];

    while ((entry = *place) != NULL) {

        if (entry->hash == hash && entry->len == len
            && memcmp(entry->stream, stream, len) == 0)
        {
            break;
        }

        place = &entry->next;
    }

    return place;
}


static void
cqrs_cache_link(cqrs_cache_t *cache, cqrs_cache_entry_t *entry)
{
    entry->newer = NULL;
    entry->older = cache->newest;

    if (cache->newest) {
        cache->newest->newer = entry;
    } else {
        cache->oldest = entry;
    }

    cache->newest = entry;
}


static void
cqrs_cache_unlink(cqrs_cache_t *cache, cqrs_cache_entry_t *entry)
{
    if (entry->newer) {
        entry->newer->older = entry->older;
    } else {
        cache->newest = entry->older;
    }

    if (entry->older) {
        entry->older->newer = entry->newer;
    } else {
        cache->oldest = entry->newer;
    }
}


static void
cqrs_cache_remove(cqrs_cache_t *cache, cqrs_cache_entry_t **place)
{
    cqrs_cache_entry_t  *entry = *place;

    *place = entry->next;

    cqrs_cache_unlink(cache, entry);
    cache->n--;

    json_decref(entry->state);
    free(entry);
}
