
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * What the daemon was told: arguments, and behind them the environment.
 *
 * All strings belong to the options.  They may hold passwords: never log them.
 */

#ifndef CONSUMER_OPTIONS_H
#define CONSUMER_OPTIONS_H


#include "consumer_log.h"

#include <stddef.h>


#define CONSUMER_NAME_MAX        63
#define CONSUMER_RABBITMQ_MAX    16
#define CONSUMER_BATCH_MAX       1000
#define CONSUMER_PARTITIONS_MAX  256
#define CONSUMER_HANDLERS_MAX    16
#define CONSUMER_CACHE_MAX       10000000

#define CONSUMER_HANDLER_TIMEOUT_MAX  3600
#define CONSUMER_DAYS_MAX        36500


typedef struct {
    const char            *command;        /* "run" when none was given */
    const char *const     *words;          /* what follows it, argv's own */
    size_t                 nwords;

    char                  *name;           /* NULL: not given */
    char                  *postgres;
    char                  *redis;
    char                  *rabbitmq[CONSUMER_RABBITMQ_MAX];
    size_t                 nrabbitmq;

    unsigned               batch;
    unsigned               partitions;     /* 0: not given */

    char                  *handlers[CONSUMER_HANDLERS_MAX];
    size_t                 nhandlers;
    unsigned               handler_timeout; /* seconds */
    unsigned               cache;          /* states in each worker */

    unsigned               inbox_days;     /* 0: kept for ever */
    unsigned               notification_days;
    consumer_log_level_e   log_level;
    unsigned               json:1;         /* answers are for programs */
    unsigned               all:1;          /* what is to be done is for all */
} consumer_options_t;


typedef enum {
    CONSUMER_OPTIONS_OK = 0,
    CONSUMER_OPTIONS_HELP,
    CONSUMER_OPTIONS_VERSION,
    CONSUMER_OPTIONS_ERROR                 /* said on standard error */
} consumer_options_e;


consumer_options_e consumer_options_init(consumer_options_t *options, int argc,
    char *const *argv);
void consumer_options_cleanup(consumer_options_t *options);


#endif /* CONSUMER_OPTIONS_H */
