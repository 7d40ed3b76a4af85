
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* What may be part of a command.  Each returns 0, or -1 if it may not. */

#ifndef CQRS_CHECK_H
#define CQRS_CHECK_H


#include <stddef.h>


#define CQRS_TYPE_MAX    100
#define CQRS_STREAM_MAX  255
#define CQRS_DEPTH_MAX   64


/* A command's type: a-z, 0-9, then also ".", "_" and "-"; 1 to 100 bytes. */
int cqrs_check_type(const char *text, size_t len);

/* A stream's name: UTF-8 without control characters; 1 to 255 bytes. */
int cqrs_check_stream(const char *text, size_t len);

/* A text that goes into a header: visible ASCII; 1 to max bytes. */
int cqrs_check_token(const char *text, size_t len, size_t max);

/* A traceparent of version 00, or one that reads like it. */
int cqrs_check_traceparent(const char *text, size_t len);

/*
 * A command's body: one JSON object in UTF-8, no member twice, no \u0000, not
 * nested deeper than CQRS_DEPTH_MAX.  If it is none, a sentence that says why
 * and where is written to error; it never quotes the body.
 */
int cqrs_check_body(const char *text, size_t len, char *error, size_t size);


#endif /* CQRS_CHECK_H */
