
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "cqrs_query_scan.h"


static void cqrs_query_scan_note(cqrs_query_scan_t *scan, size_t pos,
    size_t found, const char *expected, int literal);
static void cqrs_query_scan_refuse(cqrs_query_scan_t *scan, size_t pos,
    const char *expected);
static void cqrs_query_scan_settle(cqrs_query_scan_t *scan,
    const cqrs_query_mark_t *mark);


void
cqrs_query_scan_init(cqrs_query_scan_t *scan, cqrs_query_request_t *request,
    const char *what, const cqrs_str_t *text)
{
    scan->request = request;
    scan->what = what;
    scan->shown = *text;
    scan->text = *text;
    scan->pos = 0;
    scan->stopped = 0;
    scan->memo.end = 0;

    cqrs_query_scan_forget(scan);
}


char
cqrs_query_scan_peek(const cqrs_query_scan_t *scan)
{
    return (scan->pos < scan->text.len) ? scan->text.data[scan->pos] : '\0';
}


int
cqrs_query_scan_still(const cqrs_query_scan_t *scan, size_t begin)
{
    return !scan->stopped && scan->pos == begin;
}


int
cqrs_query_scan_char(cqrs_query_scan_t *scan, const char *c)
{
    return cqrs_query_scan_text(scan, c);
}


/* Where it fails within the text, the text's beginning is the place. */

int
cqrs_query_scan_text(cqrs_query_scan_t *scan, const char *text)
{
    size_t  begin, i;

    if (scan->stopped) {
        return -1;
    }

    begin = scan->pos;

    for (i = 0; text[i]; i++) {

        if (begin + i == scan->text.len
            || scan->text.data[begin + i] != text[i])
        {
            if (i) {
                scan->pos = begin + i;
                cqrs_query_scan_forget(scan);
            }

            cqrs_query_scan_note(scan, begin, begin + i, text, 1);
            return -1;
        }
    }

    scan->pos = begin + i;
    cqrs_query_scan_forget(scan);

    return 0;
}


int
cqrs_query_scan_dot(cqrs_query_scan_t *scan)
{
    cqrs_query_mark_t  mark;

    cqrs_query_scan_begin(scan, &mark);

    return cqrs_query_scan_label(scan, &mark, cqrs_query_scan_char(scan, "."),
                                 "delimiter (.)");
}


/* Here, other than in a text, the character that differs is the place. */

int
cqrs_query_scan_word(cqrs_query_scan_t *scan, const char *text)
{
    size_t  i;
    char    c;

    for (i = 0; text[i] && !scan->stopped; i++) {

        c = cqrs_query_scan_peek(scan);

        if (c >= 'A' && c <= 'Z') {
            c |= 0x20;
        }

        if (c != text[i]) {
            cqrs_query_scan_note(scan, scan->pos, scan->pos, text, 1);
            return -1;
        }

        scan->pos++;
        cqrs_query_scan_forget(scan);
    }

    return scan->stopped ? -1 : 0;
}


int
cqrs_query_scan_try_text(cqrs_query_scan_t *scan, const char *text)
{
    cqrs_query_mark_t  mark;

    cqrs_query_scan_begin(scan, &mark);

    return cqrs_query_scan_try(scan, &mark, cqrs_query_scan_text(scan, text));
}


void
cqrs_query_scan_blanks(cqrs_query_scan_t *scan)
{
    size_t  begin;

    if (scan->stopped) {
        return;
    }

    begin = scan->pos;

    while (cqrs_query_scan_peek(scan) == ' '
           || cqrs_query_scan_peek(scan) == '\t')
    {
        scan->pos++;
    }

    if (scan->pos != begin) {
        cqrs_query_scan_forget(scan);
    }

    cqrs_query_scan_miss(scan, NULL);
}


int
cqrs_query_scan_lexeme(cqrs_query_scan_t *scan, const char *c)
{
    cqrs_query_scan_blanks(scan);

    if (cqrs_query_scan_char(scan, c) != 0) {
        return -1;
    }

    cqrs_query_scan_blanks(scan);

    return 0;
}


void
cqrs_query_scan_until(cqrs_query_scan_t *scan, const char *stop)
{
    size_t  begin;

    if (scan->stopped) {
        return;
    }

    begin = scan->pos;

    while (scan->pos < scan->text.len
           && strchr(stop, scan->text.data[scan->pos]) == NULL)
    {
        scan->pos++;
    }

    if (scan->pos != begin) {
        cqrs_query_scan_forget(scan);
    }

    cqrs_query_scan_miss(scan, NULL);
}


int
cqrs_query_scan_end(cqrs_query_scan_t *scan)
{
    if (scan->stopped) {
        return -1;
    }

    /* what is read further would also have liked the end */

    if (scan->pos == scan->text.len) {
        cqrs_query_scan_miss(scan, "end of input");
        return 0;
    }

    cqrs_query_scan_refuse(scan, scan->pos, "end of input");

    return -1;
}


int
cqrs_query_scan_ahead(cqrs_query_scan_t *scan, const char *text)
{
    cqrs_query_mark_t  mark;

    cqrs_query_scan_begin(scan, &mark);

    if (cqrs_query_scan_text(scan, text) == 0) {
        scan->pos = mark.pos;
        cqrs_query_trouble_copy(&scan->trouble, &mark.trouble);
        return 0;
    }

    return cqrs_query_scan_try(scan, &mark, -1);
}


int
cqrs_query_scan_not(cqrs_query_scan_t *scan, const char *c)
{
    if (scan->stopped) {
        return -1;
    }

    if (cqrs_query_scan_peek(scan) != c[0]) {
        cqrs_query_scan_note(scan, scan->pos, scan->pos, c, 1);
        return 0;
    }

    cqrs_query_scan_refuse(scan, scan->pos + 1, NULL);

    return -1;
}


int
cqrs_query_scan_only(cqrs_query_scan_t *scan, const char *allowed)
{
    size_t  width;

    if (scan->stopped) {
        return -1;
    }

    if (scan->pos == scan->text.len
        || strchr(allowed, scan->text.data[scan->pos]))
    {
        cqrs_query_scan_miss(scan, NULL);
        return 0;
    }

    width = cqrs_query_trouble_width(&scan->text, scan->pos);

    cqrs_query_scan_refuse(scan, scan->pos + width, NULL);

    return -1;
}


void
cqrs_query_scan_begin(cqrs_query_scan_t *scan, cqrs_query_mark_t *mark)
{
    mark->pos = scan->pos;
    cqrs_query_trouble_copy(&mark->trouble, &scan->trouble);

    cqrs_query_scan_forget(scan);
}


int
cqrs_query_scan_try(cqrs_query_scan_t *scan, const cqrs_query_mark_t *mark,
    int rc)
{
    if (rc != 0) {
        scan->pos = mark->pos;
    }

    cqrs_query_scan_settle(scan, mark);

    return rc;
}


int
cqrs_query_scan_label(cqrs_query_scan_t *scan, const cqrs_query_mark_t *mark,
    int rc, const char *label)
{
    cqrs_query_trouble_t  *trouble;

    trouble = &scan->trouble;

    if (scan->request->notes
        && scan->pos == mark->pos
        && (rc != 0 || !cqrs_query_trouble_none(trouble)))
    {
        trouble->nexpected = 1;
        trouble->expected[0].text = label;
        trouble->expected[0].literal = 0;
    }

    cqrs_query_scan_settle(scan, mark);

    return rc;
}


void
cqrs_query_scan_miss(cqrs_query_scan_t *scan, const char *expected)
{
    cqrs_query_scan_note(scan, scan->pos, scan->pos, expected, 0);
}


void
cqrs_query_scan_forget(cqrs_query_scan_t *scan)
{
    scan->trouble.missed = 0;
    scan->trouble.refused = 0;
    scan->trouble.nexpected = 0;
}


int
cqrs_query_scan_stop(cqrs_query_scan_t *scan, const char *sentence)
{
    if (!scan->stopped) {
        scan->stopped = 1;
        cqrs_query_refuse(scan->request->error, 400, "PGRST100", sentence);
    }

    return -1;
}


int
cqrs_query_scan_no_memory(cqrs_query_scan_t *scan)
{
    if (!scan->stopped) {
        scan->stopped = 1;
        cqrs_query_no_memory(scan->request->error);
    }

    return -1;
}


int
cqrs_query_scan_finish(cqrs_query_scan_t *scan, int rc)
{
    if (rc == 0 && !scan->stopped) {
        return 0;
    }

    if (!scan->stopped && !scan->request->notes) {
        scan->request->untold = 1;

    } else if (!scan->stopped) {
        cqrs_query_trouble_tell(&scan->trouble, scan->what, &scan->shown,
                                &scan->text, scan->request->arena,
                                scan->request->error);
    }

    scan->stopped = 1;

    return -1;
}


void *
cqrs_query_scan_alloc(cqrs_query_scan_t *scan, size_t size)
{
    void  *p;

    if (scan->stopped) {
        return NULL;
    }

    p = cqrs_arena_calloc(scan->request->arena, size);

    if (p == NULL) {
        (void) cqrs_query_scan_no_memory(scan);
    }

    return p;
}


int
cqrs_query_scan_copy(cqrs_query_scan_t *scan, size_t begin, cqrs_str_t *copy)
{
    if (scan->stopped) {
        return -1;
    }

    copy->len = scan->pos - begin;
    copy->data = cqrs_arena_copy(scan->request->arena,
                                 scan->text.data + begin, copy->len);

    return copy->data ? 0 : cqrs_query_scan_no_memory(scan);
}


/* A miss: the character at found was not what was expected from pos on. */

static void
cqrs_query_scan_note(cqrs_query_scan_t *scan, size_t pos, size_t found,
    const char *expected, int literal)
{
    cqrs_query_trouble_t  trouble;

    if (scan->stopped || !scan->request->notes) {
        return;
    }

    trouble.pos = pos;
    trouble.missed = 1;
    trouble.found = found;
    trouble.refused = 0;
    trouble.nexpected = 0;

    if (expected) {
        trouble.nexpected = 1;
        trouble.expected[0].text = expected;
        trouble.expected[0].literal = literal;
    }

    cqrs_query_trouble_add(&scan->trouble, &trouble);
}


/* What comes next must not be there; behind it is where that is told. */

static void
cqrs_query_scan_refuse(cqrs_query_scan_t *scan, size_t pos,
    const char *expected)
{
    cqrs_query_trouble_t  trouble;

    if (!scan->request->notes) {
        return;
    }

    trouble.pos = pos;
    trouble.missed = 0;
    trouble.refused = 1;
    trouble.refusal = scan->pos;
    trouble.nexpected = 0;

    if (expected) {
        trouble.nexpected = 1;
        trouble.expected[0].text = expected;
        trouble.expected[0].literal = 0;
    }

    cqrs_query_trouble_add(&scan->trouble, &trouble);
}


/* What was noted before belongs to it while there is no step forward. */

static void
cqrs_query_scan_settle(cqrs_query_scan_t *scan, const cqrs_query_mark_t *mark)
{
    cqrs_query_trouble_t  trouble;

    if (scan->request->notes && scan->pos == mark->pos) {
        cqrs_query_trouble_copy(&trouble, &mark->trouble);
        cqrs_query_trouble_add(&trouble, &scan->trouble);
        cqrs_query_trouble_copy(&scan->trouble, &trouble);
    }
}
