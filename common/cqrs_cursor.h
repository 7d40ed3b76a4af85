
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * A place in a channel's history: the id of an entry of a Redis stream,
 * milliseconds and a number within them.  0-0 is before everything.
 */

#ifndef CQRS_CURSOR_H
#define CQRS_CURSOR_H


#include <stddef.h>
#include <stdint.h>


#define CQRS_CURSOR_TEXT_MAX  (20 + 1 + 20)


typedef struct {
    uint64_t  msec;
    uint64_t  number;
} cqrs_cursor_t;


/*
 * Reads "<ms>-<n>" and nothing else: decimal digits, no leading zeros, 64 bits
 * each.  0, or -1 if it is no cursor.
 */
int cqrs_cursor_parse(cqrs_cursor_t *cursor, const void *text, size_t len);

/* Writes at most CQRS_CURSOR_TEXT_MAX characters and no NUL; how many. */
size_t cqrs_cursor_format(char *text, const cqrs_cursor_t *cursor);

/* Less than, equal to or greater than 0. */
int cqrs_cursor_compare(const cqrs_cursor_t *a, const cqrs_cursor_t *b);

/*
 * The cursor that a published message carries as its very last member,
 * exactly `,"cursor":"<ms>-<n>"}`.  0, or -1 if it carries none.
 */
int cqrs_cursor_of_message(cqrs_cursor_t *cursor, const void *message,
    size_t len);

/*
 * The other way round: puts a cursor into a message that ends in `}`.  The
 * result has at most CQRS_CURSOR_MEMBER_MAX bytes more; returns how many it
 * has, or 0 if the message does not end so.
 */
size_t cqrs_cursor_splice(char *to, const void *message, size_t len,
    const cqrs_cursor_t *cursor);

#define CQRS_CURSOR_MEMBER_MAX                                                \
    (sizeof(",\"cursor\":\"\"") - 1 + CQRS_CURSOR_TEXT_MAX)


#endif /* CQRS_CURSOR_H */
