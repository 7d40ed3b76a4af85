
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "cqrs_catalog_table.h"

#include <stdlib.h>


#define CQRS_CATALOG_SLOTS  256


static int cqrs_catalog_table_grow(cqrs_catalog_table_t *table);
static void cqrs_catalog_table_put(cqrs_catalog_key_t **slots, size_t nslots,
    cqrs_catalog_key_t *key);
static uint32_t cqrs_catalog_table_hash(const void *scope,
    const cqrs_str_t *name);


int
cqrs_catalog_table_init(cqrs_catalog_table_t *table)
{
    table->nkeys = 0;
    table->nslots = CQRS_CATALOG_SLOTS;
    table->slots = calloc(table->nslots, sizeof(cqrs_catalog_key_t *));

    return table->slots ? 0 : -1;
}


void
cqrs_catalog_table_cleanup(cqrs_catalog_table_t *table)
{
    free(table->slots);
}


void *
cqrs_catalog_table_find(const cqrs_catalog_table_t *table, const void *scope,
    const cqrs_str_t *name)
{
    size_t               i;
    uint32_t             hash;
    cqrs_catalog_key_t  *key;

    hash = cqrs_catalog_table_hash(scope, name);

    for (i = hash & (table->nslots - 1);
         table->slots[i];
         i = (i + 1) & (table->nslots - 1))
    {
        key = table->slots[i];

        if (key->hash == hash
            && key->scope == scope
            && cqrs_str_equal(&key->name, name))
        {
            return key;
        }
    }

    return NULL;
}


void *
cqrs_catalog_table_new(cqrs_catalog_table_t *table, cqrs_arena_t *arena,
    size_t size, const void *scope, const cqrs_str_t *name)
{
    cqrs_catalog_key_t  *key;

    key = cqrs_arena_calloc(arena, size);
    if (key == NULL) {
        return NULL;
    }

    key->name.len = name->len;
    key->name.data = cqrs_arena_copy(arena, name->data, name->len);

    if (key->name.data == NULL
        || cqrs_catalog_table_add(table, key, scope) != 0)
    {
        return NULL;
    }

    return key;
}


int
cqrs_catalog_table_add(cqrs_catalog_table_t *table, cqrs_catalog_key_t *key,
    const void *scope)
{
    if (table->nkeys * 2 >= table->nslots
        && cqrs_catalog_table_grow(table) != 0)
    {
        return -1;
    }

    key->scope = scope;
    key->hash = cqrs_catalog_table_hash(scope, &key->name);

    cqrs_catalog_table_put(table->slots, table->nslots, key);

    table->nkeys++;

    return 0;
}


static int
cqrs_catalog_table_grow(cqrs_catalog_table_t *table)
{
    size_t                i, nslots;
    cqrs_catalog_key_t  **slots;

    nslots = table->nslots * 2;

    slots = calloc(nslots, sizeof(cqrs_catalog_key_t *));
    if (slots == NULL) {
        return -1;
    }

    for (i = 0; i < table->nslots; i++) {
        if (table->slots[i]) {
            cqrs_catalog_table_put(slots, nslots, table->slots[i]);
        }
    }

    free(table->slots);

    table->slots = slots;
    table->nslots = nslots;

    return 0;
}


static void
cqrs_catalog_table_put(cqrs_catalog_key_t **slots, size_t nslots,
    cqrs_catalog_key_t *key)
{
    size_t  i;

    i = key->hash & (nslots - 1);

    while (slots[i]) {
        i = (i + 1) & (nslots - 1);
    }

    slots[i] = key;
}


/* FNV-1a over the scope's address and the name. */

static uint32_t
cqrs_catalog_table_hash(const void *scope, const cqrs_str_t *name)
{
    size_t     i;
    uint32_t   hash;
    uintptr_t  address;

    hash = 2166136261u;

    for (address = (uintptr_t) scope; address; address >>= 8) {
        hash = (hash ^ (address & 0xff)) * 16777619u;
    }

    for (i = 0; i < name->len; i++) {
        hash = (hash ^ (unsigned char) name->data[i]) * 16777619u;
    }

    return hash ^ (hash >> 15);
}
