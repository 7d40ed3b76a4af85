
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "consumer_crash.h"
#include "consumer_process.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>


/* What is written before must be there when a signal ends the process. */
#define consumer_crashes_barrier()  __asm__ volatile ("" : : : "memory")


static void consumer_crashes_timer(unsigned seconds);


static uint64_t  consumer_crashes_timed;     /* since when it runs; 0: not */


consumer_crashes_t *
consumer_crashes_create(unsigned partitions)
{
    void  *memory;

    memory = mmap(NULL, partitions * sizeof(consumer_crashes_t),
                  PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS, -1, 0);

    return (memory == MAP_FAILED) ? NULL : memory;
}


void
consumer_crashes_destroy(consumer_crashes_t *crashes, unsigned partitions)
{
    munmap(crashes, partitions * sizeof(consumer_crashes_t));
}


const consumer_crash_t *
consumer_crashes_count(consumer_crashes_t *crashes, int status)
{
    size_t             i;
    consumer_crash_t  *crash, *found;

    if (!crashes->busy) {
        return NULL;
    }

    crashes->busy = 0;

    /* its own place, or one that is free, or the one that is oldest */

    found = &crashes->crashes[0];

    for (i = 0; i < CONSUMER_CRASH_COMMANDS; i++) {
        crash = &crashes->crashes[i];

        if (strcmp(crash->id, crashes->id) == 0) {
            found = crash;
            break;
        }

        if (crash->last < found->last) {
            found = crash;
        }
    }

    if (strcmp(found->id, crashes->id) != 0) {
        memset(found, 0, sizeof(*found));
        snprintf(found->id, sizeof(found->id), "%s", crashes->id);
    }

    found->count++;
    found->last = ++crashes->total;
    found->signo = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

    return found;
}


int
consumer_crashes_pending(const consumer_crashes_t *crashes)
{
    size_t  i;

    for (i = 0; i < CONSUMER_CRASH_COMMANDS; i++) {
        if (crashes->crashes[i].id[0]) {
            return 1;
        }
    }

    return 0;
}


const consumer_crash_t *
consumer_crashes_find(const consumer_crashes_t *crashes, const char *id)
{
    size_t  i;

    for (i = 0; i < CONSUMER_CRASH_COMMANDS; i++) {
        if (id[0] && strcmp(crashes->crashes[i].id, id) == 0) {
            return &crashes->crashes[i];
        }
    }

    return NULL;
}


void
consumer_crashes_passed(consumer_crashes_t *crashes, const char *id)
{
    size_t  i;

    for (i = 0; i < CONSUMER_CRASH_COMMANDS; i++) {
        if (id[0] && strcmp(crashes->crashes[i].id, id) == 0) {
            memset(&crashes->crashes[i], 0, sizeof(consumer_crash_t));
        }
    }
}


void
consumer_crashes_enter(consumer_crashes_t *crashes, const char *id,
    unsigned seconds)
{
    uint64_t  now;

    now = consumer_now();

    /* winding it up for each call would cost more than most calls */

    if (consumer_crashes_timed == 0
        || now - consumer_crashes_timed > seconds * 100)
    {
        consumer_crashes_timer(seconds);
        consumer_crashes_timed = now ? now : 1;
    }

    memcpy(crashes->id, id, sizeof(crashes->id));
    consumer_crashes_barrier();
    crashes->busy = 1;
    consumer_crashes_barrier();
}


void
consumer_crashes_leave(consumer_crashes_t *crashes)
{
    consumer_crashes_barrier();
    crashes->busy = 0;
}


void
consumer_crashes_rest(void)
{
    if (consumer_crashes_timed) {
        consumer_crashes_timer(0);
        consumer_crashes_timed = 0;
    }
}


/* SIGALRM ends the process, which is what is wanted. */

static void
consumer_crashes_timer(unsigned seconds)
{
    struct itimerval  timer;

    memset(&timer, 0, sizeof(timer));
    timer.it_value.tv_sec = seconds;

    setitimer(ITIMER_REAL, &timer, NULL);
}
