
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * An array of Postgres, as text: written element by element, into memory that
 * is kept for the next time.  Where memory ends, consumer_array_end() says so.
 */

#ifndef CONSUMER_ARRAY_H
#define CONSUMER_ARRAY_H


#include "cqrs_json.h"

#include <stddef.h>


typedef cqrs_json_t  consumer_array_t;


/* Begins anew. */
void consumer_array_clear(consumer_array_t *array);

/* UTF-8; NULL is null. */
void consumer_array_text(consumer_array_t *array, const char *text,
    size_t len);

void consumer_array_number(consumer_array_t *array, long long number);

/* The text, with a NUL at its end; NULL: there was no memory. */
const char *consumer_array_end(consumer_array_t *array);


#endif /* CONSUMER_ARRAY_H */
