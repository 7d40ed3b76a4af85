
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * What the load programs and the floors share: clock, samples, and the
 * conversation with the driver.
 *
 * A program connects and prepares, says "ready", waits for a line, works,
 * prints its report as one line of JSON, and waits for the end of its input.
 * So the driver can read everybody's CPU time exactly around the work.
 */

#ifndef BENCH_H
#define BENCH_H


#include <stddef.h>
#include <stdint.h>


#define BENCH_SAMPLES_MAX  (8 * 1024 * 1024)


typedef struct {
    uint64_t  *ns;
    size_t     count;
    size_t     size;
} bench_samples_t;


/* Nanoseconds of the monotonic clock, which all processes share. */
uint64_t bench_now(void);

/* One sentence to stderr, and the end of the program. */
void bench_die(const char *fmt, ...)
    __attribute__((noreturn, format(printf, 1, 2)));

/* Never NULL. */
void *bench_alloc(size_t size);

/* The number that an option holds, at least min. */
long bench_option(int letter, const char *text, long min);

/* Drops what is beyond BENCH_SAMPLES_MAX. */
void bench_sample(bench_samples_t *samples, uint64_t ns);

void bench_ready(void);

/* What the report says; a latency becomes NAME_p50 and NAME_p99, in us. */
void bench_number(const char *name, double value);
void bench_latency(const char *name, bench_samples_t *samples);

/* Prints the report and returns when the driver has read the CPU times. */
void bench_done(void);


#endif /* BENCH_H */
