
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * A message that the daemon refuses becomes a dead letter: it is published
 * again as it was, with the reason and where it came from in its headers.
 *
 * RabbitMQ could move it by itself, but would not say why.  So that nothing is
 * lost in between, a message is acknowledged only when its dead letter was
 * confirmed; a crash there leaves two of them, never none.
 */

#ifndef CONSUMER_LETTER_H
#define CONSUMER_LETTER_H


#include "consumer_publisher.h"

#include <amqp.h>


typedef enum {
    CONSUMER_LETTER_DONE = 0,      /* it is confirmed */
    CONSUMER_LETTER_AGAIN,         /* pub->amqp.error; pub is closed */
    CONSUMER_LETTER_TOO_LARGE      /* no room for the reason */
} consumer_letter_status_e;


/* queue: from which it was taken; reason: a clause: "it has no stream". */
consumer_letter_status_e consumer_letter_send(consumer_publisher_t *pub,
    unsigned partitions, const amqp_envelope_t *message, const char *queue,
    const char *reason);


#endif /* CONSUMER_LETTER_H */
