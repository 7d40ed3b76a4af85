
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "cqrs_identifier.h"


char *
cqrs_identifier(char *p, const char *name, size_t len)
{
    size_t  i;

    *p++ = '"';

    for (i = 0; i < len; i++) {

        if (name[i] == '"') {
            *p++ = '"';
        }

        *p++ = name[i];
    }

    *p++ = '"';

    return p;
}


void
cqrs_buf_identifier(cqrs_buf_t *buf, const cqrs_str_t *name)
{
    size_t  i, begin;

    cqrs_buf_text(buf, "\"");

    for (i = 0, begin = 0; i < name->len; i++) {
        if (name->data[i] == '"') {
            cqrs_buf_add(buf, name->data + begin, i - begin + 1);
            begin = i;                     /* once more */
        }
    }

    cqrs_buf_add(buf, name->data + begin, name->len - begin);
    cqrs_buf_text(buf, "\"");
}
