
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Signals, waiting and time, the same in the master and its workers.
 *
 * SIGTERM, SIGINT and SIGCHLD are blocked except in consumer_wait(), so that
 * the client libraries never see one in the middle of a call, and none is
 * missed between a check and a wait.
 */

#ifndef CONSUMER_PROCESS_H
#define CONSUMER_PROCESS_H


#include <poll.h>
#include <stdint.h>


/* Exit statuses. */
#define CONSUMER_EXIT_OK      0
#define CONSUMER_EXIT_ERROR   1
#define CONSUMER_EXIT_USAGE   2
#define CONSUMER_EXIT_FATAL   3      /* a restart would not help */


typedef struct {
    unsigned  min;                   /* milliseconds */
    unsigned  max;
    unsigned  delay;                 /* the last one; 0 after a success */
} consumer_backoff_t;


int consumer_signals_init(void);

/* How often SIGTERM or SIGINT was received. */
int consumer_terminated(void);

/*
 * Waits for one of the descriptors, a signal, or so many milliseconds (0:
 * only looks).  Returns like poll(); a signal is not an error, it returns 0.
 */
int consumer_wait(struct pollfd *fds, nfds_t n, unsigned msec);

/* Milliseconds of a clock that only goes forward. */
uint64_t consumer_now(void);

/* Milliseconds until then, 0 if it is past, at most max. */
unsigned consumer_until(uint64_t then, unsigned max);

/* The next delay: twice the last, from min to max, scattered by a fifth. */
unsigned consumer_backoff(consumer_backoff_t *backoff);


#endif /* CONSUMER_PROCESS_H */
