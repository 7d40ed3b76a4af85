
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * One connection to Redis that is always there, or on its way.
 *
 * Commands are answered in the order in which they were sent, each exactly
 * once: by its reply, or by NULL when the connection breaks first.  Then it
 * comes back by itself; what is to be sent anew is its user's matter.
 */

#ifndef NGX_CQRS_REDIS_LINK_H
#define NGX_CQRS_REDIS_LINK_H


#include "ngx_cqrs_redis_url.h"

#include <hiredis/hiredis.h>


typedef struct ngx_cqrs_redis_link_s     ngx_cqrs_redis_link_t;
typedef struct ngx_cqrs_redis_command_s  ngx_cqrs_redis_command_t;


/* The reply is borrowed: it is freed when the handler returns. */
typedef void (*ngx_cqrs_redis_reply_pt)(redisReply *reply, void *data);


typedef struct {
    void  (*up)(void *data);      /* Redis takes commands now */
    void  (*down)(void *data);    /* it does not any more; all were answered */

    /* A message to a subscriber; NULL: then this link does not subscribe. */
    void  (*message)(redisReply *channel, redisReply *payload, void *data);
} ngx_cqrs_redis_link_handlers_t;


/*
 * Connects as soon as the event loop runs.  The URL and the handlers must
 * live as long as the link.  The role is for logs: "subscriber", "reader".
 */
ngx_cqrs_redis_link_t *ngx_cqrs_redis_link_create(
    const ngx_cqrs_redis_url_t *url, const char *role,
    const ngx_cqrs_redis_link_handlers_t *handlers, void *data,
    ngx_log_t *log);

/* Calls no handler any more. */
void ngx_cqrs_redis_link_destroy(ngx_cqrs_redis_link_t *link);

/*
 * Sends a command when the event loop goes on.  Returns NULL, and calls
 * nothing, when the link is not up; when memory is short, the link goes down
 * soon.
 */
ngx_cqrs_redis_command_t *ngx_cqrs_redis_link_command(
    ngx_cqrs_redis_link_t *link, ngx_uint_t argc, const ngx_str_t *argv,
    ngx_cqrs_redis_reply_pt handler, void *data);

/* The handler will not be called; Redis may execute the command. */
void ngx_cqrs_redis_command_forget(ngx_cqrs_redis_command_t *command);


#endif /* NGX_CQRS_REDIS_LINK_H */
