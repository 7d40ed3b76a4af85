
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


/*
 * Prints an array of objects, or for an empty one the sentence; columns end
 * with { NULL, NULL }.  With json: for programs.
 */
void consumer_table_list(const json_t *rows,
    const consumer_table_column_t *columns, const char *none, int json);

/*
 * Prints one object, a line for each member, without those that are null; and
 * behind them its "body", text of several lines.  With json: for programs.
 */
void consumer_table_show(json_t *object, int json);

/* Prints a piece of a sentence. */
void consumer_table_word(const char *text);


#endif /* CONSUMER_TABLE_H */
