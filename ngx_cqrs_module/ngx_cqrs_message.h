
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * A message on its way to many subscribers: there once, and counted.  Whoever
 * keeps it takes a reference; the last one who gives his back frees it.
 *
 * Before the payload is room for what a transport writes in front of it, so
 * that a frame too is built once for all its receivers.
 */

#ifndef NGX_CQRS_MESSAGE_H
#define NGX_CQRS_MESSAGE_H


#include <ngx_config.h>
#include <ngx_core.h>

#include "cqrs_cursor.h"


#define NGX_CQRS_MESSAGE_HEADROOM  16


typedef struct {
    ngx_uint_t     refs;
    cqrs_cursor_t  cursor;
    size_t         len;
    ngx_uint_t     head_len;      /* used of the room, at its end */
    unsigned       has_cursor:1;
    unsigned       has_head:1;    /* some transport has been here */

    u_char         room[NGX_CQRS_MESSAGE_HEADROOM];
    u_char         data[];
} ngx_cqrs_message_t;


/* One reference, the caller's; len bytes of payload, to be filled. */
ngx_cqrs_message_t *ngx_cqrs_message_create(size_t len, ngx_log_t *log);

ngx_cqrs_message_t *ngx_cqrs_message_ref(ngx_cqrs_message_t *msg);

void ngx_cqrs_message_unref(ngx_cqrs_message_t *msg);

/* Writes what goes in front of the payload. */
void ngx_cqrs_message_set_head(ngx_cqrs_message_t *msg, const u_char *head,
    size_t len);


#endif /* NGX_CQRS_MESSAGE_H */
