
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Answers for people: a table whose columns are as wide as they must be, or a
 * list of names and values.  What was sent by strangers can't speak to the
 * terminal: control characters become question marks.
 */

#ifndef CONSUMER_TABLE_H
#define CONSUMER_TABLE_H


#include <jansson.h>
#include <stddef.h>


/* A column is a member of each object; text, a number, true, false or null. */
typedef struct {
    const char  *head;
    const char  *member;
} consumer_table_column_t;


/* Prints an array of objects; columns end with { NULL, NULL }. */
void consumer_table_print(const json_t *rows,
    const consumer_table_column_t *columns);

/* Prints one object, a line for each member; null is left out. */
void consumer_table_members(const json_t *object);

/* Prints text of several lines. */
void consumer_table_lines(const char *text, size_t len);

/* Prints JSON for programs. */
void consumer_table_json(const json_t *value);


#endif /* CONSUMER_TABLE_H */
