
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* Types and defaults of columns, as JSON knows them. */

#include "cqrs_openapi_state.h"


typedef struct {
    const char           *name;
    cqrs_openapi_kind_e   kind;
} cqrs_openapi_type_t;


static int cqrs_openapi_cast(cqrs_str_t *value, const cqrs_str_t *type);
static int cqrs_openapi_literal(cqrs_str_t *value);
static int cqrs_openapi_is_value(const cqrs_str_t *text,
    cqrs_openapi_kind_e kind);


/* All others are texts. */

static const cqrs_openapi_type_t  cqrs_openapi_types[] = {
    { "boolean",          CQRS_OPENAPI_BOOLEAN },
    { "smallint",         CQRS_OPENAPI_INTEGER },
    { "integer",          CQRS_OPENAPI_INTEGER },
    { "bigint",           CQRS_OPENAPI_INTEGER },
    { "numeric",          CQRS_OPENAPI_NUMBER },
    { "real",             CQRS_OPENAPI_NUMBER },
    { "double precision", CQRS_OPENAPI_NUMBER },
    { "json",             CQRS_OPENAPI_ANY },
    { "jsonb",            CQRS_OPENAPI_ANY }
};


cqrs_openapi_kind_e
cqrs_openapi_kind(const cqrs_str_t *type)
{
    size_t  i;

    if (type->len > 2 && memcmp(type->data + type->len - 2, "[]", 2) == 0) {
        return CQRS_OPENAPI_ARRAY;
    }

    for (i = 0;
         i < sizeof(cqrs_openapi_types) / sizeof(cqrs_openapi_types[0]);
         i++)
    {
        if (cqrs_str_is(type, cqrs_openapi_types[i].name)) {
            return cqrs_openapi_types[i].kind;
        }
    }

    return CQRS_OPENAPI_STRING;
}


const char *
cqrs_openapi_kind_name(cqrs_openapi_kind_e kind)
{
    switch (kind) {

    case CQRS_OPENAPI_STRING:
        return "string";

    case CQRS_OPENAPI_BOOLEAN:
        return "boolean";

    case CQRS_OPENAPI_INTEGER:
        return "integer";

    case CQRS_OPENAPI_NUMBER:
        return "number";

    case CQRS_OPENAPI_ARRAY:
        return "array";

    case CQRS_OPENAPI_ANY:
        break;
    }

    return NULL;
}


cqrs_str_t
cqrs_openapi_type_written(const cqrs_str_t *name)
{
    size_t                   i;

    static const cqrs_str_t  types[][2] = {
        { cqrs_str("bool"),        cqrs_str("boolean") },
        { cqrs_str("int2"),        cqrs_str("smallint") },
        { cqrs_str("int4"),        cqrs_str("integer") },
        { cqrs_str("int8"),        cqrs_str("bigint") },
        { cqrs_str("float4"),      cqrs_str("real") },
        { cqrs_str("float8"),      cqrs_str("double precision") },
        { cqrs_str("varchar"),     cqrs_str("character varying") },
        { cqrs_str("bpchar"),      cqrs_str("character") },
        { cqrs_str("timestamptz"), cqrs_str("timestamp with time zone") },
        { cqrs_str("timestamp"),   cqrs_str("timestamp without time zone") },
        { cqrs_str("_bool"),       cqrs_str("boolean[]") },
        { cqrs_str("_int2"),       cqrs_str("smallint[]") },
        { cqrs_str("_int4"),       cqrs_str("integer[]") },
        { cqrs_str("_int8"),       cqrs_str("bigint[]") },
        { cqrs_str("_float4"),     cqrs_str("real[]") },
        { cqrs_str("_float8"),     cqrs_str("double precision[]") },
        { cqrs_str("_numeric"),    cqrs_str("numeric[]") },
        { cqrs_str("_json"),       cqrs_str("json[]") },
        { cqrs_str("_jsonb"),      cqrs_str("jsonb[]") }
    };

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (cqrs_str_equal(name, &types[i][0])) {
            return types[i][1];
        }
    }

    return (name->len && name->data[0] == '_') ? cqrs_str_lit("text[]")
                                               : *name;
}


cqrs_str_t
cqrs_openapi_element(const cqrs_str_t *type)
{
    cqrs_str_t  element;

    element = *type;

    while (element.len > 2
           && memcmp(element.data + element.len - 2, "[]", 2) == 0)
    {
        element.len -= 2;
    }

    return element;
}


/* Postgres writes 'new'::shop.status, 'it''s'::text, 42, false, now()... */

void
cqrs_openapi_default(cqrs_openapi_ctx_t *ctx, const cqrs_column_t *column,
    int loose)
{
    int                  literal;
    size_t               i;
    cqrs_str_t           value;
    cqrs_openapi_kind_e  kind;

    if (column->fallback.data == NULL) {
        return;
    }

    kind = cqrs_openapi_kind(&column->base);
    value = column->fallback;

    if (!cqrs_openapi_cast(&value, &column->base)) {
        (void) cqrs_openapi_cast(&value, &column->type);
    }

    literal = cqrs_openapi_literal(&value);

    if (kind != CQRS_OPENAPI_STRING) {

        if (cqrs_openapi_is_value(&value, kind)) {
            cqrs_openapi_key(ctx, "default");
            cqrs_openapi_raw(ctx, value.data, value.len);
        }

        return;
    }

    if (!literal) {

        if (loose && !cqrs_str_is(&value, "NULL")) {
            cqrs_openapi_member_str(ctx, "default", &column->fallback);
        }

        return;
    }

    cqrs_openapi_key(ctx, "default");
    cqrs_openapi_begin(ctx, "");

    for (i = 0; i < value.len; i++) {
        cqrs_json_raw(&ctx->text, value.data + i, 1);

        if (value.data[i] == '\'') {
            i++;                           /* it is doubled */
        }
    }

    cqrs_openapi_end(ctx);
}


static int
cqrs_openapi_cast(cqrs_str_t *value, const cqrs_str_t *type)
{
    size_t  len;

    len = type->len + 2;

    if (type->len == 0 || value->len <= len
        || memcmp(value->data + value->len - len, "::", 2) != 0
        || memcmp(value->data + value->len - type->len, type->data, type->len)
           != 0)
    {
        return 0;
    }

    value->len -= len;

    return 1;
}


/* Takes the quotes off; false: it is an expression. */

static int
cqrs_openapi_literal(cqrs_str_t *value)
{
    size_t  i;

    if (value->len < 2 || value->data[0] != '\''
        || value->data[value->len - 1] != '\'')
    {
        return 0;
    }

    for (i = 1; i < value->len - 1; i++) {

        if (value->data[i] == '\'') {

            if (++i == value->len - 1 || value->data[i] != '\'') {
                return 0;
            }
        }
    }

    value->data++;
    value->len -= 2;

    return 1;
}


static int
cqrs_openapi_is_value(const cqrs_str_t *text, cqrs_openapi_kind_e kind)
{
    int      rc;
    json_t  *json;

    json = json_loadb(text->data, text->len,
                      JSON_DECODE_ANY|JSON_DECODE_INT_AS_REAL, NULL);

    switch (kind) {

    case CQRS_OPENAPI_BOOLEAN:
        rc = json_is_boolean(json);
        break;

    case CQRS_OPENAPI_INTEGER:
    case CQRS_OPENAPI_NUMBER:
        rc = json_is_number(json);
        break;

    default:
        rc = 0;
    }

    json_decref(json);

    return rc;
}
