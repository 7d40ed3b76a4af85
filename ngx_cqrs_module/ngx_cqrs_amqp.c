
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Messages on their way to the broker.
 *
 * An op waits with a copy of its message until the channel takes it, is then
 * known by its delivery tag until the broker confirms it, and is done once its
 * status is known.  Handlers are called from a posted event only, where
 * nothing else is at work.  Memory is bounded by the number of ops and the
 * bytes they may hold while they wait.
 *
 * The timer of an op is not cancelable: a worker that exits stays for the
 * confirms it waits for.
 */

#include "ngx_cqrs_amqp.h"
#include "ngx_cqrs_amqp_conf.h"
#include "ngx_cqrs_amqp_conn.h"


#define NGX_CQRS_AMQP_ID_MAX       40
#define NGX_CQRS_AMQP_WAITING_MAX  (8 * 1024 * 1024)


typedef enum {
    NGX_CQRS_AMQP_OP_WAITING = 0,  /* in the queue, with a message */
    NGX_CQRS_AMQP_OP_SENT,         /* in the tree, by its tag */
    NGX_CQRS_AMQP_OP_DONE          /* in the queue of those with a status */
} ngx_cqrs_amqp_op_state_e;


typedef struct {
    size_t                       size;
    cqrs_amqp_message_t          message;
    cqrs_amqp_header_t           headers[CQRS_AMQP_HEADERS_MAX];
} ngx_cqrs_amqp_copy_t;


struct ngx_cqrs_amqp_op_s {
    ngx_rbtree_node_t            node;
    ngx_queue_t                  queue;
    ngx_event_t                  timer;
    ngx_cqrs_amqp_t             *amqp;
    ngx_cqrs_amqp_copy_t        *copy;     /* owned, while it waits */
    ngx_cqrs_amqp_handler_pt     handler;  /* NULL: the caller went away */
    void                        *data;
    ngx_cqrs_amqp_op_state_e     state;
    ngx_cqrs_amqp_status_e       status;
    unsigned                     returned:1;
    u_char                       id_len;
    u_char                       id[NGX_CQRS_AMQP_ID_MAX];
};


struct ngx_cqrs_amqp_s {
    ngx_cqrs_backend_t           backend;
    ngx_cqrs_amqp_conf_t         conf;
    ngx_cqrs_amqp_conn_t         conn;

    ngx_queue_t                  waiting;
    size_t                       waiting_size;
    ngx_rbtree_t                 sent;
    ngx_rbtree_node_t            sentinel;
    ngx_queue_t                  done;
    ngx_event_t                  finish;
    ngx_uint_t                   unconfirmed;  /* waiting and sent */
    ngx_uint_t                   blocked;
};


static ngx_cqrs_backend_t *ngx_cqrs_amqp_create(ngx_conf_t *cf);
static ngx_int_t ngx_cqrs_amqp_start(ngx_cqrs_backend_t *backend,
    ngx_cycle_t *cycle);
static void ngx_cqrs_amqp_stop(ngx_cqrs_backend_t *backend);

static int ngx_cqrs_amqp_send(ngx_cqrs_amqp_op_t *op,
    const cqrs_amqp_message_t *message);
static ngx_int_t ngx_cqrs_amqp_wait(ngx_cqrs_amqp_op_t *op,
    const cqrs_amqp_message_t *message);
static ngx_cqrs_amqp_copy_t *ngx_cqrs_amqp_copy(
    const cqrs_amqp_message_t *message);
static u_char *ngx_cqrs_amqp_copy_bytes(u_char *p, amqp_bytes_t *bytes);
static void ngx_cqrs_amqp_proceed(void *data);
static void ngx_cqrs_amqp_settle(ngx_cqrs_amqp_op_t *op,
    ngx_cqrs_amqp_status_e status);
static void ngx_cqrs_amqp_unlink(ngx_cqrs_amqp_op_t *op);
static void ngx_cqrs_amqp_settle_waiting(ngx_cqrs_amqp_t *amqp);
static void ngx_cqrs_amqp_settle_sent(ngx_cqrs_amqp_t *amqp,
    ngx_cqrs_amqp_status_e status);
static void ngx_cqrs_amqp_finish_handler(ngx_event_t *ev);
static void ngx_cqrs_amqp_timer_handler(ngx_event_t *ev);
static ngx_cqrs_amqp_op_t *ngx_cqrs_amqp_first_sent(ngx_cqrs_amqp_t *amqp);
static ngx_cqrs_amqp_op_t *ngx_cqrs_amqp_find(ngx_cqrs_amqp_t *amqp,
    ngx_rbtree_key_t tag);

static void ngx_cqrs_amqp_ready(void *data);
static void ngx_cqrs_amqp_confirmed(uint64_t tag, int multiple, int accepted,
    void *data);
static void ngx_cqrs_amqp_returned(amqp_bytes_t message_id, void *data);
static void ngx_cqrs_amqp_blocked(const char *reason, void *data);
static void ngx_cqrs_amqp_channel_closed(unsigned code, const char *text,
    void *data);
static void ngx_cqrs_amqp_down(void *data);
static ngx_uint_t ngx_cqrs_amqp_wanted(void *data);


const ngx_cqrs_backend_type_t  ngx_cqrs_amqp_backend = {
    "rabbitmq",
    ngx_cqrs_amqp_create,
    ngx_cqrs_amqp_start,
    ngx_cqrs_amqp_stop
};


static const cqrs_amqp_handlers_t  ngx_cqrs_amqp_handlers = {
    ngx_cqrs_amqp_ready,
    ngx_cqrs_amqp_confirmed,
    ngx_cqrs_amqp_returned,
    ngx_cqrs_amqp_blocked,
    ngx_cqrs_amqp_channel_closed
};


ngx_cqrs_amqp_op_t *
ngx_cqrs_amqp_publish(ngx_cqrs_amqp_t *amqp,
    const cqrs_amqp_message_t *message, ngx_cqrs_amqp_handler_pt handler,
    void *data)
{
    int                  rc;
    ngx_cqrs_amqp_op_t  *op;

    if (message->message_id.len > NGX_CQRS_AMQP_ID_MAX) {
        return NULL;
    }

    op = ngx_calloc(sizeof(ngx_cqrs_amqp_op_t), amqp->conn.log);
    if (op == NULL) {
        return NULL;
    }

    op->amqp = amqp;
    op->handler = handler;
    op->data = data;
    op->id_len = (u_char) message->message_id.len;
    ngx_memcpy(op->id, message->message_id.bytes, op->id_len);

    op->timer.handler = ngx_cqrs_amqp_timer_handler;
    op->timer.data = op;
    op->timer.log = amqp->conn.log;

    amqp->unconfirmed++;

    ngx_add_timer(&op->timer, amqp->conf.timeout);

    op->state = NGX_CQRS_AMQP_OP_WAITING;
    ngx_queue_insert_tail(&amqp->waiting, &op->queue);

    if (amqp->unconfirmed > amqp->conf.max_unconfirmed) {
        ngx_cqrs_amqp_settle(op, NGX_CQRS_AMQP_OVERLOADED);
        return op;
    }

    if (amqp->blocked || ngx_cqrs_amqp_conn_is_away(&amqp->conn)) {
        ngx_cqrs_amqp_settle(op, NGX_CQRS_AMQP_UNAVAILABLE);
        return op;
    }

    /* not before those that wait */

    rc = CQRS_AMQP_NOT_READY;

    if (ngx_queue_head(&amqp->waiting) == &op->queue) {
        rc = ngx_cqrs_amqp_send(op, message);
    }

    if (rc == CQRS_AMQP_OK) {
        ngx_cqrs_amqp_conn_flush(&amqp->conn);
        return op;
    }

    if ((rc == CQRS_AMQP_NOT_READY || rc == CQRS_AMQP_FULL)
        && ngx_cqrs_amqp_wait(op, message) == NGX_OK)
    {
        return op;
    }

    ngx_cqrs_amqp_unlink(op);
    ngx_free(op);

    return NULL;
}


void
ngx_cqrs_amqp_cancel(ngx_cqrs_amqp_op_t *op)
{
    op->handler = NULL;

    if (op->state == NGX_CQRS_AMQP_OP_WAITING) {
        ngx_cqrs_amqp_unlink(op);
        ngx_free(op);
    }
}


static ngx_cqrs_backend_t *
ngx_cqrs_amqp_create(ngx_conf_t *cf)
{
    ngx_cqrs_amqp_t  *amqp;

    amqp = ngx_pcalloc(cf->pool, sizeof(ngx_cqrs_amqp_t));
    if (amqp == NULL) {
        return NULL;
    }

    if (ngx_cqrs_amqp_conf_read(cf, &amqp->conf) != NGX_OK) {
        return NULL;
    }

    return &amqp->backend;
}


static ngx_int_t
ngx_cqrs_amqp_start(ngx_cqrs_backend_t *backend, ngx_cycle_t *cycle)
{
    ngx_cqrs_amqp_t  *amqp = (ngx_cqrs_amqp_t *) backend;

    ngx_queue_init(&amqp->waiting);
    ngx_queue_init(&amqp->done);

    ngx_rbtree_init(&amqp->sent, &amqp->sentinel, ngx_rbtree_insert_value);

    amqp->finish.handler = ngx_cqrs_amqp_finish_handler;
    amqp->finish.data = amqp;
    amqp->finish.log = cycle->log;

    amqp->conn.conf = &amqp->conf;
    amqp->conn.handlers = &ngx_cqrs_amqp_handlers;
    amqp->conn.down = ngx_cqrs_amqp_down;
    amqp->conn.drained = ngx_cqrs_amqp_proceed;
    amqp->conn.wanted = ngx_cqrs_amqp_wanted;
    amqp->conn.data = amqp;
    amqp->conn.log = cycle->log;

    ngx_cqrs_amqp_conn_start(&amqp->conn);

    return NGX_OK;
}


static void
ngx_cqrs_amqp_stop(ngx_cqrs_backend_t *backend)
{
    ngx_queue_t         *q;
    ngx_cqrs_amqp_t     *amqp = (ngx_cqrs_amqp_t *) backend;
    ngx_cqrs_amqp_op_t  *op;

    ngx_cqrs_amqp_conn_stop(&amqp->conn);

    /* a worker that is told to leave at once may still have requests */

    ngx_cqrs_amqp_settle_sent(amqp, NGX_CQRS_AMQP_LOST);
    ngx_cqrs_amqp_settle_waiting(amqp);

    while (!ngx_queue_empty(&amqp->done)) {
        q = ngx_queue_head(&amqp->done);
        op = ngx_queue_data(q, ngx_cqrs_amqp_op_t, queue);

        ngx_queue_remove(q);
        ngx_free(op);
    }

    if (amqp->finish.posted) {
        ngx_delete_posted_event(&amqp->finish);
    }
}


/* Moves an op from the queue to the tree, if the channel takes the message. */

static int
ngx_cqrs_amqp_send(ngx_cqrs_amqp_op_t *op, const cqrs_amqp_message_t *message)
{
    int               rc;
    uint64_t          tag;
    ngx_cqrs_amqp_t  *amqp;

    amqp = op->amqp;

    if (amqp->conn.state != NGX_CQRS_AMQP_CONN_READY) {
        return CQRS_AMQP_NOT_READY;
    }

    rc = cqrs_amqp_publish(amqp->conn.machine, message, &tag);

    if (rc != CQRS_AMQP_OK) {
        return rc;
    }

    ngx_queue_remove(&op->queue);

    op->state = NGX_CQRS_AMQP_OP_SENT;
    op->node.key = (ngx_rbtree_key_t) tag;

    ngx_rbtree_insert(&amqp->sent, &op->node);

    return CQRS_AMQP_OK;
}


static ngx_int_t
ngx_cqrs_amqp_wait(ngx_cqrs_amqp_op_t *op, const cqrs_amqp_message_t *message)
{
    ngx_cqrs_amqp_t  *amqp;

    amqp = op->amqp;

    op->copy = ngx_cqrs_amqp_copy(message);
    if (op->copy == NULL) {
        return NGX_ERROR;
    }

    amqp->waiting_size += op->copy->size;

    /* one alone may be of any size */

    if (amqp->waiting_size > NGX_CQRS_AMQP_WAITING_MAX
        && amqp->waiting_size != op->copy->size)
    {
        ngx_cqrs_amqp_settle(op, NGX_CQRS_AMQP_OVERLOADED);
    }

    return NGX_OK;
}


/* All of a message in one piece of memory. */

static ngx_cqrs_amqp_copy_t *
ngx_cqrs_amqp_copy(const cqrs_amqp_message_t *message)
{
    size_t                 i, size;
    u_char                *p;
    ngx_cqrs_amqp_copy_t  *copy;

    if (message->nheaders > CQRS_AMQP_HEADERS_MAX) {
        return NULL;
    }

    size = sizeof(ngx_cqrs_amqp_copy_t)
           + message->exchange.len + message->routing_key.len
           + message->message_id.len + message->type.len
           + message->content_type.len + message->body.len;

    for (i = 0; i < message->nheaders; i++) {
        size += message->headers[i].value.len;
    }

    copy = ngx_alloc(size, ngx_cycle->log);
    if (copy == NULL) {
        return NULL;
    }

    copy->size = size;
    copy->message = *message;
    copy->message.headers = copy->headers;

    p = (u_char *) copy + sizeof(ngx_cqrs_amqp_copy_t);

    p = ngx_cqrs_amqp_copy_bytes(p, &copy->message.exchange);
    p = ngx_cqrs_amqp_copy_bytes(p, &copy->message.routing_key);
    p = ngx_cqrs_amqp_copy_bytes(p, &copy->message.message_id);
    p = ngx_cqrs_amqp_copy_bytes(p, &copy->message.type);
    p = ngx_cqrs_amqp_copy_bytes(p, &copy->message.content_type);
    p = ngx_cqrs_amqp_copy_bytes(p, &copy->message.body);

    for (i = 0; i < message->nheaders; i++) {
        copy->headers[i] = message->headers[i];
        p = ngx_cqrs_amqp_copy_bytes(p, &copy->headers[i].value);
    }

    return copy;
}


static u_char *
ngx_cqrs_amqp_copy_bytes(u_char *p, amqp_bytes_t *bytes)
{
    if (bytes->len) {
        ngx_memcpy(p, bytes->bytes, bytes->len);
    }

    bytes->bytes = p;

    return p + bytes->len;
}


/* Sends what waits, in order, as far as the channel takes it. */

static void
ngx_cqrs_amqp_proceed(void *data)
{
    ngx_queue_t         *q;
    ngx_cqrs_amqp_t     *amqp = data;
    ngx_cqrs_amqp_op_t  *op;

    while (!ngx_queue_empty(&amqp->waiting)) {
        q = ngx_queue_head(&amqp->waiting);
        op = ngx_queue_data(q, ngx_cqrs_amqp_op_t, queue);

        if (ngx_cqrs_amqp_send(op, &op->copy->message) != CQRS_AMQP_OK) {
            break;
        }

        amqp->waiting_size -= op->copy->size;

        ngx_free(op->copy);
        op->copy = NULL;

        ngx_cqrs_amqp_conn_flush(&amqp->conn);
    }
}


/* The status is known: the handler will be called soon. */

static void
ngx_cqrs_amqp_settle(ngx_cqrs_amqp_op_t *op, ngx_cqrs_amqp_status_e status)
{
    ngx_cqrs_amqp_t  *amqp;

    amqp = op->amqp;

    ngx_cqrs_amqp_unlink(op);

    op->state = NGX_CQRS_AMQP_OP_DONE;
    op->status = status;

    ngx_queue_insert_tail(&amqp->done, &op->queue);

    if (!amqp->finish.posted) {
        ngx_post_event(&amqp->finish, &ngx_posted_events);
    }
}


/* Takes an op that waits or was sent out of everything that knows it. */

static void
ngx_cqrs_amqp_unlink(ngx_cqrs_amqp_op_t *op)
{
    ngx_cqrs_amqp_t  *amqp;

    amqp = op->amqp;

    if (op->state == NGX_CQRS_AMQP_OP_SENT) {
        ngx_rbtree_delete(&amqp->sent, &op->node);

    } else {
        ngx_queue_remove(&op->queue);
    }

    if (op->copy) {
        amqp->waiting_size -= op->copy->size;

        ngx_free(op->copy);
        op->copy = NULL;
    }

    if (op->timer.timer_set) {
        ngx_del_timer(&op->timer);
    }

    amqp->unconfirmed--;
}


static void
ngx_cqrs_amqp_settle_waiting(ngx_cqrs_amqp_t *amqp)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&amqp->waiting)) {
        q = ngx_queue_head(&amqp->waiting);

        ngx_cqrs_amqp_settle(ngx_queue_data(q, ngx_cqrs_amqp_op_t, queue),
                             NGX_CQRS_AMQP_UNAVAILABLE);
    }
}


static void
ngx_cqrs_amqp_settle_sent(ngx_cqrs_amqp_t *amqp, ngx_cqrs_amqp_status_e status)
{
    ngx_cqrs_amqp_op_t  *op;

    for ( ;; ) {
        op = ngx_cqrs_amqp_first_sent(amqp);

        if (op == NULL) {
            break;
        }

        ngx_cqrs_amqp_settle(op, status);
    }
}


static void
ngx_cqrs_amqp_finish_handler(ngx_event_t *ev)
{
    ngx_queue_t         *q;
    ngx_cqrs_amqp_t     *amqp;
    ngx_cqrs_amqp_op_t  *op;

    amqp = ev->data;

    while (!ngx_queue_empty(&amqp->done)) {
        q = ngx_queue_head(&amqp->done);
        op = ngx_queue_data(q, ngx_cqrs_amqp_op_t, queue);

        ngx_queue_remove(q);

        if (op->handler) {
            op->handler(op->status, op->data);
        }

        ngx_free(op);
    }
}


static void
ngx_cqrs_amqp_timer_handler(ngx_event_t *ev)
{
    ngx_cqrs_amqp_op_t  *op;

    op = ev->data;

    ngx_cqrs_amqp_settle(op, op->state == NGX_CQRS_AMQP_OP_SENT
                             ? NGX_CQRS_AMQP_TIMEOUT
                             : NGX_CQRS_AMQP_UNAVAILABLE);
}


static ngx_cqrs_amqp_op_t *
ngx_cqrs_amqp_first_sent(ngx_cqrs_amqp_t *amqp)
{
    if (amqp->sent.root == &amqp->sentinel) {
        return NULL;
    }

    return (ngx_cqrs_amqp_op_t *) ngx_rbtree_min(amqp->sent.root,
                                                 &amqp->sentinel);
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


static void
ngx_cqrs_amqp_down(void *data)
{
    ngx_cqrs_amqp_t  *amqp = data;

    amqp->blocked = 0;

    ngx_cqrs_amqp_settle_sent(amqp, NGX_CQRS_AMQP_LOST);

    if (ngx_cqrs_amqp_conn_is_away(&amqp->conn)) {
        ngx_cqrs_amqp_settle_waiting(amqp);
    }
}


static ngx_uint_t
ngx_cqrs_amqp_wanted(void *data)
{
    ngx_cqrs_amqp_t  *amqp = data;

    return !ngx_queue_empty(&amqp->waiting);
}
