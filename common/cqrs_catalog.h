
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * What the exposed schemas of a database hold, as a request may name it.
 *
 * It is made by cqrs_catalog_load.h and never changed after that: a newer one
 * takes its place, and the old one stays as long as somebody holds a
 * reference.  Counting is for one thread.
 */

#ifndef CQRS_CATALOG_H
#define CQRS_CATALOG_H


#include "cqrs_row.h"

#include <stdint.h>


typedef struct cqrs_catalog_s       cqrs_catalog_t;
typedef struct cqrs_relation_s      cqrs_relation_t;
typedef struct cqrs_column_s        cqrs_column_t;
typedef struct cqrs_relationship_s  cqrs_relationship_t;
typedef struct cqrs_join_s          cqrs_join_t;
typedef struct cqrs_function_s      cqrs_function_t;
typedef struct cqrs_parameter_s     cqrs_parameter_t;
typedef struct cqrs_setting_s       cqrs_setting_t;
typedef struct cqrs_handler_s       cqrs_handler_t;


/* A name and where it is looked up; what is looked up begins with it. */
typedef struct {
    const void             *scope;
    cqrs_str_t              name;
    uint32_t                hash;
} cqrs_catalog_key_t;


/* The name of something that is only called, in whatever schema. */
typedef struct {
    cqrs_str_t              schema;
    cqrs_str_t              name;          /* data NULL: there is none */
} cqrs_qualified_t;


struct cqrs_column_s {
    cqrs_catalog_key_t      key;           /* scope: the relation */
    const cqrs_relation_t  *relation;
    cqrs_column_t          *next;          /* in the relation's own order */
    unsigned                number;        /* in it: 0, 1... */

    cqrs_str_t              type;          /* as format_type() writes it */
    cqrs_str_t              base;          /* beneath all domains, without a
                                              length */
    cqrs_row_kind_e         kind;          /* of base */
    cqrs_qualified_t        to_json;       /* a domain's own representation */
    cqrs_qualified_t        from_text;

    int                     primary;       /* a part of the primary key */
    int                     nullable;
    int64_t                 max_length;    /* -1: none */
    cqrs_str_t              fallback;      /* the default, as SQL; or absent */
    cqrs_str_t              labels;        /* of an enum, a JSON array */
    cqrs_str_t              comment;
};


struct cqrs_relation_s {
    cqrs_catalog_key_t      key;           /* scope: the schema */
    cqrs_str_t              schema;
    char                    kind;          /* pg_class.relkind */
    int                     insertable;    /* by itself or by a trigger */
    int                     updatable;
    int                     deletable;
    cqrs_str_t              comment;

    cqrs_column_t          *columns;
    cqrs_column_t         **last;
    unsigned                ncolumns;
    int                     representations;   /* a column has to_json */
    int                     computed;      /* it has computed fields; this is
                                              their scope */

    int                     hidden;        /* keys of what is not exposed
                                              lead here */
    cqrs_relationship_t    *relationships;     /* that begin here */
    cqrs_relationship_t   **last_relationship;

    cqrs_relation_t        *next;          /* of the schema, by name */
};


typedef enum {
    CQRS_MANY_TO_ONE = 0,
    CQRS_ONE_TO_MANY,
    CQRS_ONE_TO_ONE,
    CQRS_MANY_TO_MANY,
    CQRS_COMPUTED
} cqrs_cardinality_e;


/* from.column = to.column */
struct cqrs_join_s {
    const cqrs_column_t    *from;
    const cqrs_column_t    *to;
    cqrs_join_t            *next;
};


/*
 * A way from one exposed relation to another.  Those of one relation are in a
 * stable order.
 */
struct cqrs_relationship_s {
    cqrs_cardinality_e      cardinality;
    const cqrs_relation_t  *from;
    const cqrs_relation_t  *to;            /* of a computed one, too */
    cqrs_relationship_t    *next;

    /* all but COMPUTED */
    cqrs_str_t              constraint;    /* of MANY_TO_MANY: the first */
    cqrs_join_t            *joins;         /* from -> to, or -> junction */
    int                     self;          /* within one table */
    int                     parent;        /* ONE_TO_ONE: the key is in "to" */

    /* MANY_TO_MANY */
    const cqrs_relation_t  *junction;
    cqrs_str_t              constraint2;
    cqrs_join_t            *joins2;        /* junction -> to */

    /* COMPUTED: it is found by the function's schema, not that of "to" */
    cqrs_qualified_t        function;
    int                     single;        /* ROWS 1, or no SETOF */
};


struct cqrs_parameter_s {
    cqrs_str_t              name;          /* empty: it has none */
    cqrs_str_t              type;          /* for a cast, any length allowed */
    cqrs_str_t              declared;      /* as it was written, for people */
    int                     required;
    int                     variadic;
    cqrs_parameter_t       *next;
};


/* A setting of "create function ... set name = value". */
struct cqrs_setting_s {
    cqrs_str_t              name;
    cqrs_str_t              value;
    cqrs_setting_t         *next;
};


struct cqrs_function_s {
    cqrs_catalog_key_t      key;           /* scope: the schema's functions */
    cqrs_str_t              schema;
    cqrs_function_t        *next;          /* overload, with more parameters */
    cqrs_function_t        *following;     /* of the schema, by name; first
                                              overloads alone have it */

    char                    volatility;    /* pg_proc.provolatile */
    int                     set;           /* SETOF or TABLE */
    int                     composite;     /* its rows have columns */
    int                     nothing;       /* void */
    cqrs_qualified_t        type;          /* what it returns, without SETOF */
    const cqrs_relation_t  *relation;      /* whose row type that is, exposed
                                              or not; or NULL */
    cqrs_parameter_t       *parameters;
    unsigned                nparameters;
    cqrs_setting_t         *settings;
    cqrs_str_t              comment;
};


/* A function or an aggregate that makes a media type. */
struct cqrs_handler_s {
    cqrs_qualified_t        function;
    int                     aggregate;     /* of rows; else its own result */
    cqrs_str_t              media;         /* "*" "/" "*": any */
    cqrs_qualified_t        relation;      /* whose rows; name NULL: of all,
                                              or a function's own result */
    cqrs_qualified_t        result;        /* the domain */
    cqrs_handler_t         *next;
};


void cqrs_catalog_ref(cqrs_catalog_t *catalog);

/* Frees it with the last reference; NULL is allowed. */
void cqrs_catalog_unref(cqrs_catalog_t *catalog);

/* How many exposed relations there are. */
size_t cqrs_catalog_relations(const cqrs_catalog_t *catalog);

/* Exposed, by their names in the database, exactly; NULL if there is none. */
const cqrs_relation_t *cqrs_catalog_relation(const cqrs_catalog_t *catalog,
    const cqrs_str_t *schema, const cqrs_str_t *name);
const cqrs_column_t *cqrs_catalog_column(const cqrs_catalog_t *catalog,
    const cqrs_relation_t *relation, const cqrs_str_t *name);

/* A function that takes a row and may be read like a column of it. */
int cqrs_catalog_computed(const cqrs_catalog_t *catalog,
    const cqrs_relation_t *relation, const cqrs_str_t *name);

/* The first overload; NULL if there is none. */
const cqrs_function_t *cqrs_catalog_function(const cqrs_catalog_t *catalog,
    const cqrs_str_t *schema, const cqrs_str_t *name);

/* What "alter role" has set for a role that may be set; NULL if nothing. */
const cqrs_setting_t *cqrs_catalog_role_settings(
    const cqrs_catalog_t *catalog, const cqrs_str_t *role);

/* All handlers. */
const cqrs_handler_t *cqrs_catalog_handlers(const cqrs_catalog_t *catalog);

/*
 * Walks over the exposed relations or functions (first overloads) of a schema
 * in the order of their names: NULL begins, NULL ends.
 */
const cqrs_relation_t *cqrs_catalog_next_relation(
    const cqrs_catalog_t *catalog, const cqrs_str_t *schema,
    const cqrs_relation_t *relation);
const cqrs_function_t *cqrs_catalog_next_function(
    const cqrs_catalog_t *catalog, const cqrs_str_t *schema,
    const cqrs_function_t *function);

/*
 * The relation, or function, of that schema whose name is most like this one,
 * if it is at least three quarters so; else NULL.
 */
const cqrs_relation_t *cqrs_catalog_similar(const cqrs_catalog_t *catalog,
    const cqrs_str_t *schema, const cqrs_str_t *name);
const cqrs_function_t *cqrs_catalog_similar_function(
    const cqrs_catalog_t *catalog, const cqrs_str_t *schema,
    const cqrs_str_t *name);


#endif /* CQRS_CATALOG_H */
