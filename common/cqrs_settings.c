
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "cqrs_settings.h"

#include "cqrs_buf_json.h"


static void cqrs_settings_pair(cqrs_buf_t *buf, const char *name, size_t nlen,
    const char *value, size_t vlen);


void
cqrs_settings_init(cqrs_settings_t *settings, cqrs_arena_t *arena)
{
    settings->arena = arena;
    settings->n = 0;
    settings->failed = 0;
}


void
cqrs_settings_add(cqrs_settings_t *settings, const char *name,
    const cqrs_str_t *value)
{
    cqrs_str_t  text;

    text.data = name;
    text.len = strlen(name);

    cqrs_settings_add_named(settings, &text, value);
}


void
cqrs_settings_add_named(cqrs_settings_t *settings, const cqrs_str_t *name,
    const cqrs_str_t *value)
{
    const char  **pair;

    if (settings->failed || settings->n == CQRS_SETTINGS_MAX) {
        settings->failed = 1;
        return;
    }

    pair = &settings->params[2 * settings->n++];

    pair[0] = cqrs_arena_copy(settings->arena, name->data, name->len);
    pair[1] = cqrs_arena_copy(settings->arena, value->data, value->len);

    if (pair[0] == NULL || pair[1] == NULL) {
        settings->failed = 1;
    }
}


int
cqrs_settings_end(cqrs_settings_t *settings, cqrs_query_sql_t *sql)
{
    size_t        i;
    cqrs_buf_t    buf;
    const char  **params;

    params = cqrs_arena_alloc(settings->arena,
                              (2 * settings->n + 1) * sizeof(char *));

    if (settings->failed || params == NULL) {
        return -1;
    }

    memcpy(params, settings->params, 2 * settings->n * sizeof(char *));

    cqrs_buf_init(&buf, settings->arena);

    cqrs_buf_text(&buf, "select pg_catalog.num_nulls(");

    for (i = 0; i < settings->n; i++) {
        cqrs_buf_text(&buf, i ? ", pg_catalog.set_config($"
                              : "pg_catalog.set_config($");
        cqrs_buf_number(&buf, 2 * i + 1);
        cqrs_buf_text(&buf, ", $");
        cqrs_buf_number(&buf, 2 * i + 2);
        cqrs_buf_text(&buf, ", true)");
    }

    cqrs_buf_text(&buf, ")");

    sql->nparams = 2 * settings->n;
    sql->params = params;

    return cqrs_buf_end(&buf, &sql->text);
}


void
cqrs_settings_member(cqrs_buf_t *buf, const char *name, size_t nlen,
    const char *value, size_t vlen)
{
    char    *lower;
    size_t   i;

    lower = cqrs_arena_copy(buf->arena, name, nlen);

    if (lower == NULL) {
        buf->failed = 1;
        return;
    }

    for (i = 0; i < nlen; i++) {
        if (lower[i] >= 'A' && lower[i] <= 'Z') {
            lower[i] = (char) (lower[i] - 'A' + 'a');
        }
    }

    cqrs_settings_pair(buf, lower, nlen, value, vlen);
}


static void
cqrs_settings_pair(cqrs_buf_t *buf, const char *name, size_t nlen,
    const char *value, size_t vlen)
{
    cqrs_buf_text(buf, buf->len ? ",": "{");
    cqrs_buf_json(buf, name, nlen);
    cqrs_buf_text(buf, ":");
    cqrs_buf_json(buf, value, vlen);
}


void
cqrs_settings_cookies(cqrs_buf_t *buf, const char *text, size_t len)
{
    const char  *p, *next, *last, *equals;

    last = text + len;

    for (p = text; p < last; p = next + 1) {

        while (p < last && (*p == ' ' || *p == '\t')) {
            p++;
        }

        next = memchr(p, ';', (size_t) (last - p));

        if (next == NULL) {
            next = last;
        }

        if (next == p) {
            continue;
        }

        equals = memchr(p, '=', (size_t) (next - p));

        if (equals) {
            cqrs_settings_pair(buf, p, (size_t) (equals - p), equals + 1,
                               (size_t) (next - equals - 1));

        } else {
            cqrs_settings_pair(buf, p, (size_t) (next - p), "", 0);
        }
    }
}
