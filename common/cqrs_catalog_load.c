
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Rows refer to each other by the database's own numbers.  A table of those
 * numbers lives as long as the load; the catalogue has none of them.
 */

#include "cqrs_catalog_state.h"

#include <stdlib.h>


#define CQRS_CATALOG_MEMORY  (256 * 1024 * 1024)
#define CQRS_LOAD_KEY_MAX    64           /* columns; Postgres has 32 */


typedef int (*cqrs_load_pt)(cqrs_catalog_load_t *load, const cqrs_str_t *row);


static int cqrs_load_relation(cqrs_catalog_load_t *load,
    const cqrs_str_t *row);
static int cqrs_load_column(cqrs_catalog_load_t *load, const cqrs_str_t *row);
static int cqrs_load_origin(cqrs_catalog_load_t *load, const cqrs_str_t *row);
static int cqrs_load_primary(cqrs_catalog_load_t *load, const cqrs_str_t *row);
static int cqrs_load_foreign(cqrs_catalog_load_t *load, const cqrs_str_t *row);
static int cqrs_load_function(cqrs_catalog_load_t *load,
    const cqrs_str_t *row);
static int cqrs_load_parameter(cqrs_catalog_load_t *load,
    const cqrs_str_t *row);
static int cqrs_load_setting(cqrs_catalog_load_t *load, const cqrs_str_t *row);
static int cqrs_load_computed_field(cqrs_catalog_load_t *load,
    const cqrs_str_t *row);
static int cqrs_load_computed_relation(cqrs_catalog_load_t *load,
    const cqrs_str_t *row);
static int cqrs_load_handler(cqrs_catalog_load_t *load, const cqrs_str_t *row);
static cqrs_catalog_schema_t *cqrs_load_schema(cqrs_catalog_load_t *load,
    const cqrs_str_t *name);
static cqrs_load_relation_t *cqrs_load_number(cqrs_catalog_load_t *load,
    const cqrs_str_t *number);
static cqrs_relation_t *cqrs_load_known(cqrs_catalog_load_t *load,
    const cqrs_str_t *number);
static cqrs_load_column_t *cqrs_load_attribute(cqrs_catalog_load_t *load,
    cqrs_load_relation_t *relation, const cqrs_str_t *number);
static cqrs_load_column_t **cqrs_load_attributes(cqrs_catalog_load_t *load,
    const cqrs_str_t *relation, const cqrs_str_t *numbers, size_t *n);
static int cqrs_load_str(cqrs_catalog_load_t *load, cqrs_str_t *to,
    const cqrs_str_t *from);
static int cqrs_load_qualified(cqrs_catalog_load_t *load, cqrs_qualified_t *to,
    const cqrs_str_t *from);
static int cqrs_load_true(const cqrs_str_t *value);
static int64_t cqrs_load_integer(const cqrs_str_t *value);


static const cqrs_load_pt  cqrs_load_rows[CQRS_CATALOG_ROW_KINDS] = {
    NULL,
    cqrs_load_relation,
    cqrs_load_column,
    cqrs_load_origin,
    cqrs_load_primary,
    cqrs_load_foreign,
    cqrs_load_function,
    cqrs_load_parameter,
    cqrs_load_setting,
    cqrs_load_computed_field,
    cqrs_load_computed_relation,
    cqrs_load_handler,
    cqrs_load_role_setting
};


/* Scopes of what has a number. */

static const char  cqrs_load_relations;
static const char  cqrs_load_functions;


cqrs_catalog_load_t *
cqrs_catalog_load_create(void)
{
    cqrs_catalog_t       *catalog;
    cqrs_catalog_load_t  *load;

    load = calloc(1, sizeof(cqrs_catalog_load_t));
    if (load == NULL) {
        return NULL;
    }

    cqrs_arena_init(&load->arena, CQRS_CATALOG_MEMORY);

    catalog = calloc(1, sizeof(cqrs_catalog_t));
    if (catalog == NULL) {
        free(load);
        return NULL;
    }

    catalog->references = 1;
    catalog->last_handler = &catalog->handlers;

    cqrs_arena_init(&catalog->arena, CQRS_CATALOG_MEMORY);

    load->catalog = catalog;

    if (cqrs_catalog_table_init(&catalog->table) != 0
        || cqrs_catalog_table_init(&load->table) != 0)
    {
        cqrs_catalog_load_destroy(load);
        return NULL;
    }

    return load;
}


int
cqrs_catalog_load_add(cqrs_catalog_load_t *load,
    const char *const row[CQRS_CATALOG_SQL_COLUMNS])
{
    int         i;
    int64_t     kind;
    cqrs_str_t  values[CQRS_CATALOG_SQL_COLUMNS];

    for (i = 0; i < CQRS_CATALOG_SQL_COLUMNS; i++) {
        values[i].data = row[i];
        values[i].len = row[i] ? strlen(row[i]) : 0;
    }

    kind = cqrs_load_integer(&values[0]);

    if (kind < CQRS_CATALOG_ROW_RELATION || kind >= CQRS_CATALOG_ROW_KINDS) {
        return 0;
    }

    return cqrs_load_rows[kind](load, values + 2);
}


cqrs_catalog_t *
cqrs_catalog_load_end(cqrs_catalog_load_t *load)
{
    cqrs_catalog_t  *catalog;

    catalog = NULL;

    if (cqrs_catalog_relate(load) == 0 && cqrs_catalog_sort(load) == 0) {
        catalog = load->catalog;
        load->catalog = NULL;
    }

    cqrs_catalog_load_destroy(load);

    return catalog;
}


void
cqrs_catalog_load_destroy(cqrs_catalog_load_t *load)
{
    if (load == NULL) {
        return;
    }

    cqrs_catalog_unref(load->catalog);
    cqrs_catalog_table_cleanup(&load->table);
    cqrs_arena_cleanup(&load->arena);
    free(load);
}


/* number, schema, name, relkind, exposed, three events, comment */

static int
cqrs_load_relation(cqrs_catalog_load_t *load, const cqrs_str_t *row)
{
    cqrs_catalog_t         *catalog;
    cqrs_relation_t        *relation;
    cqrs_load_relation_t   *number;
    cqrs_catalog_schema_t  *schema;

    catalog = load->catalog;

    number = cqrs_load_number(load, &row[0]);
    if (number == NULL) {
        return -1;
    }

    number->exposed = cqrs_load_true(&row[4]);

    if (number->exposed) {
        schema = cqrs_load_schema(load, &row[1]);
        if (schema == NULL) {
            return -1;
        }

        relation = cqrs_catalog_table_new(&catalog->table, &catalog->arena,
                                          sizeof(cqrs_relation_t), schema,
                                          &row[2]);
        if (relation == NULL) {
            return -1;
        }

        relation->schema = schema->key.name;
        relation->next = schema->relations;
        schema->relations = relation;

        catalog->nrelations++;

    } else {
        relation = cqrs_arena_calloc(&catalog->arena, sizeof(cqrs_relation_t));

        if (relation == NULL
            || cqrs_load_str(load, &relation->schema, &row[1]) != 0
            || cqrs_load_str(load, &relation->key.name, &row[2]) != 0)
        {
            return -1;
        }
    }

    relation->kind = row[3].len ? row[3].data[0] : 'r';
    relation->insertable = cqrs_load_true(&row[5]);
    relation->updatable = cqrs_load_true(&row[6]);
    relation->deletable = cqrs_load_true(&row[7]);
    relation->last = &relation->columns;
    relation->last_relationship = &relation->relationships;

    number->relation = relation;
    number->last = &number->columns;
    number->next = load->relations;
    load->relations = number;

    return cqrs_load_str(load, &relation->comment, &row[8]);
}


/*
 * relation, number, name, type, base, two functions, nullable, max length,
 * default, labels, comment
 */

static int
cqrs_load_column(cqrs_catalog_load_t *load, const cqrs_str_t *row)
{
    cqrs_column_t         *column;
    cqrs_catalog_t        *catalog;
    cqrs_relation_t       *relation;
    cqrs_load_column_t    *attribute;
    cqrs_load_relation_t  *number;

    catalog = load->catalog;

    number = cqrs_load_number(load, &row[0]);
    if (number == NULL) {
        return -1;
    }

    relation = number->relation;
    if (relation == NULL) {
        return 0;
    }

    attribute = cqrs_load_attribute(load, number, &row[1]);
    if (attribute == NULL) {
        return -1;
    }

    column = cqrs_catalog_table_new(&catalog->table, &catalog->arena,
                                    sizeof(cqrs_column_t), relation, &row[2]);
    if (column == NULL) {
        return -1;
    }

    attribute->column = column;

    *number->last = attribute;
    number->last = &attribute->next;

    column->relation = relation;
    column->number = relation->ncolumns++;

    *relation->last = column;
    relation->last = &column->next;

    column->nullable = cqrs_load_true(&row[9]);
    column->max_length = cqrs_load_integer(&row[10]);

    if (cqrs_load_str(load, &column->type, &row[3]) != 0
        || cqrs_load_str(load, &column->base, &row[4]) != 0
        || cqrs_load_qualified(load, &column->to_json, &row[5]) != 0
        || cqrs_load_qualified(load, &column->from_text, &row[7]) != 0
        || cqrs_load_str(load, &column->fallback, &row[11]) != 0
        || cqrs_load_str(load, &column->labels, &row[12]) != 0
        || cqrs_load_str(load, &column->comment, &row[13]) != 0)
    {
        return -1;
    }

    column->kind = cqrs_row_kind(&column->base);

    if (column->to_json.name.data) {
        relation->representations = 1;
    }

    return 0;
}


/* view, column, its relation, its column */

static int
cqrs_load_origin(cqrs_catalog_load_t *load, const cqrs_str_t *row)
{
    cqrs_load_column_t    *column, *origin;
    cqrs_load_relation_t  *view, *relation;

    view = cqrs_load_number(load, &row[0]);
    relation = cqrs_load_number(load, &row[2]);

    if (view == NULL || relation == NULL) {
        return -1;
    }

    column = cqrs_load_attribute(load, view, &row[1]);
    origin = cqrs_load_attribute(load, relation, &row[3]);

    if (column == NULL || origin == NULL) {
        return -1;
    }

    column->origin = origin;

    return 0;
}


/* relation, columns */

static int
cqrs_load_primary(cqrs_catalog_load_t *load, const cqrs_str_t *row)
{
    cqrs_load_key_t  *key;

    key = cqrs_arena_calloc(&load->arena, sizeof(cqrs_load_key_t));
    if (key == NULL) {
        return -1;
    }

    key->columns = cqrs_load_attributes(load, &row[0], &row[1],
                                        &key->ncolumns);
    if (key->columns == NULL) {
        return -1;
    }

    key->next = load->keys;
    load->keys = key;

    return 0;
}


/* relation, columns, the other relation, its columns, name, unique */

static int
cqrs_load_foreign(cqrs_catalog_load_t *load, const cqrs_str_t *row)
{
    size_t            n;
    cqrs_load_key_t  *key;

    key = cqrs_arena_calloc(&load->arena, sizeof(cqrs_load_key_t));
    if (key == NULL) {
        return -1;
    }

    key->columns = cqrs_load_attributes(load, &row[0], &row[1],
                                        &key->ncolumns);
    key->foreign = cqrs_load_attributes(load, &row[2], &row[3], &n);

    if (key->columns == NULL || key->foreign == NULL
        || cqrs_load_str(load, &key->name, &row[4]) != 0)
    {
        return -1;
    }

    if (n != key->ncolumns) {
        return 0;
    }

    key->unique = cqrs_load_true(&row[5]);

    key->next = load->keys;
    load->keys = key;

    return 0;
}


/* number, schema, name, volatility, set, composite, type, relation, comment */

static int
cqrs_load_function(cqrs_catalog_load_t *load, const cqrs_str_t *row)
{
    cqrs_catalog_t         *catalog;
    cqrs_function_t        *function;
    cqrs_load_function_t   *number;
    cqrs_catalog_schema_t  *schema;

    catalog = load->catalog;

    number = cqrs_catalog_table_new(&load->table, &load->arena,
                                    sizeof(cqrs_load_function_t),
                                    &cqrs_load_functions, &row[0]);
    schema = cqrs_load_schema(load, &row[1]);
    function = cqrs_arena_calloc(&catalog->arena, sizeof(cqrs_function_t));

    if (number == NULL || schema == NULL || function == NULL
        || cqrs_load_str(load, &function->key.name, &row[2]) != 0
        || cqrs_load_qualified(load, &function->type, &row[6]) != 0
        || cqrs_load_str(load, &function->comment, &row[9]) != 0)
    {
        return -1;
    }

    function->key.scope = schema;          /* for now */
    function->schema = schema->key.name;
    function->volatility = row[3].len ? row[3].data[0] : 'v';
    function->set = cqrs_load_true(&row[4]);
    function->composite = cqrs_load_true(&row[5]);
    function->nothing = !function->set
                        && cqrs_str_is(&function->type.schema, "pg_catalog")
                        && cqrs_str_is(&function->type.name, "void");
    function->relation = cqrs_load_known(load, &row[8]);

    number->function = function;
    number->last_parameter = &function->parameters;
    number->last_setting = &function->settings;
    number->next = load->functions;

    load->functions = number;
    load->nfunctions++;

    return 0;
}


/* function, name, type, declared type, required, variadic */

static int
cqrs_load_parameter(cqrs_catalog_load_t *load, const cqrs_str_t *row)
{
    cqrs_parameter_t      *parameter;
    cqrs_load_function_t  *number;

    number = cqrs_catalog_table_find(&load->table, &cqrs_load_functions,
                                     &row[0]);
    if (number == NULL) {
        return 0;
    }

    parameter = cqrs_arena_calloc(&load->catalog->arena,
                                  sizeof(cqrs_parameter_t));

    if (parameter == NULL
        || cqrs_load_str(load, &parameter->name, &row[1]) != 0
        || cqrs_load_str(load, &parameter->type, &row[2]) != 0
        || cqrs_load_str(load, &parameter->declared, &row[3]) != 0)
    {
        return -1;
    }

    parameter->required = cqrs_load_true(&row[4]);
    parameter->variadic = cqrs_load_true(&row[5]);

    *number->last_parameter = parameter;
    number->last_parameter = &parameter->next;
    number->function->nparameters++;

    return 0;
}


/* function, name, value */

static int
cqrs_load_setting(cqrs_catalog_load_t *load, const cqrs_str_t *row)
{
    cqrs_setting_t        *setting;
    cqrs_load_function_t  *number;

    number = cqrs_catalog_table_find(&load->table, &cqrs_load_functions,
                                     &row[0]);
    if (number == NULL) {
        return 0;
    }

    setting = cqrs_arena_calloc(&load->catalog->arena, sizeof(cqrs_setting_t));

    if (setting == NULL
        || cqrs_load_str(load, &setting->name, &row[1]) != 0
        || cqrs_load_str(load, &setting->value, &row[2]) != 0)
    {
        return -1;
    }

    *number->last_setting = setting;
    number->last_setting = &setting->next;

    return 0;
}


/* relation, name; several functions may have one name */

static int
cqrs_load_computed_field(cqrs_catalog_load_t *load, const cqrs_str_t *row)
{
    cqrs_catalog_t   *catalog;
    cqrs_relation_t  *relation;

    catalog = load->catalog;
    relation = cqrs_load_known(load, &row[0]);

    if (relation == NULL
        || cqrs_catalog_table_find(&catalog->table, &relation->computed,
                                   &row[1]))
    {
        return 0;
    }

    relation->computed = 1;

    return cqrs_catalog_table_new(&catalog->table, &catalog->arena,
                                  sizeof(cqrs_catalog_key_t),
                                  &relation->computed, &row[1])
           ? 0 : -1;
}


/* relation, the other relation, function, single */

static int
cqrs_load_computed_relation(cqrs_catalog_load_t *load, const cqrs_str_t *row)
{
    cqrs_relation_t       *from, *to;
    cqrs_load_computed_t  *computed;

    from = cqrs_load_known(load, &row[0]);
    to = cqrs_load_known(load, &row[1]);

    if (from == NULL || to == NULL) {
        return 0;
    }

    computed = cqrs_arena_calloc(&load->arena, sizeof(cqrs_load_computed_t));

    if (computed == NULL
        || cqrs_load_qualified(load, &computed->function, &row[2]) != 0)
    {
        return -1;
    }

    computed->from = from;
    computed->to = to;
    computed->single = cqrs_load_true(&row[4]);

    computed->next = load->computed;
    load->computed = computed;

    return 0;
}


/* function, aggregate, relation, media type, result */

static int
cqrs_load_handler(cqrs_catalog_load_t *load, const cqrs_str_t *row)
{
    cqrs_catalog_t  *catalog;
    cqrs_handler_t  *handler;

    catalog = load->catalog;

    handler = cqrs_arena_calloc(&catalog->arena, sizeof(cqrs_handler_t));

    if (handler == NULL
        || cqrs_load_qualified(load, &handler->function, &row[0]) != 0
        || cqrs_load_qualified(load, &handler->relation, &row[3]) != 0
        || cqrs_load_str(load, &handler->media, &row[5]) != 0
        || cqrs_load_qualified(load, &handler->result, &row[6]) != 0)
    {
        return -1;
    }

    handler->aggregate = cqrs_load_true(&row[2]);

    *catalog->last_handler = handler;
    catalog->last_handler = &handler->next;

    return 0;
}


static cqrs_catalog_schema_t *
cqrs_load_schema(cqrs_catalog_load_t *load, const cqrs_str_t *name)
{
    cqrs_catalog_t         *catalog;
    cqrs_catalog_schema_t  *schema;

    catalog = load->catalog;

    schema = cqrs_catalog_table_find(&catalog->table, NULL, name);
    if (schema) {
        return schema;
    }

    schema = cqrs_catalog_table_new(&catalog->table, &catalog->arena,
                                    sizeof(cqrs_catalog_schema_t), NULL, name);
    if (schema) {
        schema->next = catalog->schemas;
        catalog->schemas = schema;
    }

    return schema;
}


/* A relation by its number, made if it is not there. */

static cqrs_load_relation_t *
cqrs_load_number(cqrs_catalog_load_t *load, const cqrs_str_t *number)
{
    cqrs_load_relation_t  *relation;

    relation = cqrs_catalog_table_find(&load->table, &cqrs_load_relations,
                                       number);
    if (relation) {
        return relation;
    }

    return cqrs_catalog_table_new(&load->table, &load->arena,
                                  sizeof(cqrs_load_relation_t),
                                  &cqrs_load_relations, number);
}


/* One that came as a row; NULL if it did not. */

static cqrs_relation_t *
cqrs_load_known(cqrs_catalog_load_t *load, const cqrs_str_t *number)
{
    cqrs_load_relation_t  *relation;

    relation = cqrs_catalog_table_find(&load->table, &cqrs_load_relations,
                                       number);

    return relation ? relation->relation : NULL;
}


static cqrs_load_column_t *
cqrs_load_attribute(cqrs_catalog_load_t *load, cqrs_load_relation_t *relation,
    const cqrs_str_t *number)
{
    cqrs_load_column_t  *column;

    column = cqrs_catalog_table_find(&load->table, relation, number);
    if (column) {
        return column;
    }

    column = cqrs_catalog_table_new(&load->table, &load->arena,
                                    sizeof(cqrs_load_column_t), relation,
                                    number);
    if (column) {
        column->last = &column->images;
    }

    return column;
}


/* The columns whose numbers are listed with blanks between them. */

static cqrs_load_column_t **
cqrs_load_attributes(cqrs_catalog_load_t *load, const cqrs_str_t *relation,
    const cqrs_str_t *numbers, size_t *n)
{
    size_t                 i, begin;
    cqrs_str_t             number;
    cqrs_load_column_t    *column, *columns[CQRS_LOAD_KEY_MAX], **copy;
    cqrs_load_relation_t  *scope;

    scope = cqrs_load_number(load, relation);
    if (scope == NULL) {
        return NULL;
    }

    *n = 0;
    begin = 0;

    for (i = 0; i <= numbers->len; i++) {

        if (i < numbers->len && numbers->data[i] != ' ') {
            continue;
        }

        number.data = numbers->data + begin;
        number.len = i - begin;
        begin = i + 1;

        if (number.len == 0 || *n == CQRS_LOAD_KEY_MAX) {
            continue;
        }

        column = cqrs_load_attribute(load, scope, &number);
        if (column == NULL) {
            return NULL;
        }

        columns[(*n)++] = column;
    }

    copy = cqrs_arena_alloc(&load->arena, *n * sizeof(cqrs_load_column_t *));

    if (copy && *n) {
        memcpy(copy, columns, *n * sizeof(cqrs_load_column_t *));
    }

    return copy;
}


/* Null stays what is all zero. */

static int
cqrs_load_str(cqrs_catalog_load_t *load, cqrs_str_t *to,
    const cqrs_str_t *from)
{
    if (from->data == NULL) {
        return 0;
    }

    to->len = from->len;
    to->data = cqrs_arena_copy(&load->catalog->arena, from->data, from->len);

    return to->data ? 0 : -1;
}


static int
cqrs_load_qualified(cqrs_catalog_load_t *load, cqrs_qualified_t *to,
    const cqrs_str_t *from)
{
    if (cqrs_load_str(load, &to->schema, &from[0]) != 0) {
        return -1;
    }

    return cqrs_load_str(load, &to->name, &from[1]);
}


static int
cqrs_load_true(const cqrs_str_t *value)
{
    return value->len && value->data[0] == 't';
}


/* -1: it is none. */

static int64_t
cqrs_load_integer(const cqrs_str_t *value)
{
    char     *end;
    int64_t   n;

    if (value->len == 0) {
        return -1;
    }

    n = strtoll(value->data, &end, 10);

    return (end == value->data + value->len && n >= 0) ? n : -1;
}
