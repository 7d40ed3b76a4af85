
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "ngx_cqrs_redis.h"
#include "ngx_cqrs_channel_table.h"


static ngx_cqrs_backend_t *ngx_cqrs_redis_create(ngx_conf_t *cf);
static ngx_int_t ngx_cqrs_redis_start(ngx_cqrs_backend_t *backend,
    ngx_cycle_t *cycle);
static void ngx_cqrs_redis_stop(ngx_cqrs_backend_t *backend);
static void ngx_cqrs_redis_subscriber_up(void *data);
static void ngx_cqrs_redis_subscriber_down(void *data);
static void ngx_cqrs_redis_subscriber_message(redisReply *channel,
    redisReply *payload, void *data);
static void ngx_cqrs_redis_reader_up(void *data);
static void ngx_cqrs_redis_reader_down(void *data);


const ngx_cqrs_backend_type_t  ngx_cqrs_redis_backend = {
    "redis",
    ngx_cqrs_redis_create,
    ngx_cqrs_redis_start,
    ngx_cqrs_redis_stop
};


static const ngx_cqrs_redis_link_handlers_t  ngx_cqrs_redis_subscriber = {
    ngx_cqrs_redis_subscriber_up,
    ngx_cqrs_redis_subscriber_down,
    ngx_cqrs_redis_subscriber_message
};


static const ngx_cqrs_redis_link_handlers_t  ngx_cqrs_redis_reader = {
    ngx_cqrs_redis_reader_up,
    ngx_cqrs_redis_reader_down,
    NULL
};


static ngx_cqrs_backend_t *
ngx_cqrs_redis_create(ngx_conf_t *cf)
{
    ngx_cqrs_redis_t  *redis;

    redis = ngx_pcalloc(cf->pool, sizeof(ngx_cqrs_redis_t));
    if (redis == NULL) {
        return NULL;
    }

    if (ngx_cqrs_redis_url_read(cf, &redis->url) != NGX_OK) {
        return NULL;
    }

    return &redis->backend;
}


static ngx_int_t
ngx_cqrs_redis_start(ngx_cqrs_backend_t *backend, ngx_cycle_t *cycle)
{
    ngx_cqrs_redis_t  *redis;

    redis = (ngx_cqrs_redis_t *) backend;

    redis->log = cycle->log;

    ngx_rbtree_init(&redis->channels, &redis->sentinel,
                    ngx_str_rbtree_insert_value);

    redis->subscriber = ngx_cqrs_redis_link_create(&redis->url, "subscriber",
                                                   &ngx_cqrs_redis_subscriber,
                                                   redis, redis->log);
    if (redis->subscriber == NULL) {
        return NGX_ERROR;
    }

    redis->reader = ngx_cqrs_redis_link_create(&redis->url, "reader",
                                               &ngx_cqrs_redis_reader, redis,
                                               redis->log);
    if (redis->reader == NULL) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_cqrs_redis_stop(ngx_cqrs_backend_t *backend)
{
    ngx_cqrs_redis_t  *redis;

    redis = (ngx_cqrs_redis_t *) backend;

    if (redis->reader == NULL) {
        return;                            /* it was not started */
    }

    ngx_cqrs_channel_table_cleanup(redis);

    ngx_cqrs_redis_link_destroy(redis->subscriber);
    ngx_cqrs_redis_link_destroy(redis->reader);

    redis->subscriber = NULL;
    redis->reader = NULL;
}


static void
ngx_cqrs_redis_subscriber_up(void *data)
{
    ngx_cqrs_channel_table_subscribe(data);
}


static void
ngx_cqrs_redis_subscriber_down(void *data)
{
    ngx_cqrs_channel_table_down(data);
}


static void
ngx_cqrs_redis_subscriber_message(redisReply *channel, redisReply *payload,
    void *data)
{
    ngx_str_t  name, text;

    name.data = (u_char *) channel->str;
    name.len = channel->len;

    text.data = (u_char *) payload->str;
    text.len = payload->len;

    ngx_cqrs_channel_table_message(data, &name, &text);
}


static void
ngx_cqrs_redis_reader_up(void *data)
{
    ngx_cqrs_channel_table_read(data);
}


/* Each command that was lost has told its sender. */

static void
ngx_cqrs_redis_reader_down(void *data)
{
}
