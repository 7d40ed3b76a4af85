
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* A path is short and walked once for a request: it is read anew each time. */

#include "cqrs_role_claim.h"


#define CQRS_ROLE_CLAIM_INDEX_MAX  100000


typedef enum {
    CQRS_ROLE_CLAIM_NAME = 0,
    CQRS_ROLE_CLAIM_INDEX,
    CQRS_ROLE_CLAIM_EQUAL,
    CQRS_ROLE_CLAIM_OTHER,
    CQRS_ROLE_CLAIM_BEGINS,
    CQRS_ROLE_CLAIM_ENDS,
    CQRS_ROLE_CLAIM_HOLDS
} cqrs_role_claim_e;


typedef struct {
    cqrs_role_claim_e   kind;
    cqrs_str_t          text;
    size_t              index;
} cqrs_role_claim_step_t;


typedef struct {
    const char         *text;
    cqrs_role_claim_e   kind;
} cqrs_role_claim_operator_t;


static const char *cqrs_role_claim_begin(const cqrs_str_t *path);
static const char *cqrs_role_claim_step(const char *p, const char *end,
    cqrs_role_claim_step_t *step);
static const char *cqrs_role_claim_name(const char *p, const char *end,
    cqrs_role_claim_step_t *step);
static const char *cqrs_role_claim_quoted(const char *p, const char *end,
    cqrs_role_claim_step_t *step);
static const char *cqrs_role_claim_condition(const char *p, const char *end,
    cqrs_role_claim_step_t *step);
static const char *cqrs_role_claim_blanks(const char *p, const char *end);
static json_t *cqrs_role_claim_take(const cqrs_role_claim_step_t *step,
    json_t *value);
static int cqrs_role_claim_is(const cqrs_role_claim_step_t *step,
    const json_t *value);


/* Longer ones first. */

static const cqrs_role_claim_operator_t  cqrs_role_claim_operators[] = {
    { "==^", CQRS_ROLE_CLAIM_ENDS },
    { "^==", CQRS_ROLE_CLAIM_BEGINS },
    { "*==", CQRS_ROLE_CLAIM_HOLDS },
    { "==",  CQRS_ROLE_CLAIM_EQUAL },
    { "!=",  CQRS_ROLE_CLAIM_OTHER },
    { NULL,  CQRS_ROLE_CLAIM_EQUAL }
};


const char *
cqrs_role_claim_check(const cqrs_str_t *path)
{
    const char              *p, *next, *end;
    cqrs_role_claim_step_t   step;

    p = cqrs_role_claim_begin(path);
    end = path->data + path->len;

    if (p == end) {
        return path->data;
    }

    while (p < end) {
        next = cqrs_role_claim_step(p, end, &step);

        /* a condition is the last one */

        if (next == NULL || (step.kind > CQRS_ROLE_CLAIM_INDEX && next != end))
        {
            return p;
        }

        p = next;
    }

    return NULL;
}


json_t *
cqrs_role_claim_find(const cqrs_str_t *path, json_t *claims)
{
    json_t                  *value;                        /* borrowed */
    const char              *p, *end;
    cqrs_role_claim_step_t   step;

    value = claims;
    end = path->data + path->len;

    for (p = cqrs_role_claim_begin(path); p < end && value; /* void */ ) {
        p = cqrs_role_claim_step(p, end, &step);

        if (p == NULL) {
            return NULL;
        }

        value = cqrs_role_claim_take(&step, value);
    }

    return value;
}


static const char *
cqrs_role_claim_begin(const cqrs_str_t *path)
{
    return (path->len && path->data[0] == '$') ? path->data + 1 : path->data;
}


/* Behind it, or NULL. */

static const char *
cqrs_role_claim_step(const char *p, const char *end,
    cqrs_role_claim_step_t *step)
{
    if (*p == '.') {
        step->kind = CQRS_ROLE_CLAIM_NAME;
        p++;

        return (p < end && *p == '"') ? cqrs_role_claim_quoted(p, end, step)
                                      : cqrs_role_claim_name(p, end, step);
    }

    if (*p != '[' || ++p == end) {
        return NULL;
    }

    if (*p == '?') {
        p = cqrs_role_claim_condition(p + 1, end, step);

    } else if (*p == '"' || *p == '\'') {
        step->kind = CQRS_ROLE_CLAIM_NAME;
        p = cqrs_role_claim_quoted(p, end, step);

    } else if (*p >= '0' && *p <= '9') {
        step->kind = CQRS_ROLE_CLAIM_INDEX;
        step->index = 0;

        while (p < end && *p >= '0' && *p <= '9') {
            step->index = step->index * 10 + (size_t) (*p++ - '0');

            if (step->index > CQRS_ROLE_CLAIM_INDEX_MAX) {
                return NULL;
            }
        }

    } else {
        return NULL;
    }

    return (p && p < end && *p == ']') ? p + 1 : NULL;
}


static const char *
cqrs_role_claim_name(const char *p, const char *end,
    cqrs_role_claim_step_t *step)
{
    step->text.data = p;

    while (p < end
           && ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z')
               || (*p >= '0' && *p <= '9') || *p == '_' || *p == '$'
               || *p == '@' || (unsigned char) *p >= 0x80))
    {
        p++;
    }

    step->text.len = (size_t) (p - step->text.data);

    return step->text.len ? p : NULL;
}


static const char *
cqrs_role_claim_quoted(const char *p, const char *end,
    cqrs_role_claim_step_t *step)
{
    const char  *last;

    last = memchr(p + 1, *p, (size_t) (end - p - 1));

    if (last == NULL) {
        return NULL;
    }

    step->text.data = p + 1;
    step->text.len = (size_t) (last - p - 1);

    return last + 1;
}


/* (@ == "text"), or without the brackets. */

static const char *
cqrs_role_claim_condition(const char *p, const char *end,
    cqrs_role_claim_step_t *step)
{
    int                                bracket;
    size_t                             len;
    const cqrs_role_claim_operator_t  *op;

    p = cqrs_role_claim_blanks(p, end);

    bracket = (p < end && *p == '(');

    if (bracket) {
        p = cqrs_role_claim_blanks(p + 1, end);
    }

    if (p == end || *p != '@') {
        return NULL;
    }

    p = cqrs_role_claim_blanks(p + 1, end);

    for (op = cqrs_role_claim_operators; op->text; op++) {
        len = strlen(op->text);

        if ((size_t) (end - p) > len && memcmp(p, op->text, len) == 0) {
            break;
        }
    }

    if (op->text == NULL) {
        return NULL;
    }

    step->kind = op->kind;

    p = cqrs_role_claim_blanks(p + len, end);

    if (p == end || (*p != '"' && *p != '\'')) {
        return NULL;
    }

    p = cqrs_role_claim_quoted(p, end, step);

    if (p == NULL) {
        return NULL;
    }

    p = cqrs_role_claim_blanks(p, end);

    if (bracket) {
        return (p < end && *p == ')') ? cqrs_role_claim_blanks(p + 1, end)
                                      : NULL;
    }

    return p;
}


static const char *
cqrs_role_claim_blanks(const char *p, const char *end)
{
    while (p < end && *p == ' ') {
        p++;
    }

    return p;
}


static json_t *
cqrs_role_claim_take(const cqrs_role_claim_step_t *step, json_t *value)
{
    size_t   i;
    json_t  *element;                                      /* borrowed */

    switch (step->kind) {

    case CQRS_ROLE_CLAIM_NAME:
        return json_object_getn(value, step->text.data, step->text.len);

    case CQRS_ROLE_CLAIM_INDEX:
        return json_array_get(value, step->index);

    default:
        json_array_foreach(value, i, element) {
            if (cqrs_role_claim_is(step, element)) {
                return element;
            }
        }

        return NULL;
    }
}


static int
cqrs_role_claim_is(const cqrs_role_claim_step_t *step, const json_t *value)
{
    size_t       len;
    const char  *text;

    if (!json_is_string(value)) {
        return 0;
    }

    text = json_string_value(value);
    len = json_string_length(value);

    switch (step->kind) {

    case CQRS_ROLE_CLAIM_EQUAL:
    case CQRS_ROLE_CLAIM_OTHER:
        return (len == step->text.len
                && memcmp(text, step->text.data, len) == 0)
               == (step->kind == CQRS_ROLE_CLAIM_EQUAL);

    case CQRS_ROLE_CLAIM_BEGINS:
        return len >= step->text.len
               && memcmp(text, step->text.data, step->text.len) == 0;

    case CQRS_ROLE_CLAIM_ENDS:
        return len >= step->text.len
               && memcmp(text + len - step->text.len, step->text.data,
                         step->text.len)
                  == 0;

    default: /* CQRS_ROLE_CLAIM_HOLDS */
        for ( /* void */ ; len >= step->text.len; text++, len--) {
            if (memcmp(text, step->text.data, step->text.len) == 0) {
                return 1;
            }
        }

        return 0;
    }
}
