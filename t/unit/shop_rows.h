
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The catalogue of t/lib/query_schema.sql without a server: it is made of the
 * rows in t/unit/shop.rows, which t/unit/cqrs_catalog_rows.c writes and
 * compares with a database.  To be included by one; tests run where the
 * sources are.
 *
 * A line is a row, its values are separated by tabs; \N is null, \t, \n and
 * \\ are what they are in C.
 */

#ifndef SHOP_ROWS_H
#define SHOP_ROWS_H


#include "cqrs_catalog_load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define SHOP_ROWS       "t/unit/shop.rows"
#define SHOP_ROWS_LINE  8192


/* One value, in place; NULL is null.  The rest begins behind its tab. */

static inline char *
shop_rows_value(char **rest)
{
    char  *p, *to, *value;

    value = *rest;

    for (p = value, to = value; *p && *p != '\t' && *p != '\n'; p++) {

        if (*p != '\\') {
            *to++ = *p;
            continue;
        }

        switch (*++p) {

        case 'N':
            value = NULL;
            break;

        case 't':
            *to++ = '\t';
            break;

        case 'n':
            *to++ = '\n';
            break;

        default:
            *to++ = *p;
            break;
        }
    }

    *rest = *p ? p + 1 : p;
    *to = '\0';

    return value;
}


/* NULL if the file is not there. */

static inline cqrs_catalog_t *
shop_rows_load(void)
{
    int                   i;
    FILE                 *file;
    char                 *rest, line[SHOP_ROWS_LINE];
    const char           *row[CQRS_CATALOG_SQL_COLUMNS];
    cqrs_catalog_t       *catalog;
    cqrs_catalog_load_t  *load;

    file = fopen(SHOP_ROWS, "r");
    if (file == NULL) {
        return NULL;
    }

    load = cqrs_catalog_load_create();

    while (load && fgets(line, sizeof(line), file)) {

        if (line[0] == '#') {
            continue;
        }

        rest = line;

        for (i = 0; i < CQRS_CATALOG_SQL_COLUMNS; i++) {
            row[i] = *rest ? shop_rows_value(&rest) : NULL;
        }

        if (cqrs_catalog_load_add(load, row) != 0) {
            cqrs_catalog_load_destroy(load);
            load = NULL;
        }
    }

    fclose(file);

    catalog = load ? cqrs_catalog_load_end(load) : NULL;

    return catalog;
}


#endif /* SHOP_ROWS_H */
