
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * One hash table finds everything: a schema by its name, a relation by its
 * schema and name, a column by its relation and name, and so on, each under a
 * scope of its own.
 */

#include "cqrs_catalog_state.h"
#include "cqrs_similar.h"

#include <stdlib.h>


/* A miss must stay cheap: of more relations nothing is similar. */
#define CQRS_CATALOG_TRIES  500
#define CQRS_CATALOG_ALIKE  0.75


static const cqrs_catalog_schema_t *cqrs_catalog_schema(
    const cqrs_catalog_t *catalog, const cqrs_str_t *name);


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
    size_t                  tries;
    cqrs_similar_t          similar;
    const cqrs_str_t       *found;
    const cqrs_relation_t  *relation;

    cqrs_similar_init(&similar, name, CQRS_CATALOG_ALIKE);

    tries = 0;

    for (relation = cqrs_catalog_next_relation(catalog, schema, NULL);
         relation;
         relation = relation->next)
    {
        if (++tries == CQRS_CATALOG_TRIES) {
            return NULL;
        }

        cqrs_similar_add(&similar, &relation->key.name);
    }

    found = cqrs_similar_best(&similar);

    return found ? cqrs_catalog_relation(catalog, schema, found) : NULL;
}


const cqrs_function_t *
cqrs_catalog_similar_function(const cqrs_catalog_t *catalog,
    const cqrs_str_t *schema, const cqrs_str_t *name)
{
    size_t                  tries;
    cqrs_similar_t          similar;
    const cqrs_str_t       *found;
    const cqrs_function_t  *function;

    cqrs_similar_init(&similar, name, CQRS_CATALOG_ALIKE);

    tries = 0;

    for (function = cqrs_catalog_next_function(catalog, schema, NULL);
         function && tries < 2 * CQRS_CATALOG_TRIES;
         function = function->following)
    {
        tries++;
        cqrs_similar_add(&similar, &function->key.name);
    }

    found = cqrs_similar_best(&similar);

    return found ? cqrs_catalog_function(catalog, schema, found) : NULL;
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
