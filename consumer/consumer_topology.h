
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* The exchanges, queues and bindings of docs/wire.md. */

#ifndef CONSUMER_TOPOLOGY_H
#define CONSUMER_TOPOLOGY_H


#include "consumer_amqp.h"


/* Long enough for the name of every queue. */
#define CONSUMER_QUEUE_NAME_MAX  64


/* Declares everything, again without harm; 0, or -1 with amqp->error. */
int consumer_topology_declare(consumer_amqp_t *amqp, unsigned partitions);

/* Writes the name of a partition's queue; returns it. */
const char *consumer_topology_queue(char name[CONSUMER_QUEUE_NAME_MAX],
    unsigned partition);


#endif /* CONSUMER_TOPOLOGY_H */
