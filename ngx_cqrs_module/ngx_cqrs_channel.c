
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * A channel lives while somebody listens to it, or an answer of Redis about it
 * is still to come.  UNSUBSCRIBE is not sent before SUBSCRIBE was answered,
 * nor the other way round, so an answer always means what was asked last.
 */

#include "ngx_cqrs_channel_state.h"
#include "ngx_cqrs_channel_table.h"

#include "cqrs_utf8.h"


static ngx_cqrs_channel_t *ngx_cqrs_channel_find(ngx_cqrs_redis_t *redis,
    const ngx_str_t *name);
static ngx_cqrs_channel_t *ngx_cqrs_channel_create(ngx_cqrs_redis_t *redis,
    const ngx_str_t *name);
static void ngx_cqrs_channel_destroy(ngx_cqrs_channel_t *ch);
static void ngx_cqrs_channel_join(ngx_cqrs_channel_t *ch);
static void ngx_cqrs_channel_joined(redisReply *reply, void *data);
static void ngx_cqrs_channel_refuse(ngx_cqrs_channel_t *ch,
    const char *error);
static void ngx_cqrs_channel_leave(ngx_cqrs_channel_t *ch);
static void ngx_cqrs_channel_left(redisReply *reply, void *data);
static ngx_cqrs_channel_t *ngx_cqrs_channel_first(ngx_cqrs_redis_t *redis);
static ngx_cqrs_channel_t *ngx_cqrs_channel_next(ngx_cqrs_channel_t *ch);


ngx_uint_t
ngx_cqrs_channel_name_valid(const ngx_str_t *name)
{
    size_t  i;

    if (name->len == 0 || name->len > NGX_CQRS_CHANNEL_NAME_MAX) {
        return 0;
    }

    for (i = 0; i < name->len; i++) {
        if (name->data[i] <= ' ' || name->data[i] == 0x7f) {
            return 0;
        }
    }

    return cqrs_utf8_valid(name->data, name->len);
}


ngx_cqrs_subscription_t *
ngx_cqrs_subscribe(ngx_cqrs_redis_t *redis, const ngx_str_t *name,
    const cqrs_cursor_t *cursor,
    const ngx_cqrs_subscriber_t *subscriber, void *data)
{
    ngx_cqrs_channel_t       *ch;
    ngx_cqrs_subscription_t  *sub;

    sub = ngx_calloc(sizeof(ngx_cqrs_subscription_t), redis->log);
    if (sub == NULL) {
        return NULL;
    }

    ch = ngx_cqrs_channel_find(redis, name);

    if (ch == NULL) {
        ch = ngx_cqrs_channel_create(redis, name);
        if (ch == NULL) {
            ngx_free(sub);
            return NULL;
        }
    }

    sub->channel = ch;
    sub->subscriber = subscriber;
    sub->data = data;

    if (cursor) {
        sub->cursor = *cursor;
        sub->has_cursor = 1;
    }

    ngx_queue_insert_tail(&ch->subs, &sub->queue);

    if (ch->state == NGX_CQRS_CHANNEL_DOWN) {
        ngx_cqrs_channel_join(ch);

    } else if (ch->state == NGX_CQRS_CHANNEL_LIVE) {
        ngx_cqrs_subscription_begin(sub);
    }

    return sub;
}


void
ngx_cqrs_unsubscribe(ngx_cqrs_subscription_t *sub)
{
    ngx_cqrs_channel_t  *ch;

    ch = sub->channel;

    ngx_queue_remove(&sub->queue);
    ngx_cqrs_reading_destroy(&sub->reading);
    ngx_free(sub);

    if (ngx_queue_empty(&ch->subs)) {
        ngx_cqrs_channel_leave(ch);
    }
}


void
ngx_cqrs_channel_deliver(ngx_cqrs_channel_t *ch, ngx_cqrs_message_t *msg)
{
    ngx_queue_t              *q;
    cqrs_cursor_t             before;
    ngx_cqrs_subscription_t  *sub;

    before = ch->position;

    if (msg->has_cursor) {
        ch->position = msg->cursor;
    }

    for (q = ngx_queue_head(&ch->subs);
         q != ngx_queue_sentinel(&ch->subs);
         q = ngx_queue_next(q))
    {
        sub = ngx_queue_data(q, ngx_cqrs_subscription_t, queue);

        switch (sub->state) {

        case NGX_CQRS_SUBSCRIPTION_LIVE:

            if (msg->has_cursor
                && cqrs_cursor_compare(&msg->cursor, &sub->cursor) <= 0)
            {
                break;
            }

            /* after an outage much may come at once, and nobody is slow */

            if (ch->state == NGX_CQRS_CHANNEL_SYNCING
                && msg->has_cursor
                && sub->subscriber->full(msg->len, sub->data)
                && ngx_cqrs_subscription_read_alone(sub, &before) == NGX_OK)
            {
                break;
            }

            sub->subscriber->message(msg, sub->data);
            break;

        case NGX_CQRS_SUBSCRIPTION_READING:
            ngx_cqrs_subscription_hold(sub, msg);
            break;

        default: /* NGX_CQRS_SUBSCRIPTION_WAITING */

            /* it begins when the channel is live, and reads this then */

            break;
        }
    }
}


void
ngx_cqrs_channel_table_subscribe(ngx_cqrs_redis_t *redis)
{
    ngx_cqrs_channel_t  *ch;

    for (ch = ngx_cqrs_channel_first(redis);
         ch;
         ch = ngx_cqrs_channel_next(ch))
    {
        ngx_cqrs_channel_join(ch);
    }
}


/* Channels that waited for an answer have been told already. */

void
ngx_cqrs_channel_table_down(ngx_cqrs_redis_t *redis)
{
    ngx_cqrs_channel_t  *ch;

    for (ch = ngx_cqrs_channel_first(redis);
         ch;
         ch = ngx_cqrs_channel_next(ch))
    {
        ch->state = NGX_CQRS_CHANNEL_DOWN;
        ngx_cqrs_reading_destroy(&ch->reading);
    }
}


void
ngx_cqrs_channel_table_message(ngx_cqrs_redis_t *redis, const ngx_str_t *name,
    const ngx_str_t *payload)
{
    ngx_cqrs_channel_t  *ch;
    ngx_cqrs_message_t  *msg;

    ch = ngx_cqrs_channel_find(redis, name);

    if (ch == NULL
        || (ch->state != NGX_CQRS_CHANNEL_SYNCING
            && ch->state != NGX_CQRS_CHANNEL_LIVE))
    {
        return;
    }

    if (!cqrs_utf8_valid(payload->data, payload->len)) {
        ngx_log_error(NGX_LOG_ERR, redis->log, 0,
                      "redis \"%V\": message of %uz bytes on channel \"%V\" "
                      "was dropped, it is not UTF-8",
                      &redis->url.name, payload->len, name);
        ngx_cqrs_channel_lost(ch);
        return;
    }

    msg = ngx_cqrs_message_create(payload->len, redis->log);
    if (msg == NULL) {
        ngx_cqrs_channel_lost(ch);
        return;
    }

    ngx_memcpy(msg->data, payload->data, payload->len);

    msg->has_cursor = (cqrs_cursor_of_message(&msg->cursor, msg->data,
                                              msg->len)
                       == 0);

    if (ch->state == NGX_CQRS_CHANNEL_SYNCING) {
        ngx_cqrs_channel_hold(ch, msg);

    } else if (!msg->has_cursor
               || cqrs_cursor_compare(&msg->cursor, &ch->read_upto) > 0)
    {
        ngx_cqrs_channel_deliver(ch, msg);
    }

    ngx_cqrs_message_unref(msg);
}


void
ngx_cqrs_channel_table_read(ngx_cqrs_redis_t *redis)
{
    ngx_cqrs_channel_t  *ch;

    for (ch = ngx_cqrs_channel_first(redis);
         ch;
         ch = ngx_cqrs_channel_next(ch))
    {
        ngx_cqrs_channel_read_on(ch);
    }
}


void
ngx_cqrs_channel_table_cleanup(ngx_cqrs_redis_t *redis)
{
    ngx_cqrs_channel_t  *ch, *next;

    for (ch = ngx_cqrs_channel_first(redis); ch; ch = next) {
        next = ngx_cqrs_channel_next(ch);

        if (ngx_queue_empty(&ch->subs)) {
            ngx_cqrs_channel_destroy(ch);
        }
    }
}


static ngx_cqrs_channel_t *
ngx_cqrs_channel_find(ngx_cqrs_redis_t *redis, const ngx_str_t *name)
{
    ngx_str_t  key;

    key = *name;

    return (ngx_cqrs_channel_t *)
           ngx_str_rbtree_lookup(&redis->channels, &key,
                                 ngx_murmur_hash2(key.data, key.len));
}


static ngx_cqrs_channel_t *
ngx_cqrs_channel_create(ngx_cqrs_redis_t *redis, const ngx_str_t *name)
{
    ngx_cqrs_channel_t  *ch;

    ch = ngx_calloc(sizeof(ngx_cqrs_channel_t) + name->len, redis->log);
    if (ch == NULL) {
        return NULL;
    }

    ch->node.str.len = name->len;
    ch->node.str.data = (u_char *) (ch + 1);
    ngx_memcpy(ch->node.str.data, name->data, name->len);

    ch->node.node.key = ngx_murmur_hash2(name->data, name->len);
    ngx_rbtree_insert(&redis->channels, &ch->node.node);

    ngx_queue_init(&ch->subs);

    ch->redis = redis;

    return ch;
}


static void
ngx_cqrs_channel_destroy(ngx_cqrs_channel_t *ch)
{
    ngx_cqrs_reading_destroy(&ch->reading);
    ngx_rbtree_delete(&ch->redis->channels, &ch->node.node);
    ngx_free(ch);
}


/* Not done when Redis is away; then it is done when it is back. */

static void
ngx_cqrs_channel_join(ngx_cqrs_channel_t *ch)
{
    ngx_str_t  argv[2];

    ngx_str_set(&argv[0], "SUBSCRIBE");
    argv[1] = ch->node.str;

    if (ngx_cqrs_redis_link_command(ch->redis->subscriber, 2, argv,
                                    ngx_cqrs_channel_joined, ch))
    {
        ch->state = NGX_CQRS_CHANNEL_SUBSCRIBING;
    }
}


static void
ngx_cqrs_channel_joined(redisReply *reply, void *data)
{
    ngx_cqrs_channel_t  *ch = data;

    ch->state = NGX_CQRS_CHANNEL_DOWN;

    if (reply && reply->type == REDIS_REPLY_ERROR) {
        ngx_cqrs_channel_refuse(ch, reply->str);

    } else if (reply) {
        ch->state = NGX_CQRS_CHANNEL_LIVE;

        if (!ngx_queue_empty(&ch->subs)) {
            ngx_cqrs_channel_sync(ch);
        }
    }

    if (ngx_queue_empty(&ch->subs)) {
        ngx_cqrs_channel_leave(ch);
    }
}


static void
ngx_cqrs_channel_refuse(ngx_cqrs_channel_t *ch, const char *error)
{
    ngx_queue_t              *q;
    ngx_cqrs_subscription_t  *sub;

    ngx_log_error(NGX_LOG_ERR, ch->redis->log, 0,
                  "redis \"%V\": channel \"%V\" was refused, \"%s\"",
                  &ch->redis->url.name, &ch->node.str, error);

    for (q = ngx_queue_head(&ch->subs);
         q != ngx_queue_sentinel(&ch->subs);
         q = ngx_queue_next(q))
    {
        sub = ngx_queue_data(q, ngx_cqrs_subscription_t, queue);
        sub->subscriber->refused(sub->data);
    }
}


/* Nobody listens any more. */

static void
ngx_cqrs_channel_leave(ngx_cqrs_channel_t *ch)
{
    ngx_str_t  argv[2];

    if (ch->state == NGX_CQRS_CHANNEL_SUBSCRIBING
        || ch->state == NGX_CQRS_CHANNEL_LEAVING)
    {
        return;
    }

    if (ch->state != NGX_CQRS_CHANNEL_DOWN) {

        ngx_str_set(&argv[0], "UNSUBSCRIBE");
        argv[1] = ch->node.str;

        if (ngx_cqrs_redis_link_command(ch->redis->subscriber, 2, argv,
                                        ngx_cqrs_channel_left, ch))
        {
            ngx_cqrs_reading_destroy(&ch->reading);

            ch->state = NGX_CQRS_CHANNEL_LEAVING;
            ch->known = 0;
            ch->reset = 0;
            return;
        }
    }

    ngx_cqrs_channel_destroy(ch);
}


static void
ngx_cqrs_channel_left(redisReply *reply, void *data)
{
    ngx_cqrs_channel_t  *ch = data;

    ch->state = NGX_CQRS_CHANNEL_DOWN;

    if (ngx_queue_empty(&ch->subs)) {
        ngx_cqrs_channel_destroy(ch);
        return;
    }

    ngx_cqrs_channel_join(ch);
}


static ngx_cqrs_channel_t *
ngx_cqrs_channel_first(ngx_cqrs_redis_t *redis)
{
    if (redis->channels.root == &redis->sentinel) {
        return NULL;
    }

    return (ngx_cqrs_channel_t *) ngx_rbtree_min(redis->channels.root,
                                                 &redis->sentinel);
}


static ngx_cqrs_channel_t *
ngx_cqrs_channel_next(ngx_cqrs_channel_t *ch)
{
    return (ngx_cqrs_channel_t *) ngx_rbtree_next(&ch->redis->channels,
                                                  &ch->node.node);
}
