
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"


static int bench_compare(const void *one, const void *two);


static char    bench_report[4096];
static size_t  bench_report_len;


uint64_t
bench_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + (uint64_t) ts.tv_nsec;
}


void
bench_die(const char *fmt, ...)
{
    va_list  args;

    (void) fprintf(stderr, "%s: ", program_invocation_short_name);

    va_start(args, fmt);
    (void) vfprintf(stderr, fmt, args);
    va_end(args);

    (void) fputc('\n', stderr);

    exit(1);
}


void *
bench_alloc(size_t size)
{
    void  *p;

    p = calloc(1, size);
    if (p == NULL) {
        bench_die("no memory for %zu bytes", size);
    }

    return p;
}


long
bench_option(int letter, const char *text, long min)
{
    char  *end;
    long   value;

    errno = 0;
    value = strtol(text, &end, 10);

    if (errno || end == text || *end != '\0' || value < min) {
        bench_die("-%c takes a number of at least %ld, not \"%s\"", letter,
                  min, text);
    }

    return value;
}


void
bench_sample(bench_samples_t *samples, uint64_t ns)
{
    size_t     size;
    uint64_t  *grown;

    if (samples->count == samples->size) {

        if (samples->size == BENCH_SAMPLES_MAX) {
            return;
        }

        size = samples->size ? samples->size * 2 : 65536;

        grown = realloc(samples->ns, size * sizeof(uint64_t));
        if (grown == NULL) {
            bench_die("no memory for %zu samples", size);
        }

        samples->ns = grown;
        samples->size = size;
    }

    samples->ns[samples->count++] = ns;
}


void
bench_ready(void)
{
    char  line[16];

    (void) puts("ready");
    (void) fflush(stdout);

    if (fgets(line, sizeof(line), stdin) == NULL) {
        exit(0);                           /* the driver has given up */
    }
}


void
bench_number(const char *name, double value)
{
    int     n;
    size_t  room;

    room = sizeof(bench_report) - bench_report_len;

    n = snprintf(bench_report + bench_report_len, room, "%c\"%s\":%.9g",
                 bench_report_len ? ',' : '{', name, value);

    if (n < 0 || (size_t) n >= room) {
        bench_die("the report is too long at \"%s\"", name);
    }

    bench_report_len += (size_t) n;
}


void
bench_latency(const char *name, bench_samples_t *samples)
{
    char    label[64];
    size_t  n;

    n = samples->count;

    if (n == 0) {
        return;
    }

    qsort(samples->ns, n, sizeof(uint64_t), bench_compare);

    (void) snprintf(label, sizeof(label), "%s_p50", name);
    bench_number(label, (double) samples->ns[n / 2] / 1000);

    (void) snprintf(label, sizeof(label), "%s_p99", name);
    bench_number(label, (double) samples->ns[n - 1 - n / 100] / 1000);
}


static int
bench_compare(const void *one, const void *two)
{
    uint64_t  a = *(const uint64_t *) one;
    uint64_t  b = *(const uint64_t *) two;

    return (a > b) - (a < b);
}


void
bench_done(void)
{
    (void) printf("%s}\n", bench_report_len ? bench_report : "{");
    (void) fflush(stdout);

    while (getchar() != EOF) { /* void */ }
}
