
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Reading what was missed, for a channel after Redis was away and for a single
 * subscription that comes with a cursor.  It is the same for both:
 *
 * The history is read from the last known entry on, a page at a time.  Each
 * page must begin with the entry that was read last; if it does not, that is
 * no longer there, nor is what came after it, perhaps, so a reset is sent.
 * Live messages are held meanwhile and handed out at the end, except those
 * that the history had, too.
 */

#include "ngx_cqrs_channel_state.h"
#include "ngx_cqrs_history.h"


#define NGX_CQRS_READING_PAGE  64


static void ngx_cqrs_channel_read(ngx_cqrs_channel_t *ch);
static void ngx_cqrs_channel_page(redisReply *reply, void *data);
static void ngx_cqrs_channel_end(redisReply *reply, void *data);
static void ngx_cqrs_channel_live(ngx_cqrs_channel_t *ch);
static void ngx_cqrs_channel_reset(ngx_cqrs_channel_t *ch);
static void ngx_cqrs_subscription_read(ngx_cqrs_subscription_t *sub);
static void ngx_cqrs_subscription_page(redisReply *reply, void *data);
static ngx_int_t ngx_cqrs_subscription_take(ngx_cqrs_subscription_t *sub,
    redisReply *entry);
static void ngx_cqrs_subscription_release(ngx_cqrs_subscription_t *sub);
static void ngx_cqrs_subscription_reset(ngx_cqrs_subscription_t *sub);
static void ngx_cqrs_subscription_live(ngx_cqrs_subscription_t *sub,
    ngx_uint_t reset);


void
ngx_cqrs_channel_sync(ngx_cqrs_channel_t *ch)
{
    ch->state = NGX_CQRS_CHANNEL_SYNCING;

    ngx_cqrs_reading_destroy(&ch->reading);

    ch->reading = ngx_cqrs_reading_create(NGX_CQRS_READING_PAGE,
                                          ch->redis->log);

    ngx_cqrs_channel_read(ch);
}


/* Without memory for it, the next message or connection tries again. */

static void
ngx_cqrs_channel_read(ngx_cqrs_channel_t *ch)
{
    if (ch->reading == NULL) {
        return;
    }

    ch->reading->again = 0;

    ch->reading->command = ch->known
        ? ngx_cqrs_history_read(ch->redis, &ch->node.str, &ch->position,
                                ch->reading->page, ngx_cqrs_channel_page, ch)
        : ngx_cqrs_history_read_last(ch->redis, &ch->node.str,
                                     ngx_cqrs_channel_end, ch);
}


static void
ngx_cqrs_channel_page(redisReply *reply, void *data)
{
    ngx_uint_t           i, first;
    ngx_cqrs_channel_t  *ch = data;
    ngx_cqrs_message_t  *msg;

    ch->reading->command = NULL;

    if (reply == NULL) {
        return;
    }

    if (ngx_cqrs_history_check(ch->redis, &ch->node.str, reply, &ch->position,
                               &first)
        != NGX_OK)
    {
        ngx_cqrs_channel_lost(ch);
        return;
    }

    for (i = first; i < reply->elements; i++) {

        msg = ngx_cqrs_history_message(ch->redis, &ch->node.str,
                                       reply->element[i]);
        if (msg == NULL) {
            ngx_cqrs_channel_lost(ch);
            return;
        }

        ngx_cqrs_channel_deliver(ch, msg);
        ngx_cqrs_message_unref(msg);
    }

    if (reply->elements == ch->reading->page || ch->reading->again) {
        ngx_cqrs_channel_read(ch);
        return;
    }

    ngx_cqrs_channel_live(ch);
}


/* The reply is the last entry of the history, or none. */

static void
ngx_cqrs_channel_end(redisReply *reply, void *data)
{
    ngx_uint_t           first;
    cqrs_cursor_t        cursor;
    ngx_cqrs_channel_t  *ch = data;

    ch->reading->command = NULL;

    if (reply == NULL) {
        return;
    }

    if (ch->reading->again) {
        ngx_cqrs_channel_read(ch);
        return;
    }

    ngx_memzero(&ch->position, sizeof(cqrs_cursor_t));

    if (ngx_cqrs_history_check(ch->redis, &ch->node.str, reply, &ch->position,
                               &first)
           == NGX_OK
        && reply->elements
        && ngx_cqrs_history_cursor(reply->element[0], &cursor) == NGX_OK)
    {
        ch->position = cursor;
    }

    ch->known = 1;

    if (ch->reset) {
        ngx_cqrs_channel_reset(ch);
    }

    ngx_cqrs_channel_live(ch);
}


static void
ngx_cqrs_channel_live(ngx_cqrs_channel_t *ch)
{
    ngx_queue_t              *q;
    ngx_cqrs_message_t       *msg;
    ngx_cqrs_subscription_t  *sub;

    ch->read_upto = ch->position;

    while ((msg = ngx_cqrs_reading_first(ch->reading, &ch->read_upto))) {
        ngx_cqrs_channel_deliver(ch, msg);
        ngx_cqrs_reading_shift(ch->reading);
    }

    ngx_cqrs_reading_destroy(&ch->reading);

    ch->state = NGX_CQRS_CHANNEL_LIVE;

    for (q = ngx_queue_head(&ch->subs);
         q != ngx_queue_sentinel(&ch->subs);
         q = ngx_queue_next(q))
    {
        sub = ngx_queue_data(q, ngx_cqrs_subscription_t, queue);

        if (sub->state == NGX_CQRS_SUBSCRIPTION_WAITING) {
            ngx_cqrs_subscription_begin(sub);
        }
    }
}


static void
ngx_cqrs_channel_reset(ngx_cqrs_channel_t *ch)
{
    ngx_queue_t              *q;
    ngx_cqrs_subscription_t  *sub;

    ch->reset = 0;

    for (q = ngx_queue_head(&ch->subs);
         q != ngx_queue_sentinel(&ch->subs);
         q = ngx_queue_next(q))
    {
        sub = ngx_queue_data(q, ngx_cqrs_subscription_t, queue);

        if (sub->state != NGX_CQRS_SUBSCRIPTION_WAITING) {
            ngx_cqrs_subscription_live(sub, 1);
        }
    }
}


void
ngx_cqrs_channel_lost(ngx_cqrs_channel_t *ch)
{
    ch->known = 0;
    ch->reset = 1;

    ngx_cqrs_channel_sync(ch);
}


void
ngx_cqrs_channel_hold(ngx_cqrs_channel_t *ch, ngx_cqrs_message_t *msg)
{
    if (ch->reading == NULL
        || ngx_cqrs_reading_hold(ch->reading, msg, ch->redis->log) != NGX_OK)
    {
        ngx_cqrs_channel_lost(ch);
    }
}


void
ngx_cqrs_channel_read_on(ngx_cqrs_channel_t *ch)
{
    ngx_queue_t              *q;
    ngx_cqrs_subscription_t  *sub;

    if (ch->state == NGX_CQRS_CHANNEL_SYNCING) {

        if (ch->reading == NULL) {
            ngx_cqrs_channel_lost(ch);

        } else if (ch->reading->command == NULL) {
            ngx_cqrs_channel_read(ch);
        }
    }

    for (q = ngx_queue_head(&ch->subs);
         q != ngx_queue_sentinel(&ch->subs);
         q = ngx_queue_next(q))
    {
        sub = ngx_queue_data(q, ngx_cqrs_subscription_t, queue);

        if (sub->reading
            && sub->reading->command == NULL
            && !sub->reading->paused)
        {
            ngx_cqrs_subscription_read(sub);
        }
    }
}


void
ngx_cqrs_subscription_begin(ngx_cqrs_subscription_t *sub)
{
    ngx_cqrs_channel_t  *ch;

    ch = sub->channel;

    if (sub->reset) {
        ngx_cqrs_subscription_live(sub, 1);
        return;
    }

    if (!sub->has_cursor
        || cqrs_cursor_compare(&sub->cursor, &ch->position) == 0)
    {
        ngx_cqrs_subscription_live(sub, 0);
        return;
    }

    sub->reading = ngx_cqrs_reading_create(NGX_CQRS_READING_PAGE,
                                           ch->redis->log);
    if (sub->reading == NULL) {
        ngx_cqrs_subscription_live(sub, 1);
        return;
    }

    sub->state = NGX_CQRS_SUBSCRIPTION_READING;

    ngx_cqrs_subscription_read(sub);
}


void
ngx_cqrs_subscription_resume(ngx_cqrs_subscription_t *sub)
{
    ngx_cqrs_reading_t  *reading;

    reading = sub->reading;

    if (reading == NULL || !reading->paused) {
        return;
    }

    reading->paused = 0;

    if (reading->complete && !reading->again) {
        ngx_cqrs_subscription_release(sub);
        return;
    }

    ngx_cqrs_subscription_read(sub);
}


ngx_int_t
ngx_cqrs_subscription_read_alone(ngx_cqrs_subscription_t *sub,
    const cqrs_cursor_t *cursor)
{
    sub->reading = ngx_cqrs_reading_create(NGX_CQRS_READING_PAGE,
                                           sub->channel->redis->log);
    if (sub->reading == NULL) {
        return NGX_ERROR;
    }

    sub->reading->paused = 1;

    sub->state = NGX_CQRS_SUBSCRIPTION_READING;
    sub->cursor = *cursor;

    return NGX_OK;
}


static void
ngx_cqrs_subscription_read(ngx_cqrs_subscription_t *sub)
{
    ngx_cqrs_channel_t  *ch;

    ch = sub->channel;

    sub->reading->again = 0;
    sub->reading->complete = 0;

    sub->reading->command = ngx_cqrs_history_read(ch->redis, &ch->node.str,
                                                  &sub->cursor,
                                                  sub->reading->page,
                                                  ngx_cqrs_subscription_page,
                                                  sub);
}


static void
ngx_cqrs_subscription_page(redisReply *reply, void *data)
{
    ngx_int_t                 rc;
    ngx_uint_t                i, first, page;
    ngx_cqrs_channel_t       *ch;
    ngx_cqrs_subscription_t  *sub = data;

    ch = sub->channel;
    page = sub->reading->page;

    sub->reading->command = NULL;

    if (reply == NULL) {
        return;
    }

    if (ngx_cqrs_history_check(ch->redis, &ch->node.str, reply, &sub->cursor,
                               &first)
        != NGX_OK)
    {
        ngx_cqrs_subscription_reset(sub);
        return;
    }

    if (!sub->announced) {
        sub->announced = 1;
        sub->subscriber->position(&ch->node.str, &sub->cursor, 0, sub->data);
    }

    for (i = first; i < reply->elements; i++) {

        rc = ngx_cqrs_subscription_take(sub, reply->element[i]);

        if (rc == NGX_ERROR) {
            ngx_cqrs_subscription_reset(sub);
            return;
        }

        if (rc == NGX_AGAIN) {

            /* the rest is read again, with less in vain */

            sub->reading->page = i + 1;
            sub->reading->paused = 1;
            return;
        }
    }

    if (reply->elements == page || sub->reading->again) {
        sub->reading->page = ngx_min(2 * page, NGX_CQRS_READING_PAGE);

        ngx_cqrs_subscription_read(sub);
        return;
    }

    ngx_cqrs_subscription_release(sub);
}


/* NGX_AGAIN: not now; NGX_ERROR: that is no message. */

static ngx_int_t
ngx_cqrs_subscription_take(ngx_cqrs_subscription_t *sub, redisReply *entry)
{
    ngx_cqrs_channel_t  *ch;
    ngx_cqrs_message_t  *msg;

    ch = sub->channel;

    msg = ngx_cqrs_history_message(ch->redis, &ch->node.str, entry);
    if (msg == NULL) {
        return NGX_ERROR;
    }

    if (sub->subscriber->full(msg->len, sub->data)) {
        ngx_cqrs_message_unref(msg);
        return NGX_AGAIN;
    }

    sub->cursor = msg->cursor;
    sub->subscriber->message(msg, sub->data);

    ngx_cqrs_message_unref(msg);

    return NGX_OK;
}


/* All was read; what was held comes next. */

static void
ngx_cqrs_subscription_release(ngx_cqrs_subscription_t *sub)
{
    ngx_cqrs_message_t  *msg;

    sub->reading->complete = 1;

    while ((msg = ngx_cqrs_reading_first(sub->reading, &sub->cursor))) {

        if (sub->subscriber->full(msg->len, sub->data)) {
            sub->reading->paused = 1;
            return;
        }

        if (msg->has_cursor) {
            sub->cursor = msg->cursor;
        }

        sub->subscriber->message(msg, sub->data);
        ngx_cqrs_reading_shift(sub->reading);
    }

    ngx_cqrs_reading_destroy(&sub->reading);

    sub->state = NGX_CQRS_SUBSCRIPTION_LIVE;
}


/* The channel itself may not know where it stands; then this has to wait. */

static void
ngx_cqrs_subscription_reset(ngx_cqrs_subscription_t *sub)
{
    if (sub->channel->state == NGX_CQRS_CHANNEL_LIVE) {
        ngx_cqrs_subscription_live(sub, 1);
        return;
    }

    ngx_cqrs_reading_destroy(&sub->reading);

    sub->state = NGX_CQRS_SUBSCRIPTION_WAITING;
    sub->reset = 1;
}


/* Goes on from where the channel is. */

static void
ngx_cqrs_subscription_live(ngx_cqrs_subscription_t *sub, ngx_uint_t reset)
{
    ngx_cqrs_reading_destroy(&sub->reading);

    sub->state = NGX_CQRS_SUBSCRIPTION_LIVE;
    sub->cursor = sub->channel->position;
    sub->announced = 1;
    sub->reset = 0;

    sub->subscriber->position(&sub->channel->node.str, &sub->cursor, reset,
                              sub->data);
}


void
ngx_cqrs_subscription_hold(ngx_cqrs_subscription_t *sub,
    ngx_cqrs_message_t *msg)
{
    if (ngx_cqrs_reading_hold(sub->reading, msg, sub->channel->redis->log)
        != NGX_OK)
    {
        ngx_cqrs_subscription_reset(sub);
    }
}
