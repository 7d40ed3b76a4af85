
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The inside of the AMQP machine, for its own two files: cqrs_amqp.c, which
 * cuts and builds frames, and cqrs_amqp_method.c, which answers the broker's
 * methods.  Nobody else includes this.
 */

#ifndef CQRS_AMQP_STATE_H
#define CQRS_AMQP_STATE_H


#include "cqrs_amqp.h"
#include "cqrs_amqp_output.h"


#define CQRS_AMQP_CHANNEL     1
#define CQRS_AMQP_FRAME_MIN   4096
#define CQRS_AMQP_FRAME_MAX   131072
#define CQRS_AMQP_NAME_MAX    255
#define CQRS_AMQP_REASON_MAX  256


typedef enum {
    CQRS_AMQP_STARTING = 0,        /* connection.start is to come */
    CQRS_AMQP_TUNING,              /* connection.tune */
    CQRS_AMQP_OPENING,             /* connection.open-ok */
    CQRS_AMQP_CHANNEL_OPENING,     /* channel.open-ok */
    CQRS_AMQP_CONFIRM_SELECTING,   /* confirm.select-ok */
    CQRS_AMQP_READY,
    CQRS_AMQP_CLOSING,             /* connection.close-ok */
    CQRS_AMQP_OVER
} cqrs_amqp_state_e;


typedef enum {
    CQRS_AMQP_NO_CONTENT = 0,
    CQRS_AMQP_CONTENT_HEADER,      /* of a returned message */
    CQRS_AMQP_CONTENT_BODY
} cqrs_amqp_content_e;


struct cqrs_amqp_s {
    cqrs_amqp_conf_t      conf;
    cqrs_amqp_state_e     state;

    uint8_t              *input;          /* a frame that is not yet whole */
    size_t                input_len;
    size_t                input_size;
    size_t                frame_max;

    cqrs_amqp_output_t    output;
    amqp_pool_t           pool;           /* what the decoder allocates */

    cqrs_amqp_content_e   content;
    uint64_t              content_left;

    uint64_t              tag;            /* the last one published */
    unsigned              heartbeat;
    unsigned              silent;         /* ticks */
    unsigned              wrote:1;        /* since the last tick */
    unsigned              blocked:1;

    char                  reason[CQRS_AMQP_REASON_MAX];
};


/*
 * Handles a method of the broker.  Like all functions here it returns
 * CQRS_AMQP_OK, or CQRS_AMQP_CLOSED when that ended the connection.
 */
int cqrs_amqp_method(cqrs_amqp_t *amqp, uint16_t channel, const uint8_t *p,
    size_t len);

/* Sends a method; room is what its arguments take at most. */
int cqrs_amqp_send(cqrs_amqp_t *amqp, uint16_t channel,
    amqp_method_number_t id, void *method, size_t room);

/* Ends the connection for a reason. */
int cqrs_amqp_fail(cqrs_amqp_t *amqp, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));


static inline uint64_t
cqrs_amqp_number(const uint8_t *p, int bytes)
{
    uint64_t  n;

    for (n = 0; bytes > 0; bytes--) {
        n = n << 8 | *p++;
    }

    return n;
}


#endif /* CQRS_AMQP_STATE_H */
