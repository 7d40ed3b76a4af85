
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * What a filter says of its column.  Operators are a table: one more that
 * stands between a column and a value is one more line.
 */

#include "cqrs_query_filter.h"


static int cqrs_query_filter_is(cqrs_query_scan_t *scan,
    cqrs_query_filter_t *filter);
static int cqrs_query_filter_single(cqrs_query_scan_t *scan,
    cqrs_query_filter_t *filter);
static int cqrs_query_filter_list(cqrs_query_scan_t *scan,
    cqrs_query_filter_t *filter);
static int cqrs_query_filter_element(cqrs_query_scan_t *scan,
    cqrs_str_t *element);
static int cqrs_query_filter_same_word(const char *a, const char *b,
    size_t len);


static const cqrs_query_op_t  cqrs_query_ops[] = {
    { cqrs_str("eq"),         " = ",                CQRS_QUERY_BINARY },
    { cqrs_str("neq"),        " <> ",               CQRS_QUERY_BINARY },
    { cqrs_str("gt"),         " > ",                CQRS_QUERY_BINARY },
    { cqrs_str("gte"),        " >= ",               CQRS_QUERY_BINARY },
    { cqrs_str("lt"),         " < ",                CQRS_QUERY_BINARY },
    { cqrs_str("lte"),        " <= ",               CQRS_QUERY_BINARY },
    { cqrs_str("like"),       " like ",             CQRS_QUERY_PATTERN },
    { cqrs_str("ilike"),      " ilike ",            CQRS_QUERY_PATTERN },
    { cqrs_str("match"),      " ~ ",                CQRS_QUERY_BINARY },
    { cqrs_str("imatch"),     " ~* ",               CQRS_QUERY_BINARY },
    { cqrs_str("isdistinct"), " is distinct from ", CQRS_QUERY_BINARY },
    { cqrs_str("in"),         " = any ",            CQRS_QUERY_LIST },
    { cqrs_str("is"),         " is ",               CQRS_QUERY_IS },
    { cqrs_str(""), NULL, CQRS_QUERY_BINARY }
};


int
cqrs_query_filter_parse(cqrs_query_scan_t *scan,
    cqrs_query_filter_t *filter)
{
    size_t                  begin;
    const cqrs_query_op_t  *op;

    filter->negated = cqrs_query_scan_text(scan, "not.");

    begin = scan->pos;

    for (op = cqrs_query_ops; op->sql; op++) {

        if (cqrs_query_scan_text(scan, op->name.data)
            && cqrs_query_scan_char(scan, '.'))
        {
            filter->op = op;
            break;
        }

        scan->pos = begin;
    }

    if (op->sql == NULL) {
        return cqrs_query_scan_fail(scan, filter->negated
                                 ? "operator (eq, gt, ...)"
                                 : "\"not\" or operator (eq, gt, ...)");
    }

    switch (op->kind) {

    case CQRS_QUERY_IS:
        return cqrs_query_filter_is(scan, filter);

    case CQRS_QUERY_LIST:
        return cqrs_query_filter_list(scan, filter);

    default:
        return cqrs_query_filter_single(scan, filter);
    }
}


static int
cqrs_query_filter_is(cqrs_query_scan_t *scan, cqrs_query_filter_t *filter)
{
    size_t  i;

    static const struct {
        cqrs_str_t   word;
        const char  *sql;
    } words[] = {
        { cqrs_str("null"),     "null" },
        { cqrs_str("not_null"), "not null" },
        { cqrs_str("true"),     "true" },
        { cqrs_str("false"),    "false" },
        { cqrs_str("unknown"),  "unknown" }
    };

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {

        if (scan->text.len - scan->pos == words[i].word.len
            && cqrs_query_filter_same_word(scan->text.data + scan->pos,
                                    words[i].word.data, words[i].word.len))
        {
            filter->is = words[i].sql;
            return 0;
        }
    }

    return cqrs_query_scan_fail(scan, "isVal: (null, not_null, true, false, "
                                      "unknown)");
}


/* All that is left, whatever it is. */

static int
cqrs_query_filter_single(cqrs_query_scan_t *scan, cqrs_query_filter_t *filter)
{
    char    *p;
    size_t   i, len;

    len = scan->text.len - scan->pos;

    filter->values = cqrs_arena_calloc(scan->arena,
                                       sizeof(cqrs_query_value_t));
    p = cqrs_arena_copy(scan->arena, scan->text.data + scan->pos, len);

    if (filter->values == NULL || p == NULL) {
        cqrs_query_no_memory(scan->error);
        return -1;
    }

    for (i = 0; filter->op->kind == CQRS_QUERY_PATTERN && i < len; i++) {
        if (p[i] == '*') {
            p[i] = '%';
        }
    }

    filter->values->text.data = p;
    filter->values->text.len = len;

    return 0;
}


static int
cqrs_query_filter_list(cqrs_query_scan_t *scan, cqrs_query_filter_t *filter)
{
    cqrs_query_value_t  *value, **last;

    if (!cqrs_query_scan_char(scan, '(')) {
        return cqrs_query_scan_fail(scan, "\"(\"");
    }

    last = &filter->values;

    do {
        value = cqrs_arena_calloc(scan->arena, sizeof(cqrs_query_value_t));

        if (value == NULL
            || cqrs_query_filter_element(scan, &value->text) != 0)
        {
            cqrs_query_no_memory(scan->error);
            return -1;
        }

        *last = value;
        last = &value->next;

    } while (cqrs_query_scan_char(scan, ','));

    if (!cqrs_query_scan_char(scan, ')')) {
        return cqrs_query_scan_fail(scan, "\",\" or \")\"");
    }

    if (!cqrs_query_scan_end(scan)) {
        return cqrs_query_scan_fail(scan, "end of input");
    }

    /* a single blank element is none */

    value = filter->values;

    if (value->next == NULL
        && strspn(value->text.data, " ") == value->text.len)
    {
        filter->values = NULL;
    }

    return 0;
}


/* In quotes if the quotes are all of it, else everything as it is. */

static int
cqrs_query_filter_element(cqrs_query_scan_t *scan, cqrs_str_t *element)
{
    size_t       begin, len;
    const char  *p;

    begin = scan->pos;

    if (cqrs_query_scan_quoted(scan, element) == 0) {

        if (cqrs_query_scan_end(scan)
            || scan->text.data[scan->pos] == ','
            || scan->text.data[scan->pos] == ')')
        {
            return 0;
        }

        scan->pos = begin;
    }

    p = scan->text.data + begin;
    len = 0;

    while (begin + len < scan->text.len && p[len] != ',' && p[len] != ')') {
        len++;
    }

    scan->pos = begin + len;

    element->data = cqrs_arena_copy(scan->arena, p, len);
    element->len = len;

    return element->data ? 0 : -1;
}


static int
cqrs_query_filter_same_word(const char *a, const char *b, size_t len)
{
    size_t  i;
    char    c;

    for (i = 0; i < len; i++) {
        c = a[i];

        if (c >= 'A' && c <= 'Z') {
            c |= 0x20;
        }

        if (c != b[i]) {
            return 0;
        }
    }

    return 1;
}
