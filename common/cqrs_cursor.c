
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "cqrs_cursor.h"
#include "cqrs_digits.h"

#include <string.h>


static const char  cqrs_cursor_member[] = ",\"cursor\":\"";
static const char  cqrs_cursor_end[] = "\"}";

#define CQRS_CURSOR_MEMBER_LEN  (sizeof(cqrs_cursor_member) - 1)
#define CQRS_CURSOR_END_LEN     (sizeof(cqrs_cursor_end) - 1)


static int cqrs_cursor_number(uint64_t *number, const char *text, size_t len);


int
cqrs_cursor_parse(cqrs_cursor_t *cursor, const void *text, size_t len)
{
    size_t       n;
    const char  *dash;

    if (len == 0 || len > CQRS_CURSOR_TEXT_MAX) {
        return -1;
    }

    dash = memchr(text, '-', len);
    if (dash == NULL) {
        return -1;
    }

    n = dash - (const char *) text;

    if (cqrs_cursor_number(&cursor->msec, text, n) != 0) {
        return -1;
    }

    return cqrs_cursor_number(&cursor->number, dash + 1, len - n - 1);
}


static int
cqrs_cursor_number(uint64_t *number, const char *text, size_t len)
{
    size_t    i;
    uint64_t  n, digit;

    if (len == 0 || (len > 1 && text[0] == '0')) {
        return -1;
    }

    n = 0;

    for (i = 0; i < len; i++) {

        if (text[i] < '0' || text[i] > '9') {
            return -1;
        }

        digit = text[i] - '0';

        if (n > (UINT64_MAX - digit) / 10) {
            return -1;
        }

        n = n * 10 + digit;
    }

    *number = n;

    return 0;
}


size_t
cqrs_cursor_format(char *text, const cqrs_cursor_t *cursor)
{
    char  *p;

    p = cqrs_digits(text, cursor->msec);
    *p++ = '-';
    p = cqrs_digits(p, cursor->number);

    return p - text;
}


int
cqrs_cursor_compare(const cqrs_cursor_t *a, const cqrs_cursor_t *b)
{
    if (a->msec != b->msec) {
        return a->msec < b->msec ? -1 : 1;
    }

    if (a->number != b->number) {
        return a->number < b->number ? -1 : 1;
    }

    return 0;
}


int
cqrs_cursor_of_message(cqrs_cursor_t *cursor, const void *message, size_t len)
{
    size_t       n, max;
    const char  *p, *last;

    p = message;

    if (len < CQRS_CURSOR_END_LEN
        || memcmp(p + len - CQRS_CURSOR_END_LEN, cqrs_cursor_end,
                  CQRS_CURSOR_END_LEN)
           != 0)
    {
        return -1;
    }

    /* backwards over what a cursor is made of */

    last = p + len - CQRS_CURSOR_END_LEN;
    max = last - p;

    if (max > CQRS_CURSOR_TEXT_MAX) {
        max = CQRS_CURSOR_TEXT_MAX;
    }

    for (n = 0; n < max; n++) {
        if (last[-1 - (ptrdiff_t) n] != '-'
            && (last[-1 - (ptrdiff_t) n] < '0'
                || last[-1 - (ptrdiff_t) n] > '9'))
        {
            break;
        }
    }

    if ((size_t) (last - p) < n + CQRS_CURSOR_MEMBER_LEN
        || memcmp(last - n - CQRS_CURSOR_MEMBER_LEN, cqrs_cursor_member,
                  CQRS_CURSOR_MEMBER_LEN)
           != 0)
    {
        return -1;
    }

    return cqrs_cursor_parse(cursor, last - n, n);
}


size_t
cqrs_cursor_splice(char *to, const void *message, size_t len,
    const cqrs_cursor_t *cursor)
{
    char        *p;
    const char  *from;

    from = message;

    if (len == 0 || from[len - 1] != '}') {
        return 0;
    }

    memcpy(to, from, len - 1);
    p = to + len - 1;

    memcpy(p, cqrs_cursor_member, CQRS_CURSOR_MEMBER_LEN);
    p += CQRS_CURSOR_MEMBER_LEN;

    p += cqrs_cursor_format(p, cursor);

    memcpy(p, cqrs_cursor_end, CQRS_CURSOR_END_LEN);
    p += CQRS_CURSOR_END_LEN;

    return p - to;
}
