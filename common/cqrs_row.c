
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "cqrs_row.h"

#include <stdint.h>


#define CQRS_ROW_LONG  256           /* bytes; above, a value is measured */


typedef struct {
    const char       *type;
    unsigned          oid;           /* fixed in Postgres */
    cqrs_row_kind_e   kind;
} cqrs_row_type_t;


static const cqrs_row_type_t *cqrs_row_type(const cqrs_str_t *type);
static size_t cqrs_row_string_size(const char *value, size_t len);
static char *cqrs_row_copy(char *p, const char *data, size_t len);
static char *cqrs_row_quoted(char *p, const char *value, size_t len);
static int cqrs_row_word_escaped(uint64_t word);
static int cqrs_row_is_plain(const char *value, size_t len);
static char *cqrs_row_string(char *p, const char *value, size_t len);
static char *cqrs_row_time(char *p, const char *value, size_t len, int zone);
static int cqrs_row_is_number(const char *value, size_t len);


/* Arrays, rows, ranges and everybody's own types are Postgres' to write. */

static const cqrs_row_type_t  cqrs_row_types[] = {
    { "bigint",                      20,   CQRS_ROW_NUMBER },
    { "bit",                         1560, CQRS_ROW_QUOTED },
    { "bit varying",                 1562, CQRS_ROW_QUOTED },
    { "boolean",                     16,   CQRS_ROW_BOOLEAN },
    { "bytea",                       17,   CQRS_ROW_STRING },
    { "character",                   1042, CQRS_ROW_STRING },
    { "character varying",           1043, CQRS_ROW_STRING },
    { "cidr",                        650,  CQRS_ROW_QUOTED },
    { "date",                        1082, CQRS_ROW_QUOTED },
    { "double precision",            701,  CQRS_ROW_NUMBER },
    { "inet",                        869,  CQRS_ROW_QUOTED },
    { "integer",                     23,   CQRS_ROW_NUMBER },
    { "interval",                    1186, CQRS_ROW_QUOTED },
    { "json",                        114,  CQRS_ROW_JSON },
    { "jsonb",                       3802, CQRS_ROW_JSON },
    { "macaddr",                     829,  CQRS_ROW_QUOTED },
    { "money",                       790,  CQRS_ROW_STRING },
    { "name",                        19,   CQRS_ROW_STRING },
    { "numeric",                     1700, CQRS_ROW_NUMBER },
    { "oid",                         26,   CQRS_ROW_QUOTED },
    { "real",                        700,  CQRS_ROW_NUMBER },
    { "smallint",                    21,   CQRS_ROW_NUMBER },
    { "text",                        25,   CQRS_ROW_STRING },
    { "time with time zone",         1266, CQRS_ROW_QUOTED },
    { "time without time zone",      1083, CQRS_ROW_QUOTED },
    { "timestamp with time zone",    1184, CQRS_ROW_TIMESTAMPTZ },
    { "timestamp without time zone", 1114, CQRS_ROW_TIMESTAMP },
    { "tsquery",                     3615, CQRS_ROW_STRING },
    { "tsvector",                    3614, CQRS_ROW_STRING },
    { "uuid",                        2950, CQRS_ROW_QUOTED },
    { "xml",                         142,  CQRS_ROW_STRING },
    { NULL, 0, CQRS_ROW_UNKNOWN }
};


/* All below a blank, and what has a meaning in a string. */

static const char  cqrs_row_escaped[256] = {
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    ['"'] = 1, ['\\'] = 1
};


cqrs_row_kind_e
cqrs_row_kind(const cqrs_str_t *type)
{
    size_t       close, rest;
    char         plain[64];
    cqrs_str_t   name;
    const char  *open;

    /* "numeric(10,2)" and "timestamp(3) with time zone" have no other form */

    open = type->len ? memchr(type->data, '(', type->len) : NULL;

    if (open == NULL) {
        return cqrs_row_type(type)->kind;
    }

    for (close = (size_t) (open - type->data); close < type->len; close++) {
        if (type->data[close] == ')') {
            break;
        }
    }

    if (close == type->len || type->len > sizeof(plain)) {
        return CQRS_ROW_UNKNOWN;
    }

    name.len = (size_t) (open - type->data);
    rest = type->len - close - 1;

    memcpy(plain, type->data, name.len);
    memcpy(plain + name.len, type->data + close + 1, rest);

    name.data = plain;
    name.len += rest;

    return cqrs_row_type(&name)->kind;
}


cqrs_row_kind_e
cqrs_row_kind_of(unsigned oid)
{
    const cqrs_row_type_t  *known;

    for (known = cqrs_row_types; known->type; known++) {
        if (known->oid == oid) {
            break;
        }
    }

    return known->kind;
}


static const cqrs_row_type_t *
cqrs_row_type(const cqrs_str_t *type)
{
    const cqrs_row_type_t  *known;

    for (known = cqrs_row_types; known->type; known++) {
        if (cqrs_str_is(type, known->type)) {
            break;
        }
    }

    return known;
}


size_t
cqrs_row_prefix_size(const cqrs_str_t *name)
{
    return cqrs_row_string_size(name->data, name->len) + 2;
}


size_t
cqrs_row_value_size(cqrs_row_kind_e kind, const char *value, size_t len)
{
    if (kind == CQRS_ROW_JSON) {
        return len + sizeof("null");
    }

    if (len > CQRS_ROW_LONG) {
        return cqrs_row_string_size(value, len);
    }

    return len * 6 + sizeof("\"false\"") + sizeof("T:00");
}


char *
cqrs_row_prefix(char *p, const cqrs_str_t *name, int first)
{
    *p++ = first ? '{' : ',';
    p = cqrs_row_string(p, name->data, name->len);
    *p++ = ':';

    return p;
}


char *
cqrs_row_value(char *p, cqrs_row_kind_e kind, const char *value, size_t len)
{
    if (value == NULL) {
        memcpy(p, "null", 4);
        return p + 4;
    }

    switch (kind) {

    case CQRS_ROW_JSON:
        break;

    case CQRS_ROW_NUMBER:
        if (!cqrs_row_is_number(value, len)) {
            return cqrs_row_string(p, value, len);
        }

        break;

    case CQRS_ROW_BOOLEAN:
        if (value[0] == 't') {
            memcpy(p, "true", 4);
            return p + 4;
        }

        memcpy(p, "false", 5);
        return p + 5;

    case CQRS_ROW_TIMESTAMP:
    case CQRS_ROW_TIMESTAMPTZ:
        return cqrs_row_time(p, value, len, kind == CQRS_ROW_TIMESTAMPTZ);

    case CQRS_ROW_QUOTED:
        return cqrs_row_quoted(p, value, len);

    default:
        return cqrs_row_string(p, value, len);
    }

    return cqrs_row_copy(p, value, len);
}


char *
cqrs_row_write(char *p, const cqrs_row_column_t *columns,
    const cqrs_str_t *values, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        p = cqrs_row_copy(p, columns[i].prefix.data, columns[i].prefix.len);
        p = cqrs_row_value(p, columns[i].kind, values[i].data, values[i].len);
    }

    *p++ = '}';

    return p;
}


/* Most are short, and a call of memcpy() takes longer than they do. */

static char *
cqrs_row_copy(char *p, const char *data, size_t len)
{
    uint32_t  begin4, end4;
    uint64_t  begin8, end8;

    if (len > 16) {
        memcpy(p, data, len);

    } else if (len >= 8) {
        memcpy(&begin8, data, 8);
        memcpy(&end8, data + len - 8, 8);
        memcpy(p, &begin8, 8);
        memcpy(p + len - 8, &end8, 8);

    } else if (len >= 4) {
        memcpy(&begin4, data, 4);
        memcpy(&end4, data + len - 4, 4);
        memcpy(p, &begin4, 4);
        memcpy(p + len - 4, &end4, 4);

    } else if (len) {
        p[0] = data[0];
        p[len / 2] = data[len / 2];
        p[len - 1] = data[len - 1];
    }

    return p + len;
}


static char *
cqrs_row_quoted(char *p, const char *value, size_t len)
{
    *p++ = '"';
    p = cqrs_row_copy(p, value, len);
    *p++ = '"';

    return p;
}


static size_t
cqrs_row_string_size(const char *value, size_t len)
{
    size_t         i, size;
    unsigned char  c;

    size = len + 2;

    for (i = 0; i < len; i++) {
        c = (unsigned char) value[i];

        if (c < 0x20) {
            size += 5;

        } else if (c == '"' || c == '\\') {
            size++;
        }
    }

    return size;
}


/*
 * Is one of eight bytes below a blank, a quote or a backslash?  What is taken
 * from a byte reaches its highest bit if the byte was less; then one above it
 * may be taken for less too, but never one alone.
 */

static int
cqrs_row_word_escaped(uint64_t word)
{
    uint64_t         control, quote, backslash;

    static const uint64_t  ones = 0x0101010101010101;

    quote = word ^ (ones * '"');
    backslash = word ^ (ones * '\\');

    control = (word - ones * 0x20) & ~word;
    quote = (quote - ones) & ~quote;
    backslash = (backslash - ones) & ~backslash;

    return ((control | quote | backslash) & (ones << 7)) != 0;
}


/* Words at the end overlap, so that there is no byte to look at alone. */

static int
cqrs_row_is_plain(const char *value, size_t len)
{
    size_t    i;
    uint32_t  begin, end;
    uint64_t  word;

    if (len >= 8) {

        for (i = 0; i + 8 < len; i += 8) {
            memcpy(&word, value + i, 8);

            if (cqrs_row_word_escaped(word)) {
                return 0;
            }
        }

        memcpy(&word, value + len - 8, 8);

        return !cqrs_row_word_escaped(word);
    }

    if (len >= 4) {
        memcpy(&begin, value, 4);
        memcpy(&end, value + len - 4, 4);

        return !cqrs_row_word_escaped((uint64_t) begin << 32 | end);
    }

    for (i = 0; i < len; i++) {
        if (cqrs_row_escaped[(unsigned char) value[i]]) {
            return 0;
        }
    }

    return 1;
}


static char *
cqrs_row_string(char *p, const char *value, size_t len)
{
    const char        *last;
    unsigned char      c;

    static const char  hex[] = "0123456789abcdef";
    static const char  letters[] = "btn\0fr";        /* from 8 on */

    if (cqrs_row_is_plain(value, len)) {
        return cqrs_row_quoted(p, value, len);
    }

    *p++ = '"';

    for (last = value + len; value < last; value++) {
        c = (unsigned char) *value;

        if (!cqrs_row_escaped[c]) {
            *p++ = (char) c;
            continue;
        }

        *p++ = '\\';

        if (c >= 0x20) {
            *p++ = (char) c;

        } else if (c >= 8 && c <= 13 && c != 11) {
            *p++ = letters[c - 8];

        } else {
            memcpy(p, "u00", 3);
            p[3] = hex[c >> 4];
            p[4] = hex[c & 15];
            p += 5;
        }
    }

    *p++ = '"';

    return p;
}


/*
 * 2026-01-02 03:04:05+00 becomes "2026-01-02T03:04:05+00:00"; an era may
 * follow, and "infinity" has no blank.
 */

static char *
cqrs_row_time(char *p, const char *value, size_t len, int zone)
{
    int          minutes;
    const char  *blank, *last, *sign;

    blank = memchr(value, ' ', len);

    if (blank == NULL) {
        return cqrs_row_string(p, value, len);
    }

    last = value + len;

    *p++ = '"';
    memcpy(p, value, (size_t) (blank - value));
    p += blank - value;
    *p++ = 'T';

    sign = NULL;
    minutes = 0;

    for (value = blank + 1; value < last && *value != ' '; value++) {

        if (*value == '+' || *value == '-') {
            sign = value;

        } else if (sign && *value == ':') {
            minutes = 1;
        }

        *p++ = *value;
    }

    if (zone && sign && !minutes) {
        memcpy(p, ":00", 3);
        p += 3;
    }

    memcpy(p, value, (size_t) (last - value));
    p += last - value;

    *p++ = '"';

    return p;
}


/* All that Postgres writes for a number begins as one, or is none. */

static int
cqrs_row_is_number(const char *value, size_t len)
{
    char  c;

    c = (len > 1 && value[0] == '-') ? value[1] : value[0];

    return len && c >= '0' && c <= '9';
}
