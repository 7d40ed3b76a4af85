
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * What a channel and its subscriptions know.  Only ngx_cqrs_channel.c, which
 * subscribes and hands out live messages, and ngx_cqrs_channel_sync.c, which
 * reads what was missed, look at this.
 */

#ifndef NGX_CQRS_CHANNEL_STATE_H
#define NGX_CQRS_CHANNEL_STATE_H


#include "ngx_cqrs_channel.h"
#include "ngx_cqrs_reading.h"


typedef struct ngx_cqrs_channel_s  ngx_cqrs_channel_t;


typedef enum {
    NGX_CQRS_CHANNEL_DOWN = 0,     /* Redis was not asked, or is away */
    NGX_CQRS_CHANNEL_SUBSCRIBING,  /* SUBSCRIBE waits for its answer */
    NGX_CQRS_CHANNEL_SYNCING,      /* live messages wait for the history */
    NGX_CQRS_CHANNEL_LIVE,
    NGX_CQRS_CHANNEL_LEAVING       /* UNSUBSCRIBE waits for its answer */
} ngx_cqrs_channel_state_e;


typedef enum {
    NGX_CQRS_SUBSCRIPTION_WAITING = 0,   /* for the channel to be live */
    NGX_CQRS_SUBSCRIPTION_READING,       /* catches up by itself */
    NGX_CQRS_SUBSCRIPTION_LIVE
} ngx_cqrs_subscription_state_e;


struct ngx_cqrs_channel_s {
    ngx_str_node_t             node;       /* the name; it stands behind */
    ngx_queue_t                subs;
    ngx_cqrs_redis_t          *redis;
    ngx_cqrs_reading_t        *reading;    /* while SYNCING */

    cqrs_cursor_t              position;   /* of the last message */
    cqrs_cursor_t              read_upto;  /* older live ones are known */

    ngx_cqrs_channel_state_e   state;
    unsigned                   known:1;    /* the position is */
    unsigned                   reset:1;    /* to be told when it is found */
};


struct ngx_cqrs_subscription_s {
    ngx_queue_t                   queue;      /* of the channel */
    ngx_cqrs_channel_t           *channel;
    ngx_cqrs_reading_t           *reading;    /* while READING */

    const ngx_cqrs_subscriber_t  *subscriber;
    void                         *data;

    /* Before it is live: where it goes on; then as read_upto above. */
    cqrs_cursor_t                 cursor;

    unsigned                      state:2;
    unsigned                      has_cursor:1;
    unsigned                      announced:1;
    unsigned                      reset:1;    /* to be told */
};


/* In ngx_cqrs_channel.c. */

/* Hands a message to all subscribers. */
void ngx_cqrs_channel_deliver(ngx_cqrs_channel_t *ch,
    ngx_cqrs_message_t *msg);


/* In ngx_cqrs_channel_sync.c. */

/* The channel is subscribed: finds out what was missed, then it is live. */
void ngx_cqrs_channel_sync(ngx_cqrs_channel_t *ch);

/* A subscription whose channel is live: begins. */
void ngx_cqrs_subscription_begin(ngx_cqrs_subscription_t *sub);

/*
 * A live subscription that had everything up to the cursor and cannot take
 * more now: it reads on by itself when it can.
 */
ngx_int_t ngx_cqrs_subscription_read_alone(ngx_cqrs_subscription_t *sub,
    const cqrs_cursor_t *cursor);

/* A live message that has to wait. */
void ngx_cqrs_channel_hold(ngx_cqrs_channel_t *ch, ngx_cqrs_message_t *msg);
void ngx_cqrs_subscription_hold(ngx_cqrs_subscription_t *sub,
    ngx_cqrs_message_t *msg);

/* A message could not be kept: all are told to fetch anew. */
void ngx_cqrs_channel_lost(ngx_cqrs_channel_t *ch);

/* The reading connection is there again. */
void ngx_cqrs_channel_read_on(ngx_cqrs_channel_t *ch);


#endif /* NGX_CQRS_CHANNEL_STATE_H */
