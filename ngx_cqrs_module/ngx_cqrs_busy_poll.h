
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * A worker that waits for the next event without sleeping, for a while after
 * each thing that it did: to be woken takes as long as a short query.
 */

#ifndef NGX_CQRS_BUSY_POLL_H
#define NGX_CQRS_BUSY_POLL_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


/* Once for each worker.  0: it sleeps at once, as nginx does. */
void ngx_cqrs_busy_poll_init(ngx_msec_t time, ngx_log_t *log);

/* A server was asked something, or has answered: more will come soon. */
void ngx_cqrs_busy_poll(void);


#endif /* NGX_CQRS_BUSY_POLL_H */
