
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * What the ids of commands stand for, in memory that several processes share.
 *
 * A table of sets; where a set is full, the id that was asked for longest ago
 * leaves.  There is no pointer in it, and an entry counts only when it is
 * whole, so a process that is killed in the middle of a change spoils nothing.
 * Who calls has locked the memory.
 */

#ifndef CQRS_KEYS_H
#define CQRS_KEYS_H


#include "cqrs_uuid.h"


typedef struct cqrs_keys_s  cqrs_keys_t;


typedef enum {
    CQRS_KEYS_ABSENT = 0,
    CQRS_KEYS_SAME,
    CQRS_KEYS_OTHER              /* the id stands for something else */
} cqrs_keys_e;


/* Of the memory, which is aligned; NULL: it is too small. */
cqrs_keys_t *cqrs_keys_create(void *memory, size_t size);

/* Times are in seconds, each above zero. */
cqrs_keys_e cqrs_keys_find(cqrs_keys_t *keys, const cqrs_uuid_t *id,
    const cqrs_uuid_t *what, uint32_t now);

/* The same; where it was absent it is there now, until it expires. */
cqrs_keys_e cqrs_keys_claim(cqrs_keys_t *keys, const cqrs_uuid_t *id,
    const cqrs_uuid_t *what, uint32_t now, uint32_t expires);

/* How many have left before they expired. */
uint64_t cqrs_keys_evicted(const cqrs_keys_t *keys);


#endif /* CQRS_KEYS_H */
