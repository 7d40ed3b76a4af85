
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * An event that is posted for the next round of the event loop has nginx ask
 * for what is ready and not wait for it.  Ours posts itself again, until the
 * time is over.  Who shares the processor goes first: a server that has
 * something to answer is not kept from it.
 */

#include "ngx_cqrs_busy_poll.h"


static void ngx_cqrs_busy_poll_handler(ngx_event_t *ev);


static ngx_msec_t   ngx_cqrs_busy_poll_time;
static ngx_msec_t   ngx_cqrs_busy_poll_end;
static ngx_event_t  ngx_cqrs_busy_poll_event;


void
ngx_cqrs_busy_poll_init(ngx_msec_t time, ngx_log_t *log)
{
    ngx_cqrs_busy_poll_time = time;

    ngx_cqrs_busy_poll_event.handler = ngx_cqrs_busy_poll_handler;
    ngx_cqrs_busy_poll_event.log = log;
}


void
ngx_cqrs_busy_poll(void)
{
    if (ngx_cqrs_busy_poll_time == 0) {
        return;
    }

    ngx_cqrs_busy_poll_end = ngx_current_msec + ngx_cqrs_busy_poll_time;

    if (!ngx_cqrs_busy_poll_event.posted) {
        ngx_post_event(&ngx_cqrs_busy_poll_event, &ngx_posted_next_events);
    }
}


static void
ngx_cqrs_busy_poll_handler(ngx_event_t *ev)
{
    if ((ngx_msec_int_t) (ngx_cqrs_busy_poll_end - ngx_current_msec) < 0) {
        return;
    }

    ngx_sched_yield();

    ngx_post_event(ev, &ngx_posted_next_events);
}
