
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * A hash table of things that begin with a cqrs_catalog_key_t.  Nothing is
 * ever taken out; the things belong to an arena of the caller's.
 */

#ifndef CQRS_CATALOG_TABLE_H
#define CQRS_CATALOG_TABLE_H


#include "cqrs_arena.h"
#include "cqrs_catalog.h"


typedef struct {
    cqrs_catalog_key_t   **slots;          /* a power of two of them */
    size_t                 nslots;
    size_t                 nkeys;
} cqrs_catalog_table_t;


/* Returns 0, or -1 when memory is short. */
int cqrs_catalog_table_init(cqrs_catalog_table_t *table);
void cqrs_catalog_table_cleanup(cqrs_catalog_table_t *table);

/* NULL if there is none. */
void *cqrs_catalog_table_find(const cqrs_catalog_table_t *table,
    const void *scope, const cqrs_str_t *name);

/* A thing of that size, all zero but its key, findable; or NULL. */
void *cqrs_catalog_table_new(cqrs_catalog_table_t *table, cqrs_arena_t *arena,
    size_t size, const void *scope, const cqrs_str_t *name);

/* What is there already under a key of its own becomes findable. */
int cqrs_catalog_table_add(cqrs_catalog_table_t *table,
    cqrs_catalog_key_t *key, const void *scope);


#endif /* CQRS_CATALOG_TABLE_H */
