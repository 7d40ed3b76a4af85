
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The inside of the catalogue, for its own files: cqrs_catalog.c, which finds,
 * cqrs_catalog_load.c, which takes rows, cqrs_catalog_relate.c, which makes
 * relationships of keys, and cqrs_catalog_sort.c, which gives everything its
 * place.  Nobody else includes this.
 */

#ifndef CQRS_CATALOG_STATE_H
#define CQRS_CATALOG_STATE_H


#include "cqrs_catalog_load.h"
#include "cqrs_catalog_table.h"


typedef struct cqrs_catalog_schema_s  cqrs_catalog_schema_t;
typedef struct cqrs_catalog_role_s    cqrs_catalog_role_t;


/* Its address is the scope of its relations, of "functions" of the others. */
struct cqrs_catalog_schema_s {
    cqrs_catalog_key_t       key;          /* scope: NULL */
    cqrs_relation_t         *relations;    /* exposed, by their names */
    cqrs_function_t         *functions;    /* first overloads, the same */
    cqrs_catalog_schema_t   *next;
};


struct cqrs_catalog_s {
    size_t                   references;
    cqrs_arena_t             arena;
    cqrs_catalog_table_t     table;
    size_t                   nrelations;
    cqrs_catalog_schema_t   *schemas;
    cqrs_handler_t          *handlers;
    cqrs_handler_t         **last_handler;
    cqrs_catalog_role_t     *roles;        /* its address is their scope */
};


/* A role that may be set, and its own settings. */
struct cqrs_catalog_role_s {
    cqrs_catalog_key_t       key;
    cqrs_setting_t          *settings;
    cqrs_setting_t         **last;
};


/*
 * What is known while a catalogue is made, by the database's own numbers.
 * Relations and columns are here as soon as anything refers to them; most of
 * those that are not exposed have no more than a number.
 */
typedef struct cqrs_load_relation_s  cqrs_load_relation_t;
typedef struct cqrs_load_column_s    cqrs_load_column_t;
typedef struct cqrs_load_image_s     cqrs_load_image_t;
typedef struct cqrs_load_key_s       cqrs_load_key_t;
typedef struct cqrs_load_function_s  cqrs_load_function_t;
typedef struct cqrs_load_computed_s  cqrs_load_computed_t;


/* An exposed column that holds what a column of a table holds: itself, too. */
struct cqrs_load_image_s {
    cqrs_column_t           *column;
    size_t                   order;        /* of its relation */
    cqrs_load_image_t       *next;
};


struct cqrs_load_relation_s {
    cqrs_catalog_key_t       key;
    cqrs_relation_t         *relation;     /* NULL: of no interest */
    int                      exposed;
    cqrs_load_column_t      *columns;      /* if there is a relation */
    cqrs_load_column_t     **last;
    cqrs_load_relation_t    *next;         /* of those with a relation */
};


struct cqrs_load_column_s {
    cqrs_catalog_key_t       key;          /* scope: the relation */
    cqrs_column_t           *column;
    cqrs_load_column_t      *origin;       /* what a view shows in it */
    cqrs_load_image_t       *images;
    cqrs_load_image_t      **last;
    cqrs_load_column_t      *next;         /* of the relation, with a column */
};


struct cqrs_load_key_s {
    cqrs_str_t               name;
    size_t                   ncolumns;
    cqrs_load_column_t     **columns;
    cqrs_load_column_t     **foreign;      /* NULL: a primary key */
    int                      unique;
    cqrs_load_key_t         *next;
};


struct cqrs_load_function_s {
    cqrs_catalog_key_t       key;
    cqrs_function_t         *function;
    cqrs_parameter_t       **last_parameter;
    cqrs_setting_t         **last_setting;
    cqrs_load_function_t    *next;
};


struct cqrs_load_computed_s {
    cqrs_relation_t         *from;
    cqrs_relation_t         *to;
    cqrs_qualified_t         function;
    int                      single;
    cqrs_load_computed_t    *next;
};


struct cqrs_catalog_load_s {
    cqrs_catalog_t          *catalog;
    cqrs_arena_t             arena;
    cqrs_catalog_table_t     table;

    cqrs_load_relation_t    *relations;
    cqrs_load_key_t         *keys;
    cqrs_load_function_t    *functions;
    size_t                   nfunctions;
    cqrs_load_computed_t    *computed;
};


/* role, name, value; returns 0, or -1 when memory is short */
int cqrs_load_role_setting(cqrs_catalog_load_t *load, const cqrs_str_t *row);

/*
 * Makes primary keys of views, and all relationships, of what is there.
 * Returns 0, or -1 when memory is short.
 */
int cqrs_catalog_relate(cqrs_catalog_load_t *load);

/*
 * Puts relations, functions with their overloads, and relationships in order,
 * and makes functions findable.  Returns 0, or -1 when memory is short.
 */
int cqrs_catalog_sort(cqrs_catalog_load_t *load);

/* Names in the order of their bytes: less than, equal to or above zero. */
int cqrs_catalog_compare(const cqrs_str_t *a, const cqrs_str_t *b);


#endif /* CQRS_CATALOG_STATE_H */
