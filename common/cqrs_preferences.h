
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * What the headers Prefer of a query say, in PostgREST's words.  Of each kind
 * the first one counts; what is not known is kept, to be told to clients who
 * are strict.
 */

#ifndef CQRS_PREFERENCES_H
#define CQRS_PREFERENCES_H


#include "cqrs_arena.h"

#include <stdint.h>


typedef enum {
    CQRS_PREFER_COUNT = 0,
    CQRS_PREFER_TX,
    CQRS_PREFER_HANDLING,
    CQRS_PREFER_TIMEZONE,
    CQRS_PREFER_MAX_AFFECTED,
    CQRS_PREFER_KINDS
} cqrs_preference_e;


typedef struct {
    cqrs_str_t   values[CQRS_PREFER_KINDS];     /* behind "="; or absent */
    cqrs_str_t   unknown;                       /* with ", " between them */
    int64_t      max_affected;                  /* -1: not said */
    int          tx;                            /* may be said */
} cqrs_preferences_t;


/* Whether a transaction's end may be chosen by who sends the request. */
void cqrs_preferences_init(cqrs_preferences_t *preferences, int tx);

/* One header.  The text is pointed into.  Returns 0, or -1: no memory. */
int cqrs_preferences_read(cqrs_preferences_t *preferences,
    cqrs_arena_t *arena, const char *text, size_t len);

int cqrs_preferences_is(const cqrs_preferences_t *preferences,
    cqrs_preference_e kind, const char *value);

/* What they come to when handling=strict was asked for: 1 is to be refused. */
int cqrs_preferences_refused(const cqrs_preferences_t *preferences);

/*
 * The value of Preference-Applied; absent where there is none.  How many rows
 * may be affected is of calls alone.  Returns 0, or -1: no memory.
 */
int cqrs_preferences_applied(const cqrs_preferences_t *preferences, int call,
    cqrs_arena_t *arena, cqrs_str_t *applied);


#endif /* CQRS_PREFERENCES_H */
