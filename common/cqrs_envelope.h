
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * A command as it travels in RabbitMQ, and as the event store takes it.
 *
 * The fields point into the message; nothing is copied before the text is
 * made.  Client's bytes are checked and then passed on as they are, so that a
 * number of any length stays what it was.
 */

#ifndef CQRS_ENVELOPE_H
#define CQRS_ENVELOPE_H


#include <stddef.h>


#define CQRS_ENVELOPE_BODY_MAX   (1024 * 1024)

/* A user's name becomes a channel's. */
#define CQRS_ENVELOPE_USER_MAX   255

#define CQRS_ENVELOPE_ERROR_MAX  160


/* A field that is absent has no data. */
typedef struct {
    const char         *data;
    size_t              len;
} cqrs_field_t;


typedef struct {
    cqrs_field_t        id;
    cqrs_field_t        type;
    cqrs_field_t        stream;
    cqrs_field_t        user;
    cqrs_field_t        claims;            /* JSON text */
    cqrs_field_t        expected_version;
    cqrs_field_t        correlation_id;
    cqrs_field_t        causation_id;
    cqrs_field_t        traceparent;
    cqrs_field_t        issued_at;         /* as ISO 8601 */
    cqrs_field_t        body;              /* JSON text */
    unsigned            redelivered:1;     /* the broker says so */
} cqrs_envelope_t;


/*
 * Makes one element of the array that cqrs.execute() takes, docs/store.md.
 * Returns text that the caller frees, with its length; or NULL and a clause
 * such as "it has no stream", which holds nothing of the message.
 */
char *cqrs_envelope_command(const cqrs_envelope_t *envelope, size_t *len,
    char error[CQRS_ENVELOPE_ERROR_MAX]);


#endif /* CQRS_ENVELOPE_H */
