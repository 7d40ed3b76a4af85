
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* One command, from its delivery until it is acknowledged. */

#ifndef CONSUMER_COMMAND_H
#define CONSUMER_COMMAND_H


#include "cqrs_envelope.h"
#include "cqrs_handler.h"
#include "cqrs_uuid.h"

#include <amqp.h>
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>


/* What is asked of cqrs.execute() and those like it. */
#define CONSUMER_COMMAND_COLUMNS                                              \
    "ordinal, status, duplicate, sequence, channel, body"


typedef struct {
    amqp_envelope_t  *message;                    /* as it came */
    uint64_t          tag;                        /* of the delivery */
    char              id[CQRS_UUID_TEXT_LEN + 1]; /* empty: it has none */

    char             *text;                       /* for cqrs.execute() */
    size_t            len;

    const cqrs_handler_t  *handler;               /* NULL: SQL decides */
    json_t           *json;                       /* the text, if needed */

    char             *reason;                     /* of a refused one */
    char              code[16];                   /* for its issuer */
    unsigned          refused:1;
} consumer_command_t;


/*
 * Reads a message, which is the command's from then on.  One that can't be
 * executed is a command too, a refused one, so that it waits for its turn.
 * -1 if there is no memory; then the message is still the caller's.
 */
int consumer_command_init(consumer_command_t *command,
    amqp_envelope_t *message, unsigned partition, unsigned partitions);

/* One that was parked; the text is for cqrs.execute().  -1: no memory. */
int consumer_command_parked(consumer_command_t *command, const char *id,
    const char *stream, const char *text);

void consumer_command_cleanup(consumer_command_t *command);

/* Refuses it; the reason is a clause such as "it has no stream". */
void consumer_command_refuse(consumer_command_t *command, const char *code,
    const char *reason);

/*
 * What is known of a refused one, for cqrs.refuse_message(): text that the
 * caller frees; NULL if it has no issuer, or none that could be told.
 */
char *consumer_command_issuer(const consumer_command_t *command);


#endif /* CONSUMER_COMMAND_H */
