
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * One hash table finds everything: a schema by its name, a relation by its
 * schema and name, a column by its relation and name, and so on, each under a
 * scope of its own.
 */

#include "cqrs_catalog_state.h"

#include <stdlib.h>


#define CQRS_SIMILAR_MAX    64            /* bytes of a name */
#define CQRS_SIMILAR_TRIES  1000          /* a miss must stay cheap */


static const cqrs_catalog_schema_t *cqrs_catalog_schema(
    const cqrs_catalog_t *catalog, const cqrs_str_t *name);
static int cqrs_catalog_nearer(const cqrs_str_t *name, const cqrs_str_t *other,
    size_t *best);


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
    cqrs_catalog_table_cleanup(&catalog->table);
    free(catalog);
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
    const cqrs_catalog_schema_t  *scope;

    scope = cqrs_catalog_schema(catalog, schema);

    return scope ? cqrs_catalog_table_find(&catalog->table, scope, name)
                 : NULL;
}


const cqrs_column_t *
cqrs_catalog_column(const cqrs_catalog_t *catalog,
    const cqrs_relation_t *relation, const cqrs_str_t *name)
{
    return cqrs_catalog_table_find(&catalog->table, relation, name);
}


int
cqrs_catalog_computed(const cqrs_catalog_t *catalog,
    const cqrs_relation_t *relation, const cqrs_str_t *name)
{
    return relation->computed
           && cqrs_catalog_table_find(&catalog->table, &relation->computed,
                                      name);
}


const cqrs_function_t *
cqrs_catalog_function(const cqrs_catalog_t *catalog, const cqrs_str_t *schema,
    const cqrs_str_t *name)
{
    const cqrs_catalog_schema_t  *scope;

    scope = cqrs_catalog_schema(catalog, schema);

    return scope ? cqrs_catalog_table_find(&catalog->table, &scope->functions,
                                           name)
                 : NULL;
}


const cqrs_handler_t *
cqrs_catalog_handlers(const cqrs_catalog_t *catalog)
{
    return catalog->handlers;
}


const cqrs_relation_t *
cqrs_catalog_next_relation(const cqrs_catalog_t *catalog,
    const cqrs_str_t *schema, const cqrs_relation_t *relation)
{
    const cqrs_catalog_schema_t  *scope;

    if (relation) {
        return relation->next;
    }

    scope = cqrs_catalog_schema(catalog, schema);

    return scope ? scope->relations : NULL;
}


const cqrs_function_t *
cqrs_catalog_next_function(const cqrs_catalog_t *catalog,
    const cqrs_str_t *schema, const cqrs_function_t *function)
{
    const cqrs_catalog_schema_t  *scope;

    if (function) {
        return function->following;
    }

    scope = cqrs_catalog_schema(catalog, schema);

    return scope ? scope->functions : NULL;
}


const cqrs_relation_t *
cqrs_catalog_similar(const cqrs_catalog_t *catalog, const cqrs_str_t *schema,
    const cqrs_str_t *name)
{
    size_t                  best, tries;
    const cqrs_relation_t  *relation, *found;

    found = NULL;
    best = CQRS_SIMILAR_MAX;
    tries = 0;

    for (relation = cqrs_catalog_next_relation(catalog, schema, NULL);
         relation && tries < CQRS_SIMILAR_TRIES;
         relation = relation->next)
    {
        tries++;

        if (cqrs_catalog_nearer(name, &relation->key.name, &best)) {
            found = relation;
        }
    }

    return found;
}


const cqrs_function_t *
cqrs_catalog_similar_function(const cqrs_catalog_t *catalog,
    const cqrs_str_t *schema, const cqrs_str_t *name)
{
    size_t                  best, tries;
    const cqrs_function_t  *function, *found;

    found = NULL;
    best = CQRS_SIMILAR_MAX;
    tries = 0;

    for (function = cqrs_catalog_next_function(catalog, schema, NULL);
         function && tries < CQRS_SIMILAR_TRIES;
         function = function->following)
    {
        tries++;

        if (cqrs_catalog_nearer(name, &function->key.name, &best)) {
            found = function;
        }
    }

    return found;
}


int
cqrs_catalog_compare(const cqrs_str_t *a, const cqrs_str_t *b)
{
    int     order;
    size_t  len;

    len = (a->len < b->len) ? a->len : b->len;
    order = len ? memcmp(a->data, b->data, len) : 0;

    if (order == 0) {
        order = (a->len > b->len) - (a->len < b->len);
    }

    return order;
}


static const cqrs_catalog_schema_t *
cqrs_catalog_schema(const cqrs_catalog_t *catalog, const cqrs_str_t *name)
{
    return cqrs_catalog_table_find(&catalog->table, NULL, name);
}


/* Is it like enough, and more so than the best one so far? */

static int
cqrs_catalog_nearer(const cqrs_str_t *name, const cqrs_str_t *other,
    size_t *best)
{
    size_t  distance, longer, shorter;

    if (name->len > CQRS_SIMILAR_MAX || other->len > CQRS_SIMILAR_MAX) {
        return 0;
    }

    longer = (name->len > other->len) ? name->len : other->len;
    shorter = (name->len > other->len) ? other->len : name->len;

    if ((longer - shorter) * 4 > longer) {
        return 0;
    }

    distance = cqrs_catalog_distance(name, other);

    if (distance * 4 > longer || distance >= *best) {
        return 0;
    }

    *best = distance;

    return 1;
}


/* Levenshtein's. */

size_t
cqrs_catalog_distance(const cqrs_str_t *a, const cqrs_str_t *b)
{
    size_t  i, j, left, above, diagonal, row[CQRS_SIMILAR_MAX + 1];

    if (a->len > CQRS_SIMILAR_MAX || b->len > CQRS_SIMILAR_MAX) {
        return (a->len > b->len) ? a->len : b->len;
    }

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
