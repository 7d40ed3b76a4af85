
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "cqrs_keys.h"

#include <string.h>


#define CQRS_KEYS_WAYS  16


typedef struct {
    cqrs_uuid_t         id;
    cqrs_uuid_t         what;
    volatile uint32_t   expires;       /* 0: nothing is here */
    uint32_t            used;          /* what the clock said then */
} cqrs_keys_entry_t;

struct cqrs_keys_s {
    uint64_t            evicted;
    size_t              nsets;
    uint32_t            clock;         /* of uses; it goes round */
    cqrs_keys_entry_t   entries[];
};


static cqrs_keys_entry_t *cqrs_keys_set(cqrs_keys_t *keys,
    const cqrs_uuid_t *id);
static cqrs_keys_entry_t *cqrs_keys_room(cqrs_keys_t *keys,
    cqrs_keys_entry_t *set, uint32_t now);


cqrs_keys_t *
cqrs_keys_create(void *memory, size_t size)
{
    size_t        nsets;
    cqrs_keys_t  *keys;

    if (size < sizeof(cqrs_keys_t)) {
        return NULL;
    }

    nsets = (size - sizeof(cqrs_keys_t))
            / (CQRS_KEYS_WAYS * sizeof(cqrs_keys_entry_t));

    if (nsets == 0) {
        return NULL;
    }

    memset(memory, 0, size);

    keys = memory;
    keys->nsets = nsets;

    return keys;
}


cqrs_keys_e
cqrs_keys_find(cqrs_keys_t *keys, const cqrs_uuid_t *id,
    const cqrs_uuid_t *what, uint32_t now)
{
    size_t              i;
    cqrs_keys_entry_t  *entry;

    entry = cqrs_keys_set(keys, id);

    for (i = 0; i < CQRS_KEYS_WAYS; i++, entry++) {

        if (entry->expires <= now
            || memcmp(&entry->id, id, sizeof(cqrs_uuid_t)) != 0)
        {
            continue;
        }

        entry->used = ++keys->clock;

        return memcmp(&entry->what, what, sizeof(cqrs_uuid_t)) == 0
               ? CQRS_KEYS_SAME : CQRS_KEYS_OTHER;
    }

    return CQRS_KEYS_ABSENT;
}


cqrs_keys_e
cqrs_keys_claim(cqrs_keys_t *keys, const cqrs_uuid_t *id,
    const cqrs_uuid_t *what, uint32_t now, uint32_t expires)
{
    cqrs_keys_e         found;
    cqrs_keys_entry_t  *entry;

    found = cqrs_keys_find(keys, id, what, now);

    if (found != CQRS_KEYS_ABSENT) {
        return found;
    }

    entry = cqrs_keys_room(keys, cqrs_keys_set(keys, id), now);

    /* last of all it counts: we may be killed at any place */

    entry->expires = 0;
    __sync_synchronize();

    entry->id = *id;
    entry->what = *what;
    entry->used = ++keys->clock;
    __sync_synchronize();

    entry->expires = expires;

    return CQRS_KEYS_ABSENT;
}


uint64_t
cqrs_keys_evicted(const cqrs_keys_t *keys)
{
    return keys->evicted;
}


/* Ids are digests: any part of them is as good as another. */

static cqrs_keys_entry_t *
cqrs_keys_set(cqrs_keys_t *keys, const cqrs_uuid_t *id)
{
    uint64_t  n;

    memcpy(&n, id->bytes, sizeof(n));

    return &keys->entries[n % keys->nsets * CQRS_KEYS_WAYS];
}


static cqrs_keys_entry_t *
cqrs_keys_room(cqrs_keys_t *keys, cqrs_keys_entry_t *set, uint32_t now)
{
    size_t              i;
    cqrs_keys_entry_t  *oldest;

    oldest = set;

    for (i = 0; i < CQRS_KEYS_WAYS; i++) {

        if (set[i].expires <= now) {
            return &set[i];
        }

        if (keys->clock - set[i].used > keys->clock - oldest->used) {
            oldest = &set[i];
        }
    }

    keys->evicted++;

    return oldest;
}
