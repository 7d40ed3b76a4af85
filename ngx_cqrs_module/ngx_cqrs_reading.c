
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "ngx_cqrs_reading.h"


#define NGX_CQRS_READING_HELD_MAX  262144

#define ngx_cqrs_reading_size(msg)                                            \
    (sizeof(ngx_cqrs_held_t) + sizeof(ngx_cqrs_message_t) + (msg)->len)


typedef struct {
    ngx_queue_t          queue;
    ngx_cqrs_message_t  *msg;
} ngx_cqrs_held_t;


static void ngx_cqrs_reading_drop(ngx_cqrs_reading_t *reading);


ngx_cqrs_reading_t *
ngx_cqrs_reading_create(ngx_uint_t page, ngx_log_t *log)
{
    ngx_cqrs_reading_t  *reading;

    reading = ngx_calloc(sizeof(ngx_cqrs_reading_t), log);
    if (reading == NULL) {
        return NULL;
    }

    ngx_queue_init(&reading->held);

    reading->page = page;

    return reading;
}


void
ngx_cqrs_reading_destroy(ngx_cqrs_reading_t **reading)
{
    ngx_cqrs_reading_t  *gone;

    gone = *reading;

    if (gone == NULL) {
        return;
    }

    *reading = NULL;

    if (gone->command) {
        ngx_cqrs_redis_command_forget(gone->command);
    }

    ngx_cqrs_reading_drop(gone);
    ngx_free(gone);
}


ngx_int_t
ngx_cqrs_reading_hold(ngx_cqrs_reading_t *reading, ngx_cqrs_message_t *msg,
    ngx_log_t *log)
{
    ngx_cqrs_held_t  *held;

    if (reading->held_size
        && reading->held_size + ngx_cqrs_reading_size(msg)
           > NGX_CQRS_READING_HELD_MAX)
    {
        if (reading->loose || !msg->has_cursor) {
            return NGX_ERROR;
        }

        ngx_cqrs_reading_drop(reading);
        reading->again = 1;

        return NGX_OK;
    }

    held = ngx_alloc(sizeof(ngx_cqrs_held_t), log);
    if (held == NULL) {
        return NGX_ERROR;
    }

    held->msg = ngx_cqrs_message_ref(msg);

    ngx_queue_insert_tail(&reading->held, &held->queue);
    reading->held_size += ngx_cqrs_reading_size(msg);

    if (!msg->has_cursor) {
        reading->loose = 1;
    }

    return NGX_OK;
}


ngx_cqrs_message_t *
ngx_cqrs_reading_first(ngx_cqrs_reading_t *reading,
    const cqrs_cursor_t *after)
{
    ngx_queue_t         *q;
    ngx_cqrs_held_t     *held;
    ngx_cqrs_message_t  *msg;

    while (!ngx_queue_empty(&reading->held)) {
        q = ngx_queue_head(&reading->held);

        held = ngx_queue_data(q, ngx_cqrs_held_t, queue);
        msg = held->msg;

        if (!msg->has_cursor
            || cqrs_cursor_compare(&msg->cursor, after) > 0)
        {
            return msg;
        }

        ngx_cqrs_reading_shift(reading);
    }

    return NULL;
}


void
ngx_cqrs_reading_shift(ngx_cqrs_reading_t *reading)
{
    ngx_queue_t      *q;
    ngx_cqrs_held_t  *held;

    q = ngx_queue_head(&reading->held);
    ngx_queue_remove(q);

    held = ngx_queue_data(q, ngx_cqrs_held_t, queue);

    reading->held_size -= ngx_cqrs_reading_size(held->msg);

    ngx_cqrs_message_unref(held->msg);
    ngx_free(held);
}


static void
ngx_cqrs_reading_drop(ngx_cqrs_reading_t *reading)
{
    while (!ngx_queue_empty(&reading->held)) {
        ngx_cqrs_reading_shift(reading);
    }
}
