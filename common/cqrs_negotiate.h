
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Which of the media types that a client accepts is made of the rows: of those
 * that are always made and those that the database has handlers for.
 */

#ifndef CQRS_NEGOTIATE_H
#define CQRS_NEGOTIATE_H


#include "cqrs_media.h"
#include "cqrs_query_plan.h"


/* What is read. */
typedef struct {
    const cqrs_relation_t  *relation;      /* whose rows; or NULL */
    const cqrs_function_t  *function;      /* or NULL */
    int                     all;           /* all columns, nothing else */
    int                     plans;         /* may be shown */
} cqrs_negotiate_t;


/*
 * The first type that can be made, by a handler of the database only if there
 * is a catalogue, which may be NULL.  Sets body, strip_nulls, handler and
 * explain of the options, and the media type that the answer has.  Returns 0,
 * or -1 with the error.
 */
int cqrs_negotiate(cqrs_query_options_t *options, cqrs_media_t *media,
    const cqrs_media_list_t *accepted, const cqrs_negotiate_t *what,
    const cqrs_catalog_t *catalog, cqrs_arena_t *arena,
    cqrs_query_error_t *error);

/* The error: nothing of what is accepted can be made. */
void cqrs_negotiate_refuse(const cqrs_media_list_t *accepted,
    cqrs_arena_t *arena, cqrs_query_error_t *error);


#endif /* CQRS_NEGOTIATE_H */
