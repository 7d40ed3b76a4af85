
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* One command, from its delivery until it is acknowledged. */

#ifndef CONSUMER_COMMAND_H
#define CONSUMER_COMMAND_H


#include "cqrs_envelope.h"
#include "cqrs_uuid.h"

#include <amqp.h>
#include <stddef.h>
#include <stdint.h>


typedef struct {
    uint64_t   tag;                               /* of the delivery */
    char       id[CQRS_UUID_TEXT_LEN + 1];        /* for logs; may be empty */
    char      *text;                              /* for cqrs.execute() */
    size_t     len;
} consumer_command_t;


/*
 * Reads a message.  0, and the command holds text to be freed; or -1 and what
 * is wrong with the message, then the command has a tag and perhaps an id.
 */
int consumer_command_init(consumer_command_t *command,
    const amqp_envelope_t *message, unsigned partition, unsigned partitions,
    char error[CQRS_ENVELOPE_ERROR_MAX]);
void consumer_command_cleanup(consumer_command_t *command);


#endif /* CONSUMER_COMMAND_H */
