
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The command's id is a function of user and key; under it Redis keeps, for a
 * day, a digest of what the id was first used for.  Two commands in one write:
 * the first sets it where there is none, the second tells what is there.
 *
 * Redis makes this a convenience and no more.  When it is away, or slow, the
 * command goes on; it is executed once all the same, with the first body.
 */

#include "ngx_http_cqrs_command_key.h"

#include "cqrs_names.h"


#define NGX_HTTP_CQRS_COMMAND_KEY_EXPIRES  "86400"


static void ngx_http_cqrs_command_key_digest(
    ngx_http_cqrs_command_key_t *key,
    const ngx_http_cqrs_command_request_t *cr);
static void ngx_http_cqrs_command_key_set(redisReply *reply, void *data);
static void ngx_http_cqrs_command_key_reply(redisReply *reply, void *data);
static void ngx_http_cqrs_command_key_timeout(ngx_event_t *ev);


ngx_int_t
ngx_http_cqrs_command_key_begin(ngx_http_request_t *r,
    ngx_http_cqrs_command_key_t *key, ngx_cqrs_redis_t *redis,
    const ngx_http_cqrs_command_request_t *cr)
{
    u_char     name[sizeof(CQRS_REDIS_KEY) - 1 + CQRS_UUID_TEXT_LEN];
    ngx_str_t  argv[6];

    ngx_http_cqrs_command_key_digest(key, cr);

    ngx_memcpy(ngx_cpymem(name, CQRS_REDIS_KEY, sizeof(CQRS_REDIS_KEY) - 1),
               cr->id_text, CQRS_UUID_TEXT_LEN);

    ngx_str_set(&argv[0], "SET");
    argv[1].data = name;
    argv[1].len = sizeof(name);
    argv[2].data = key->digest;
    argv[2].len = sizeof(key->digest);
    ngx_str_set(&argv[3], "NX");
    ngx_str_set(&argv[4], "EX");
    ngx_str_set(&argv[5], NGX_HTTP_CQRS_COMMAND_KEY_EXPIRES);

    if (ngx_cqrs_redis_link_command(redis->reader, 6, argv,
                                    ngx_http_cqrs_command_key_set, redis)
        == NULL)
    {
        return NGX_DECLINED;
    }

    ngx_str_set(&argv[0], "GET");

    key->asked = ngx_cqrs_redis_link_command(redis->reader, 2, argv,
                                             ngx_http_cqrs_command_key_reply,
                                             key);
    if (key->asked == NULL) {
        return NGX_DECLINED;
    }

    key->timer.handler = ngx_http_cqrs_command_key_timeout;
    key->timer.data = key;
    key->timer.log = r->connection->log;

    ngx_add_timer(&key->timer, redis->url.timeout);

    return NGX_OK;
}


void
ngx_http_cqrs_command_key_end(ngx_http_cqrs_command_key_t *key)
{
    if (key->asked) {
        ngx_cqrs_redis_command_forget(key->asked);
        key->asked = NULL;
    }

    if (key->timer.timer_set) {
        ngx_del_timer(&key->timer);
    }
}


/* No type and no stream has a line feed in it. */

static void
ngx_http_cqrs_command_key_digest(ngx_http_cqrs_command_key_t *key,
    const ngx_http_cqrs_command_request_t *cr)
{
    u_char       *p, name[CQRS_TYPE_MAX + 1 + CQRS_STREAM_MAX];
    cqrs_uuid_t   nil, target, whole;

    p = ngx_cpymem(name, cr->type.data, cr->type.len);
    *p++ = LF;
    p = ngx_cpymem(p, cr->stream.data, cr->stream.len);

    ngx_memzero(&nil, sizeof(cqrs_uuid_t));

    cqrs_uuid_derive(&target, &nil, name, p - name);
    cqrs_uuid_derive(&whole, &target, cr->body.data, cr->body.len);

    cqrs_uuid_format((char *) key->digest, &whole);
}


/* The request may be gone by now; what is there is asked for by itself. */

static void
ngx_http_cqrs_command_key_set(redisReply *reply, void *data)
{
    ngx_cqrs_redis_t  *redis = data;

    if (reply && reply->type == REDIS_REPLY_ERROR) {
        ngx_log_error(NGX_LOG_ERR, redis->log, 0,
                      "redis \"%V\": an Idempotency-Key cannot be kept, "
                      "\"%s\"", &redis->url.name, reply->str);
    }
}


static void
ngx_http_cqrs_command_key_reply(redisReply *reply, void *data)
{
    ngx_uint_t                    other;
    ngx_http_cqrs_command_key_t  *key = data;

    key->asked = NULL;

    ngx_http_cqrs_command_key_end(key);

    other = reply
            && reply->type == REDIS_REPLY_STRING
            && (reply->len != sizeof(key->digest)
                || ngx_memcmp(reply->str, key->digest, sizeof(key->digest))
                   != 0);

    key->handler(other, key->data);
}


static void
ngx_http_cqrs_command_key_timeout(ngx_event_t *ev)
{
    ngx_http_cqrs_command_key_t  *key;

    key = ev->data;

    ngx_log_error(NGX_LOG_ERR, ev->log, 0,
                  "redis has not answered within the time limit, "
                  "the Idempotency-Key is not compared");

    ngx_http_cqrs_command_key_end(key);

    key->handler(0, key->data);
}
