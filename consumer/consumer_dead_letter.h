
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* One dead letter, as it was taken from the queue to be looked at. */

#ifndef CONSUMER_DEAD_LETTER_H
#define CONSUMER_DEAD_LETTER_H


#include "consumer_publisher.h"

#include <amqp.h>
#include <jansson.h>


typedef struct {
    unsigned          place;       /* in the queue: 1, 2, 3... */
    amqp_envelope_t   envelope;

    /* where it came from, as far as it is known; all point into the message */

    amqp_bytes_t      exchange;
    amqp_bytes_t      key;
    amqp_bytes_t      queue;
} consumer_dead_letter_t;


/*
 * Takes one off the queue that is being consumed, unacknowledged: 1; 0 if none
 * comes; or -1 with amqp->error.
 */
int consumer_dead_letter_take(consumer_dead_letter_t *letter,
    consumer_amqp_t *amqp, unsigned place);
void consumer_dead_letter_cleanup(consumer_dead_letter_t *letter);

/* True if the word is its place or its id. */
int consumer_dead_letter_is(const consumer_dead_letter_t *letter,
    const char *word);

/* Its id, or its place where it has none; for sentences. */
const char *consumer_dead_letter_name(const consumer_dead_letter_t *letter,
    char name[256]);

/* A new object of what a list shows; or of all, with the body. */
json_t *consumer_dead_letter_json(const consumer_dead_letter_t *letter,
    int all);

/*
 * Puts it back into the queue that it came from, confirmed.  Returns NULL, or
 * what is wrong, a clause.
 */
const char *consumer_dead_letter_retry(const consumer_dead_letter_t *letter,
    consumer_publisher_t *pub);


#endif /* CONSUMER_DEAD_LETTER_H */
