
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* W3C trace context: who comes next in a trace. */

#ifndef CQRS_TRACE_H
#define CQRS_TRACE_H


#include <stddef.h>
#include <stdint.h>


#define CQRS_TRACE_LEN         55
#define CQRS_TRACE_RANDOM_LEN  24


/*
 * Writes a traceparent, and no NUL: of the same trace as the one that came,
 * with a span of our own; of a new trace if none came, or one that is not
 * well-formed.  A new one is not marked as sampled: nothing is recorded here.
 */
void cqrs_trace_next(char *to, const char *from, size_t len,
    const uint8_t random[CQRS_TRACE_RANDOM_LEN]);


#endif /* CQRS_TRACE_H */
