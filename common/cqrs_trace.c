
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * version-trace-span-flags, in hexadecimal digits: 2, 32, 16 and 2 of them.
 * Of a version to come only what 00 has is read, as the standard wants it.
 */

#include "cqrs_trace.h"
#include "cqrs_check.h"

#include <string.h>


#define CQRS_TRACE_ID     3
#define CQRS_TRACE_SPAN   36
#define CQRS_TRACE_FLAGS  53


static int cqrs_trace_known(const char *text, size_t len);
static void cqrs_trace_write(char *to, const uint8_t *bytes, size_t n);


void
cqrs_trace_next(char *to, const char *from, size_t len,
    const uint8_t random[CQRS_TRACE_RANDOM_LEN])
{
    memcpy(to, "00-", CQRS_TRACE_ID);
    to[CQRS_TRACE_SPAN - 1] = '-';
    to[CQRS_TRACE_FLAGS - 1] = '-';

    cqrs_trace_write(to + CQRS_TRACE_SPAN, random, 8);

    to[CQRS_TRACE_FLAGS] = '0';

    if (cqrs_trace_known(from, len)) {
        memcpy(to + CQRS_TRACE_ID, from + CQRS_TRACE_ID, 32);

        /* of the flags one is known: sampled, the last bit */

        to[CQRS_TRACE_FLAGS + 1] =
            strchr("13579bdf", from[CQRS_TRACE_FLAGS + 1]) ? '1' : '0';
        return;
    }

    cqrs_trace_write(to + CQRS_TRACE_ID, random + 8, 16);

    to[CQRS_TRACE_FLAGS + 1] = '0';
}


static int
cqrs_trace_known(const char *text, size_t len)
{
    if (len > CQRS_TRACE_LEN
        && text[CQRS_TRACE_LEN] == '-'
        && memcmp(text, "00", 2) != 0)
    {
        len = CQRS_TRACE_LEN;
    }

    return cqrs_check_traceparent(text, len) == 0;
}


/* An id of zeros alone is none. */

static void
cqrs_trace_write(char *to, const uint8_t *bytes, size_t n)
{
    size_t             i;
    uint8_t            any;
    static const char  digits[] = "0123456789abcdef";

    any = 0;

    for (i = 0; i < n; i++) {
        to[2 * i] = digits[bytes[i] >> 4];
        to[2 * i + 1] = digits[bytes[i] & 15];
        any |= bytes[i];
    }

    if (!any) {
        to[2 * n - 1] = '1';
    }
}
