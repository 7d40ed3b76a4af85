
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The command's id is a function of user and key; under it the workers keep
 * in shared memory, and Redis for all hosts, for a day, a digest of what the
 * id was first used for.  To Redis go two commands in one write: the first
 * sets it where there is none, the second tells what is there.
 *
 * What Redis says the workers remember.  Without it they remember what they
 * have seen themselves; and what they know to be another command Redis is not
 * asked about, lest it take that for the first.
 *
 * All of this is a convenience and no more.  When Redis is away, or slow, and
 * the workers have forgotten, the command goes on; it is executed once all the
 * same, with the first body.
 */

#include "ngx_http_cqrs_module.h"
#include "ngx_http_cqrs_command_key.h"

#include "cqrs_names.h"


#define NGX_HTTP_CQRS_COMMAND_KEY_KEPT     86400
#define NGX_HTTP_CQRS_COMMAND_KEY_EXPIRES  "86400"


static ngx_int_t ngx_http_cqrs_command_key_ask(ngx_http_request_t *r,
    ngx_http_cqrs_command_key_t *key, ngx_cqrs_redis_t *redis,
    const ngx_http_cqrs_command_request_t *cr);
static void ngx_http_cqrs_command_key_digest(
    ngx_http_cqrs_command_key_t *key,
    const ngx_http_cqrs_command_request_t *cr);
static void ngx_http_cqrs_command_key_name(ngx_http_cqrs_command_key_t *key,
    const ngx_http_cqrs_command_request_t *cr, const ngx_str_t *place);
static ngx_uint_t ngx_http_cqrs_command_key_claim(
    ngx_http_cqrs_command_key_t *key, const cqrs_uuid_t *what);
static void ngx_http_cqrs_command_key_set(redisReply *reply, void *data);
static void ngx_http_cqrs_command_key_reply(redisReply *reply, void *data);
static void ngx_http_cqrs_command_key_timeout(ngx_event_t *ev);


ngx_int_t
ngx_http_cqrs_command_key_begin(ngx_http_request_t *r,
    ngx_http_cqrs_command_key_t *key,
    const ngx_http_cqrs_command_request_t *cr)
{
    ngx_http_cqrs_loc_conf_t  *backends;

    backends = ngx_http_cqrs_loc_conf(r);

    if (key->keys == NULL && backends->redis == NULL) {
        return NGX_DECLINED;
    }

    ngx_http_cqrs_command_key_digest(key, cr);

    key->timer.handler = ngx_http_cqrs_command_key_timeout;
    key->timer.data = key;
    key->timer.log = r->connection->log;

    if (key->keys) {
        ngx_http_cqrs_command_key_name(key, cr,
                                      ngx_cqrs_amqp_place(backends->rabbitmq));

        if (ngx_cqrs_keys_find(key->keys, &key->id, &key->what)
            == CQRS_KEYS_OTHER)
        {
            return NGX_BUSY;
        }
    }

    if (backends->redis
        && ngx_http_cqrs_command_key_ask(r, key, backends->redis, cr)
           == NGX_OK)
    {
        return NGX_OK;
    }

    return ngx_http_cqrs_command_key_claim(key, &key->what) ? NGX_BUSY
                                                            : NGX_DECLINED;
}


static ngx_int_t
ngx_http_cqrs_command_key_ask(ngx_http_request_t *r,
    ngx_http_cqrs_command_key_t *key, ngx_cqrs_redis_t *redis,
    const ngx_http_cqrs_command_request_t *cr)
{
    u_char     name[sizeof(CQRS_REDIS_KEY) - 1 + CQRS_UUID_TEXT_LEN];
    u_char     digest[CQRS_UUID_TEXT_LEN];
    ngx_str_t  argv[6];

    cqrs_uuid_format((char *) digest, &key->what);

    ngx_memcpy(ngx_cpymem(name, CQRS_REDIS_KEY, sizeof(CQRS_REDIS_KEY) - 1),
               cr->id_text, CQRS_UUID_TEXT_LEN);

    ngx_str_set(&argv[0], "SET");
    argv[1].data = name;
    argv[1].len = sizeof(name);
    argv[2].data = digest;
    argv[2].len = sizeof(digest);
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
    cqrs_uuid_t   nil, target;

    p = ngx_cpymem(name, cr->type.data, cr->type.len);
    *p++ = LF;
    p = ngx_cpymem(p, cr->stream.data, cr->stream.len);

    ngx_memzero(&nil, sizeof(cqrs_uuid_t));

    cqrs_uuid_derive(&target, &nil, name, p - name);
    cqrs_uuid_derive(&key->what, &target, cr->body.data, cr->body.len);
}


/* What several systems have in common is this memory alone. */

static void
ngx_http_cqrs_command_key_name(ngx_http_cqrs_command_key_t *key,
    const ngx_http_cqrs_command_request_t *cr, const ngx_str_t *place)
{
    cqrs_uuid_t  id;

    (void) cqrs_uuid_parse(&id, (char *) cr->id_text, CQRS_UUID_TEXT_LEN);

    cqrs_uuid_derive(&key->id, &id, place->data, place->len);
}


/* 1: the id stands for something else. */

static ngx_uint_t
ngx_http_cqrs_command_key_claim(ngx_http_cqrs_command_key_t *key,
    const cqrs_uuid_t *what)
{
    return key->keys
           && ngx_cqrs_keys_claim(key->keys, &key->id, what,
                                  NGX_HTTP_CQRS_COMMAND_KEY_KEPT,
                                  key->timer.log)
              == CQRS_KEYS_OTHER;
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
    cqrs_uuid_t                   known;
    ngx_http_cqrs_command_key_t  *key = data;

    key->asked = NULL;

    ngx_http_cqrs_command_key_end(key);

    other = 0;
    known = key->what;

    if (reply && reply->type == REDIS_REPLY_STRING) {

        if (cqrs_uuid_parse(&known, reply->str, reply->len) != 0) {
            key->handler(1, key->data);
            return;
        }

        other = ngx_memcmp(&known, &key->what, sizeof(cqrs_uuid_t)) != 0;
    }

    other |= ngx_http_cqrs_command_key_claim(key, &known);

    key->handler(other, key->data);
}


static void
ngx_http_cqrs_command_key_timeout(ngx_event_t *ev)
{
    ngx_http_cqrs_command_key_t  *key;

    key = ev->data;

    ngx_log_error(NGX_LOG_ERR, ev->log, 0,
                  "redis has not answered within the time limit, "
                  "the Idempotency-Key is compared in this host alone");

    ngx_http_cqrs_command_key_end(key);

    key->handler(ngx_http_cqrs_command_key_claim(key, &key->what), key->data);
}
