
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Each value is parsed by what its key says, and given to the relation that
 * its key names.  A key that is not reserved is a column, and its value a
 * filter.
 *
 * Of several errors the one is told that PostgREST would tell: it goes by
 * what a pair is, then by where it stands.
 *
 * To know what might have been where is a third of the work, and asked for
 * only by what can't be read.  So that is read a second time, with notes.
 */

#include "cqrs_query_parse.h"
#include "cqrs_buf.h"
#include "cqrs_query_grammar.h"
#include "cqrs_query_part.h"


typedef struct {
    cqrs_query_t                      *query;
    const cqrs_query_parse_options_t  *options;
    cqrs_query_request_t               request;
    cqrs_query_part_t                 *parts;
    cqrs_query_pair_t                **last_argument;
} cqrs_query_parser_t;


static int cqrs_query_read(cqrs_query_parser_t *parser,
    const cqrs_query_pairs_t *pairs);
static int cqrs_query_all_of(cqrs_query_parser_t *parser,
    cqrs_query_part_e kind,
    int (*parse)(cqrs_query_parser_t *parser, cqrs_query_part_t *part));
static cqrs_query_part_t *cqrs_query_first_of(cqrs_query_parser_t *parser,
    cqrs_query_part_e kind);
static int cqrs_query_parse_select(cqrs_query_parser_t *parser);
static int cqrs_query_parse_names(cqrs_query_parser_t *parser,
    cqrs_query_part_e kind, const char *what);
static int cqrs_query_parse_filter(cqrs_query_parser_t *parser,
    cqrs_query_part_t *part);
static int cqrs_query_parse_argument(cqrs_query_parser_t *parser,
    cqrs_query_part_t *part);
static int cqrs_query_parse_logic(cqrs_query_parser_t *parser,
    cqrs_query_part_t *part);
static int cqrs_query_parse_order(cqrs_query_parser_t *parser,
    cqrs_query_part_t *part);
static int cqrs_query_parse_range(cqrs_query_parser_t *parser,
    cqrs_query_part_t *part);
static int cqrs_query_attach_all(cqrs_query_parser_t *parser,
    cqrs_query_part_e first, cqrs_query_part_e last);
static int cqrs_query_parse_path(cqrs_query_parser_t *parser,
    cqrs_query_part_t *part, const char *what, cqrs_query_field_t *field);


int
cqrs_query_parse(cqrs_query_t *query, cqrs_arena_t *arena, const char *args,
    size_t len, const cqrs_query_parse_options_t *options,
    cqrs_query_error_t *error)
{
    cqrs_query_pairs_t  pairs;

    if (cqrs_query_pairs(&pairs, arena, args, len, error) != 0) {
        return -1;
    }

    return cqrs_query_parse_pairs(query, &pairs, arena, options, error);
}


int
cqrs_query_parse_pairs(cqrs_query_t *query, cqrs_query_pairs_t *pairs,
    cqrs_arena_t *arena, const cqrs_query_parse_options_t *options,
    cqrs_query_error_t *error)
{
    int                  rc;
    cqrs_query_parser_t  parser;

    memset(&parser, 0, sizeof(cqrs_query_parser_t));

    parser.query = query;
    parser.options = options;
    parser.request.arena = arena;
    parser.request.error = error;

    rc = cqrs_query_read(&parser, pairs);

    if (rc != 0 && parser.request.untold) {
        parser.request.notes = 1;

        if (cqrs_query_pairs(pairs, arena, pairs->args, pairs->len, error)
            != 0)
        {
            return -1;
        }

        rc = cqrs_query_read(&parser, pairs);
    }

    return rc;
}


static int
cqrs_query_read(cqrs_query_parser_t *parser, const cqrs_query_pairs_t *pairs)
{
    cqrs_query_t       *query;
    cqrs_query_part_t  *part;

    query = parser->query;

    memset(query, 0, sizeof(cqrs_query_t));
    memset(parser->request.error, 0, sizeof(cqrs_query_error_t));

    query->root.limit = -1;
    query->canonical = pairs->canonical;

    parser->request.nitems = 0;
    parser->request.nfilters = 0;
    parser->request.norders = 0;
    parser->parts = pairs->parts;
    parser->last_argument = &query->arguments;

    if (cqrs_query_all_of(parser, CQRS_QUERY_PART_ORDER,
                          cqrs_query_parse_order) != 0
        || cqrs_query_all_of(parser, CQRS_QUERY_PART_LOGIC,
                             cqrs_query_parse_logic) != 0
        || cqrs_query_parse_names(parser, CQRS_QUERY_PART_COLUMNS,
                                  "columns parameter") != 0
        || cqrs_query_parse_select(parser) != 0
        || cqrs_query_all_of(parser, CQRS_QUERY_PART_FILTER,
                             cqrs_query_parse_filter) != 0
        || cqrs_query_parse_names(parser, CQRS_QUERY_PART_ON_CONFLICT,
                                  "on_conflict parameter") != 0
        || cqrs_query_all_of(parser, CQRS_QUERY_PART_LIMIT,
                             cqrs_query_parse_range) != 0
        || cqrs_query_all_of(parser, CQRS_QUERY_PART_OFFSET,
                             cqrs_query_parse_range) != 0)
    {
        return -1;
    }

    for (part = parser->parts; part; part = part->next) {

        if (part->path == NULL && part->kind == CQRS_QUERY_PART_LIMIT) {
            query->root.limit_said = part->number;

        } else if (part->path == NULL && part->kind == CQRS_QUERY_PART_OFFSET)
        {
            query->root.offset_said = part->number;
        }
    }

    cqrs_query_settle_root(&query->root);

    if (cqrs_query_attach_all(parser, CQRS_QUERY_PART_FILTER,
                              CQRS_QUERY_PART_FILTER) != 0
        || cqrs_query_attach_all(parser, CQRS_QUERY_PART_ORDER,
                                 CQRS_QUERY_PART_ORDER) != 0
        || cqrs_query_attach_all(parser, CQRS_QUERY_PART_LIMIT,
                                 CQRS_QUERY_PART_OFFSET) != 0
        || cqrs_query_attach_all(parser, CQRS_QUERY_PART_LOGIC,
                                 CQRS_QUERY_PART_LOGIC) != 0)
    {
        return -1;
    }

    cqrs_query_settle(query->root.children);

    return 0;
}


/* Of several that are meant for nobody the last one is told. */

static int
cqrs_query_attach_all(cqrs_query_parser_t *parser, cqrs_query_part_e first,
    cqrs_query_part_e last)
{
    int                 rc;
    cqrs_query_part_t  *part;

    rc = 0;

    for (part = parser->parts; part; part = part->next) {

        if (part->kind >= first && part->kind <= last
            && cqrs_query_attach(&parser->query->root, part,
                                 parser->options->strict_targets,
                                 parser->request.arena, parser->request.error)
               != 0)
        {
            rc = -1;
        }
    }

    return rc;
}


static int
cqrs_query_all_of(cqrs_query_parser_t *parser, cqrs_query_part_e kind,
    int (*parse)(cqrs_query_parser_t *parser, cqrs_query_part_t *part))
{
    cqrs_query_part_t  *part;

    for (part = parser->parts; part; part = part->next) {
        if (part->kind == kind && parse(parser, part) != 0) {
            return -1;
        }
    }

    return 0;
}


static cqrs_query_part_t *
cqrs_query_first_of(cqrs_query_parser_t *parser, cqrs_query_part_e kind)
{
    cqrs_query_part_t  *part;

    for (part = parser->parts; part; part = part->next) {
        if (part->kind == kind) {
            return part->pair.value.data ? part : NULL;
        }
    }

    return NULL;
}


static int
cqrs_query_parse_select(cqrs_query_parser_t *parser)
{
    cqrs_query_node_t  *root;
    cqrs_query_part_t  *part;
    cqrs_query_scan_t   scan;

    root = &parser->query->root;
    part = cqrs_query_first_of(parser, CQRS_QUERY_PART_SELECT);

    if (part) {
        cqrs_query_scan_init(&scan, &parser->request, "select parameter",
                             &part->pair.value);

        if (cqrs_query_scan_finish(&scan, cqrs_query_select(&scan, root, 0))
            != 0)
        {
            return -1;
        }
    }

    if (root->items == NULL && root->children == NULL) {

        root->items = cqrs_arena_calloc(parser->request.arena,
                                        sizeof(cqrs_query_item_t));
        if (root->items == NULL) {
            cqrs_query_no_memory(parser->request.error);
            return -1;
        }

        root->items->star = 1;
        root->items->bare = (part != NULL);
    }

    return 0;
}


/* They are for writes, and in reads only refused if they are wrong. */

static int
cqrs_query_parse_names(cqrs_query_parser_t *parser, cqrs_query_part_e kind,
    const char *what)
{
    int                 rc;
    cqrs_str_t          name;
    cqrs_query_part_t  *part;
    cqrs_query_scan_t   scan;

    part = cqrs_query_first_of(parser, kind);

    if (part == NULL) {
        return 0;
    }

    cqrs_query_scan_init(&scan, &parser->request, what, &part->pair.value);

    do {
        rc = cqrs_query_name(&scan, &name);
    } while (rc == 0 && cqrs_query_scan_lexeme(&scan, ",") == 0);

    return cqrs_query_scan_finish(&scan, rc);
}


static int
cqrs_query_parse_filter(cqrs_query_parser_t *parser, cqrs_query_part_t *part)
{
    int                  rc;
    cqrs_query_scan_t    scan;
    cqrs_query_field_t   field;

    if (cqrs_query_parse_path(parser, part, "tree path", &field) != 0) {
        return -1;
    }

    cqrs_query_scan_init(&scan, &parser->request, "filter",
                         &part->pair.value);

    part->logic = cqrs_query_scan_alloc(&scan, sizeof(cqrs_query_logic_t));
    if (part->logic == NULL) {
        return -1;
    }

    part->logic->kind = CQRS_QUERY_FILTER;
    part->logic->filter.field = field;

    rc = cqrs_query_filter(&scan, &part->logic->filter, 0);

    if (rc != 0
        && parser->options->function
        && cqrs_query_scan_still(&scan, 0))
    {
        part->pair.key = field.name;
        return cqrs_query_parse_argument(parser, part);
    }

    return cqrs_query_scan_finish(&scan, rc);
}


static int
cqrs_query_parse_argument(cqrs_query_parser_t *parser, cqrs_query_part_t *part)
{
    cqrs_query_pair_t  *argument;

    argument = cqrs_arena_calloc(parser->request.arena,
                                 sizeof(cqrs_query_pair_t));
    if (argument == NULL) {
        cqrs_query_no_memory(parser->request.error);
        return -1;
    }

    *argument = part->pair;

    *parser->last_argument = argument;
    parser->last_argument = &argument->next;

    part->kind = CQRS_QUERY_PART_NONE;
    part->path = NULL;

    return 0;
}


/* or=(...) is or(...), and "not" may stand anywhere before it. */

static int
cqrs_query_parse_logic(cqrs_query_parser_t *parser, cqrs_query_part_t *part)
{
    int                    negated;
    cqrs_buf_t             buf;
    cqrs_str_t             text;
    cqrs_query_scan_t      scan;
    cqrs_query_field_t     field;
    cqrs_query_value_t   **name;

    if (cqrs_query_parse_path(parser, part, "logic path", &field) != 0) {
        return -1;
    }

    negated = cqrs_str_is(&field.name, "not");

    for (name = &part->path; *name; /* void */ ) {

        if (cqrs_str_is(&(*name)->text, "not")) {
            negated = 1;
            *name = (*name)->next;

        } else {
            name = &(*name)->next;
        }
    }

    cqrs_buf_init(&buf, parser->request.arena);
    cqrs_buf_text(&buf, negated ? "not." : "");
    cqrs_buf_str(&buf, &field.name);
    cqrs_buf_str(&buf, &part->pair.value);

    if (cqrs_buf_end(&buf, &text) != 0) {
        cqrs_query_no_memory(parser->request.error);
        return -1;
    }

    cqrs_query_scan_init(&scan, &parser->request, "logic tree", &text);
    scan.shown = part->pair.value;

    return cqrs_query_scan_finish(&scan,
                                  cqrs_query_logic(&scan, &part->logic, 0));
}


static int
cqrs_query_parse_order(cqrs_query_parser_t *parser, cqrs_query_part_t *part)
{
    cqrs_query_scan_t   scan;
    cqrs_query_field_t  field;

    if (cqrs_query_parse_path(parser, part, "tree path", &field) != 0) {
        return -1;
    }

    cqrs_query_scan_init(&scan, &parser->request, "order", &part->pair.value);

    return cqrs_query_scan_finish(&scan,
                                  cqrs_query_order(&scan, &part->orders));
}


/* What is no number is no limit. */

static int
cqrs_query_parse_range(cqrs_query_parser_t *parser, cqrs_query_part_t *part)
{
    cqrs_query_field_t  field;

    if (cqrs_query_parse_path(parser, part, "tree path", &field) != 0) {
        return -1;
    }

    cqrs_query_number(&part->pair.value, &part->number);

    return 0;
}


/* The names of embeds, and what comes last. */

static int
cqrs_query_parse_path(cqrs_query_parser_t *parser, cqrs_query_part_t *part,
    const char *what, cqrs_query_field_t *field)
{
    cqrs_query_scan_t     scan;
    cqrs_query_value_t   *name, **last;

    memset(field, 0, sizeof(cqrs_query_field_t));

    cqrs_query_scan_init(&scan, &parser->request, what, &part->pair.key);

    last = &part->path;

    for ( ;; ) {

        if (cqrs_query_name(&scan, &field->name) != 0) {
            return cqrs_query_scan_finish(&scan, -1);
        }

        if (part->path) {
            cqrs_query_scan_forget(&scan);
        }

        if (cqrs_query_scan_dot(&scan) != 0) {
            break;
        }

        name = cqrs_query_scan_alloc(&scan, sizeof(cqrs_query_value_t));
        if (name == NULL) {
            return -1;
        }

        name->text = field->name;

        *last = name;
        last = &name->next;
    }

    return cqrs_query_scan_finish(&scan,
                                  cqrs_query_path(&scan, &field->path));
}
