
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The components of an OpenAPI 3.1 document, and types as it writes them.
 *
 * The keys of components may have letters, digits and "._-" only, and names of
 * relations anything: each other byte of a name, and ".", is written as a dot
 * and two upper-case digits of its code.  So no name makes "cqrs.filter", and
 * keys of our own are like that.
 */

#include "cqrs_openapi_3.h"

#include <ctype.h>
#include <stdio.h>


static void cqrs_openapi_3_schema(cqrs_openapi_ctx_t *ctx,
    const cqrs_relation_t *relation);
static void cqrs_openapi_3_column(cqrs_openapi_ctx_t *ctx,
    const cqrs_column_t *column);
static const char *cqrs_openapi_3_format(const cqrs_str_t *type);
static void cqrs_openapi_3_enum(cqrs_openapi_ctx_t *ctx,
    const cqrs_column_t *column);
static void cqrs_openapi_3_security(cqrs_openapi_ctx_t *ctx);
static void cqrs_openapi_3_add_key(cqrs_openapi_ctx_t *ctx,
    const cqrs_str_t *name);


static const char  cqrs_openapi_3_parameters[] =
    "{\"cqrs.select\":{\"name\":\"select\",\"in\":\"query\","
    "\"description\":\"The columns, and what is embedded: "
    "id,name,client(name)\",\"schema\":{\"type\":\"string\"}},"
    "\"cqrs.and\":{\"name\":\"and\",\"in\":\"query\","
    "\"description\":\"All of these hold: (a.gt.1,not.b.is.null)\","
    "\"schema\":{\"type\":\"string\"}},"
    "\"cqrs.or\":{\"name\":\"or\",\"in\":\"query\","
    "\"description\":\"One of these holds: (a.eq.1,and(b.eq.2,c.eq.3))\","
    "\"schema\":{\"type\":\"string\"}},"
    "\"cqrs.order\":{\"name\":\"order\",\"in\":\"query\","
    "\"description\":\"The order of the rows: name.desc.nullslast,id\","
    "\"schema\":{\"type\":\"string\"}},"
    "\"cqrs.limit\":{\"name\":\"limit\",\"in\":\"query\","
    "\"description\":\"How many rows at most\","
    "\"schema\":{\"type\":\"integer\",\"minimum\":0}},"
    "\"cqrs.offset\":{\"name\":\"offset\",\"in\":\"query\","
    "\"description\":\"How many rows are skipped\","
    "\"schema\":{\"type\":\"integer\",\"minimum\":0}},"
    "\"cqrs.range\":{\"name\":\"Range\",\"in\":\"header\","
    "\"description\":\"The rows from one number to another, from 0\","
    "\"schema\":{\"type\":\"string\",\"pattern\":\"^[0-9]+-[0-9]*$\"}},"
    "\"cqrs.prefer\":{\"name\":\"Prefer\",\"in\":\"header\","
    "\"description\":\"count=exact, count=planned or count=estimated: how "
    "many rows there are in all; handling=strict; timezone=<name>\","
    "\"schema\":{\"type\":\"string\"}}}";

static const char  cqrs_openapi_3_responses[] =
    "{\"cqrs.error\":{\"description\":\"Refused\",\"content\":"
    "{\"application/json\":{\"schema\":"
    "{\"$ref\":\"#/components/schemas/cqrs.error\"}}}}}";

static const char  cqrs_openapi_3_headers[] =
    "{\"cqrs.range\":{\"description\":\"The first row, the last row, and how "
    "many there are in all: 0-9/100, 0-9/*, */0\","
    "\"schema\":{\"type\":\"string\"}}}";

static const char  cqrs_openapi_3_error[] =
    "{\"type\":\"object\",\"properties\":{"
    "\"code\":{\"type\":\"string\"},"
    "\"message\":{\"type\":\"string\"},"
    "\"details\":{},"
    "\"hint\":{\"type\":[\"string\",\"null\"]}},"
    "\"required\":[\"code\",\"message\"]}";

static const char  cqrs_openapi_3_filters[] =
    "{\"type\":\"string\","
    "\"description\":\"[not.]operator.value, as in eq.5, not.is.null, "
    "in.(1,2) or like.A*\","
    "\"pattern\":\"^(not\\\\.)?(eq|neq|gte?|lte?|i?like|i?match|in|is|"
    "isdistinct|(pl|ph|w)?fts|cs|cd|ov|sl|sr|nxr|nxl|adj)"
    "(\\\\([^)]*\\\\))?\\\\.\"}";


void
cqrs_openapi_3_components(cqrs_openapi_ctx_t *ctx)
{
    const cqrs_relation_t  *relation;

    cqrs_openapi_key(ctx, "components");
    cqrs_openapi_open(ctx, '{');

    cqrs_openapi_key(ctx, "schemas");
    cqrs_openapi_open(ctx, '{');

    cqrs_openapi_member_raw(ctx, "cqrs.filter", cqrs_openapi_3_filters);
    cqrs_openapi_member_raw(ctx, "cqrs.error", cqrs_openapi_3_error);

    relation = NULL;

    while ((relation = cqrs_openapi_next_relation(ctx, relation))) {
        cqrs_openapi_3_schema(ctx, relation);
    }

    cqrs_openapi_close(ctx, '}');

    cqrs_openapi_member_raw(ctx, "parameters", cqrs_openapi_3_parameters);
    cqrs_openapi_member_raw(ctx, "responses", cqrs_openapi_3_responses);
    cqrs_openapi_member_raw(ctx, "headers", cqrs_openapi_3_headers);

    if (ctx->doc->security) {
        cqrs_openapi_3_security(ctx);
    }

    cqrs_openapi_close(ctx, '}');
}


static void
cqrs_openapi_3_schema(cqrs_openapi_ctx_t *ctx, const cqrs_relation_t *relation)
{
    const cqrs_column_t  *column;

    cqrs_openapi_begin(ctx, "");
    cqrs_openapi_3_add_key(ctx, &relation->key.name);
    cqrs_openapi_end_key(ctx);

    cqrs_openapi_open(ctx, '{');
    cqrs_openapi_member(ctx, "type", "object");
    cqrs_openapi_member_str(ctx, "title", &relation->key.name);
    cqrs_openapi_member_str(ctx, "description", &relation->comment);

    cqrs_openapi_key(ctx, "properties");
    cqrs_openapi_open(ctx, '{');

    for (column = relation->columns; column; column = column->next) {
        cqrs_openapi_3_column(ctx, column);
    }

    cqrs_openapi_close(ctx, '}');

    cqrs_openapi_required(ctx, relation);

    cqrs_openapi_close(ctx, '}');
}


/* A domain that has a representation of its own may be any JSON. */

static void
cqrs_openapi_3_column(cqrs_openapi_ctx_t *ctx, const cqrs_column_t *column)
{
    cqrs_openapi_begin(ctx, "");
    cqrs_openapi_add_str(ctx, &column->key.name);
    cqrs_openapi_end_key(ctx);

    cqrs_openapi_open(ctx, '{');

    if (column->to_json.name.data == NULL) {

        if (column->labels.data) {
            cqrs_openapi_3_enum(ctx, column);

        } else {
            cqrs_openapi_3_type(ctx, &column->base, column->nullable);
        }

        if (column->max_length >= 0) {
            cqrs_openapi_key(ctx, "maxLength");
            cqrs_json_number(ctx->out, column->max_length);
        }

        cqrs_openapi_default(ctx, column, 0);
    }

    cqrs_openapi_column_description(ctx, column);

    cqrs_openapi_close(ctx, '}');
}


/* Not the brackets: a column has more members. */

void
cqrs_openapi_3_type(cqrs_openapi_ctx_t *ctx, const cqrs_str_t *type,
    int nullable)
{
    cqrs_str_t   element;
    const char  *name, *format;

    name = cqrs_openapi_3_type_name(type);

    if (name == NULL) {
        return;
    }

    cqrs_openapi_key(ctx, "type");

    if (nullable) {
        cqrs_openapi_open(ctx, '[');
        cqrs_openapi_text(ctx, name);
        cqrs_openapi_text(ctx, "null");
        cqrs_openapi_close(ctx, ']');

    } else {
        cqrs_openapi_text(ctx, name);
    }

    if (cqrs_openapi_kind(type) == CQRS_OPENAPI_ARRAY) {
        element = cqrs_openapi_element(type);

        cqrs_openapi_key(ctx, "items");
        cqrs_openapi_open(ctx, '{');
        cqrs_openapi_3_type(ctx, &element, 1);
        cqrs_openapi_close(ctx, '}');

        return;
    }

    format = cqrs_openapi_3_format(type);

    if (format == NULL) {
        cqrs_openapi_member_str(ctx, "format", type);

    } else if (*format) {
        cqrs_openapi_member(ctx, "format", format);
    }
}


/* A type of somebody else may be composite, or have a cast to JSON. */

const char *
cqrs_openapi_3_type_name(const cqrs_str_t *type)
{
    cqrs_openapi_kind_e  kind;

    kind = cqrs_openapi_kind(type);

    if (kind == CQRS_OPENAPI_STRING && memchr(type->data, '.', type->len)) {
        return NULL;
    }

    return cqrs_openapi_kind_name(kind);
}


/* "": none; NULL: it is called as Postgres calls it. */

static const char *
cqrs_openapi_3_format(const cqrs_str_t *type)
{
    size_t                    i;

    static const char *const  formats[][2] = {
        { "smallint",                 "int32" },
        { "integer",                  "int32" },
        { "bigint",                   "int64" },
        { "real",                     "float" },
        { "double precision",         "double" },
        { "timestamp with time zone", "date-time" },
        { "boolean",                  "" },
        { "numeric",                  "" },
        { "text",                     "" },
        { "character varying",        "" }
    };

    for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        if (cqrs_str_is(type, formats[i][0])) {
            return formats[i][1];
        }
    }

    return NULL;
}


static void
cqrs_openapi_3_enum(cqrs_openapi_ctx_t *ctx, const cqrs_column_t *column)
{
    cqrs_str_t  labels;

    labels = column->labels;

    cqrs_openapi_member_raw(ctx, "type",
                            column->nullable ? "[\"string\",\"null\"]"
                                             : "\"string\"");
    cqrs_openapi_key(ctx, "enum");

    if (column->nullable && labels.data[labels.len - 1] == ']') {
        cqrs_openapi_raw(ctx, labels.data, labels.len - 1);
        cqrs_openapi_raw(ctx, "null]", 5);

    } else {
        cqrs_openapi_raw(ctx, labels.data, labels.len);
    }
}


static void
cqrs_openapi_3_security(cqrs_openapi_ctx_t *ctx)
{
    cqrs_openapi_key(ctx, "securitySchemes");
    cqrs_openapi_open(ctx, '{');
    cqrs_openapi_key(ctx, "JWT");
    cqrs_openapi_open(ctx, '{');

    if (ctx->doc->connect.data) {
        cqrs_openapi_member(ctx, "type", "openIdConnect");
        cqrs_openapi_member_str(ctx, "openIdConnectUrl", &ctx->doc->connect);

    } else {
        cqrs_openapi_member(ctx, "type", "http");
        cqrs_openapi_member(ctx, "scheme", "bearer");
        cqrs_openapi_member(ctx, "bearerFormat", "JWT");
    }

    cqrs_openapi_close(ctx, '}');
    cqrs_openapi_close(ctx, '}');
}


static void
cqrs_openapi_3_add_key(cqrs_openapi_ctx_t *ctx, const cqrs_str_t *name)
{
    char           code[sizeof(".FF")];
    size_t         i;
    unsigned char  c;

    for (i = 0; i < name->len; i++) {
        c = (unsigned char) name->data[i];

        if (c < 0x80 && (isalnum(c) || c == '_' || c == '-')) {
            code[0] = (char) c;
            code[1] = '\0';

        } else {
            snprintf(code, sizeof(code), ".%02X", c);
        }

        cqrs_openapi_add(ctx, code);
    }
}


void
cqrs_openapi_3_ref(cqrs_openapi_ctx_t *ctx, const cqrs_str_t *name)
{
    cqrs_openapi_open(ctx, '{');
    cqrs_openapi_key(ctx, "$ref");
    cqrs_openapi_begin(ctx, "#/components/schemas/");
    cqrs_openapi_3_add_key(ctx, name);
    cqrs_openapi_end(ctx);
    cqrs_openapi_close(ctx, '}');
}
