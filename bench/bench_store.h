
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* Batches of commands for cqrs.execute(), by libpq itself. */

#ifndef BENCH_STORE_H
#define BENCH_STORE_H


#include <libpq-fe.h>

#include "bench_amqp.h"


typedef struct {
    PGconn  *conn;
    char     partition[16];
    char     epoch[32];

    char    *batch;            /* JSON, without its last bracket */
    size_t   len;
    size_t   size;
} bench_store_t;


/* Connects, claims the partition, prepares; room for count commands. */
void bench_store_connect(bench_store_t *store, const char *conninfo,
    long partition, long count);

/* A batch is begun, filled with commands, and sent. */
void bench_store_begin(bench_store_t *store);
void bench_store_add(bench_store_t *store, const bench_command_t *cmd);
void bench_store_send(bench_store_t *store);

/* Waits for a batch to be committed; dies unless all of it was completed. */
void bench_store_committed(bench_store_t *store, long count);


#endif /* BENCH_STORE_H */
