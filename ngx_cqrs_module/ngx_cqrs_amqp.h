
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * RabbitMQ for one worker: a connection that publishes with confirms.
 *
 * A message is published here, and its handler is called exactly once: with
 * the broker's confirm, or with the reason why there is none.  A caller that
 * goes away first says ngx_cqrs_amqp_cancel(); then nothing is called.
 *
 * While the first connection is made, as after a reload, messages wait for it.
 * When the broker is known to be away they are answered at once.
 */

#ifndef NGX_CQRS_AMQP_H
#define NGX_CQRS_AMQP_H


#include "ngx_cqrs_backend.h"

#include "cqrs_amqp.h"


typedef struct ngx_cqrs_amqp_s     ngx_cqrs_amqp_t;
typedef struct ngx_cqrs_amqp_op_s  ngx_cqrs_amqp_op_t;


typedef enum {
    NGX_CQRS_AMQP_CONFIRMED = 0,
    NGX_CQRS_AMQP_UNROUTABLE,      /* no queue takes it */
    NGX_CQRS_AMQP_NACKED,          /* the broker refused it */
    NGX_CQRS_AMQP_UNAVAILABLE,     /* it was not sent */
    NGX_CQRS_AMQP_OVERLOADED,      /* it was not sent, too many wait */
    NGX_CQRS_AMQP_LOST,            /* sent; the connection broke */
    NGX_CQRS_AMQP_TIMEOUT          /* sent; no confirm in time */
} ngx_cqrs_amqp_status_e;


/* Called once, from the event loop, never before publish has returned. */
typedef void (*ngx_cqrs_amqp_handler_pt)(ngx_cqrs_amqp_status_e status,
    void *data);


extern const ngx_cqrs_backend_type_t  ngx_cqrs_amqp_backend;


/*
 * Everything in the message is copied, except for the headers' names.  Returns
 * NULL when memory is short or the message is no AMQP message, and then calls
 * nothing.
 */
ngx_cqrs_amqp_op_t *ngx_cqrs_amqp_publish(ngx_cqrs_amqp_t *amqp,
    const cqrs_amqp_message_t *message, ngx_cqrs_amqp_handler_pt handler,
    void *data);

/*
 * For those who do not wait for the broker.  The handler is told CONFIRMED if
 * the message is kept here until the broker has it, also while that is away,
 * or OVERLOADED; what is lost in the end is told to the log.
 */
ngx_cqrs_amqp_op_t *ngx_cqrs_amqp_keep(ngx_cqrs_amqp_t *amqp,
    const cqrs_amqp_message_t *message, ngx_cqrs_amqp_handler_pt handler,
    void *data);

/* Host, port and vhost, as the first URL has them; it stays the same. */
const ngx_str_t *ngx_cqrs_amqp_place(ngx_cqrs_amqp_t *amqp);

/* Where names are resolved when a connection is made; the first one counts. */
void ngx_cqrs_amqp_set_resolver(ngx_cqrs_amqp_t *amqp,
    ngx_resolver_t *resolver);

/* The caller goes away.  What is not sent yet will not be. */
void ngx_cqrs_amqp_cancel(ngx_cqrs_amqp_op_t *op);


#endif /* NGX_CQRS_AMQP_H */
