
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * What t/unit/cqrs_query_shape.c is made of: words to be put into requests,
 * harmless and hostile ones, and the comparison of what comes of both.
 */

#ifndef QUERY_SHAPE_H
#define QUERY_SHAPE_H


#include "query_plan.h"

#include <jansson.h>
#include <pg_query.h>


#define SHAPE_TEXT    65536
#define SHAPE_HOLES   400
#define SHAPE_WORD    300
#define SHAPE_NAME    63               /* bytes of a name in Postgres */

/* Two variants of each request. */
#define HARMLESS      0
#define HOSTILE       1

#define count_of(array)  (sizeof(array) / sizeof((array)[0]))


typedef enum {
    SHAPE_VALUE = 0,                   /* goes on to the end of the pair */
    SHAPE_QUOTED,                      /* a name, or a value, in quotes */
    SHAPE_TYPE,                        /* letters, digits, blanks, $ and _ */
    SHAPE_NUMBER
} shape_place_e;


typedef struct {
    char           word[2][SHAPE_WORD];
    shape_place_e  place;
    int            whole;              /* it must be a parameter as it is */
} shape_hole_t;


static int shape_new_hole(shape_place_e place);
static void shape_write_hole(char *to, size_t size, int hole, int variant);
static json_t *shape_tree(const char *sql);
static void shape_same(json_t *one, json_t *two, const char *place);
static int shape_is_hole(const char *one, const char *two, int type);
static int shape_is_cut(const char *name, const char *word, int type);
static void shape_fail(const char *how, const char *what);
static int shape_random(int n);


static const char *const  hostile[] = {
    "'", "''", "\"", "\"\"", "\\", "\\'", "\\\"", "$1", "$99", "$$", "$a$b$a$",
    "'; drop table shop.customers; --", "\"; drop table shop.customers; --",
    "' or '1'='1", "\" or \"1\"=\"1", "\" from shop.secrets --", "/*", "*/",
    "--", "-- \n", "E'\\''", "U&\"\\0041\"", "U&'\\0027", "null", "true",
    "default", "{\"a\",b}", "{", "}", "(", ")", "),(", "select 1", "*", "%",
    "_t", "_t0", "_t1", "_e1", "_e2", "_r", "_n", "_j", "_o1", "_s", "_c",
    "_h", "_k", "pgrst_scalar", "count", "sum", "a.b", "a,b", "a:b", "a->b",
    "a->>'b'", "a::text", "x=y", "&a=b", "#", "?", ";", "%s%n", "%27", "\t",
    "\n", "\r\n", "\x01", "\x7f", "\xc3\xa9", "\xe2\x80\xa8",
    "\xf0\x9f\x90\x98", "\xef\xbc\x87", "\"shop\".\"secrets\"",
    "a much longer name than Postgres keeps, which cuts it after 63 bytes; --",
    "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
    "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
    "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
    "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\""
};

static const char *const  hostile_types[] = {
    "select", "user", "current_user", "table", "null", "from", "$1", "a$1",
    "x from shop", "setof int4", "interval day", "national character varying",
    "int4 collate C", "E", "U", "B", "X", "_t", "_e1", "GR\xc3\x96SSE",
    "  two   blanks ", "SELECT", "character large object", "int4$$", "type"
};

static const char *const  hostile_numbers[] = {
    "1", "2147483647", "2147483648", "9223372036854775807", "0000000007"
};


static uint32_t       shape_state;
static size_t         nholes;
static shape_hole_t   holes[SHAPE_HOLES];
static char           url[2][SHAPE_TEXT * 3];


/* Words that differ among the harmless ones differ among the hostile ones. */

static int
shape_new_hole(shape_place_e place)
{
    size_t         i;
    const char    *word;
    shape_hole_t  *hole;

    assert_true(nholes < SHAPE_HOLES);

    hole = &holes[nholes];
    hole->place = place;
    hole->whole = (place == SHAPE_VALUE);

    switch (place) {

    case SHAPE_NUMBER:
        word = hostile_numbers[shape_random(count_of(hostile_numbers))];
        snprintf(hole->word[HARMLESS], SHAPE_WORD, "%zu", nholes + 1);
        snprintf(hole->word[HOSTILE], SHAPE_WORD, "%s", word);
        return (int) nholes++;

    case SHAPE_TYPE:
        word = hostile_types[shape_random(count_of(hostile_types))];
        break;

    default:
        word = hostile[shape_random(count_of(hostile))];
        break;
    }

    snprintf(hole->word[HARMLESS], SHAPE_WORD, "w%zu", nholes);
    snprintf(hole->word[HOSTILE], SHAPE_WORD, "%s", word);

    for (i = 0; i < nholes; i++) {
        if (strcmp(holes[i].word[HOSTILE], word) == 0) {
            snprintf(hole->word[HOSTILE], SHAPE_WORD, "%s%zu", word, nholes);
            break;
        }
    }

    return (int) nholes++;
}


/* All of it is escaped as in a URL, and before that as in quotes. */

static void
shape_write_hole(char *to, size_t size, int hole, int variant)
{
    int          quoted;
    size_t       len;
    const char  *p;

    quoted = (holes[hole].place == SHAPE_QUOTED);
    len = (size_t) snprintf(to, size, "%s", quoted ? "%22" : "");

    for (p = holes[hole].word[variant]; *p; p++) {

        if (quoted && (*p == '"' || *p == '\\')) {
            len += (size_t) snprintf(to + len, size - len, "%%5C");
        }

        len += (size_t) snprintf(to + len, size - len, "%%%02x",
                                 (unsigned char) *p);
    }

    len += (size_t) snprintf(to + len, size - len, "%s", quoted ? "%22" : "");

    assert_true(len < size);
}


static json_t *
shape_tree(const char *sql)
{
    json_t              *tree;
    PgQueryParseResult   result;

    result = pg_query_parse(sql);

    if (result.error) {
        shape_fail(result.error->message, sql);
    }

    tree = json_loads(result.parse_tree, 0, NULL);
    assert_non_null(tree);
    assert_int_equal(json_array_size(json_object_get(tree, "stmts")), 1);

    pg_query_free_parse_result(result);

    return tree;
}


/*
 * The place says what words may be here: "name" those of an output column,
 * "type" those of a type, "fields" such a column's where it is used.
 */

static void
shape_same(json_t *one, json_t *two, const char *place)
{
    size_t       i;
    json_t      *value, *other;
    const char  *key, *inner;

    if (json_typeof(one) != json_typeof(two)) {
        shape_fail("another kind of node", place);
    }

    switch (json_typeof(one)) {

    case JSON_OBJECT:
        assert_int_equal(json_object_size(one), json_object_size(two));

        json_object_foreach(one, key, value) {

            other = json_object_get(two, key);

            if (other == NULL) {
                shape_fail("is missing", key);
            }

            if (strcmp(key, "location") == 0) {
                continue;
            }

            inner = key;

            if (strcmp(key, "String") == 0 || strcmp(key, "sval") == 0) {
                inner = place;

            } else if (strcmp(key, "name") == 0
                       && strcmp(place, "ResTarget") != 0)
            {
                inner = "";

            } else if (strcmp(key, "names") == 0
                       && strcmp(place, "typeName") == 0)
            {
                inner = "type";
            }

            shape_same(value, other, inner);
        }

        break;

    case JSON_ARRAY:
        assert_int_equal(json_array_size(one), json_array_size(two));

        /* a name alone would be a client's, if a client said it */

        if (strcmp(place, "fields") == 0 && json_array_size(one) == 1) {
            value = json_object_get(json_array_get(one, 0), "String");
            value = json_object_get(value, "sval");

            if (value && strcmp(json_string_value(value), "_k") != 0) {
                shape_fail("is named alone", json_string_value(value));
            }
        }

        for (i = 0; i < json_array_size(one); i++) {
            shape_same(json_array_get(one, i), json_array_get(two, i),
                       (strcmp(place, "fields") == 0 && i == 0) ? "" : place);
        }

        break;

    case JSON_STRING:
        if (strcmp(json_string_value(one), json_string_value(two)) == 0) {
            return;
        }

        if ((strcmp(place, "name") != 0 && strcmp(place, "fields") != 0
             && strcmp(place, "type") != 0)
            || !shape_is_hole(json_string_value(one), json_string_value(two),
                              strcmp(place, "type") == 0))
        {
            shape_fail(place, json_string_value(two));
        }

        break;

    default:
        if (!json_equal(one, two)) {
            shape_fail("differs", place);
        }

        break;
    }
}


static int
shape_is_hole(const char *one, const char *two, int type)
{
    size_t  i;

    for (i = 0; i < nholes; i++) {
        if (shape_is_cut(one, holes[i].word[HARMLESS], type)
            && shape_is_cut(two, holes[i].word[HOSTILE], type))
        {
            return 1;
        }
    }

    return 0;
}


/* Postgres cuts names; types are folded, and their blanks are one. */

static int
shape_is_cut(const char *name, const char *word, int type)
{
    char    c, folded[SHAPE_WORD];
    size_t  n;

    for (n = 0; type && *word; word++) {

        c = (*word >= 'A' && *word <= 'Z') ? (char) (*word | 0x20) : *word;

        if (c != ' ' || (n && folded[n - 1] != ' ')) {
            folded[n++] = c;
        }
    }

    while (type && n && folded[n - 1] == ' ') {
        n--;
    }

    if (type) {
        folded[n] = '\0';
        word = folded;
    }

    n = strlen(name);

    if (strncmp(name, word, n) != 0) {
        return 0;
    }

    return word[n] == '\0' || (n <= SHAPE_NAME && n > SHAPE_NAME - 4);
}


/* A request may be longer than cmocka's messages. */

static void
shape_fail(const char *how, const char *what)
{
    fprintf(stderr, "# %s\n# %s\n", url[HARMLESS], url[HOSTILE]);
    fail_msg("\"%.300s\": %.300s", what, how);
}


static int
shape_random(int n)
{
    shape_state = shape_state * 1664525u + 1013904223u;

    return (int) ((shape_state >> 16) % (uint32_t) n);
}


#endif /* QUERY_SHAPE_H */
