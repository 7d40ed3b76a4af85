
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Which command a plugin was at work on when it took its worker with it.
 *
 * Each partition has a record in memory that the master shares with its
 * workers.  The worker writes down the command before it calls a plugin, and
 * strikes it out afterwards.  When a worker ends with a command written down,
 * the master counts that against the command; the next worker finds it there,
 * goes one by one until past it, and parks it when it was counted often
 * enough.
 *
 * A plugin that does not return is ended by a timer, which comes to the same.
 */

#ifndef CONSUMER_CRASH_H
#define CONSUMER_CRASH_H


#include "cqrs_uuid.h"

#include <stdint.h>


#define CONSUMER_CRASH_TRIES     3
#define CONSUMER_CRASH_COMMANDS  8


typedef struct {
    char               id[CQRS_UUID_TEXT_LEN + 1];   /* empty: unused */
    unsigned           count;
    int                signo;                        /* 0: it called exit() */
    uint64_t           last;                         /* when, as a number */
} consumer_crash_t;

typedef struct {
    volatile int       busy;
    char               id[CQRS_UUID_TEXT_LEN + 1];   /* while busy */

    consumer_crash_t   crashes[CONSUMER_CRASH_COMMANDS];
    uint64_t           total;
} consumer_crashes_t;


/* Records for so many partitions; NULL: no memory. */
consumer_crashes_t *consumer_crashes_create(unsigned partitions);
void consumer_crashes_destroy(consumer_crashes_t *crashes,
    unsigned partitions);

/* For the master, when the worker has ended; NULL: no plugin was at work. */
const consumer_crash_t *consumer_crashes_count(consumer_crashes_t *crashes,
    int status);

/* The following are for the worker, with its own record. */

/* Whether there is a command that was not passed yet. */
int consumer_crashes_pending(const consumer_crashes_t *crashes);

/* NULL: nothing was counted against it. */
const consumer_crash_t *consumer_crashes_find(
    const consumer_crashes_t *crashes, const char *id);

/* It was executed or parked. */
void consumer_crashes_passed(consumer_crashes_t *crashes, const char *id);

/*
 * Around each call: the plugin has so many seconds.  The timer is left running
 * between calls that follow each other; rest ends it.
 */
void consumer_crashes_enter(consumer_crashes_t *crashes, const char *id,
    unsigned seconds);
void consumer_crashes_leave(consumer_crashes_t *crashes);
void consumer_crashes_rest(void);


#endif /* CONSUMER_CRASH_H */
