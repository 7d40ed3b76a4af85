
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Plugins that decide: loaded once, before the workers are forked, and called
 * by them.
 *
 * What a plugin answers is checked before anybody relies on it.  What it does
 * to the process is not, and cannot be: see consumer_crash.h.
 */

#ifndef CONSUMER_HANDLER_H
#define CONSUMER_HANDLER_H


#include "consumer_options.h"
#include "cqrs_handler.h"

#include <stddef.h>


#define CONSUMER_HANDLER_ERROR_MAX       256
#define CONSUMER_HANDLER_CATEGORIES_MAX  (CONSUMER_HANDLERS_MAX * 64 + 2)


/* What became of a command, with a reference to each. */

typedef struct {
    json_t   *decision;      /* with "events", or with "code" */
    json_t   *events;        /* borrowed of it; NULL: a rejection */
    json_t   *state;         /* afterwards; NULL: there is none */
} consumer_decision_t;


/*
 * Loads the plugins that the options name.  0, or -1: what is wrong was said
 * on standard error.
 */
int consumer_handler_load(const consumer_options_t *options);

/* The names of their categories, as an array for Postgres; returns text. */
const char *consumer_handler_categories(
    char text[CONSUMER_HANDLER_CATEGORIES_MAX]);

/* The one for a stream; NULL: SQL decides. */
const cqrs_handler_t *consumer_handler_find(const char *stream, size_t len);

/* In a worker, before the first call and at its end.  0, or -1: logged. */
int consumer_handler_init(void);
void consumer_handler_cleanup(void);

/*
 * Reads a command or a state: numbers beyond 64 bits become doubles.  New
 * reference; NULL: no JSON.
 */
json_t *consumer_handler_parse(const char *text, size_t len);

/*
 * Decides a command (as in a batch), and folds what happens.  State is
 * borrowed.  0, or -1 and a sentence about the handler's fault.
 */
int consumer_handler_decide(const cqrs_handler_t *handler, json_t *state,
    const json_t *command, consumer_decision_t *decision,
    char error[CONSUMER_HANDLER_ERROR_MAX]);
void consumer_handler_decided(consumer_decision_t *decision);

/*
 * Folds events into *state, whose reference is replaced.  0, or -1 and a
 * sentence; then *state is as it was.
 */
int consumer_handler_fold(const cqrs_handler_t *handler, json_t **state,
    const json_t *events, char error[CONSUMER_HANDLER_ERROR_MAX]);


#endif /* CONSUMER_HANDLER_H */
