
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The random part matters after a fork: workers are seeded apart by nginx, so
 * those of one machine spread over half of each interval.
 */

#include "ngx_cqrs_backoff.h"


#define NGX_CQRS_BACKOFF_MIN      50
#define NGX_CQRS_BACKOFF_MAX      2000
#define NGX_CQRS_BACKOFF_DOUBLES  6        /* from the first past the second */


ngx_msec_t
ngx_cqrs_backoff_next(ngx_cqrs_backoff_t *b)
{
    ngx_msec_t  wait;

    wait = (ngx_msec_t) NGX_CQRS_BACKOFF_MIN << b->failures;

    if (wait > NGX_CQRS_BACKOFF_MAX) {
        wait = NGX_CQRS_BACKOFF_MAX;
    }

    if (b->failures < NGX_CQRS_BACKOFF_DOUBLES) {
        b->failures++;
    }

    return wait - (ngx_msec_t) ngx_random() % (wait / 2);
}


void
ngx_cqrs_backoff_reset(ngx_cqrs_backoff_t *b)
{
    b->failures = 0;
}
