
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* What a request wants to see: columns, aggregates, and other relations. */

#include "cqrs_query_grammar.h"


static int cqrs_query_term(cqrs_query_scan_t *scan, cqrs_query_node_t *node,
    unsigned depth);
static int cqrs_query_embed(cqrs_query_scan_t *scan, cqrs_query_node_t *node,
    const cqrs_query_node_t *found, unsigned depth);
static int cqrs_query_spread_head(cqrs_query_scan_t *scan,
    cqrs_query_node_t *found);
static int cqrs_query_embed_head(cqrs_query_scan_t *scan,
    cqrs_query_node_t *found);
static int cqrs_query_embed_options(cqrs_query_scan_t *scan,
    cqrs_query_node_t *found);
static int cqrs_query_join_word(cqrs_query_scan_t *scan, const char *word);
static int cqrs_query_item(cqrs_query_scan_t *scan, cqrs_query_node_t *node);
static size_t cqrs_query_plain(const cqrs_query_scan_t *scan);
static int cqrs_query_item_plain(cqrs_query_scan_t *scan,
    cqrs_query_node_t *node, size_t len);
static int cqrs_query_item_add(cqrs_query_scan_t *scan,
    cqrs_query_node_t *node, const cqrs_query_item_t *found);
static int cqrs_query_item_star(cqrs_query_scan_t *scan,
    cqrs_query_item_t *item);
static int cqrs_query_item_count(cqrs_query_scan_t *scan,
    cqrs_query_item_t *item);
static int cqrs_query_item_column(cqrs_query_scan_t *scan,
    cqrs_query_item_t *item);
static int cqrs_query_item_end(cqrs_query_scan_t *scan);
static int cqrs_query_alias(cqrs_query_scan_t *scan, cqrs_str_t *alias);
static int cqrs_query_cast(cqrs_query_scan_t *scan, cqrs_str_t *cast);
static int cqrs_query_aggregate(cqrs_query_scan_t *scan,
    cqrs_query_aggregate_e *aggregate);


int
cqrs_query_select(cqrs_query_scan_t *scan, cqrs_query_node_t *node,
    unsigned depth)
{
    size_t  begin;

    begin = scan->pos;

    if (cqrs_query_term(scan, node, depth) != 0) {
        return cqrs_query_scan_still(scan, begin) ? 0 : -1;
    }

    for ( ;; ) {
        begin = scan->pos;

        if (cqrs_query_scan_lexeme(scan, ",") != 0) {
            return cqrs_query_scan_still(scan, begin) ? 0 : -1;
        }

        if (cqrs_query_term(scan, node, depth) != 0) {
            return -1;
        }

        cqrs_query_scan_forget(scan);
    }
}


/* What it is shows at its end, so one after the other is tried. */

static int
cqrs_query_term(cqrs_query_scan_t *scan, cqrs_query_node_t *node,
    unsigned depth)
{
    size_t             plain;
    cqrs_query_mark_t  mark;
    cqrs_query_node_t  found;

    plain = cqrs_query_plain(scan);

    if (plain) {
        return cqrs_query_item_plain(scan, node, plain);
    }

    cqrs_query_scan_begin(scan, &mark);

    if (cqrs_query_scan_try(scan, &mark,
                            cqrs_query_spread_head(scan, &found))
        == 0)
    {
        return cqrs_query_embed(scan, node, &found, depth);
    }

    cqrs_query_scan_begin(scan, &mark);

    if (cqrs_query_scan_try(scan, &mark, cqrs_query_embed_head(scan, &found))
        == 0)
    {
        return cqrs_query_embed(scan, node, &found, depth);
    }

    return cqrs_query_item(scan, node);
}


static int
cqrs_query_embed(cqrs_query_scan_t *scan, cqrs_query_node_t *node,
    const cqrs_query_node_t *found, unsigned depth)
{
    cqrs_query_node_t  *child, **last;

    if (depth == CQRS_QUERY_DEPTH_MAX) {
        return cqrs_query_scan_stop(scan, "Relations are embedded too deeply");
    }

    if (scan->request->nitems++ == CQRS_QUERY_ITEMS_MAX) {
        return cqrs_query_scan_stop(scan, "There are too many terms in "
                                          "select");
    }

    child = cqrs_query_scan_alloc(scan, sizeof(cqrs_query_node_t));
    if (child == NULL) {
        return -1;
    }

    *child = *found;

    for (last = &node->children; *last; last = &(*last)->next) { /* void */ }

    *last = child;

    if (cqrs_query_scan_char(scan, "(") != 0
        || cqrs_query_select(scan, child, depth + 1) != 0)
    {
        return -1;
    }

    return cqrs_query_scan_char(scan, ")");
}


static int
cqrs_query_spread_head(cqrs_query_scan_t *scan, cqrs_query_node_t *found)
{
    memset(found, 0, sizeof(cqrs_query_node_t));

    found->spread = 1;
    found->limit = -1;

    cqrs_query_scan_blanks(scan);

    if (cqrs_query_scan_text(scan, "...") != 0
        || cqrs_query_name(scan, &found->name) != 0)
    {
        return -1;
    }

    return cqrs_query_embed_options(scan, found);
}


static int
cqrs_query_embed_head(cqrs_query_scan_t *scan, cqrs_query_node_t *found)
{
    memset(found, 0, sizeof(cqrs_query_node_t));

    found->limit = -1;

    cqrs_query_scan_blanks(scan);

    if (cqrs_query_alias(scan, &found->alias) != 0
        || cqrs_query_name(scan, &found->name) != 0
        || cqrs_str_is(&found->name, "count"))
    {
        return -1;
    }

    return cqrs_query_embed_options(scan, found);
}


/* Two at most, of each kind the first one counts. */

static int
cqrs_query_embed_options(cqrs_query_scan_t *scan, cqrs_query_node_t *found)
{
    int                  i;
    size_t               begin;
    cqrs_str_t           hint;
    cqrs_query_join_e    join;
    cqrs_query_mark_t    mark;

    for (i = 0; i < 2; i++) {

        begin = scan->pos;

        if (cqrs_query_scan_char(scan, "!") != 0) {

            if (!cqrs_query_scan_still(scan, begin)) {
                return -1;
            }

            break;
        }

        join = CQRS_QUERY_JOIN_DEFAULT;

        if (cqrs_query_join_word(scan, "left") == 0) {
            join = CQRS_QUERY_JOIN_LEFT;

        } else if (cqrs_query_join_word(scan, "inner") == 0) {
            join = CQRS_QUERY_JOIN_INNER;

        } else {
            cqrs_query_scan_begin(scan, &mark);

            if (cqrs_query_scan_try(scan, &mark, cqrs_query_name(scan, &hint))
                != 0)
            {
                return -1;
            }

            if (found->hint.data == NULL) {
                found->hint = hint;
            }
        }

        if (found->join == CQRS_QUERY_JOIN_DEFAULT) {
            found->join = join;
        }
    }

    return cqrs_query_scan_ahead(scan, "(");
}


/* A hint may begin with the word, but is longer. */

static int
cqrs_query_join_word(cqrs_query_scan_t *scan, const char *word)
{
    int                rc;
    char               c;
    cqrs_query_mark_t  mark;

    cqrs_query_scan_begin(scan, &mark);

    rc = cqrs_query_scan_text(scan, word);

    if (rc == 0) {
        c = cqrs_query_scan_peek(scan);

        if (c != '!' && c != '(' && c != '\0') {
            rc = -1;
        }
    }

    return cqrs_query_scan_try(scan, &mark, rc);
}


/*
 * How long is the name of a column, if nothing but that is here?  That is the
 * usual case, and to try all that a term may be costs ten times as much.
 */

static size_t
cqrs_query_plain(const cqrs_query_scan_t *scan)
{
    char    c;
    size_t  i;

    if (scan->stopped || scan->request->notes) {
        return 0;
    }

    for (i = scan->pos; i < scan->text.len; i++) {
        c = scan->text.data[i];

        if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_') {
            break;
        }
    }

    if (i < scan->text.len
        && scan->text.data[i] != ',' && scan->text.data[i] != ')')
    {
        return 0;
    }

    i -= scan->pos;

    return i <= CQRS_QUERY_NAME_MAX ? i : 0;
}


static int
cqrs_query_item_plain(cqrs_query_scan_t *scan, cqrs_query_node_t *node,
    size_t len)
{
    size_t             begin;
    cqrs_query_item_t  item;

    memset(&item, 0, sizeof(cqrs_query_item_t));

    begin = scan->pos;
    scan->pos += len;

    if (cqrs_query_scan_copy(scan, begin, &item.field.name) != 0) {
        return -1;
    }

    return cqrs_query_item_add(scan, node, &item);
}


static int
cqrs_query_item(cqrs_query_scan_t *scan, cqrs_query_node_t *node)
{
    int                rc;
    cqrs_query_item_t  item;
    cqrs_query_mark_t  mark;

    cqrs_query_scan_blanks(scan);

    cqrs_query_scan_begin(scan, &mark);
    rc = cqrs_query_scan_try(scan, &mark, cqrs_query_item_star(scan, &item));

    if (rc != 0) {
        cqrs_query_scan_begin(scan, &mark);
        rc = cqrs_query_scan_try(scan, &mark,
                                 cqrs_query_item_count(scan, &item));
    }

    if (rc != 0 && cqrs_query_item_column(scan, &item) != 0) {
        return -1;
    }

    cqrs_query_scan_blanks(scan);

    return cqrs_query_item_add(scan, node, &item);
}


static int
cqrs_query_item_add(cqrs_query_scan_t *scan, cqrs_query_node_t *node,
    const cqrs_query_item_t *found)
{
    cqrs_query_item_t  *item, **last;

    if (scan->request->nitems++ == CQRS_QUERY_ITEMS_MAX) {
        return cqrs_query_scan_stop(scan, "There are too many terms in "
                                          "select");
    }

    item = cqrs_query_scan_alloc(scan, sizeof(cqrs_query_item_t));
    if (item == NULL) {
        return -1;
    }

    *item = *found;

    for (last = &node->items; *last; last = &(*last)->next) { /* void */ }

    *last = item;

    return 0;
}


static int
cqrs_query_item_star(cqrs_query_scan_t *scan, cqrs_query_item_t *item)
{
    memset(item, 0, sizeof(cqrs_query_item_t));

    item->star = 1;

    if (cqrs_query_scan_text(scan, "*") != 0) {
        return -1;
    }

    return cqrs_query_item_end(scan);
}


static int
cqrs_query_item_count(cqrs_query_scan_t *scan, cqrs_query_item_t *item)
{
    memset(item, 0, sizeof(cqrs_query_item_t));

    item->star = 1;
    item->aggregate = CQRS_QUERY_COUNT;

    if (cqrs_query_alias(scan, &item->alias) != 0
        || cqrs_query_scan_text(scan, "count()") != 0
        || cqrs_query_cast(scan, &item->aggregate_cast) != 0)
    {
        return -1;
    }

    return cqrs_query_item_end(scan);
}


/* A second cast without an aggregate means nothing, as in PostgREST. */

static int
cqrs_query_item_column(cqrs_query_scan_t *scan, cqrs_query_item_t *item)
{
    memset(item, 0, sizeof(cqrs_query_item_t));

    if (cqrs_query_alias(scan, &item->alias) != 0
        || cqrs_query_field(scan, &item->field) != 0
        || cqrs_query_cast(scan, &item->cast) != 0
        || cqrs_query_aggregate(scan, &item->aggregate) != 0
        || cqrs_query_cast(scan, &item->aggregate_cast) != 0)
    {
        return -1;
    }

    if (item->aggregate == CQRS_QUERY_NO_AGGREGATE) {
        item->aggregate_cast.data = NULL;
        item->aggregate_cast.len = 0;
    }

    return cqrs_query_item_end(scan);
}


static int
cqrs_query_item_end(cqrs_query_scan_t *scan)
{
    if (cqrs_query_scan_ahead(scan, ")") == 0
        || cqrs_query_scan_ahead(scan, ",") == 0)
    {
        return 0;
    }

    return cqrs_query_scan_end(scan);
}


/* "alias:" or nothing. */

static int
cqrs_query_alias(cqrs_query_scan_t *scan, cqrs_str_t *alias)
{
    int                rc;
    cqrs_str_t         name;
    cqrs_query_mark_t  mark;

    cqrs_query_scan_begin(scan, &mark);

    rc = cqrs_query_name(scan, &name);

    if (rc == 0) {
        rc = cqrs_query_scan_char(scan, ":");
    }

    if (rc == 0) {
        rc = cqrs_query_scan_not(scan, ":");
    }

    if (cqrs_query_scan_try(scan, &mark, rc) == 0) {
        *alias = name;
    }

    return scan->stopped ? -1 : 0;
}


/* "::type" or nothing. */

static int
cqrs_query_cast(cqrs_query_scan_t *scan, cqrs_str_t *cast)
{
    size_t  begin;

    begin = scan->pos;

    if (cqrs_query_scan_text(scan, "::") != 0) {
        return cqrs_query_scan_still(scan, begin) ? 0 : -1;
    }

    return cqrs_query_identifier(scan, cast);
}


/* ".name()" or nothing. */

static int
cqrs_query_aggregate(cqrs_query_scan_t *scan,
    cqrs_query_aggregate_e *aggregate)
{
    int                rc;
    size_t             i, begin;
    cqrs_query_mark_t  mark;

    static const struct {
        const char              *name;
        cqrs_query_aggregate_e   aggregate;
    } aggregates[] = {
        { "sum",   CQRS_QUERY_SUM },
        { "avg",   CQRS_QUERY_AVG },
        { "count", CQRS_QUERY_COUNT },
        { "max",   CQRS_QUERY_MAX },
        { "min",   CQRS_QUERY_MIN }
    };

    cqrs_query_scan_begin(scan, &mark);

    rc = cqrs_query_scan_char(scan, ".");
    begin = scan->pos;

    for (i = 0; rc == 0; i++) {

        if (i == sizeof(aggregates) / sizeof(aggregates[0])) {
            rc = -1;
            break;
        }

        if (aggregates[i].aggregate < CQRS_QUERY_MAX) {
            rc = cqrs_query_scan_text(scan, aggregates[i].name);

        } else {
            rc = cqrs_query_scan_try_text(scan, aggregates[i].name);
        }

        if (rc == 0) {
            rc = cqrs_query_scan_text(scan, "()");
            break;
        }

        if (cqrs_query_scan_still(scan, begin)) {
            rc = 0;
        }
    }

    if (cqrs_query_scan_try(scan, &mark, rc) == 0) {
        *aggregate = aggregates[i].aggregate;
    }

    return scan->stopped ? -1 : 0;
}
