
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* By what rows are sorted: own columns, or those of an embedded relation. */

#include "cqrs_query_grammar.h"


static int cqrs_query_order_term(cqrs_query_scan_t *scan,
    cqrs_query_order_t *order);
static int cqrs_query_order_relation(cqrs_query_scan_t *scan,
    cqrs_query_order_t *order);
static int cqrs_query_order_modifiers(cqrs_query_scan_t *scan,
    cqrs_query_order_t *order);
static int cqrs_query_order_word(cqrs_query_scan_t *scan, const char *word);
static int cqrs_query_order_end(cqrs_query_scan_t *scan);


int
cqrs_query_order(cqrs_query_scan_t *scan, cqrs_query_order_t **orders)
{
    size_t               begin;
    cqrs_query_order_t  *order;

    for ( ;; ) {

        if (scan->request->norders++ == CQRS_QUERY_ORDERS_MAX) {
            return cqrs_query_scan_stop(scan, "There are too many terms in "
                                              "order");
        }

        order = cqrs_query_scan_alloc(scan, sizeof(cqrs_query_order_t));

        if (order == NULL || cqrs_query_order_term(scan, order) != 0) {
            return -1;
        }

        *orders = order;
        orders = &order->next;

        begin = scan->pos;

        if (cqrs_query_scan_char(scan, ",") != 0) {
            return cqrs_query_scan_still(scan, begin) ? 0 : -1;
        }
    }
}


static int
cqrs_query_order_term(cqrs_query_scan_t *scan, cqrs_query_order_t *order)
{
    cqrs_query_mark_t  mark;

    cqrs_query_scan_blanks(scan);

    cqrs_query_scan_begin(scan, &mark);

    if (cqrs_query_scan_try(scan, &mark,
                            cqrs_query_order_relation(scan, order))
        != 0)
    {
        memset(order, 0, sizeof(cqrs_query_order_t));

        if (cqrs_query_field(scan, &order->field) != 0
            || cqrs_query_order_modifiers(scan, order) != 0)
        {
            return -1;
        }
    }

    cqrs_query_scan_blanks(scan);

    return 0;
}


static int
cqrs_query_order_relation(cqrs_query_scan_t *scan, cqrs_query_order_t *order)
{
    if (cqrs_query_name(scan, &order->relation) != 0
        || cqrs_query_scan_char(scan, "(") != 0
        || cqrs_query_field(scan, &order->field) != 0
        || cqrs_query_scan_char(scan, ")") != 0)
    {
        return -1;
    }

    return cqrs_query_order_modifiers(scan, order);
}


static int
cqrs_query_order_modifiers(cqrs_query_scan_t *scan, cqrs_query_order_t *order)
{
    if (cqrs_query_order_word(scan, "asc") == 0) {
        order->direction = CQRS_QUERY_ASC;

    } else if (cqrs_query_order_word(scan, "desc") == 0) {
        order->direction = CQRS_QUERY_DESC;
    }

    if (cqrs_query_order_word(scan, "nullsfirst") == 0) {
        order->nulls = CQRS_QUERY_NULLS_FIRST;

    } else if (cqrs_query_order_word(scan, "nullslast") == 0) {
        order->nulls = CQRS_QUERY_NULLS_LAST;
    }

    return cqrs_query_order_end(scan);
}


static int
cqrs_query_order_word(cqrs_query_scan_t *scan, const char *word)
{
    int                rc;
    cqrs_query_mark_t  mark;

    cqrs_query_scan_begin(scan, &mark);

    rc = cqrs_query_scan_dot(scan);

    if (rc == 0) {
        rc = cqrs_query_scan_text(scan, word);
    }

    return cqrs_query_scan_try(scan, &mark, rc);
}


static int
cqrs_query_order_end(cqrs_query_scan_t *scan)
{
    if (cqrs_query_scan_ahead(scan, ",") == 0) {
        return 0;
    }

    return cqrs_query_scan_end(scan);
}
