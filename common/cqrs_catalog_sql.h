
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The one statement that reads all of the catalogue, and so sees one state of
 * it.  Parameters: the exposed schemas and the further schemas of the search
 * path, both text[].
 *
 * Before it, in the same transaction, come the settings: without a search path
 * names of types, and in defaults, have their schemas; and to compile it takes
 * many times longer than to run it.
 *
 * A row begins with its kind and a place within its kind; what follows depends
 * on the kind.  All values are text.
 */

#ifndef CQRS_CATALOG_SQL_H
#define CQRS_CATALOG_SQL_H


#define CQRS_CATALOG_SQL_PARAMETERS  2
#define CQRS_CATALOG_SQL_COLUMNS     16


extern const char  cqrs_catalog_setting_sql[];
extern const char  cqrs_catalog_sql[];


typedef enum {
    CQRS_CATALOG_ROW_RELATION = 1,
    CQRS_CATALOG_ROW_COLUMN,
    CQRS_CATALOG_ROW_ORIGIN,           /* of a view's column */
    CQRS_CATALOG_ROW_PRIMARY,
    CQRS_CATALOG_ROW_FOREIGN,
    CQRS_CATALOG_ROW_FUNCTION,
    CQRS_CATALOG_ROW_PARAMETER,
    CQRS_CATALOG_ROW_FUNCTION_SETTING,
    CQRS_CATALOG_ROW_COMPUTED_FIELD,
    CQRS_CATALOG_ROW_COMPUTED_RELATION,
    CQRS_CATALOG_ROW_HANDLER,
    CQRS_CATALOG_ROW_ROLE_SETTING,
    CQRS_CATALOG_ROW_KINDS
} cqrs_catalog_row_e;


#endif /* CQRS_CATALOG_SQL_H */
