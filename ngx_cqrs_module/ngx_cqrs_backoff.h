
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * How long to wait before the next attempt to reach a server: 50 ms, doubled
 * with each failure up to 2 s, of which a random part of up to a half is cut
 * off, so that workers do not knock in step.
 */

#ifndef NGX_CQRS_BACKOFF_H
#define NGX_CQRS_BACKOFF_H


#include <ngx_config.h>
#include <ngx_core.h>


/* All zero is a good beginning. */
typedef struct {
    ngx_uint_t  failures;
} ngx_cqrs_backoff_t;


/* Counts a failure; returns the time to wait. */
ngx_msec_t ngx_cqrs_backoff_next(ngx_cqrs_backoff_t *b);

/* The server was reached. */
void ngx_cqrs_backoff_reset(ngx_cqrs_backoff_t *b);


#endif /* NGX_CQRS_BACKOFF_H */
