
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* What became of a command, as the notification of its issuer has it. */

#ifndef CQRS_OUTCOME_H
#define CQRS_OUTCOME_H


#include <stddef.h>


typedef enum {
    CQRS_OUTCOME_NONE = 0,     /* the message speaks of something else */
    CQRS_OUTCOME_COMPLETED,
    CQRS_OUTCOME_CONFLICT,     /* rejected: the stream's version is another */
    CQRS_OUTCOME_REJECTED,
    CQRS_OUTCOME_FAILED        /* put aside, for somebody to look at */
} cqrs_outcome_e;


/* Is the message the outcome of the command with this id, 36 characters? */
cqrs_outcome_e cqrs_outcome_of(const char *message, size_t len,
    const char *id);


#endif /* CQRS_OUTCOME_H */
