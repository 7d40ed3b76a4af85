
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Prefer: wait=<seconds>.  A request that waits for its command's outcome
 * listens to its user's channel, beside whoever else does in this worker.
 */

#ifndef NGX_HTTP_CQRS_COMMAND_WAIT_H
#define NGX_HTTP_CQRS_COMMAND_WAIT_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_cqrs_channel.h"

#include "cqrs_outcome.h"


typedef struct {
    ngx_cqrs_subscription_t  *sub;           /* NULL: it does not wait */
    ngx_str_t                 id;            /* of the command */
    ngx_msec_t                begun;
    ngx_msec_t                time;          /* from then on */
    ngx_event_t               timer;
    ngx_event_t               woken;         /* posted */

    void                    (*handler)(void *data);
    void                     *data;

    cqrs_outcome_e            outcome;
    unsigned                  listening:1;   /* nothing is missed now */
    unsigned                  over:1;        /* nothing will be heard */
} ngx_http_cqrs_command_wait_t;


/* How long the client wants to wait; 0: not at all. */
ngx_msec_t ngx_http_cqrs_command_wait_wanted(ngx_http_request_t *r);

/*
 * NGX_OK: the handler is called from the event loop when the user is listened
 * to, or can't be; and again when the outcome is known or it is over.
 * NGX_DECLINED: there is nothing to listen to.
 */
ngx_int_t ngx_http_cqrs_command_wait_begin(ngx_http_request_t *r,
    ngx_http_cqrs_command_wait_t *wait, ngx_cqrs_redis_t *redis,
    const ngx_str_t *user);

/* The handler is called no more.  May be said twice, and of one not begun. */
void ngx_http_cqrs_command_wait_end(ngx_http_cqrs_command_wait_t *wait);


#endif /* NGX_HTTP_CQRS_COMMAND_WAIT_H */
