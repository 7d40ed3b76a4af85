
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * A connection to RabbitMQ with one channel, and the topology of docs/wire.md.
 *
 * Functions return 0, or -1 with the reason in amqp->error; after -1 the
 * connection is of no more use and is to be closed.  Heartbeats are kept by
 * reading: whoever holds a connection reads it about once a second.
 */

#ifndef CONSUMER_AMQP_H
#define CONSUMER_AMQP_H


#include "consumer_options.h"

#include <amqp.h>


#define CONSUMER_AMQP_CHANNEL  1


typedef struct {
    amqp_connection_state_t    conn;
    const consumer_options_t  *options;
    const char                *name;       /* shown in RabbitMQ's pages */
    size_t                     next;       /* the address to try */
    unsigned                   blocked:1;  /* the broker wants no messages */
    char                       error[256];
} consumer_amqp_t;


/* NULL, or what is wrong with the address. */
const char *consumer_amqp_check_url(const char *url);

void consumer_amqp_init(consumer_amqp_t *amqp,
    const consumer_options_t *options, const char *name);

/* Connects to the next address, and declares all that docs/wire.md names. */
int consumer_amqp_connect(consumer_amqp_t *amqp, unsigned partitions);

/* Says goodbye; a connection that is lost is just dropped. */
void consumer_amqp_close(consumer_amqp_t *amqp);
void consumer_amqp_drop(consumer_amqp_t *amqp);

/* Takes messages of a queue, so many of them unacknowledged at a time. */
int consumer_amqp_consume(consumer_amqp_t *amqp, const char *queue,
    unsigned prefetch);

/*
 * Takes one message that is already here: 1 with the message, which is to be
 * destroyed with amqp_destroy_envelope(); 0 if there is none.
 */
int consumer_amqp_receive(consumer_amqp_t *amqp, amqp_envelope_t *envelope);

/* Acknowledges all messages up to this one; or refuses just this one. */
int consumer_amqp_ack(consumer_amqp_t *amqp, uint64_t tag);
int consumer_amqp_reject(consumer_amqp_t *amqp, uint64_t tag);

/* True if something was read from the socket that was not yet looked at. */
int consumer_amqp_buffered(consumer_amqp_t *amqp);
int consumer_amqp_socket(consumer_amqp_t *amqp);

/* Deals with a frame that the caller did not expect. */
int consumer_amqp_frame(consumer_amqp_t *amqp, const amqp_frame_t *frame);

/* 0 if the reply is a good one, -1 with the reason if not. */
int consumer_amqp_check(consumer_amqp_t *amqp, const char *what,
    amqp_rpc_reply_t reply);

/* The same for functions that return a status. */
int consumer_amqp_status(consumer_amqp_t *amqp, const char *what, int status);


#endif /* CONSUMER_AMQP_H */
