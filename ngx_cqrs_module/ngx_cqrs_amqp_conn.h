
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The socket below the AMQP machine: connects, reads, writes, keeps the
 * heartbeat, and after a failure tries the next address by itself.
 */

#ifndef NGX_CQRS_AMQP_CONN_H
#define NGX_CQRS_AMQP_CONN_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_event_connect.h>

#include "cqrs_amqp.h"
#include "ngx_cqrs_amqp_conf.h"
#include "ngx_cqrs_backoff.h"


typedef struct ngx_cqrs_amqp_conn_s  ngx_cqrs_amqp_conn_t;


typedef enum {
    NGX_CQRS_AMQP_CONN_DOWN = 0,   /* no socket; the timer tries again */
    NGX_CQRS_AMQP_CONN_RESOLVING,  /* its name; the timer gives up */
    NGX_CQRS_AMQP_CONN_CONNECTING, /* TCP; the same timer */
    NGX_CQRS_AMQP_CONN_SECURING,   /* TLS; the same timer */
    NGX_CQRS_AMQP_CONN_GREETING,   /* AMQP's handshake; the same timer */
    NGX_CQRS_AMQP_CONN_READY,      /* the timer ticks the heartbeat */
    NGX_CQRS_AMQP_CONN_STOPPED     /* for good */
} ngx_cqrs_amqp_conn_state_e;


struct ngx_cqrs_amqp_conn_s {
    ngx_cqrs_amqp_conn_state_e     state;
    ngx_cqrs_amqp_conf_t          *conf;
    const cqrs_amqp_handlers_t    *handlers;       /* of the machine */

    /* the socket is gone, or could not be had; never from inside a handler */
    void                         (*down)(void *data);

    /* all that waited has been sent */
    void                         (*drained)(void *data);

    /* whether a worker that exits shall still try */
    ngx_uint_t                   (*wanted)(void *data);

    void                          *data;           /* of all of these */
    ngx_log_t                     *log;

    cqrs_amqp_t                   *machine;
    ngx_resolver_ctx_t            *resolving;
    ngx_peer_connection_t          peer;
    ngx_event_t                    timer;
    ngx_event_t                    flush;
    ngx_cqrs_backoff_t             backoff;
    ngx_uint_t                     server;         /* the one that is tried */
    ngx_uint_t                     failures;       /* to get ready, in a row */
    ngx_uint_t                     attempts;
    ngx_msec_t                     since;          /* when it was ready */
    u_char                         name[32];
    size_t                         name_len;
};


/* The fields up to the log are the caller's; begins to connect. */
void ngx_cqrs_amqp_conn_start(ngx_cqrs_amqp_conn_t *conn);

/* To be called by the machine's ready(). */
void ngx_cqrs_amqp_conn_ready(ngx_cqrs_amqp_conn_t *conn);

/* Sends what the machine has, once, at the end of this turn of the loop. */
void ngx_cqrs_amqp_conn_flush(ngx_cqrs_amqp_conn_t *conn);

/* Says goodbye as far as that can be done without waiting. */
void ngx_cqrs_amqp_conn_stop(ngx_cqrs_amqp_conn_t *conn);

/* Every address was tried in vain. */
ngx_uint_t ngx_cqrs_amqp_conn_is_away(ngx_cqrs_amqp_conn_t *conn);

/* The address in use, for logs. */
ngx_str_t *ngx_cqrs_amqp_conn_name(ngx_cqrs_amqp_conn_t *conn);


#endif /* NGX_CQRS_AMQP_CONN_H */
