
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "cqrs_prefer.h"

#include <string.h>
#include <strings.h>


#define CQRS_PREFER_DIGITS_MAX  9


static long cqrs_prefer_read(const char *p, const char *last);
static const char *cqrs_prefer_find(const char *p, const char *last, char c);
static void cqrs_prefer_trim(const char **p, const char **last);


long
cqrs_prefer_wait(const char *text, size_t len)
{
    long         seconds;
    const char  *p, *last, *next;

    p = text;
    last = text + len;

    for ( ;; ) {
        next = cqrs_prefer_find(p, last, ',');

        /* parameters of a preference are none of ours */

        seconds = cqrs_prefer_read(p, cqrs_prefer_find(p, next, ';'));

        if (seconds != CQRS_PREFER_WAIT_NONE || next == last) {
            return seconds;
        }

        p = next + 1;
    }
}


/* One preference: a name, and maybe "=" and a value. */

static long
cqrs_prefer_read(const char *p, const char *last)
{
    long         seconds;
    const char  *value, *end;

    value = cqrs_prefer_find(p, last, '=');
    end = value;

    cqrs_prefer_trim(&p, &end);

    if (end - p != 4 || strncasecmp(p, "wait", 4) != 0) {
        return CQRS_PREFER_WAIT_NONE;
    }

    if (value == last) {
        return CQRS_PREFER_WAIT_INVALID;
    }

    p = value + 1;

    cqrs_prefer_trim(&p, &last);

    if (last - p >= 2 && *p == '"' && last[-1] == '"') {
        p++;
        last--;
    }

    if (p == last || last - p > CQRS_PREFER_DIGITS_MAX) {
        return CQRS_PREFER_WAIT_INVALID;
    }

    for (seconds = 0; p < last; p++) {

        if (*p < '0' || *p > '9') {
            return CQRS_PREFER_WAIT_INVALID;
        }

        seconds = 10 * seconds + (*p - '0');
    }

    return seconds;
}


/* The next such character outside of quotes, or the end. */

static const char *
cqrs_prefer_find(const char *p, const char *last, char c)
{
    int  quoted;

    quoted = 0;

    for ( /* void */ ; p < last; p++) {

        if (*p == '"') {
            quoted = !quoted;

        } else if (quoted && *p == '\\' && p + 1 < last) {
            p++;

        } else if (!quoted && *p == c) {
            break;
        }
    }

    return p;
}


static void
cqrs_prefer_trim(const char **p, const char **last)
{
    while (*p < *last && (**p == ' ' || **p == '\t')) {
        (*p)++;
    }

    while (*p < *last && ((*last)[-1] == ' ' || (*last)[-1] == '\t')) {
        (*last)--;
    }
}
