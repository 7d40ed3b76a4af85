
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Idempotency-Key: the first command with a key says, to all workers, and to
 * all hosts that share a Redis, what is meant by it.
 */

#ifndef NGX_HTTP_CQRS_COMMAND_KEY_H
#define NGX_HTTP_CQRS_COMMAND_KEY_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_cqrs_keys.h"
#include "ngx_cqrs_redis.h"
#include "ngx_http_cqrs_command_request.h"


typedef struct {
    ngx_cqrs_keys_t           *keys;           /* NULL: there are none */
    ngx_cqrs_redis_command_t  *asked;          /* NULL: there is no question */
    ngx_event_t                timer;
    cqrs_uuid_t                id;             /* as the workers call it */
    cqrs_uuid_t                what;           /* a digest */

    void                     (*handler)(ngx_uint_t other, void *data);
    void                      *data;
} ngx_http_cqrs_command_key_t;


/*
 * Handler, data and keys are the caller's.  NGX_OK: the handler is called once
 * from the event loop: other is 1 if the command's id is already that of
 * another type, stream or body.  NGX_BUSY: it is, now.  NGX_DECLINED: it is
 * not, as far as that can be known.
 */
ngx_int_t ngx_http_cqrs_command_key_begin(ngx_http_request_t *r,
    ngx_http_cqrs_command_key_t *key,
    const ngx_http_cqrs_command_request_t *cr);

/* The handler is called no more.  May be said twice, and of one not begun. */
void ngx_http_cqrs_command_key_end(ngx_http_cqrs_command_key_t *key);


#endif /* NGX_HTTP_CQRS_COMMAND_KEY_H */
