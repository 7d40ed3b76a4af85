
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Clients match these texts, so they are PostgREST's to the letter: it shows
 * characters as Haskell does, what was missed in double quotes and what must
 * not be there in single ones.
 */

#include "cqrs_query_trouble.h"
#include "cqrs_buf.h"


static void cqrs_query_trouble_place(const cqrs_query_trouble_t *trouble,
    const cqrs_str_t *text, cqrs_buf_t *buf);
static void cqrs_query_trouble_unexpected(const cqrs_query_trouble_t *trouble,
    const cqrs_str_t *text, cqrs_buf_t *buf);
static void cqrs_query_trouble_expected(const cqrs_query_expected_t *expected,
    cqrs_buf_t *buf);
static void cqrs_query_trouble_show(const cqrs_str_t *text, size_t pos,
    char quote, cqrs_buf_t *buf);


int
cqrs_query_trouble_none(const cqrs_query_trouble_t *trouble)
{
    return !trouble->missed && !trouble->refused && trouble->nexpected == 0;
}


void
cqrs_query_trouble_add(cqrs_query_trouble_t *trouble,
    const cqrs_query_trouble_t *more)
{
    unsigned                      i, k;
    const cqrs_query_expected_t  *e, *known;

    if (cqrs_query_trouble_none(more)) {
        return;
    }

    if (cqrs_query_trouble_none(trouble) || more->pos > trouble->pos) {
        cqrs_query_trouble_copy(trouble, more);
        return;
    }

    if (more->pos < trouble->pos) {
        return;
    }

    if (!trouble->missed && more->missed) {
        trouble->missed = 1;
        trouble->found = more->found;
    }

    if (!trouble->refused && more->refused) {
        trouble->refused = 1;
        trouble->refusal = more->refusal;
    }

    for (i = 0; i < more->nexpected; i++) {

        e = &more->expected[i];

        for (k = 0; k < trouble->nexpected; k++) {
            known = &trouble->expected[k];

            if (known->literal == e->literal
                && strcmp(known->text, e->text) == 0)
            {
                break;
            }
        }

        if (k == trouble->nexpected && k < CQRS_QUERY_EXPECTED_MAX) {
            trouble->expected[trouble->nexpected++] = *e;
        }
    }
}


void
cqrs_query_trouble_tell(const cqrs_query_trouble_t *trouble, const char *what,
    const cqrs_str_t *shown, const cqrs_str_t *text, cqrs_arena_t *arena,
    cqrs_query_error_t *error)
{
    unsigned    i;
    cqrs_buf_t  buf;

    cqrs_query_refuse(error, 400, "PGRST100", "");

    cqrs_buf_init(&buf, arena);
    cqrs_buf_text(&buf, "\"failed to parse ");
    cqrs_buf_text(&buf, what);
    cqrs_buf_text(&buf, " (");
    cqrs_buf_str(&buf, shown);
    cqrs_buf_text(&buf, ")\" ");
    cqrs_query_trouble_place(trouble, text, &buf);

    if (cqrs_buf_end(&buf, &error->message) != 0) {
        cqrs_query_no_memory(error);
        return;
    }

    cqrs_buf_init(&buf, arena);
    cqrs_query_trouble_unexpected(trouble, text, &buf);

    for (i = 0; i < trouble->nexpected; i++) {

        if (i == 0) {
            cqrs_buf_text(&buf, buf.len ? " expecting " : "expecting ");

        } else {
            cqrs_buf_text(&buf, (i + 1 < trouble->nexpected) ? ", " : " or ");
        }

        cqrs_query_trouble_expected(&trouble->expected[i], &buf);
    }

    if (cqrs_query_trouble_none(trouble)) {
        cqrs_buf_text(&buf, "unknown parse error");
    }

    if (cqrs_buf_end(&buf, &error->details) != 0) {
        cqrs_query_no_memory(error);
    }
}


size_t
cqrs_query_trouble_width(const cqrs_str_t *text, size_t pos)
{
    size_t  width;

    width = 1;

    while (pos + width < text->len
           && ((unsigned char) text->data[pos + width] & 0xc0) == 0x80)
    {
        width++;
    }

    return width;
}


/* Columns are characters; a tab goes to the next eighth. */

static void
cqrs_query_trouble_place(const cqrs_query_trouble_t *trouble,
    const cqrs_str_t *text, cqrs_buf_t *buf)
{
    size_t  i, line, column;

    line = 1;
    column = 1;

    for (i = 0; i < trouble->pos && i < text->len;
         i += cqrs_query_trouble_width(text, i))
    {
        switch (text->data[i]) {

        case '\n':
            line++;
            column = 1;
            break;

        case '\t':
            column += 8 - (column - 1) % 8;
            break;

        default:
            column++;
        }
    }

    cqrs_buf_text(buf, "(line ");
    cqrs_buf_number(buf, line);
    cqrs_buf_text(buf, ", column ");
    cqrs_buf_number(buf, column);
    cqrs_buf_text(buf, ")");
}


static void
cqrs_query_trouble_unexpected(const cqrs_query_trouble_t *trouble,
    const cqrs_str_t *text, cqrs_buf_t *buf)
{
    if (trouble->refused) {
        cqrs_buf_text(buf, "unexpected ");
        cqrs_query_trouble_show(text, trouble->refusal, '\'', buf);

    } else if (trouble->missed) {
        cqrs_buf_text(buf, "unexpected ");

        if (trouble->found < text->len) {
            cqrs_query_trouble_show(text, trouble->found, '"', buf);

        } else {
            cqrs_buf_text(buf, "end of input");
        }
    }
}


static void
cqrs_query_trouble_expected(const cqrs_query_expected_t *expected,
    cqrs_buf_t *buf)
{
    const char  *p;

    if (!expected->literal) {
        cqrs_buf_text(buf, expected->text);
        return;
    }

    cqrs_buf_text(buf, "\"");

    for (p = expected->text; *p; p++) {

        if (*p == '"' || *p == '\\') {
            cqrs_buf_text(buf, "\\");
        }

        cqrs_buf_add(buf, p, 1);
    }

    cqrs_buf_text(buf, "\"");
}


/* What is not ASCII is a number, and so is what is not UTF-8. */

static void
cqrs_query_trouble_show(const cqrs_str_t *text, size_t pos, char quote,
    cqrs_buf_t *buf)
{
    size_t         i, width, code;
    unsigned char  c;

    static const char  *controls[] = {
        "NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "a", "b", "t", "n",
        "v", "f", "r", "SO", "SI", "DLE", "DC1", "DC2", "DC3", "DC4", "NAK",
        "SYN", "ETB", "CAN", "EM", "SUB", "ESC", "FS", "GS", "RS", "US"
    };

    c = (unsigned char) text->data[pos];

    cqrs_buf_add(buf, &quote, 1);

    if (c >= 0x80) {

        width = cqrs_query_trouble_width(text, pos);
        code = c;

        if (width > 1 && width <= 4 && c >= 0xc0) {

            code = c & (0x7f >> width);

            for (i = 1; i < width; i++) {
                code = code << 6
                       | ((unsigned char) text->data[pos + i] & 0x3f);
            }
        }

        cqrs_buf_text(buf, "\\");
        cqrs_buf_number(buf, code);

    } else if (c < ' ') {
        cqrs_buf_text(buf, "\\");
        cqrs_buf_text(buf, controls[c]);

    } else if (c == 0x7f) {
        cqrs_buf_text(buf, "\\DEL");

    } else {
        if (c == (unsigned char) quote || c == '\\') {
            cqrs_buf_text(buf, "\\");
        }

        cqrs_buf_add(buf, text->data + pos, 1);
    }

    cqrs_buf_add(buf, &quote, 1);
}
