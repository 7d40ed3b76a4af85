
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * A channel of Redis, subscribed to once per worker and shared by all who
 * listen here.
 *
 * A subscriber is first told where it stands, then hears every message once
 * and in order.  When messages were lost, or may have been, it is told so
 * instead; nothing is skipped in silence.  Redis may go and come back
 * meanwhile: what was missed is read from the channel's history.
 *
 * Messages without a cursor are in no history and are passed on as they come.
 */

#ifndef NGX_CQRS_CHANNEL_H
#define NGX_CQRS_CHANNEL_H


#include "ngx_cqrs_message.h"
#include "ngx_cqrs_redis.h"


typedef struct ngx_cqrs_subscription_s  ngx_cqrs_subscription_t;


/*
 * What a subscriber is told.  None of these may call ngx_cqrs_unsubscribe():
 * post an event for that.
 */
typedef struct {

    /*
     * Where the subscriber stands; called first, and only then by itself when
     * it is a reset: what came before the cursor is to be fetched anew.
     */
    void        (*position)(const ngx_str_t *channel,
                    const cqrs_cursor_t *cursor, ngx_uint_t reset,
                    void *data);

    /* Borrowed; take a reference to keep it. */
    void        (*message)(ngx_cqrs_message_t *msg, void *data);

    /*
     * Asked before each message of the history: 1 if the subscriber first
     * wants to get rid of what it has before it takes so many bytes more; it
     * calls ngx_cqrs_subscription_resume() when it has.
     */
    ngx_uint_t  (*full)(size_t len, void *data);

    /* Redis does not allow this channel; nothing will come. */
    void        (*refused)(void *data);
} ngx_cqrs_subscriber_t;


/* 1 if Redis and we can take it for a channel's name. */
ngx_uint_t ngx_cqrs_channel_name_valid(const ngx_str_t *name);

/*
 * The subscriber may be called before this returns.  What a cursor means, see
 * "A notification to the client" in docs/wire.md.  NULL: memory is short.
 */
ngx_cqrs_subscription_t *ngx_cqrs_subscribe(ngx_cqrs_redis_t *redis,
    const ngx_str_t *name, const cqrs_cursor_t *cursor,
    const ngx_cqrs_subscriber_t *subscriber, void *data);

void ngx_cqrs_unsubscribe(ngx_cqrs_subscription_t *sub);

/* Goes on after full(). */
void ngx_cqrs_subscription_resume(ngx_cqrs_subscription_t *sub);


#endif /* NGX_CQRS_CHANNEL_H */
