
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* Filters that are joined by and, or and not. */

#include "cqrs_query_grammar.h"


static int cqrs_query_logic_filter(cqrs_query_scan_t *scan,
    cqrs_query_logic_t *logic);
static int cqrs_query_logic_not(cqrs_query_scan_t *scan,
    cqrs_query_logic_t *logic);
static int cqrs_query_logic_kind(cqrs_query_scan_t *scan,
    cqrs_query_logic_t *logic);
static int cqrs_query_logic_children(cqrs_query_scan_t *scan,
    cqrs_query_logic_t *logic, unsigned depth);


int
cqrs_query_logic(cqrs_query_scan_t *scan, cqrs_query_logic_t **logic,
    unsigned depth)
{
    cqrs_query_mark_t    mark;
    cqrs_query_logic_t  *found;

    if (depth > CQRS_QUERY_DEPTH_MAX) {
        return cqrs_query_scan_stop(scan, "Filters are nested too deeply");
    }

    found = cqrs_query_scan_alloc(scan, sizeof(cqrs_query_logic_t));
    if (found == NULL) {
        return -1;
    }

    *logic = found;

    cqrs_query_scan_begin(scan, &mark);

    if (cqrs_query_scan_try(scan, &mark, cqrs_query_logic_filter(scan, found))
        == 0)
    {
        return 0;
    }

    memset(found, 0, sizeof(cqrs_query_logic_t));

    if (cqrs_query_logic_not(scan, found) != 0
        || cqrs_query_logic_kind(scan, found) != 0)
    {
        return -1;
    }

    return cqrs_query_logic_children(scan, found, depth);
}


static int
cqrs_query_logic_filter(cqrs_query_scan_t *scan, cqrs_query_logic_t *logic)
{
    logic->kind = CQRS_QUERY_FILTER;

    if (cqrs_query_field(scan, &logic->filter.field) != 0
        || cqrs_query_scan_dot(scan) != 0)
    {
        return -1;
    }

    return cqrs_query_filter(scan, &logic->filter, 1);
}


static int
cqrs_query_logic_not(cqrs_query_scan_t *scan, cqrs_query_logic_t *logic)
{
    int                rc;
    cqrs_query_mark_t  all, mark;

    cqrs_query_scan_begin(scan, &all);
    cqrs_query_scan_begin(scan, &mark);

    rc = cqrs_query_scan_text(scan, "not");

    if (rc == 0) {
        rc = cqrs_query_scan_dot(scan);
    }

    logic->negated = (cqrs_query_scan_try(scan, &mark, rc) == 0);

    (void) cqrs_query_scan_label(scan, &all, 0, "negation operator (not)");

    return scan->stopped ? -1 : 0;
}


static int
cqrs_query_logic_kind(cqrs_query_scan_t *scan, cqrs_query_logic_t *logic)
{
    int                rc;
    size_t             begin;
    cqrs_query_mark_t  all;

    begin = scan->pos;

    cqrs_query_scan_begin(scan, &all);

    rc = cqrs_query_scan_try_text(scan, "and");
    logic->kind = CQRS_QUERY_AND;

    if (rc != 0 && cqrs_query_scan_still(scan, begin)) {
        rc = cqrs_query_scan_text(scan, "or");
        logic->kind = CQRS_QUERY_OR;
    }

    return cqrs_query_scan_label(scan, &all, rc, "logic operator (and, or)");
}


static int
cqrs_query_logic_children(cqrs_query_scan_t *scan, cqrs_query_logic_t *logic,
    unsigned depth)
{
    size_t                begin;
    cqrs_query_logic_t  **last;

    if (scan->request->nfilters++ == CQRS_QUERY_FILTERS_MAX) {
        return cqrs_query_scan_stop(scan, "There are too many filters");
    }

    if (cqrs_query_scan_lexeme(scan, "(") != 0) {
        return -1;
    }

    last = &logic->children;

    for ( ;; ) {

        if (cqrs_query_logic(scan, last, depth + 1) != 0) {
            return -1;
        }

        if (logic->children->next) {
            cqrs_query_scan_forget(scan);
        }

        last = &(*last)->next;

        begin = scan->pos;

        if (cqrs_query_scan_lexeme(scan, ",") != 0) {

            if (!cqrs_query_scan_still(scan, begin)) {
                return -1;
            }

            break;
        }
    }

    return cqrs_query_scan_lexeme(scan, ")");
}
