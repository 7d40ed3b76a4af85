
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * One query of a client, as the files of its handler see it; everybody else
 * includes ngx_http_cqrs_query.h.
 *
 *   _request.c   what is asked
 *   _role.c      who asks
 *   _settings.c  what the transaction is to know of both
 *   _plan.c      the statements
 *   _sql.c       or one that is given
 *   _handler.c   their way, from the client and back
 *   _info.c      OPTIONS
 *   _rows.c      what was found becomes a body
 *   _reply.c     the answer to it
 *   _error.c     or the reason why there is none
 *   _headers.c   what every answer has
 *
 * Functions that take an error return NGX_OK, or NGX_ERROR with it filled in.
 */

#ifndef NGX_HTTP_CQRS_QUERY_CTX_H
#define NGX_HTTP_CQRS_QUERY_CTX_H


#include "ngx_http_cqrs_query.h"
#include "ngx_http_cqrs_query_body.h"

#include "cqrs_answer.h"
#include "cqrs_media.h"
#include "cqrs_preferences.h"
#include "cqrs_query.h"
#include "cqrs_query_memo.h"
#include "cqrs_query_plan.h"


#define NGX_HTTP_CQRS_QUERY_STATEMENTS_MAX  5
#define NGX_HTTP_CQRS_QUERY_HEADERS_MAX     16
#define NGX_HTTP_CQRS_QUERY_NONE            NGX_HTTP_CQRS_QUERY_STATEMENTS_MAX


typedef enum {
    NGX_HTTP_CQRS_QUERY_ACTIVE = 0,
    NGX_HTTP_CQRS_QUERY_CATALOG,                 /* ctx->wait */
    NGX_HTTP_CQRS_QUERY_ROWS                     /* ctx->op */
} ngx_http_cqrs_query_state_e;


typedef enum {
    NGX_HTTP_CQRS_QUERY_ROOT = 0,
    NGX_HTTP_CQRS_QUERY_RELATION,
    NGX_HTTP_CQRS_QUERY_FUNCTION,
    NGX_HTTP_CQRS_QUERY_TEXT                     /* cqrs_sql */
} ngx_http_cqrs_query_kind_e;


/* For Server-Timing; in its order. */
typedef enum {
    NGX_HTTP_CQRS_QUERY_JWT = 0,
    NGX_HTTP_CQRS_QUERY_PARSE,
    NGX_HTTP_CQRS_QUERY_PLAN,
    NGX_HTTP_CQRS_QUERY_TRANSACTION,
    NGX_HTTP_CQRS_QUERY_RESPONSE,
    NGX_HTTP_CQRS_QUERY_STEPS
} ngx_http_cqrs_query_step_e;


typedef struct {
    const char                      *name;
    ngx_str_t                        value;
} ngx_http_cqrs_query_header_t;


/* In the request's pool. */
typedef struct {
    ngx_http_cqrs_query_state_e      state;
    ngx_http_request_t              *request;
    ngx_http_cqrs_query_loc_conf_t  *conf;
    cqrs_arena_t                     arena;

    /* who asks */
    cqrs_str_t                       role;       /* absent: nobody is set */
    cqrs_str_t                       claims;     /* JSON, or absent */
    ngx_uint_t                       anonymous;

    /* what is asked */
    ngx_http_cqrs_query_kind_e       kind;
    ngx_str_t                        path;       /* decoded, below the root */
    cqrs_str_t                       name;
    cqrs_str_t                       schema;
    ngx_uint_t                       profile;    /* it was negotiated */
    cqrs_preferences_t               preferences;
    cqrs_str_t                       accept;     /* all of it */
    cqrs_media_list_t                accepted;
    cqrs_query_pairs_t               pairs;
    cqrs_query_t                     query;
    cqrs_query_key_t                 key;
    ngx_uint_t                       keyed;      /* it has one, and */
    ngx_uint_t                       recalled;   /* its plan is known */
    cqrs_query_error_t               misplaced;  /* of what no embed is for */

    /* how it is answered */
    cqrs_media_t                     media;
    cqrs_query_options_t             options;
    cqrs_query_plan_t                plan;
    ngx_uint_t                       refused;    /* the answer is an error */
    ngx_uint_t                       nothing;    /* a function gives none */
    ngx_uint_t                       set;        /* a function gives many */
    ngx_uint_t                       careful;    /* Postgres makes the JSON */

    ngx_cqrs_pg_statement_text_t     statements[
                                         NGX_HTTP_CQRS_QUERY_STATEMENTS_MAX];
    ngx_uint_t                       n;
    ngx_uint_t                       main;       /* which of them is what */
    ngx_uint_t                       said;
    ngx_uint_t                       estimate;

    ngx_uint_t                       loads;      /* of the catalogue, for it */
    ngx_cqrs_catalog_wait_t          wait;
    ngx_cqrs_pg_op_t                *op;

    ngx_http_cqrs_query_body_t       body;
    cqrs_str_t                      *values;     /* of one row */
    int64_t                          rows;       /* in it */
    ngx_uint_t                       unfit;      /* they can't be made JSON */
    ngx_uint_t                       failed;     /* no memory for them */

    cqrs_answer_t                    answer;     /* the database's own words */
    ngx_http_cqrs_query_header_t     headers[
                                         NGX_HTTP_CQRS_QUERY_HEADERS_MAX];
    ngx_uint_t                       nheaders;

    uint64_t                         began;      /* microseconds */
    uint64_t                         steps[NGX_HTTP_CQRS_QUERY_STEPS];
} ngx_http_cqrs_query_ctx_t;


/* What was found. */
typedef struct {
    int64_t                          rows;
    int64_t                          total;      /* -1: unknown */
    const char                      *status;     /* settings, or NULL */
    const char                      *headers;
} ngx_http_cqrs_query_found_t;


/* _handler.c: an arena of the request's own, up to that limit */

ngx_int_t ngx_http_cqrs_query_arena(ngx_http_request_t *r,
    cqrs_arena_t *arena, size_t limit);


/* _request.c */

ngx_int_t ngx_http_cqrs_query_request(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_query_error_t *error);

/*
 * Reads the arguments, anew each time: a plan changes what they became.  Those
 * whose plan is known have it then.
 */
ngx_int_t ngx_http_cqrs_query_arguments(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_query_error_t *error);

/* The first header of the request with that name, in lower case, or NULL. */
ngx_str_t *ngx_http_cqrs_query_request_header(ngx_http_request_t *r,
    ngx_str_t *name);


/* _role.c */

ngx_int_t ngx_http_cqrs_query_identify(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_query_error_t *error);


/* _settings.c: the function is the one that is called, or NULL */

ngx_int_t ngx_http_cqrs_query_settings(ngx_http_cqrs_query_ctx_t *ctx,
    const cqrs_function_t *function, cqrs_query_sql_t *sql,
    cqrs_query_error_t *error);


/* _plan.c: there is a catalogue */

ngx_int_t ngx_http_cqrs_query_plan(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_query_error_t *error);

/* The function that would be called; NULL: none, and the error says why. */
const cqrs_function_t *ngx_http_cqrs_query_callee(
    ngx_http_cqrs_query_ctx_t *ctx, cqrs_query_error_t *error);

/* The settings and the function that goes before, for whatever follows. */
ngx_int_t ngx_http_cqrs_query_prepare(ngx_http_cqrs_query_ctx_t *ctx,
    const cqrs_function_t *function, cqrs_query_error_t *error);


/* _sql.c: plans the statement of cqrs_sql, without a catalogue */

ngx_int_t ngx_http_cqrs_query_given(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_query_error_t *error);


/* _info.c: there is a catalogue, too */

ngx_int_t ngx_http_cqrs_query_info(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_query_error_t *error, ngx_int_t *rc);


/* _rows.c: the answer's body is made, and the rest of what was found told */

/* Does one row after the other come, because there may be many? */
ngx_uint_t ngx_http_cqrs_query_many(const ngx_http_cqrs_query_ctx_t *ctx);

/* For ngx_cqrs_pg_query_t, then. */
ngx_int_t ngx_http_cqrs_query_row(PGresult *row, void *data);
ngx_int_t ngx_http_cqrs_query_row_again(void *data);

/*
 * Takes the result, or what is left of it.  Memory is short if it fails; if it
 * declines, a column is of another type than the catalogue knew.
 */
ngx_int_t ngx_http_cqrs_query_rows(ngx_http_cqrs_query_ctx_t *ctx,
    PGresult *result, ngx_http_cqrs_query_found_t *found);


/* The rest returns what ngx_http_finalize_request() takes. */

/* _reply.c */

ngx_int_t ngx_http_cqrs_query_reply(ngx_http_cqrs_query_ctx_t *ctx,
    PGresult **results);


/* _error.c */

ngx_int_t ngx_http_cqrs_query_error(ngx_http_cqrs_query_ctx_t *ctx,
    const cqrs_query_error_t *error);

/* Postgres' own; place is which of the statements failed. */
ngx_int_t ngx_http_cqrs_query_failure(ngx_http_cqrs_query_ctx_t *ctx,
    PGresult *result, ngx_uint_t place);

/* There is no result, for that reason. */
ngx_int_t ngx_http_cqrs_query_no_result(ngx_http_cqrs_query_ctx_t *ctx,
    ngx_cqrs_pg_status_e status);

/* {"code": ..., "message": ..., "details": ..., "hint": ...} */
ngx_int_t ngx_http_cqrs_query_error_body(ngx_http_cqrs_query_ctx_t *ctx,
    const cqrs_query_error_t *error, ngx_str_t *body);


/* _headers.c */

/* Is it a browser asking for permission?  Then *rc is of the answer. */
ngx_uint_t ngx_http_cqrs_query_preflight(ngx_http_cqrs_query_ctx_t *ctx,
    ngx_int_t *rc);

/* A header of ours, in which the database may have another say. */
void ngx_http_cqrs_query_header(ngx_http_cqrs_query_ctx_t *ctx,
    const char *name, const ngx_str_t *value);

/*
 * Sends the answer: our headers, the database's and those that all answers
 * have.  The type is that of ctx->media unless it is said.
 */
ngx_int_t ngx_http_cqrs_query_send(ngx_http_cqrs_query_ctx_t *ctx,
    ngx_uint_t status, const ngx_str_t *type, ngx_str_t *body);

/* The same for ctx->body. */
ngx_int_t ngx_http_cqrs_query_send_body(ngx_http_cqrs_query_ctx_t *ctx,
    ngx_uint_t status);

/* Ends a step of the way. */
void ngx_http_cqrs_query_step(ngx_http_cqrs_query_ctx_t *ctx,
    ngx_http_cqrs_query_step_e step);


#endif /* NGX_HTTP_CQRS_QUERY_CTX_H */
