
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * What is long begins as if it had been quick before: one query that had to
 * wait for a processor for a moment does not make its SQL slow, but one that
 * takes four times as long as is long does.
 *
 * Two texts of the same hash, and two that fall on one place, are taken for
 * one another; then one of them waits for a connection of its own, or the
 * other does not.  Neither is wrong, only less well placed.
 */

#include "ngx_cqrs_pg_pace.h"


#define NGX_CQRS_PG_PACE_WEIGHT  4
#define NGX_CQRS_PG_PACE_LONG    (NGX_CQRS_PG_SLOW * 1000)
#define NGX_CQRS_PG_PACE_MAX     3600000000U


static ngx_cqrs_pg_pace_entry_t *ngx_cqrs_pg_pace_entry(
    ngx_cqrs_pg_pace_t *pace, uint32_t hash);
static uint32_t ngx_cqrs_pg_pace_average(ngx_cqrs_pg_pace_t *pace,
    uint32_t hash);


uint64_t
ngx_cqrs_pg_pace_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


void
ngx_cqrs_pg_pace_done(ngx_cqrs_pg_pace_t *pace, uint32_t hash, uint64_t us)
{
    ngx_cqrs_pg_pace_entry_t  *entry;

    us = ngx_min(ngx_max(us, 1), NGX_CQRS_PG_PACE_MAX);

    entry = ngx_cqrs_pg_pace_entry(pace, hash);

    if (entry->average && entry->hash == hash) {
        us = ((uint64_t) entry->average * (NGX_CQRS_PG_PACE_WEIGHT - 1) + us)
             / NGX_CQRS_PG_PACE_WEIGHT;

    } else if (us >= NGX_CQRS_PG_PACE_LONG) {
        us /= NGX_CQRS_PG_PACE_WEIGHT;

    } else if (entry->average >= NGX_CQRS_PG_PACE_LONG) {
        return;
    }

    entry->hash = hash;
    entry->average = ngx_max(us, 1);
}


void
ngx_cqrs_pg_pace_runs(ngx_cqrs_pg_pace_t *pace, uint32_t hash, uint64_t us)
{
    ngx_cqrs_pg_pace_entry_t  *entry;

    if (us < NGX_CQRS_PG_PACE_LONG) {
        return;
    }

    entry = ngx_cqrs_pg_pace_entry(pace, hash);

    us = ngx_min(us, NGX_CQRS_PG_PACE_MAX) / NGX_CQRS_PG_PACE_WEIGHT;

    if (entry->hash != hash || entry->average < us) {
        entry->hash = hash;
        entry->average = us;
    }
}


void
ngx_cqrs_pg_pace_failed(ngx_cqrs_pg_pace_t *pace, uint32_t hash)
{
    if (ngx_cqrs_pg_pace_quick(pace, hash)) {
        ngx_cqrs_pg_pace_entry(pace, hash)->average = 0;
    }
}


ngx_uint_t
ngx_cqrs_pg_pace_slow(ngx_cqrs_pg_pace_t *pace, uint32_t hash)
{
    return ngx_cqrs_pg_pace_average(pace, hash) >= NGX_CQRS_PG_PACE_LONG;
}


ngx_uint_t
ngx_cqrs_pg_pace_quick(ngx_cqrs_pg_pace_t *pace, uint32_t hash)
{
    uint32_t  average;

    average = ngx_cqrs_pg_pace_average(pace, hash);

    return average <= NGX_CQRS_PG_QUICK ? average : 0;
}


/* 0: it is not known. */

static uint32_t
ngx_cqrs_pg_pace_average(ngx_cqrs_pg_pace_t *pace, uint32_t hash)
{
    ngx_cqrs_pg_pace_entry_t  *entry;

    entry = ngx_cqrs_pg_pace_entry(pace, hash);

    return entry->hash == hash ? entry->average : 0;
}


static ngx_cqrs_pg_pace_entry_t *
ngx_cqrs_pg_pace_entry(ngx_cqrs_pg_pace_t *pace, uint32_t hash)
{
    return &pace->entries[hash % NGX_CQRS_PG_PACE_ENTRIES];
}
