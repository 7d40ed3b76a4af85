
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "ngx_cqrs_history.h"

#include "cqrs_names.h"
#include "cqrs_utf8.h"


#define NGX_CQRS_HISTORY_KEY_MAX                                              \
    (sizeof(CQRS_REDIS_HISTORY) - 1 + NGX_CQRS_CHANNEL_NAME_MAX)


static void ngx_cqrs_history_key(const ngx_str_t *channel, ngx_str_t *key,
    u_char *buf);
static redisReply *ngx_cqrs_history_field(redisReply *entry);


ngx_cqrs_redis_command_t *
ngx_cqrs_history_read(ngx_cqrs_redis_t *redis, const ngx_str_t *channel,
    const cqrs_cursor_t *from, ngx_uint_t count,
    ngx_cqrs_redis_reply_pt handler, void *data)
{
    char       start[CQRS_CURSOR_TEXT_MAX];
    u_char     key[NGX_CQRS_HISTORY_KEY_MAX], limit[NGX_INT_T_LEN];
    ngx_str_t  argv[6];

    ngx_str_set(&argv[0], "XRANGE");
    ngx_cqrs_history_key(channel, &argv[1], key);

    argv[2].data = (u_char *) start;
    argv[2].len = cqrs_cursor_format(start, from);

    ngx_str_set(&argv[3], "+");
    ngx_str_set(&argv[4], "COUNT");

    argv[5].data = limit;
    argv[5].len = ngx_sprintf(limit, "%ui", count) - limit;

    return ngx_cqrs_redis_link_command(redis->reader, 6, argv, handler, data);
}


ngx_cqrs_redis_command_t *
ngx_cqrs_history_read_last(ngx_cqrs_redis_t *redis, const ngx_str_t *channel,
    ngx_cqrs_redis_reply_pt handler, void *data)
{
    u_char     key[NGX_CQRS_HISTORY_KEY_MAX];
    ngx_str_t  argv[6];

    ngx_str_set(&argv[0], "XREVRANGE");
    ngx_cqrs_history_key(channel, &argv[1], key);
    ngx_str_set(&argv[2], "+");
    ngx_str_set(&argv[3], "-");
    ngx_str_set(&argv[4], "COUNT");
    ngx_str_set(&argv[5], "1");

    return ngx_cqrs_redis_link_command(redis->reader, 6, argv, handler, data);
}


static void
ngx_cqrs_history_key(const ngx_str_t *channel, ngx_str_t *key, u_char *buf)
{
    u_char  *p;

    p = ngx_cpymem(buf, CQRS_REDIS_HISTORY, sizeof(CQRS_REDIS_HISTORY) - 1);
    p = ngx_cpymem(p, channel->data, channel->len);

    key->data = buf;
    key->len = p - buf;
}


ngx_int_t
ngx_cqrs_history_check(ngx_cqrs_redis_t *redis, const ngx_str_t *channel,
    redisReply *reply, const cqrs_cursor_t *from, ngx_uint_t *first)
{
    cqrs_cursor_t  cursor;

    if (reply->type != REDIS_REPLY_ARRAY) {
        ngx_log_error(NGX_LOG_ERR, redis->log, 0,
                      "redis \"%V\": history of channel \"%V\" cannot be "
                      "read, \"%s\"",
                      &redis->url.name, channel,
                      reply->type == REDIS_REPLY_ERROR ? reply->str
                                                       : "unknown answer");
        return NGX_ERROR;
    }

    *first = 0;

    if (from->msec == 0 && from->number == 0) {
        return NGX_OK;
    }

    if (reply->elements == 0
        || ngx_cqrs_history_cursor(reply->element[0], &cursor) != NGX_OK
        || cqrs_cursor_compare(&cursor, from) != 0)
    {
        return NGX_DECLINED;
    }

    *first = 1;

    return NGX_OK;
}


/* An entry is [ id, [ name, value, ... ] ]. */

ngx_int_t
ngx_cqrs_history_cursor(redisReply *entry, cqrs_cursor_t *cursor)
{
    redisReply  *id;

    if (entry->type != REDIS_REPLY_ARRAY || entry->elements != 2) {
        return NGX_ERROR;
    }

    id = entry->element[0];

    if (id->type != REDIS_REPLY_STRING
        || cqrs_cursor_parse(cursor, id->str, id->len) != 0)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_cqrs_message_t *
ngx_cqrs_history_message(ngx_cqrs_redis_t *redis, const ngx_str_t *channel,
    redisReply *entry)
{
    redisReply          *field;
    cqrs_cursor_t        cursor;
    ngx_cqrs_message_t  *msg;

    if (ngx_cqrs_history_cursor(entry, &cursor) != NGX_OK) {
        goto invalid;
    }

    field = ngx_cqrs_history_field(entry);

    if (field == NULL || !cqrs_utf8_valid(field->str, field->len)) {
        goto invalid;
    }

    msg = ngx_cqrs_message_create(field->len + CQRS_CURSOR_MEMBER_MAX,
                                  redis->log);
    if (msg == NULL) {
        return NULL;
    }

    msg->len = cqrs_cursor_splice((char *) msg->data, field->str, field->len,
                                  &cursor);

    if (msg->len == 0) {
        ngx_cqrs_message_unref(msg);
        goto invalid;
    }

    msg->cursor = cursor;
    msg->has_cursor = 1;

    return msg;

invalid:

    ngx_log_error(NGX_LOG_ERR, redis->log, 0,
                  "redis \"%V\": history of channel \"%V\" holds what is no "
                  "message", &redis->url.name, channel);

    return NULL;
}


static redisReply *
ngx_cqrs_history_field(redisReply *entry)
{
    size_t       i;
    redisReply  *fields, *name, *value;

    fields = entry->element[1];

    if (fields->type != REDIS_REPLY_ARRAY) {
        return NULL;
    }

    for (i = 0; i + 1 < fields->elements; i += 2) {
        name = fields->element[i];
        value = fields->element[i + 1];

        if (name->type == REDIS_REPLY_STRING
            && value->type == REDIS_REPLY_STRING
            && name->len == 1
            && name->str[0] == 'm')
        {
            return value;
        }
    }

    return NULL;
}
