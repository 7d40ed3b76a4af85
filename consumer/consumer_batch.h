
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Commands of one partition that were delivered and not yet acknowledged, in
 * order, and how the first of them are executed.
 *
 * As many as possible go in one statement.  When that fails for a reason that
 * one of them must be the cause of, those are executed one by one, until the
 * culprit was tried often enough and is parked.
 */

#ifndef CONSUMER_BATCH_H
#define CONSUMER_BATCH_H


#include "consumer_command.h"
#include "consumer_crash.h"
#include "consumer_decide.h"
#include "consumer_options.h"
#include "consumer_pg.h"
#include "consumer_suspect.h"


typedef enum {
    CONSUMER_BATCH_DONE = 0,   /* the first ones are committed */
    CONSUMER_BATCH_REFUSED,    /* the first one is to be a dead letter */
    CONSUMER_BATCH_AGAIN,      /* nothing is committed, try again later */
    CONSUMER_BATCH_FENCED,     /* the partition has another owner */
    CONSUMER_BATCH_WRONG       /* it does not exist */
} consumer_batch_status_e;


typedef struct {
    consumer_pg_t        *pg;
    unsigned              partition;
    char                  epoch[24];       /* empty: unclaimed */

    consumer_command_t   *commands;
    size_t                n;
    size_t                size;            /* room for so many */
    size_t                max;             /* in one statement */
    size_t                sent;            /* so many are under way */

    size_t                alone;           /* so many go one by one */
    unsigned              tries;           /* of the first one, alone */
    consumer_suspect_t    suspect;         /* likewise */
    consumer_crashes_t   *crashes;         /* of the worker's handlers */
    consumer_decider_t    decider;         /* for commands decided in C */

    char                 *text;            /* the statement's array */
    size_t                text_size;
} consumer_batch_t;


int consumer_batch_init(consumer_batch_t *b, consumer_pg_t *pg,
    unsigned partition, const consumer_options_t *options,
    consumer_crashes_t *crashes);
void consumer_batch_cleanup(consumer_batch_t *b);

/* Forgets all commands; RabbitMQ will deliver them again. */
void consumer_batch_clear(consumer_batch_t *b);

/* Drops the first ones. */
void consumer_batch_shift(consumer_batch_t *b, size_t n);

consumer_pg_status_e consumer_batch_claim(consumer_batch_t *b,
    const char *owner);

/*
 * Sends the first commands on their way, if nothing speaks against it: then
 * ->sent is not 0, and consumer_batch_execute() waits for what comes of them.
 * No other statement can be run meanwhile.
 */
void consumer_batch_send(consumer_batch_t *b);

/*
 * Executes the first commands.  After DONE the caller clears *res, and shifts
 * *done commands out.  After AGAIN pg->error says why.
 */
consumer_batch_status_e consumer_batch_execute(consumer_batch_t *b,
    PGresult **res, size_t *done);

/*
 * Tells the issuer of the first one that it was refused, once however often
 * this is called.  After DONE the caller clears *res, if it is not NULL.
 */
consumer_batch_status_e consumer_batch_refuse(consumer_batch_t *b,
    PGresult **res);

/* What a failure of the store means for a batch. */
consumer_batch_status_e consumer_batch_status(consumer_pg_status_e rc);


#endif /* CONSUMER_BATCH_H */
