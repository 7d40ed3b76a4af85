
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * One execution of a query on a connection: what is sent, and what the answers
 * belong to.
 *
 * What was sent is answered, whether or not somebody waits for it still.  So a
 * run outlives its query when the client leaves or the query is run again
 * elsewhere, and what it is answered is dropped then.
 */

#ifndef NGX_CQRS_PG_RUN_H
#define NGX_CQRS_PG_RUN_H


#include "ngx_cqrs_pg_conn.h"


/* A statement as this connection knows it. */
typedef struct {
    ngx_uint_t           number;       /* of its name; 0: it has none */
    ngx_uint_t           unprepared;   /* until the server says so */
    ngx_uint_t           fresh;        /* is prepared by this run */
} ngx_cqrs_pg_run_statement_t;


struct ngx_cqrs_pg_run_s {
    ngx_queue_t          queue;        /* in conn->runs */
    ngx_cqrs_pg_conn_t  *conn;
    ngx_cqrs_pg_op_t    *op;           /* NULL: nobody waits for it */
    ngx_msec_t           left;         /* since then */
    const char          *why;          /* and that is the reason, for logs */

    uint32_t             hash;         /* see ngx_cqrs_pg_op_s */
    ngx_uint_t           slow;         /* it is counted as such */
    ngx_uint_t           paused;       /* it was, so it says nothing of time */

    ngx_uint_t           block;        /* it is one of a group */
    ngx_uint_t           before;       /* answers before its own */
    ngx_uint_t           answers;      /* of statements, without an error */
    ngx_uint_t           failed;
    ngx_uint_t           skipped;      /* since one before it failed */

    /*
     * What is wrong is only that this connection had something prepared that
     * the server does not have, or can't use any more.  The query is run
     * again; what was wrong is not in the cache then.
     */
    ngx_uint_t           repair;

    ngx_uint_t                    n;
    ngx_cqrs_pg_run_statement_t   statements[1];
};


/* Of an op that has none.  NULL when memory is short. */
ngx_cqrs_pg_run_t *ngx_cqrs_pg_run_create(ngx_cqrs_pg_op_t *op);

/* It is in no queue. */
void ngx_cqrs_pg_run_destroy(ngx_cqrs_pg_run_t *run);

/* Its op goes away; why is a sentence's end for logs. */
void ngx_cqrs_pg_run_leave(ngx_cqrs_pg_run_t *run, const char *why);

/* Gives all of it to libpq; a Sync is to follow, after the whole group. */
ngx_int_t ngx_cqrs_pg_run_send(ngx_cqrs_pg_run_t *run);

/* Before libpq reads: shall it give the rows that come one by one? */
ngx_uint_t ngx_cqrs_pg_run_by_rows(ngx_cqrs_pg_run_t *run);

/*
 * Takes one of its answers.  NGX_DONE: it was the last one.  NGX_OK: there are
 * more, or the Sync is it.  The op's row handler may be called.
 */
ngx_int_t ngx_cqrs_pg_run_answer(ngx_cqrs_pg_run_t *run, PGresult *result);

/* It has all its answers: gives the op its status. */
void ngx_cqrs_pg_run_end(ngx_cqrs_pg_run_t *run);


#endif /* NGX_CQRS_PG_RUN_H */
