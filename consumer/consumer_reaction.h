
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* An event that was delivered, and the commands that it causes. */

#ifndef CONSUMER_REACTION_H
#define CONSUMER_REACTION_H


#include "consumer_pg.h"
#include "consumer_publisher.h"

#include <amqp.h>
#include <stdint.h>


typedef enum {
    CONSUMER_REACTION_DONE = 0,
    CONSUMER_REACTION_POSTGRES,    /* pg->error; the same again may succeed */
    CONSUMER_REACTION_RABBITMQ,    /* pub->amqp.error; likewise */
    CONSUMER_REACTION_FAILED       /* a reaction fails by itself */
} consumer_reaction_status_e;


typedef struct {
    amqp_envelope_t  *message;     /* as it came */
    uint64_t          tag;         /* of the delivery */
    unsigned          partition;
    int64_t           position;
    char              id[37];      /* for logs; empty: it has none */
    unsigned          refused:1;   /* it is not an event of the store */
} consumer_event_t;


/*
 * Reads a message, which is the event's from then on; a refused one waits for
 * its turn, too.  -1 if there is no memory; then the message is the caller's.
 */
int consumer_event_init(consumer_event_t *event, amqp_envelope_t *message,
    unsigned partitions);
void consumer_event_cleanup(consumer_event_t *event);

/*
 * Publishes what those of the events cause that are of the partition.  They
 * are not confirmed yet.
 */
consumer_reaction_status_e consumer_reaction_run(consumer_pg_t *pg,
    consumer_publisher_t *pub, unsigned partition,
    const consumer_event_t *events, size_t n);

/* DONE if the store can react at all; keeps pg's error if so. */
consumer_reaction_status_e consumer_reaction_probe(consumer_pg_t *pg);


#endif /* CONSUMER_REACTION_H */
