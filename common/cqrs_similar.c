
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "cqrs_similar.h"


static size_t cqrs_similar_lower(char *to, const cqrs_str_t *name);
static size_t cqrs_similar_words(char *to, const char *from, size_t len);
static size_t cqrs_similar_pairs(const char *a, size_t alen, const char *b,
    size_t blen, size_t size);
static void cqrs_similar_insert(cqrs_similar_t *similar, unsigned group,
    const cqrs_similar_name_t *name);


void
cqrs_similar_init(cqrs_similar_t *similar, const cqrs_str_t *wanted,
    double part)
{
    memset(similar, 0, sizeof(cqrs_similar_t));

    similar->part = part;

    similar->len = cqrs_similar_lower(similar->wanted, wanted);
}


void
cqrs_similar_add(cqrs_similar_t *similar, const cqrs_str_t *name)
{
    char                 lower[CQRS_SIMILAR_MAX];
    char                 a[CQRS_SIMILAR_MAX + 2], b[CQRS_SIMILAR_MAX + 2];
    size_t               len, alen, blen, shorter, longer;
    unsigned             group;
    cqrs_similar_name_t  one;

    len = cqrs_similar_lower(lower, name);

    if (similar->len == 0 || len == 0) {
        return;
    }

    if (len == similar->len && memcmp(lower, similar->wanted, len) == 0) {
        similar->exact = name;
        return;
    }

    shorter = (len > similar->len) ? similar->len : len;
    longer = (len > similar->len) ? len : similar->len;

    if ((double) shorter / (double) longer < similar->part) {
        return;
    }

    alen = cqrs_similar_words(a, similar->wanted, similar->len);
    blen = cqrs_similar_words(b, lower, len);

    for (group = 0; group < CQRS_SIMILAR_GROUPS; group++) {

        one.name = name;
        one.shared = cqrs_similar_pairs(a, alen, b, blen, 3 - group);

        if (one.shared) {
            one.own = cqrs_similar_pairs(b, blen, b, blen, 3 - group);

            cqrs_similar_insert(similar, group, &one);
        }
    }
}


const cqrs_str_t *
cqrs_similar_best(const cqrs_similar_t *similar)
{
    char               lower[CQRS_SIMILAR_MAX];
    size_t             i, len, longer, distance;
    double             best, agrees;
    unsigned           group;
    const cqrs_str_t  *found;

    if (similar->exact) {
        return similar->exact;
    }

    found = NULL;
    best = 0;

    for (group = 0; group < CQRS_SIMILAR_GROUPS && found == NULL; group++) {

        for (i = 0; i < similar->n[group]; i++) {

            len = cqrs_similar_lower(lower, similar->names[group][i].name);
            longer = (len > similar->len) ? len : similar->len;

            distance = cqrs_similar_distance(similar->wanted, similar->len,
                                             lower, len);
            agrees = (double) (longer - distance) / (double) longer;

            if (agrees >= similar->part && agrees > best) {
                best = agrees;
                found = similar->names[group][i].name;
            }
        }
    }

    return found;
}


size_t
cqrs_similar_distance(const char *a, size_t alen, const char *b, size_t blen)
{
    size_t  i, j, left, above, diagonal, row[CQRS_SIMILAR_MAX + 1];

    if (alen > CQRS_SIMILAR_MAX || blen > CQRS_SIMILAR_MAX) {
        return (alen > blen) ? alen : blen;
    }

    for (j = 0; j <= blen; j++) {
        row[j] = j;
    }

    for (i = 1; i <= alen; i++) {

        diagonal = row[0];
        row[0] = i;

        for (j = 1; j <= blen; j++) {

            above = row[j];
            left = row[j - 1];

            if (a[i - 1] != b[j - 1]) {
                diagonal++;
            }

            row[j] = diagonal;

            if (above + 1 < row[j]) {
                row[j] = above + 1;
            }

            if (left + 1 < row[j]) {
                row[j] = left + 1;
            }

            diagonal = above;
        }
    }

    return row[blen];
}


/* 0: it is too long. */

static size_t
cqrs_similar_lower(char *to, const cqrs_str_t *name)
{
    char    c;
    size_t  i;

    if (name->len > CQRS_SIMILAR_MAX) {
        return 0;
    }

    for (i = 0; i < name->len; i++) {
        c = name->data[i];
        to[i] = (char) ((c >= 'A' && c <= 'Z') ? c | 0x20 : c);
    }

    return name->len;
}


/* Letters, digits, blanks and commas, with something before and behind. */

static size_t
cqrs_similar_words(char *to, const char *from, size_t len)
{
    char    c, *p;
    size_t  i;

    p = to;
    *p++ = '-';

    for (i = 0; i < len; i++) {
        c = from[i];

        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')
            || c == ' ' || c == ',' || (unsigned char) c >= 0x80)
        {
            *p++ = c;
        }
    }

    *p++ = '-';

    return (size_t) (p - to);
}


/* How often a group of the one is a group of the other. */

static size_t
cqrs_similar_pairs(const char *a, size_t alen, const char *b, size_t blen,
    size_t size)
{
    size_t  i, j, pairs;

    pairs = 0;

    for (i = 0; i + size <= alen; i++) {
        for (j = 0; j + size <= blen; j++) {
            pairs += (memcmp(a + i, b + j, size) == 0);
        }
    }

    return pairs;
}


/* The nearest first: by the cosine, whose square is shared * shared / own. */

static void
cqrs_similar_insert(cqrs_similar_t *similar, unsigned group,
    const cqrs_similar_name_t *name)
{
    size_t                i;
    cqrs_similar_name_t  *names;

    names = similar->names[group];
    i = similar->n[group];

    while (i && name->shared * name->shared * names[i - 1].own
                > names[i - 1].shared * names[i - 1].shared * name->own)
    {
        i--;
    }

    if (i == CQRS_SIMILAR_BEST) {
        return;
    }

    if (similar->n[group] < CQRS_SIMILAR_BEST) {
        similar->n[group]++;
    }

    memmove(&names[i + 1], &names[i],
            (similar->n[group] - i - 1) * sizeof(cqrs_similar_name_t));

    names[i] = *name;
}
