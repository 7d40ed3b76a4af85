
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Which SQL runs long, and which is known to be quick, by what it did before:
 * a moving average of its time.
 *
 * What was asked for lately is remembered, and what runs long rather than the
 * rest.  SQL that is not known is neither.
 */

#ifndef NGX_CQRS_PG_PACE_H
#define NGX_CQRS_PG_PACE_H


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_CQRS_PG_SLOW          10       /* ms, from here on it is long */
#define NGX_CQRS_PG_QUICK         2000     /* us, up to here it is quick */
#define NGX_CQRS_PG_PACE_ENTRIES  1024


typedef struct {
    uint32_t               hash;           /* of the SQL */
    uint32_t               average;        /* us; 0: the place is free */
} ngx_cqrs_pg_pace_entry_t;


/* To be zeroed. */
typedef struct {
    ngx_cqrs_pg_pace_entry_t  entries[NGX_CQRS_PG_PACE_ENTRIES];
} ngx_cqrs_pg_pace_t;


/* us of a clock that only runs forward. */
uint64_t ngx_cqrs_pg_pace_now(void);

/* It has run so long. */
void ngx_cqrs_pg_pace_done(ngx_cqrs_pg_pace_t *pace, uint32_t hash,
    uint64_t us);

/* It runs so long already, and still does. */
void ngx_cqrs_pg_pace_runs(ngx_cqrs_pg_pace_t *pace, uint32_t hash,
    uint64_t us);

/* It failed, so its time says nothing: it is quick no more. */
void ngx_cqrs_pg_pace_failed(ngx_cqrs_pg_pace_t *pace, uint32_t hash);

ngx_uint_t ngx_cqrs_pg_pace_slow(ngx_cqrs_pg_pace_t *pace, uint32_t hash);

/* us that it is likely to run, at least 1, or 0: it is not known as quick. */
ngx_uint_t ngx_cqrs_pg_pace_quick(ngx_cqrs_pg_pace_t *pace, uint32_t hash);


#endif /* NGX_CQRS_PG_PACE_H */
