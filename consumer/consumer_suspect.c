
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "consumer_suspect.h"

#include <stdio.h>
#include <string.h>


#define CONSUMER_SUSPECT_SURVIVED   3
#define CONSUMER_SUSPECT_RESTARTED  20


void
consumer_suspect_lost(consumer_suspect_t *s, const consumer_pg_t *pg)
{
    if (pg->lost && !pg->bystander) {
        s->pending = 1;
    }
}


consumer_pg_status_e
consumer_suspect_count(consumer_suspect_t *s, consumer_pg_t *pg)
{
    PGresult              *res;
    consumer_pg_status_e   rc;

    rc = consumer_pg_query(pg, "select pg_catalog.pg_postmaster_start_time()",
                           0, NULL, &res);

    if (rc != CONSUMER_PG_OK) {
        return rc;
    }

    /* the first time there is nothing to compare with */

    if (strcmp(s->server, PQgetvalue(res, 0, 0)) == 0) {
        s->survived++;

    } else if (s->server[0]) {
        s->restarted++;
    }

    snprintf(s->server, sizeof(s->server), "%s", PQgetvalue(res, 0, 0));

    s->pending = 0;

    PQclear(res);

    return CONSUMER_PG_OK;
}


void
consumer_suspect_clear(consumer_suspect_t *s)
{
    s->survived = 0;
    s->restarted = 0;
    s->pending = 0;
}


unsigned
consumer_suspect_guilty(const consumer_suspect_t *s)
{
    if (s->survived >= CONSUMER_SUSPECT_SURVIVED
        || s->restarted >= CONSUMER_SUSPECT_RESTARTED)
    {
        return s->survived + s->restarted;
    }

    return 0;
}
