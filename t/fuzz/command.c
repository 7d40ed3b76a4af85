
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Fuzzes what a command is made of: its body and its headers, and the message
 * that says what became of it.  What is taken must hold to what is promised.
 */

#include "cqrs_check.h"
#include "cqrs_outcome.h"
#include "cqrs_prefer.h"
#include "cqrs_trace.h"
#include "cqrs_utf8.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>


#define ID  "01939d5e-6f1a-7c3b-9d2e-0b6f5a1c7e44"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_must(int holds);
static void fuzz_body(const char *text, size_t len);
static void fuzz_headers(const char *text, size_t len);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char  *text;

    /* exactly as long as it is, for what is read behind its end to be seen */

    text = malloc(size ? size : 1);
    fuzz_must(text != NULL);
    memcpy(text, data, size);

    fuzz_body(text, size);
    fuzz_headers(text, size);

    (void) cqrs_outcome_of(text, size, ID);

    free(text);

    return 0;
}


static void
fuzz_body(const char *text, size_t len)
{
    char    error[256];
    size_t  i, depth, deepest;

    memset(error, 'x', sizeof(error));

    if (cqrs_check_body(text, len, error, sizeof(error)) != 0) {
        fuzz_must(memchr(error, '\0', sizeof(error)) != NULL);
        fuzz_must(error[0] != '\0');
        return;
    }

    fuzz_must(cqrs_utf8_valid(text, len));
    fuzz_must(memchr(text, '\0', len) == NULL);

    for (i = 0; i < len && strchr(" \t\r\n", text[i]); i++) {
        /* void */
    }

    fuzz_must(i < len && text[i] == '{');

    /* brackets in texts only make it look deeper */

    depth = 0;
    deepest = 0;

    for (i = 0; i < len && memchr(text, '"', len) == NULL; i++) {
        depth += (text[i] == '{' || text[i] == '[');
        depth -= (text[i] == '}' || text[i] == ']');
        deepest = depth > deepest ? depth : deepest;
    }

    fuzz_must(depth == 0 && deepest <= CQRS_DEPTH_MAX);
}


static void
fuzz_headers(const char *text, size_t len)
{
    char     trace[CQRS_TRACE_LEN];
    long     seconds;
    uint8_t  random[CQRS_TRACE_RANDOM_LEN];

    if (cqrs_check_type(text, len) == 0) {
        fuzz_must(len <= CQRS_TYPE_MAX);
        fuzz_must(cqrs_check_token(text, len, CQRS_TYPE_MAX) == 0);
    }

    if (cqrs_check_stream(text, len) == 0) {
        fuzz_must(len <= CQRS_STREAM_MAX && cqrs_utf8_valid(text, len));
        fuzz_must(memchr(text, '\n', len) == NULL);
    }

    seconds = cqrs_prefer_wait(text, len);
    fuzz_must(seconds >= CQRS_PREFER_WAIT_INVALID && seconds <= 999999999);

    memset(random, 0, sizeof(random));
    memcpy(random, text, len < sizeof(random) ? len : sizeof(random));

    cqrs_trace_next(trace, text, len, random);
    fuzz_must(cqrs_check_traceparent(trace, sizeof(trace)) == 0);
}


static void
fuzz_must(int holds)
{
    if (!holds) {
        abort();
    }
}
