
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * jansson reads the body to the end and what it built is thrown away: the
 * body is passed on byte for byte.  Numbers are read as reals, so that those
 * which are too large for 64 bits pass; the store keeps them exactly.
 */

#include "cqrs_check.h"
#include "cqrs_utf8.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>


#define CQRS_TRACEPARENT_LEN  55


static const char *cqrs_check_scan(const char *text, size_t len,
    size_t *line);
static int cqrs_check_hex(const char *text, size_t len);


int
cqrs_check_type(const char *text, size_t len)
{
    char    c;
    size_t  i;

    if (len == 0 || len > CQRS_TYPE_MAX) {
        return -1;
    }

    for (i = 0; i < len; i++) {
        c = text[i];

        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
            continue;
        }

        if (i == 0 || (c != '.' && c != '_' && c != '-')) {
            return -1;
        }
    }

    return 0;
}


int
cqrs_check_stream(const char *text, size_t len)
{
    size_t                i;
    const unsigned char  *p = (const unsigned char *) text;

    if (len == 0 || len > CQRS_STREAM_MAX || !cqrs_utf8_valid(text, len)) {
        return -1;
    }

    for (i = 0; i < len; i++) {

        if (p[i] < ' ' || p[i] == 0x7f) {
            return -1;
        }

        if (p[i] == 0xc2 && p[i + 1] < 0xa0) {
            return -1;                     /* U+0080 to U+009F */
        }
    }

    return 0;
}


int
cqrs_check_token(const char *text, size_t len, size_t max)
{
    size_t  i;

    if (len == 0 || len > max) {
        return -1;
    }

    for (i = 0; i < len; i++) {
        if (text[i] < '!' || text[i] > '~') {
            return -1;
        }
    }

    return 0;
}


int
cqrs_check_traceparent(const char *text, size_t len)
{
    if (len != CQRS_TRACEPARENT_LEN
        || text[2] != '-' || text[35] != '-' || text[52] != '-'
        || cqrs_check_hex(text, 2) != 0
        || cqrs_check_hex(text + 3, 32) != 0
        || cqrs_check_hex(text + 36, 16) != 0
        || cqrs_check_hex(text + 53, 2) != 0)
    {
        return -1;
    }

    if (memcmp(text, "ff", 2) == 0
        || memcmp(text + 3, "00000000000000000000000000000000", 32) == 0
        || memcmp(text + 36, "0000000000000000", 16) == 0)
    {
        return -1;
    }

    return 0;
}


int
cqrs_check_body(const char *text, size_t len, char *error, size_t size)
{
    char          *near;
    size_t         line;
    json_t        *json;
    const char    *reason;
    json_error_t   why;

    reason = cqrs_check_scan(text, len, &line);

    if (reason) {
        (void) snprintf(error, size, "line %zu: %s", line, reason);
        return -1;
    }

    json = json_loadb(text, len,
                      JSON_REJECT_DUPLICATES|JSON_DECODE_INT_AS_REAL, &why);

    if (json == NULL) {
        near = strstr(why.text, " near ");

        if (near) {
            *near = '\0';
        }

        (void) snprintf(error, size, "line %d, column %d: %s",
                        why.line, why.column, why.text);
        return -1;
    }

    if (!json_is_object(json)) {
        json_decref(json);

        (void) snprintf(error, size, "it is not an object");
        return -1;
    }

    json_decref(json);

    return 0;
}


/*
 * Finds what jansson lets pass: it recurses up to thousands of levels, and
 * skips a NUL behind a number.
 */

static const char *
cqrs_check_scan(const char *text, size_t len, size_t *line)
{
    size_t  i, depth, string;

    string = 0;
    depth = 0;
    *line = 1;

    for (i = 0; i < len; i++) {

        switch (text[i]) {

        case '\0':
            return "a NUL byte";

        case '"':
            string = 1 - string;
            break;

        case '\\':
            i += string;             /* an escape, in a string only */
            break;

        case '\n':
            (*line)++;
            break;

        case '{':
        case '[':
            if (!string && ++depth > CQRS_DEPTH_MAX) {
                return "nested deeper than 64 levels";
            }

            break;

        case '}':
        case ']':
            if (!string && depth) {
                depth--;
            }

            break;
        }
    }

    return NULL;
}


static int
cqrs_check_hex(const char *text, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        if (!((text[i] >= '0' && text[i] <= '9')
              || (text[i] >= 'a' && text[i] <= 'f')))
        {
            return -1;
        }
    }

    return 0;
}
