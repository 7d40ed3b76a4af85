
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * What a filter says of its field.  Operators are a table: one more that
 * stands between a column and a value is one more line.
 */

#include "cqrs_query_grammar.h"


typedef enum {
    CQRS_QUERY_TAKES_VALUE = 0,
    CQRS_QUERY_TAKES_QUANTIFIER,         /* may take one */
    CQRS_QUERY_TAKES_LANGUAGE,           /* may take one */
    CQRS_QUERY_TAKES_LIST,
    CQRS_QUERY_TAKES_WORD
} cqrs_query_takes_e;


typedef struct {
    const char          *name;
    cqrs_query_op_e      op;
    cqrs_query_takes_e   takes;
} cqrs_query_operator_t;


static int cqrs_query_operator(cqrs_query_scan_t *scan,
    cqrs_query_filter_t *filter, const cqrs_query_operator_t **found);
static int cqrs_query_operator_head(cqrs_query_scan_t *scan,
    cqrs_query_filter_t *filter, const cqrs_query_operator_t *operator);
static int cqrs_query_quantifier(cqrs_query_scan_t *scan,
    cqrs_query_filter_t *filter);
static int cqrs_query_language(cqrs_query_scan_t *scan,
    cqrs_query_filter_t *filter);
static int cqrs_query_is(cqrs_query_scan_t *scan,
    cqrs_query_filter_t *filter);
static int cqrs_query_value(cqrs_query_scan_t *scan,
    cqrs_query_filter_t *filter, int tree);
static int cqrs_query_value_in_tree(cqrs_query_scan_t *scan,
    cqrs_str_t *value);
static int cqrs_query_array(cqrs_query_scan_t *scan, cqrs_str_t *value);
static int cqrs_query_element(cqrs_query_scan_t *scan, cqrs_str_t *value);
static int cqrs_query_list(cqrs_query_scan_t *scan,
    cqrs_query_filter_t *filter);
static void cqrs_query_stars(cqrs_str_t *value);


/* In this order they are tried, and told by the first that comes nearest. */

static const cqrs_query_operator_t  cqrs_query_operators[] = {
    { "in",         CQRS_QUERY_IN,         CQRS_QUERY_TAKES_LIST },
    { "is",         CQRS_QUERY_IS,         CQRS_QUERY_TAKES_WORD },
    { "isdistinct", CQRS_QUERY_ISDISTINCT, CQRS_QUERY_TAKES_VALUE },
    { "fts",        CQRS_QUERY_FTS,        CQRS_QUERY_TAKES_LANGUAGE },
    { "plfts",      CQRS_QUERY_PLFTS,      CQRS_QUERY_TAKES_LANGUAGE },
    { "phfts",      CQRS_QUERY_PHFTS,      CQRS_QUERY_TAKES_LANGUAGE },
    { "wfts",       CQRS_QUERY_WFTS,       CQRS_QUERY_TAKES_LANGUAGE },
    { "neq",        CQRS_QUERY_NEQ,        CQRS_QUERY_TAKES_VALUE },
    { "cs",         CQRS_QUERY_CS,         CQRS_QUERY_TAKES_VALUE },
    { "cd",         CQRS_QUERY_CD,         CQRS_QUERY_TAKES_VALUE },
    { "ov",         CQRS_QUERY_OV,         CQRS_QUERY_TAKES_VALUE },
    { "sl",         CQRS_QUERY_SL,         CQRS_QUERY_TAKES_VALUE },
    { "sr",         CQRS_QUERY_SR,         CQRS_QUERY_TAKES_VALUE },
    { "nxr",        CQRS_QUERY_NXR,        CQRS_QUERY_TAKES_VALUE },
    { "nxl",        CQRS_QUERY_NXL,        CQRS_QUERY_TAKES_VALUE },
    { "adj",        CQRS_QUERY_ADJ,        CQRS_QUERY_TAKES_VALUE },
    { "eq",         CQRS_QUERY_EQ,         CQRS_QUERY_TAKES_QUANTIFIER },
    { "gte",        CQRS_QUERY_GTE,        CQRS_QUERY_TAKES_QUANTIFIER },
    { "gt",         CQRS_QUERY_GT,         CQRS_QUERY_TAKES_QUANTIFIER },
    { "lte",        CQRS_QUERY_LTE,        CQRS_QUERY_TAKES_QUANTIFIER },
    { "lt",         CQRS_QUERY_LT,         CQRS_QUERY_TAKES_QUANTIFIER },
    { "like",       CQRS_QUERY_LIKE,       CQRS_QUERY_TAKES_QUANTIFIER },
    { "ilike",      CQRS_QUERY_ILIKE,      CQRS_QUERY_TAKES_QUANTIFIER },
    { "match",      CQRS_QUERY_MATCH,      CQRS_QUERY_TAKES_QUANTIFIER },
    { "imatch",     CQRS_QUERY_IMATCH,     CQRS_QUERY_TAKES_QUANTIFIER },
    { NULL,         CQRS_QUERY_EQ,         CQRS_QUERY_TAKES_VALUE }
};


int
cqrs_query_filter(cqrs_query_scan_t *scan, cqrs_query_filter_t *filter,
    int tree)
{
    int                           rc;
    cqrs_query_mark_t             mark;
    const cqrs_query_operator_t  *operator;

    operator = NULL;

    cqrs_query_scan_begin(scan, &mark);

    rc = cqrs_query_scan_text(scan, "not");

    if (rc == 0) {
        rc = cqrs_query_scan_dot(scan);
    }

    filter->negated = (cqrs_query_scan_try(scan, &mark, rc) == 0);
    operator = NULL;

    cqrs_query_scan_begin(scan, &mark);

    if (cqrs_query_scan_label(scan, &mark,
                              cqrs_query_operator(scan, filter, &operator),
                              "operator (eq, gt, ...)")
        != 0)
    {
        return -1;
    }

    if (scan->request->nfilters++ == CQRS_QUERY_FILTERS_MAX) {
        return cqrs_query_scan_stop(scan, "There are too many filters");
    }

    filter->op = operator->op;

    switch (operator->takes) {

    case CQRS_QUERY_TAKES_LIST:
        return cqrs_query_list(scan, filter);

    case CQRS_QUERY_TAKES_WORD:
        return cqrs_query_is(scan, filter);

    default:
        return cqrs_query_value(scan, filter, tree);
    }
}


static int
cqrs_query_operator(cqrs_query_scan_t *scan, cqrs_query_filter_t *filter,
    const cqrs_query_operator_t **found)
{
    cqrs_query_mark_t             mark;
    const cqrs_query_operator_t  *operator;

    for (operator = cqrs_query_operators; operator->name; operator++) {

        if (!scan->request->notes
            && operator->name[0] != cqrs_query_scan_peek(scan))
        {
            continue;
        }

        cqrs_query_scan_begin(scan, &mark);

        if (cqrs_query_scan_try(scan, &mark,
                                cqrs_query_operator_head(scan, filter,
                                                         operator))
            == 0)
        {
            *found = operator;
            return 0;
        }
    }

    return -1;
}


/* All of it up to the dot before the value. */

static int
cqrs_query_operator_head(cqrs_query_scan_t *scan, cqrs_query_filter_t *filter,
    const cqrs_query_operator_t *operator)
{
    int                rc;
    cqrs_query_mark_t  mark;

    if (cqrs_query_scan_text(scan, operator->name) != 0) {
        return -1;
    }

    filter->quantifier = CQRS_QUERY_NO_QUANTIFIER;
    filter->language.data = NULL;

    cqrs_query_scan_begin(scan, &mark);

    if (operator->takes == CQRS_QUERY_TAKES_QUANTIFIER) {
        rc = cqrs_query_quantifier(scan, filter);

    } else if (operator->takes == CQRS_QUERY_TAKES_LANGUAGE) {
        rc = cqrs_query_language(scan, filter);

    } else {
        rc = -1;
    }

    (void) cqrs_query_scan_try(scan, &mark, rc);

    return cqrs_query_scan_dot(scan);
}


static int
cqrs_query_quantifier(cqrs_query_scan_t *scan, cqrs_query_filter_t *filter)
{
    if (cqrs_query_scan_char(scan, "(") != 0) {
        return -1;
    }

    if (cqrs_query_scan_try_text(scan, "any") == 0) {
        filter->quantifier = CQRS_QUERY_ANY;

    } else if (cqrs_query_scan_text(scan, "all") == 0) {
        filter->quantifier = CQRS_QUERY_ALL;

    } else {
        return -1;
    }

    return cqrs_query_scan_char(scan, ")");
}


static int
cqrs_query_language(cqrs_query_scan_t *scan, cqrs_query_filter_t *filter)
{
    if (cqrs_query_scan_char(scan, "(") != 0
        || cqrs_query_identifier(scan, &filter->language) != 0)
    {
        return -1;
    }

    return cqrs_query_scan_char(scan, ")");
}


static int
cqrs_query_is(cqrs_query_scan_t *scan, cqrs_query_filter_t *filter)
{
    int                rc;
    size_t             i;
    cqrs_query_mark_t  all, mark;

    static const struct {
        const char       *word;
        cqrs_query_is_e   is;
    } words[] = {
        { "null",     CQRS_QUERY_IS_NULL },
        { "not_null", CQRS_QUERY_IS_NOT_NULL },
        { "true",     CQRS_QUERY_IS_TRUE },
        { "false",    CQRS_QUERY_IS_FALSE },
        { "unknown",  CQRS_QUERY_IS_UNKNOWN }
    };

    rc = -1;

    cqrs_query_scan_begin(scan, &all);

    for (i = 0; rc != 0 && i < sizeof(words) / sizeof(words[0]); i++) {

        cqrs_query_scan_begin(scan, &mark);

        rc = cqrs_query_scan_try(scan, &mark,
                                 cqrs_query_scan_word(scan, words[i].word));
        if (rc == 0) {
            filter->is = words[i].is;
        }
    }

    return cqrs_query_scan_label(scan, &all, rc, "isVal: (null, not_null, "
                                                 "true, false, unknown)");
}


static int
cqrs_query_value(cqrs_query_scan_t *scan, cqrs_query_filter_t *filter,
    int tree)
{
    int                  rc;
    size_t               begin;
    cqrs_query_value_t  *value;

    value = cqrs_query_scan_alloc(scan, sizeof(cqrs_query_value_t));
    if (value == NULL) {
        return -1;
    }

    filter->values = value;

    if (tree) {
        rc = cqrs_query_value_in_tree(scan, &value->text);

    } else {
        begin = scan->pos;
        cqrs_query_scan_until(scan, "");
        rc = cqrs_query_scan_copy(scan, begin, &value->text);
    }

    if (rc == 0
        && (filter->op == CQRS_QUERY_LIKE || filter->op == CQRS_QUERY_ILIKE))
    {
        cqrs_query_stars(&value->text);
    }

    return rc;
}


/* It ends where the tree goes on, unless that is in quotes or in an array. */

static int
cqrs_query_value_in_tree(cqrs_query_scan_t *scan, cqrs_str_t *value)
{
    cqrs_query_mark_t  mark;

    if (cqrs_query_scan_peek(scan) == '{') {

        cqrs_query_scan_begin(scan, &mark);

        if (cqrs_query_scan_try(scan, &mark, cqrs_query_array(scan, value))
            == 0)
        {
            return 0;
        }
    }

    return cqrs_query_element(scan, value);
}


static int
cqrs_query_array(cqrs_query_scan_t *scan, cqrs_str_t *value)
{
    size_t  begin;

    begin = scan->pos;

    if (cqrs_query_scan_char(scan, "{") != 0) {
        return -1;
    }

    cqrs_query_scan_until(scan, "{}");

    if (cqrs_query_scan_char(scan, "}") != 0) {
        return -1;
    }

    return cqrs_query_scan_copy(scan, begin, value);
}


/* In quotes if the quotes are all of it, else everything as it is. */

static int
cqrs_query_element(cqrs_query_scan_t *scan, cqrs_str_t *value)
{
    int                rc;
    size_t             begin;
    cqrs_query_mark_t  mark;

    begin = scan->pos;

    cqrs_query_scan_begin(scan, &mark);

    rc = cqrs_query_quoted(scan, value);

    if (rc == 0) {
        rc = cqrs_query_scan_only(scan, ",)");
    }

    if (cqrs_query_scan_try(scan, &mark, rc) == 0) {
        return 0;
    }

    cqrs_query_scan_until(scan, ",)");

    return cqrs_query_scan_copy(scan, begin, value);
}


/* A single element that is empty is none. */

static int
cqrs_query_list(cqrs_query_scan_t *scan, cqrs_query_filter_t *filter)
{
    size_t               begin;
    cqrs_query_value_t  *value, **last;

    if (cqrs_query_scan_lexeme(scan, "(") != 0) {
        return -1;
    }

    last = &filter->values;

    for ( ;; ) {

        value = cqrs_query_scan_alloc(scan, sizeof(cqrs_query_value_t));

        if (value == NULL || cqrs_query_element(scan, &value->text) != 0) {
            return -1;
        }

        *last = value;
        last = &value->next;

        begin = scan->pos;

        if (cqrs_query_scan_char(scan, ",") != 0) {

            if (!cqrs_query_scan_still(scan, begin)) {
                return -1;
            }

            break;
        }
    }

    if (filter->values->next == NULL && filter->values->text.len == 0) {
        filter->values = NULL;
    }

    return cqrs_query_scan_lexeme(scan, ")");
}


static void
cqrs_query_stars(cqrs_str_t *value)
{
    char    *p;
    size_t   i;

    /* a copy of ours, in the arena */

    p = (char *) (uintptr_t) value->data;

    for (i = 0; i < value->len; i++) {
        if (p[i] == '*') {
            p[i] = '%';
        }
    }
}
