
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* What the master gives to each of its workers, and which kinds there are. */

#ifndef CONSUMER_WORKER_H
#define CONSUMER_WORKER_H


#include "consumer_crash.h"
#include "consumer_options.h"


typedef struct {
    const consumer_options_t  *options;
    unsigned                   partitions;   /* how many the store has */
    unsigned                   partition;    /* which one is this worker's */
    int                        wakeup;       /* an eventfd of the relay */
    int                        projector;    /* and one of the projector */
    consumer_crashes_t        *crashes;      /* of its handlers, shared */
    char                       name[32];
    char                       daemon[CONSUMER_NAME_MAX + 1];
    char                       owner[128];   /* how the store knows it */
} consumer_worker_t;


/* Runs until SIGTERM; returns the exit status of the process. */
typedef int (*consumer_worker_pt)(const consumer_worker_t *worker);


/* Executes the commands of one partition. */
int consumer_partition_run(const consumer_worker_t *worker);

/* Brings the events of all partitions from the store to RabbitMQ. */
int consumer_relay_run(const consumer_worker_t *worker);

/* Brings the events of all partitions into the asynchronous projections. */
int consumer_projector_run(const consumer_worker_t *worker);

/* Makes commands of events. */
int consumer_manager_run(const consumer_worker_t *worker);


#endif /* CONSUMER_WORKER_H */
