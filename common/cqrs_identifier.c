
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
    char  *p;

    p = cqrs_buf_reserve(buf, cqrs_identifier_size(name->len));

    if (p) {
        buf->len = (size_t) (cqrs_identifier(p, name->data, name->len)
                             - buf->data);
    }
}
