
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "consumer_log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>


#define CONSUMER_LOG_LINE_MAX  2048


static const char  *consumer_log_names[] = {
    "alert", "crit", "error", "warn", "notice", "info", "debug"
};

static const char            *consumer_log_process = "master";
static consumer_log_level_e   consumer_log_limit = CONSUMER_LOG_NOTICE;


int
consumer_log_level(const char *name, consumer_log_level_e *level)
{
    size_t  i;

    for (i = 0; i <= CONSUMER_LOG_DEBUG; i++) {
        if (strcmp(name, consumer_log_names[i]) == 0) {
            *level = i;
            return 0;
        }
    }

    return -1;
}


void
consumer_log_init(consumer_log_level_e level, const char *name)
{
    consumer_log_limit = level;
    consumer_log_process = name;
}


void
consumer_log(consumer_log_level_e level, const char *fmt, ...)
{
    int        n;
    char       line[CONSUMER_LOG_LINE_MAX], *p, *last;
    time_t     now;
    va_list    args;
    struct tm  tm;

    if (level > consumer_log_limit) {
        return;
    }

    now = time(NULL);
    localtime_r(&now, &tm);

    p = line;
    last = line + sizeof(line) - 1;

    p += strftime(p, last - p, "%Y/%m/%d %H:%M:%S", &tm);
    p += snprintf(p, last - p, " [%s] %d: %s: ", consumer_log_names[level],
                  (int) getpid(), consumer_log_process);

    va_start(args, fmt);
    n = vsnprintf(p, last - p, fmt, args);
    va_end(args);

    p = (n < last - p) ? p + n : last - 1;

    /* what a server says may have several lines; ours has one */

    for (last = line; last < p; last++) {
        if ((unsigned char) *last < ' ') {
            *last = ' ';
        }
    }

    *p++ = '\n';

    /* one write, so that the lines of several processes do not mix */

    if (write(STDERR_FILENO, line, p - line) == -1) {
        return;
    }
}
