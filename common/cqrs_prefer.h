
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* What a client would like, by the header Prefer (RFC 7240). */

#ifndef CQRS_PREFER_H
#define CQRS_PREFER_H


#include <stddef.h>


#define CQRS_PREFER_WAIT_NONE     -1    /* it does not speak of it */
#define CQRS_PREFER_WAIT_INVALID  -2


/* The seconds of "wait=<seconds>", the first one there, or one of these. */
long cqrs_prefer_wait(const char *text, size_t len);


#endif /* CQRS_PREFER_H */
