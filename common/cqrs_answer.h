
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * What functions of the database say of the answer: the settings
 * response.headers and response.status, and errors raised as PGRST, whose
 * message and detail are JSON.
 */

#ifndef CQRS_ANSWER_H
#define CQRS_ANSWER_H


#include "cqrs_query.h"


typedef struct cqrs_answer_header_s  cqrs_answer_header_t;

struct cqrs_answer_header_s {
    cqrs_str_t               name;
    cqrs_str_t               value;
    cqrs_answer_header_t    *next;
};


typedef struct {
    unsigned                 status;     /* 0: nothing is said */
    cqrs_str_t               reason;     /* or absent */
    cqrs_answer_header_t    *headers;
} cqrs_answer_t;


/*
 * Reads the settings, NULL where there is none.  Everything is copied into the
 * arena.  Returns 0, or -1 with the error.
 */
int cqrs_answer_read(cqrs_answer_t *answer, const char *status,
    const char *headers, cqrs_arena_t *arena, cqrs_query_error_t *error);

/*
 * Reads a raised error; the detail may be NULL.  In the error is what was
 * raised, or that it can't be read.
 */
void cqrs_answer_raised(cqrs_answer_t *answer, const char *message,
    const char *detail, cqrs_arena_t *arena, cqrs_query_error_t *error);


#endif /* CQRS_ANSWER_H */
