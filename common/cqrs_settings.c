
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "cqrs_settings.h"

#include "cqrs_buf_json.h"


static void cqrs_settings_begin(cqrs_settings_t *settings, const char *name);
static void cqrs_settings_param(cqrs_settings_t *settings,
    const cqrs_str_t *value);
static void cqrs_settings_pair(cqrs_buf_t *buf, const char *name, size_t nlen,
    const char *value, size_t vlen);


void
cqrs_settings_init(cqrs_settings_t *settings, cqrs_arena_t *arena)
{
    cqrs_buf_init(&settings->text, arena);

    settings->nparams = 0;
    settings->n = 0;
    settings->failed = 0;
}


void
cqrs_settings_add(cqrs_settings_t *settings, const char *name,
    const cqrs_str_t *value)
{
    cqrs_settings_begin(settings, name);
    cqrs_buf_text(&settings->text, ", ");
    cqrs_settings_param(settings, value);
    cqrs_buf_text(&settings->text, ", true)");
}


void
cqrs_settings_add_empty(cqrs_settings_t *settings, const char *name)
{
    cqrs_settings_begin(settings, name);
    cqrs_buf_text(&settings->text, ", '', true)");
}


void
cqrs_settings_add_named(cqrs_settings_t *settings, const cqrs_str_t *name,
    const cqrs_str_t *value)
{
    cqrs_settings_begin(settings, NULL);
    cqrs_settings_param(settings, name);
    cqrs_buf_text(&settings->text, ", ");
    cqrs_settings_param(settings, value);
    cqrs_buf_text(&settings->text, ", true)");
}


static void
cqrs_settings_begin(cqrs_settings_t *settings, const char *name)
{
    cqrs_buf_text(&settings->text, settings->n
                                   ? ", pg_catalog.set_config("
                                   : "select pg_catalog.num_nulls("
                                     "pg_catalog.set_config(");
    if (name) {
        cqrs_buf_text(&settings->text, "'");
        cqrs_buf_text(&settings->text, name);
        cqrs_buf_text(&settings->text, "'");
    }

    if (++settings->n > CQRS_SETTINGS_MAX) {
        settings->failed = 1;
    }
}


static void
cqrs_settings_param(cqrs_settings_t *settings, const cqrs_str_t *value)
{
    char  *param;

    if (settings->failed) {
        return;
    }

    param = cqrs_arena_copy(settings->text.arena, value->data, value->len);

    if (param == NULL) {
        settings->failed = 1;
        return;
    }

    settings->params[settings->nparams++] = param;

    cqrs_buf_text(&settings->text, "$");
    cqrs_buf_number(&settings->text, settings->nparams);
}


int
cqrs_settings_end(cqrs_settings_t *settings, cqrs_query_sql_t *sql)
{
    size_t        size;
    const char  **params;

    size = settings->nparams * sizeof(char *);
    params = cqrs_arena_alloc(settings->text.arena, size);

    if (settings->failed || params == NULL) {
        return -1;
    }

    memcpy(params, settings->params, size);

    cqrs_buf_text(&settings->text, ")");

    sql->nparams = settings->nparams;
    sql->params = params;

    return cqrs_buf_end(&settings->text, &sql->text);
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
