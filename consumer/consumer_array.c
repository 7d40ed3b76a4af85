
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "consumer_array.h"


static void consumer_array_next(consumer_array_t *array);


void
consumer_array_clear(consumer_array_t *array)
{
    cqrs_json_clear(array);
    cqrs_json_raw(array, "{", 1);
}


static void
consumer_array_next(consumer_array_t *array)
{
    if (array->len > 1) {
        cqrs_json_raw(array, ",", 1);
    }
}


void
consumer_array_text(consumer_array_t *array, const char *text, size_t len)
{
    size_t  i, begin;

    consumer_array_next(array);

    if (text == NULL) {
        cqrs_json_raw(array, "null", 4);
        return;
    }

    cqrs_json_raw(array, "\"", 1);

    for (i = 0, begin = 0; i < len; i++) {

        if (text[i] == '"' || text[i] == '\\') {
            cqrs_json_raw(array, text + begin, i - begin);
            cqrs_json_raw(array, "\\", 1);
            begin = i;
        }
    }

    cqrs_json_raw(array, text + begin, len - begin);
    cqrs_json_raw(array, "\"", 1);
}


void
consumer_array_number(consumer_array_t *array, long long number)
{
    consumer_array_next(array);
    cqrs_json_number(array, number);
}


const char *
consumer_array_end(consumer_array_t *array)
{
    cqrs_json_raw(array, "}", 1);

    return cqrs_json_end(array);
}
