
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "consumer_release.h"

#include <stdio.h>


int
consumer_release_init(consumer_release_t *r, consumer_pg_t *pg,
    const consumer_worker_t *worker)
{
    consumer_options_t  options;

    /* states are not kept from one reading to the next */

    options = *worker->options;
    options.cache = options.batch;

    r->progress = 1;

    return consumer_batch_init(&r->batch, pg, worker->partition, &options,
                               worker->crashes);
}


void
consumer_release_cleanup(consumer_release_t *r)
{
    consumer_batch_cleanup(&r->batch);
}


void
consumer_release_clear(consumer_release_t *r)
{
    consumer_batch_clear(&r->batch);
    consumer_decider_clear(&r->batch.decider);

    r->progress = 1;
}


consumer_batch_status_e
consumer_release_read(consumer_release_t *r, const char *epoch)
{
    int                    row, progress;
    char                   partition[16], max[24];
    PGresult              *res;
    const char            *params[2];
    consumer_batch_t      *b;
    consumer_pg_status_e   rc;

    b = &r->batch;

    snprintf(b->epoch, sizeof(b->epoch), "%s", epoch);

    if (b->n) {
        return CONSUMER_BATCH_DONE;
    }

    /* what has come to nothing is not to be tried all the time */

    progress = r->progress;
    consumer_release_clear(r);

    if (!progress) {
        return CONSUMER_BATCH_DONE;
    }

    snprintf(partition, sizeof(partition), "%u", b->partition);
    snprintf(max, sizeof(max), "%zu", b->size);

    params[0] = partition;
    params[1] = max;

    rc = consumer_pg_query(b->pg, "select id, stream, command"
                           " from cqrs.read_released($1, $2)", 2, params,
                           &res);

    if (rc != CONSUMER_PG_OK) {
        return consumer_batch_status(rc);
    }

    for (row = 0; row < PQntuples(res); row++) {

        if (consumer_command_parked(&b->commands[b->n],
                                    PQgetvalue(res, row, 0),
                                    PQgetvalue(res, row, 1),
                                    PQgetvalue(res, row, 2))
            != 0)
        {
            break;
        }

        b->n++;
    }

    PQclear(res);

    r->progress = (b->n == 0);

    return CONSUMER_BATCH_DONE;
}


void
consumer_release_done(consumer_release_t *r, const PGresult *res, size_t done)
{
    int  row;

    for (row = 0; row < PQntuples(res); row++) {
        if (PQgetvalue(res, row, 2)[0] == 'f') {
            r->progress = 1;
        }
    }

    consumer_batch_shift(&r->batch, done);
}
