
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * An array of Postgres as it takes it in binary form: written element by
 * element, into memory that is kept for the next time.  Where memory ends,
 * consumer_array_end() says so.
 */

#ifndef CONSUMER_ARRAY_H
#define CONSUMER_ARRAY_H


#include "cqrs_json.h"
#include "cqrs_uuid.h"

#include <stddef.h>


/* Of the elements: numbers that are the same in every Postgres. */

typedef enum {
    CONSUMER_ARRAY_INT8 = 20,
    CONSUMER_ARRAY_INT4 = 23,
    CONSUMER_ARRAY_TEXT = 25,
    CONSUMER_ARRAY_UUID = 2950,
    CONSUMER_ARRAY_JSONB = 3802
} consumer_array_type_e;


typedef struct {
    cqrs_json_t            bytes;
    consumer_array_type_e  type;
    unsigned               count;
    unsigned               null:1;         /* some are */
} consumer_array_t;


void consumer_array_init(consumer_array_t *array, consumer_array_type_e type);
void consumer_array_cleanup(consumer_array_t *array);

/* Begins anew. */
void consumer_array_clear(consumer_array_t *array);

/* UTF-8, for text or jsonb; NULL is null. */
void consumer_array_text(consumer_array_t *array, const char *text,
    size_t len);

/* For either of the integers. */
void consumer_array_number(consumer_array_t *array, long long number);

void consumer_array_uuid(consumer_array_t *array, const cqrs_uuid_t *uuid);

/* The array, of bytes.len bytes; NULL: there was no memory. */
const char *consumer_array_end(consumer_array_t *array);


#endif /* CONSUMER_ARRAY_H */
