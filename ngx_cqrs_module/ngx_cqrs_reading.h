
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * A reading of history that goes on, and the live messages that have to wait
 * for its end.  Too many of them are dropped, since the history has them too,
 * and it is read on; only what is in no history cannot be dropped.
 */

#ifndef NGX_CQRS_READING_H
#define NGX_CQRS_READING_H


#include "ngx_cqrs_message.h"
#include "ngx_cqrs_redis_link.h"


typedef struct {
    ngx_cqrs_redis_command_t  *command;    /* NULL: nothing was asked */
    ngx_uint_t                 page;       /* entries to ask for */
    ngx_queue_t                held;
    size_t                     held_size;
    unsigned                   loose:1;    /* one of them has no cursor */
    unsigned                   again:1;    /* some were dropped */
    unsigned                   complete:1; /* only what is held is left */
    unsigned                   paused:1;   /* until resumed */
} ngx_cqrs_reading_t;


ngx_cqrs_reading_t *ngx_cqrs_reading_create(ngx_uint_t page, ngx_log_t *log);

/* Forgets what was asked, and drops what is held.  To NULL nothing is done. */
void ngx_cqrs_reading_destroy(ngx_cqrs_reading_t **reading);

/* Holds the message, or leaves it to the history.  NGX_ERROR: it is lost. */
ngx_int_t ngx_cqrs_reading_hold(ngx_cqrs_reading_t *reading,
    ngx_cqrs_message_t *msg, ngx_log_t *log);

/*
 * The oldest one that comes after the cursor, or has none; those before it are
 * dropped.  Borrowed until it is shifted out.  NULL: there is none left.
 */
ngx_cqrs_message_t *ngx_cqrs_reading_first(ngx_cqrs_reading_t *reading,
    const cqrs_cursor_t *after);

void ngx_cqrs_reading_shift(ngx_cqrs_reading_t *reading);


#endif /* NGX_CQRS_READING_H */
