
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Swagger 2.0, as PostgREST's clients know it: the same paths, definitions and
 * parameters under the same names, without those that only writes have.
 */

#include "cqrs_openapi_state.h"

#include "cqrs_version.h"


typedef struct {
    const char  *key;
    const char  *name;
    const char  *in;
    const char  *description;
    const char  *more;                     /* JSON: a key and its value */
    const char  *value;
} cqrs_openapi_2_parameter_t;


static void cqrs_openapi_2_head(cqrs_openapi_ctx_t *ctx);
static void cqrs_openapi_2_paths(cqrs_openapi_ctx_t *ctx);
static void cqrs_openapi_2_root(cqrs_openapi_ctx_t *ctx);
static void cqrs_openapi_2_relation(cqrs_openapi_ctx_t *ctx,
    const cqrs_relation_t *relation);
static void cqrs_openapi_2_path(cqrs_openapi_ctx_t *ctx, const char *prefix,
    const cqrs_str_t *name);
static void cqrs_openapi_2_call(cqrs_openapi_ctx_t *ctx,
    const cqrs_openapi_call_t *call);
static void cqrs_openapi_2_argument(cqrs_openapi_ctx_t *ctx,
    const cqrs_openapi_argument_t *argument);
static cqrs_str_t cqrs_openapi_2_near(cqrs_openapi_ctx_t *ctx,
    const cqrs_str_t *type);
static void cqrs_openapi_2_summary(cqrs_openapi_ctx_t *ctx,
    const cqrs_str_t *comment);
static void cqrs_openapi_2_definitions(cqrs_openapi_ctx_t *ctx);
static void cqrs_openapi_2_column(cqrs_openapi_ctx_t *ctx,
    const cqrs_column_t *column);
static void cqrs_openapi_2_items(cqrs_openapi_ctx_t *ctx,
    const cqrs_str_t *type, int format);
static void cqrs_openapi_2_format(cqrs_openapi_ctx_t *ctx,
    const cqrs_str_t *type);
static void cqrs_openapi_2_parameters(cqrs_openapi_ctx_t *ctx);
static void cqrs_openapi_2_security(cqrs_openapi_ctx_t *ctx);
static void cqrs_openapi_2_ref(cqrs_openapi_ctx_t *ctx, const char *path);


static const cqrs_openapi_2_parameter_t  cqrs_openapi_2_shared[] = {

    { "select", "select", "query", "Filtering Columns", NULL, NULL },
    { "order", "order", "query", "Ordering", NULL, NULL },
    { "range", "Range", "header", "Limiting and Pagination", NULL, NULL },
    { "rangeUnit", "Range-Unit", "header", "Limiting and Pagination",
      "default", "\"items\"" },
    { "offset", "offset", "query", "Limiting and Pagination", NULL, NULL },
    { "limit", "limit", "query", "Limiting and Pagination", NULL, NULL },
    { "preferCount", "Prefer", "header", "Preference",
      "enum", "[\"count=exact\",\"count=planned\",\"count=estimated\"]" }
};

#define CQRS_OPENAPI_2_NSHARED                                                \
    (sizeof(cqrs_openapi_2_shared) / sizeof(cqrs_openapi_2_shared[0]))


void
cqrs_openapi_write_2(cqrs_openapi_ctx_t *ctx)
{
    cqrs_openapi_open(ctx, '{');

    cqrs_openapi_2_head(ctx);
    cqrs_openapi_2_paths(ctx);
    cqrs_openapi_2_definitions(ctx);
    cqrs_openapi_2_parameters(ctx);
    cqrs_openapi_2_security(ctx);

    cqrs_openapi_close(ctx, '}');
}


static void
cqrs_openapi_2_head(cqrs_openapi_ctx_t *ctx)
{
    cqrs_str_t             title, description;
    const cqrs_openapi_t  *doc;

    doc = ctx->doc;

    cqrs_openapi_split(&doc->comment, &title, &description);

    cqrs_openapi_member(ctx, "swagger", "2.0");

    cqrs_openapi_key(ctx, "info");
    cqrs_openapi_open(ctx, '{');
    cqrs_openapi_member_str(ctx, "title", title.len ? &title : &doc->schema);

    if (description.data) {
        cqrs_openapi_member_str(ctx, "description", &description);

    } else {
        cqrs_openapi_member(ctx, "description", "Served by ngx_cqrs");
    }

    cqrs_openapi_member(ctx, "version", CQRS_VERSION);
    cqrs_openapi_close(ctx, '}');

    cqrs_openapi_key(ctx, "host");
    cqrs_openapi_begin(ctx, "");
    cqrs_openapi_add_str(ctx, &doc->server.host);
    cqrs_openapi_add(ctx, ":");
    cqrs_openapi_add_number(ctx, doc->server.port);
    cqrs_openapi_end(ctx);

    cqrs_openapi_member_str(ctx, "basePath", &doc->server.path);

    cqrs_openapi_member_raw(ctx, "schemes",
                            doc->server.secure ? "[\"https\"]"
                                               : "[\"http\"]");

    cqrs_openapi_member_raw(ctx, "produces",
                    "[\"application/json\","
                    "\"application/vnd.pgrst.object+json;nulls=stripped\","
                    "\"application/vnd.pgrst.object+json\",\"text/csv\"]");

    cqrs_openapi_member_raw(ctx, "externalDocs",
                    "{\"description\":\"The language of the URLs\","
                    "\"url\":\"https://postgrest.org/en/latest/references/"
                    "api.html\"}");
}


static void
cqrs_openapi_2_paths(cqrs_openapi_ctx_t *ctx)
{
    cqrs_openapi_call_t     call;
    const cqrs_function_t  *function;
    const cqrs_relation_t  *relation;

    cqrs_openapi_key(ctx, "paths");
    cqrs_openapi_open(ctx, '{');

    cqrs_openapi_2_root(ctx);

    relation = NULL;

    while ((relation = cqrs_openapi_next_relation(ctx, relation))) {
        cqrs_openapi_2_relation(ctx, relation);
    }

    function = NULL;

    while (cqrs_openapi_next_call(ctx, &function, &call)) {
        cqrs_openapi_2_call(ctx, &call);
    }

    cqrs_openapi_close(ctx, '}');
}


static void
cqrs_openapi_2_root(cqrs_openapi_ctx_t *ctx)
{
    cqrs_openapi_member_raw(ctx, "/",
                    "{\"get\":{\"tags\":[\"Introspection\"],"
                    "\"summary\":\"OpenAPI description (this document)\","
                    "\"produces\":[\"application/openapi+json\","
                    "\"application/json\"],"
                    "\"responses\":{\"200\":{\"description\":\"OK\"}}}}");
}


static void
cqrs_openapi_2_relation(cqrs_openapi_ctx_t *ctx,
    const cqrs_relation_t *relation)
{
    size_t                i;
    const cqrs_column_t  *column;

    cqrs_openapi_2_path(ctx, "/", &relation->key.name);

    cqrs_openapi_open(ctx, '{');
    cqrs_openapi_key(ctx, "get");
    cqrs_openapi_open(ctx, '{');

    cqrs_openapi_key(ctx, "tags");
    cqrs_openapi_open(ctx, '[');
    cqrs_openapi_str(ctx, &relation->key.name);
    cqrs_openapi_close(ctx, ']');

    cqrs_openapi_2_summary(ctx, &relation->comment);

    cqrs_openapi_key(ctx, "parameters");
    cqrs_openapi_open(ctx, '[');

    for (column = relation->columns; column; column = column->next) {
        cqrs_openapi_2_ref(ctx, "parameters/rowFilter.");
        cqrs_openapi_add_pointer(ctx, &relation->key.name);
        cqrs_openapi_add(ctx, ".");
        cqrs_openapi_add_pointer(ctx, &column->key.name);
        cqrs_openapi_end(ctx);
        cqrs_openapi_close(ctx, '}');
    }

    for (i = 0; i < CQRS_OPENAPI_2_NSHARED; i++) {
        cqrs_openapi_2_ref(ctx, "parameters/");
        cqrs_openapi_add(ctx, cqrs_openapi_2_shared[i].key);
        cqrs_openapi_end(ctx);
        cqrs_openapi_close(ctx, '}');
    }

    cqrs_openapi_close(ctx, ']');

    cqrs_openapi_key(ctx, "responses");
    cqrs_openapi_open(ctx, '{');

    cqrs_openapi_key(ctx, "200");
    cqrs_openapi_open(ctx, '{');
    cqrs_openapi_member(ctx, "description", "OK");
    cqrs_openapi_key(ctx, "schema");
    cqrs_openapi_open(ctx, '{');
    cqrs_openapi_member(ctx, "type", "array");
    cqrs_openapi_key(ctx, "items");
    cqrs_openapi_2_ref(ctx, "definitions/");
    cqrs_openapi_add_pointer(ctx, &relation->key.name);
    cqrs_openapi_end(ctx);
    cqrs_openapi_close(ctx, '}');
    cqrs_openapi_close(ctx, '}');
    cqrs_openapi_close(ctx, '}');

    cqrs_openapi_member_raw(ctx, "206",
                            "{\"description\":\"Partial Content\"}");

    cqrs_openapi_close(ctx, '}');
    cqrs_openapi_close(ctx, '}');
    cqrs_openapi_close(ctx, '}');
}


/* PostgREST encodes nothing; braces would be a template's. */

static void
cqrs_openapi_2_path(cqrs_openapi_ctx_t *ctx, const char *prefix,
    const cqrs_str_t *name)
{
    size_t      i;
    cqrs_str_t  c;

    cqrs_openapi_begin(ctx, prefix);

    for (i = 0; i < name->len; i++) {
        c.data = name->data + i;
        c.len = 1;

        if (strchr("{}/?#%", *c.data)) {
            cqrs_openapi_add_segment(ctx, &c);

        } else {
            cqrs_openapi_add_str(ctx, &c);
        }
    }

    cqrs_openapi_end_key(ctx);
}


static void
cqrs_openapi_2_call(cqrs_openapi_ctx_t *ctx, const cqrs_openapi_call_t *call)
{
    size_t  i;

    cqrs_openapi_2_path(ctx, "/rpc/", &call->function->key.name);

    cqrs_openapi_open(ctx, '{');
    cqrs_openapi_key(ctx, "get");
    cqrs_openapi_open(ctx, '{');

    cqrs_openapi_key(ctx, "tags");
    cqrs_openapi_open(ctx, '[');
    cqrs_openapi_begin(ctx, "(rpc) ");
    cqrs_openapi_add_str(ctx, &call->function->key.name);
    cqrs_openapi_end(ctx);
    cqrs_openapi_close(ctx, ']');

    cqrs_openapi_2_summary(ctx, call->comment);

    cqrs_openapi_member_raw(ctx, "produces",
                    "[\"application/json\","
                    "\"application/vnd.pgrst.object+json;nulls=stripped\","
                    "\"application/vnd.pgrst.object+json\"]");

    cqrs_openapi_key(ctx, "parameters");
    cqrs_openapi_open(ctx, '[');

    for (i = 0; i < call->n; i++) {
        cqrs_openapi_2_argument(ctx, &call->arguments[i]);
    }

    cqrs_openapi_close(ctx, ']');

    cqrs_openapi_member_raw(ctx, "responses",
                            "{\"200\":{\"description\":\"OK\"}}");

    cqrs_openapi_close(ctx, '}');
    cqrs_openapi_close(ctx, '}');
}


/* An array is one text, "{1,2}", unless it is variadic: v=1&v=2. */

static void
cqrs_openapi_2_argument(cqrs_openapi_ctx_t *ctx,
    const cqrs_openapi_argument_t *argument)
{
    cqrs_str_t               type;
    const char              *name;
    cqrs_openapi_kind_e      kind;
    const cqrs_parameter_t  *p;

    p = argument->parameter;
    type = cqrs_openapi_2_near(ctx, &p->declared);
    kind = cqrs_openapi_kind(&type);

    cqrs_openapi_open(ctx, '{');
    cqrs_openapi_member_str(ctx, "name", &p->name);
    cqrs_openapi_member(ctx, "in", "query");
    cqrs_openapi_member_raw(ctx, "required",
                            argument->required ? "true" : "false");

    if (p->variadic) {
        cqrs_openapi_member(ctx, "type", "array");
        cqrs_openapi_member(ctx, "collectionFormat", "multi");
        cqrs_openapi_2_items(ctx, &type, 1);

    } else {
        name = cqrs_openapi_kind_name(kind);

        if (kind == CQRS_OPENAPI_ARRAY || name == NULL) {
            name = "string";
        }

        cqrs_openapi_member(ctx, "type", name);
        cqrs_openapi_2_format(ctx, &type);
    }

    cqrs_openapi_close(ctx, '}');
}


/* A type of the schema itself is on the search path. */

static cqrs_str_t
cqrs_openapi_2_near(cqrs_openapi_ctx_t *ctx, const cqrs_str_t *type)
{
    cqrs_str_t         near;
    const cqrs_str_t  *schema;

    near = *type;
    schema = &ctx->doc->schema;

    if (near.len > schema->len
        && memcmp(near.data, schema->data, schema->len) == 0
        && near.data[schema->len] == '.')
    {
        near.data += schema->len + 1;
        near.len -= schema->len + 1;
    }

    return near;
}


static void
cqrs_openapi_2_summary(cqrs_openapi_ctx_t *ctx, const cqrs_str_t *comment)
{
    cqrs_str_t  summary, description;

    cqrs_openapi_split(comment, &summary, &description);

    cqrs_openapi_member_str(ctx, "summary", &summary);
    cqrs_openapi_member_str(ctx, "description", &description);
}


static void
cqrs_openapi_2_definitions(cqrs_openapi_ctx_t *ctx)
{
    const cqrs_column_t    *column;
    const cqrs_relation_t  *relation;

    cqrs_openapi_key(ctx, "definitions");
    cqrs_openapi_open(ctx, '{');

    relation = NULL;

    while ((relation = cqrs_openapi_next_relation(ctx, relation))) {

        cqrs_openapi_begin(ctx, "");
        cqrs_openapi_add_str(ctx, &relation->key.name);
        cqrs_openapi_end_key(ctx);

        cqrs_openapi_open(ctx, '{');
        cqrs_openapi_member(ctx, "type", "object");
        cqrs_openapi_member_str(ctx, "description", &relation->comment);

        cqrs_openapi_key(ctx, "properties");
        cqrs_openapi_open(ctx, '{');

        for (column = relation->columns; column; column = column->next) {
            cqrs_openapi_2_column(ctx, column);
        }

        cqrs_openapi_close(ctx, '}');

        cqrs_openapi_required(ctx, relation);

        cqrs_openapi_close(ctx, '}');
    }

    cqrs_openapi_close(ctx, '}');
}


static void
cqrs_openapi_2_column(cqrs_openapi_ctx_t *ctx, const cqrs_column_t *column)
{
    cqrs_openapi_kind_e  kind;

    kind = cqrs_openapi_kind(&column->base);

    cqrs_openapi_begin(ctx, "");
    cqrs_openapi_add_str(ctx, &column->key.name);
    cqrs_openapi_end_key(ctx);

    cqrs_openapi_open(ctx, '{');
    cqrs_openapi_member(ctx, "type", cqrs_openapi_kind_name(kind));
    cqrs_openapi_2_format(ctx, &column->base);
    cqrs_openapi_default(ctx, column, 1);
    cqrs_openapi_column_description(ctx, column);

    if (column->labels.data) {
        cqrs_openapi_key(ctx, "enum");
        cqrs_openapi_raw(ctx, column->labels.data, column->labels.len);
    }

    if (column->max_length >= 0) {
        cqrs_openapi_key(ctx, "maxLength");
        cqrs_json_number(ctx->out, column->max_length);
    }

    if (kind == CQRS_OPENAPI_ARRAY) {
        cqrs_openapi_2_items(ctx, &column->base, 0);
    }

    cqrs_openapi_close(ctx, '}');
}


static void
cqrs_openapi_2_items(cqrs_openapi_ctx_t *ctx, const cqrs_str_t *type,
    int format)
{
    const char  *name;
    cqrs_str_t   element;

    element = cqrs_openapi_element(type);
    name = cqrs_openapi_kind_name(cqrs_openapi_kind(&element));

    cqrs_openapi_key(ctx, "items");
    cqrs_openapi_open(ctx, '{');

    if (format) {
        cqrs_openapi_member(ctx, "type", name ? name : "string");
        cqrs_openapi_2_format(ctx, &element);

    } else {
        cqrs_openapi_member(ctx, "type", name);
    }

    cqrs_openapi_close(ctx, '}');
}


static void
cqrs_openapi_2_format(cqrs_openapi_ctx_t *ctx, const cqrs_str_t *type)
{
    if (cqrs_str_is(type, "smallint") || cqrs_str_is(type, "integer")) {
        cqrs_openapi_member(ctx, "format", "int32");

    } else if (cqrs_str_is(type, "bigint")) {
        cqrs_openapi_member(ctx, "format", "int64");

    } else {
        cqrs_openapi_member_str(ctx, "format", type);
    }
}


static void
cqrs_openapi_2_parameters(cqrs_openapi_ctx_t *ctx)
{
    size_t                             i;
    const cqrs_column_t               *column;
    const cqrs_relation_t             *relation;
    const cqrs_openapi_2_parameter_t  *p;

    cqrs_openapi_key(ctx, "parameters");
    cqrs_openapi_open(ctx, '{');

    for (i = 0; i < CQRS_OPENAPI_2_NSHARED; i++) {
        p = &cqrs_openapi_2_shared[i];

        cqrs_openapi_key(ctx, p->key);
        cqrs_openapi_open(ctx, '{');
        cqrs_openapi_member(ctx, "name", p->name);
        cqrs_openapi_member(ctx, "in", p->in);
        cqrs_openapi_member(ctx, "description", p->description);
        cqrs_openapi_member_raw(ctx, "required", "false");
        cqrs_openapi_member(ctx, "type", "string");

        if (p->more) {
            cqrs_openapi_member_raw(ctx, p->more, p->value);
        }

        cqrs_openapi_close(ctx, '}');
    }

    relation = NULL;

    while ((relation = cqrs_openapi_next_relation(ctx, relation))) {

        for (column = relation->columns; column; column = column->next) {

            cqrs_openapi_begin(ctx, "rowFilter.");
            cqrs_openapi_add_str(ctx, &relation->key.name);
            cqrs_openapi_add(ctx, ".");
            cqrs_openapi_add_str(ctx, &column->key.name);
            cqrs_openapi_end_key(ctx);

            cqrs_openapi_open(ctx, '{');
            cqrs_openapi_key(ctx, "name");
            cqrs_openapi_column_name(ctx, column);
            cqrs_openapi_member(ctx, "in", "query");
            cqrs_openapi_member_str(ctx, "description", &column->comment);
            cqrs_openapi_member_raw(ctx, "required", "false");
            cqrs_openapi_member(ctx, "type", "string");
            cqrs_openapi_close(ctx, '}');
        }
    }

    cqrs_openapi_close(ctx, '}');
}


static void
cqrs_openapi_2_security(cqrs_openapi_ctx_t *ctx)
{
    if (!ctx->doc->security) {
        return;
    }

    cqrs_openapi_member_raw(ctx, "securityDefinitions",
                    "{\"JWT\":{\"type\":\"apiKey\",\"in\":\"header\","
                    "\"name\":\"Authorization\",\"description\":"
                    "\"Add the token prepending \\\"Bearer \\\" "
                    "(without quotes) to it\"}}");

    cqrs_openapi_member_raw(ctx, "security", "[{\"JWT\":[]}]");
}


/* Begins a reference; whoever calls ends it: the text, and the object. */

static void
cqrs_openapi_2_ref(cqrs_openapi_ctx_t *ctx, const char *path)
{
    cqrs_openapi_open(ctx, '{');
    cqrs_openapi_key(ctx, "$ref");
    cqrs_openapi_begin(ctx, "#/");
    cqrs_openapi_add(ctx, path);
}
