
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * pg_floor: the bare libpq client that runs one prepared statement with a key,
 * on some connections, each with some queries under way.
 *
 *   pg_floor -d CONNINFO -q SQL -k KEY-FORMAT -r KEYS
 *            -c CONNECTIONS [-w QUERIES] -t SECONDS
 *
 * %ld in KEY-FORMAT is replaced by 1 to KEYS in turn.  One query at a time is
 * what pgbench -M prepared does; more go as a pipeline, one Sync each.
 */

#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"


#define PG_FLOOR_CONNECTIONS  64
#define PG_FLOOR_WINDOW       256


typedef struct {
    PGconn          *conn;
    uint64_t         since[PG_FLOOR_WINDOW];   /* a ring */
    long             head;
    long             busy;
} pg_floor_connection_t;


typedef struct {
    const char      *conninfo;
    const char      *sql;
    const char      *format;
    long             keys;
    long             connections;
    long             window;
    long             seconds;

    long             key;
    bench_samples_t  samples;
} pg_floor_t;


static void pg_floor_connect(pg_floor_t *floor, pg_floor_connection_t *c);
static void pg_floor_send(pg_floor_t *floor, pg_floor_connection_t *c);
static void pg_floor_take(pg_floor_t *floor, pg_floor_connection_t *c);
static void pg_floor_run(pg_floor_t *floor, pg_floor_connection_t *c);
static void pg_floor_options(pg_floor_t *floor, int argc, char **argv);


int
main(int argc, char **argv)
{
    long                    i;
    uint64_t                start, spent;
    pg_floor_t              floor;
    pg_floor_connection_t  *c;

    memset(&floor, 0, sizeof(floor));
    pg_floor_options(&floor, argc, argv);

    c = bench_alloc((size_t) floor.connections * sizeof(*c));

    for (i = 0; i < floor.connections; i++) {
        pg_floor_connect(&floor, &c[i]);
    }

    bench_ready();

    start = bench_now();
    pg_floor_run(&floor, c);
    spent = bench_now() - start;

    bench_number("count", (double) floor.samples.count);
    bench_number("seconds", (double) spent / 1e9);
    bench_latency("answer", &floor.samples);
    bench_done();

    for (i = 0; i < floor.connections; i++) {
        PQfinish(c[i].conn);
    }

    return 0;
}


static void
pg_floor_connect(pg_floor_t *floor, pg_floor_connection_t *c)
{
    PGresult  *res;

    c->conn = PQconnectdb(floor->conninfo);

    if (PQstatus(c->conn) != CONNECTION_OK) {
        bench_die("no connection: %s", PQerrorMessage(c->conn));
    }

    res = PQprepare(c->conn, "one", floor->sql, 1, NULL);

    if (PQresultStatus(res) != PGRES_COMMAND_OK) {
        bench_die("not prepared: %s", PQresultErrorMessage(res));
    }

    PQclear(res);

    if (PQsetnonblocking(c->conn, 1) != 0
        || (floor->window > 1 && PQenterPipelineMode(c->conn) != 1))
    {
        bench_die("no pipeline: %s", PQerrorMessage(c->conn));
    }
}


static void
pg_floor_run(pg_floor_t *floor, pg_floor_connection_t *c)
{
    long           i, busy;
    uint64_t       end;
    struct pollfd  pfds[PG_FLOOR_CONNECTIONS];

    end = bench_now() + (uint64_t) floor->seconds * 1000000000;

    for (i = 0; i < floor->connections; i++) {
        pfds[i].fd = PQsocket(c[i].conn);
        pfds[i].events = POLLIN;
        pfds[i].revents = POLLIN;
    }

    do {
        busy = 0;

        for (i = 0; i < floor->connections; i++) {

            if (pfds[i].revents) {
                pg_floor_take(floor, &c[i]);

                while (c[i].busy < floor->window && bench_now() < end) {
                    pg_floor_send(floor, &c[i]);
                }

                pfds[i].events = PQflush(c[i].conn) ? POLLIN|POLLOUT : POLLIN;
            }

            busy += c[i].busy;
        }

        if (busy && poll(pfds, (nfds_t) floor->connections, 10000) <= 0) {
            bench_die("no answer within 10 s");
        }

    } while (busy);
}


static void
pg_floor_send(pg_floor_t *floor, pg_floor_connection_t *c)
{
    char         key[64];
    const char  *values[1];

    floor->key = floor->key % floor->keys + 1;

    /* the format is the driver's, who gives it one place */

    (void) snprintf(key, sizeof(key), floor->format, floor->key);
    values[0] = key;

    c->since[(c->head + c->busy) % PG_FLOOR_WINDOW] = bench_now();
    c->busy++;

    if (PQsendQueryPrepared(c->conn, "one", 1, values, NULL, NULL, 0) != 1
        || (floor->window > 1 && PQpipelineSync(c->conn) != 1))
    {
        bench_die("not sent: %s", PQerrorMessage(c->conn));
    }
}


static void
pg_floor_take(pg_floor_t *floor, pg_floor_connection_t *c)
{
    PGresult        *res;
    ExecStatusType   status;

    if (c->busy == 0) {
        return;
    }

    if (PQconsumeInput(c->conn) != 1) {
        bench_die("connection lost: %s", PQerrorMessage(c->conn));
    }

    while (c->busy && !PQisBusy(c->conn)) {

        res = PQgetResult(c->conn);
        status = PQresultStatus(res);

        if (res == NULL) {

            /* the end of one query; in a pipeline its Sync comes yet */

            if (floor->window > 1) {
                continue;
            }

        } else if (status == PGRES_TUPLES_OK && PQntuples(res) > 0) {
            PQclear(res);
            continue;

        } else if (status != PGRES_PIPELINE_SYNC) {
            bench_die("no row: %s", PQresultErrorMessage(res));
        }

        PQclear(res);

        bench_sample(&floor->samples, bench_now() - c->since[c->head]);

        c->head = (c->head + 1) % PG_FLOOR_WINDOW;
        c->busy--;
    }
}


static void
pg_floor_options(pg_floor_t *floor, int argc, char **argv)
{
    int  letter;

    floor->keys = 1;
    floor->connections = 1;
    floor->window = 1;
    floor->seconds = 1;

    while ((letter = getopt(argc, argv, "d:q:k:r:c:w:t:")) != -1) {

        switch (letter) {

        case 'd': floor->conninfo = optarg; break;
        case 'q': floor->sql = optarg; break;
        case 'k': floor->format = optarg; break;
        case 'r': floor->keys = bench_option(letter, optarg, 1); break;
        case 'c': floor->connections = bench_option(letter, optarg, 1); break;
        case 'w': floor->window = bench_option(letter, optarg, 1); break;
        case 't': floor->seconds = bench_option(letter, optarg, 1); break;

        default:
            bench_die("see the head of its source for the options");
        }
    }

    if (!floor->conninfo || !floor->sql || !floor->format) {
        bench_die("-d, -q and -k are needed");
    }

    if (floor->connections > PG_FLOOR_CONNECTIONS
        || floor->window > PG_FLOOR_WINDOW)
    {
        bench_die("at most %d connections with %d queries each",
                  PG_FLOOR_CONNECTIONS, PG_FLOOR_WINDOW);
    }
}
