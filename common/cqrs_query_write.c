
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "cqrs_query_write.h"
#include "cqrs_identifier.h"
#include "cqrs_similar.h"

#include <stdio.h>


#define CQRS_QUERY_PARAMS_BEGIN  16
#define CQRS_QUERY_PARAMS_MAX    65535   /* of Postgres' protocol */
#define CQRS_QUERY_MISSING_MAX   3       /* letters that may differ */


typedef struct {
    const char  *words;
    const char  *sql;
} cqrs_query_type_t;


/* A column that is not there, and those whose names are most like it. */
typedef struct {
    const cqrs_str_t  *name;
    const cqrs_str_t  *first;
    const cqrs_str_t  *second;
    size_t             distance;
    int                there;
} cqrs_query_missing_t;


static void cqrs_query_write_alias(cqrs_query_writer_t *w, const char *prefix,
    unsigned number);
static int cqrs_query_takes_all(const cqrs_query_node_t *node);
static void cqrs_query_missing_init(cqrs_query_missing_t *missing,
    const cqrs_str_t *name);
static void cqrs_query_missing_add(cqrs_query_missing_t *missing,
    const cqrs_str_t *name);
static int cqrs_query_missing_tell(const cqrs_query_missing_t *missing,
    cqrs_query_writer_t *w, const cqrs_str_t *table);


/* What SQL calls by other words than the catalogue does. */

static const cqrs_query_type_t  cqrs_query_types[] = {
    { "bigint",                      "pg_catalog.int8" },
    { "bit",                         "bit" },
    { "bit varying",                 "pg_catalog.varbit" },
    { "boolean",                     "pg_catalog.bool" },
    { "char",                        "character" },
    { "char varying",                "pg_catalog.varchar" },
    { "character",                   "character" },
    { "character varying",           "pg_catalog.varchar" },
    { "dec",                         "pg_catalog.numeric" },
    { "decimal",                     "pg_catalog.numeric" },
    { "double precision",            "pg_catalog.float8" },
    { "float",                       "pg_catalog.float8" },
    { "int",                         "pg_catalog.int4" },
    { "integer",                     "pg_catalog.int4" },
    { "real",                        "pg_catalog.float4" },
    { "smallint",                    "pg_catalog.int2" },
    { "time with time zone",         "pg_catalog.timetz" },
    { "time without time zone",      "pg_catalog.time" },
    { "timestamp with time zone",    "pg_catalog.timestamptz" },
    { "timestamp without time zone", "pg_catalog.timestamp" },
    { NULL, NULL }
};


void
cqrs_query_write_init(cqrs_query_writer_t *w,
    const cqrs_query_planner_t *planner)
{
    memset(w, 0, sizeof(cqrs_query_writer_t));

    cqrs_buf_init(&w->buf, planner->arena);

    w->arena = planner->arena;
    w->catalog = planner->catalog;
    w->options = planner->options;
    w->error = planner->error;
}


int
cqrs_query_write_end(cqrs_query_writer_t *w, cqrs_query_sql_t *sql)
{
    if (cqrs_buf_end(&w->buf, &sql->text) != 0) {
        cqrs_query_no_memory(w->error);
        return -1;
    }

    sql->nparams = w->nparams;
    sql->params = w->params;

    return 0;
}


void
cqrs_query_write_name(cqrs_query_writer_t *w, const cqrs_str_t *name)
{
    cqrs_buf_identifier(&w->buf, name);
}


void
cqrs_query_write_qualified(cqrs_query_writer_t *w, const cqrs_str_t *schema,
    const cqrs_str_t *name)
{
    cqrs_query_write_name(w, schema);
    cqrs_buf_text(&w->buf, ".");
    cqrs_query_write_name(w, name);
}


void
cqrs_query_write_param(cqrs_query_writer_t *w, const char *value)
{
    size_t        size;
    const char  **params;

    if (w->nparams == w->size) {

        size = w->size ? w->size * 2 : CQRS_QUERY_PARAMS_BEGIN;
        params = NULL;

        if (w->nparams < CQRS_QUERY_PARAMS_MAX) {
            params = cqrs_arena_alloc(w->arena, size * sizeof(char *));
        }

        if (params == NULL) {
            w->buf.failed = 1;
            return;
        }

        if (w->nparams) {
            memcpy(params, w->params, w->nparams * sizeof(char *));
        }

        w->params = params;
        w->size = size;
    }

    w->params[w->nparams++] = value;

    cqrs_buf_text(&w->buf, "$");
    cqrs_buf_number(&w->buf, w->nparams);
}


void
cqrs_query_write_number(cqrs_query_writer_t *w, int64_t number)
{
    char  *p, text[24];
    int    len;

    len = snprintf(text, sizeof(text), "%lld", (long long) number);

    p = cqrs_arena_copy(w->arena, text, (size_t) len);
    if (p == NULL) {
        w->buf.failed = 1;
        return;
    }

    cqrs_query_write_param(w, p);
    cqrs_buf_text(&w->buf, "::pg_catalog.int8");
}


void
cqrs_query_write_array(cqrs_query_writer_t *w,
    const cqrs_query_value_t *values)
{
    size_t                     i;
    cqrs_buf_t                 buf;
    cqrs_str_t                 text;
    const cqrs_query_value_t  *value;

    cqrs_buf_init(&buf, w->arena);
    cqrs_buf_text(&buf, "{");

    for (value = values; value; value = value->next) {

        cqrs_buf_text(&buf, value == values ? "\"" : ",\"");

        for (i = 0; i < value->text.len; i++) {

            if (value->text.data[i] == '"' || value->text.data[i] == '\\') {
                cqrs_buf_text(&buf, "\\");
            }

            cqrs_buf_add(&buf, value->text.data + i, 1);
        }

        cqrs_buf_text(&buf, "\"");
    }

    cqrs_buf_text(&buf, "}");

    if (cqrs_buf_end(&buf, &text) != 0) {
        w->buf.failed = 1;
        return;
    }

    cqrs_query_write_param(w, text.data);
}


/*
 * The root has its own name, for those who read a plan of the query, unless
 * that may be a name of ours.
 */

void
cqrs_query_write_table(cqrs_query_writer_t *w, const cqrs_query_node_t *node)
{
    if (node->embed->relationship == NULL
        && node->embed->origin.data[0] != '_')
    {
        cqrs_query_write_name(w, &node->embed->origin);
        return;
    }

    cqrs_query_write_alias(w, "_t", node->embed->number);
}


/* As a row, which no column of that name can be taken for. */

void
cqrs_query_write_row(cqrs_query_writer_t *w, const cqrs_query_node_t *node)
{
    cqrs_buf_text(&w->buf, "(");
    cqrs_query_write_table(w, node);
    cqrs_buf_text(&w->buf, ".*)");
}


void
cqrs_query_write_embed(cqrs_query_writer_t *w, const cqrs_query_node_t *node)
{
    cqrs_query_write_alias(w, "_e", node->embed->number);
}


static void
cqrs_query_write_alias(cqrs_query_writer_t *w, const char *prefix,
    unsigned number)
{
    cqrs_buf_text(&w->buf, prefix);
    cqrs_buf_number(&w->buf, number);
}


/*
 * The word of a type folds to lower case and its blanks are one, as in SQL
 * text; what SQL has no words for is a name, which Postgres may not find.
 */

void
cqrs_query_write_type(cqrs_query_writer_t *w, const cqrs_str_t *type)
{
    char                      c, words[CQRS_QUERY_NAME_MAX + 1];
    size_t                    i, len;
    cqrs_str_t                name;
    const cqrs_query_type_t  *known;

    len = 0;

    for (i = 0; i < type->len && len < CQRS_QUERY_NAME_MAX; i++) {
        c = type->data[i];

        if (c == ' ' && (len == 0 || words[len - 1] == ' ')) {
            continue;
        }

        words[len++] = (char) ((c >= 'A' && c <= 'Z') ? c | 0x20 : c);
    }

    if (len && words[len - 1] == ' ') {
        len--;
    }

    words[len] = '\0';

    for (known = cqrs_query_types; known->words; known++) {
        if (strcmp(known->words, words) == 0) {
            cqrs_buf_text(&w->buf, known->sql);
            return;
        }
    }

    name.data = words;
    name.len = len;

    cqrs_query_write_name(w, &name);
}


const cqrs_column_t *
cqrs_query_column(const cqrs_query_writer_t *w, const cqrs_query_node_t *node,
    const cqrs_str_t *name)
{
    if (node->embed->relation == NULL) {
        return NULL;
    }

    return cqrs_catalog_column(w->catalog, node->embed->relation, name);
}


int
cqrs_query_write_field(cqrs_query_writer_t *w, const cqrs_query_node_t *node,
    const cqrs_query_field_t *field)
{
    int                       json;
    const cqrs_column_t      *column;
    const cqrs_relation_t    *relation;

    relation = node->embed->relation;
    column = cqrs_query_column(w, node, &field->name);

    /*
     * Postgres knows the columns of a function's result that we do not, and
     * that a column count that is not there is the number of rows
     */

    if (column == NULL && relation
        && !cqrs_str_is(&field->name, "count")
        && !cqrs_catalog_computed(w->catalog, relation, &field->name))
    {
        return cqrs_query_no_column(w, node, &field->name);
    }

    if (column == NULL) {
        w->calls = 1;
    }

    json = field->path
           && !(column && (cqrs_str_is(&column->base, "json")
                           || cqrs_str_is(&column->base, "jsonb")));

    cqrs_buf_text(&w->buf, json ? "pg_catalog.to_jsonb(" : "");

    if (column == NULL && relation && w->source
        && node->embed->relationship == NULL)
    {
        /* the row of a function's result has lost its type */

        cqrs_buf_text(&w->buf, "(");
        cqrs_query_write_row(w, node);
        cqrs_buf_text(&w->buf, "::");
        cqrs_query_write_qualified(w, &relation->schema, &relation->key.name);
        cqrs_buf_text(&w->buf, ").");

    } else {
        cqrs_query_write_table(w, node);
        cqrs_buf_text(&w->buf, ".");
    }

    cqrs_query_write_name(w, &field->name);
    cqrs_buf_text(&w->buf, json ? ")" : "");

    cqrs_query_write_path(w, field->path);

    return 0;
}


void
cqrs_query_write_path(cqrs_query_writer_t *w, const cqrs_query_step_t *path)
{
    const cqrs_query_step_t  *step;

    for (step = path; step; step = step->next) {
        cqrs_buf_text(&w->buf, step->text ? "->>" : "->");
        cqrs_query_write_param(w, step->key.data);
        cqrs_buf_text(&w->buf, step->index ? "::pg_catalog.int4" : "");
    }
}


/*
 * Rows of a junction are joined as they are, all others have an alias.  Of a
 * call the columns that are named are taken before anything else.
 */

int
cqrs_query_no_column(cqrs_query_writer_t *w, const cqrs_query_node_t *node,
    const cqrs_str_t *name)
{
    int                    rc;
    cqrs_str_t             table;
    const cqrs_column_t   *column;
    cqrs_query_missing_t   missing;

    table = node->embed->origin;
    rc = 0;

    if (node->embed->relationship == NULL) {

        if (w->source && !w->ordering && !cqrs_query_takes_all(node)) {
            table = cqrs_str_lit("pgrst_call");
        }

    } else if (node->embed->relationship->cardinality != CQRS_MANY_TO_MANY) {
        rc = cqrs_query_say(w->arena, w->error, &table, "%s_%u",
                            node->embed->origin.data, node->embed->depth);
    }

    cqrs_query_missing_init(&missing, name);

    for (column = node->embed->relation->columns;
         column;
         column = column->next)
    {
        cqrs_query_missing_add(&missing, &column->key.name);
    }

    return (rc != 0) ? -1 : cqrs_query_missing_tell(&missing, w, &table);
}


int
cqrs_query_no_output(cqrs_query_writer_t *w, const cqrs_query_node_t *node,
    const cqrs_query_node_t *child, const cqrs_str_t *name)
{
    cqrs_str_t                  table;
    const cqrs_column_t        *column;
    cqrs_query_missing_t        missing;
    const cqrs_query_output_t  *output;

    if (cqrs_query_say(w->arena, w->error, &table, "%s_%s_%u",
                       node->embed->origin.data,
                       cqrs_query_label(child)->data, child->embed->depth)
        != 0)
    {
        return -1;
    }

    cqrs_query_missing_init(&missing, name);

    for (output = child->embed->outputs; output; output = output->next) {

        if (output->name.data) {
            cqrs_query_missing_add(&missing, &output->name);
            continue;
        }

        for (column = child->embed->relation->columns;
             column;
             column = column->next)
        {
            cqrs_query_missing_add(&missing, &column->key.name);
        }
    }

    return cqrs_query_missing_tell(&missing, w, &table);
}


static int
cqrs_query_takes_all(const cqrs_query_node_t *node)
{
    const cqrs_query_node_t  *child;
    const cqrs_query_item_t  *item;

    for (item = node->items; item; item = item->next) {
        if (item->star) {
            return 1;
        }
    }

    /* which columns a function wants is not known */

    for (child = node->children; child; child = child->next) {
        if (child->embed->relationship->cardinality == CQRS_COMPUTED) {
            return 1;
        }
    }

    return 0;
}


static void
cqrs_query_missing_init(cqrs_query_missing_t *missing, const cqrs_str_t *name)
{
    memset(missing, 0, sizeof(cqrs_query_missing_t));

    missing->name = name;
    missing->distance = CQRS_QUERY_MISSING_MAX + 1;
}


/* At least half of the letters that were asked for must agree. */

static void
cqrs_query_missing_add(cqrs_query_missing_t *missing, const cqrs_str_t *name)
{
    size_t             distance;
    const cqrs_str_t  *wanted;

    wanted = missing->name;

    if (name->len > wanted->len + CQRS_QUERY_MISSING_MAX
        || wanted->len > name->len + CQRS_QUERY_MISSING_MAX)
    {
        return;
    }

    distance = cqrs_similar_distance(name->data, name->len, wanted->data,
                                     wanted->len);

    if (distance == 0) {
        missing->there = 1;
    }

    if (distance > wanted->len / 2 || distance > missing->distance) {
        return;
    }

    if (distance < missing->distance) {
        missing->distance = distance;
        missing->first = name;
        missing->second = NULL;

    } else if (missing->second) {

        /* three are alike: none is told, unless another one is more so */

        missing->first = NULL;
        missing->second = NULL;
        missing->distance--;

    } else if (missing->first) {
        missing->second = name;

    } else if (missing->distance <= CQRS_QUERY_MISSING_MAX) {
        missing->first = name;
    }
}


static int
cqrs_query_missing_tell(const cqrs_query_missing_t *missing,
    cqrs_query_writer_t *w, const cqrs_str_t *table)
{
    cqrs_query_error_t  *error;

    error = w->error;

    cqrs_query_refuse(error, 400, "42703", "");
    error->stale = 1;
    error->late = 1;

    if (cqrs_query_say(w->arena, error, &error->message,
                       "column %s.%s does not exist",
                       table->data, missing->name->data)
        != 0
        || missing->there                  /* but not in reach */
        || missing->first == NULL)
    {
        return -1;
    }

    if (missing->second == NULL) {
        (void) cqrs_query_say(w->arena, error, &error->hint,
                              "Perhaps you meant to reference the column "
                              "\"%s.%s\".",
                              table->data, missing->first->data);
        return -1;
    }

    (void) cqrs_query_say(w->arena, error, &error->hint,
                          "Perhaps you meant to reference the column "
                          "\"%s.%s\" or the column \"%s.%s\".",
                          table->data, missing->first->data,
                          table->data, missing->second->data);

    return -1;
}
