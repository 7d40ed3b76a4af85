
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Has the store destroy a subject's key, in one transaction, and then rebuilds
 * the projections that nobody told how to forget it.  May be run again.
 */

#include "consumer_erase.h"
#include "consumer_pg.h"
#include "consumer_process.h"
#include "consumer_rebuild.h"

#include <inttypes.h>
#include <stdio.h>


static PGresult *consumer_erase_subject(const consumer_options_t *options,
    const char *subject);
static int consumer_erase_projection(const consumer_options_t *options,
    const char *subject, const PGresult *res, int row);


int
consumer_erase_run(const consumer_options_t *options)
{
    int          rc, row;
    int64_t      streams;
    PGresult    *res;
    const char  *subject;

    subject = options->words[0];

    res = consumer_erase_subject(options, subject);
    if (res == NULL) {
        return CONSUMER_EXIT_ERROR;
    }

    streams = consumer_pg_number(res, 0, 0);

    printf("%s: erased from %" PRId64 " %s\n", subject, streams,
           streams == 1 ? "stream" : "streams");
    fflush(stdout);

    rc = CONSUMER_EXIT_OK;

    for (row = 0; row < PQntuples(res); row++) {
        if (!PQgetisnull(res, row, 1)
            && consumer_erase_projection(options, subject, res, row) != 0)
        {
            rc = CONSUMER_EXIT_ERROR;
        }
    }

    PQclear(res);

    return rc;
}


/* A row for each projection; one without a name if there is none. */

static PGresult *
consumer_erase_subject(const consumer_options_t *options, const char *subject)
{
    PGresult       *res;
    const char     *params[1];
    consumer_pg_t   pg;

    params[0] = subject;

    consumer_pg_init(&pg, options->postgres, "cqrs-consumer erase");

    if (consumer_pg_query(&pg, "select e.streams, p.name,"
                          " p.name = any (e.to_rebuild)"
                          " from cqrs.erase($1) as e"
                          " left join lateral"
                          " unnest(e.to_rebuild || e.to_check) as p (name)"
                          " on true", 1, params, &res)
        != CONSUMER_PG_OK)
    {
        fprintf(stderr, "cqrs-consumer: %s\n", pg.error);
    }

    consumer_pg_cleanup(&pg);

    return res;
}


static int
consumer_erase_projection(const consumer_options_t *options,
    const char *subject, const PGresult *res, int row)
{
    const char  *name;

    name = PQgetvalue(res, row, 1);

    if (PQgetvalue(res, row, 2)[0] == 't') {
        return consumer_rebuild_projection(options, name);
    }

    fprintf(stderr, "cqrs-consumer: projection %s names no tables: look "
            "yourself whether it still shows anything of %s\n", name, subject);

    return -1;
}
