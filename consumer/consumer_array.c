
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "consumer_array.h"

#include <stdint.h>
#include <string.h>


/* Dimensions, whether there are nulls, the type, size, first index. */
#define CONSUMER_ARRAY_HEADER   20

/* An empty one has no dimension. */
#define CONSUMER_ARRAY_EMPTY    12

/* What jsonb begins with. */
#define CONSUMER_ARRAY_VERSION  "\001"


static void consumer_array_add(consumer_array_t *array, const char *prefix,
    const void *data, size_t len);
static void consumer_array_write(char *p, uint32_t number);


void
consumer_array_init(consumer_array_t *array, consumer_array_type_e type)
{
    memset(array, 0, sizeof(*array));

    array->type = type;

    cqrs_json_init(&array->bytes);
}


void
consumer_array_cleanup(consumer_array_t *array)
{
    cqrs_json_cleanup(&array->bytes);
}


void
consumer_array_clear(consumer_array_t *array)
{
    static const char  header[CONSUMER_ARRAY_HEADER];

    array->count = 0;
    array->null = 0;

    cqrs_json_clear(&array->bytes);
    cqrs_json_raw(&array->bytes, header, sizeof(header));
}


void
consumer_array_text(consumer_array_t *array, const char *text, size_t len)
{
    if (text == NULL) {
        array->null = 1;
        array->count++;
        cqrs_json_raw(&array->bytes, "\377\377\377\377", 4);
        return;
    }

    consumer_array_add(array,
                       array->type == CONSUMER_ARRAY_JSONB
                       ? CONSUMER_ARRAY_VERSION : "",
                       text, len);
}


void
consumer_array_number(consumer_array_t *array, long long number)
{
    char  bytes[8];

    consumer_array_write(bytes, (uint32_t) ((uint64_t) number >> 32));
    consumer_array_write(bytes + 4, (uint32_t) number);

    if (array->type == CONSUMER_ARRAY_INT8) {
        consumer_array_add(array, "", bytes, 8);
    } else {
        consumer_array_add(array, "", bytes + 4, 4);
    }
}


void
consumer_array_uuid(consumer_array_t *array, const cqrs_uuid_t *uuid)
{
    consumer_array_add(array, "", uuid->bytes, sizeof(uuid->bytes));
}


static void
consumer_array_add(consumer_array_t *array, const char *prefix,
    const void *data, size_t len)
{
    char    head[8];
    size_t  n;

    n = strlen(prefix);

    consumer_array_write(head, (uint32_t) (n + len));
    memcpy(head + 4, prefix, n);

    array->count++;

    cqrs_json_raw(&array->bytes, head, 4 + n);
    cqrs_json_raw(&array->bytes, data, len);
}


static void
consumer_array_write(char *p, uint32_t number)
{
    p[0] = (char) (number >> 24);
    p[1] = (char) (number >> 16);
    p[2] = (char) (number >> 8);
    p[3] = (char) number;
}


const char *
consumer_array_end(consumer_array_t *array)
{
    char  *p;

    if (cqrs_json_end(&array->bytes) == NULL) {
        return NULL;
    }

    p = array->bytes.data;

    consumer_array_write(p, array->count ? 1 : 0);
    consumer_array_write(p + 4, array->null);
    consumer_array_write(p + 8, (uint32_t) array->type);
    consumer_array_write(p + 12, array->count);
    consumer_array_write(p + 16, 1);

    if (array->count == 0) {
        array->bytes.len = CONSUMER_ARRAY_EMPTY;
    }

    return p;
}
