
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The document of a small schema, in both versions: what is in it, and that
 * it refers to nothing that it lacks, whatever things are called.
 */

#include "cqrs_openapi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>


#define S(text)  cqrs_str(text)

#define COLUMN(i, name, sql, ...)                                             \
    { .key = { NULL, S(name), 0 }, .relation = &items, .number = i,           \
      .next = &columns[i + 1], .type = S(sql), .base = S(sql),                \
      .nullable = 1, .max_length = -1, __VA_ARGS__ }


static json_t *document(cqrs_openapi_version_e version);
static json_t *written(const cqrs_openapi_t *doc);
static json_t *at(json_t *json, ...);
static void is(json_t *json, const char *wanted);
static void valid(json_t *json);
static void valid_refs(json_t *root, json_t *json);
static json_t *valid_ref(json_t *root, const char *ref);
static void valid_parameters(json_t *root, json_t *item, json_t *operation);
static void valid_schemas(json_t *schemas);


static cqrs_relation_t   items, owners, odd;
static cqrs_function_t   add, add_one, write_it, list, page;

static cqrs_column_t  columns[] = {
    [0] = { .key = { NULL, S("id"), 0 }, .relation = &items,
            .next = &columns[1], .type = S("integer"), .base = S("integer"),
            .primary = 1, .max_length = -1, .comment = S("Its number") },

    COLUMN(1, "owner", "bigint", .primary = 0),
    COLUMN(2, "name", "character varying",
           .fallback = S("'it''s'::character varying")),
    COLUMN(3, "price", "numeric", .fallback = S("'-1.5'::numeric")),
    COLUMN(4, "sold", "boolean", .fallback = S("false")),
    COLUMN(5, "since", "timestamp with time zone", .fallback = S("now()")),
    COLUMN(6, "state", "shop.state", .labels = S("[\"new\", \"old\"]")),
    COLUMN(7, "tags", "text[]", .fallback = S("'{}'::text[]")),
    COLUMN(8, "data", "jsonb", .primary = 0),
    COLUMN(9, "size", "shop.size", .primary = 0),

    [10] = { .key = { NULL, S("colour"), 0 }, .relation = &items,
             .type = S("shop.colour"), .base = S("integer"),
             .to_json = { S("shop"), S("colour_json") },
             .nullable = 1, .max_length = 7 }
};

static cqrs_column_t  owners_columns[] = {
    { .key = { NULL, S("id"), 0 }, .relation = &owners, .type = S("bigint"),
      .base = S("bigint"), .primary = 1, .max_length = -1 }
};

static cqrs_column_t  odd_columns[] = {
    { .key = { NULL, S("select"), 0 }, .relation = &odd,
      .next = &odd_columns[1], .type = S("text"), .base = S("text"),
      .nullable = 1, .max_length = -1 },
    { .key = { NULL, S("a/b~c.\"d\\"), 0 }, .relation = &odd,
      .next = &odd_columns[2], .type = S("text"), .base = S("text"),
      .nullable = 1, .max_length = -1 },
    { .key = { NULL, S("Größe"), 0 }, .relation = &odd,
      .type = S("text"), .base = S("text"),
      .nullable = 1, .max_length = -1 }
};

static cqrs_join_t          join = { &columns[1], &owners_columns[0], NULL };
static cqrs_relationship_t  to_owner = {
    .cardinality = CQRS_MANY_TO_ONE, .from = &items, .to = &owners,
    .joins = &join
};

static cqrs_relation_t  items = {
    .key = { NULL, S("items"), 0 }, .schema = S("shop"), .kind = 'r',
    .comment = S("What is sold\n\nAll of it,\nold and new"),
    .columns = columns, .relationships = &to_owner, .next = &owners
};
static cqrs_relation_t  owners = {
    .key = { NULL, S("owners"), 0 }, .schema = S("shop"), .kind = 'r',
    .columns = owners_columns, .next = &odd
};
static cqrs_relation_t  odd = {
    .key = { NULL, S("{p}/ä b"), 0 }, .schema = S("shop"), .kind = 'v',
    .columns = odd_columns
};

static cqrs_parameter_t  add_parameters[] = {
    { S("a"), S("integer"), S("integer"), 1, 0, &add_parameters[1] },
    { S("b"), S("integer[]"), S("integer[]"), 1, 0, &add_parameters[2] },
    { S("rest"), S("text[]"), S("text[]"), 0, 1, NULL }
};
static cqrs_parameter_t  one_parameter = {
    S("a"), S("integer"), S("integer"), 1, 0, NULL
};
static cqrs_parameter_t  no_name = {
    S(""), S("json"), S("json"), 1, 0, NULL
};

static cqrs_function_t  add = {
    .key = { NULL, S("add"), 0 }, .schema = S("shop"), .volatility = 'i',
    .next = &add_one, .following = &list,
    .type = { S("pg_catalog"), S("int4") },
    .parameters = add_parameters, .nparameters = 3
};
static cqrs_function_t  add_one = {
    .key = { NULL, S("add"), 0 }, .schema = S("shop"), .volatility = 's',
    .type = { S("pg_catalog"), S("int4") }, .comment = S("Adds"),
    .parameters = &one_parameter, .nparameters = 1
};
static cqrs_function_t  list = {
    .key = { NULL, S("list"), 0 }, .schema = S("shop"), .volatility = 's',
    .following = &page, .set = 1, .composite = 1,
    .type = { S("shop"), S("items") }, .relation = &items
};
static cqrs_function_t  page = {
    .key = { NULL, S("page"), 0 }, .schema = S("shop"), .volatility = 's',
    .following = &write_it, .type = { S("pg_catalog"), S("text") },
    .parameters = &no_name, .nparameters = 1
};
static cqrs_function_t  write_it = {
    .key = { NULL, S("write"), 0 }, .schema = S("shop"), .volatility = 'v',
    .nothing = 1
};


static json_t *
document(cqrs_openapi_version_e version)
{
    cqrs_openapi_t  doc = {
        .version = version,
        .server = { 1, S("shop.example"), 443, S("/api") },
        .schema = S("shop"),
        .comment = S("The shop\nWhat it\nsells"),
        .relations = &items,
        .functions = &add
    };

    return written(&doc);
}


static json_t *
written(const cqrs_openapi_t *doc)
{
    json_t        *parsed;
    cqrs_json_t    json;
    json_error_t   error;

    cqrs_json_init(&json);

    assert_int_equal(cqrs_openapi_write(&json, doc), 0);
    assert_non_null(cqrs_json_end(&json));

    parsed = json_loadb(json.data, json.len, JSON_REJECT_DUPLICATES, &error);

    if (parsed == NULL) {
        fail_msg("%s at %d: %.*s", error.text, error.position, (int) json.len,
                 json.data);
    }

    cqrs_json_cleanup(&json);

    return parsed;
}


/* A value by its keys; NULL ends them. */

static json_t *
at(json_t *json, ...)
{
    va_list      args;
    const char  *key;

    va_start(args, json);

    while ((key = va_arg(args, const char *))) {
        json = json_is_array(json)
               ? json_array_get(json, strtoul(key, NULL, 10))
               : json_object_get(json, key);
    }

    va_end(args);

    return json;
}


static void
is(json_t *json, const char *wanted)
{
    char    *got;
    json_t  *parsed;

    parsed = json_loads(wanted, JSON_DECODE_ANY, NULL);
    assert_non_null(parsed);

    got = json ? json_dumps(json, JSON_ENCODE_ANY) : strdup("nothing");

    if (json == NULL || !json_equal(json, parsed)) {
        fail_msg("%s is not %s", got, wanted);
    }

    free(got);
    json_decref(parsed);
}


static void
valid(json_t *json)
{
    json_t      *item, *operation;
    const char  *path, *method;

    valid_refs(json, json);
    valid_schemas(at(json, "definitions", NULL));
    valid_schemas(at(json, "components", "schemas", NULL));

    json_object_foreach(at(json, "paths", NULL), path, item) {
        assert_int_equal(path[0], '/');

        json_object_foreach(item, method, operation) {

            if (strcmp(method, "parameters") == 0) {
                continue;
            }

            if (strcmp(method, "get") != 0 && strcmp(method, "head") != 0) {
                fail_msg("%s has \"%s\"", path, method);
            }

            assert_true(json_object_size(at(operation, "responses", NULL)));
            valid_parameters(json, item, operation);
        }
    }
}


static void
valid_refs(json_t *root, json_t *json)
{
    size_t       i;
    json_t      *value;
    const char  *key;

    if (json_is_array(json)) {
        json_array_foreach(json, i, value) {
            valid_refs(root, value);
        }

        return;
    }

    json_object_foreach(json, key, value) {
        if (strcmp(key, "$ref") == 0) {
            assert_non_null(valid_ref(root, json_string_value(value)));

        } else {
            valid_refs(root, value);
        }
    }
}


/* Follows a pointer in a URI's fragment. */

static json_t *
valid_ref(json_t *root, const char *ref)
{
    char      token[256], code[3];
    size_t    n;
    json_t   *json;

    assert_memory_equal(ref, "#/", 2);

    json = root;

    for (ref += 2; *ref; ref += (*ref == '/')) {

        for (n = 0; *ref && *ref != '/'; n++, ref++) {
            token[n] = *ref;

            if (*ref == '%') {
                memcpy(code, ref + 1, 2);
                code[2] = '\0';
                token[n] = (char) strtoul(code, NULL, 16);
                ref += 2;

            } else if (*ref == '~') {
                token[n] = (*++ref == '0') ? '~' : '/';

            } else {
                assert_non_null(strchr("abcdefghijklmnopqrstuvwxyz"
                                       "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                       "0123456789-._", *ref));
            }
        }

        token[n] = '\0';
        json = json_object_get(json, token);

        if (json == NULL) {
            fail_msg("there is no \"%s\"", token);
        }
    }

    return json;
}


/* No two have the same name at the same place. */

static void
valid_parameters(json_t *root, json_t *item, json_t *operation)
{
    size_t   i;
    json_t  *lists[2], *parameter, *seen;
    char     key[512];
    int      n;

    lists[0] = at(item, "parameters", NULL);
    lists[1] = at(operation, "parameters", NULL);

    seen = json_object();

    for (n = 0; n < 2; n++) {

        json_array_foreach(lists[n], i, parameter) {

            if (at(parameter, "$ref", NULL)) {
                parameter = valid_ref(root, json_string_value(
                                            at(parameter, "$ref", NULL)));
            }

            snprintf(key, sizeof(key), "%s %s",
                     json_string_value(at(parameter, "in", NULL)),
                     json_string_value(at(parameter, "name", NULL)));

            if (json_object_get(seen, key)) {
                fail_msg("twice: %s", key);
            }

            json_object_set_new(seen, key, json_true());
        }
    }

    json_decref(seen);
}


static void
valid_schemas(json_t *schemas)
{
    size_t       i;
    json_t      *schema, *name;
    const char  *key;

    json_object_foreach(schemas, key, schema) {
        json_array_foreach(at(schema, "required", NULL), i, name) {
            assert_non_null(at(schema, "properties",
                               json_string_value(name), NULL));
        }
    }
}


static void
test_2_is_complete(void **state)
{
    json_t  *json;

    (void) state;

    json = document(CQRS_OPENAPI_2);

    valid(json);

    is(at(json, "swagger", NULL), "\"2.0\"");
    is(at(json, "info", "title", NULL), "\"The shop\"");
    is(at(json, "info", "description", NULL), "\"What it\\nsells\"");
    is(at(json, "host", NULL), "\"shop.example:443\"");
    is(at(json, "basePath", NULL), "\"/api\"");
    is(at(json, "schemes", NULL), "[\"https\"]");
    assert_null(at(json, "security", NULL));
    assert_null(at(json, "securityDefinitions", NULL));

    is(at(json, "paths", "/items", "get", "summary", NULL),
       "\"What is sold\"");
    is(at(json, "paths", "/items", "get", "description", NULL),
       "\"All of it,\\nold and new\"");
    is(at(json, "paths", "/items", "get", "tags", NULL), "[\"items\"]");
    is(at(json, "paths", "/owners", "get", "parameters", NULL),
       "[{\"$ref\":\"#/parameters/rowFilter.owners.id\"},"
       "{\"$ref\":\"#/parameters/select\"},{\"$ref\":\"#/parameters/order\"},"
       "{\"$ref\":\"#/parameters/range\"},"
       "{\"$ref\":\"#/parameters/rangeUnit\"},"
       "{\"$ref\":\"#/parameters/offset\"},{\"$ref\":\"#/parameters/limit\"},"
       "{\"$ref\":\"#/parameters/preferCount\"}]");
    is(at(json, "paths", "/items", "get", "responses", "200", "schema", NULL),
       "{\"type\":\"array\",\"items\":{\"$ref\":\"#/definitions/items\"}}");

    is(at(json, "parameters", "rowFilter.items.id", NULL),
       "{\"name\":\"id\",\"in\":\"query\",\"description\":\"Its number\","
       "\"required\":false,\"type\":\"string\"}");

    json_decref(json);
}


static void
test_2_tells_columns(void **state)
{
    json_t  *json, *properties;

    (void) state;

    json = document(CQRS_OPENAPI_2);

    is(at(json, "definitions", "items", "required", NULL), "[\"id\"]");
    is(at(json, "definitions", "items", "description", NULL),
       "\"What is sold\\n\\nAll of it,\\nold and new\"");

    properties = at(json, "definitions", "items", "properties", NULL);

    is(at(properties, "id", NULL),
       "{\"type\":\"integer\",\"format\":\"int32\",\"description\":"
       "\"Its number\\n\\nNote:\\nThis is a Primary Key.<pk/>\"}");
    is(at(properties, "owner", NULL),
       "{\"type\":\"integer\",\"format\":\"int64\",\"description\":"
       "\"Note:\\nThis is a Foreign Key to `owners.id`."
       "<fk table='owners' column='id'/>\"}");
    is(at(properties, "name", NULL),
       "{\"type\":\"string\",\"format\":\"character varying\","
       "\"default\":\"it's\"}");
    is(at(properties, "price", NULL),
       "{\"type\":\"number\",\"format\":\"numeric\",\"default\":-1.5}");
    is(at(properties, "sold", NULL),
       "{\"type\":\"boolean\",\"format\":\"boolean\",\"default\":false}");
    is(at(properties, "since", "default", NULL), "\"now()\"");
    is(at(properties, "state", NULL),
       "{\"type\":\"string\",\"format\":\"shop.state\","
       "\"enum\":[\"new\",\"old\"]}");
    is(at(properties, "tags", NULL),
       "{\"type\":\"array\",\"format\":\"text[]\","
       "\"items\":{\"type\":\"string\"}}");
    is(at(properties, "data", NULL), "{\"format\":\"jsonb\"}");
    is(at(properties, "colour", "maxLength", NULL), "7");

    assert_null(at(json, "definitions", "{p}/ä b", "required", NULL));

    json_decref(json);
}


/* Volatile functions, and those without names, are called by POST only. */

static void
test_2_tells_functions(void **state)
{
    json_t  *json;

    (void) state;

    json = document(CQRS_OPENAPI_2);

    is(at(json, "paths", "/rpc/add", "get", "summary", NULL), "\"Adds\"");
    is(at(json, "paths", "/rpc/add", "get", "tags", NULL), "[\"(rpc) add\"]");
    is(at(json, "paths", "/rpc/add", "get", "parameters", NULL),
       "[{\"name\":\"a\",\"in\":\"query\",\"required\":true,"
       "\"type\":\"integer\",\"format\":\"int32\"},"
       "{\"name\":\"b\",\"in\":\"query\",\"required\":false,"
       "\"type\":\"string\",\"format\":\"integer[]\"},"
       "{\"name\":\"rest\",\"in\":\"query\",\"required\":false,"
       "\"type\":\"array\",\"collectionFormat\":\"multi\","
       "\"items\":{\"type\":\"string\",\"format\":\"text\"}}]");
    assert_null(at(json, "paths", "/rpc/write", NULL));
    assert_null(at(json, "paths", "/rpc/page", NULL));
    assert_non_null(at(json, "paths", "/rpc/list", NULL));

    json_decref(json);
}


static void
test_3_is_complete(void **state)
{
    json_t  *json;

    (void) state;

    json = document(CQRS_OPENAPI_3);

    valid(json);

    is(at(json, "openapi", NULL), "\"3.1.0\"");
    is(at(json, "info", "title", NULL), "\"The shop\"");
    is(at(json, "servers", NULL),
       "[{\"url\":\"https://shop.example/api\"}]");
    assert_null(at(json, "security", NULL));
    assert_null(at(json, "components", "securitySchemes", NULL));

    is(at(json, "paths", "/items", "get", "summary", NULL),
       "\"What is sold\"");
    assert_non_null(at(json, "paths", "/items", "head", NULL));
    is(at(json, "paths", "/items", "get", "responses", "200", "content",
          "application/json", "schema", NULL),
       "{\"type\":\"array\","
       "\"items\":{\"$ref\":\"#/components/schemas/items\"}}");
    is(at(json, "paths", "/items", "parameters", "0", NULL),
       "{\"name\":\"id\",\"in\":\"query\",\"description\":\"Its number\","
       "\"schema\":{\"$ref\":\"#/components/schemas/cqrs.filter\"}}");

    json_decref(json);
}


static void
test_3_tells_columns(void **state)
{
    json_t  *json, *properties;

    (void) state;

    json = document(CQRS_OPENAPI_3);
    properties = at(json, "components", "schemas", "items", "properties",
                    NULL);

    is(at(properties, "id", "type", NULL), "\"integer\"");
    is(at(properties, "owner", "type", NULL), "[\"integer\",\"null\"]");
    is(at(properties, "name", NULL),
       "{\"type\":[\"string\",\"null\"],\"default\":\"it's\"}");
    is(at(properties, "since", NULL),
       "{\"type\":[\"string\",\"null\"],\"format\":\"date-time\"}");
    is(at(properties, "state", NULL),
       "{\"type\":[\"string\",\"null\"],\"enum\":[\"new\",\"old\",null]}");
    is(at(properties, "tags", NULL),
       "{\"type\":[\"array\",\"null\"],"
       "\"items\":{\"type\":[\"string\",\"null\"]}}");
    is(at(properties, "data", NULL), "{}");
    is(at(properties, "size", NULL), "{}");
    is(at(properties, "colour", NULL), "{}");

    json_decref(json);
}


static void
test_3_tells_functions(void **state)
{
    json_t  *json;

    (void) state;

    json = document(CQRS_OPENAPI_3);

    is(at(json, "paths", "/rpc/add", "parameters", NULL),
       "[{\"name\":\"a\",\"in\":\"query\",\"required\":true,"
       "\"schema\":{\"type\":\"integer\",\"format\":\"int32\"}},"
       "{\"name\":\"b\",\"in\":\"query\",\"description\":\"An array: {1,2}\","
       "\"schema\":{\"type\":\"string\",\"format\":\"integer[]\"}},"
       "{\"name\":\"rest\",\"in\":\"query\",\"style\":\"form\","
       "\"explode\":true,\"schema\":{\"type\":\"array\","
       "\"items\":{\"type\":[\"string\",\"null\"]}}}]");
    is(at(json, "paths", "/rpc/add", "get", "responses", "200", "content",
          "application/json", "schema", NULL),
       "{\"type\":[\"integer\",\"null\"],\"format\":\"int32\"}");
    is(at(json, "paths", "/rpc/list", "get", "responses", "200", "content",
          "application/json", "schema", NULL),
       "{\"type\":\"array\","
       "\"items\":{\"$ref\":\"#/components/schemas/items\"}}");
    assert_null(at(json, "paths", "/rpc/write", NULL));

    json_decref(json);
}


/* Names that a URI, a pointer or the query's language have uses for. */

static void
test_odd_names(void **state)
{
    json_t  *json;

    (void) state;

    json = document(CQRS_OPENAPI_2);

    assert_non_null(at(json, "paths", "/%7Bp%7D%2Fä b", "get", NULL));
    is(at(json, "parameters", "rowFilter.{p}/ä b.select", "name", NULL),
       "\"\\\"select\\\"\"");
    is(at(json, "parameters", "rowFilter.{p}/ä b.a/b~c.\"d\\", "name", NULL),
       "\"\\\"a/b~c.\\\\\\\"d\\\\\\\\\\\"\"");
    is(at(json, "parameters", "rowFilter.{p}/ä b.Größe", "name", NULL),
       "\"Größe\"");

    json_decref(json);

    json = document(CQRS_OPENAPI_3);

    assert_non_null(at(json, "paths", "/%7Bp%7D%2F%C3%A4%20b", "get", NULL));
    assert_non_null(at(json, "components", "schemas",
                       ".7Bp.7D.2F.C3.A4.20b", NULL));

    json_decref(json);
}


static void
test_nothing_but_what_is_allowed(void **state)
{
    json_t                            *json;
    int                                version;
    static const cqrs_str_t            relations[] = {
        S("a"), S("item"), S("items2"), S("owners")
    };
    static const cqrs_str_t            functions[] = {
        S("add\037a"), S("list\037a"), S("write")
    };
    static const cqrs_openapi_names_t  readable = { relations, 4 };
    static const cqrs_openapi_names_t  callable = { functions, 3 };
    static const cqrs_openapi_names_t  none = { NULL, 0 };
    cqrs_openapi_t                     doc = {
        .server = { 0, S("localhost"), 8080, S("/") }, .schema = S("shop"),
        .relations = &items, .functions = &add
    };

    (void) state;

    for (version = CQRS_OPENAPI_2; version <= CQRS_OPENAPI_3; version++) {

        doc.version = (cqrs_openapi_version_e) version;
        doc.readable = &readable;
        doc.callable = &callable;

        json = written(&doc);
        valid(json);

        is(at(json, "info", "title", NULL), "\"shop\"");
        assert_int_equal(json_object_size(at(json, "paths", NULL)), 3);
        assert_non_null(at(json, "paths", "/owners", NULL));
        assert_non_null(at(json, "paths", "/rpc/add", NULL));

        json_decref(json);

        doc.readable = &none;
        doc.callable = &none;

        json = written(&doc);
        valid(json);
        assert_int_equal(json_object_size(at(json, "paths", NULL)), 1);
        json_decref(json);
    }

    doc.callable = NULL;
    doc.version = CQRS_OPENAPI_3;

    json = written(&doc);
    valid(json);
    is(at(json, "servers", NULL), "[{\"url\":\"http://localhost:8080\"}]");
    is(at(json, "paths", "/rpc/list", "get", "responses", "200", "content",
          "application/json", "schema", NULL),
       "{\"type\":\"array\",\"items\":{\"type\":\"object\"}}");
    json_decref(json);
}


static void
test_security(void **state)
{
    json_t          *json;
    cqrs_openapi_t   doc = {
        .server = { 0, S("localhost"), 80, S("/") }, .schema = S("shop"),
        .security = 1
    };

    (void) state;

    json = written(&doc);
    is(at(json, "security", NULL), "[{\"JWT\":[]}]");
    is(at(json, "securityDefinitions", "JWT", "type", NULL), "\"apiKey\"");
    json_decref(json);

    doc.version = CQRS_OPENAPI_3;

    json = written(&doc);
    is(at(json, "components", "securitySchemes", "JWT", NULL),
       "{\"type\":\"http\",\"scheme\":\"bearer\",\"bearerFormat\":\"JWT\"}");
    json_decref(json);

    doc.connect = cqrs_str_lit("https://id.example/openid");

    json = written(&doc);
    is(at(json, "components", "securitySchemes", "JWT", NULL),
       "{\"type\":\"openIdConnect\","
       "\"openIdConnectUrl\":\"https://id.example/openid\"}");
    json_decref(json);
}


static void
server_is(const char *uri, int secure, const char *host, unsigned port,
    const char *path)
{
    cqrs_str_t             text;
    cqrs_openapi_server_t  server;

    text.data = uri;
    text.len = strlen(uri);

    assert_int_equal(cqrs_openapi_server(&server, &text), 0);
    assert_int_equal(server.secure, secure);
    assert_true(cqrs_str_is(&server.host, host));
    assert_int_equal(server.port, port);
    assert_true(cqrs_str_is(&server.path, path));
}


static void
test_server(void **state)
{
    size_t                    i;
    cqrs_str_t                text;
    cqrs_openapi_server_t     server;

    static const char *const  bad[] = {
        "", "shop.example", "ftp://shop.example/", "http://", "http:///api",
        "http://a:/", "http://a:0/", "http://a:65536", "http://a:8x/",
        "http://u@a/", "http://a b/", "http://[::1", "http://[::1]x",
        "http://a/b?c", "http://a/b#c", "http://a/b c"
    };

    (void) state;

    server_is("https://shop.example/api/", 1, "shop.example", 443, "/api");
    server_is("HTTP://a", 0, "a", 80, "/");
    server_is("http://a:8080/", 0, "a", 8080, "/");
    server_is("http://[::1]:81/x/y", 0, "[::1]", 81, "/x/y");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        text.data = bad[i];
        text.len = strlen(bad[i]);

        if (cqrs_openapi_server(&server, &text) == 0) {
            fail_msg("\"%s\" is taken", bad[i]);
        }
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_2_is_complete),
        cmocka_unit_test(test_2_tells_columns),
        cmocka_unit_test(test_2_tells_functions),
        cmocka_unit_test(test_3_is_complete),
        cmocka_unit_test(test_3_tells_columns),
        cmocka_unit_test(test_3_tells_functions),
        cmocka_unit_test(test_odd_names),
        cmocka_unit_test(test_nothing_but_what_is_allowed),
        cmocka_unit_test(test_security),
        cmocka_unit_test(test_server)
    };

    return cmocka_run_group_tests_name("cqrs_openapi", tests, NULL, NULL);
}
