
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The inside of the publisher, for its own two files: ngx_cqrs_amqp.c, which
 * takes messages and tells what became of them, and ngx_cqrs_amqp_confirm.c,
 * which hears of that from the broker.  Nobody else includes this.
 */

#ifndef NGX_CQRS_AMQP_STATE_H
#define NGX_CQRS_AMQP_STATE_H


#include "ngx_cqrs_amqp.h"
#include "ngx_cqrs_amqp_conf.h"
#include "ngx_cqrs_amqp_conn.h"
#include "ngx_cqrs_amqp_copy.h"


#define NGX_CQRS_AMQP_ID_MAX  40


typedef enum {
    NGX_CQRS_AMQP_OP_WAITING = 0,  /* in the queue, with a message */
    NGX_CQRS_AMQP_OP_SENT,         /* in the tree, by its tag */
    NGX_CQRS_AMQP_OP_DONE          /* in the queue of those with a status */
} ngx_cqrs_amqp_op_state_e;


struct ngx_cqrs_amqp_op_s {
    ngx_rbtree_node_t            node;
    ngx_queue_t                  queue;
    ngx_event_t                  timer;
    ngx_cqrs_amqp_t             *amqp;
    ngx_cqrs_amqp_copy_t        *copy;     /* owned, while it waits, or kept */
    ngx_cqrs_amqp_handler_pt     handler;  /* NULL: the caller went away */
    void                        *data;
    ngx_cqrs_amqp_op_state_e     state;
    ngx_cqrs_amqp_status_e       status;
    unsigned                     returned:1;
    unsigned                     kept:1;
    u_char                       tries;
    u_char                       id_len;
    u_char                       id[NGX_CQRS_AMQP_ID_MAX];
};


struct ngx_cqrs_amqp_s {
    ngx_cqrs_backend_t           backend;
    ngx_cqrs_amqp_conf_t         conf;
    ngx_cqrs_amqp_conn_t         conn;

    ngx_queue_t                  waiting;
    size_t                       copies_size;
    ngx_rbtree_t                 sent;
    ngx_rbtree_node_t            sentinel;
    ngx_queue_t                  done;
    ngx_event_t                  finish;
    ngx_uint_t                   unconfirmed;  /* waiting and sent */
    ngx_uint_t                   blocked;
    ngx_uint_t                   stopped;
};


/* What the broker says. */
extern const cqrs_amqp_handlers_t  ngx_cqrs_amqp_handlers;


/* Sends what waits, in order, as far as the channel takes it. */
void ngx_cqrs_amqp_proceed(void *data);

/* The status is known: the handler will be called soon. */
void ngx_cqrs_amqp_settle(ngx_cqrs_amqp_op_t *op,
    ngx_cqrs_amqp_status_e status);

/* Those that are kept go on waiting. */
void ngx_cqrs_amqp_settle_waiting(ngx_cqrs_amqp_t *amqp);

/* Those that are kept wait again, in their order, before all others. */
void ngx_cqrs_amqp_settle_sent(ngx_cqrs_amqp_t *amqp,
    ngx_cqrs_amqp_status_e status);

/* The oldest one, or NULL. */
ngx_cqrs_amqp_op_t *ngx_cqrs_amqp_first_sent(ngx_cqrs_amqp_t *amqp);


#endif /* NGX_CQRS_AMQP_STATE_H */
