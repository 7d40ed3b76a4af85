
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* A channel's history in Redis, as docs/wire.md has it: reading it. */

#ifndef NGX_CQRS_HISTORY_H
#define NGX_CQRS_HISTORY_H


#include "ngx_cqrs_message.h"
#include "ngx_cqrs_redis.h"


/*
 * Asks for up to so many entries, beginning with the one at the cursor.  NULL
 * when the reading connection is not up.
 */
ngx_cqrs_redis_command_t *ngx_cqrs_history_read(ngx_cqrs_redis_t *redis,
    const ngx_str_t *channel, const cqrs_cursor_t *from, ngx_uint_t count,
    ngx_cqrs_redis_reply_pt handler, void *data);

/* Asks for the last entry only. */
ngx_cqrs_redis_command_t *ngx_cqrs_history_read_last(ngx_cqrs_redis_t *redis,
    const ngx_str_t *channel, ngx_cqrs_redis_reply_pt handler, void *data);

/*
 * Does the answer go on from the cursor, nothing missing between?  NGX_OK: its
 * elements from the first new one on are entries.  Anything else: it does not,
 * or is no answer; the latter was logged.
 */
ngx_int_t ngx_cqrs_history_check(ngx_cqrs_redis_t *redis,
    const ngx_str_t *channel, redisReply *reply, const cqrs_cursor_t *from,
    ngx_uint_t *first);

/* Where an entry stands; NGX_ERROR if it is none. */
ngx_int_t ngx_cqrs_history_cursor(redisReply *entry, cqrs_cursor_t *cursor);

/*
 * The message of an entry, as it was published.  NULL: there is none in it, or
 * memory is short; it was logged.
 */
ngx_cqrs_message_t *ngx_cqrs_history_message(ngx_cqrs_redis_t *redis,
    const ngx_str_t *channel, redisReply *entry);


#endif /* NGX_CQRS_HISTORY_H */
