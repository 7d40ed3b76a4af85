
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "consumer_share.h"
#include "consumer_log.h"
#include "consumer_process.h"

#include <stdio.h>
#include <string.h>


/* The store forgets who is silent for five times as long. */
#define CONSUMER_SHARE_ATTEND  2000

/*
 * Who gave a partition up and has it again keeps it for so long, whatever the
 * store says: each time that a partition changes hands, commands that were
 * delivered and not executed are counted as delivered once more.
 */
#define CONSUMER_SHARE_KEEP    10000


static consumer_pg_status_e consumer_share_tell(consumer_share_t *share,
    consumer_share_e state);


void
consumer_share_init(consumer_share_t *share, consumer_pg_t *pg,
    const consumer_worker_t *worker)
{
    memset(share, 0, sizeof(*share));

    share->pg = pg;
    share->daemon = worker->daemon;

    snprintf(share->partition, sizeof(share->partition), "%u",
             worker->partition);
}


consumer_pg_status_e
consumer_share_attend(consumer_share_t *share, consumer_share_e state)
{
    consumer_pg_status_e  rc;

    share->heir[0] = '\0';

    if (state == share->state && consumer_now() < share->attend_at) {
        return CONSUMER_PG_OK;
    }

    rc = consumer_share_tell(share, state);

    if (rc == CONSUMER_PG_FAILED) {

        /* sharing is a wish, commands go on without it */

        if (!share->failing) {
            consumer_log(CONSUMER_LOG_ERROR,
                         "postgres: attending to partition %s failed, %s "
                         "\"%s\"; other daemons do not know of us",
                         share->partition, share->pg->sqlstate,
                         share->pg->error);
            share->failing = 1;
        }

        share->state = state;

        return CONSUMER_PG_OK;
    }

    if (rc == CONSUMER_PG_OK) {
        share->failing = 0;
    }

    if (consumer_now() < share->keep_until) {
        share->heir[0] = '\0';
    }

    return rc;
}


static consumer_pg_status_e
consumer_share_tell(consumer_share_t *share, consumer_share_e state)
{
    PGresult              *res;
    const char            *params[3];
    consumer_pg_status_e   rc;

    static const char * const  states[] = { NULL, "away", "waits", "works" };

    share->attend_at = consumer_now() + CONSUMER_SHARE_ATTEND;

    params[0] = share->partition;
    params[1] = share->daemon;
    params[2] = states[state];

    rc = consumer_pg_query(share->pg, "select cqrs.attend($1, $2, $3),"
                           " cqrs.releases_due($1, $2)", 3, params, &res);

    if (rc != CONSUMER_PG_OK) {
        return rc;
    }

    share->state = state;

    /* a null is empty */

    snprintf(share->heir, sizeof(share->heir), "%s", PQgetvalue(res, 0, 0));

    if (PQgetvalue(res, 0, 1)[0] == 't') {
        share->released = 1;
    }

    PQclear(res);

    return CONSUMER_PG_OK;
}


unsigned
consumer_share_due(consumer_share_t *share, unsigned max)
{
    return consumer_until(share->attend_at, max);
}


void
consumer_share_given(consumer_share_t *share)
{
    share->keep_until = consumer_now() + CONSUMER_SHARE_KEEP;
}


void
consumer_share_away(consumer_share_t *share)
{
    if (share->pg->conn == NULL || share->state < CONSUMER_SHARE_WAITS) {
        return;
    }

    (void) consumer_share_tell(share, CONSUMER_SHARE_AWAY);

    share->state = CONSUMER_SHARE_AWAY;
}


void
consumer_share_leave(consumer_share_t *share)
{
    PGresult    *res;
    const char  *params[2];

    if (share->pg->conn == NULL || share->state == CONSUMER_SHARE_NONE) {
        return;
    }

    params[0] = share->partition;
    params[1] = share->daemon;

    if (consumer_pg_query(share->pg, "select cqrs.leave($1, $2)", 2, params,
                          &res)
        == CONSUMER_PG_OK)
    {
        PQclear(res);
    }

    share->state = CONSUMER_SHARE_NONE;
}
