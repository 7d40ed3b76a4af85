
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Which SQL runs long, by what it did before: a moving average of its time.
 *
 * Only what has run long is remembered, and of those the ones that did so
 * lately; all other SQL is taken for quick.
 */

#ifndef NGX_CQRS_PG_PACE_H
#define NGX_CQRS_PG_PACE_H


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_CQRS_PG_SLOW          10       /* ms, from here on it is long */
#define NGX_CQRS_PG_PACE_ENTRIES  256


typedef struct {
    uint32_t               hash;           /* of the SQL */
    ngx_msec_t             average;        /* 0: the place is free */
} ngx_cqrs_pg_pace_entry_t;


/* To be zeroed. */
typedef struct {
    ngx_cqrs_pg_pace_entry_t  entries[NGX_CQRS_PG_PACE_ENTRIES];
} ngx_cqrs_pg_pace_t;


/* It has run so long. */
void ngx_cqrs_pg_pace_done(ngx_cqrs_pg_pace_t *pace, uint32_t hash,
    ngx_msec_t msec);

/* It runs so long already, and still does. */
void ngx_cqrs_pg_pace_runs(ngx_cqrs_pg_pace_t *pace, uint32_t hash,
    ngx_msec_t msec);

ngx_uint_t ngx_cqrs_pg_pace_slow(ngx_cqrs_pg_pace_t *pace, uint32_t hash);


#endif /* NGX_CQRS_PG_PACE_H */
