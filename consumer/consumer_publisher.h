
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Publishes with confirms, on a connection of its own.
 *
 * Messages are numbered 1, 2, 3... from each opening on.  confirmed is the
 * number up to which the broker has taken every one of them.  A message that
 * is refused or that no queue wants is a failure of the connection: the caller
 * opens it again, which declares the queues, and repeats what was not
 * confirmed.
 */

#ifndef CONSUMER_PUBLISHER_H
#define CONSUMER_PUBLISHER_H


#include "consumer_amqp.h"

#include <stdint.h>


/* So many messages may be unconfirmed at a time. */
#define CONSUMER_PUBLISHER_WINDOW  1024


typedef struct {
    consumer_amqp_t  amqp;
    uint64_t         published;
    uint64_t         confirmed;
    uint8_t          acked[CONSUMER_PUBLISHER_WINDOW];
} consumer_publisher_t;


void consumer_publisher_init(consumer_publisher_t *pub,
    const consumer_options_t *options, const char *name);

int consumer_publisher_open(consumer_publisher_t *pub, unsigned partitions);
void consumer_publisher_close(consumer_publisher_t *pub);

/* How many messages may be sent now. */
unsigned consumer_publisher_room(consumer_publisher_t *pub);

/*
 * Sends a persistent message; there has to be room for it.  If it is mandatory
 * and no queue is bound for it, a later call fails.  What AMQP takes as a
 * short string is cut to 255 bytes.
 */
int consumer_publisher_send(consumer_publisher_t *pub, const char *exchange,
    const char *key, int mandatory, amqp_basic_properties_t *properties,
    const char *body);

/* The same for names of any kind and a body of any bytes. */
int consumer_publisher_forward(consumer_publisher_t *pub,
    amqp_bytes_t exchange, amqp_bytes_t key, int mandatory,
    amqp_basic_properties_t *properties, amqp_bytes_t body);

/*
 * Between the two calls messages are kept together, in as few packets as they
 * fill: each packet wakes the broker.
 */
void consumer_publisher_begin(consumer_publisher_t *pub);
void consumer_publisher_end(consumer_publisher_t *pub);

/* Reads what the broker has sent so far; does not wait. */
int consumer_publisher_read(consumer_publisher_t *pub);

/* Waits until all is confirmed; -1 also if this lasts longer than msec. */
int consumer_publisher_flush(consumer_publisher_t *pub, unsigned msec);

/* Text for a property that is a short string. */
amqp_bytes_t consumer_publisher_short(const char *text);


#endif /* CONSUMER_PUBLISHER_H */
