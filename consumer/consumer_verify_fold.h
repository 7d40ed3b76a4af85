
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* The states of streams that a handler folds, compared with those kept. */

#ifndef CONSUMER_VERIFY_FOLD_H
#define CONSUMER_VERIFY_FOLD_H


#include "consumer_handler.h"
#include "consumer_pg.h"

#include <jansson.h>


typedef struct {
    int64_t    streams;        /* that were folded */
    int64_t    later;          /* to be folded anew when they are needed */
    int64_t    cut;            /* of which events are missing */
    int64_t    wrong;
    json_t    *examples;       /* sentences, the caller's */
} consumer_verify_fold_t;


/* The handler of a category; NULL: there is none. */
const cqrs_handler_t *consumer_verify_handler(const char *category);

/* Folds all streams of its category; 0, or -1: pg->error says why not. */
int consumer_verify_fold(consumer_pg_t *pg, const cqrs_handler_t *handler,
    consumer_verify_fold_t *fold);


#endif /* CONSUMER_VERIFY_FOLD_H */
