
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "consumer_process.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>


static volatile sig_atomic_t  consumer_signals_term;


static void consumer_signal(int signo);


int
consumer_signals_init(void)
{
    sigset_t          set;
    struct sigaction  sa;

    sa.sa_handler = consumer_signal;
    sa.sa_flags = 0;
    sigemptyset(&sa.sa_mask);

    if (sigaction(SIGTERM, &sa, NULL) == -1
        || sigaction(SIGINT, &sa, NULL) == -1
        || sigaction(SIGCHLD, &sa, NULL) == -1)
    {
        return -1;
    }

    /* what takes too long is to be ended, whatever our parent thought of it */

    sa.sa_handler = SIG_DFL;

    if (sigaction(SIGALRM, &sa, NULL) == -1) {
        return -1;
    }

    /* hiredis writes with write() */

    sa.sa_handler = SIG_IGN;

    if (sigaction(SIGPIPE, &sa, NULL) == -1) {
        return -1;
    }

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGCHLD);

    return sigprocmask(SIG_BLOCK, &set, NULL);
}


static void
consumer_signal(int signo)
{
    if (signo != SIGCHLD) {
        consumer_signals_term++;
    }
}


int
consumer_terminated(void)
{
    return consumer_signals_term;
}


int
consumer_wait(struct pollfd *fds, nfds_t n, unsigned msec)
{
    int              rc;
    sigset_t         none;
    struct timespec  ts;

    ts.tv_sec = msec / 1000;
    ts.tv_nsec = (long) (msec % 1000) * 1000000;

    sigemptyset(&none);

    rc = ppoll(fds, n, &ts, &none);

    return (rc == -1 && errno == EINTR) ? 0 : rc;
}


uint64_t
consumer_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000;
}


unsigned
consumer_until(uint64_t then, unsigned max)
{
    uint64_t  now;

    now = consumer_now();

    if (then <= now) {
        return 0;
    }

    return (then - now < max) ? (unsigned) (then - now) : max;
}


unsigned
consumer_backoff(consumer_backoff_t *backoff)
{
    if (backoff->delay == 0) {
        backoff->delay = backoff->min;

    } else if (backoff->delay < backoff->max / 2) {
        backoff->delay *= 2;

    } else {
        backoff->delay = backoff->max;
    }

    return backoff->delay + (unsigned) random() % (backoff->delay / 5 + 1);
}
