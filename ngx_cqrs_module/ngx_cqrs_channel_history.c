
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

#include "cqrs_names.h"
#include "cqrs_utf8.h"


#define NGX_CQRS_HISTORY_PAGE      64
#define NGX_CQRS_HISTORY_HELD_MAX  262144
#define NGX_CQRS_HISTORY_NAME_MAX                                             \
    (sizeof(CQRS_REDIS_HISTORY) - 1 + NGX_CQRS_CHANNEL_NAME_MAX)


typedef struct {
    ngx_queue_t          queue;
    ngx_cqrs_message_t  *msg;
} ngx_cqrs_held_t;


/* One entry of the history; the text is borrowed of the reply. */
typedef struct {
    cqrs_cursor_t        cursor;
    ngx_str_t            text;
} ngx_cqrs_entry_t;


static void ngx_cqrs_channel_read(ngx_cqrs_channel_t *ch);
static void ngx_cqrs_channel_page(redisReply *reply, void *data);
static void ngx_cqrs_channel_end(redisReply *reply, void *data);
static void ngx_cqrs_channel_live(ngx_cqrs_channel_t *ch);
static void ngx_cqrs_channel_reset(ngx_cqrs_channel_t *ch);
static void ngx_cqrs_subscription_read(ngx_cqrs_subscription_t *sub);
static void ngx_cqrs_subscription_page(redisReply *reply, void *data);
static void ngx_cqrs_subscription_release(ngx_cqrs_subscription_t *sub);
static void ngx_cqrs_subscription_reset(ngx_cqrs_subscription_t *sub);
static void ngx_cqrs_subscription_live(ngx_cqrs_subscription_t *sub,
    ngx_uint_t reset);
static ngx_cqrs_reading_t *ngx_cqrs_reading_create(ngx_log_t *log);
static ngx_int_t ngx_cqrs_reading_hold(ngx_cqrs_reading_t *reading,
    ngx_cqrs_message_t *msg, ngx_log_t *log);
static ngx_cqrs_message_t *ngx_cqrs_reading_next(ngx_cqrs_reading_t *reading,
    const cqrs_cursor_t *after);
static ngx_cqrs_redis_command_t *ngx_cqrs_history_read(ngx_cqrs_channel_t *ch,
    const cqrs_cursor_t *from, ngx_cqrs_redis_reply_pt handler, void *data);
static ngx_cqrs_redis_command_t *ngx_cqrs_history_last(ngx_cqrs_channel_t *ch,
    ngx_cqrs_redis_reply_pt handler, void *data);
static void ngx_cqrs_history_key(ngx_cqrs_channel_t *ch, ngx_str_t *key,
    u_char *buf);
static ngx_int_t ngx_cqrs_history_check(ngx_cqrs_channel_t *ch,
    redisReply *reply, const cqrs_cursor_t *from, ngx_uint_t *first);
static ngx_int_t ngx_cqrs_history_entry(redisReply *reply,
    ngx_cqrs_entry_t *entry);
static ngx_cqrs_message_t *ngx_cqrs_history_message(ngx_cqrs_channel_t *ch,
    const ngx_cqrs_entry_t *entry);


void
ngx_cqrs_channel_sync(ngx_cqrs_channel_t *ch)
{
    ch->state = NGX_CQRS_CHANNEL_SYNCING;

    ngx_cqrs_reading_destroy(&ch->reading);

    ch->reading = ngx_cqrs_reading_create(ch->redis->log);

    ngx_cqrs_channel_read(ch);
}


/* Without memory for it, the next return of the connection tries again. */

static void
ngx_cqrs_channel_read(ngx_cqrs_channel_t *ch)
{
    if (ch->reading == NULL) {
        return;
    }

    ch->reading->command = ch->known
        ? ngx_cqrs_history_read(ch, &ch->position, ngx_cqrs_channel_page, ch)
        : ngx_cqrs_history_last(ch, ngx_cqrs_channel_end, ch);
}


static void
ngx_cqrs_channel_page(redisReply *reply, void *data)
{
    ngx_int_t            rc;
    ngx_uint_t           i, first;
    ngx_cqrs_entry_t     entry;
    ngx_cqrs_channel_t  *ch = data;
    ngx_cqrs_message_t  *msg;

    ch->reading->command = NULL;

    if (reply == NULL) {
        return;
    }

    rc = ngx_cqrs_history_check(ch, reply, &ch->position, &first);

    if (rc != NGX_OK) {
        ngx_cqrs_channel_lost(ch);
        return;
    }

    for (i = first; i < reply->elements; i++) {

        if (ngx_cqrs_history_entry(reply->element[i], &entry) != NGX_OK) {
            ngx_cqrs_channel_lost(ch);
            return;
        }

        msg = ngx_cqrs_history_message(ch, &entry);
        if (msg == NULL) {
            ngx_cqrs_channel_lost(ch);
            return;
        }

        ngx_cqrs_channel_deliver(ch, msg);
        ngx_cqrs_message_unref(msg);
    }

    if (reply->elements == NGX_CQRS_HISTORY_PAGE) {
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
    ngx_cqrs_entry_t     entry;
    ngx_cqrs_channel_t  *ch = data;

    ch->reading->command = NULL;

    if (reply == NULL) {
        return;
    }

    ngx_memzero(&ch->position, sizeof(cqrs_cursor_t));

    if (ngx_cqrs_history_check(ch, reply, &ch->position, &first) == NGX_OK
        && reply->elements
        && ngx_cqrs_history_entry(reply->element[0], &entry) == NGX_OK)
    {
        ch->position = entry.cursor;
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

    ch->state = NGX_CQRS_CHANNEL_LIVE;
    ch->read_upto = ch->position;

    while ((msg = ngx_cqrs_reading_next(ch->reading, &ch->read_upto))) {
        ngx_cqrs_channel_deliver(ch, msg);
        ngx_cqrs_message_unref(msg);
    }

    ngx_cqrs_reading_destroy(&ch->reading);

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

    sub->reading = ngx_cqrs_reading_create(ch->redis->log);
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
    if (sub->reading && sub->reading->paused) {
        sub->reading->paused = 0;

        ngx_cqrs_subscription_read(sub);
    }
}


static void
ngx_cqrs_subscription_read(ngx_cqrs_subscription_t *sub)
{
    sub->reading->command = ngx_cqrs_history_read(sub->channel, &sub->cursor,
                                                  ngx_cqrs_subscription_page,
                                                  sub);
}


static void
ngx_cqrs_subscription_page(redisReply *reply, void *data)
{
    ngx_uint_t                i, first;
    ngx_cqrs_entry_t          entry;
    ngx_cqrs_message_t       *msg;
    ngx_cqrs_subscription_t  *sub = data;

    sub->reading->command = NULL;

    if (reply == NULL) {
        return;
    }

    if (ngx_cqrs_history_check(sub->channel, reply, &sub->cursor, &first)
        != NGX_OK)
    {
        ngx_cqrs_subscription_reset(sub);
        return;
    }

    if (!sub->announced) {
        sub->announced = 1;
        sub->handlers->position(&sub->channel->node.str, &sub->cursor, 0,
                                sub->data);
    }

    for (i = first; i < reply->elements; i++) {

        if (ngx_cqrs_history_entry(reply->element[i], &entry) != NGX_OK) {
            ngx_cqrs_subscription_reset(sub);
            return;
        }

        msg = ngx_cqrs_history_message(sub->channel, &entry);
        if (msg == NULL) {
            ngx_cqrs_subscription_reset(sub);
            return;
        }

        sub->cursor = entry.cursor;
        sub->handlers->message(msg, sub->data);

        ngx_cqrs_message_unref(msg);
    }

    if (reply->elements < NGX_CQRS_HISTORY_PAGE) {
        ngx_cqrs_subscription_release(sub);
        return;
    }

    if (sub->handlers->full(sub->data)) {
        sub->reading->paused = 1;
        return;
    }

    ngx_cqrs_subscription_read(sub);
}


/* All was read; what was held comes next. */

static void
ngx_cqrs_subscription_release(ngx_cqrs_subscription_t *sub)
{
    ngx_cqrs_message_t  *msg;

    sub->state = NGX_CQRS_SUBSCRIPTION_LIVE;

    while ((msg = ngx_cqrs_reading_next(sub->reading, &sub->cursor))) {
        sub->handlers->message(msg, sub->data);
        ngx_cqrs_message_unref(msg);
    }

    ngx_cqrs_reading_destroy(&sub->reading);
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

    sub->handlers->position(&sub->channel->node.str, &sub->cursor, reset,
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


static ngx_cqrs_reading_t *
ngx_cqrs_reading_create(ngx_log_t *log)
{
    ngx_cqrs_reading_t  *reading;

    reading = ngx_calloc(sizeof(ngx_cqrs_reading_t), log);
    if (reading == NULL) {
        return NULL;
    }

    ngx_queue_init(&reading->held);

    return reading;
}


void
ngx_cqrs_reading_destroy(ngx_cqrs_reading_t **reading)
{
    ngx_queue_t         *q;
    ngx_cqrs_held_t     *held;
    ngx_cqrs_reading_t  *gone;

    gone = *reading;

    if (gone == NULL) {
        return;
    }

    *reading = NULL;

    if (gone->command) {
        ngx_cqrs_redis_command_forget(gone->command);
    }

    while (!ngx_queue_empty(&gone->held)) {
        q = ngx_queue_head(&gone->held);
        ngx_queue_remove(q);

        held = ngx_queue_data(q, ngx_cqrs_held_t, queue);
        ngx_cqrs_message_unref(held->msg);
        ngx_free(held);
    }

    ngx_free(gone);
}


static ngx_int_t
ngx_cqrs_reading_hold(ngx_cqrs_reading_t *reading, ngx_cqrs_message_t *msg,
    ngx_log_t *log)
{
    ngx_cqrs_held_t  *held;

    if (reading->held_size + msg->len > NGX_CQRS_HISTORY_HELD_MAX
        && reading->held_size)
    {
        return NGX_DECLINED;
    }

    held = ngx_alloc(sizeof(ngx_cqrs_held_t), log);
    if (held == NULL) {
        return NGX_ERROR;
    }

    held->msg = ngx_cqrs_message_ref(msg);

    ngx_queue_insert_tail(&reading->held, &held->queue);
    reading->held_size += sizeof(ngx_cqrs_message_t) + msg->len;

    return NGX_OK;
}


/* Takes out the oldest that is new; the reference becomes the caller's. */

static ngx_cqrs_message_t *
ngx_cqrs_reading_next(ngx_cqrs_reading_t *reading, const cqrs_cursor_t *after)
{
    ngx_queue_t         *q;
    ngx_cqrs_held_t     *held;
    ngx_cqrs_message_t  *msg;

    while (!ngx_queue_empty(&reading->held)) {
        q = ngx_queue_head(&reading->held);
        ngx_queue_remove(q);

        held = ngx_queue_data(q, ngx_cqrs_held_t, queue);
        msg = held->msg;
        ngx_free(held);

        if (!msg->has_cursor
            || cqrs_cursor_compare(&msg->cursor, after) > 0)
        {
            return msg;
        }

        ngx_cqrs_message_unref(msg);
    }

    return NULL;
}


static ngx_cqrs_redis_command_t *
ngx_cqrs_history_read(ngx_cqrs_channel_t *ch, const cqrs_cursor_t *from,
    ngx_cqrs_redis_reply_pt handler, void *data)
{
    char       start[CQRS_CURSOR_TEXT_MAX];
    u_char     key[NGX_CQRS_HISTORY_NAME_MAX], count[NGX_INT_T_LEN];
    ngx_str_t  argv[6];

    ngx_str_set(&argv[0], "XRANGE");
    ngx_cqrs_history_key(ch, &argv[1], key);

    argv[2].data = (u_char *) start;
    argv[2].len = cqrs_cursor_format(start, from);

    ngx_str_set(&argv[3], "+");
    ngx_str_set(&argv[4], "COUNT");

    argv[5].data = count;
    argv[5].len = ngx_sprintf(count, "%d", NGX_CQRS_HISTORY_PAGE) - count;

    return ngx_cqrs_redis_link_command(ch->redis->reader, 6, argv, handler,
                                       data);
}


static ngx_cqrs_redis_command_t *
ngx_cqrs_history_last(ngx_cqrs_channel_t *ch, ngx_cqrs_redis_reply_pt handler,
    void *data)
{
    u_char     key[NGX_CQRS_HISTORY_NAME_MAX];
    ngx_str_t  argv[6];

    ngx_str_set(&argv[0], "XREVRANGE");
    ngx_cqrs_history_key(ch, &argv[1], key);
    ngx_str_set(&argv[2], "+");
    ngx_str_set(&argv[3], "-");
    ngx_str_set(&argv[4], "COUNT");
    ngx_str_set(&argv[5], "1");

    return ngx_cqrs_redis_link_command(ch->redis->reader, 6, argv, handler,
                                       data);
}


static void
ngx_cqrs_history_key(ngx_cqrs_channel_t *ch, ngx_str_t *key, u_char *buf)
{
    u_char  *p;

    p = ngx_cpymem(buf, CQRS_REDIS_HISTORY, sizeof(CQRS_REDIS_HISTORY) - 1);
    p = ngx_cpymem(p, ch->node.str.data, ch->node.str.len);

    key->data = buf;
    key->len = p - buf;
}


/* Is it a page that goes on from there?  The entry itself is not wanted. */

static ngx_int_t
ngx_cqrs_history_check(ngx_cqrs_channel_t *ch, redisReply *reply,
    const cqrs_cursor_t *from, ngx_uint_t *first)
{
    ngx_cqrs_entry_t  entry;

    if (reply->type == REDIS_REPLY_ERROR) {
        ngx_log_error(NGX_LOG_ERR, ch->redis->log, 0,
                      "redis \"%V\": history of channel \"%V\" cannot be "
                      "read, \"%s\"",
                      &ch->redis->url.name, &ch->node.str, reply->str);
        return NGX_ERROR;
    }

    if (reply->type != REDIS_REPLY_ARRAY) {
        return NGX_ERROR;
    }

    *first = 0;

    if (from->msec == 0 && from->number == 0) {
        return NGX_OK;
    }

    if (reply->elements == 0
        || ngx_cqrs_history_entry(reply->element[0], &entry) != NGX_OK
        || cqrs_cursor_compare(&entry.cursor, from) != 0)
    {
        return NGX_DECLINED;
    }

    *first = 1;

    return NGX_OK;
}


/* [ id, [ name, value, ... ] ], of which the value named "m" is ours. */

static ngx_int_t
ngx_cqrs_history_entry(redisReply *reply, ngx_cqrs_entry_t *entry)
{
    ngx_uint_t   i;
    redisReply  *id, *fields, *name, *value;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2) {
        return NGX_ERROR;
    }

    id = reply->element[0];
    fields = reply->element[1];

    if (id->type != REDIS_REPLY_STRING
        || fields->type != REDIS_REPLY_ARRAY
        || cqrs_cursor_parse(&entry->cursor, id->str, id->len) != 0)
    {
        return NGX_ERROR;
    }

    ngx_str_null(&entry->text);

    for (i = 0; i + 1 < fields->elements; i += 2) {
        name = fields->element[i];
        value = fields->element[i + 1];

        if (name->type == REDIS_REPLY_STRING
            && value->type == REDIS_REPLY_STRING
            && name->len == 1
            && name->str[0] == 'm')
        {
            entry->text.data = (u_char *) value->str;
            entry->text.len = value->len;
            break;
        }
    }

    return NGX_OK;
}


/* NULL: that is no message of ours, or memory is short. */

static ngx_cqrs_message_t *
ngx_cqrs_history_message(ngx_cqrs_channel_t *ch, const ngx_cqrs_entry_t *entry)
{
    ngx_cqrs_message_t  *msg;

    msg = ngx_cqrs_message_create(entry->text.len + CQRS_CURSOR_MEMBER_MAX,
                                  ch->redis->log);
    if (msg == NULL) {
        return NULL;
    }

    msg->len = cqrs_cursor_splice((char *) msg->data, entry->text.data,
                                  entry->text.len, &entry->cursor);

    if (msg->len == 0 || !cqrs_utf8_valid(msg->data, msg->len)) {
        ngx_log_error(NGX_LOG_ERR, ch->redis->log, 0,
                      "redis \"%V\": history of channel \"%V\" holds what is "
                      "no message",
                      &ch->redis->url.name, &ch->node.str);

        ngx_cqrs_message_unref(msg);
        return NULL;
    }

    msg->cursor = entry->cursor;
    msg->has_cursor = 1;

    return msg;
}
