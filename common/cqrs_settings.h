
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The statement that sets what a transaction is to know of its request.
 *
 *     select pg_catalog.num_nulls(
 *                pg_catalog.set_config('role', $1, true), ...)
 *
 * Values are bound, and so are names that are not the program's own.  They are
 * set in the order in which they were added.  The answer is one small number,
 * not all the values again.
 */

#ifndef CQRS_SETTINGS_H
#define CQRS_SETTINGS_H


#include "cqrs_buf.h"
#include "cqrs_query_plan.h"


/* A function takes a hundred arguments at most. */
#define CQRS_SETTINGS_MAX  90


typedef struct {
    cqrs_buf_t      text;
    const char     *params[2 * CQRS_SETTINGS_MAX];
    size_t          nparams;
    size_t          n;
    int             failed;
} cqrs_settings_t;


void cqrs_settings_init(cqrs_settings_t *settings, cqrs_arena_t *arena);

/* The name is a constant and becomes text as it is.  The value is copied. */
void cqrs_settings_add(cqrs_settings_t *settings, const char *name,
    const cqrs_str_t *value);

/* The same with nothing as the value. */
void cqrs_settings_add_empty(cqrs_settings_t *settings, const char *name);

/* Any name; both are copied. */
void cqrs_settings_add_named(cqrs_settings_t *settings,
    const cqrs_str_t *name, const cqrs_str_t *value);

/* Returns 0, or -1: no memory, or too many. */
int cqrs_settings_end(cqrs_settings_t *settings, cqrs_query_sql_t *sql);

/* Members of a JSON object: name in lower case, and value. */
void cqrs_settings_member(cqrs_buf_t *buf, const char *name, size_t nlen,
    const char *value, size_t vlen);

/* The same for each cookie of a header. */
void cqrs_settings_cookies(cqrs_buf_t *buf, const char *text, size_t len);


#endif /* CQRS_SETTINGS_H */
