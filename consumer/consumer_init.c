
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* cqrs-consumer init: the whole of sql/ is inside the program. */

#include "consumer_init.h"
#include "consumer_pg.h"
#include "consumer_process.h"

#include <stdio.h>


static int consumer_init_exec(PGconn *conn, const char *sql);


int
consumer_init_run(const consumer_options_t *options)
{
    int            rc;
    char           sql[64];
    PGresult      *res;
    consumer_pg_t  pg;

    rc = CONSUMER_EXIT_ERROR;

    consumer_pg_init(&pg, options->postgres, "cqrs-consumer init");

    if (consumer_pg_connect(&pg) != CONSUMER_PG_OK) {
        fprintf(stderr, "cqrs-consumer: postgres: %s\n", pg.error);
        goto done;
    }

    if (options->partitions) {
        snprintf(sql, sizeof(sql), "set cqrs.partitions = '%u'",
                 options->partitions);

        if (consumer_init_exec(pg.conn, sql) != 0) {
            goto done;
        }
    }

    if (consumer_init_exec(pg.conn, consumer_sql) != 0) {
        goto done;
    }

    if (consumer_pg_query(&pg, "select cqrs.partition_count()", 0, NULL, &res)
        != CONSUMER_PG_OK)
    {
        fprintf(stderr, "cqrs-consumer: postgres: %s\n", pg.error);
        goto done;
    }

    printf("The event store is installed, with %s partitions.\n",
           PQgetvalue(res, 0, 0));

    PQclear(res);

    rc = CONSUMER_EXIT_OK;

done:

    consumer_pg_cleanup(&pg);

    return rc;
}


static int
consumer_init_exec(PGconn *conn, const char *sql)
{
    int        rc;
    PGresult  *res;

    res = PQexec(conn, sql);

    rc = (PQresultStatus(res) == PGRES_FATAL_ERROR) ? -1 : 0;

    if (rc != 0) {
        fprintf(stderr, "cqrs-consumer: postgres: %s",
                PQresultErrorMessage(res));
    }

    PQclear(res);

    return rc;
}
