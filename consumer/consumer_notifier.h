
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Brings a partition's notifications to Redis: each, in order, and once.
 *
 * The store keeps them, numbered; Redis remembers the last number it took.  In
 * the good case those of a batch go out right after its commit.  After any
 * trouble we are behind, and read what Redis lacks from the store until it has
 * all; so nothing depends on this process having seen the batch.
 *
 * The checkpoint in the store is only for a Redis that has forgotten.
 */

#ifndef CONSUMER_NOTIFIER_H
#define CONSUMER_NOTIFIER_H


#include "consumer_pg.h"
#include "consumer_process.h"
#include "consumer_redis.h"


typedef struct {
    consumer_pg_t        *pg;
    unsigned              partition;
    consumer_redis_t      redis;
    consumer_backoff_t    backoff;

    int64_t               sent;        /* what Redis has; -1: not known */
    int64_t               saved;       /* the checkpoint */
    char                  epoch[24];   /* the checkpoint's; empty: unclaimed */

    uint64_t              retry_at;
    uint64_t              save_at;
    unsigned              behind:1;    /* the store may have more than Redis */
    unsigned              fresh:1;     /* the connection did nothing yet */
    unsigned              away:1;      /* Redis was said to be away */
} consumer_notifier_t;


void consumer_notifier_init(consumer_notifier_t *n, consumer_pg_t *pg,
    unsigned partition, const char *url);
void consumer_notifier_cleanup(consumer_notifier_t *n);

/* To be called when the partition was claimed, and when it was lost. */
consumer_pg_status_e consumer_notifier_claim(consumer_notifier_t *n,
    const char *owner);
void consumer_notifier_release(consumer_notifier_t *n);

/* Sends those of a batch, as cqrs.execute() or cqrs.park() returned them. */
void consumer_notifier_send(consumer_notifier_t *n, const PGresult *res);

/*
 * Does what is due: a piece of what we are behind, the checkpoint.  To be
 * called between batches and when there are none.
 */
consumer_pg_status_e consumer_notifier_run(consumer_notifier_t *n);

/* Milliseconds until that is to be called again, at most max. */
unsigned consumer_notifier_due(consumer_notifier_t *n, unsigned max);

/* Saves the checkpoint, for a process that leaves. */
consumer_pg_status_e consumer_notifier_save(consumer_notifier_t *n);


#endif /* CONSUMER_NOTIFIER_H */
