
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "cqrs_buf_json.h"

#include "cqrs_utf8.h"

#include <stdio.h>


static size_t cqrs_buf_json_letter(const char *p, const char *end);
static void cqrs_buf_json_escape(cqrs_buf_t *buf, unsigned char c);


void
cqrs_buf_json(cqrs_buf_t *buf, const char *data, size_t len)
{
    size_t          n;
    const char     *p, *begin, *end;
    unsigned char   c;

    if (data == NULL) {
        cqrs_buf_text(buf, "null");
        return;
    }

    cqrs_buf_text(buf, "\"");

    begin = data;
    end = data + len;

    for (p = data; p < end; p += n) {
        c = (unsigned char) *p;
        n = (c < 0x80) ? 1 : cqrs_buf_json_letter(p, end);

        if (c >= 0x20 && c != '"' && c != '\\' && n != 0) {
            continue;
        }

        cqrs_buf_add(buf, begin, (size_t) (p - begin));

        cqrs_buf_json_escape(buf, (n == 0) ? '\0' : c);

        if (n == 0) {
            n = 1;
        }

        begin = p + n;
    }

    cqrs_buf_add(buf, begin, (size_t) (end - begin));
    cqrs_buf_text(buf, "\"");
}


/* The length of the letter of several bytes, or 0: it is none. */

static size_t
cqrs_buf_json_letter(const char *p, const char *end)
{
    size_t  n;

    for (n = 2; n <= 4 && n <= (size_t) (end - p); n++) {
        if (cqrs_utf8_valid(p, n)) {
            return n;
        }
    }

    return 0;
}


static void
cqrs_buf_json_escape(cqrs_buf_t *buf, unsigned char c)
{
    char  text[sizeof("\\u0000")];

    switch (c) {

    case '\0':
        cqrs_buf_text(buf, "?");
        return;

    case '"':
        cqrs_buf_text(buf, "\\\"");
        return;

    case '\\':
        cqrs_buf_text(buf, "\\\\");
        return;

    case '\n':
        cqrs_buf_text(buf, "\\n");
        return;

    case '\r':
        cqrs_buf_text(buf, "\\r");
        return;

    case '\t':
        cqrs_buf_text(buf, "\\t");
        return;

    default:
        snprintf(text, sizeof(text), "\\u%04x", c);
        cqrs_buf_text(buf, text);
        return;
    }
}
