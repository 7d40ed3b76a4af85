
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * What the exposed schemas of a database hold, as a request may name it.
 *
 * It is filled from the rows of cqrs_catalog_sql and never changed after that:
 * a newer one takes its place, and the old one stays as long as somebody holds
 * a reference.  Counting is for one thread.
 */

#ifndef CQRS_CATALOG_H
#define CQRS_CATALOG_H


#include "cqrs_str.h"

#include <stdint.h>


typedef struct cqrs_catalog_s   cqrs_catalog_t;
typedef struct cqrs_relation_s  cqrs_relation_t;
typedef struct cqrs_column_s    cqrs_column_t;


/* A name and where it is looked up; everything here begins with it. */
typedef struct {
    const void             *scope;
    cqrs_str_t              name;
    uint32_t                hash;
} cqrs_catalog_key_t;


struct cqrs_column_s {
    cqrs_catalog_key_t      key;           /* scope: the relation */
    const cqrs_relation_t  *relation;
    cqrs_column_t          *next;          /* in the relation's own order */
    cqrs_str_t              type;          /* as format_type() writes it */
};


struct cqrs_relation_s {
    cqrs_catalog_key_t      key;           /* scope: the schema */
    cqrs_str_t              schema;
    char                    kind;          /* pg_class.relkind */
    cqrs_column_t          *columns;
    cqrs_column_t         **last;
};


/*
 * One parameter: the exposed schemas as the text of an array.  Its columns,
 * all text: schema, relation, kind, column or null, the column's type.  Rows
 * of a relation come together, its columns in their order.
 */
extern const char  cqrs_catalog_sql[];

#define CQRS_CATALOG_SQL_COLUMNS  5


/* Returns NULL when memory is short.  The reference is the caller's. */
cqrs_catalog_t *cqrs_catalog_create(void);

void cqrs_catalog_ref(cqrs_catalog_t *catalog);

/* Frees it with the last reference; NULL is allowed. */
void cqrs_catalog_unref(cqrs_catalog_t *catalog);

/* Adds one row; NULL in it is null.  Returns 0, or -1: out of memory. */
int cqrs_catalog_add(cqrs_catalog_t *catalog,
    const char *const row[CQRS_CATALOG_SQL_COLUMNS]);

/* How many relations there are. */
size_t cqrs_catalog_relations(const cqrs_catalog_t *catalog);

/* By their names in the database, exactly; NULL if there is none. */
const cqrs_relation_t *cqrs_catalog_relation(const cqrs_catalog_t *catalog,
    const cqrs_str_t *schema, const cqrs_str_t *name);
const cqrs_column_t *cqrs_catalog_column(const cqrs_catalog_t *catalog,
    const cqrs_relation_t *relation, const cqrs_str_t *name);

/*
 * The relation of that schema whose name is most like this one, if it is at
 * least three quarters so; else NULL.
 */
const cqrs_relation_t *cqrs_catalog_similar(const cqrs_catalog_t *catalog,
    const cqrs_str_t *schema, const cqrs_str_t *name);


#endif /* CQRS_CATALOG_H */
