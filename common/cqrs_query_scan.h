
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Reads a piece of a request from left to right.  For the parser alone.
 *
 * What reads returns 0, or -1: then it has either not moved, and something
 * else may be tried, or it has, and the whole piece is wrong.  On the way each
 * miss is noted, also of what was optional: the one farthest to the right says
 * what is wrong, with all that was expected there.  A step forward forgets the
 * notes.  This is how PostgREST comes to its "unexpected ... expecting ...".
 * Notes change nothing of what is read, so it may be done without.
 */

#ifndef CQRS_QUERY_SCAN_H
#define CQRS_QUERY_SCAN_H


#include "cqrs_query_trouble.h"


/* Of all pieces of one request. */
typedef struct {
    cqrs_arena_t        *arena;
    cqrs_query_error_t  *error;
    size_t               nitems;
    size_t               nfilters;
    size_t               norders;
    int                  notes;      /* what is missed is noted */
    int                  untold;     /* it failed, and was not noted why */
} cqrs_query_request_t;


/* Names are looked for several times at one place. */
typedef struct {
    size_t                 begin;
    size_t                 end;      /* 0: nothing is remembered */
    cqrs_str_t             name;
    cqrs_query_trouble_t   trouble;
} cqrs_query_memo_t;


typedef struct {
    cqrs_query_request_t  *request;
    const char            *what;     /* is parsed, for the message */
    cqrs_str_t             shown;    /* the same */
    cqrs_str_t             text;
    size_t                 pos;
    int                    stopped;  /* the error is filled in */
    cqrs_query_trouble_t   trouble;
    cqrs_query_memo_t      memo;
} cqrs_query_scan_t;


/* A place to come back to. */
typedef struct {
    size_t                 pos;
    cqrs_query_trouble_t   trouble;
} cqrs_query_mark_t;


void cqrs_query_scan_init(cqrs_query_scan_t *scan,
    cqrs_query_request_t *request, const char *what, const cqrs_str_t *text);

/* The first character that is left, or NUL at the end. */
char cqrs_query_scan_peek(const cqrs_query_scan_t *scan);

/* Has it failed, but not moved? */
int cqrs_query_scan_still(const cqrs_query_scan_t *scan, size_t begin);


/* These step over what they name, if it comes next. */

int cqrs_query_scan_char(cqrs_query_scan_t *scan, const char *c);
int cqrs_query_scan_text(cqrs_query_scan_t *scan, const char *text);
int cqrs_query_scan_dot(cqrs_query_scan_t *scan);

/* The same in any case; the text is in lower case. */
int cqrs_query_scan_word(cqrs_query_scan_t *scan, const char *text);

/* A text or nothing. */
int cqrs_query_scan_try_text(cqrs_query_scan_t *scan, const char *text);

/* Blanks and tabs, any number. */
void cqrs_query_scan_blanks(cqrs_query_scan_t *scan);

/* The character, and blanks around it. */
int cqrs_query_scan_lexeme(cqrs_query_scan_t *scan, const char *c);

/* All up to the first of the given characters, or to the end. */
void cqrs_query_scan_until(cqrs_query_scan_t *scan, const char *stop);


/* These never move. */

int cqrs_query_scan_end(cqrs_query_scan_t *scan);
int cqrs_query_scan_ahead(cqrs_query_scan_t *scan, const char *text);

/* Fails if the character comes next. */
int cqrs_query_scan_not(cqrs_query_scan_t *scan, const char *c);

/* Fails if anything but one of the characters comes next. */
int cqrs_query_scan_only(cqrs_query_scan_t *scan, const char *allowed);


/*
 * begin() and one of the others go around a part, which gave rc; they return
 * it.  After try() a part that has failed has not moved.  After label() what
 * it expected, if it has not moved, is that and nothing else.
 */

void cqrs_query_scan_begin(cqrs_query_scan_t *scan, cqrs_query_mark_t *mark);
int cqrs_query_scan_try(cqrs_query_scan_t *scan,
    const cqrs_query_mark_t *mark, int rc);
int cqrs_query_scan_label(cqrs_query_scan_t *scan,
    const cqrs_query_mark_t *mark, int rc, const char *label);

/* Notes that this is not here; NULL: something that is not told. */
void cqrs_query_scan_miss(cqrs_query_scan_t *scan, const char *expected);

/* Before one more of a list: what was noted after the last one is old. */
void cqrs_query_scan_forget(cqrs_query_scan_t *scan);


/* Refuses the request, whatever else would be tried.  Returns -1. */
int cqrs_query_scan_stop(cqrs_query_scan_t *scan, const char *sentence);
int cqrs_query_scan_no_memory(cqrs_query_scan_t *scan);

/*
 * What follows is not looked at.  Returns 0, or -1 with the error filled in.
 */
int cqrs_query_scan_finish(cqrs_query_scan_t *scan, int rc);

/* Zeroed memory, or NULL when the scan is stopped. */
void *cqrs_query_scan_alloc(cqrs_query_scan_t *scan, size_t size);

/* A part of the text, copied; stops without memory. */
int cqrs_query_scan_copy(cqrs_query_scan_t *scan, size_t begin,
    cqrs_str_t *copy);


#endif /* CQRS_QUERY_SCAN_H */
