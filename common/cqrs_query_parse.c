
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The query string is cut into pairs and decoded first; then each value is
 * parsed by what its key says.  A key that is not reserved is a column, and
 * its value a filter.
 */

#include "cqrs_query.h"
#include "cqrs_buf.h"
#include "cqrs_query_filter.h"
#include "cqrs_query_scan.h"


typedef struct {
    cqrs_query_t          *query;
    cqrs_arena_t          *arena;
    cqrs_query_error_t    *error;

    cqrs_query_filter_t  **last_filter;
    size_t                 nfilters;
    int                    selected;
} cqrs_query_parser_t;


typedef struct {
    const char            *key;
    int                  (*parse)(cqrs_query_parser_t *parser,
                             const cqrs_str_t *value);
} cqrs_query_key_t;


static int cqrs_query_parse_pair(cqrs_query_parser_t *parser,
    const char *pair, size_t len);
static int cqrs_query_decode(cqrs_query_parser_t *parser, cqrs_str_t *out,
    const char *text, size_t len);
static int cqrs_query_hex(char c);
static int cqrs_query_parse_select(cqrs_query_parser_t *parser,
    const cqrs_str_t *value);
static int cqrs_query_parse_item(cqrs_query_scan_t *scan,
    cqrs_query_item_t *item);
static int cqrs_query_parse_order(cqrs_query_parser_t *parser,
    const cqrs_str_t *value);
static int cqrs_query_parse_term(cqrs_query_scan_t *scan,
    cqrs_query_order_t *order);
static int cqrs_query_parse_limit(cqrs_query_parser_t *parser,
    const cqrs_str_t *value);
static int cqrs_query_parse_offset(cqrs_query_parser_t *parser,
    const cqrs_str_t *value);
static int cqrs_query_parse_integer(const cqrs_str_t *value, int64_t *number);
static int cqrs_query_parse_ignored(cqrs_query_parser_t *parser,
    const cqrs_str_t *value);
static int cqrs_query_parse_logic(cqrs_query_parser_t *parser,
    const cqrs_str_t *value);
static int cqrs_query_parse_filter(cqrs_query_parser_t *parser,
    const cqrs_str_t *key, const cqrs_str_t *value);
static int cqrs_query_parse_column(cqrs_query_parser_t *parser,
    const cqrs_str_t *key, cqrs_str_t *column);


static const cqrs_query_key_t  cqrs_query_keys[] = {
    { "select",      cqrs_query_parse_select },
    { "order",       cqrs_query_parse_order },
    { "limit",       cqrs_query_parse_limit },
    { "offset",      cqrs_query_parse_offset },
    { "and",         cqrs_query_parse_logic },
    { "or",          cqrs_query_parse_logic },
    { "not.and",     cqrs_query_parse_logic },
    { "not.or",      cqrs_query_parse_logic },
    { "columns",     cqrs_query_parse_ignored },
    { "on_conflict", cqrs_query_parse_ignored },
    { NULL, NULL }
};


int
cqrs_query_parse(cqrs_query_t *query, cqrs_arena_t *arena, const char *args,
    size_t len, cqrs_query_error_t *error)
{
    const char           *end, *last;
    cqrs_query_parser_t   parser;

    memset(query, 0, sizeof(cqrs_query_t));
    memset(error, 0, sizeof(cqrs_query_error_t));

    query->limit = -1;

    parser.query = query;
    parser.arena = arena;
    parser.error = error;
    parser.last_filter = &query->filters;
    parser.nfilters = 0;
    parser.selected = 0;

    for (last = args + len; args < last; args = end + 1) {

        end = args;

        while (end < last && *end != '&' && *end != ';') {
            end++;
        }

        if (end > args
            && cqrs_query_parse_pair(&parser, args, (size_t) (end - args))
               != 0)
        {
            return -1;
        }

        if (end == last) {
            break;
        }
    }

    return 0;
}


static int
cqrs_query_parse_pair(cqrs_query_parser_t *parser, const char *pair,
    size_t len)
{
    size_t                   n;
    cqrs_str_t               key, value;
    const char              *equal;
    const cqrs_query_key_t  *known;

    equal = memchr(pair, '=', len);
    n = equal ? (size_t) (equal - pair) : len;

    if (cqrs_query_decode(parser, &key, pair, n) != 0
        || cqrs_query_decode(parser, &value, equal ? equal + 1 : "",
                             equal ? len - n - 1 : 0)
           != 0)
    {
        return -1;
    }

    for (known = cqrs_query_keys; known->key; known++) {
        if (cqrs_str_is(&key, known->key)) {
            return known->parse(parser, &value);
        }
    }

    return cqrs_query_parse_filter(parser, &key, &value);
}


static int
cqrs_query_decode(cqrs_query_parser_t *parser, cqrs_str_t *out,
    const char *text, size_t len)
{
    char    *p;
    size_t   i;

    p = cqrs_arena_alloc(parser->arena, len + 1);
    if (p == NULL) {
        cqrs_query_no_memory(parser->error);
        return -1;
    }

    out->data = p;

    for (i = 0; i < len; i++) {

        if (text[i] == '%'
            && i + 2 < len
            && cqrs_query_hex(text[i + 1]) >= 0
            && cqrs_query_hex(text[i + 2]) >= 0)
        {
            *p = (char) (cqrs_query_hex(text[i + 1]) << 4
                         | cqrs_query_hex(text[i + 2]));
            i += 2;

        } else {
            *p = (text[i] == '+') ? ' ' : text[i];
        }

        /* a parameter ends at a NUL, so it would be cut */

        if (*p++ == '\0') {
            cqrs_query_refuse(parser->error, 400, "22021",
                      "invalid byte sequence for encoding \"UTF8\": 0x00");
            return -1;
        }
    }

    *p = '\0';
    out->len = (size_t) (p - out->data);

    return 0;
}


static int
cqrs_query_hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    return (c >= 'a' && c <= 'f') ? c - 'a' + 10 : -1;
}


/* The first one counts, as in PostgREST. */

static int
cqrs_query_parse_select(cqrs_query_parser_t *parser, const cqrs_str_t *value)
{
    size_t               n;
    cqrs_query_item_t   *item, **last;
    cqrs_query_scan_t    scan;

    if (parser->selected || value->len == 0) {
        return 0;
    }

    parser->selected = 1;

    cqrs_query_scan_init(&scan, "select parameter", value, parser->arena,
                         parser->error);

    last = &parser->query->items;
    n = 0;

    do {
        if (n++ == CQRS_QUERY_ITEMS_MAX) {
            return cqrs_query_scan_fail(&scan, "fewer columns");
        }

        item = cqrs_arena_calloc(parser->arena, sizeof(cqrs_query_item_t));
        if (item == NULL) {
            cqrs_query_no_memory(parser->error);
            return -1;
        }

        if (cqrs_query_parse_item(&scan, item) != 0) {
            return -1;
        }

        *last = item;
        last = &item->next;

    } while (cqrs_query_scan_char(&scan, ','));

    if (!cqrs_query_scan_end(&scan)) {
        return cqrs_query_scan_fail(&scan, "\",\" or end of input");
    }

    return 0;
}


static int
cqrs_query_parse_item(cqrs_query_scan_t *scan, cqrs_query_item_t *item)
{
    cqrs_query_scan_blanks(scan);

    if (cqrs_query_scan_char(scan, '*')) {
        cqrs_query_scan_blanks(scan);
        return 0;
    }

    if (cqrs_query_scan_name(scan, &item->column) != 0) {
        return -1;
    }

    if (cqrs_query_scan_char(scan, ':')) {
        item->alias = item->column;
        return cqrs_query_scan_name(scan, &item->column);
    }

    return 0;
}


static int
cqrs_query_parse_order(cqrs_query_parser_t *parser, const cqrs_str_t *value)
{
    size_t                n;
    cqrs_query_scan_t     scan;
    cqrs_query_order_t   *order, **last;

    cqrs_query_scan_init(&scan, "order", value, parser->arena, parser->error);

    parser->query->orders = NULL;

    last = &parser->query->orders;
    n = 0;

    do {
        if (n++ == CQRS_QUERY_ORDERS_MAX) {
            return cqrs_query_scan_fail(&scan, "fewer columns");
        }

        order = cqrs_arena_calloc(parser->arena, sizeof(cqrs_query_order_t));
        if (order == NULL) {
            cqrs_query_no_memory(parser->error);
            return -1;
        }

        if (cqrs_query_parse_term(&scan, order) != 0) {
            return -1;
        }

        *last = order;
        last = &order->next;

    } while (cqrs_query_scan_char(&scan, ','));

    if (!cqrs_query_scan_end(&scan)) {
        return cqrs_query_scan_fail(&scan, "\".\", \",\" or end of input");
    }

    return 0;
}


static int
cqrs_query_parse_term(cqrs_query_scan_t *scan, cqrs_query_order_t *order)
{
    order->direction = "";
    order->nulls = "";

    if (cqrs_query_scan_name(scan, &order->column) != 0) {
        return -1;
    }

    if (!cqrs_query_scan_char(scan, '.')) {
        return 0;
    }

    if (cqrs_query_scan_text(scan, "asc")) {
        order->direction = " asc";

    } else if (cqrs_query_scan_text(scan, "desc")) {
        order->direction = " desc";
    }

    if (order->direction[0] && !cqrs_query_scan_char(scan, '.')) {
        return 0;
    }

    if (cqrs_query_scan_text(scan, "nullsfirst")) {
        order->nulls = " nulls first";

    } else if (cqrs_query_scan_text(scan, "nullslast")) {
        order->nulls = " nulls last";

    } else {
        return cqrs_query_scan_fail(scan, order->direction[0]
                             ? "\"nullsfirst\" or \"nullslast\""
                             : "\"asc\", \"desc\", \"nullsfirst\" or "
                               "\"nullslast\"");
    }

    return 0;
}


/* What is no number is no limit. */

static int
cqrs_query_parse_limit(cqrs_query_parser_t *parser, const cqrs_str_t *value)
{
    int64_t  limit;

    if (cqrs_query_parse_integer(value, &limit) != 0) {
        return 0;
    }

    if (limit < 0) {
        cqrs_query_refuse(parser->error, 416, "PGRST103",
                          "Requested range not satisfiable");

        parser->error->details =
            cqrs_str_lit("Limit should be greater than or equal to zero.");

        return -1;
    }

    parser->query->limit = limit;

    return 0;
}


static int
cqrs_query_parse_offset(cqrs_query_parser_t *parser, const cqrs_str_t *value)
{
    int64_t  offset;

    if (cqrs_query_parse_integer(value, &offset) == 0) {
        parser->query->offset = (offset > 0) ? offset : 0;
    }

    return 0;
}


/* Above what 64 bits hold it is the largest that they do. */

static int
cqrs_query_parse_integer(const cqrs_str_t *value, int64_t *number)
{
    int      negative;
    size_t   i, begin;
    int64_t  n;

    negative = (value->len && value->data[0] == '-');
    begin = negative ? 1 : 0;
    n = 0;

    for (i = begin; i < value->len; i++) {

        if (value->data[i] < '0' || value->data[i] > '9') {
            return -1;
        }

        n = (n > (INT64_MAX - 9) / 10) ? INT64_MAX
                                       : n * 10 + (value->data[i] - '0');
    }

    *number = negative ? -n : n;

    return (i > begin) ? 0 : -1;
}


static int
cqrs_query_parse_ignored(cqrs_query_parser_t *parser, const cqrs_str_t *value)
{
    (void) parser;
    (void) value;

    return 0;
}


static int
cqrs_query_parse_logic(cqrs_query_parser_t *parser, const cqrs_str_t *value)
{
    (void) value;

    cqrs_query_refuse(parser->error, 400, "PGRST100",
                      "failed to parse logic tree");

    parser->error->details =
        cqrs_str_lit("\"and\" and \"or\" are not supported");

    return -1;
}


static int
cqrs_query_parse_filter(cqrs_query_parser_t *parser, const cqrs_str_t *key,
    const cqrs_str_t *value)
{
    cqrs_query_scan_t     scan;
    cqrs_query_filter_t  *filter;

    if (parser->nfilters++ == CQRS_QUERY_FILTERS_MAX) {
        cqrs_query_refuse(parser->error, 400, "PGRST100",
                          "There are too many filters");
        return -1;
    }

    filter = cqrs_arena_calloc(parser->arena, sizeof(cqrs_query_filter_t));
    if (filter == NULL) {
        cqrs_query_no_memory(parser->error);
        return -1;
    }

    if (cqrs_query_parse_column(parser, key, &filter->column) != 0) {
        return -1;
    }

    cqrs_query_scan_init(&scan, "filter", value, parser->arena,
                         parser->error);

    if (cqrs_query_filter_parse(&scan, filter) != 0) {
        return -1;
    }

    *parser->last_filter = filter;
    parser->last_filter = &filter->next;

    return 0;
}


static int
cqrs_query_parse_column(cqrs_query_parser_t *parser, const cqrs_str_t *key,
    cqrs_str_t *column)
{
    cqrs_buf_t          buf;
    cqrs_query_scan_t   scan;

    cqrs_query_scan_init(&scan, "tree path", key, parser->arena,
                         parser->error);

    if (cqrs_query_scan_name(&scan, column) != 0) {
        return -1;
    }

    if (cqrs_query_scan_end(&scan)) {
        return 0;
    }

    if (!cqrs_query_scan_char(&scan, '.')) {
        return cqrs_query_scan_fail(&scan, "\".\" or end of input");
    }

    cqrs_buf_init(&buf, parser->arena);
    cqrs_buf_text(&buf, "'");
    cqrs_buf_str(&buf, column);
    cqrs_buf_text(&buf, "' is not an embedded resource in this request");

    if (cqrs_buf_end(&buf, &parser->error->message) != 0) {
        cqrs_query_no_memory(parser->error);
        return -1;
    }

    cqrs_buf_init(&buf, parser->arena);
    cqrs_buf_text(&buf, "Verify that '");
    cqrs_buf_str(&buf, column);
    cqrs_buf_text(&buf, "' is included in the 'select' query parameter.");

    if (cqrs_buf_end(&buf, &parser->error->hint) != 0) {
        cqrs_query_no_memory(parser->error);
        return -1;
    }

    parser->error->status = 400;
    parser->error->code = "PGRST108";

    return -1;
}
