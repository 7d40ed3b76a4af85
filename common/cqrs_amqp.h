
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * One AMQP 0-9-1 connection with one channel that publishes with confirms, as
 * a machine: bytes of the broker go in, bytes for the broker come out, and
 * what they mean is told by callbacks.  It has no socket and no clock.
 *
 * Any bytes may go in.  What is not AMQP, or comes out of turn, ends the
 * connection with a reason; memory stays bounded by the frame size.
 */

#ifndef CQRS_AMQP_H
#define CQRS_AMQP_H


#include <stddef.h>
#include <stdint.h>

#include <amqp.h>


#define CQRS_AMQP_HEADERS_MAX  16


typedef struct cqrs_amqp_s  cqrs_amqp_t;


typedef enum {
    CQRS_AMQP_OK = 0,
    CQRS_AMQP_CLOSED,        /* it is over; cqrs_amqp_reason() says why */
    CQRS_AMQP_NOT_READY,     /* no channel yet, or the broker is blocked */
    CQRS_AMQP_FULL,          /* too much waits to be sent */
    CQRS_AMQP_TOO_LARGE,     /* a name or the headers, for AMQP */
    CQRS_AMQP_NO_MEMORY
} cqrs_amqp_error_e;


/*
 * Called from inside cqrs_amqp_input().  They may publish; they must not
 * destroy the machine, nor give it input.
 */
typedef struct {
    /* Messages may be published now; delivery tags begin with 1. */
    void  (*ready)(void *data);

    /* The broker has, or has refused, a message or all of them up to it. */
    void  (*confirmed)(uint64_t tag, int multiple, int accepted, void *data);

    /* No queue took the message; its confirm follows. */
    void  (*returned)(amqp_bytes_t message_id, void *data);

    /* The broker takes no messages now, and why; NULL: it does again. */
    void  (*blocked)(const char *reason, void *data);

    /*
     * The broker closed the channel: nothing that was not confirmed will be.
     * Another channel is opened by itself, ready() follows.
     */
    void  (*channel_closed)(unsigned code, const char *text, void *data);
} cqrs_amqp_handlers_t;


/* All of it is borrowed and must outlive the machine. */
typedef struct {
    amqp_bytes_t                 user;
    amqp_bytes_t                 password;
    amqp_bytes_t                 vhost;
    amqp_bytes_t                 name;          /* for the broker's operator */
    uint16_t                     heartbeat;     /* seconds, 0: none */
    size_t                       output_max;    /* bytes not sent yet */
    const cqrs_amqp_handlers_t  *handlers;
    void                        *data;          /* for the handlers */
} cqrs_amqp_conf_t;


typedef struct {
    const char    *name;
    amqp_bytes_t   value;
} cqrs_amqp_header_t;


/* Borrowed during the call.  What is empty is left out. */
typedef struct {
    amqp_bytes_t               exchange;
    amqp_bytes_t               routing_key;
    amqp_bytes_t               message_id;
    amqp_bytes_t               type;
    amqp_bytes_t               content_type;
    uint64_t                   timestamp;       /* seconds */
    const cqrs_amqp_header_t  *headers;
    size_t                     nheaders;        /* CQRS_AMQP_HEADERS_MAX */
    amqp_bytes_t               body;
} cqrs_amqp_message_t;


/*
 * The greeting waits in the output.  NULL: memory is short, or the names are
 * longer than AMQP can.
 */
cqrs_amqp_t *cqrs_amqp_create(const cqrs_amqp_conf_t *conf);

void cqrs_amqp_destroy(cqrs_amqp_t *amqp);

/* Bytes from the broker.  CQRS_AMQP_OK or CQRS_AMQP_CLOSED. */
int cqrs_amqp_input(cqrs_amqp_t *amqp, const void *data, size_t len);

/* Bytes for the broker; the pointer is good until the next call. */
size_t cqrs_amqp_output(cqrs_amqp_t *amqp, const void **data);

/* So many of them have been sent. */
void cqrs_amqp_sent(cqrs_amqp_t *amqp, size_t len);

/*
 * Persistent and mandatory.  The tag is what its confirm will say.  Never
 * CQRS_AMQP_CLOSED.
 */
int cqrs_amqp_publish(cqrs_amqp_t *amqp, const cqrs_amqp_message_t *message,
    uint64_t *tag);

/*
 * The heartbeat agreed on, in seconds; 0: none, or not agreed yet.  The caller
 * says cqrs_amqp_tick() twice in that time, which sends a heartbeat if nothing
 * else was sent, and ends a connection that was silent for two of them.
 */
unsigned cqrs_amqp_heartbeat(const cqrs_amqp_t *amqp);
int cqrs_amqp_tick(cqrs_amqp_t *amqp);

/* Says goodbye; the broker's answer ends the connection. */
void cqrs_amqp_close(cqrs_amqp_t *amqp);

/* Why it is over: one sentence without control characters. */
const char *cqrs_amqp_reason(const cqrs_amqp_t *amqp);


#endif /* CQRS_AMQP_H */
