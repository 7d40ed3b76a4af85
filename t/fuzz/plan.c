
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Fuzzes the whole way from a URL to SQL, over the catalogue of a shop.  What
 * is planned is one statement that Postgres' own parser takes, and it refers
 * to each of its parameters and to no others; or there is an error to be told.
 *
 * An input begins with five characters whose low bits say what is asked for,
 * "0" is none of it:
 *
 *     body (3 bits), nulls are stripped (8)
 *     count (2 bits), aggregates are allowed (4), explain (8)
 *     the highest number of rows (3 bits), there is little memory (8)
 *     which handler (3 bits), the other schema (8)
 *     targets are strict (1)
 *
 * Then come a path, "?", and a query string: 00400orders?select=id,lines(*)
 */

#include "cqrs_query_memo.h"
#include "cqrs_query_parse.h"
#include "cqrs_query_plan.h"
#include "cqrs_utf8.h"
#include "../unit/shop_rows.h"

#include <jansson.h>
#include <pg_query.h>


#define FUZZ_OPTIONS  5
#define FUZZ_MEMORY   (16 * 1024 * 1024)
#define FUZZ_LITTLE   (24 * 1024)
#define FUZZ_PARAMS   65536


typedef struct {
    cqrs_str_t                   schema;
    cqrs_str_t                   path;
    cqrs_str_t                   args;
    size_t                       memory;
    cqrs_query_parse_options_t   parse;
    cqrs_query_options_t         plan;
} fuzz_request_t;


/* What is remembered of a request. */
typedef struct {
    cqrs_arena_t                 arena;
    cqrs_query_pairs_t           pairs;
    cqrs_query_key_t             key;
    cqrs_query_t                 query;
    cqrs_query_plan_t            plan;
    cqrs_query_error_t           error;
} fuzz_plan_t;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_must(int holds);
static void fuzz_options(fuzz_request_t *request, const uint8_t *data);
static int fuzz_plan(fuzz_request_t *request, cqrs_arena_t *arena,
    cqrs_query_plan_t *plan, cqrs_query_error_t *error);
static void fuzz_recall(fuzz_request_t *request);
static int fuzz_key(fuzz_request_t *request, fuzz_plan_t *fresh);
static void fuzz_same(const fuzz_plan_t *a, const fuzz_plan_t *b);
static void fuzz_refused(const cqrs_query_error_t *error);
static void fuzz_planned(const cqrs_query_plan_t *plan);
static size_t fuzz_sql(const cqrs_query_sql_t *sql);
static void fuzz_names(const json_t *node);
static void fuzz_params(const cqrs_query_sql_t *sql);


static cqrs_catalog_t     *fuzz_catalog;
static cqrs_query_memo_t   fuzz_memo;


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char                *text, *mark;
    cqrs_arena_t         arena;
    fuzz_request_t       request;
    cqrs_query_plan_t    plan;
    cqrs_query_error_t   error;

    if (fuzz_catalog == NULL) {
        fuzz_catalog = shop_rows_load();
        fuzz_must(fuzz_catalog != NULL);

        cqrs_query_memo_init(&fuzz_memo);
    }

    if (size < FUZZ_OPTIONS) {
        return 0;
    }

    fuzz_options(&request, data);

    data += FUZZ_OPTIONS;
    size -= FUZZ_OPTIONS;

    text = malloc(size + 1);
    fuzz_must(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';

    mark = strchr(text, '?');

    if (mark) {
        *mark = '\0';
        request.args.data = mark + 1;
        request.args.len = size - (size_t) (mark + 1 - text);

    } else {
        request.args.data = text + size;
        request.args.len = 0;
    }

    request.path.data = text;
    request.path.len = strlen(text);

    cqrs_arena_init(&arena, request.memory);

    if (fuzz_plan(&request, &arena, &plan, &error) == 0) {
        fuzz_planned(&plan);

    } else {
        fuzz_refused(&error);
    }

    cqrs_arena_cleanup(&arena);

    if (!request.parse.function) {
        fuzz_recall(&request);
    }

    free(text);

    return 0;
}


static void
fuzz_must(int holds)
{
    if (!holds) {
        abort();
    }
}


static void
fuzz_options(fuzz_request_t *request, const uint8_t *data)
{
    unsigned               i;
    cqrs_query_options_t  *options;

    memset(request, 0, sizeof(fuzz_request_t));

    options = &request->plan;

    options->body = (data[0] & 7) % (CQRS_QUERY_BODY_NONE + 1);
    options->strip_nulls = data[0] >> 3 & 1;
    options->count = data[1] & 3;
    options->aggregates = data[1] >> 2 & 1;
    options->explain = (data[1] >> 3 & 1) ? "format json, verbose" : NULL;
    options->max_rows = (int64_t) (data[2] & 7) * (data[2] & 7) - 1;
    request->memory = (data[2] >> 3 & 1) ? FUZZ_LITTLE : FUZZ_MEMORY;

    options->handler = cqrs_catalog_handlers(fuzz_catalog);

    for (i = data[3] & 7; i && options->handler->next; i--) {
        options->handler = options->handler->next;
    }

    request->schema = (data[3] >> 3 & 1) ? cqrs_str_lit("other")
                                         : cqrs_str_lit("shop");
    request->parse.strict_targets = data[4] & 1;
}


static int
fuzz_plan(fuzz_request_t *request, cqrs_arena_t *arena,
    cqrs_query_plan_t *plan, cqrs_query_error_t *error)
{
    cqrs_query_t            query;
    const cqrs_function_t  *function;
    const cqrs_relation_t  *relation;

    static const char       prefix[] = "rpc/";

    if (strncmp(request->path.data, prefix, sizeof(prefix) - 1) == 0) {
        request->parse.function = 1;
        request->path.data += sizeof(prefix) - 1;
        request->path.len -= sizeof(prefix) - 1;
    }

    if (cqrs_query_parse(&query, arena, request->args.data, request->args.len,
                         &request->parse, error)
        != 0)
    {
        return -1;
    }

    memset(error, 0, sizeof(cqrs_query_error_t));

    if (!request->parse.function) {

        relation = cqrs_query_relation(fuzz_catalog, &request->schema,
                                       &request->path, arena, error);
        if (relation == NULL) {
            return -1;
        }

        return cqrs_query_plan_relation(plan, &query, fuzz_catalog, relation,
                                        &request->plan, arena, error);
    }

    function = cqrs_query_function(fuzz_catalog, &request->schema,
                                   &request->path, query.arguments, arena,
                                   error);
    if (function == NULL) {
        return -1;
    }

    return cqrs_query_plan_function(plan, &query, fuzz_catalog, function,
                                    &request->plan, arena, error);
}


/*
 * A plan that was remembered, of whatever request before, must be the one that
 * is made anew.
 */

static void
fuzz_recall(fuzz_request_t *request)
{
    int                     planned;
    fuzz_plan_t             had, fresh;
    const cqrs_relation_t  *relation;

    memset(&had, 0, sizeof(fuzz_plan_t));
    memset(&fresh, 0, sizeof(fuzz_plan_t));

    cqrs_arena_init(&had.arena, FUZZ_MEMORY);
    cqrs_arena_init(&fresh.arena, FUZZ_MEMORY);

    if (fuzz_key(request, &had) != 1 || fuzz_key(request, &fresh) != 1) {
        goto done;
    }

    planned = 0;

    if (cqrs_query_parse_pairs(&fresh.query, &fresh.pairs, &fresh.arena,
                               &request->parse, &fresh.error)
        == 0)
    {
        relation = cqrs_query_relation(fuzz_catalog, &request->schema,
                                       &request->path, &fresh.arena,
                                       &fresh.error);
        planned = relation
                  && cqrs_query_plan_relation(&fresh.plan, &fresh.query,
                                              fuzz_catalog, relation,
                                              &request->plan, &fresh.arena,
                                              &fresh.error)
                     == 0;
    }

    if (cqrs_query_recall(&fuzz_memo, &had.key, &had.pairs, &had.query,
                          &had.plan, &had.arena))
    {
        fuzz_must(planned);
        fuzz_same(&had, &fresh);

    } else if (planned) {
        cqrs_query_remember(&fuzz_memo, &fresh.key, &fresh.query, &fresh.plan);
    }

done:

    cqrs_arena_cleanup(&had.arena);
    cqrs_arena_cleanup(&fresh.arena);
}


static int
fuzz_key(fuzz_request_t *request, fuzz_plan_t *fresh)
{
    cqrs_str_t  words[4];

    words[0].data = (const char *) &request->plan;
    words[0].len = sizeof(request->plan);
    words[1].data = (const char *) &request->parse;
    words[1].len = sizeof(request->parse);
    words[2] = request->schema;
    words[3] = request->path;

    if (cqrs_query_pairs(&fresh->pairs, &fresh->arena, request->args.data,
                         request->args.len, &fresh->error)
        != 0)
    {
        return -1;
    }

    return cqrs_query_key(&fresh->key, words, 4, &fresh->pairs,
                          &fresh->arena);
}


static void
fuzz_same(const fuzz_plan_t *a, const fuzz_plan_t *b)
{
    size_t  i;

    fuzz_must(cqrs_str_equal(&a->plan.main.text, &b->plan.main.text));
    fuzz_must(a->plan.main.nparams == b->plan.main.nparams);

    for (i = 0; i < a->plan.main.nparams; i++) {
        fuzz_must(strcmp(a->plan.main.params[i], b->plan.main.params[i])
                  == 0);
    }

    fuzz_must(a->plan.ncolumns == b->plan.ncolumns);

    for (i = 0; i < a->plan.ncolumns; i++) {
        fuzz_must(a->plan.columns[i].kind == b->plan.columns[i].kind);
        fuzz_must(cqrs_str_equal(&a->plan.columns[i].prefix,
                                 &b->plan.columns[i].prefix));
    }

    fuzz_must(a->plan.single == b->plan.single);
    fuzz_must(a->plan.settings == b->plan.settings);
    fuzz_must(a->query.root.limit == b->query.root.limit);
    fuzz_must(a->query.root.offset == b->query.root.offset);
    fuzz_must(cqrs_str_equal(&a->query.canonical, &b->query.canonical));
}


static void
fuzz_refused(const cqrs_query_error_t *error)
{
    json_t  *details;

    fuzz_must(error->status >= 300 && error->status <= 599);
    fuzz_must(error->code != NULL && error->code[0] != '\0');
    fuzz_must(error->message.data != NULL);
    fuzz_must(strlen(error->message.data) == error->message.len);
    fuzz_must(error->message.len > 0);

    if (error->details_json) {
        details = json_loads(error->details.data, 0, NULL);
        fuzz_must(details != NULL);
        json_decref(details);
    }
}


static void
fuzz_planned(const cqrs_query_plan_t *plan)
{
    size_t    columns;
    unsigned  i;

    columns = fuzz_sql(&plan->main);

    if (plan->columns) {
        fuzz_must(columns == plan->ncolumns || columns == 0);

        for (i = 0; i < plan->ncolumns; i++) {
            fuzz_must(plan->columns[i].kind != CQRS_ROW_UNKNOWN);
            fuzz_must(plan->columns[i].prefix.len > 3);
            fuzz_must(plan->columns[i].prefix.data[0] == (i ? ',' : '{'));
        }
    }

    if (plan->estimate.text.data) {
        (void) fuzz_sql(&plan->estimate);
    }
}


/* Returns the number of columns of a select; 0: it is not known. */

static size_t
fuzz_sql(const cqrs_query_sql_t *sql)
{
    size_t               columns;
    json_t              *tree, *statements, *statement, *select;
    PgQueryParseResult   result;

    fuzz_must(strlen(sql->text.data) == sql->text.len);

    fuzz_params(sql);

    result = pg_query_parse(sql->text.data);

    if (result.error) {
        fprintf(stderr, "%s\n%s\n", result.error->message, sql->text.data);
        abort();
    }

    tree = NULL;
    columns = 0;

    /* what is not UTF-8 is refused by the server, but not by its parser */

    if (cqrs_utf8_valid(sql->text.data, sql->text.len)) {

        tree = json_loads(result.parse_tree, 0, NULL);
        fuzz_must(tree != NULL);

        statements = json_object_get(tree, "stmts");
        fuzz_must(json_array_size(statements) == 1);

        statement = json_object_get(json_array_get(statements, 0), "stmt");
        select = json_object_get(statement, "SelectStmt");

        fuzz_must(select || json_object_get(statement, "ExplainStmt"));

        columns = json_array_size(json_object_get(select, "targetList"));

        fuzz_names(tree);
    }

    json_decref(tree);
    pg_query_free_parse_result(result);

    return columns;
}


/* A name alone may be that of a column where a row is meant. */

static void
fuzz_names(const json_t *node)
{
    size_t       i;
    json_t      *value;
    const char  *key, *name;

    json_object_foreach((json_t *) (uintptr_t) node, key, value) {

        fuzz_names(value);

        if (strcmp(key, "ColumnRef") != 0) {
            continue;
        }

        value = json_object_get(value, "fields");

        if (json_array_size(value) == 1) {
            value = json_object_get(json_array_get(value, 0), "String");
            name = json_string_value(json_object_get(value, "sval"));
            fuzz_must(name == NULL || strcmp(name, "_k") == 0);
        }
    }

    json_array_foreach(node, i, value) {
        fuzz_names(value);
    }
}


/* What looks like one in quotes is none. */

static void
fuzz_params(const cqrs_query_sql_t *sql)
{
    char           quote;
    size_t         i, n;
    const char    *p;
    static char    seen[FUZZ_PARAMS];

    fuzz_must(sql->nparams < FUZZ_PARAMS);
    memset(seen, 0, sql->nparams + 1);

    quote = '\0';

    for (p = sql->text.data; *p; p++) {

        if (quote) {
            quote = (*p == quote) ? '\0' : quote;

        } else if (*p == '"' || *p == '\'') {
            quote = *p;

        } else if (*p == '$') {
            n = strtoul(p + 1, NULL, 10);
            fuzz_must(n >= 1 && n <= sql->nparams);
            seen[n] = 1;
        }
    }

    fuzz_must(quote == '\0');

    for (i = 1; i <= sql->nparams; i++) {
        fuzz_must(seen[i]);
        fuzz_must(sql->params[i - 1] != NULL);
    }
}
