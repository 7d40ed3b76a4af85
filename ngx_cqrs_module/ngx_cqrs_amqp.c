
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
 * A kept op has nobody who waits for it.  It holds its copy until the broker
 * has confirmed it, and is sent again, in its place, when the connection broke
 * before that.
 *
 * The timer of an op is not cancelable: a worker that exits stays for the
 * confirms it waits for.
 */

#include "ngx_cqrs_amqp_state.h"

#include "ngx_cqrs_busy_poll.h"


#define NGX_CQRS_AMQP_COPIES_MAX  (8 * 1024 * 1024)
#define NGX_CQRS_AMQP_TRIES       10       /* to get a kept one through */


static ngx_cqrs_backend_t *ngx_cqrs_amqp_create(ngx_conf_t *cf);
static ngx_int_t ngx_cqrs_amqp_start(ngx_cqrs_backend_t *backend,
    ngx_cycle_t *cycle);
static void ngx_cqrs_amqp_stop(ngx_cqrs_backend_t *backend);

static ngx_cqrs_amqp_op_t *ngx_cqrs_amqp_op_create(ngx_cqrs_amqp_t *amqp,
    const cqrs_amqp_message_t *message, ngx_cqrs_amqp_handler_pt handler,
    void *data);
static void ngx_cqrs_amqp_enqueue(ngx_cqrs_amqp_op_t *op);
static int ngx_cqrs_amqp_send(ngx_cqrs_amqp_op_t *op,
    const cqrs_amqp_message_t *message);
static ngx_int_t ngx_cqrs_amqp_wait(ngx_cqrs_amqp_op_t *op,
    const cqrs_amqp_message_t *message);
static void ngx_cqrs_amqp_done(ngx_cqrs_amqp_op_t *op,
    ngx_cqrs_amqp_status_e status);
static void ngx_cqrs_amqp_unlink(ngx_cqrs_amqp_op_t *op);
static void ngx_cqrs_amqp_drop_copy(ngx_cqrs_amqp_op_t *op);
static ngx_uint_t ngx_cqrs_amqp_is_stubborn(ngx_cqrs_amqp_op_t *op);
static void ngx_cqrs_amqp_finish_handler(ngx_event_t *ev);
static void ngx_cqrs_amqp_tell_kept(ngx_cqrs_amqp_op_t *op);
static void ngx_cqrs_amqp_timer_handler(ngx_event_t *ev);

static void ngx_cqrs_amqp_down(void *data);
static ngx_uint_t ngx_cqrs_amqp_wanted(void *data);


const ngx_cqrs_backend_type_t  ngx_cqrs_amqp_backend = {
    "rabbitmq",
    ngx_cqrs_amqp_create,
    ngx_cqrs_amqp_start,
    ngx_cqrs_amqp_stop
};


ngx_cqrs_amqp_op_t *
ngx_cqrs_amqp_publish(ngx_cqrs_amqp_t *amqp,
    const cqrs_amqp_message_t *message, ngx_cqrs_amqp_handler_pt handler,
    void *data)
{
    int                  rc;
    ngx_cqrs_amqp_op_t  *op;

    op = ngx_cqrs_amqp_op_create(amqp, message, handler, data);
    if (op == NULL) {
        return NULL;
    }

    ngx_cqrs_amqp_enqueue(op);
    ngx_cqrs_busy_poll();

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

    if (rc == CQRS_AMQP_NOT_READY || rc == CQRS_AMQP_FULL) {

        switch (ngx_cqrs_amqp_wait(op, message)) {

        case NGX_OK:
            return op;

        case NGX_BUSY:
            ngx_cqrs_amqp_settle(op, NGX_CQRS_AMQP_OVERLOADED);
            return op;
        }
    }

    ngx_cqrs_amqp_unlink(op);
    ngx_free(op);

    return NULL;
}


ngx_cqrs_amqp_op_t *
ngx_cqrs_amqp_keep(ngx_cqrs_amqp_t *amqp, const cqrs_amqp_message_t *message,
    ngx_cqrs_amqp_handler_pt handler, void *data)
{
    ngx_int_t            rc;
    ngx_cqrs_amqp_op_t  *op, *answer;

    answer = ngx_cqrs_amqp_op_create(amqp, message, handler, data);
    if (answer == NULL) {
        return NULL;
    }

    op = ngx_cqrs_amqp_op_create(amqp, message, NULL, NULL);
    if (op == NULL) {
        ngx_free(answer);
        return NULL;
    }

    op->kept = 1;

    ngx_cqrs_amqp_enqueue(op);

    rc = (amqp->unconfirmed > amqp->conf.max_unconfirmed)
         ? NGX_BUSY : ngx_cqrs_amqp_wait(op, message);

    if (rc != NGX_OK) {
        ngx_cqrs_amqp_unlink(op);
        ngx_free(op);
    }

    if (rc == NGX_ERROR) {
        ngx_free(answer);
        return NULL;
    }

    ngx_cqrs_amqp_done(answer, rc == NGX_OK ? NGX_CQRS_AMQP_CONFIRMED
                                            : NGX_CQRS_AMQP_OVERLOADED);

    ngx_cqrs_amqp_proceed(amqp);

    return answer;
}


static ngx_cqrs_amqp_op_t *
ngx_cqrs_amqp_op_create(ngx_cqrs_amqp_t *amqp,
    const cqrs_amqp_message_t *message, ngx_cqrs_amqp_handler_pt handler,
    void *data)
{
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

    return op;
}


static void
ngx_cqrs_amqp_enqueue(ngx_cqrs_amqp_op_t *op)
{
    ngx_cqrs_amqp_t  *amqp;

    amqp = op->amqp;

    amqp->unconfirmed++;

    ngx_add_timer(&op->timer, amqp->conf.timeout);

    op->state = NGX_CQRS_AMQP_OP_WAITING;
    ngx_queue_insert_tail(&amqp->waiting, &op->queue);
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


const ngx_str_t *
ngx_cqrs_amqp_place(ngx_cqrs_amqp_t *amqp)
{
    return &amqp->conf.place;
}


void
ngx_cqrs_amqp_set_resolver(ngx_cqrs_amqp_t *amqp, ngx_resolver_t *resolver)
{
    if (amqp->conf.resolver == NULL) {
        amqp->conf.resolver = resolver;
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
    ngx_uint_t           lost;
    ngx_queue_t         *q;
    ngx_cqrs_amqp_t     *amqp = (ngx_cqrs_amqp_t *) backend;
    ngx_cqrs_amqp_op_t  *op;

    amqp->stopped = 1;
    lost = 0;

    ngx_cqrs_amqp_conn_stop(&amqp->conn);

    /* a worker that is told to leave at once may still have requests */

    ngx_cqrs_amqp_settle_sent(amqp, NGX_CQRS_AMQP_LOST);
    ngx_cqrs_amqp_settle_waiting(amqp);

    while (!ngx_queue_empty(&amqp->done)) {
        q = ngx_queue_head(&amqp->done);
        op = ngx_queue_data(q, ngx_cqrs_amqp_op_t, queue);

        lost += op->kept && op->status != NGX_CQRS_AMQP_CONFIRMED;

        ngx_queue_remove(q);
        ngx_free(op);
    }

    if (lost) {
        ngx_log_error(NGX_LOG_ERR, amqp->conn.log, 0,
                      "rabbitmq: the worker leaves with %ui messages "
                      "that were answered but not confirmed", lost);
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


/* NGX_BUSY: those that wait have all the memory. */

static ngx_int_t
ngx_cqrs_amqp_wait(ngx_cqrs_amqp_op_t *op, const cqrs_amqp_message_t *message)
{
    ngx_cqrs_amqp_t  *amqp;

    amqp = op->amqp;

    op->copy = ngx_cqrs_amqp_copy(message);
    if (op->copy == NULL) {
        return NGX_ERROR;
    }

    amqp->copies_size += op->copy->size;

    /* one alone may be of any size */

    if (amqp->copies_size > NGX_CQRS_AMQP_COPIES_MAX
        && amqp->copies_size != op->copy->size)
    {
        return NGX_BUSY;
    }

    return NGX_OK;
}


void
ngx_cqrs_amqp_proceed(void *data)
{
    int                  rc;
    ngx_queue_t         *q;
    ngx_cqrs_amqp_t     *amqp = data;
    ngx_cqrs_amqp_op_t  *op;

    while (!ngx_queue_empty(&amqp->waiting)) {
        q = ngx_queue_head(&amqp->waiting);
        op = ngx_queue_data(q, ngx_cqrs_amqp_op_t, queue);

        rc = ngx_cqrs_amqp_send(op, &op->copy->message);

        if (rc == CQRS_AMQP_TOO_LARGE) {
            ngx_cqrs_amqp_settle(op, NGX_CQRS_AMQP_NACKED);
            continue;
        }

        if (rc != CQRS_AMQP_OK) {
            break;
        }

        if (!op->kept) {
            ngx_cqrs_amqp_drop_copy(op);
        }

        ngx_cqrs_amqp_conn_flush(&amqp->conn);
    }
}


void
ngx_cqrs_amqp_settle(ngx_cqrs_amqp_op_t *op, ngx_cqrs_amqp_status_e status)
{
    ngx_cqrs_amqp_unlink(op);
    ngx_cqrs_amqp_done(op, status);
}


static void
ngx_cqrs_amqp_done(ngx_cqrs_amqp_op_t *op, ngx_cqrs_amqp_status_e status)
{
    ngx_cqrs_amqp_t  *amqp;

    amqp = op->amqp;

    op->state = NGX_CQRS_AMQP_OP_DONE;
    op->status = status;

    ngx_queue_insert_tail(&amqp->done, &op->queue);
    ngx_cqrs_busy_poll();

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

    ngx_cqrs_amqp_drop_copy(op);

    if (op->timer.timer_set) {
        ngx_del_timer(&op->timer);
    }

    amqp->unconfirmed--;
}


static void
ngx_cqrs_amqp_drop_copy(ngx_cqrs_amqp_op_t *op)
{
    if (op->copy) {
        op->amqp->copies_size -= op->copy->size;

        ngx_free(op->copy);
        op->copy = NULL;
    }
}


void
ngx_cqrs_amqp_settle_waiting(ngx_cqrs_amqp_t *amqp)
{
    ngx_queue_t         *q, *next;
    ngx_cqrs_amqp_op_t  *op;

    for (q = ngx_queue_head(&amqp->waiting);
         q != ngx_queue_sentinel(&amqp->waiting);
         q = next)
    {
        next = ngx_queue_next(q);
        op = ngx_queue_data(q, ngx_cqrs_amqp_op_t, queue);

        if (!ngx_cqrs_amqp_is_stubborn(op)) {
            ngx_cqrs_amqp_settle(op, NGX_CQRS_AMQP_UNAVAILABLE);
        }
    }
}


void
ngx_cqrs_amqp_settle_sent(ngx_cqrs_amqp_t *amqp, ngx_cqrs_amqp_status_e status)
{
    ngx_queue_t          again;
    ngx_cqrs_amqp_op_t  *op;

    ngx_queue_init(&again);

    for ( ;; ) {
        op = ngx_cqrs_amqp_first_sent(amqp);

        if (op == NULL) {
            break;
        }

        if (!ngx_cqrs_amqp_is_stubborn(op)
            || ++op->tries >= NGX_CQRS_AMQP_TRIES)
        {
            ngx_cqrs_amqp_settle(op, status);
            continue;
        }

        ngx_rbtree_delete(&amqp->sent, &op->node);

        op->state = NGX_CQRS_AMQP_OP_WAITING;
        op->returned = 0;

        ngx_queue_insert_tail(&again, &op->queue);
    }

    if (!ngx_queue_empty(&again)) {
        ngx_queue_add(&again, &amqp->waiting);
        ngx_queue_init(&amqp->waiting);
        ngx_queue_add(&amqp->waiting, &again);
    }
}


/* Whether a failure is no end for it. */

static ngx_uint_t
ngx_cqrs_amqp_is_stubborn(ngx_cqrs_amqp_op_t *op)
{
    return op->kept && !op->amqp->stopped;
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

        } else if (op->kept) {
            ngx_cqrs_amqp_tell_kept(op);
        }

        ngx_free(op);
    }
}


/* Nobody else hears of it. */

static void
ngx_cqrs_amqp_tell_kept(ngx_cqrs_amqp_op_t *op)
{
    const char  *reason;

    switch (op->status) {

    case NGX_CQRS_AMQP_CONFIRMED:
        return;

    case NGX_CQRS_AMQP_UNROUTABLE:
        reason = "no queue takes it";
        break;

    case NGX_CQRS_AMQP_NACKED:
        reason = "the broker refused it";
        break;

    default:
        reason = "it was not confirmed";
    }

    ngx_log_error(NGX_LOG_ERR, op->amqp->conn.log, 0,
                  "rabbitmq: message %*s was answered, and given up: %s",
                  (size_t) op->id_len, op->id, reason);
}


/* A kept one is given up only when the worker wants to leave. */

static void
ngx_cqrs_amqp_timer_handler(ngx_event_t *ev)
{
    ngx_cqrs_amqp_op_t  *op;

    op = ev->data;

    if (op->kept && !ngx_exiting) {
        ngx_add_timer(ev, op->amqp->conf.timeout);
        return;
    }

    ngx_cqrs_amqp_settle(op, op->state == NGX_CQRS_AMQP_OP_SENT
                             ? NGX_CQRS_AMQP_TIMEOUT
                             : NGX_CQRS_AMQP_UNAVAILABLE);
}


ngx_cqrs_amqp_op_t *
ngx_cqrs_amqp_first_sent(ngx_cqrs_amqp_t *amqp)
{
    if (amqp->sent.root == &amqp->sentinel) {
        return NULL;
    }

    return (ngx_cqrs_amqp_op_t *) ngx_rbtree_min(amqp->sent.root,
                                                 &amqp->sentinel);
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
