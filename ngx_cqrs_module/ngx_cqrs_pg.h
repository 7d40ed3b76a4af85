
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Postgres for one worker: a pool of connections and a queue of queries.
 *
 * A query is queued here, runs on one connection, and its handler is called
 * exactly once: with results, or with the reason why there are none.  A caller
 * that goes away first says ngx_cqrs_pg_cancel(); then nothing is called.
 *
 * A query is one or more statements, that are sent in one write and are one
 * transaction: what one sets locally holds for those after it, and after one
 * that failed none is run.
 *
 * Queries only read: the session is read only, and a query whose connection
 * broke before the answer was complete is run once more, all of it.  So is one
 * that has not begun to answer because another runs before it for long.
 */

#ifndef NGX_CQRS_PG_H
#define NGX_CQRS_PG_H


#include "ngx_cqrs_backend.h"

#include <libpq-fe.h>


typedef struct ngx_cqrs_pg_s     ngx_cqrs_pg_t;
typedef struct ngx_cqrs_pg_op_s  ngx_cqrs_pg_op_t;


typedef enum {
    NGX_CQRS_PG_OK = 0,        /* each result holds rows or a command's tag */
    NGX_CQRS_PG_FAILED,        /* the last result holds Postgres' own error */
    NGX_CQRS_PG_UNAVAILABLE,   /* no connection within the time limit */
    NGX_CQRS_PG_OCCUPIED,      /* the same, because others ran all the time */
    NGX_CQRS_PG_OVERLOADED,    /* the queue is full */
    NGX_CQRS_PG_TIMED_OUT,     /* it ran too long */
    NGX_CQRS_PG_LOST           /* the connection broke while it ran, twice */
} ngx_cqrs_pg_status_e;


/*
 * Called once.  OK: there is a result for each statement.  FAILED: there is
 * one for each that was run, so the last one is of that which failed.  Else
 * n is 0.  Results are borrowed: they are cleared when the handler returns,
 * but for those that were taken.
 */
typedef void (*ngx_cqrs_pg_handler_pt)(ngx_cqrs_pg_status_e status,
    PGresult **results, ngx_uint_t n, void *data);


typedef struct {
    ngx_str_t                            sql;       /* $1, $2...; it will be
                                                       prepared */
    ngx_uint_t                           nparams;
    const char *const                   *params;    /* text; NULL is null */
    ngx_uint_t                           binary;    /* format of its columns */
} ngx_cqrs_pg_statement_text_t;


/*
 * Called with each row of one of the statements, as a result that holds this
 * row alone.  NGX_OK: it is borrowed.  NGX_DONE: it is the caller's now, who
 * says PQclear().  It may call ngx_cqrs_pg_pause() and ngx_cqrs_pg_cancel().
 */
typedef ngx_int_t (*ngx_cqrs_pg_row_pt)(PGresult *row, void *data);

/*
 * The rows so far are void: the query is run again, and will give all of them.
 * NGX_ERROR: it is too late for that; then its status is LOST.  It must not
 * call anything of this page.
 */
typedef ngx_int_t (*ngx_cqrs_pg_again_pt)(void *data);


/* To be zeroed before it is filled. */
typedef struct {
    const ngx_cqrs_pg_statement_text_t  *statements;
    ngx_uint_t                           n;         /* 1 or more */
    ngx_cqrs_pg_handler_pt               handler;
    void                                *data;

    /*
     * Both or none.  The result of that statement has no rows then, but still
     * says which columns they had.
     */
    ngx_cqrs_pg_row_pt                   row;
    ngx_cqrs_pg_again_pt                 again;
    ngx_uint_t                           rows_of;   /* from 0 */
} ngx_cqrs_pg_query_t;


/* More of them in one query are refused. */
#define NGX_CQRS_PG_STATEMENTS_OF_QUERY_MAX  32


extern const ngx_cqrs_backend_type_t  ngx_cqrs_pg_backend;


/*
 * Everything in the query is copied, but not what data points to.  Returns
 * NULL when memory is short, and then calls nothing.  The handler is never
 * called before this returns.
 */
ngx_cqrs_pg_op_t *ngx_cqrs_pg_query(ngx_cqrs_pg_t *pg,
    const ngx_cqrs_pg_query_t *query);

/*
 * In the handler: returns results[i], which is the caller's now, who says
 * PQclear(), and NULL in the array.
 */
PGresult *ngx_cqrs_pg_take_result(ngx_cqrs_pg_op_t *op, ngx_uint_t i);

/* The caller goes away: the query is dropped, or cancelled if it runs. */
void ngx_cqrs_pg_cancel(ngx_cqrs_pg_op_t *op);

/*
 * In the row handler: no row comes before ngx_cqrs_pg_resume(), and nothing is
 * read from the connection, so that a large answer waits in the server.  The
 * connection is taken for so long, and the time does not count as the query's.
 */
void ngx_cqrs_pg_pause(ngx_cqrs_pg_op_t *op);

/* Rows come from the event loop, not before this returns. */
void ngx_cqrs_pg_resume(ngx_cqrs_pg_op_t *op);

/* Is a session ours alone, so that it may listen?  Not with prepare=off. */
ngx_uint_t ngx_cqrs_pg_sessions(ngx_cqrs_pg_t *pg);

/* "database at host:port", for logs. */
ngx_str_t *ngx_cqrs_pg_label(ngx_cqrs_pg_t *pg);


#endif /* NGX_CQRS_PG_H */
