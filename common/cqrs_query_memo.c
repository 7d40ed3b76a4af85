
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * A request is given copies, so that what it has does not depend on what the
 * memo forgets.
 */

#include "cqrs_query_memo.h"
#include "cqrs_buf.h"
#include "cqrs_query_part.h"


struct cqrs_query_memo_plan_s {
    cqrs_query_memo_plan_t  *next;         /* of the same bucket */
    uint32_t                 hash;
    cqrs_str_t               key;

    cqrs_query_plan_t        plan;
    const char              *prefixes;     /* of its columns, in one piece */
    size_t                   size;         /* of that */
    size_t                  *places;       /* of each parameter: the operand
                                              from 1 on, or 0: it is always
                                              the same */
    int64_t                  limit;
    int64_t                  offset;
};


static size_t cqrs_query_key_operand(const cqrs_query_part_t *part);
static void cqrs_query_key_number(cqrs_buf_t *buf, size_t number);
static void cqrs_query_key_word(cqrs_buf_t *buf, const cqrs_str_t *word);
static uint32_t cqrs_query_key_hash(const cqrs_str_t *text);
static int cqrs_query_copy_columns(cqrs_query_plan_t *plan,
    const char *prefixes, size_t size, cqrs_arena_t *arena);
static int cqrs_query_is_legacy(const cqrs_query_node_t *node);
static int cqrs_query_memo_fits(const cqrs_query_key_t *key,
    const cqrs_query_sql_t *sql);
static size_t cqrs_query_memo_place(const cqrs_query_key_t *key,
    const char *param);
static cqrs_query_memo_plan_t *cqrs_query_memo_copy(cqrs_query_memo_t *memo,
    const cqrs_query_key_t *key, const cqrs_query_t *query,
    const cqrs_query_plan_t *plan);
static int cqrs_query_memo_sql(cqrs_query_memo_plan_t *known,
    const cqrs_query_key_t *key, const cqrs_query_sql_t *sql,
    cqrs_arena_t *arena);


void
cqrs_query_memo_init(cqrs_query_memo_t *memo)
{
    memset(memo, 0, sizeof(cqrs_query_memo_t));

    cqrs_arena_init(&memo->arena, CQRS_QUERY_MEMO_MEMORY);
}


void
cqrs_query_memo_clear(cqrs_query_memo_t *memo)
{
    cqrs_arena_cleanup(&memo->arena);

    cqrs_query_memo_init(memo);
}


/*
 * Everything has its length before it, so that no request is taken for
 * another one.
 */

int
cqrs_query_key(cqrs_query_key_t *key, const cqrs_str_t *words, size_t n,
    const cqrs_query_pairs_t *pairs, cqrs_arena_t *arena)
{
    size_t                    i, operand;
    cqrs_buf_t                buf;
    cqrs_str_t                text;
    const cqrs_query_part_t  *part;

    if (pairs->len > CQRS_QUERY_MEMO_KEY) {
        return 0;
    }

    key->n = 0;

    cqrs_buf_init(&buf, arena);

    for (i = 0; i < n; i++) {
        cqrs_query_key_word(&buf, &words[i]);
    }

    for (part = pairs->parts; part; part = part->next) {

        cqrs_query_key_word(&buf, &part->pair.key);

        text = part->pair.value;
        operand = cqrs_query_key_operand(part);

        if (operand) {

            if (key->n == CQRS_QUERY_MEMO_OPERANDS) {
                return 0;
            }

            key->operands[key->n++] = part;

            text.len = operand;
        }

        cqrs_buf_add(&buf, operand ? "o" : "-", 1);
        cqrs_query_key_word(&buf, &text);
    }

    if (cqrs_buf_end(&buf, &key->text) != 0) {
        return -1;
    }

    key->hash = cqrs_query_key_hash(&key->text);

    return key->text.len <= CQRS_QUERY_MEMO_KEY;
}


/* Where it begins in the value; 0: the whole value decides the plan. */

static size_t
cqrs_query_key_operand(const cqrs_query_part_t *part)
{
    size_t             i, begin, len;
    const cqrs_str_t  *value;

    static const cqrs_str_t  operators[] = {
        cqrs_str("eq."), cqrs_str("gt."), cqrs_str("lt."), cqrs_str("gte."),
        cqrs_str("lte."), cqrs_str("neq.")
    };

    value = &part->pair.value;

    if (part->kind != CQRS_QUERY_PART_FILTER || value->data == NULL) {
        return 0;
    }

    begin = (value->len >= 4 && memcmp(value->data, "not.", 4) == 0) ? 4 : 0;

    for (i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
        len = operators[i].len;

        if (value->len - begin >= len
            && memcmp(value->data + begin, operators[i].data, len) == 0)
        {
            return begin + len;
        }
    }

    return 0;
}


static void
cqrs_query_key_number(cqrs_buf_t *buf, size_t number)
{
    cqrs_buf_add(buf, (const char *) &number, sizeof(number));
}


static void
cqrs_query_key_word(cqrs_buf_t *buf, const cqrs_str_t *word)
{
    cqrs_query_key_number(buf, word->data ? word->len + 1 : 0);

    if (word->len) {
        cqrs_buf_add(buf, word->data, word->len);
    }
}


/* FNV-1a, by words of four bytes. */

static uint32_t
cqrs_query_key_hash(const cqrs_str_t *text)
{
    size_t    i;
    uint32_t  hash, word;

    hash = 2166136261;

    for (i = 0; i + 4 <= text->len; i += 4) {
        memcpy(&word, text->data + i, 4);
        hash = (hash ^ word) * 16777619;
    }

    for ( /* void */ ; i < text->len; i++) {
        hash = (hash ^ (unsigned char) text->data[i]) * 16777619;
    }

    return hash ^ hash >> 15;
}


int
cqrs_query_recall(const cqrs_query_memo_t *memo, const cqrs_query_key_t *key,
    const cqrs_query_pairs_t *pairs, cqrs_query_t *query,
    cqrs_query_plan_t *plan, cqrs_arena_t *arena)
{
    size_t                         i, place;
    const char                   **params;
    const cqrs_query_part_t       *part;
    const cqrs_query_memo_plan_t  *known;

    known = memo->buckets[key->hash & (CQRS_QUERY_MEMO_BUCKETS - 1)];

    while (known
           && (known->hash != key->hash
               || !cqrs_str_equal(&known->key, &key->text)))
    {
        known = known->next;
    }

    if (known == NULL) {
        return 0;
    }

    memset(query, 0, sizeof(cqrs_query_t));

    query->root.limit = known->limit;
    query->root.offset = known->offset;
    query->canonical = pairs->canonical;

    *plan = known->plan;

    if (cqrs_query_copy_columns(plan, known->prefixes, known->size, arena)
        != 0)
    {
        return -1;
    }

    params = cqrs_arena_alloc(arena, plan->main.nparams * sizeof(char *));
    plan->main.text.data = cqrs_arena_copy(arena, plan->main.text.data,
                                           plan->main.text.len);

    if (params == NULL || plan->main.text.data == NULL) {
        return -1;
    }

    for (i = 0; i < plan->main.nparams; i++) {
        place = known->places[i];

        if (place) {
            part = key->operands[place - 1];
            params[i] = part->pair.value.data + cqrs_query_key_operand(part);
            continue;
        }

        params[i] = cqrs_arena_copy(arena, plan->main.params[i],
                                    strlen(plan->main.params[i]));
        if (params[i] == NULL) {
            return -1;
        }
    }

    plan->main.params = params;

    return 1;
}


/* The prefixes stand one behind the other, in the order of the columns. */

static int
cqrs_query_copy_columns(cqrs_query_plan_t *plan, const char *prefixes,
    size_t size, cqrs_arena_t *arena)
{
    char               *p;
    unsigned            i;
    cqrs_row_column_t  *columns;

    columns = cqrs_arena_alloc(arena,
                               plan->ncolumns * sizeof(cqrs_row_column_t));
    p = cqrs_arena_copy(arena, prefixes, size);

    if (columns == NULL || p == NULL) {
        return -1;
    }

    for (i = 0; i < plan->ncolumns; i++) {
        columns[i] = plan->columns[i];
        columns[i].prefix.data = p;

        p += columns[i].prefix.len;
    }

    plan->columns = columns;

    return 0;
}


void
cqrs_query_remember(cqrs_query_memo_t *memo, const cqrs_query_key_t *key,
    const cqrs_query_t *query, const cqrs_query_plan_t *plan)
{
    cqrs_query_memo_plan_t  *known, **bucket;

    if (plan->columns == NULL
        || plan->estimate.text.data
        || plan->main.text.len > CQRS_QUERY_MEMO_TEXT
        || cqrs_query_is_legacy(query->root.children)
        || !cqrs_query_memo_fits(key, &plan->main))
    {
        return;
    }

    if (memo->n == CQRS_QUERY_MEMO_PLANS) {
        cqrs_query_memo_clear(memo);
    }

    known = cqrs_query_memo_copy(memo, key, query, plan);

    if (known == NULL) {
        cqrs_query_memo_clear(memo);
        return;
    }

    bucket = &memo->buckets[key->hash & (CQRS_QUERY_MEMO_BUCKETS - 1)];

    known->next = *bucket;
    *bucket = known;

    memo->n++;
}


/* Its answer has a warning, which is made of the tree. */

static int
cqrs_query_is_legacy(const cqrs_query_node_t *node)
{
    for ( /* void */ ; node; node = node->next) {
        if (node->legacy || cqrs_query_is_legacy(node->children)) {
            return 1;
        }
    }

    return 0;
}


/*
 * Is each operand a parameter as it is?  One that became something else on its
 * way may have decided more than that.
 */

static int
cqrs_query_memo_fits(const cqrs_query_key_t *key, const cqrs_query_sql_t *sql)
{
    size_t    i, place;
    unsigned  found;

    found = 0;

    for (i = 0; i < sql->nparams; i++) {
        place = cqrs_query_memo_place(key, sql->params[i]);

        if (place) {
            found |= 1U << (place - 1);
        }
    }

    return found == (1U << key->n) - 1;
}


/* An operand is known by where it stands in memory. */

static size_t
cqrs_query_memo_place(const cqrs_query_key_t *key, const char *param)
{
    size_t                     i;
    const cqrs_query_logic_t  *logic;

    for (i = 0; i < key->n; i++) {
        logic = key->operands[i]->logic;

        if (logic && logic->filter.values
            && logic->filter.values->text.data == param)
        {
            return i + 1;
        }
    }

    return 0;
}


static cqrs_query_memo_plan_t *
cqrs_query_memo_copy(cqrs_query_memo_t *memo, const cqrs_query_key_t *key,
    const cqrs_query_t *query, const cqrs_query_plan_t *plan)
{
    unsigned                 i;
    cqrs_buf_t               buf;
    cqrs_str_t               prefixes;
    cqrs_arena_t            *arena;
    cqrs_query_memo_plan_t  *known;

    arena = &memo->arena;

    known = cqrs_arena_calloc(arena, sizeof(cqrs_query_memo_plan_t));
    if (known == NULL) {
        return NULL;
    }

    known->hash = key->hash;
    known->key.data = cqrs_arena_copy(arena, key->text.data, key->text.len);
    known->key.len = key->text.len;

    known->plan = *plan;
    known->limit = query->root.limit;
    known->offset = query->root.offset;

    cqrs_buf_init(&buf, arena);

    for (i = 0; i < plan->ncolumns; i++) {
        cqrs_buf_str(&buf, &plan->columns[i].prefix);
    }

    if (known->key.data == NULL
        || cqrs_query_memo_sql(known, key, &plan->main, arena) != 0
        || cqrs_buf_end(&buf, &prefixes) != 0)
    {
        return NULL;
    }

    known->prefixes = prefixes.data;
    known->size = prefixes.len;

    return (cqrs_query_copy_columns(&known->plan, prefixes.data, prefixes.len,
                                    arena)
            == 0)
           ? known : NULL;
}


static int
cqrs_query_memo_sql(cqrs_query_memo_plan_t *known,
    const cqrs_query_key_t *key, const cqrs_query_sql_t *sql,
    cqrs_arena_t *arena)
{
    size_t        i;
    const char  **params;

    params = cqrs_arena_calloc(arena, sql->nparams * sizeof(char *));

    known->places = cqrs_arena_alloc(arena, sql->nparams * sizeof(size_t));
    known->plan.main.params = params;
    known->plan.main.text.data = cqrs_arena_copy(arena, sql->text.data,
                                                 sql->text.len);

    if (params == NULL || known->places == NULL
        || known->plan.main.text.data == NULL)
    {
        return -1;
    }

    for (i = 0; i < sql->nparams; i++) {
        known->places[i] = cqrs_query_memo_place(key, sql->params[i]);

        if (known->places[i]) {
            continue;
        }

        params[i] = cqrs_arena_copy(arena, sql->params[i],
                                    strlen(sql->params[i]));
        if (params[i] == NULL) {
            return -1;
        }
    }

    return 0;
}
