
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The average begins as if it had been quick before: one query that had to
 * wait for a processor for a moment does not make its SQL slow, but one that
 * takes four times as long as is long does.
 *
 * Two texts of the same hash, and two that fall on one place, are taken for
 * one another; then one of them waits for a connection of its own, or the
 * other does not.  Neither is wrong, only less well placed.
 */

#include "ngx_cqrs_pg_pace.h"


#define NGX_CQRS_PG_PACE_WEIGHT  4


static ngx_cqrs_pg_pace_entry_t *ngx_cqrs_pg_pace_entry(
    ngx_cqrs_pg_pace_t *pace, uint32_t hash);


void
ngx_cqrs_pg_pace_done(ngx_cqrs_pg_pace_t *pace, uint32_t hash,
    ngx_msec_t msec)
{
    ngx_cqrs_pg_pace_entry_t  *entry;

    entry = ngx_cqrs_pg_pace_entry(pace, hash);

    if (entry->average == 0 || entry->hash != hash) {

        if (msec < NGX_CQRS_PG_SLOW) {
            return;
        }

        entry->hash = hash;
        entry->average = 0;
    }

    entry->average = (entry->average * (NGX_CQRS_PG_PACE_WEIGHT - 1) + msec)
                     / NGX_CQRS_PG_PACE_WEIGHT;
}


void
ngx_cqrs_pg_pace_runs(ngx_cqrs_pg_pace_t *pace, uint32_t hash,
    ngx_msec_t msec)
{
    ngx_cqrs_pg_pace_entry_t  *entry;

    if (msec < NGX_CQRS_PG_SLOW) {
        return;
    }

    entry = ngx_cqrs_pg_pace_entry(pace, hash);

    msec /= NGX_CQRS_PG_PACE_WEIGHT;

    if (entry->hash != hash || entry->average < msec) {
        entry->hash = hash;
        entry->average = msec;
    }
}


ngx_uint_t
ngx_cqrs_pg_pace_slow(ngx_cqrs_pg_pace_t *pace, uint32_t hash)
{
    ngx_cqrs_pg_pace_entry_t  *entry;

    entry = ngx_cqrs_pg_pace_entry(pace, hash);

    return entry->hash == hash && entry->average >= NGX_CQRS_PG_SLOW;
}


static ngx_cqrs_pg_pace_entry_t *
ngx_cqrs_pg_pace_entry(ngx_cqrs_pg_pace_t *pace, uint32_t hash)
{
    return &pace->entries[hash % NGX_CQRS_PG_PACE_ENTRIES];
}
