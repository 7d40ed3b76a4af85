
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * What tells a character from a wrong one is its second byte: its range
 * depends on the first, see the table in section 4 of RFC 3629.
 */

#include "cqrs_utf8.h"

#include <stdint.h>
#include <string.h>


#define CQRS_UTF8_HIGH_BITS  0x8080808080808080ULL


static size_t cqrs_utf8_character(const unsigned char *p, size_t len);


int
cqrs_utf8_valid(const void *bytes, size_t len)
{
    size_t                n;
    uint64_t              word;
    const unsigned char  *p, *last;

    p = bytes;
    last = p + len;

    while (p < last) {

        /* nearly all of JSON is ASCII */

        if (last - p >= (ptrdiff_t) sizeof(word)) {
            memcpy(&word, p, sizeof(word));

            if ((word & CQRS_UTF8_HIGH_BITS) == 0) {
                p += sizeof(word);
                continue;
            }
        }

        n = cqrs_utf8_character(p, last - p);
        if (n == 0) {
            return 0;
        }

        p += n;
    }

    return 1;
}


/* The length of the character at p; 0 if there is none. */

static size_t
cqrs_utf8_character(const unsigned char *p, size_t len)
{
    size_t         i, n;
    unsigned char  low, high;

    if (p[0] < 0x80) {
        return 1;
    }

    low = 0x80;
    high = 0xbf;

    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        n = 2;

    } else if ((p[0] & 0xf0) == 0xe0) {
        n = 3;

        if (p[0] == 0xe0) {
            low = 0xa0;                    /* shorter forms exist below */

        } else if (p[0] == 0xed) {
            high = 0x9f;                   /* surrogates are above */
        }

    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        n = 4;

        if (p[0] == 0xf0) {
            low = 0x90;

        } else if (p[0] == 0xf4) {
            high = 0x8f;                   /* the end is U+10FFFF */
        }

    } else {
        return 0;
    }

    if (len < n || p[1] < low || p[1] > high) {
        return 0;
    }

    for (i = 2; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }

    return n;
}
