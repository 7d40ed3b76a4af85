
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Executes commands that a handler in C decides.
 *
 * They are decided here, on states that are kept from one batch to the next,
 * and written by cqrs.append_decided(), or by cqrs.append() where there is
 * more to it.  They write all or nothing: when a state was not the newest, or
 * a command has an outcome already, they say so, and what the store knows is
 * loaded and decided on anew.  So what is kept may well be old; that costs a
 * round trip, never a wrong decision.
 */

#ifndef CONSUMER_DECIDE_H
#define CONSUMER_DECIDE_H


#include "consumer_command.h"
#include "consumer_crash.h"
#include "consumer_decided.h"
#include "consumer_deciding.h"
#include "consumer_pg.h"
#include "cqrs_cache.h"
#include "cqrs_json.h"

#include <stddef.h>


/* The SQLSTATEs, so to speak, of a handler that is at fault. */
#define CONSUMER_DECIDE_FAILED   "QH001"
#define CONSUMER_DECIDE_CRASHED  "QH002"


typedef struct {
    consumer_pg_t              *pg;
    consumer_crashes_t         *crashes;     /* the worker's own */
    unsigned                    timeout;     /* of a call, in seconds */
    cqrs_cache_t                cache;

    /* of the batch in hand */

    char                        partition[16];
    const char                 *epoch;
    const char                 *all;         /* the array of their texts */
    consumer_deciding_t         batch;
    unsigned                    plain:1;     /* it is in decided */
    consumer_decided_t          decided;
    cqrs_json_t                 decisions;   /* or else in these */
    cqrs_json_t                 heads;
} consumer_decider_t;


/* For batches of so many commands.  0, or -1: no memory. */
int consumer_decider_init(consumer_decider_t *d, consumer_pg_t *pg,
    consumer_crashes_t *crashes, size_t batch, size_t cache,
    unsigned timeout);
void consumer_decider_cleanup(consumer_decider_t *d);

/* Forgets all states: they may have changed in a way that does not show. */
void consumer_decider_clear(consumer_decider_t *d);

/*
 * Executes a batch; all is the array of their texts.  After CONSUMER_PG_OK
 * the caller clears *res, which is as cqrs.execute()'s.  CONSUMER_PG_FAILED is
 * also for a handler at fault.
 */
consumer_pg_status_e consumer_decider_run(consumer_decider_t *d,
    unsigned partition, const char *epoch, consumer_command_t *commands,
    size_t n, const char *all, PGresult **res);

/*
 * The same in two steps.  What is given lives until it is received.  After
 * anything else than CONSUMER_PG_OK nothing is under way, and
 * consumer_decider_run() may still do it.
 */
consumer_pg_status_e consumer_decider_send(consumer_decider_t *d,
    unsigned partition, const char *epoch, consumer_command_t *commands,
    size_t n, const char *all);
consumer_pg_status_e consumer_decider_receive(consumer_decider_t *d,
    PGresult **res);


#endif /* CONSUMER_DECIDE_H */
