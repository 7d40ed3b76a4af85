
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "cqrs_base64.h"


static int cqrs_base64url_value(char ch);


int
cqrs_base64url_decode(unsigned char *to, size_t *n, const char *text,
    size_t len)
{
    int            value;
    size_t         i;
    unsigned int   bits, nbits;

    *n = 0;
    bits = 0;
    nbits = 0;

    for (i = 0; i < len; i++) {
        value = cqrs_base64url_value(text[i]);

        if (value == -1) {
            return -1;
        }

        bits = (bits << 6 | (unsigned int) value) & 0xffff;
        nbits += 6;

        if (nbits >= 8) {
            nbits -= 8;
            to[(*n)++] = (unsigned char) (bits >> nbits);
        }
    }

    /* one character alone is less than a byte */

    return len % 4 == 1 ? -1 : 0;
}


static int
cqrs_base64url_value(char ch)
{
    if (ch >= 'A' && ch <= 'Z') {
        return ch - 'A';
    }

    if (ch >= 'a' && ch <= 'z') {
        return ch - 'a' + 26;
    }

    if (ch >= '0' && ch <= '9') {
        return ch - '0' + 52;
    }

    return ch == '-' ? 62 : ch == '_' ? 63 : -1;
}
