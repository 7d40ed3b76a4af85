
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The relation or the function that a path names.  A function is chosen among
 * its overloads by the names of its arguments alone.
 */

#include "cqrs_query_embed.h"
#include "cqrs_buf.h"
#include "cqrs_similar.h"

#include <stdlib.h>


#define CQRS_QUERY_ARGUMENTS_MAX  100    /* of Postgres */
#define CQRS_QUERY_ALIKE          0.33   /* of the letters */


/* The names of a call or of an overload, sorted. */
typedef struct {
    const cqrs_str_t  *names[CQRS_QUERY_ARGUMENTS_MAX];
    size_t             count;
} cqrs_query_names_t;


static int cqrs_query_names(cqrs_query_names_t *names,
    const cqrs_query_pair_t *arguments);
static int cqrs_query_name_cmp(const void *a, const void *b);
static const char *cqrs_query_list(cqrs_arena_t *arena,
    const cqrs_query_names_t *names);
static int cqrs_query_takes(const cqrs_function_t *function,
    const cqrs_query_names_t *names);
static void cqrs_query_several(const cqrs_function_t *function,
    const cqrs_query_names_t *names, cqrs_arena_t *arena,
    cqrs_query_error_t *error);
static void cqrs_query_no_function(const cqrs_catalog_t *catalog,
    const cqrs_str_t *schema, const cqrs_str_t *name,
    const cqrs_query_names_t *names, cqrs_arena_t *arena,
    cqrs_query_error_t *error);
static void cqrs_query_similar_call(const cqrs_function_t *function,
    const cqrs_str_t *schema, const char *list, cqrs_arena_t *arena,
    cqrs_query_error_t *error);


const cqrs_relation_t *
cqrs_query_relation(const cqrs_catalog_t *catalog, const cqrs_str_t *schema,
    const cqrs_str_t *name, cqrs_arena_t *arena, cqrs_query_error_t *error)
{
    const cqrs_relation_t  *relation, *similar;

    relation = cqrs_catalog_relation(catalog, schema, name);

    if (relation) {
        return relation;
    }

    cqrs_query_refuse(error, 404, "PGRST205", "");
    error->stale = 1;

    if (cqrs_query_say(arena, error, &error->message,
                       "Could not find the table '%s.%s' in the schema "
                       "cache",
                       schema->data, name->data)
        != 0)
    {
        return NULL;
    }

    similar = cqrs_catalog_similar(catalog, schema, name);

    if (similar) {
        (void) cqrs_query_say(arena, error, &error->hint,
                              "Perhaps you meant the table '%s.%s'",
                              schema->data, similar->key.name.data);
    }

    return NULL;
}


const cqrs_function_t *
cqrs_query_function(const cqrs_catalog_t *catalog, const cqrs_str_t *schema,
    const cqrs_str_t *name, const cqrs_query_pair_t *arguments,
    cqrs_arena_t *arena, cqrs_query_error_t *error)
{
    cqrs_query_names_t      names;
    const cqrs_function_t  *first, *function, *found;

    if (cqrs_query_names(&names, arguments) != 0) {
        cqrs_query_refuse(error, 400, "PGRST100",
                          "A function has 100 arguments at most");
        return NULL;
    }

    first = cqrs_catalog_function(catalog, schema, name);
    found = NULL;

    for (function = first; function; function = function->next) {

        if (!cqrs_query_takes(function, &names)) {
            continue;
        }

        if (found) {
            cqrs_query_several(first, &names, arena, error);
            return NULL;
        }

        found = function;
    }

    if (found == NULL) {
        cqrs_query_no_function(catalog, schema, name, &names, arena, error);
    }

    return found;
}


static int
cqrs_query_names(cqrs_query_names_t *names,
    const cqrs_query_pair_t *arguments)
{
    size_t                    i;
    const cqrs_query_pair_t  *pair;

    names->count = 0;

    for (pair = arguments; pair; pair = pair->next) {

        for (i = 0; i < names->count; i++) {
            if (cqrs_str_equal(names->names[i], &pair->key)) {
                break;
            }
        }

        if (i < names->count) {
            continue;
        }

        if (names->count == CQRS_QUERY_ARGUMENTS_MAX) {
            return -1;
        }

        names->names[names->count++] = &pair->key;
    }

    qsort(names->names, names->count, sizeof(cqrs_str_t *),
          cqrs_query_name_cmp);

    return 0;
}


static int
cqrs_query_name_cmp(const void *a, const void *b)
{
    const cqrs_str_t *const  *one = a, *const *two = b;

    return strcmp((*one)->data, (*two)->data);
}


/* "a, b"; NULL: no memory */

static const char *
cqrs_query_list(cqrs_arena_t *arena, const cqrs_query_names_t *names)
{
    size_t       i;
    cqrs_buf_t   buf;
    cqrs_str_t   list;

    cqrs_buf_init(&buf, arena);

    for (i = 0; i < names->count; i++) {
        cqrs_buf_text(&buf, i ? ", " : "");
        cqrs_buf_str(&buf, names->names[i]);
    }

    return (cqrs_buf_end(&buf, &list) == 0) ? list.data : NULL;
}


/* Each required parameter is given, and nothing that it does not have. */

static int
cqrs_query_takes(const cqrs_function_t *function,
    const cqrs_query_names_t *names)
{
    size_t                   i, given;
    const cqrs_parameter_t  *parameter;

    given = 0;

    for (parameter = function->parameters;
         parameter;
         parameter = parameter->next)
    {
        for (i = 0; i < names->count; i++) {
            if (cqrs_str_equal(names->names[i], &parameter->name)) {
                break;
            }
        }

        if (i < names->count) {
            given++;

        } else if (parameter->required) {
            return 0;
        }
    }

    return given == names->count;
}


static void
cqrs_query_several(const cqrs_function_t *function,
    const cqrs_query_names_t *names, cqrs_arena_t *arena,
    cqrs_query_error_t *error)
{
    const char              *comma;
    cqrs_buf_t               buf;
    const cqrs_parameter_t  *parameter;

    cqrs_query_refuse(error, 300, "PGRST203", "");

    error->hint = cqrs_str_lit("Try renaming the parameters or the function "
                   "itself in the database so function overloading can be "
                   "resolved");

    cqrs_buf_init(&buf, arena);
    cqrs_buf_text(&buf, "Could not choose the best candidate function "
                        "between: ");
    comma = "";

    for ( /* void */ ; function; function = function->next) {

        if (!cqrs_query_takes(function, names)) {
            continue;
        }

        cqrs_buf_text(&buf, comma);
        cqrs_buf_str(&buf, &function->schema);
        cqrs_buf_text(&buf, ".");
        cqrs_buf_str(&buf, &function->key.name);
        comma = "(";

        for (parameter = function->parameters;
             parameter;
             parameter = parameter->next)
        {
            cqrs_buf_text(&buf, comma);
            cqrs_buf_str(&buf, &parameter->name);
            cqrs_buf_text(&buf, " => ");
            cqrs_buf_str(&buf, &parameter->declared);
            comma = ", ";
        }

        cqrs_buf_text(&buf, function->parameters ? ")" : "()");
        comma = ", ";
    }

    if (cqrs_buf_end(&buf, &error->message) != 0) {
        cqrs_query_no_memory(error);
    }
}


static void
cqrs_query_no_function(const cqrs_catalog_t *catalog,
    const cqrs_str_t *schema, const cqrs_str_t *name,
    const cqrs_query_names_t *names, cqrs_arena_t *arena,
    cqrs_query_error_t *error)
{
    const char             *list, *with;
    const cqrs_function_t  *function;

    cqrs_query_refuse(error, 404, "PGRST202", "");
    error->stale = 1;

    list = cqrs_query_list(arena, names);
    if (list == NULL) {
        cqrs_query_no_memory(error);
        return;
    }

    with = (names->count == 0) ? " without parameters"
           : (names->count == 1) ? " with parameter " : " with parameters ";

    if (cqrs_query_say(arena, error, &error->message,
                       "Could not find the function %s.%s%s%s%s in the "
                       "schema cache",
                       schema->data, name->data, names->count ? "(" : with,
                       names->count ? list : "", names->count ? ")" : "")
        != 0
        || cqrs_query_say(arena, error, &error->details,
                          "Searched for the function %s.%s%s%s, but no "
                          "matches were found in the schema cache.",
                          schema->data, name->data, with, list)
           != 0)
    {
        return;
    }

    function = cqrs_catalog_function(catalog, schema, name);

    if (function) {
        cqrs_query_similar_call(function, schema, list, arena, error);
        return;
    }

    function = cqrs_catalog_similar_function(catalog, schema, name);

    if (function) {
        (void) cqrs_query_say(arena, error, &error->hint,
                              "Perhaps you meant to call the function %s.%s",
                              schema->data, function->key.name.data);
    }
}


/* The overload whose parameters are named most like the arguments. */

static void
cqrs_query_similar_call(const cqrs_function_t *function,
    const cqrs_str_t *schema, const char *list, cqrs_arena_t *arena,
    cqrs_query_error_t *error)
{
    cqrs_str_t               asked, *offered;
    cqrs_similar_t           similar;
    const cqrs_str_t        *name, *found;
    cqrs_query_names_t       names;
    const cqrs_parameter_t  *parameter;

    if (cqrs_query_say(arena, error, &asked, "(%s)", list) != 0) {
        return;
    }

    cqrs_similar_init(&similar, &asked, CQRS_QUERY_ALIKE);

    name = &function->key.name;

    for ( /* void */ ; function; function = function->next) {

        names.count = 0;

        for (parameter = function->parameters;
             parameter && names.count < CQRS_QUERY_ARGUMENTS_MAX;
             parameter = parameter->next)
        {
            names.names[names.count++] = &parameter->name;
        }

        qsort(names.names, names.count, sizeof(cqrs_str_t *),
              cqrs_query_name_cmp);

        list = cqrs_query_list(arena, &names);
        offered = cqrs_arena_alloc(arena, sizeof(cqrs_str_t));

        if (list == NULL || offered == NULL
            || cqrs_query_say(arena, error, offered, "(%s)", list) != 0)
        {
            return;
        }

        cqrs_similar_add(&similar, offered);
    }

    found = cqrs_similar_best(&similar);

    if (found) {
        (void) cqrs_query_say(arena, error, &error->hint,
                              "Perhaps you meant to call the function "
                              "%s.%s%s",
                              schema->data, name->data, found->data);
    }
}
