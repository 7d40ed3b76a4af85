
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Batches of deposits for cqrs.append_decided(), as the daemon sends them when
 * a handler in C has decided: by libpq itself, with what the daemon would have
 * in its memory.
 */

#ifndef BENCH_DECIDED_H
#define BENCH_DECIDED_H


#include "../consumer/consumer_array.h"
#include "bench_store.h"


#define BENCH_DECIDED_ARRAYS  24


typedef struct {
    int64_t   version;
    int64_t   balance;
    char     *rest;            /* of its state, without the last brace */
} bench_decided_account_t;


typedef struct {
    bench_store_t            *store;
    bench_decided_account_t  *accounts;    /* by number, from 1 */
    int64_t                   amount;
    long                      count;       /* in this batch */
    consumer_array_t          arrays[BENCH_DECIDED_ARRAYS];
} bench_decided_t;


/* Reads the accounts, and prepares; body is that of each deposit. */
void bench_decided_init(bench_decided_t *decided, bench_store_t *store,
    const char *format, long accounts, const char *body);

/* A batch is begun, filled with deposits to different accounts, and sent. */
void bench_decided_begin(bench_decided_t *decided);
void bench_decided_add(bench_decided_t *decided, const bench_command_t *cmd,
    long number);
void bench_decided_send(bench_decided_t *decided);


#endif /* BENCH_DECIDED_H */
