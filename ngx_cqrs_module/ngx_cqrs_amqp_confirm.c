
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * What the broker says of messages that were sent: confirms find their op by
 * its delivery tag, returns by its message id.  All of this runs inside of a
 * read event, so nothing here calls a publisher's handler.
 */

#include "ngx_cqrs_amqp_state.h"


static void ngx_cqrs_amqp_ready(void *data);
static void ngx_cqrs_amqp_confirmed(uint64_t tag, int multiple, int accepted,
    void *data);
static void ngx_cqrs_amqp_returned(amqp_bytes_t message_id, void *data);
static void ngx_cqrs_amqp_blocked(const char *reason, void *data);
static void ngx_cqrs_amqp_channel_closed(unsigned code, const char *text,
    void *data);

static ngx_cqrs_amqp_op_t *ngx_cqrs_amqp_find(ngx_cqrs_amqp_t *amqp,
    ngx_rbtree_key_t tag);


const cqrs_amqp_handlers_t  ngx_cqrs_amqp_handlers = {
    ngx_cqrs_amqp_ready,
    ngx_cqrs_amqp_confirmed,
    ngx_cqrs_amqp_returned,
    ngx_cqrs_amqp_blocked,
    ngx_cqrs_amqp_channel_closed
};


static void
ngx_cqrs_amqp_ready(void *data)
{
    ngx_cqrs_amqp_t  *amqp = data;

    ngx_cqrs_amqp_conn_ready(&amqp->conn);
    ngx_cqrs_amqp_proceed(amqp);
}


/* One that is not found any more has timed out. */

static void
ngx_cqrs_amqp_confirmed(uint64_t tag, int multiple, int accepted, void *data)
{
    ngx_cqrs_amqp_t     *amqp = data;
    ngx_cqrs_amqp_op_t  *op;

    /* the connection is good for something */

    ngx_cqrs_backoff_reset(&amqp->conn.backoff);

    for ( ;; ) {
        op = multiple ? ngx_cqrs_amqp_first_sent(amqp)
                      : ngx_cqrs_amqp_find(amqp, (ngx_rbtree_key_t) tag);

        if (op == NULL || op->node.key > tag) {
            break;
        }

        ngx_cqrs_amqp_settle(op, op->returned ? NGX_CQRS_AMQP_UNROUTABLE
                                 : accepted ? NGX_CQRS_AMQP_CONFIRMED
                                 : NGX_CQRS_AMQP_NACKED);
    }
}


/* They come in the order of the messages: the first is the likely one. */

static void
ngx_cqrs_amqp_returned(amqp_bytes_t message_id, void *data)
{
    ngx_cqrs_amqp_t     *amqp = data;
    ngx_rbtree_node_t   *node;
    ngx_cqrs_amqp_op_t  *op;

    op = ngx_cqrs_amqp_first_sent(amqp);
    node = op ? &op->node : NULL;

    for ( /* void */ ; node; node = ngx_rbtree_next(&amqp->sent, node)) {
        op = (ngx_cqrs_amqp_op_t *) node;

        if (!op->returned
            && op->id_len == message_id.len
            && ngx_memcmp(op->id, message_id.bytes, message_id.len) == 0)
        {
            op->returned = 1;
            break;
        }
    }
}


static void
ngx_cqrs_amqp_blocked(const char *reason, void *data)
{
    ngx_cqrs_amqp_t  *amqp = data;

    if (reason == NULL) {
        ngx_log_error(NGX_LOG_NOTICE, amqp->conn.log, 0,
                      "rabbitmq \"%V\": takes messages again",
                      ngx_cqrs_amqp_conn_name(&amqp->conn));

        amqp->blocked = 0;

        ngx_cqrs_amqp_proceed(amqp);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, amqp->conn.log, 0,
                  "rabbitmq \"%V\": takes no messages now, \"%s\"",
                  ngx_cqrs_amqp_conn_name(&amqp->conn), reason);

    amqp->blocked = 1;

    ngx_cqrs_amqp_settle_waiting(amqp);
}


static void
ngx_cqrs_amqp_channel_closed(unsigned code, const char *text, void *data)
{
    ngx_cqrs_amqp_t         *amqp = data;
    ngx_cqrs_amqp_op_t      *op;
    ngx_cqrs_amqp_status_e   status;

    ngx_log_error(NGX_LOG_ERR, amqp->conn.log, 0,
                  "rabbitmq \"%V\": channel closed, %ud \"%s\"",
                  ngx_cqrs_amqp_conn_name(&amqp->conn), code, text);

    status = NGX_CQRS_AMQP_LOST;

    /*
     * There is no such exchange.  Was there one message only, then it is known
     * to have gone nowhere; of several the first may have got through.
     */

    op = ngx_cqrs_amqp_first_sent(amqp);

    if (code == AMQP_NOT_FOUND && op
        && ngx_rbtree_next(&amqp->sent, &op->node) == NULL)
    {
        status = NGX_CQRS_AMQP_UNROUTABLE;
    }

    ngx_cqrs_amqp_settle_sent(amqp, status);
}


static ngx_cqrs_amqp_op_t *
ngx_cqrs_amqp_find(ngx_cqrs_amqp_t *amqp, ngx_rbtree_key_t tag)
{
    ngx_rbtree_node_t  *node;

    node = amqp->sent.root;

    while (node != &amqp->sentinel) {

        if (tag == node->key) {
            return (ngx_cqrs_amqp_op_t *) node;
        }

        node = (tag < node->key) ? node->left : node->right;
    }

    return NULL;
}
