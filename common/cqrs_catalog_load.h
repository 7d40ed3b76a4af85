
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Makes a catalogue of the rows of cqrs_catalog_sql, in the order in which
 * they come.
 */

#ifndef CQRS_CATALOG_LOAD_H
#define CQRS_CATALOG_LOAD_H


#include "cqrs_catalog.h"
#include "cqrs_catalog_sql.h"


typedef struct cqrs_catalog_load_s  cqrs_catalog_load_t;


/* Returns NULL when memory is short. */
cqrs_catalog_load_t *cqrs_catalog_load_create(void);

/*
 * Takes a row; NULL in it is null.  What refers to nothing that is known is
 * left out.  Returns 0, or -1 when memory is short.
 */
int cqrs_catalog_load_add(cqrs_catalog_load_t *load,
    const char *const row[CQRS_CATALOG_SQL_COLUMNS]);

/*
 * The catalogue, whose reference is the caller's, or NULL when memory is
 * short.  The load is gone in any case.
 */
cqrs_catalog_t *cqrs_catalog_load_end(cqrs_catalog_load_t *load);

/* Gives up; NULL is allowed. */
void cqrs_catalog_load_destroy(cqrs_catalog_load_t *load);


#endif /* CQRS_CATALOG_LOAD_H */
