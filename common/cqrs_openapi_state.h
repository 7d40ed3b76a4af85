
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * What the two versions of the document share, for their own files.  Nobody
 * else includes this.
 *
 * A value is written where it belongs; commas come by themselves.
 */

#ifndef CQRS_OPENAPI_STATE_H
#define CQRS_OPENAPI_STATE_H


#include "cqrs_openapi.h"


typedef struct {
    cqrs_json_t           *out;
    cqrs_json_t            text;           /* put together, then quoted */
    const cqrs_openapi_t  *doc;
} cqrs_openapi_ctx_t;


/* What a type is in JSON, as PostgREST sees it. */
typedef enum {
    CQRS_OPENAPI_STRING = 0,
    CQRS_OPENAPI_BOOLEAN,
    CQRS_OPENAPI_INTEGER,
    CQRS_OPENAPI_NUMBER,
    CQRS_OPENAPI_ARRAY,
    CQRS_OPENAPI_ANY
} cqrs_openapi_kind_e;


/* An argument of a function, in all of its overloads. */
typedef struct {
    const cqrs_parameter_t  *parameter;
    int                      required;
} cqrs_openapi_argument_t;


#define CQRS_OPENAPI_ARGUMENTS_MAX  200    /* more are left out */


typedef struct {
    const cqrs_function_t    *function;    /* the first that may be called */
    const cqrs_str_t         *comment;
    size_t                    n;
    cqrs_openapi_argument_t   arguments[CQRS_OPENAPI_ARGUMENTS_MAX];
} cqrs_openapi_call_t;


/* cqrs_openapi_2.c, cqrs_openapi_3.c */
void cqrs_openapi_write_2(cqrs_openapi_ctx_t *ctx);
void cqrs_openapi_write_3(cqrs_openapi_ctx_t *ctx);


/* cqrs_openapi.c: walks over what is told; NULL begins, NULL ends. */
const cqrs_relation_t *cqrs_openapi_next_relation(cqrs_openapi_ctx_t *ctx,
    const cqrs_relation_t *relation);

/* "required": the columns of a relation that can't be null, if there are. */
void cqrs_openapi_required(cqrs_openapi_ctx_t *ctx,
    const cqrs_relation_t *relation);

/* Is it one of those? */
int cqrs_openapi_is_told(cqrs_openapi_ctx_t *ctx,
    const cqrs_relation_t *relation);

/* The same for functions; call is filled in.  Begins with "function" NULL. */
int cqrs_openapi_next_call(cqrs_openapi_ctx_t *ctx,
    const cqrs_function_t **function, cqrs_openapi_call_t *call);

/* The first line of a comment, and the rest of it; either may be absent. */
void cqrs_openapi_split(const cqrs_str_t *comment, cqrs_str_t *summary,
    cqrs_str_t *description);

/* "Note:" what a key the column is; else its comment, or nothing. */
void cqrs_openapi_column_description(cqrs_openapi_ctx_t *ctx,
    const cqrs_column_t *column);

/* As a key of the query string must be, that is in quotes if need be. */
void cqrs_openapi_column_name(cqrs_openapi_ctx_t *ctx,
    const cqrs_column_t *column);

/* Is it a key of the query string that is never an argument? */
int cqrs_openapi_reserved(const cqrs_str_t *name);


/* cqrs_openapi_type.c */
cqrs_openapi_kind_e cqrs_openapi_kind(const cqrs_str_t *type);

/* "integer"..., or NULL for ANY */
const char *cqrs_openapi_kind_name(cqrs_openapi_kind_e kind);

/* As people write a type of pg_catalog: "integer" for "int4". */
cqrs_str_t cqrs_openapi_type_written(const cqrs_str_t *name);

/* The type of an array's elements. */
cqrs_str_t cqrs_openapi_element(const cqrs_str_t *type);

/* "default", where it is a value; loose: else its SQL, where that is text. */
void cqrs_openapi_default(cqrs_openapi_ctx_t *ctx,
    const cqrs_column_t *column, int loose);


/* cqrs_openapi_write.c */
void cqrs_openapi_open(cqrs_openapi_ctx_t *ctx, char bracket);
void cqrs_openapi_close(cqrs_openapi_ctx_t *ctx, char bracket);
void cqrs_openapi_key(cqrs_openapi_ctx_t *ctx, const char *key);

void cqrs_openapi_text(cqrs_openapi_ctx_t *ctx, const char *text);
void cqrs_openapi_str(cqrs_openapi_ctx_t *ctx, const cqrs_str_t *text);
void cqrs_openapi_raw(cqrs_openapi_ctx_t *ctx, const char *json, size_t len);

/* A key and its value; an absent text is left out. */
void cqrs_openapi_member(cqrs_openapi_ctx_t *ctx, const char *key,
    const char *text);
void cqrs_openapi_member_str(cqrs_openapi_ctx_t *ctx, const char *key,
    const cqrs_str_t *text);
void cqrs_openapi_member_raw(cqrs_openapi_ctx_t *ctx, const char *key,
    const char *json);

/* ctx->text: begun, added to, and written as one text or one key. */
void cqrs_openapi_begin(cqrs_openapi_ctx_t *ctx, const char *text);
void cqrs_openapi_add(cqrs_openapi_ctx_t *ctx, const char *text);
void cqrs_openapi_add_str(cqrs_openapi_ctx_t *ctx, const cqrs_str_t *text);
void cqrs_openapi_add_number(cqrs_openapi_ctx_t *ctx, unsigned number);
void cqrs_openapi_end(cqrs_openapi_ctx_t *ctx);
void cqrs_openapi_end_key(cqrs_openapi_ctx_t *ctx);

/* Adds a part of a URI's path, or of a JSON pointer in a URI's fragment. */
void cqrs_openapi_add_segment(cqrs_openapi_ctx_t *ctx, const cqrs_str_t *text);
void cqrs_openapi_add_pointer(cqrs_openapi_ctx_t *ctx, const cqrs_str_t *text);


#endif /* CQRS_OPENAPI_STATE_H */
