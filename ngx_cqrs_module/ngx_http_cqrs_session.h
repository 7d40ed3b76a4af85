
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * A subscriber as every transport has it: the subscription, and the messages
 * that are still to be sent, up to a limit.
 *
 * It is embedded in what a transport keeps of a connection, begins with the
 * request and goes on without it.  Nothing is sent from here: wake() says that
 * there is something to do, and is called while others are still served, so
 * it only posts an event.
 */

#ifndef NGX_HTTP_CQRS_SESSION_H
#define NGX_HTTP_CQRS_SESSION_H


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_cqrs_channel.h"


typedef struct ngx_http_cqrs_session_s    ngx_http_cqrs_session_t;
typedef struct ngx_http_cqrs_outgoing_s   ngx_http_cqrs_outgoing_t;


struct ngx_http_cqrs_outgoing_s {
    ngx_http_cqrs_outgoing_t   *next;
    ngx_cqrs_message_t         *msg;
};


struct ngx_http_cqrs_session_s {
    ngx_cqrs_subscription_t    *subscription;

    ngx_http_cqrs_outgoing_t   *first;       /* may be sent in part */
    ngx_http_cqrs_outgoing_t  **last;
    size_t                      size;        /* of all of them */
    size_t                      limit;

    void                      (*wake)(ngx_http_cqrs_session_t *session);
    void                       *data;        /* of whoever is woken */

    unsigned                    overflow:1;  /* more came than it can take */
    unsigned                    refused:1;   /* Redis forbids the channel */
};


/* Fails when memory is short.  May call wake() at once. */
ngx_int_t ngx_http_cqrs_session_begin(ngx_http_cqrs_session_t *session,
    ngx_cqrs_redis_t *redis, const ngx_str_t *channel,
    const cqrs_cursor_t *cursor, size_t limit);

/* Ends the subscription; what is to be sent stays. */
void ngx_http_cqrs_session_end(ngx_http_cqrs_session_t *session);

/* Drops what is to be sent but the first, of which a part may have been. */
void ngx_http_cqrs_session_drop(ngx_http_cqrs_session_t *session);

/* Ends and drops everything. */
void ngx_http_cqrs_session_cleanup(ngx_http_cqrs_session_t *session);

/* Adds a message at the end, whatever the limit; takes over the reference. */
ngx_int_t ngx_http_cqrs_session_append(ngx_http_cqrs_session_t *session,
    ngx_cqrs_message_t *msg);

/* The same before all others, none of which was begun. */
ngx_int_t ngx_http_cqrs_session_prepend(ngx_http_cqrs_session_t *session,
    ngx_cqrs_message_t *msg);

/* The first was sent. */
void ngx_http_cqrs_session_shift(ngx_http_cqrs_session_t *session);


#endif /* NGX_HTTP_CQRS_SESSION_H */
