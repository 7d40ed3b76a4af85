
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Parked commands that come back, from the store instead of RabbitMQ.
 *
 * They are a batch of their own, executed as any other one is: alone when it
 * fails, and parked again by whom it fails.  The store sees whether the turn
 * of each has come; so what was read here may well be old.
 */

#ifndef CONSUMER_RELEASE_H
#define CONSUMER_RELEASE_H


#include "consumer_batch.h"
#include "consumer_worker.h"


typedef struct {
    consumer_batch_t   batch;
    unsigned           progress:1;     /* since they were read last */
} consumer_release_t;


/* 0, or -1: no memory. */
int consumer_release_init(consumer_release_t *r, consumer_pg_t *pg,
    const consumer_worker_t *worker);
void consumer_release_cleanup(consumer_release_t *r);

/* Forgets what was read; it is still in the store. */
void consumer_release_clear(consumer_release_t *r);

/*
 * Reads the next ones if there are none left, for the owner of this epoch.
 * After DONE batch.n is 0 if there is nothing to do for now.
 */
consumer_batch_status_e consumer_release_read(consumer_release_t *r,
    const char *epoch);

/* To be called with what consumer_batch_execute() has returned. */
void consumer_release_done(consumer_release_t *r, const PGresult *res,
    size_t done);


#endif /* CONSUMER_RELEASE_H */
