
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "cqrs_preferences.h"

#include "cqrs_buf.h"


#define CQRS_PREFERENCES_DIGITS  18


typedef struct {
    const char         *text;
    int                 kind;            /* of cqrs_preference_e, or -1 */
} cqrs_preferences_word_t;


static int cqrs_preferences_one(cqrs_preferences_t *preferences,
    cqrs_arena_t *arena, const char *p, size_t len);
static int cqrs_preferences_begins(const char *p, size_t len,
    const char *prefix, cqrs_str_t *value);
static int64_t cqrs_preferences_number(const cqrs_str_t *text);
static int cqrs_preferences_unknown(cqrs_preferences_t *preferences,
    cqrs_arena_t *arena, const char *p, size_t len);


/* The whole words; those of writing are known and mean nothing here. */

static const cqrs_preferences_word_t  cqrs_preferences_words[] = {
    { "count=exact",                  CQRS_PREFER_COUNT },
    { "count=planned",                CQRS_PREFER_COUNT },
    { "count=estimated",              CQRS_PREFER_COUNT },
    { "tx=commit",                    CQRS_PREFER_TX },
    { "tx=rollback",                  CQRS_PREFER_TX },
    { "handling=strict",              CQRS_PREFER_HANDLING },
    { "handling=lenient",             CQRS_PREFER_HANDLING },
    { "resolution=merge-duplicates",  -1 },
    { "resolution=ignore-duplicates", -1 },
    { "return=representation",        -1 },
    { "return=minimal",               -1 },
    { "return=headers-only",          -1 },
    { "missing=default",              -1 },
    { "missing=null",                 -1 },
    { NULL,                           -1 }
};


static const char *const  cqrs_preferences_names[CQRS_PREFER_KINDS] = {
    "count=", "tx=", "handling=", "timezone=", "max-affected="
};


void
cqrs_preferences_init(cqrs_preferences_t *preferences, int tx)
{
    memset(preferences, 0, sizeof(cqrs_preferences_t));

    preferences->max_affected = -1;
    preferences->tx = tx;
}


int
cqrs_preferences_read(cqrs_preferences_t *preferences, cqrs_arena_t *arena,
    const char *text, size_t len)
{
    const char  *p, *end, *next, *last;

    last = text + len;

    for (p = text; p <= last; p = next + 1) {
        next = memchr(p, ',', (size_t) (last - p));

        if (next == NULL) {
            next = last;
        }

        end = next;

        while (p < end && (*p == ' ' || *p == '\t')) {
            p++;
        }

        while (p < end && (end[-1] == ' ' || end[-1] == '\t')) {
            end--;
        }

        if (cqrs_preferences_one(preferences, arena, p, (size_t) (end - p))
            != 0)
        {
            return -1;
        }
    }

    return 0;
}


static int
cqrs_preferences_one(cqrs_preferences_t *preferences, cqrs_arena_t *arena,
    const char *p, size_t len)
{
    cqrs_str_t                      word, value, *had;
    const cqrs_preferences_word_t  *w;

    if (len == 0) {
        return 0;
    }

    word.data = p;
    word.len = len;

    for (w = cqrs_preferences_words; w->text; w++) {

        if (!cqrs_str_is(&word, w->text)) {
            continue;
        }

        if (w->kind == -1
            || (w->kind == CQRS_PREFER_TX && !preferences->tx))
        {
            return 0;
        }

        had = &preferences->values[w->kind];

        if (had->data == NULL) {
            (void) cqrs_preferences_begins(p, len,
                                           cqrs_preferences_names[w->kind],
                                           had);
        }

        return 0;
    }

    if (cqrs_preferences_begins(p, len, "timezone=", &value)) {
        had = &preferences->values[CQRS_PREFER_TIMEZONE];

        if (had->data == NULL) {
            *had = value;
        }

        return 0;
    }

    if (cqrs_preferences_begins(p, len, "max-affected=", &value)) {
        had = &preferences->values[CQRS_PREFER_MAX_AFFECTED];

        if (had->data == NULL) {
            preferences->max_affected = cqrs_preferences_number(&value);

            if (preferences->max_affected >= 0) {
                *had = value;
            }
        }

        return 0;
    }

    return cqrs_preferences_unknown(preferences, arena, p, len);
}


static int
cqrs_preferences_begins(const char *p, size_t len, const char *prefix,
    cqrs_str_t *value)
{
    size_t  n;

    n = strlen(prefix);

    if (len < n || memcmp(p, prefix, n) != 0) {
        return 0;
    }

    value->data = p + n;
    value->len = len - n;

    return 1;
}


/* -1: it is none. */

static int64_t
cqrs_preferences_number(const cqrs_str_t *text)
{
    size_t   i;
    int64_t  n;

    if (text->len == 0 || text->len > CQRS_PREFERENCES_DIGITS) {
        return -1;
    }

    n = 0;

    for (i = 0; i < text->len; i++) {

        if (text->data[i] < '0' || text->data[i] > '9') {
            return -1;
        }

        n = n * 10 + (text->data[i] - '0');
    }

    return n;
}


static int
cqrs_preferences_unknown(cqrs_preferences_t *preferences, cqrs_arena_t *arena,
    const char *p, size_t len)
{
    cqrs_buf_t  buf;

    cqrs_buf_init(&buf, arena);

    if (preferences->unknown.data) {
        cqrs_buf_str(&buf, &preferences->unknown);
        cqrs_buf_text(&buf, ", ");
    }

    cqrs_buf_add(&buf, p, len);

    return cqrs_buf_end(&buf, &preferences->unknown);
}


int
cqrs_preferences_is(const cqrs_preferences_t *preferences,
    cqrs_preference_e kind, const char *value)
{
    return preferences->values[kind].data != NULL
           && cqrs_str_is(&preferences->values[kind], value);
}


int
cqrs_preferences_refused(const cqrs_preferences_t *preferences)
{
    return preferences->unknown.data != NULL
           && cqrs_preferences_is(preferences, CQRS_PREFER_HANDLING, "strict");
}


int
cqrs_preferences_applied(const cqrs_preferences_t *preferences, int call,
    cqrs_arena_t *arena, cqrs_str_t *applied)
{
    int          i, last;
    cqrs_buf_t   buf;

    cqrs_buf_init(&buf, arena);

    applied->data = NULL;
    applied->len = 0;

    last = (call && cqrs_preferences_is(preferences, CQRS_PREFER_HANDLING,
                                        "strict"))
           ? CQRS_PREFER_MAX_AFFECTED : CQRS_PREFER_TIMEZONE;

    for (i = 0; i <= last; i++) {

        if (preferences->values[i].data == NULL) {
            continue;
        }

        if (buf.len) {
            cqrs_buf_text(&buf, ", ");
        }

        cqrs_buf_text(&buf, cqrs_preferences_names[i]);
        cqrs_buf_str(&buf, &preferences->values[i]);
    }

    return (buf.len || buf.failed) ? cqrs_buf_end(&buf, applied) : 0;
}
