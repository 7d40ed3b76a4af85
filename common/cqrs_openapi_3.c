
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * OpenAPI 3.1: types as the JSON of an answer has them, nulls, what a function
 * returns, how filters are written, and what an error looks like.
 */

#include "cqrs_openapi_3.h"

#include "cqrs_version.h"


#define CQRS_OPENAPI_OBJECT  "application/vnd.pgrst.object+json"


static void cqrs_openapi_3_info(cqrs_openapi_ctx_t *ctx);
static void cqrs_openapi_3_server(cqrs_openapi_ctx_t *ctx);
static void cqrs_openapi_3_paths(cqrs_openapi_ctx_t *ctx);
static void cqrs_openapi_3_relation(cqrs_openapi_ctx_t *ctx,
    const cqrs_relation_t *relation);
static void cqrs_openapi_3_filter(cqrs_openapi_ctx_t *ctx,
    const cqrs_column_t *column);
static void cqrs_openapi_3_rows(cqrs_openapi_ctx_t *ctx, const char *status,
    const char *description, const cqrs_relation_t *relation);
static void cqrs_openapi_3_call(cqrs_openapi_ctx_t *ctx,
    const cqrs_openapi_call_t *call);
static void cqrs_openapi_3_argument(cqrs_openapi_ctx_t *ctx,
    const cqrs_openapi_argument_t *argument);
static void cqrs_openapi_3_result(cqrs_openapi_ctx_t *ctx,
    const cqrs_function_t *function);
static void cqrs_openapi_3_operation(cqrs_openapi_ctx_t *ctx,
    const char *method, const char *tag, const cqrs_str_t *name,
    const cqrs_str_t *comment);
static void cqrs_openapi_3_head(cqrs_openapi_ctx_t *ctx, const char *tag,
    const cqrs_str_t *name, int nothing);


static const char  cqrs_openapi_3_page[] =
    "{\"$ref\":\"#/components/parameters/cqrs.and\"},"
    "{\"$ref\":\"#/components/parameters/cqrs.or\"},"
    "{\"$ref\":\"#/components/parameters/cqrs.select\"},"
    "{\"$ref\":\"#/components/parameters/cqrs.order\"},"
    "{\"$ref\":\"#/components/parameters/cqrs.limit\"},"
    "{\"$ref\":\"#/components/parameters/cqrs.offset\"},"
    "{\"$ref\":\"#/components/parameters/cqrs.range\"},"
    "{\"$ref\":\"#/components/parameters/cqrs.prefer\"}";

static const char  cqrs_openapi_3_refused[] =
    "{\"$ref\":\"#/components/responses/cqrs.error\"}";

static const char  cqrs_openapi_3_counted[] =
    "{\"Content-Range\":{\"$ref\":\"#/components/headers/cqrs.range\"}}";


void
cqrs_openapi_write_3(cqrs_openapi_ctx_t *ctx)
{
    cqrs_openapi_open(ctx, '{');

    cqrs_openapi_3_info(ctx);
    cqrs_openapi_3_server(ctx);
    cqrs_openapi_3_paths(ctx);
    cqrs_openapi_3_components(ctx);

    if (ctx->doc->security) {
        cqrs_openapi_member_raw(ctx, "security", "[{},{\"JWT\":[]}]");
    }

    cqrs_openapi_close(ctx, '}');
}


static void
cqrs_openapi_3_info(cqrs_openapi_ctx_t *ctx)
{
    cqrs_str_t  title, description;

    cqrs_openapi_split(&ctx->doc->comment, &title, &description);

    cqrs_openapi_member(ctx, "openapi", "3.1.0");

    cqrs_openapi_key(ctx, "info");
    cqrs_openapi_open(ctx, '{');
    cqrs_openapi_member_str(ctx, "title",
                            title.len ? &title : &ctx->doc->schema);
    cqrs_openapi_member_str(ctx, "description", &description);
    cqrs_openapi_member(ctx, "version", CQRS_VERSION);
    cqrs_openapi_close(ctx, '}');

    cqrs_openapi_member_raw(ctx, "externalDocs",
                    "{\"description\":\"The language of the URLs\","
                    "\"url\":\"https://postgrest.org/en/latest/references/"
                    "api.html\"}");
}


static void
cqrs_openapi_3_server(cqrs_openapi_ctx_t *ctx)
{
    const cqrs_openapi_server_t  *server;

    server = &ctx->doc->server;

    cqrs_openapi_key(ctx, "servers");
    cqrs_openapi_open(ctx, '[');
    cqrs_openapi_open(ctx, '{');

    cqrs_openapi_key(ctx, "url");
    cqrs_openapi_begin(ctx, server->secure ? "https://" : "http://");
    cqrs_openapi_add_str(ctx, &server->host);

    if (server->port != (server->secure ? 443 : 80)) {
        cqrs_openapi_add(ctx, ":");
        cqrs_openapi_add_number(ctx, server->port);
    }

    if (!cqrs_str_is(&server->path, "/")) {
        cqrs_openapi_add_str(ctx, &server->path);
    }

    cqrs_openapi_end(ctx);

    cqrs_openapi_close(ctx, '}');
    cqrs_openapi_close(ctx, ']');
}


static void
cqrs_openapi_3_paths(cqrs_openapi_ctx_t *ctx)
{
    cqrs_openapi_call_t     call;
    const cqrs_function_t  *function;
    const cqrs_relation_t  *relation;

    cqrs_openapi_key(ctx, "paths");
    cqrs_openapi_open(ctx, '{');

    cqrs_openapi_member_raw(ctx, "/",
                    "{\"get\":{\"tags\":[\"Introspection\"],"
                    "\"summary\":\"This document\","
                    "\"responses\":{\"200\":{\"description\":\"OK\","
                    "\"content\":{\"application/openapi+json\":{},"
                    "\"application/vnd.oai.openapi+json;version=3.1\":{},"
                    "\"application/json\":{}}}}}}");

    relation = NULL;

    while ((relation = cqrs_openapi_next_relation(ctx, relation))) {
        cqrs_openapi_3_relation(ctx, relation);
    }

    function = NULL;

    while (cqrs_openapi_next_call(ctx, &function, &call)) {
        cqrs_openapi_3_call(ctx, &call);
    }

    cqrs_openapi_close(ctx, '}');
}


static void
cqrs_openapi_3_relation(cqrs_openapi_ctx_t *ctx,
    const cqrs_relation_t *relation)
{
    const cqrs_column_t  *column;

    cqrs_openapi_begin(ctx, "/");
    cqrs_openapi_add_segment(ctx, &relation->key.name);
    cqrs_openapi_end_key(ctx);

    cqrs_openapi_open(ctx, '{');

    cqrs_openapi_key(ctx, "parameters");
    cqrs_openapi_open(ctx, '[');

    for (column = relation->columns; column; column = column->next) {
        cqrs_openapi_3_filter(ctx, column);
    }

    cqrs_openapi_raw(ctx, cqrs_openapi_3_page,
                     sizeof(cqrs_openapi_3_page) - 1);

    cqrs_openapi_close(ctx, ']');

    cqrs_openapi_3_operation(ctx, "get", "", &relation->key.name,
                             &relation->comment);

    cqrs_openapi_3_rows(ctx, "200", "All of the rows, or those asked for",
                        relation);
    cqrs_openapi_3_rows(ctx, "206", "Not all of the rows that were counted",
                        relation);
    cqrs_openapi_member_raw(ctx, "default", cqrs_openapi_3_refused);

    cqrs_openapi_close(ctx, '}');
    cqrs_openapi_close(ctx, '}');

    cqrs_openapi_3_head(ctx, "", &relation->key.name, 0);

    cqrs_openapi_close(ctx, '}');
}


static void
cqrs_openapi_3_filter(cqrs_openapi_ctx_t *ctx, const cqrs_column_t *column)
{
    cqrs_openapi_open(ctx, '{');
    cqrs_openapi_key(ctx, "name");
    cqrs_openapi_column_name(ctx, column);
    cqrs_openapi_member(ctx, "in", "query");
    cqrs_openapi_member_str(ctx, "description", &column->comment);
    cqrs_openapi_member_raw(ctx, "schema",
                    "{\"$ref\":\"#/components/schemas/cqrs.filter\"}");
    cqrs_openapi_close(ctx, '}');
}


/* A response with rows; both of its types have the same columns. */

static void
cqrs_openapi_3_rows(cqrs_openapi_ctx_t *ctx, const char *status,
    const char *description, const cqrs_relation_t *relation)
{
    cqrs_openapi_key(ctx, status);
    cqrs_openapi_open(ctx, '{');
    cqrs_openapi_member(ctx, "description", description);
    cqrs_openapi_member_raw(ctx, "headers", cqrs_openapi_3_counted);

    cqrs_openapi_key(ctx, "content");
    cqrs_openapi_open(ctx, '{');

    cqrs_openapi_key(ctx, "application/json");
    cqrs_openapi_open(ctx, '{');
    cqrs_openapi_key(ctx, "schema");
    cqrs_openapi_open(ctx, '{');
    cqrs_openapi_member(ctx, "type", "array");
    cqrs_openapi_key(ctx, "items");
    cqrs_openapi_3_ref(ctx, &relation->key.name);
    cqrs_openapi_close(ctx, '}');
    cqrs_openapi_close(ctx, '}');

    cqrs_openapi_key(ctx, CQRS_OPENAPI_OBJECT);
    cqrs_openapi_open(ctx, '{');
    cqrs_openapi_key(ctx, "schema");
    cqrs_openapi_3_ref(ctx, &relation->key.name);
    cqrs_openapi_close(ctx, '}');

    cqrs_openapi_member_raw(ctx, "text/csv",
                            "{\"schema\":{\"type\":\"string\"}}");

    cqrs_openapi_close(ctx, '}');
    cqrs_openapi_close(ctx, '}');
}


static void
cqrs_openapi_3_call(cqrs_openapi_ctx_t *ctx, const cqrs_openapi_call_t *call)
{
    size_t                  i;
    const cqrs_function_t  *function;

    function = call->function;

    cqrs_openapi_begin(ctx, "/rpc/");
    cqrs_openapi_add_segment(ctx, &function->key.name);
    cqrs_openapi_end_key(ctx);

    cqrs_openapi_open(ctx, '{');

    cqrs_openapi_key(ctx, "parameters");
    cqrs_openapi_open(ctx, '[');

    for (i = 0; i < call->n; i++) {
        cqrs_openapi_3_argument(ctx, &call->arguments[i]);
    }

    if (function->set) {
        cqrs_openapi_raw(ctx, cqrs_openapi_3_page,
                         sizeof(cqrs_openapi_3_page) - 1);
    }

    cqrs_openapi_close(ctx, ']');

    cqrs_openapi_3_operation(ctx, "get", "(rpc) ", &function->key.name,
                             call->comment);

    if (function->nothing) {
        cqrs_openapi_member_raw(ctx, "204",
                                "{\"description\":\"Nothing\"}");

    } else {
        cqrs_openapi_3_result(ctx, function);
    }

    cqrs_openapi_member_raw(ctx, "default", cqrs_openapi_3_refused);

    cqrs_openapi_close(ctx, '}');
    cqrs_openapi_close(ctx, '}');

    cqrs_openapi_3_head(ctx, "(rpc) ", &function->key.name,
                        function->nothing);

    cqrs_openapi_close(ctx, '}');
}


/*
 * All arguments are text in a URL; the schema says which.  What the query
 * string has other uses for can't be given by GET.
 */

static void
cqrs_openapi_3_argument(cqrs_openapi_ctx_t *ctx,
    const cqrs_openapi_argument_t *argument)
{
    const cqrs_str_t     *type;
    cqrs_openapi_kind_e   kind;

    if (cqrs_openapi_reserved(&argument->parameter->name)) {
        return;
    }

    type = &argument->parameter->declared;
    kind = cqrs_openapi_kind(type);

    cqrs_openapi_open(ctx, '{');
    cqrs_openapi_member_str(ctx, "name", &argument->parameter->name);
    cqrs_openapi_member(ctx, "in", "query");

    if (argument->required) {
        cqrs_openapi_member_raw(ctx, "required", "true");
    }

    if (argument->parameter->variadic) {
        cqrs_openapi_member(ctx, "style", "form");
        cqrs_openapi_member_raw(ctx, "explode", "true");

    } else if (kind == CQRS_OPENAPI_ARRAY) {
        cqrs_openapi_member(ctx, "description", "An array: {1,2}");
    }

    cqrs_openapi_key(ctx, "schema");
    cqrs_openapi_open(ctx, '{');

    if (cqrs_openapi_3_type_name(type) == NULL
        || (kind == CQRS_OPENAPI_ARRAY && !argument->parameter->variadic))
    {
        cqrs_openapi_member(ctx, "type", "string");

        if (kind == CQRS_OPENAPI_ANY) {
            cqrs_openapi_member(ctx, "contentMediaType", "application/json");

        } else {
            cqrs_openapi_member_str(ctx, "format", type);
        }

    } else {
        cqrs_openapi_3_type(ctx, type, 0);
    }

    cqrs_openapi_close(ctx, '}');
    cqrs_openapi_close(ctx, '}');
}


static void
cqrs_openapi_3_result(cqrs_openapi_ctx_t *ctx, const cqrs_function_t *function)
{
    cqrs_str_t              type;
    const cqrs_relation_t  *relation;

    relation = function->relation;

    if (relation && !cqrs_openapi_is_told(ctx, relation)) {
        relation = NULL;
    }

    cqrs_openapi_key(ctx, "200");
    cqrs_openapi_open(ctx, '{');
    cqrs_openapi_member(ctx, "description", "What it returns");

    cqrs_openapi_key(ctx, "content");
    cqrs_openapi_open(ctx, '{');
    cqrs_openapi_key(ctx, "application/json");
    cqrs_openapi_open(ctx, '{');
    cqrs_openapi_key(ctx, "schema");

    if (function->set) {
        cqrs_openapi_open(ctx, '{');
        cqrs_openapi_member(ctx, "type", "array");
        cqrs_openapi_key(ctx, "items");
    }

    if (relation) {
        cqrs_openapi_3_ref(ctx, &relation->key.name);

    } else {
        cqrs_openapi_open(ctx, '{');

        if (function->composite) {
            cqrs_openapi_member(ctx, "type", "object");

        } else if (cqrs_str_is(&function->type.schema, "pg_catalog")) {
            type = cqrs_openapi_type_written(&function->type.name);
            cqrs_openapi_3_type(ctx, &type, 1);
        }

        cqrs_openapi_close(ctx, '}');
    }

    if (function->set) {
        cqrs_openapi_close(ctx, '}');
    }

    cqrs_openapi_close(ctx, '}');
    cqrs_openapi_close(ctx, '}');
    cqrs_openapi_close(ctx, '}');
}


/* Begins a method, up to its responses; whoever calls ends all of it. */

static void
cqrs_openapi_3_operation(cqrs_openapi_ctx_t *ctx, const char *method,
    const char *tag, const cqrs_str_t *name, const cqrs_str_t *comment)
{
    cqrs_str_t  summary, description;

    cqrs_openapi_split(comment, &summary, &description);

    cqrs_openapi_key(ctx, method);
    cqrs_openapi_open(ctx, '{');

    cqrs_openapi_key(ctx, "tags");
    cqrs_openapi_open(ctx, '[');
    cqrs_openapi_begin(ctx, tag);
    cqrs_openapi_add_str(ctx, name);
    cqrs_openapi_end(ctx);
    cqrs_openapi_close(ctx, ']');

    cqrs_openapi_member_str(ctx, "summary", &summary);
    cqrs_openapi_member_str(ctx, "description", &description);

    cqrs_openapi_key(ctx, "responses");
    cqrs_openapi_open(ctx, '{');
}


/* The same without a body: nothing is fetched, but it may be counted. */

static void
cqrs_openapi_3_head(cqrs_openapi_ctx_t *ctx, const char *tag,
    const cqrs_str_t *name, int nothing)
{
    cqrs_str_t  comment;

    comment = cqrs_str_lit("The headers alone");

    cqrs_openapi_3_operation(ctx, "head", tag, name, &comment);

    if (nothing) {
        cqrs_openapi_member_raw(ctx, "204",
                                "{\"description\":\"Nothing\"}");

    } else {
        cqrs_openapi_member_raw(ctx, "200",
                        "{\"description\":\"OK\",\"headers\":"
                        "{\"Content-Range\":"
                        "{\"$ref\":\"#/components/headers/cqrs.range\"}}}");
    }

    cqrs_openapi_member_raw(ctx, "default", "{\"description\":\"Refused\"}");

    cqrs_openapi_close(ctx, '}');
    cqrs_openapi_close(ctx, '}');
}
