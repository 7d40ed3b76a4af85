
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "bench_store.h"


#define BENCH_STORE_COMMAND  512           /* bytes of JSON, at most */


static void bench_store_claim(bench_store_t *store);


void
bench_store_connect(bench_store_t *store, const char *conninfo, long partition,
    long count)
{
    PGresult  *res;

    store->conn = PQconnectdb(conninfo);

    if (PQstatus(store->conn) != CONNECTION_OK) {
        bench_die("no connection: %s", PQerrorMessage(store->conn));
    }

    (void) snprintf(store->partition, sizeof(store->partition), "%ld",
                    partition);

    bench_store_claim(store);

    res = PQprepare(store->conn, "execute",
                    "select ordinal, status, duplicate, sequence, channel,"
                    " body from cqrs.execute($1, $2, $3)", 3, NULL);

    if (PQresultStatus(res) != PGRES_COMMAND_OK) {
        bench_die("not prepared: %s", PQresultErrorMessage(res));
    }

    PQclear(res);

    if (PQenterPipelineMode(store->conn) != 1) {
        bench_die("no pipeline: %s", PQerrorMessage(store->conn));
    }

    store->size = (size_t) count * BENCH_STORE_COMMAND + 2;
    store->batch = bench_alloc(store->size);
}


static void
bench_store_claim(bench_store_t *store)
{
    PGresult    *res;
    const char  *values[2];

    values[0] = store->partition;
    values[1] = "bench";

    res = PQexecParams(store->conn, "select cqrs.claim_partition($1, $2)", 2,
                       NULL, values, NULL, NULL, 0);

    if (PQresultStatus(res) != PGRES_TUPLES_OK) {
        bench_die("partition not claimed: %s", PQresultErrorMessage(res));
    }

    (void) snprintf(store->epoch, sizeof(store->epoch), "%s",
                    PQgetvalue(res, 0, 0));
    PQclear(res);
}


void
bench_store_begin(bench_store_t *store)
{
    store->len = 0;
}


void
bench_store_add(bench_store_t *store, const bench_command_t *cmd)
{
    int     n;
    size_t  room;

    room = store->size - store->len - 1;

    n = snprintf(store->batch + store->len, room,
                 "%c{\"id\":\"%s\",\"stream\":\"%s\",\"type\":\"%s\","
                 "\"data\":%s,\"user\":\"%s\",\"correlation_id\":\"%s\"}",
                 store->len ? ',' : '[', cmd->id, cmd->stream, cmd->type,
                 cmd->body, cmd->user, cmd->id);

    if (n < 0 || (size_t) n >= room) {
        bench_die("the batch has no room for command %s", cmd->id);
    }

    store->len += (size_t) n;
}


void
bench_store_send(bench_store_t *store)
{
    const char  *values[3];

    store->batch[store->len] = ']';
    store->batch[store->len + 1] = '\0';

    values[0] = store->partition;
    values[1] = store->epoch;
    values[2] = store->batch;

    if (PQsendQueryPrepared(store->conn, "execute", 3, values, NULL, NULL, 0)
        != 1
        || PQpipelineSync(store->conn) != 1)
    {
        bench_die("not sent: %s", PQerrorMessage(store->conn));
    }
}


void
bench_store_committed(bench_store_t *store, long count)
{
    int        i, rows;
    long       done;
    PGresult  *res;

    res = PQgetResult(store->conn);

    if (PQresultStatus(res) != PGRES_TUPLES_OK) {
        bench_die("not executed: %s", PQresultErrorMessage(res));
    }

    rows = PQntuples(res);

    for (i = 0, done = 0; i < rows; i++) {

        /* of what was decided before the store says only when it is stale */

        if (!PQgetisnull(res, i, 1)
            && strcmp(PQgetvalue(res, i, 1), "completed") != 0)
        {
            bench_die("a command was %s: %s", PQgetvalue(res, i, 1),
                      PQgetvalue(res, i, 5));
        }

        if (i == 0
            || strcmp(PQgetvalue(res, i, 0), PQgetvalue(res, i - 1, 0)) != 0)
        {
            done++;
        }
    }

    if (done != count) {
        bench_die("%ld of %ld commands were executed", done, count);
    }

    PQclear(res);
    PQclear(PQgetResult(store->conn));     /* NULL: the end of the query */
    PQclear(PQgetResult(store->conn));     /* its Sync: the commit */
}
