
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "cqrs_query_scan.h"
#include "cqrs_buf.h"


static int cqrs_query_scan_in_name(const cqrs_query_scan_t *scan);
static int cqrs_query_scan_continued(char c);


void
cqrs_query_scan_init(cqrs_query_scan_t *scan, const char *what,
    const cqrs_str_t *text, cqrs_arena_t *arena, cqrs_query_error_t *error)
{
    scan->what = what;
    scan->text = *text;
    scan->pos = 0;
    scan->arena = arena;
    scan->error = error;
}


int
cqrs_query_scan_end(const cqrs_query_scan_t *scan)
{
    return scan->pos == scan->text.len;
}


int
cqrs_query_scan_char(cqrs_query_scan_t *scan, char c)
{
    if (cqrs_query_scan_end(scan) || scan->text.data[scan->pos] != c) {
        return 0;
    }

    scan->pos++;

    return 1;
}


int
cqrs_query_scan_text(cqrs_query_scan_t *scan, const char *text)
{
    size_t  len;

    len = strlen(text);

    if (scan->text.len - scan->pos < len
        || memcmp(scan->text.data + scan->pos, text, len) != 0)
    {
        return 0;
    }

    scan->pos += len;

    return 1;
}


void
cqrs_query_scan_blanks(cqrs_query_scan_t *scan)
{
    while (cqrs_query_scan_char(scan, ' ')) { /* void */ }
}


int
cqrs_query_scan_name(cqrs_query_scan_t *scan, cqrs_str_t *name)
{
    size_t  begin, end;

    cqrs_query_scan_blanks(scan);

    if (cqrs_query_scan_quoted(scan, name) == 0) {

        if (name->len == 0 || name->len > CQRS_QUERY_NAME_MAX) {
            return cqrs_query_scan_fail(scan, "a field name");
        }

        cqrs_query_scan_blanks(scan);
        return 0;
    }

    begin = scan->pos;

    while (cqrs_query_scan_in_name(scan)) {
        scan->pos++;
    }

    end = scan->pos;

    while (end > begin && scan->text.data[end - 1] == ' ') {
        end--;
    }

    if (end == begin || end - begin > CQRS_QUERY_NAME_MAX) {
        return cqrs_query_scan_fail(scan, "field name (* or [a..z0..9_$])");
    }

    name->data = scan->text.data + begin;
    name->len = end - begin;

    return 0;
}


int
cqrs_query_scan_quoted(cqrs_query_scan_t *scan, cqrs_str_t *value)
{
    char    *p;
    size_t   i;

    i = scan->pos;

    if (i == scan->text.len || scan->text.data[i] != '"') {
        return -1;
    }

    p = cqrs_arena_alloc(scan->arena, scan->text.len - i);
    if (p == NULL) {
        return -1;
    }

    value->data = p;

    for (i++; i < scan->text.len; i++) {

        if (scan->text.data[i] == '"') {
            *p = '\0';
            value->len = (size_t) (p - value->data);
            scan->pos = i + 1;
            return 0;
        }

        if (scan->text.data[i] == '\\' && i + 1 < scan->text.len) {
            i++;
        }

        *p++ = scan->text.data[i];
    }

    return -1;
}


int
cqrs_query_scan_fail(cqrs_query_scan_t *scan, const char *expected)
{
    size_t               i, column, len;
    cqrs_buf_t           buf;
    cqrs_query_error_t  *error;

    error = scan->error;

    memset(error, 0, sizeof(cqrs_query_error_t));

    error->status = 400;
    error->code = "PGRST100";

    for (i = 0, column = 1; i < scan->pos; i++) {
        if (!cqrs_query_scan_continued(scan->text.data[i])) {
            column++;
        }
    }

    cqrs_buf_init(&buf, scan->arena);
    cqrs_buf_text(&buf, "\"failed to parse ");
    cqrs_buf_text(&buf, scan->what);
    cqrs_buf_text(&buf, " (");
    cqrs_buf_str(&buf, &scan->text);
    cqrs_buf_text(&buf, ")\" (line 1, column ");
    cqrs_buf_number(&buf, column);
    cqrs_buf_text(&buf, ")");

    if (cqrs_buf_end(&buf, &error->message) != 0) {
        cqrs_query_no_memory(error);
        return -1;
    }

    cqrs_buf_init(&buf, scan->arena);
    cqrs_buf_text(&buf, "unexpected ");

    if (cqrs_query_scan_end(scan)) {
        cqrs_buf_text(&buf, "end of input");

    } else {
        len = 1;

        while (scan->pos + len < scan->text.len
               && cqrs_query_scan_continued(scan->text.data[scan->pos + len]))
        {
            len++;
        }

        cqrs_buf_text(&buf, "\"");
        cqrs_buf_add(&buf, scan->text.data + scan->pos, len);
        cqrs_buf_text(&buf, "\"");
    }

    cqrs_buf_text(&buf, " expecting ");
    cqrs_buf_text(&buf, expected);

    if (cqrs_buf_end(&buf, &error->details) != 0) {
        cqrs_query_no_memory(error);
    }

    return -1;
}


/* Letters of every script, digits, _ $ blank, and - where it begins no ->. */

static int
cqrs_query_scan_in_name(const cqrs_query_scan_t *scan)
{
    unsigned char  c;

    if (cqrs_query_scan_end(scan)) {
        return 0;
    }

    c = (unsigned char) scan->text.data[scan->pos];

    if (c == '-') {
        return scan->pos + 1 == scan->text.len
               || scan->text.data[scan->pos + 1] != '>';
    }

    return (c >= 'a' && c <= 'z')
           || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9')
           || c == '_' || c == '$' || c == ' '
           || c >= 0x80;
}


/* Is it a byte within a character of UTF-8, not its first? */

static int
cqrs_query_scan_continued(char c)
{
    return ((unsigned char) c & 0xc0) == 0x80;
}
