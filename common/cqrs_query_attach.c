
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* Finds the embed that a filter, an order or a limit is meant for. */

#include "cqrs_query_part.h"
#include "cqrs_buf.h"


static cqrs_query_node_t *cqrs_query_find(const cqrs_query_node_t *node,
    const cqrs_str_t *name, int strict);
static int cqrs_query_not_embedded(const cqrs_query_node_t *node,
    const cqrs_str_t *name, cqrs_arena_t *arena, cqrs_query_error_t *error);
static int cqrs_query_sentence(cqrs_arena_t *arena, cqrs_str_t *sentence,
    const char *begin, const cqrs_str_t *first, const char *between,
    const cqrs_str_t *second, const char *end);
static void cqrs_query_give(cqrs_query_node_t *node, cqrs_query_part_t *part);


int
cqrs_query_attach(cqrs_query_node_t *root, cqrs_query_part_t *part,
    int strict, cqrs_arena_t *arena, cqrs_query_error_t *error)
{
    cqrs_query_node_t         *node, *child;
    const cqrs_query_value_t  *name;

    node = root;

    for (name = part->path; name; name = name->next) {

        child = cqrs_query_find(node, &name->text, strict);

        if (child == NULL) {
            return cqrs_query_not_embedded(node, &name->text, arena, error);
        }

        if (child->alias.data && !cqrs_str_equal(&child->alias, &name->text)) {
            child->legacy = 1;
        }

        node = child;
    }

    cqrs_query_give(node, part);

    return 0;
}


static cqrs_query_node_t *
cqrs_query_find(const cqrs_query_node_t *node, const cqrs_str_t *name,
    int strict)
{
    cqrs_query_node_t  *child;

    for (child = node->children; child; child = child->next) {

        if (child->alias.data && cqrs_str_equal(&child->alias, name)) {
            break;
        }

        if ((child->alias.data == NULL || !strict)
            && cqrs_str_equal(&child->name, name))
        {
            break;
        }
    }

    return child;
}


static int
cqrs_query_not_embedded(const cqrs_query_node_t *node, const cqrs_str_t *name,
    cqrs_arena_t *arena, cqrs_query_error_t *error)
{
    int                       rc;
    const cqrs_query_node_t  *other;

    static const cqrs_str_t  none = { 0, NULL };

    cqrs_query_refuse(error, 400, "PGRST108", "");

    rc = cqrs_query_sentence(arena, &error->message, "'", name,
                             "' is not an embedded resource in this request",
                             &none, "");

    other = cqrs_query_find(node, name, 0);

    if (rc == 0 && other == NULL) {
        rc = cqrs_query_sentence(arena, &error->hint, "Verify that '", name,
                                 "' is included in the 'select' query "
                                 "parameter.", &none, "");

    } else if (rc == 0) {
        error->details = cqrs_str_lit("Target names are not allowed in "
                                      "filters if they have an alias");

        rc = cqrs_query_sentence(arena, &error->hint, "Change '", &other->name,
                                 "' to '", &other->alias,
                                 "' in filters, orders or limits.");
    }

    if (rc != 0) {
        cqrs_query_no_memory(error);
    }

    return -1;
}


static int
cqrs_query_sentence(cqrs_arena_t *arena, cqrs_str_t *sentence,
    const char *begin, const cqrs_str_t *first, const char *between,
    const cqrs_str_t *second, const char *end)
{
    cqrs_buf_t  buf;

    cqrs_buf_init(&buf, arena);
    cqrs_buf_text(&buf, begin);
    cqrs_buf_str(&buf, first);
    cqrs_buf_text(&buf, between);
    cqrs_buf_str(&buf, second);
    cqrs_buf_text(&buf, end);

    return cqrs_buf_end(&buf, sentence);
}


/* Conditions add up, the first order counts, and the last limit. */

static void
cqrs_query_give(cqrs_query_node_t *node, cqrs_query_part_t *part)
{
    cqrs_query_logic_t  **last;

    switch (part->kind) {

    case CQRS_QUERY_PART_FILTER:
        for (last = &node->logic; *last; last = &(*last)->next) { /* void */ }

        *last = part->logic;
        break;

    /* groups come before filters, so that they are the first to be refused */

    case CQRS_QUERY_PART_LOGIC:
        for (last = &node->logic; *last; last = &(*last)->next) {
            if ((*last)->kind == CQRS_QUERY_FILTER) {
                break;
            }
        }

        part->logic->next = *last;
        *last = part->logic;
        break;

    case CQRS_QUERY_PART_ORDER:
        if (node->orders == NULL) {
            node->orders = part->orders;
        }

        break;

    case CQRS_QUERY_PART_LIMIT:
        node->limit_said = part->number;
        break;

    case CQRS_QUERY_PART_OFFSET:
        node->offset_said = part->number;
        break;

    default:
        break;
    }
}
