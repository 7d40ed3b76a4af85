
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Limits and offsets.  PostgREST makes a range of both: one whose limit is no
 * number is empty where there is an offset, and what of a root's range lies
 * before the first row is cut off.
 */

#include "cqrs_query_part.h"


/* Sums of two are numbers still. */
#define CQRS_QUERY_NUMBER_MAX  (INT64_MAX / 4)


static void cqrs_query_number_trim(cqrs_str_t *text);
static void cqrs_query_number_digits(cqrs_str_t *text, unsigned base,
    cqrs_query_number_t *number);
static int cqrs_query_number_digit(char c, unsigned base);
static int cqrs_query_is_limited(cqrs_query_node_t *node, int64_t *limit);


void
cqrs_query_number(const cqrs_str_t *text, cqrs_query_number_t *number)
{
    int         negative;
    char        c;
    unsigned    base;
    cqrs_str_t  left;

    memset(number, 0, sizeof(cqrs_query_number_t));

    number->said = 1;
    left = *text;

    for ( ;; ) {
        cqrs_query_number_trim(&left);

        if (left.len < 2 || left.data[0] != '('
            || left.data[left.len - 1] != ')')
        {
            break;
        }

        left.data++;
        left.len -= 2;
    }

    negative = (left.len && left.data[0] == '-');

    if (negative) {
        left.data++;
        left.len--;
        cqrs_query_number_trim(&left);
    }

    base = 10;

    if (left.len > 2 && left.data[0] == '0') {
        c = left.data[1] | 0x20;
        base = (c == 'x') ? 16 : (c == 'o') ? 8 : 10;
    }

    if (base != 10) {
        left.data += 2;
        left.len -= 2;
    }

    cqrs_query_number_digits(&left, base, number);

    if (negative) {
        number->value = -number->value;
        number->digits.data = NULL;
    }
}


static void
cqrs_query_number_trim(cqrs_str_t *text)
{
    while (text->len && strchr(" \t\n\r\v\f", text->data[0])) {
        text->data++;
        text->len--;
    }

    while (text->len && strchr(" \t\n\r\v\f", text->data[text->len - 1])) {
        text->len--;
    }
}


static void
cqrs_query_number_digits(cqrs_str_t *text, unsigned base,
    cqrs_query_number_t *number)
{
    int     digit;
    size_t  i;

    for (i = 0; i < text->len; i++) {

        digit = cqrs_query_number_digit(text->data[i], base);

        if (digit < 0) {
            number->value = 0;
            number->digits.data = NULL;
            return;
        }

        if (number->value > (CQRS_QUERY_NUMBER_MAX - digit) / base) {
            number->value = CQRS_QUERY_NUMBER_MAX;
            number->digits = *text;

        } else if (number->digits.data == NULL) {
            number->value = number->value * base + digit;
        }
    }

    number->known = (text->len > 0);
}


static int
cqrs_query_number_digit(char c, unsigned base)
{
    int  digit;

    if (c >= '0' && c <= '9') {
        digit = c - '0';

    } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
        digit = (c | 0x20) - 'a' + 10;

    } else {
        return -1;
    }

    return ((unsigned) digit < base) ? digit : -1;
}


void
cqrs_query_settle_root(cqrs_query_node_t *root)
{
    int64_t  limit, offset, end;

    offset = root->offset_said.value;

    root->limit = -1;
    root->offset = (offset > 0) ? offset : 0;

    if (!cqrs_query_is_limited(root, &limit)) {
        return;
    }

    end = offset + limit;

    if (end == 0) {
        root->limit = 0;
        root->offset = 0;
        return;
    }

    root->limit = (end > root->offset) ? end - root->offset : -2;
}


void
cqrs_query_settle(cqrs_query_node_t *node)
{
    int64_t  limit;

    for ( /* void */ ; node; node = node->next) {

        node->limit = -1;
        node->offset = node->offset_said.value;

        if (cqrs_query_is_limited(node, &limit)) {
            node->limit = (limit < 0) ? -2 : limit;
        }

        cqrs_query_settle(node->children);
    }
}


static int
cqrs_query_is_limited(cqrs_query_node_t *node, int64_t *limit)
{
    *limit = node->limit_said.value;

    return node->limit_said.known
           || (node->limit_said.said && node->offset_said.said);
}
