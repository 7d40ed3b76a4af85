
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "consumer_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define CONSUMER_TABLE_COLUMNS_MAX  16


static void consumer_table_print(const json_t *rows,
    const consumer_table_column_t *columns);
static void consumer_table_members(const json_t *object);
static void consumer_table_lines(const char *text, size_t len);
static void consumer_table_json(const json_t *value);
static int consumer_table_cell(const json_t *value, int width);
static int consumer_table_text(const char *text, size_t len);
static size_t consumer_table_width(const char *text, size_t len);
static int consumer_table_measure(const json_t *value);


void
consumer_table_list(const json_t *rows,
    const consumer_table_column_t *columns, const char *none, int json)
{
    if (json) {
        consumer_table_json(rows);

    } else if (json_array_size(rows)) {
        consumer_table_print(rows, columns);

    } else {
        puts(none);
    }
}


void
consumer_table_show(json_t *object, int json)
{
    json_t  *body;

    if (json) {
        consumer_table_json(object);
        return;
    }

    body = json_incref(json_object_get(object, "body"));
    json_object_del(object, "body");

    consumer_table_members(object);

    if (body) {
        putchar('\n');
        consumer_table_lines(json_string_value(body),
                             json_string_length(body));
    }

    json_decref(body);
}


void
consumer_table_word(const char *text)
{
    (void) consumer_table_text(text, strlen(text));
}


static void
consumer_table_print(const json_t *rows,
    const consumer_table_column_t *columns)
{
    int            width[CONSUMER_TABLE_COLUMNS_MAX], w;
    size_t         i, n, row;
    const json_t  *object;

    for (n = 0; n < CONSUMER_TABLE_COLUMNS_MAX && columns[n].head; n++) {

        width[n] = (int) strlen(columns[n].head);

        for (row = 0; row < json_array_size(rows); row++) {
            object = json_array_get(rows, row);
            w = consumer_table_measure(json_object_get(object,
                                                       columns[n].member));
            width[n] = (w > width[n]) ? w : width[n];
        }
    }

    /* nothing is to follow the last column */

    width[n - 1] = 0;

    for (i = 0; i < n; i++) {
        printf("%s%-*s", i ? "  " : "", width[i], columns[i].head);
    }

    putchar('\n');

    for (row = 0; row < json_array_size(rows); row++) {

        object = json_array_get(rows, row);

        for (i = 0; i < n; i++) {
            fputs(i ? "  " : "", stdout);
            consumer_table_cell(json_object_get(object, columns[i].member),
                                width[i]);
        }

        putchar('\n');
    }
}


static void
consumer_table_members(const json_t *object)
{
    int           width;
    json_t       *value;
    const char   *name;

    width = 0;

    json_object_foreach((json_t *) object, name, value) {
        if (!json_is_null(value) && (int) strlen(name) > width) {
            width = (int) strlen(name);
        }
    }

    json_object_foreach((json_t *) object, name, value) {
        if (!json_is_null(value)) {
            printf("%-*s  ", width, name);
            consumer_table_cell(value, 0);
            putchar('\n');
        }
    }
}


static void
consumer_table_lines(const char *text, size_t len)
{
    const char  *end, *last;

    last = text + len;

    while (text < last) {
        end = memchr(text, '\n', (size_t) (last - text));
        end = end ? end : last;

        consumer_table_text(text, (size_t) (end - text));
        putchar('\n');

        text = end + 1;
    }
}


static void
consumer_table_json(const json_t *value)
{
    json_dumpf(value, stdout, JSON_INDENT(2));
    putchar('\n');
}


static int
consumer_table_cell(const json_t *value, int width)
{
    int    w;
    char  *text;

    if (value == NULL || json_is_null(value)) {
        w = 0;

    } else if (json_is_string(value)) {
        w = consumer_table_text(json_string_value(value),
                                json_string_length(value));

    } else {
        text = json_dumps(value, JSON_ENCODE_ANY);
        w = text ? consumer_table_text(text, strlen(text)) : 0;
        free(text);
    }

    for ( /* void */ ; w < width; w++) {
        putchar(' ');
    }

    return w;
}


static int
consumer_table_text(const char *text, size_t len)
{
    size_t         i;
    unsigned char  c;

    for (i = 0; i < len; i++) {
        c = (unsigned char) text[i];

        /* the second range is that of C1 in UTF-8 */

        if (c < ' ' || c == 0x7f) {
            putchar('?');

        } else if (c == 0xc2 && i + 1 < len
                   && (unsigned char) text[i + 1] < 0xa0)
        {
            putchar('?');
            i++;

        } else {
            putchar(c);
        }
    }

    return (int) consumer_table_width(text, len);
}


/* Characters, of which UTF-8 takes up to four bytes. */

static size_t
consumer_table_width(const char *text, size_t len)
{
    size_t  i, n;

    for (i = 0, n = 0; i < len; i++) {
        n += ((unsigned char) text[i] & 0xc0) != 0x80;
    }

    return n;
}


static int
consumer_table_measure(const json_t *value)
{
    int    w;
    char  *text;

    if (value == NULL || json_is_null(value)) {
        return 0;
    }

    if (json_is_string(value)) {
        return (int) consumer_table_width(json_string_value(value),
                                          json_string_length(value));
    }

    text = json_dumps(value, JSON_ENCODE_ANY);
    w = text ? (int) consumer_table_width(text, strlen(text)) : 0;
    free(text);

    return w;
}
