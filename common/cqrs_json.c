
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "cqrs_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define CQRS_JSON_SIZE_MIN    1024
#define CQRS_JSON_NUMBER_MAX  32


static char *cqrs_json_room(cqrs_json_t *json, size_t len);
static void cqrs_json_real(cqrs_json_t *json, double value);
static void cqrs_json_object(cqrs_json_t *json, const json_t *object);
static void cqrs_json_array(cqrs_json_t *json, const json_t *array);


void
cqrs_json_init(cqrs_json_t *json)
{
    memset(json, 0, sizeof(*json));
}


void
cqrs_json_cleanup(cqrs_json_t *json)
{
    free(json->data);

    cqrs_json_init(json);
}


void
cqrs_json_clear(cqrs_json_t *json)
{
    json->len = 0;
    json->failed = 0;
}


/* Makes room for so many bytes and a NUL; NULL: there is none. */

static char *
cqrs_json_room(cqrs_json_t *json, size_t len)
{
    char    *data;
    size_t   size;

    if (json->failed) {
        return NULL;
    }

    if (len >= json->size - json->len || json->data == NULL) {

        size = json->size ? json->size : CQRS_JSON_SIZE_MIN;

        while (size - json->len <= len) {
            size *= 2;
        }

        data = realloc(json->data, size);

        if (data == NULL) {
            json->failed = 1;
            return NULL;
        }

        json->data = data;
        json->size = size;
    }

    return json->data + json->len;
}


void
cqrs_json_raw(cqrs_json_t *json, const char *text, size_t len)
{
    char  *p;

    p = cqrs_json_room(json, len);

    if (p) {
        memcpy(p, text, len);
        json->len += len;
    }
}


void
cqrs_json_text(cqrs_json_t *json, const char *text)
{
    cqrs_json_raw(json, text, strlen(text));
}


void
cqrs_json_number(cqrs_json_t *json, long long number)
{
    char  *p;

    p = cqrs_json_room(json, CQRS_JSON_NUMBER_MAX);

    if (p) {
        json->len += (size_t) snprintf(p, CQRS_JSON_NUMBER_MAX, "%lld",
                                       number);
    }
}


static void
cqrs_json_real(cqrs_json_t *json, double value)
{
    int    digits;
    char  *p;

    p = cqrs_json_room(json, CQRS_JSON_NUMBER_MAX);

    if (p == NULL) {
        return;
    }

    for (digits = 15; digits <= 17; digits++) {
        snprintf(p, CQRS_JSON_NUMBER_MAX, "%.*g", digits, value);

        if (strtod(p, NULL) == value) {
            break;
        }
    }

    json->len += strlen(p);
}


void
cqrs_json_string(cqrs_json_t *json, const char *text, size_t len)
{
    char                  *p;
    size_t                 i;
    unsigned char          c;

    static const char      hex[] = "0123456789abcdef";

    if (text == NULL) {
        cqrs_json_raw(json, "null", 4);
        return;
    }

    /* each byte may become \u00xx */

    p = cqrs_json_room(json, 6 * len + 2);

    if (p == NULL) {
        return;
    }

    *p++ = '"';

    for (i = 0; i < len; i++) {
        c = (unsigned char) text[i];

        if (c == '"' || c == '\\') {
            *p++ = '\\';
            *p++ = (char) c;

        } else if (c < ' ') {
            memcpy(p, "\\u00", 4);
            p[4] = hex[c >> 4];
            p[5] = hex[c & 15];
            p += 6;

        } else {
            *p++ = (char) c;
        }
    }

    *p++ = '"';

    json->len = (size_t) (p - json->data);
}


void
cqrs_json_value(cqrs_json_t *json, const json_t *value)
{
    if (value == NULL) {
        cqrs_json_raw(json, "null", 4);
        return;
    }

    switch (json_typeof(value)) {

    case JSON_OBJECT:
        cqrs_json_object(json, value);
        break;

    case JSON_ARRAY:
        cqrs_json_array(json, value);
        break;

    case JSON_STRING:
        cqrs_json_string(json, json_string_value(value),
                         json_string_length(value));
        break;

    case JSON_INTEGER:
        cqrs_json_number(json, json_integer_value(value));
        break;

    case JSON_REAL:
        cqrs_json_real(json, json_real_value(value));
        break;

    case JSON_TRUE:
        cqrs_json_raw(json, "true", 4);
        break;

    case JSON_FALSE:
        cqrs_json_raw(json, "false", 5);
        break;

    case JSON_NULL:
        cqrs_json_raw(json, "null", 4);
        break;
    }
}


static void
cqrs_json_object(cqrs_json_t *json, const json_t *object)
{
    json_t      *value;
    const char  *key, *separator;

    separator = "{";

    json_object_foreach((json_t *) object, key, value) {
        cqrs_json_raw(json, separator, 1);
        cqrs_json_string(json, key, strlen(key));
        cqrs_json_raw(json, ":", 1);
        cqrs_json_value(json, value);

        separator = ",";
    }

    cqrs_json_text(json, json_object_size(object) ? "}" : "{}");
}


static void
cqrs_json_array(cqrs_json_t *json, const json_t *array)
{
    size_t       i;
    json_t      *value;

    json_array_foreach(array, i, value) {
        cqrs_json_raw(json, i ? "," : "[", 1);
        cqrs_json_value(json, value);
    }

    cqrs_json_text(json, json_array_size(array) ? "]" : "[]");
}


const char *
cqrs_json_end(cqrs_json_t *json)
{
    char  *p;

    p = cqrs_json_room(json, 0);

    if (p == NULL) {
        return NULL;
    }

    *p = '\0';

    return json->data;
}
