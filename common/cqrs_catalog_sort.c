
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The order of relationships decides which of them an error names first, and
 * the order of overloads which one is tried first: both are those of
 * PostgREST.
 */

#include "cqrs_catalog_state.h"

#include <stdlib.h>


static int cqrs_sort_relationships(cqrs_catalog_load_t *load,
    cqrs_relation_t *relation);
static int cqrs_sort_relations(cqrs_catalog_load_t *load,
    cqrs_catalog_schema_t *schema);
static int cqrs_sort_functions(cqrs_catalog_load_t *load);
static int cqrs_sort_by_relationship(const void *a, const void *b);
static int cqrs_sort_by_relation(const void *a, const void *b);
static int cqrs_sort_by_function(const void *a, const void *b);
static int cqrs_sort_target(const cqrs_relation_t *a,
    const cqrs_relation_t *b);
static int cqrs_sort_rank(cqrs_cardinality_e cardinality);
static int cqrs_sort_joins(const cqrs_join_t *a, const cqrs_join_t *b);
static int cqrs_sort_back_joins(const cqrs_join_t *a, const cqrs_join_t *b);
static int cqrs_sort_columns(const cqrs_column_t *a1, const cqrs_column_t *b1,
    const cqrs_column_t *a2, const cqrs_column_t *b2);
static int cqrs_sort_parameters(const cqrs_parameter_t *a,
    const cqrs_parameter_t *b);
static int cqrs_sort_qualified(const cqrs_qualified_t *a,
    const cqrs_qualified_t *b);


int
cqrs_catalog_sort(cqrs_catalog_load_t *load)
{
    cqrs_catalog_schema_t       *schema;
    const cqrs_load_relation_t  *number;

    for (number = load->relations; number; number = number->next) {
        if (cqrs_sort_relationships(load, number->relation) != 0) {
            return -1;
        }
    }

    for (schema = load->catalog->schemas; schema; schema = schema->next) {
        if (cqrs_sort_relations(load, schema) != 0) {
            return -1;
        }
    }

    return cqrs_sort_functions(load);
}


static int
cqrs_sort_relationships(cqrs_catalog_load_t *load, cqrs_relation_t *relation)
{
    size_t                 i, n;
    cqrs_relationship_t   *relationship, **list;

    n = 0;

    for (relationship = relation->relationships;
         relationship;
         relationship = relationship->next)
    {
        n++;
    }

    if (n < 2) {
        return 0;
    }

    list = cqrs_arena_alloc(&load->arena, n * sizeof(cqrs_relationship_t *));
    if (list == NULL) {
        return -1;
    }

    n = 0;

    for (relationship = relation->relationships;
         relationship;
         relationship = relationship->next)
    {
        list[n++] = relationship;
    }

    qsort(list, n, sizeof(cqrs_relationship_t *), cqrs_sort_by_relationship);

    relation->last_relationship = &relation->relationships;

    for (i = 0; i < n; i++) {
        *relation->last_relationship = list[i];
        relation->last_relationship = &list[i]->next;
    }

    *relation->last_relationship = NULL;

    return 0;
}


static int
cqrs_sort_relations(cqrs_catalog_load_t *load, cqrs_catalog_schema_t *schema)
{
    size_t             i, n;
    cqrs_relation_t   *relation, **list, **last;

    n = 0;

    for (relation = schema->relations; relation; relation = relation->next) {
        n++;
    }

    list = cqrs_arena_alloc(&load->arena, n * sizeof(cqrs_relation_t *));
    if (list == NULL) {
        return -1;
    }

    n = 0;

    for (relation = schema->relations; relation; relation = relation->next) {
        list[n++] = relation;
    }

    if (n) {
        qsort(list, n, sizeof(cqrs_relation_t *), cqrs_sort_by_relation);
    }

    last = &schema->relations;

    for (i = 0; i < n; i++) {
        *last = list[i];
        last = &list[i]->next;
    }

    *last = NULL;

    return 0;
}


static int
cqrs_sort_functions(cqrs_catalog_load_t *load)
{
    size_t                       i, n;
    cqrs_catalog_t              *catalog;
    cqrs_function_t             *function, *first, *before, **list;
    cqrs_catalog_schema_t       *schema;
    const cqrs_load_function_t  *number;

    catalog = load->catalog;

    list = cqrs_arena_alloc(&load->arena,
                            load->nfunctions * sizeof(cqrs_function_t *));
    if (list == NULL) {
        return -1;
    }

    n = 0;

    for (number = load->functions; number; number = number->next) {
        list[n++] = number->function;
    }

    if (n) {
        qsort(list, n, sizeof(cqrs_function_t *), cqrs_sort_by_function);
    }

    first = NULL;
    before = NULL;

    for (i = 0; i < n; i++) {
        function = list[i];

        if (first
            && cqrs_str_equal(&first->schema, &function->schema)
            && cqrs_str_equal(&first->key.name, &function->key.name))
        {
            before->next = function;
            before = function;
            continue;
        }

        schema = cqrs_catalog_table_find(&catalog->table, NULL,
                                         &function->schema);

        if (schema == NULL
            || cqrs_catalog_table_add(&catalog->table, &function->key,
                                      &schema->functions)
               != 0)
        {
            return -1;
        }

        if (schema->functions == NULL) {
            schema->functions = function;

        } else {
            first->following = function;
        }

        first = function;
        before = function;
    }

    return 0;
}


static int
cqrs_sort_by_relationship(const void *a, const void *b)
{
    int                         order;
    const cqrs_relationship_t  *one = *(cqrs_relationship_t *const *) a;
    const cqrs_relationship_t  *two = *(cqrs_relationship_t *const *) b;

    order = (one->cardinality == CQRS_COMPUTED)
            - (two->cardinality == CQRS_COMPUTED);

    if (order == 0 && one->cardinality == CQRS_COMPUTED) {
        return cqrs_sort_qualified(&one->function, &two->function);
    }

    if (order == 0) {
        order = cqrs_sort_target(one->to, two->to);
    }

    if (order == 0) {
        order = cqrs_sort_rank(one->cardinality)
                - cqrs_sort_rank(two->cardinality);
    }

    if (order == 0 && one->cardinality == CQRS_MANY_TO_MANY) {
        order = cqrs_sort_target(one->junction, two->junction);
    }

    if (order == 0) {
        order = cqrs_catalog_compare(&one->constraint, &two->constraint);
    }

    if (order == 0) {
        order = cqrs_catalog_compare(&one->constraint2, &two->constraint2);
    }

    if (order == 0) {
        order = cqrs_sort_joins(one->joins, two->joins);
    }

    if (order == 0) {
        order = cqrs_sort_back_joins(one->joins2, two->joins2);
    }

    if (order == 0) {
        order = one->parent - two->parent;
    }

    return order;
}


static int
cqrs_sort_by_relation(const void *a, const void *b)
{
    const cqrs_relation_t  *one = *(cqrs_relation_t *const *) a;
    const cqrs_relation_t  *two = *(cqrs_relation_t *const *) b;

    return cqrs_catalog_compare(&one->key.name, &two->key.name);
}


static int
cqrs_sort_by_function(const void *a, const void *b)
{
    int                     order;
    const cqrs_function_t  *one = *(cqrs_function_t *const *) a;
    const cqrs_function_t  *two = *(cqrs_function_t *const *) b;

    order = cqrs_catalog_compare(&one->schema, &two->schema);

    if (order == 0) {
        order = cqrs_catalog_compare(&one->key.name, &two->key.name);
    }

    if (order == 0) {
        order = (one->nparameters > two->nparameters)
                - (one->nparameters < two->nparameters);
    }

    if (order == 0) {
        order = (one->comment.data != NULL) - (two->comment.data != NULL);
    }

    if (order == 0) {
        order = cqrs_catalog_compare(&one->comment, &two->comment);
    }

    if (order == 0) {
        order = cqrs_sort_parameters(one->parameters, two->parameters);
    }

    return order;
}


static int
cqrs_sort_target(const cqrs_relation_t *a, const cqrs_relation_t *b)
{
    int  order;

    order = cqrs_catalog_compare(&a->schema, &b->schema);

    return order ? order : cqrs_catalog_compare(&a->key.name, &b->key.name);
}


static int
cqrs_sort_rank(cqrs_cardinality_e cardinality)
{
    switch (cardinality) {

    case CQRS_ONE_TO_MANY:
        return 0;

    case CQRS_MANY_TO_ONE:
        return 1;

    case CQRS_ONE_TO_ONE:
        return 2;

    default:
        return 3;
    }
}


static int
cqrs_sort_joins(const cqrs_join_t *a, const cqrs_join_t *b)
{
    int  order;

    for ( /* void */ ; a && b; a = a->next, b = b->next) {
        order = cqrs_sort_columns(a->from, b->from, a->to, b->to);

        if (order) {
            return order;
        }
    }

    return (a != NULL) - (b != NULL);
}


/* Seen from the other end. */

static int
cqrs_sort_back_joins(const cqrs_join_t *a, const cqrs_join_t *b)
{
    int  order;

    for ( /* void */ ; a && b; a = a->next, b = b->next) {
        order = cqrs_sort_columns(a->to, b->to, a->from, b->from);

        if (order) {
            return order;
        }
    }

    return (a != NULL) - (b != NULL);
}


static int
cqrs_sort_columns(const cqrs_column_t *a1, const cqrs_column_t *b1,
    const cqrs_column_t *a2, const cqrs_column_t *b2)
{
    int  order;

    order = cqrs_catalog_compare(&a1->key.name, &b1->key.name);

    return order ? order : cqrs_catalog_compare(&a2->key.name, &b2->key.name);
}


static int
cqrs_sort_parameters(const cqrs_parameter_t *a, const cqrs_parameter_t *b)
{
    int  order;

    for ( /* void */ ; a && b; a = a->next, b = b->next) {
        order = cqrs_catalog_compare(&a->name, &b->name);

        if (order == 0) {
            order = cqrs_catalog_compare(&a->declared, &b->declared);
        }

        if (order == 0) {
            order = a->required - b->required;
        }

        if (order) {
            return order;
        }
    }

    return (a != NULL) - (b != NULL);
}


static int
cqrs_sort_qualified(const cqrs_qualified_t *a, const cqrs_qualified_t *b)
{
    int  order;

    order = cqrs_catalog_compare(&a->schema, &b->schema);

    return order ? order : cqrs_catalog_compare(&a->name, &b->name);
}
