
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The query string as the header Content-Location has it: one key after the
 * other in the order of their bytes, the values of a key that comes again
 * behind its first one, with commas.
 */

#include "cqrs_query_part.h"
#include "cqrs_buf.h"

#include <stdlib.h>


typedef struct {
    const cqrs_query_pair_t  *pair;
    size_t                    place;
} cqrs_query_sorted_t;


static int cqrs_query_compare_pairs(const void *a, const void *b);
static int cqrs_query_compare_keys(const cqrs_str_t *a, const cqrs_str_t *b);
static void cqrs_query_encode(cqrs_buf_t *buf, const cqrs_str_t *text);


/* Letters, digits, - . _ ~ */

static const char  cqrs_query_unreserved[256] = {
    ['-'] = 1, 1,
    ['0'] = 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    ['A'] = 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
            1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    ['_'] = 1,
    ['a'] = 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
            1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    ['~'] = 1
};


int
cqrs_query_canonical(const cqrs_query_part_t *parts, cqrs_arena_t *arena,
    cqrs_str_t *canonical)
{
    size_t                    i, n;
    cqrs_buf_t                buf;
    cqrs_query_sorted_t      *sorted;
    const cqrs_query_part_t  *part;

    n = 0;

    for (part = parts; part; part = part->next) {
        n++;
    }

    sorted = cqrs_arena_alloc(arena, (n + 1) * sizeof(cqrs_query_sorted_t));
    if (sorted == NULL) {
        return -1;
    }

    for (i = 0, part = parts; part; part = part->next, i++) {
        sorted[i].pair = &part->pair;
        sorted[i].place = i;
    }

    qsort(sorted, n, sizeof(cqrs_query_sorted_t), cqrs_query_compare_pairs);

    cqrs_buf_init(&buf, arena);

    for (i = 0; i < n; i++) {

        if (i
            && cqrs_str_equal(&sorted[i].pair->key, &sorted[i - 1].pair->key))
        {
            cqrs_buf_text(&buf, ",");

        } else {
            cqrs_buf_text(&buf, i ? "&" : "");
            cqrs_query_encode(&buf, &sorted[i].pair->key);
            cqrs_buf_text(&buf, "=");
        }

        cqrs_query_encode(&buf, &sorted[i].pair->value);
    }

    return cqrs_buf_end(&buf, canonical);
}


static int
cqrs_query_compare_pairs(const void *a, const void *b)
{
    int                         rc;
    const cqrs_query_sorted_t  *x, *y;

    x = a;
    y = b;

    rc = cqrs_query_compare_keys(&x->pair->key, &y->pair->key);

    if (rc == 0) {
        rc = (x->place < y->place) ? -1 : (x->place > y->place);
    }

    return rc;
}


static int
cqrs_query_compare_keys(const cqrs_str_t *a, const cqrs_str_t *b)
{
    int     rc;
    size_t  len;

    len = (a->len < b->len) ? a->len : b->len;
    rc = len ? memcmp(a->data, b->data, len) : 0;

    if (rc == 0 && a->len != b->len) {
        rc = (a->len < b->len) ? -1 : 1;
    }

    return rc;
}


static void
cqrs_query_encode(cqrs_buf_t *buf, const cqrs_str_t *text)
{
    char           escaped[3];
    size_t         i, begin;
    unsigned char  c;

    static const char  digits[] = "0123456789ABCDEF";

    for (i = 0, begin = 0; i < text->len; i++) {

        c = (unsigned char) text->data[i];

        if (cqrs_query_unreserved[c]) {
            continue;
        }

        cqrs_buf_add(buf, text->data + begin, i - begin);
        begin = i + 1;

        escaped[0] = '%';
        escaped[1] = digits[c >> 4];
        escaped[2] = digits[c & 15];

        cqrs_buf_add(buf, escaped, sizeof(escaped));
    }

    /* what is absent has no data */

    if (begin < text->len) {
        cqrs_buf_add(buf, text->data + begin, text->len - begin);
    }
}
