
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Fuzzes the parser of query strings.  The input's first byte says how much
 * memory there is and what is asked for: of a table or of a function, with
 * targets that may be names or not.
 */

#include "cqrs_query_parse.h"
#include "cqrs_utf8.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>


#define FUZZ_MEMORY  (4 * 1024 * 1024)
#define FUZZ_LITTLE  (8 * 1024)


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_must(int holds);
static void fuzz_text(const cqrs_str_t *text);
static void fuzz_name(const cqrs_str_t *name);
static void fuzz_optional(const cqrs_str_t *text);
static void fuzz_field(const cqrs_query_field_t *field);
static void fuzz_filter(const cqrs_query_filter_t *filter);
static void fuzz_logic(const cqrs_query_logic_t *logic, int depth);
static void fuzz_node(const cqrs_query_node_t *node, int depth);
static void fuzz_refused(const cqrs_query_error_t *error, int valid);
static void fuzz_canonical(const cqrs_str_t *canonical);


static size_t  fuzz_nitems;
static size_t  fuzz_nfilters;
static size_t  fuzz_norders;


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char                        *text;
    cqrs_arena_t                 arena;
    cqrs_query_t                 query;
    cqrs_query_error_t           error;
    const cqrs_query_pair_t     *argument;
    cqrs_query_parse_options_t   options;

    if (size == 0) {
        return 0;
    }

    options.function = data[0] & 1;
    options.strict_targets = data[0] >> 1 & 1;

    cqrs_arena_init(&arena, (data[0] & 0x80) ? FUZZ_LITTLE : FUZZ_MEMORY);

    /* nothing behind it, not even a NUL */

    size--;

    text = malloc(size ? size : 1);
    fuzz_must(text != NULL);
    memcpy(text, data + 1, size);

    if (cqrs_query_parse(&query, &arena, text, size, &options, &error) != 0) {
        fuzz_refused(&error, cqrs_utf8_valid(text, size)
                             && memchr(text, '%', size) == NULL);

    } else {
        fuzz_nitems = 0;
        fuzz_nfilters = 0;
        fuzz_norders = 0;

        fuzz_node(&query.root, 0);

        fuzz_must(query.root.name.data == NULL);
        fuzz_must(query.root.items || query.root.children);
        fuzz_must(fuzz_nitems <= CQRS_QUERY_ITEMS_MAX);
        fuzz_must(fuzz_nfilters <= CQRS_QUERY_FILTERS_MAX);
        fuzz_must(fuzz_norders <= CQRS_QUERY_ORDERS_MAX);

        fuzz_must(options.function || query.arguments == NULL);

        for (argument = query.arguments; argument; argument = argument->next) {
            fuzz_name(&argument->key);
            fuzz_text(&argument->value);
        }

        fuzz_canonical(&query.canonical);
    }

    free(text);
    cqrs_arena_cleanup(&arena);

    return 0;
}


static void
fuzz_must(int holds)
{
    if (!holds) {
        abort();
    }
}


static void
fuzz_text(const cqrs_str_t *text)
{
    fuzz_must(text->data != NULL);
    fuzz_must(strlen(text->data) == text->len);
}


static void
fuzz_name(const cqrs_str_t *name)
{
    fuzz_text(name);
    fuzz_must(name->len > 0 && name->len <= CQRS_QUERY_NAME_MAX);
}


static void
fuzz_optional(const cqrs_str_t *text)
{
    if (text->data) {
        fuzz_name(text);

    } else {
        fuzz_must(text->len == 0);
    }
}


static void
fuzz_field(const cqrs_query_field_t *field)
{
    size_t                    n;
    const cqrs_query_step_t  *step;

    fuzz_name(&field->name);

    for (n = 0, step = field->path; step; step = step->next, n++) {

        fuzz_text(&step->key);

        if (step->index) {
            fuzz_must(step->key.len > 0 && step->key.len <= 10);
            fuzz_must(strspn(step->key.data, "-0123456789") == step->key.len);
        }
    }

    fuzz_must(n <= CQRS_QUERY_STEPS_MAX);
}


static void
fuzz_filter(const cqrs_query_filter_t *filter)
{
    const cqrs_query_value_t  *value;

    fuzz_nfilters++;

    fuzz_field(&filter->field);
    fuzz_optional(&filter->language);

    for (value = filter->values; value; value = value->next) {
        fuzz_text(&value->text);

        if (filter->op == CQRS_QUERY_LIKE || filter->op == CQRS_QUERY_ILIKE) {
            fuzz_must(strchr(value->text.data, '*') == NULL);
        }
    }

    if (filter->op == CQRS_QUERY_IS) {
        fuzz_must(filter->values == NULL);

    } else if (filter->op != CQRS_QUERY_IN) {
        fuzz_must(filter->values != NULL && filter->values->next == NULL);
    }
}


static void
fuzz_logic(const cqrs_query_logic_t *logic, int depth)
{
    for ( /* void */ ; logic; logic = logic->next) {

        if (logic->kind == CQRS_QUERY_FILTER) {
            fuzz_filter(&logic->filter);
            fuzz_must(logic->children == NULL && !logic->negated);
            continue;
        }

        fuzz_nfilters++;

        fuzz_must(logic->children != NULL);
        fuzz_must(depth < CQRS_QUERY_DEPTH_MAX);
        fuzz_logic(logic->children, depth + 1);
    }
}


static void
fuzz_node(const cqrs_query_node_t *node, int depth)
{
    const cqrs_query_item_t   *item;
    const cqrs_query_node_t   *child;
    const cqrs_query_order_t  *order;

    fuzz_must(depth <= CQRS_QUERY_DEPTH_MAX);

    fuzz_optional(&node->alias);
    fuzz_optional(&node->hint);
    /* what an embed has below zero the plan refuses */

    fuzz_must(node->limit >= -2 && (depth > 0 || node->offset >= 0));
    fuzz_must(node->embed == NULL);

    for (item = node->items; item; item = item->next) {
        fuzz_nitems++;

        if (!item->star) {
            fuzz_field(&item->field);
        }

        fuzz_optional(&item->alias);
        fuzz_optional(&item->cast);
        fuzz_optional(&item->aggregate_cast);
    }

    for (order = node->orders; order; order = order->next) {
        fuzz_norders++;

        fuzz_optional(&order->relation);
        fuzz_field(&order->field);
    }

    fuzz_logic(node->logic, 0);

    for (child = node->children; child; child = child->next) {
        fuzz_nitems++;

        fuzz_name(&child->name);
        fuzz_node(child, depth + 1);
    }
}


/* What is shown of a text that is UTF-8 is no half of a character. */

static void
fuzz_refused(const cqrs_query_error_t *error, int valid)
{
    size_t             i;
    const cqrs_str_t  *texts[3];

    fuzz_must(error->status >= 400 && error->status <= 416);
    fuzz_must(error->code != NULL);
    fuzz_must(error->message.data != NULL && !error->details_json);

    texts[0] = &error->message;
    texts[1] = &error->details;
    texts[2] = &error->hint;

    for (i = 0; i < 3; i++) {

        if (texts[i]->data == NULL) {
            continue;
        }

        fuzz_text(texts[i]);
        fuzz_must(texts[i]->len > 0);
        fuzz_must(!valid || cqrs_utf8_valid(texts[i]->data, texts[i]->len));
    }
}


/* It goes into a header. */

static void
fuzz_canonical(const cqrs_str_t *canonical)
{
    fuzz_text(canonical);
    fuzz_must(strspn(canonical->data, "0123456789abcdefghijklmnopqrstuvwxyz"
                                      "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_.~%&=,")
              == canonical->len);
}
