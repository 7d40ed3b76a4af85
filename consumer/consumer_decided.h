
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * What was decided, as cqrs.append_decided() takes it: ids, metadata and what
 * the issuers are told are made here, which costs the store nothing.
 *
 * It takes only what is plain.  The rest, such as a command that is invalid or
 * an event with personal data, is for cqrs.append().
 */

#ifndef CONSUMER_DECIDED_H
#define CONSUMER_DECIDED_H


#include "consumer_array.h"
#include "consumer_command.h"
#include "consumer_pg.h"

#include <stdint.h>


/* In the order of its parameters. */

typedef enum {
    CONSUMER_DECIDED_ID = 0,
    CONSUMER_DECIDED_STREAM,
    CONSUMER_DECIDED_TYPE,
    CONSUMER_DECIDED_STATUS,
    CONSUMER_DECIDED_VERSION,
    CONSUMER_DECIDED_CODE,
    CONSUMER_DECIDED_MESSAGE,
    CONSUMER_DECIDED_DETAIL,

    CONSUMER_DECIDED_NAME,
    CONSUMER_DECIDED_BASE,
    CONSUMER_DECIDED_HEAD,
    CONSUMER_DECIDED_FOLD,

    CONSUMER_DECIDED_EVENT_ORDINAL,
    CONSUMER_DECIDED_EVENT_ID,
    CONSUMER_DECIDED_EVENT_STREAM,
    CONSUMER_DECIDED_EVENT_VERSION,
    CONSUMER_DECIDED_EVENT_TYPE,
    CONSUMER_DECIDED_EVENT_REVISION,
    CONSUMER_DECIDED_EVENT_DATA,
    CONSUMER_DECIDED_EVENT_METADATA,

    CONSUMER_DECIDED_TOLD_ORDINAL,
    CONSUMER_DECIDED_TOLD_CHANNEL,
    CONSUMER_DECIDED_TOLD_BEGINNING,
    CONSUMER_DECIDED_TOLD_ENDING,

    CONSUMER_DECIDED_ARRAYS
} consumer_decided_array_e;


typedef struct {
    consumer_array_t  arrays[CONSUMER_DECIDED_ARRAYS];
    cqrs_json_t       value;               /* of one element */
    cqrs_json_t       metadata;            /* of one command */
} consumer_decided_t;


void consumer_decided_init(consumer_decided_t *d);
void consumer_decided_cleanup(consumer_decided_t *d);

/* Begins anew. */
void consumer_decided_clear(consumer_decided_t *d);

/* Whether the store would have nothing to say against a command. */
int consumer_decided_valid(const consumer_command_t *command);

/*
 * Adds a command with its decision; ordinal counts from 1, version is the
 * stream's afterwards.  0, or -1: it is not plain.
 */
int consumer_decided_add(consumer_decided_t *d, size_t ordinal,
    const consumer_command_t *command, int64_t version,
    const json_t *decision);

/* Adds a stream that was decided on. */
void consumer_decided_stream(consumer_decided_t *d, const char *name,
    size_t len, int64_t base, int64_t head, const json_t *state);

/* Sends it on its way; without memory CONSUMER_PG_TRANSIENT. */
consumer_pg_status_e consumer_decided_send(consumer_decided_t *d,
    consumer_pg_t *pg, const char *partition, const char *epoch);


#endif /* CONSUMER_DECIDED_H */
