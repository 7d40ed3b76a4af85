
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * One hash table finds everything: a schema by its name, a relation by its
 * schema and name, a column by its relation and name.  What else a request may
 * name will be found there too, under a scope of its own.
 */

#include "cqrs_catalog.h"
#include "cqrs_arena.h"

#include <stdlib.h>


#define CQRS_CATALOG_MEMORY  (256 * 1024 * 1024)
#define CQRS_CATALOG_SLOTS   256
#define CQRS_SIMILAR_MAX     64           /* bytes of a name */
#define CQRS_SIMILAR_TRIES   1000         /* a miss must stay cheap */


struct cqrs_catalog_s {
    size_t                 references;
    cqrs_arena_t           arena;

    cqrs_catalog_key_t   **slots;          /* a power of two of them */
    size_t                 nslots;
    size_t                 nkeys;
    size_t                 nrelations;

    cqrs_relation_t       *recent;         /* the row before was one of its */
};


static void *cqrs_catalog_find(const cqrs_catalog_t *catalog,
    const void *scope, const cqrs_str_t *name);
static int cqrs_catalog_insert(cqrs_catalog_t *catalog,
    cqrs_catalog_key_t *key);
static int cqrs_catalog_grow(cqrs_catalog_t *catalog);
static uint32_t cqrs_catalog_hash(const void *scope, const cqrs_str_t *name);
static void *cqrs_catalog_new(cqrs_catalog_t *catalog, size_t size,
    const void *scope, const cqrs_str_t *name);
static cqrs_relation_t *cqrs_catalog_add_relation(cqrs_catalog_t *catalog,
    const cqrs_str_t *schema, const cqrs_str_t *name, char kind);
static size_t cqrs_catalog_distance(const cqrs_str_t *a, const cqrs_str_t *b);


const char  cqrs_catalog_sql[] =
    "select n.nspname, c.relname, c.relkind::text, a.attname,"
          " pg_catalog.format_type(a.atttypid, a.atttypmod)"
     " from pg_catalog.pg_class c"
     " join pg_catalog.pg_namespace n on n.oid = c.relnamespace"
     " left join pg_catalog.pg_attribute a on a.attrelid = c.oid"
                                        " and a.attnum > 0"
                                        " and not a.attisdropped"
    " where n.nspname = any ($1::pg_catalog.name[])"
      " and c.relkind in ('r', 'v', 'm', 'f', 'p')"
      " and not c.relispartition"
    " order by n.nspname, c.relname, a.attnum";


cqrs_catalog_t *
cqrs_catalog_create(void)
{
    cqrs_catalog_t  *catalog;

    catalog = calloc(1, sizeof(cqrs_catalog_t));
    if (catalog == NULL) {
        return NULL;
    }

    cqrs_arena_init(&catalog->arena, CQRS_CATALOG_MEMORY);

    catalog->references = 1;
    catalog->nslots = CQRS_CATALOG_SLOTS;

    catalog->slots = calloc(catalog->nslots, sizeof(cqrs_catalog_key_t *));
    if (catalog->slots == NULL) {
        free(catalog);
        return NULL;
    }

    return catalog;
}


void
cqrs_catalog_ref(cqrs_catalog_t *catalog)
{
    catalog->references++;
}


void
cqrs_catalog_unref(cqrs_catalog_t *catalog)
{
    if (catalog == NULL || --catalog->references > 0) {
        return;
    }

    cqrs_arena_cleanup(&catalog->arena);
    free(catalog->slots);
    free(catalog);
}


int
cqrs_catalog_add(cqrs_catalog_t *catalog,
    const char *const row[CQRS_CATALOG_SQL_COLUMNS])
{
    cqrs_str_t        schema, name, type;
    cqrs_column_t    *column;
    cqrs_relation_t  *relation;

    schema.data = row[0];
    schema.len = strlen(row[0]);
    name.data = row[1];
    name.len = strlen(row[1]);

    relation = catalog->recent;

    if (relation == NULL
        || !cqrs_str_equal(&relation->key.name, &name)
        || !cqrs_str_equal(&relation->schema, &schema))
    {
        relation = cqrs_catalog_add_relation(catalog, &schema, &name,
                                             row[2][0]);
        if (relation == NULL) {
            return -1;
        }

        catalog->recent = relation;
    }

    if (row[3] == NULL) {
        return 0;
    }

    name.data = row[3];
    name.len = strlen(row[3]);

    column = cqrs_catalog_new(catalog, sizeof(cqrs_column_t), relation, &name);
    if (column == NULL) {
        return -1;
    }

    type.data = row[4] ? row[4] : "";
    type.len = strlen(type.data);

    column->relation = relation;
    column->type.len = type.len;
    column->type.data = cqrs_arena_copy(&catalog->arena, type.data, type.len);

    if (column->type.data == NULL) {
        return -1;
    }

    *relation->last = column;
    relation->last = &column->next;

    return 0;
}


size_t
cqrs_catalog_relations(const cqrs_catalog_t *catalog)
{
    return catalog->nrelations;
}


const cqrs_relation_t *
cqrs_catalog_relation(const cqrs_catalog_t *catalog, const cqrs_str_t *schema,
    const cqrs_str_t *name)
{
    cqrs_catalog_key_t  *scope;

    scope = cqrs_catalog_find(catalog, NULL, schema);

    return scope ? cqrs_catalog_find(catalog, scope, name) : NULL;
}


const cqrs_column_t *
cqrs_catalog_column(const cqrs_catalog_t *catalog,
    const cqrs_relation_t *relation, const cqrs_str_t *name)
{
    return cqrs_catalog_find(catalog, relation, name);
}


const cqrs_relation_t *
cqrs_catalog_similar(const cqrs_catalog_t *catalog, const cqrs_str_t *schema,
    const cqrs_str_t *name)
{
    size_t               i, distance, longer, shorter, best, tries;
    cqrs_catalog_key_t  *scope, *key, *found;

    scope = cqrs_catalog_find(catalog, NULL, schema);

    if (scope == NULL || name->len > CQRS_SIMILAR_MAX) {
        return NULL;
    }

    found = NULL;
    best = CQRS_SIMILAR_MAX;
    tries = 0;

    for (i = 0; i < catalog->nslots && tries < CQRS_SIMILAR_TRIES; i++) {
        key = catalog->slots[i];

        if (key == NULL || key->scope != scope
            || key->name.len > CQRS_SIMILAR_MAX)
        {
            continue;
        }

        if (key->name.len > name->len) {
            longer = key->name.len;
            shorter = name->len;

        } else {
            longer = name->len;
            shorter = key->name.len;
        }

        if ((longer - shorter) * 4 > longer) {
            continue;
        }

        tries++;

        distance = cqrs_catalog_distance(&key->name, name);

        if (distance * 4 <= longer && distance < best) {
            best = distance;
            found = key;
        }
    }

    return (const cqrs_relation_t *) found;
}


static void *
cqrs_catalog_find(const cqrs_catalog_t *catalog, const void *scope,
    const cqrs_str_t *name)
{
    size_t               i;
    uint32_t             hash;
    cqrs_catalog_key_t  *key;

    hash = cqrs_catalog_hash(scope, name);

    for (i = hash & (catalog->nslots - 1);
         catalog->slots[i];
         i = (i + 1) & (catalog->nslots - 1))
    {
        key = catalog->slots[i];

        if (key->hash == hash
            && key->scope == scope
            && cqrs_str_equal(&key->name, name))
        {
            return key;
        }
    }

    return NULL;
}


static int
cqrs_catalog_insert(cqrs_catalog_t *catalog, cqrs_catalog_key_t *key)
{
    size_t  i;

    if (catalog->nkeys * 2 >= catalog->nslots
        && cqrs_catalog_grow(catalog) != 0)
    {
        return -1;
    }

    i = key->hash & (catalog->nslots - 1);

    while (catalog->slots[i]) {
        i = (i + 1) & (catalog->nslots - 1);
    }

    catalog->slots[i] = key;
    catalog->nkeys++;

    return 0;
}


static int
cqrs_catalog_grow(cqrs_catalog_t *catalog)
{
    size_t                i, n, nslots;
    cqrs_catalog_key_t  **slots;

    nslots = catalog->nslots * 2;

    slots = calloc(nslots, sizeof(cqrs_catalog_key_t *));
    if (slots == NULL) {
        return -1;
    }

    for (n = 0; n < catalog->nslots; n++) {

        if (catalog->slots[n] == NULL) {
            continue;
        }

        i = catalog->slots[n]->hash & (nslots - 1);

        while (slots[i]) {
            i = (i + 1) & (nslots - 1);
        }

        slots[i] = catalog->slots[n];
    }

    free(catalog->slots);

    catalog->slots = slots;
    catalog->nslots = nslots;

    return 0;
}


/* FNV-1a over the scope's address and the name. */

static uint32_t
cqrs_catalog_hash(const void *scope, const cqrs_str_t *name)
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


/* A thing of that size, all zero but its key, findable. */

static void *
cqrs_catalog_new(cqrs_catalog_t *catalog, size_t size, const void *scope,
    const cqrs_str_t *name)
{
    cqrs_catalog_key_t  *key;

    key = cqrs_arena_calloc(&catalog->arena, size);
    if (key == NULL) {
        return NULL;
    }

    key->scope = scope;
    key->name.len = name->len;
    key->name.data = cqrs_arena_copy(&catalog->arena, name->data, name->len);
    key->hash = cqrs_catalog_hash(scope, name);

    if (key->name.data == NULL || cqrs_catalog_insert(catalog, key) != 0) {
        return NULL;
    }

    return key;
}


static cqrs_relation_t *
cqrs_catalog_add_relation(cqrs_catalog_t *catalog, const cqrs_str_t *schema,
    const cqrs_str_t *name, char kind)
{
    cqrs_relation_t     *relation;
    cqrs_catalog_key_t  *scope;

    scope = cqrs_catalog_find(catalog, NULL, schema);

    if (scope == NULL) {
        scope = cqrs_catalog_new(catalog, sizeof(cqrs_catalog_key_t), NULL,
                                 schema);
        if (scope == NULL) {
            return NULL;
        }
    }

    relation = cqrs_catalog_new(catalog, sizeof(cqrs_relation_t), scope, name);
    if (relation == NULL) {
        return NULL;
    }

    relation->schema = scope->name;
    relation->kind = kind;
    relation->last = &relation->columns;

    catalog->nrelations++;

    return relation;
}


/* Levenshtein's; both are at most CQRS_SIMILAR_MAX long. */

static size_t
cqrs_catalog_distance(const cqrs_str_t *a, const cqrs_str_t *b)
{
    size_t  i, j, left, above, diagonal, row[CQRS_SIMILAR_MAX + 1];

    for (j = 0; j <= b->len; j++) {
        row[j] = j;
    }

    for (i = 1; i <= a->len; i++) {

        diagonal = row[0];
        row[0] = i;

        for (j = 1; j <= b->len; j++) {

            above = row[j];
            left = row[j - 1];

            if (a->data[i - 1] != b->data[j - 1]) {
                diagonal++;
            }

            row[j] = diagonal;

            if (above + 1 < row[j]) {
                row[j] = above + 1;
            }

            if (left + 1 < row[j]) {
                row[j] = left + 1;
            }

            diagonal = above;
        }
    }

    return row[b->len];
}
