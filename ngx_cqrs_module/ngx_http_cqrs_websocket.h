
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * A subscriber over WebSocket: from the moment it is accepted one connection
 * and one small structure, without a request.
 */

#ifndef NGX_HTTP_CQRS_WEBSOCKET_H
#define NGX_HTTP_CQRS_WEBSOCKET_H


#include "ngx_http_cqrs_session.h"
#include "ngx_http_cqrs_subscribe.h"


/* What is read at once; also what may come before the answer. */
#define NGX_HTTP_CQRS_WEBSOCKET_READ  1024


typedef struct ngx_http_cqrs_websocket_s  ngx_http_cqrs_websocket_t;


/*
 * Looks whether the request opens a WebSocket that is welcome here.  NGX_OK:
 * go on.  Anything else: a problem document was sent; return it.
 */
ngx_int_t ngx_http_cqrs_websocket_check(ngx_http_request_t *r,
    const ngx_http_cqrs_subscribe_loc_conf_t *conf);

/* The answer to a request that was checked; NULL when memory is short. */
ngx_cqrs_message_t *ngx_http_cqrs_websocket_answer(ngx_http_request_t *r);


/*
 * Belongs to the caller until it is opened.  The configuration must outlive
 * it; NULL when memory is short.
 */
ngx_http_cqrs_websocket_t *ngx_http_cqrs_websocket_create(
    ngx_http_cqrs_subscribe_loc_conf_t *conf, ngx_log_t *log);

void ngx_http_cqrs_websocket_destroy(ngx_http_cqrs_websocket_t *ws);

/* Lives as long as the WebSocket, which wakes it itself once it is open. */
ngx_http_cqrs_session_t *ngx_http_cqrs_websocket_session(
    ngx_http_cqrs_websocket_t *ws);

/*
 * Answers 101, frees the request, and serves the connection until it ends.
 * Closes at the given time, 0 for never.  To be called from an event of ours.
 * NGX_ERROR when memory is short: nothing has changed.
 */
ngx_int_t ngx_http_cqrs_websocket_open(ngx_http_cqrs_websocket_t *ws,
    ngx_http_request_t *r, time_t expires);


#endif /* NGX_HTTP_CQRS_WEBSOCKET_H */
