
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* The query string, cut into pairs and decoded. */

#include "cqrs_query_parse.h"
#include "cqrs_query_part.h"


typedef struct {
    cqrs_arena_t         *arena;
    cqrs_query_error_t   *error;
    cqrs_query_part_t   **last;
} cqrs_query_cutter_t;


static int cqrs_query_cut(cqrs_query_cutter_t *cutter, const char *args,
    size_t len);
static int cqrs_query_pair(cqrs_query_cutter_t *cutter, const char *pair,
    size_t len);
static int cqrs_query_decode(cqrs_query_cutter_t *cutter, cqrs_str_t *out,
    const char *text, size_t len);
static int cqrs_query_hex(char c);
static cqrs_query_part_e cqrs_query_kind(const cqrs_str_t *key);


int
cqrs_query_pairs(cqrs_query_pairs_t *pairs, cqrs_arena_t *arena,
    const char *args, size_t len, cqrs_query_error_t *error)
{
    cqrs_query_cutter_t  cutter;

    memset(error, 0, sizeof(cqrs_query_error_t));

    pairs->parts = NULL;
    pairs->args = args;
    pairs->len = len;

    cutter.arena = arena;
    cutter.error = error;
    cutter.last = &pairs->parts;

    if (cqrs_query_cut(&cutter, args, len) != 0) {
        return -1;
    }

    if (cqrs_query_canonical(pairs->parts, arena, &pairs->canonical) != 0) {
        cqrs_query_no_memory(error);
        return -1;
    }

    return 0;
}


/* A pair may be empty, but not the last one. */

static int
cqrs_query_cut(cqrs_query_cutter_t *cutter, const char *args, size_t len)
{
    const char  *end, *last;

    if (len == 0) {
        return 0;
    }

    for (last = args + len; args < last; args = end + 1) {

        end = args;

        while (end < last && *end != '&' && *end != ';') {
            end++;
        }

        if (cqrs_query_pair(cutter, args, (size_t) (end - args)) != 0) {
            return -1;
        }

        if (end == last) {
            break;
        }
    }

    return 0;
}


static int
cqrs_query_pair(cqrs_query_cutter_t *cutter, const char *pair, size_t len)
{
    size_t              n;
    const char         *equal;
    cqrs_query_part_t  *part;

    part = cqrs_arena_calloc(cutter->arena, sizeof(cqrs_query_part_t));
    if (part == NULL) {
        cqrs_query_no_memory(cutter->error);
        return -1;
    }

    equal = len ? memchr(pair, '=', len) : NULL;
    n = equal ? (size_t) (equal - pair) : len;

    if (cqrs_query_decode(cutter, &part->pair.key, pair, n) != 0) {
        return -1;
    }

    if (equal
        && cqrs_query_decode(cutter, &part->pair.value, equal + 1, len - n - 1)
           != 0)
    {
        return -1;
    }

    part->kind = cqrs_query_kind(&part->pair.key);

    /* a key without "=" says nothing, but a select hides all later ones */

    if (equal == NULL && part->kind != CQRS_QUERY_PART_SELECT
        && part->kind != CQRS_QUERY_PART_COLUMNS
        && part->kind != CQRS_QUERY_PART_ON_CONFLICT)
    {
        part->kind = CQRS_QUERY_PART_NONE;
    }

    *cutter->last = part;
    cutter->last = &part->next;

    return 0;
}


static int
cqrs_query_decode(cqrs_query_cutter_t *cutter, cqrs_str_t *out,
    const char *text, size_t len)
{
    char    *p;
    size_t   i;

    p = cqrs_arena_alloc(cutter->arena, len + 1);
    if (p == NULL) {
        cqrs_query_no_memory(cutter->error);
        return -1;
    }

    out->data = p;

    for (i = 0; i < len; i++) {

        if (text[i] == '%'
            && i + 2 < len
            && cqrs_query_hex(text[i + 1]) >= 0
            && cqrs_query_hex(text[i + 2]) >= 0)
        {
            *p = (char) (cqrs_query_hex(text[i + 1]) << 4
                         | cqrs_query_hex(text[i + 2]));
            i += 2;

        } else {
            *p = (text[i] == '+') ? ' ' : text[i];
        }

        /* a parameter ends at a NUL, so it would be cut */

        if (*p++ == '\0') {
            cqrs_query_refuse(cutter->error, 400, "22021",
                      "invalid byte sequence for encoding \"UTF8\": 0x00");
            return -1;
        }
    }

    *p = '\0';
    out->len = (size_t) (p - out->data);

    return 0;
}


static int
cqrs_query_hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    return (c >= 'a' && c <= 'f') ? c - 'a' + 10 : -1;
}


/* The last word of the key counts; only these three stand alone. */

static cqrs_query_part_e
cqrs_query_kind(const cqrs_str_t *key)
{
    size_t      i;
    cqrs_str_t  word;

    static const struct {
        const char         *word;
        cqrs_query_part_e   kind;
        int                 alone;
    } words[] = {
        { "select",      CQRS_QUERY_PART_SELECT,      1 },
        { "columns",     CQRS_QUERY_PART_COLUMNS,     1 },
        { "on_conflict", CQRS_QUERY_PART_ON_CONFLICT, 1 },
        { "order",       CQRS_QUERY_PART_ORDER,       0 },
        { "limit",       CQRS_QUERY_PART_LIMIT,       0 },
        { "offset",      CQRS_QUERY_PART_OFFSET,      0 },
        { "and",         CQRS_QUERY_PART_LOGIC,       0 },
        { "or",          CQRS_QUERY_PART_LOGIC,       0 }
    };

    word = *key;

    for (i = key->len; i && key->data[i - 1] != '.'; i--) { /* void */ }

    word.data += i;
    word.len -= i;

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (cqrs_str_is(words[i].alone ? key : &word, words[i].word)) {
            return words[i].kind;
        }
    }

    return CQRS_QUERY_PART_FILTER;
}
