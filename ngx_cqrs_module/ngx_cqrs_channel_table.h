
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* What a worker's Redis tells its channels. */

#ifndef NGX_CQRS_CHANNEL_TABLE_H
#define NGX_CQRS_CHANNEL_TABLE_H


#include "ngx_cqrs_redis.h"


/* The subscribing connection is up: subscribe to all channels. */
void ngx_cqrs_channel_table_subscribe(ngx_cqrs_redis_t *redis);

/* It is down, and with it all subscriptions. */
void ngx_cqrs_channel_table_down(ngx_cqrs_redis_t *redis);

/* It brought a message. */
void ngx_cqrs_channel_table_message(ngx_cqrs_redis_t *redis,
    const ngx_str_t *name, const ngx_str_t *payload);

/*
 * The worker exits: forget the channels whose last answer does not come any
 * more.  To be called while both connections are still there.
 */
void ngx_cqrs_channel_table_cleanup(ngx_cqrs_redis_t *redis);

/* The reading connection is up: read on. */
void ngx_cqrs_channel_table_read(ngx_cqrs_redis_t *redis);


#endif /* NGX_CQRS_CHANNEL_TABLE_H */
