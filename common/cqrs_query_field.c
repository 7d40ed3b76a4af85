
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Names and JSON paths.  A letter is any byte beyond ASCII: which of them are
 * letters is not ours to know, and a name that is none is no column.
 */

#include "cqrs_query_grammar.h"


static int cqrs_query_piece(cqrs_query_scan_t *scan, int key);
static int cqrs_query_in_piece(char c, int key);
static int cqrs_query_dash(cqrs_query_scan_t *scan);
static int cqrs_query_dashed(cqrs_query_scan_t *scan, cqrs_str_t *value,
    int key);
static int cqrs_query_join_pieces(cqrs_query_scan_t *scan, size_t begin,
    cqrs_str_t *value);
static int cqrs_query_is_blank(char c);
static int cqrs_query_name_fits(cqrs_query_scan_t *scan,
    const cqrs_str_t *name);
static int cqrs_query_step(cqrs_query_scan_t *scan, cqrs_query_step_t **step);
static int cqrs_query_step_index(cqrs_query_scan_t *scan,
    cqrs_query_step_t *step);
static int cqrs_query_step_end(cqrs_query_scan_t *scan);
static int cqrs_query_step_key(cqrs_query_scan_t *scan,
    cqrs_query_step_t *step);


int
cqrs_query_quoted(cqrs_query_scan_t *scan, cqrs_str_t *value)
{
    char    *p;
    size_t   i, begin;

    if (cqrs_query_scan_char(scan, "\"") != 0) {
        return -1;
    }

    begin = scan->pos;

    for ( ;; ) {

        cqrs_query_scan_until(scan, "\\\"");

        if (cqrs_query_scan_char(scan, "\\") != 0) {
            break;
        }

        if (scan->pos == scan->text.len) {
            cqrs_query_scan_miss(scan, NULL);
            return -1;
        }

        scan->pos++;
        cqrs_query_scan_forget(scan);
    }

    if (cqrs_query_scan_char(scan, "\"") != 0) {
        return -1;
    }

    p = cqrs_query_scan_alloc(scan, scan->pos - begin);
    if (p == NULL) {
        return -1;
    }

    value->data = p;

    for (i = begin; i < scan->pos - 1; i++) {

        if (scan->text.data[i] == '\\') {
            i++;
        }

        *p++ = scan->text.data[i];
    }

    value->len = (size_t) (p - value->data);

    return 0;
}


int
cqrs_query_identifier(cqrs_query_scan_t *scan, cqrs_str_t *value)
{
    size_t  begin;

    begin = scan->pos;

    if (cqrs_query_piece(scan, 0) != 0
        || cqrs_query_join_pieces(scan, begin, value) != 0)
    {
        return -1;
    }

    return cqrs_query_name_fits(scan, value);
}


int
cqrs_query_name(cqrs_query_scan_t *scan, cqrs_str_t *name)
{
    int                 rc;
    size_t              begin;
    cqrs_query_mark_t   mark;
    cqrs_query_memo_t  *memo;

    begin = scan->pos;
    memo = &scan->memo;

    if (memo->end && memo->begin == begin && !scan->stopped) {
        scan->pos = memo->end;
        cqrs_query_trouble_copy(&scan->trouble, &memo->trouble);
        *name = memo->name;
        return 0;
    }

    cqrs_query_scan_begin(scan, &mark);

    rc = cqrs_query_quoted(scan, name);

    if (rc != 0 && cqrs_query_scan_still(scan, begin)) {
        rc = cqrs_query_dashed(scan, name, 0);
    }

    if (cqrs_query_scan_label(scan, &mark, rc,
                              "field name (* or [a..z0..9_$])")
        != 0
        || cqrs_query_name_fits(scan, name) != 0)
    {
        return -1;
    }

    memo->begin = begin;
    memo->end = scan->pos;
    memo->name = *name;
    cqrs_query_trouble_copy(&memo->trouble, &scan->trouble);

    return 0;
}


int
cqrs_query_field(cqrs_query_scan_t *scan, cqrs_query_field_t *field)
{
    cqrs_query_scan_blanks(scan);

    if (cqrs_query_name(scan, &field->name) != 0
        || cqrs_query_path(scan, &field->path) != 0)
    {
        return -1;
    }

    cqrs_query_scan_blanks(scan);

    return 0;
}


int
cqrs_query_path(cqrs_query_scan_t *scan, cqrs_query_step_t **path)
{
    size_t  n, begin;

    *path = NULL;

    for (n = 0; /* void */ ; n++) {

        begin = scan->pos;

        if (cqrs_query_step(scan, path) != 0) {
            return cqrs_query_scan_still(scan, begin) ? 0 : -1;
        }

        if (n == CQRS_QUERY_STEPS_MAX) {
            return cqrs_query_scan_stop(scan, "A JSON path has too many "
                                              "steps");
        }

        path = &(*path)->next;
    }
}


/* What stands between dashes, of a name or of a JSON path. */

static int
cqrs_query_piece(cqrs_query_scan_t *scan, int key)
{
    size_t  begin;

    if (scan->stopped) {
        return -1;
    }

    begin = scan->pos;

    while (scan->pos < scan->text.len
           && cqrs_query_in_piece(scan->text.data[scan->pos], key))
    {
        scan->pos++;
    }

    if (scan->pos != begin) {
        cqrs_query_scan_forget(scan);
    }

    cqrs_query_scan_miss(scan, key ? NULL : "letter");

    if (!key) {
        cqrs_query_scan_miss(scan, "digit");
    }

    return (scan->pos != begin) ? 0 : -1;
}


static int
cqrs_query_in_piece(char c, int key)
{
    if (key) {
        return strchr("(-:.,>)", c) == NULL;
    }

    return (c >= 'a' && c <= 'z')
           || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9')
           || c == '_' || c == ' ' || c == '$'
           || (unsigned char) c >= 0x80;
}


/* One that begins no arrow. */

static int
cqrs_query_dash(cqrs_query_scan_t *scan)
{
    int                rc;
    cqrs_query_mark_t  mark;

    cqrs_query_scan_begin(scan, &mark);

    rc = cqrs_query_scan_char(scan, "-");

    if (rc == 0) {
        rc = cqrs_query_scan_not(scan, ">");
    }

    return cqrs_query_scan_try(scan, &mark, rc);
}


static int
cqrs_query_dashed(cqrs_query_scan_t *scan, cqrs_str_t *value, int key)
{
    size_t  begin;

    begin = scan->pos;

    if (cqrs_query_piece(scan, key) != 0) {
        return -1;
    }

    while (cqrs_query_dash(scan) == 0) {

        if (cqrs_query_piece(scan, key) != 0) {
            return -1;
        }

        cqrs_query_scan_forget(scan);
    }

    return cqrs_query_join_pieces(scan, begin, value);
}


/* Blanks around them are not part of them. */

static int
cqrs_query_join_pieces(cqrs_query_scan_t *scan, size_t begin,
    cqrs_str_t *value)
{
    char        *to, *p;
    const char  *from, *end, *last, *next;

    p = cqrs_query_scan_alloc(scan, scan->pos - begin + 1);
    if (p == NULL) {
        return -1;
    }

    to = p;
    end = scan->text.data + scan->pos;

    for (from = scan->text.data + begin; /* void */ ; from = next + 1) {

        next = memchr(from, '-', (size_t) (end - from));

        if (next == NULL) {
            next = end;
        }

        for (last = next; last > from && cqrs_query_is_blank(last[-1]);
             last--)
        {
            /* void */
        }

        while (from < last && cqrs_query_is_blank(*from)) {
            from++;
        }

        memcpy(to, from, (size_t) (last - from));
        to += last - from;

        if (next == end) {
            break;
        }

        *to++ = '-';
    }

    value->data = p;
    value->len = (size_t) (to - p);

    return 0;
}


static int
cqrs_query_is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}


static int
cqrs_query_name_fits(cqrs_query_scan_t *scan, const cqrs_str_t *name)
{
    if (name->len == 0) {
        return cqrs_query_scan_stop(scan, "A name is empty");
    }

    if (name->len > CQRS_QUERY_NAME_MAX) {
        return cqrs_query_scan_stop(scan, "A name is too long");
    }

    return 0;
}


static int
cqrs_query_step(cqrs_query_scan_t *scan, cqrs_query_step_t **step)
{
    int                rc, text;
    cqrs_query_mark_t  mark;

    text = (cqrs_query_scan_try_text(scan, "->>") == 0);

    if (!text && cqrs_query_scan_try_text(scan, "->") != 0) {
        return -1;
    }

    *step = cqrs_query_scan_alloc(scan, sizeof(cqrs_query_step_t));
    if (*step == NULL) {
        return -1;
    }

    (*step)->text = text;

    cqrs_query_scan_begin(scan, &mark);

    rc = cqrs_query_scan_try(scan, &mark,
                             cqrs_query_step_index(scan, *step));
    if (rc == 0) {
        return 0;
    }

    (*step)->index = 0;

    cqrs_query_scan_begin(scan, &mark);

    return cqrs_query_scan_try(scan, &mark, cqrs_query_step_key(scan, *step));
}


/* A number that Postgres would not take for an index is a key. */

static int
cqrs_query_step_index(cqrs_query_scan_t *scan, cqrs_query_step_t *step)
{
    size_t  begin, digits;

    begin = scan->pos;

    (void) cqrs_query_scan_char(scan, "-");

    digits = scan->pos;

    while (cqrs_query_scan_peek(scan) >= '0'
           && cqrs_query_scan_peek(scan) <= '9')
    {
        scan->pos++;
        cqrs_query_scan_forget(scan);
    }

    cqrs_query_scan_miss(scan, "digit");

    if (scan->pos == digits || cqrs_query_step_end(scan) != 0) {
        return -1;
    }

    step->index = (scan->pos - digits < sizeof("2147483647") - 1);

    return cqrs_query_scan_copy(scan, begin, &step->key);
}


/* Brackets may be around a path, in select and in order. */

static int
cqrs_query_step_end(cqrs_query_scan_t *scan)
{
    if (cqrs_query_scan_peek(scan) == ')'
        || cqrs_query_scan_ahead(scan, "->") == 0
        || cqrs_query_scan_ahead(scan, "::") == 0
        || cqrs_query_scan_ahead(scan, ".") == 0
        || cqrs_query_scan_ahead(scan, ",") == 0)
    {
        return 0;
    }

    return cqrs_query_scan_end(scan);
}


static int
cqrs_query_step_key(cqrs_query_scan_t *scan, cqrs_query_step_t *step)
{
    int                rc;
    size_t             begin;
    cqrs_query_mark_t  mark;

    begin = scan->pos;

    cqrs_query_scan_begin(scan, &mark);

    rc = cqrs_query_quoted(scan, &step->key);

    if (rc != 0 && cqrs_query_scan_still(scan, begin)) {
        rc = cqrs_query_dashed(scan, &step->key, 1);
    }

    return cqrs_query_scan_label(scan, &mark, rc, "any non reserved character "
                                                  "different from: .,>()");
}
