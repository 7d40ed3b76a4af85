
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * A query is sent as some messages:
 *
 *     begin                                   (it is one of a group)
 *     deallocate the statements that must go  (the cache was full)
 *
 *     prepare                                 (its first time here)
 *     execute                                 both for each statement
 *
 *     commit                                  (it is one of a group)
 *
 * A Sync ends a transaction, so what has one for itself needs no block.
 * Begin and commit are prepared too: conn->blocks is the number in the name of
 * the one, and the next number is in that of the other.
 *
 * A statement is prepared after those before it were executed, for what they
 * set may say what its names mean.  SQL that is very long is not prepared: it
 * is hardly asked for again.
 *
 * With prepare=off nothing is left in the session, not even our settings: a
 * first statement makes them for the transaction.  That it is read only can't
 * be undone afterwards, since a snapshot is taken then.
 *
 * Queries don't know of one another; but what one was to prepare and did not,
 * because it failed before, the next one misses.
 */

#include "ngx_cqrs_pg_run.h"


#define NGX_CQRS_PG_PREPARE_MAX  8192      /* SQL that is kept for later */
#define NGX_CQRS_PG_NAME         (sizeof("q") + NGX_INT_T_LEN)


static ngx_int_t ngx_cqrs_pg_run_prepare_blocks(ngx_cqrs_pg_run_t *run);
static ngx_int_t ngx_cqrs_pg_run_bound(ngx_cqrs_pg_run_t *run,
    const char *sql, ngx_uint_t number);
static void ngx_cqrs_pg_run_named(char *name, ngx_uint_t number);
static ngx_int_t ngx_cqrs_pg_run_before(ngx_cqrs_pg_run_t *run,
    const char *sql);
static ngx_int_t ngx_cqrs_pg_run_name(ngx_cqrs_pg_run_t *run, ngx_uint_t i);
static ngx_int_t ngx_cqrs_pg_run_deallocate(ngx_cqrs_pg_run_t *run);
static ngx_int_t ngx_cqrs_pg_run_execute(ngx_cqrs_pg_run_t *run,
    ngx_uint_t i);
static void ngx_cqrs_pg_run_row(ngx_cqrs_pg_run_t *run, PGresult *row);
static void ngx_cqrs_pg_run_keep(ngx_cqrs_pg_run_t *run, PGresult *result);
static void ngx_cqrs_pg_run_error(ngx_cqrs_pg_run_t *run, PGresult *result);
static ngx_uint_t ngx_cqrs_pg_run_replanned(PGresult *result);


static const char  ngx_cqrs_pg_run_read_only[] =
    "select pg_catalog.set_config('transaction_read_only', 'on', true),"
    " pg_catalog.set_config('datestyle', 'ISO', true)";


ngx_cqrs_pg_run_t *
ngx_cqrs_pg_run_create(ngx_cqrs_pg_op_t *op)
{
    size_t              size;
    ngx_cqrs_pg_run_t  *run;

    size = sizeof(ngx_cqrs_pg_run_t)
           + (op->n - 1) * sizeof(ngx_cqrs_pg_run_statement_t);

    run = ngx_calloc(size, ngx_cycle->log);
    if (run == NULL) {
        return NULL;
    }

    run->op = op;
    run->n = op->n;
    run->hash = op->hash;

    op->run = run;

    return run;
}


void
ngx_cqrs_pg_run_destroy(ngx_cqrs_pg_run_t *run)
{
    ngx_free(run);
}


void
ngx_cqrs_pg_run_leave(ngx_cqrs_pg_run_t *run, const char *why)
{
    run->op->run = NULL;

    run->op = NULL;
    run->left = ngx_current_msec;
    run->why = why;
}


ngx_int_t
ngx_cqrs_pg_run_send(ngx_cqrs_pg_run_t *run)
{
    ngx_uint_t           i;
    ngx_cqrs_pg_conn_t  *conn;

    conn = run->conn;

    if (run->block) {

        if (conn->conf->prepare && !conn->blocks
            && ngx_cqrs_pg_run_prepare_blocks(run) != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (ngx_cqrs_pg_run_bound(run, "begin", conn->blocks) != NGX_OK) {
            return NGX_ERROR;
        }

        run->before++;
    }

    if (conn->conf->prepare) {

        for (i = 0; i < run->n; i++) {
            if (ngx_cqrs_pg_run_name(run, i) != NGX_OK) {
                return NGX_ERROR;
            }
        }

        if (ngx_cqrs_pg_run_deallocate(run) != NGX_OK) {
            return NGX_ERROR;
        }

    } else if (ngx_cqrs_pg_run_before(run, ngx_cqrs_pg_run_read_only)
               != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < run->n; i++) {
        if (ngx_cqrs_pg_run_execute(run, i) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return run->block
           ? ngx_cqrs_pg_run_bound(run, "commit", conn->blocks + 1)
           : NGX_OK;
}


static ngx_int_t
ngx_cqrs_pg_run_prepare_blocks(ngx_cqrs_pg_run_t *run)
{
    char                 begin[NGX_CQRS_PG_NAME], commit[NGX_CQRS_PG_NAME];
    ngx_cqrs_pg_conn_t  *conn;

    conn = run->conn;

    conn->blocks = conn->statements.last + 1;
    conn->statements.last += 2;

    ngx_cqrs_pg_run_named(begin, conn->blocks);
    ngx_cqrs_pg_run_named(commit, conn->blocks + 1);

    if (!PQsendPrepare(conn->db, begin, "begin", 0, NULL)
        || !PQsendPrepare(conn->db, commit, "commit", 0, NULL))
    {
        return NGX_ERROR;
    }

    run->before += 2;

    return NGX_OK;
}


/* Where a block begins or ends. */

static ngx_int_t
ngx_cqrs_pg_run_bound(ngx_cqrs_pg_run_t *run, const char *sql,
    ngx_uint_t number)
{
    int      sent;
    char     name[NGX_CQRS_PG_NAME];
    PGconn  *db;

    db = run->conn->db;

    if (run->conn->conf->prepare) {
        ngx_cqrs_pg_run_named(name, number);

        sent = PQsendQueryPrepared(db, name, 0, NULL, NULL, NULL, 0);

    } else {
        sent = PQsendQueryParams(db, sql, 0, NULL, NULL, NULL, NULL, 0);
    }

    return sent ? NGX_OK : NGX_ERROR;
}


static void
ngx_cqrs_pg_run_named(char *name, ngx_uint_t number)
{
    ngx_sprintf((u_char *) name, "q%ui%Z", number);
}


static ngx_int_t
ngx_cqrs_pg_run_before(ngx_cqrs_pg_run_t *run, const char *sql)
{
    if (!PQsendQueryParams(run->conn->db, sql, 0, NULL, NULL, NULL, NULL, 0)) {
        return NGX_ERROR;
    }

    run->before++;

    return NGX_OK;
}


/*
 * Gives the statement the name that the server knows it by, or will know it by
 * when it comes to it.
 */

static ngx_int_t
ngx_cqrs_pg_run_name(ngx_cqrs_pg_run_t *run, ngx_uint_t i)
{
    ngx_cqrs_pg_conn_t           *conn;
    ngx_cqrs_pg_statement_t      *statement;
    ngx_cqrs_pg_op_statement_t   *text;
    ngx_cqrs_pg_run_statement_t  *st;

    conn = run->conn;
    text = &run->op->statements[i];
    st = &run->statements[i];

    if (text->sql.len > NGX_CQRS_PG_PREPARE_MAX) {
        return NGX_OK;
    }

    statement = ngx_cqrs_pg_statement_find(&conn->statements, &text->sql,
                                           text->hash);
    if (statement) {
        st->number = statement->number;
        return NGX_OK;
    }

    statement = ngx_cqrs_pg_statement_add(&conn->statements, &text->sql,
                                          text->hash, conn->log);
    if (statement == NULL) {
        return NGX_ERROR;
    }

    st->number = statement->number;
    st->unprepared = 1;
    st->fresh = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_cqrs_pg_run_deallocate(ngx_cqrs_pg_run_t *run)
{
    u_char      text[sizeof("deallocate q") + NGX_INT_T_LEN];
    ngx_uint_t  number;

    for ( ;; ) {
        number = ngx_cqrs_pg_statement_evicted(&run->conn->statements);

        if (number == 0) {
            return NGX_OK;
        }

        ngx_sprintf(text, "deallocate q%ui%Z", number);

        if (ngx_cqrs_pg_run_before(run, (char *) text) != NGX_OK) {
            return NGX_ERROR;
        }
    }
}


static ngx_int_t
ngx_cqrs_pg_run_execute(ngx_cqrs_pg_run_t *run, ngx_uint_t i)
{
    int                           sent;
    char                         *sql;
    char                          name[NGX_CQRS_PG_NAME];
    PGconn                       *db;
    ngx_cqrs_pg_op_statement_t   *text;
    ngx_cqrs_pg_run_statement_t  *st;

    db = run->conn->db;
    text = &run->op->statements[i];
    st = &run->statements[i];

    sql = (char *) text->sql.data;

    if (st->number == 0) {
        sent = PQsendQueryParams(db, sql, text->nparams, NULL, text->params,
                                 NULL, NULL, text->binary);

        return sent ? NGX_OK : NGX_ERROR;
    }

    ngx_cqrs_pg_run_named(name, st->number);

    /* a statement may be there twice in one query */

    if (st->fresh
        && !PQsendPrepare(db, name, sql, text->nparams, NULL))
    {
        return NGX_ERROR;
    }

    sent = PQsendQueryPrepared(db, name, text->nparams, text->params, NULL,
                               NULL, text->binary);

    return sent ? NGX_OK : NGX_ERROR;
}


ngx_uint_t
ngx_cqrs_pg_run_by_rows(ngx_cqrs_pg_run_t *run)
{
    if (run->before
        || run->answers == run->n
        || run->statements[run->answers].unprepared)
    {
        return 0;
    }

    /* what nobody waits for is not to be collected in memory */

    return run->op == NULL
           || (run->op->row && run->answers == run->op->rows_of);
}


/* They come in the order in which the messages were sent. */

ngx_int_t
ngx_cqrs_pg_run_answer(ngx_cqrs_pg_run_t *run, PGresult *result)
{
    switch (PQresultStatus(result)) {

    case PGRES_PIPELINE_ABORTED:
        PQclear(result);                   /* the error came before it */
        return NGX_OK;

    case PGRES_SINGLE_TUPLE:
        ngx_cqrs_pg_run_row(run, result);
        return NGX_OK;

    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
        break;

    default:
        ngx_cqrs_pg_run_error(run, result);
        return NGX_OK;
    }

    if (run->before) {
        run->before--;
        PQclear(result);

    } else if (run->answers == run->n) {
        PQclear(result);
        return NGX_DONE;                   /* the block is committed */

    } else if (run->statements[run->answers].unprepared) {
        run->statements[run->answers].unprepared = 0;
        PQclear(result);

    } else {
        ngx_cqrs_pg_run_keep(run, result);
        run->answers++;
    }

    return NGX_OK;
}


static void
ngx_cqrs_pg_run_row(ngx_cqrs_pg_run_t *run, PGresult *row)
{
    ngx_cqrs_pg_op_t  *op;

    op = run->op;

    if (op) {
        op->rows++;

        if (op->row(row, op->data) == NGX_DONE) {
            return;
        }
    }

    PQclear(row);
}


static void
ngx_cqrs_pg_run_keep(ngx_cqrs_pg_run_t *run, PGresult *result)
{
    PGresult  **place;

    if (run->op == NULL) {
        PQclear(result);
        return;
    }

    place = &run->op->results[run->answers];

    PQclear(*place);
    *place = result;
}


static void
ngx_cqrs_pg_run_error(ngx_cqrs_pg_run_t *run, PGresult *result)
{
    const char                   *code;
    ngx_uint_t                    bound;
    ngx_cqrs_pg_run_statement_t  *st;

    /* when all were answered it is of the transaction's end */

    bound = run->before || run->answers == run->n;

    if (run->answers == run->n) {
        run->answers--;
    }

    st = &run->statements[run->answers];
    code = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    run->failed = 1;

    if (code && run->conn->conf->prepare) {

        if (ngx_strcmp(code, "26000") == 0
            && (bound || (st->number && !st->fresh)))
        {
            run->repair = 1;

            /* where one is missed, it was hardly the only one */

            ngx_cqrs_pg_statements_clear(&run->conn->statements);
            run->conn->blocks = 0;

        } else if (!bound && st->number
                   && ngx_strcmp(code, "0A000") == 0
                   && ngx_cqrs_pg_run_replanned(result))
        {
            run->repair = 1;

            ngx_cqrs_pg_statement_evict(&run->conn->statements, st->number);
        }
    }

    ngx_cqrs_pg_run_keep(run, result);
}


/* A table was altered, and a statement would now give other columns. */

static ngx_uint_t
ngx_cqrs_pg_run_replanned(PGresult *result)
{
    const char  *function;

    function = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);

    return function && ngx_strcmp(function, "RevalidateCachedQuery") == 0;
}


void
ngx_cqrs_pg_run_end(ngx_cqrs_pg_run_t *run)
{
    ngx_uint_t  i;

    for (i = 0; i < run->n; i++) {
        if (run->statements[i].unprepared) {
            ngx_cqrs_pg_statement_forget(&run->conn->statements,
                                         run->statements[i].number);
        }
    }

    if (run->op) {
        run->op->answers = run->answers;
        run->op->status = run->failed ? NGX_CQRS_PG_FAILED : NGX_CQRS_PG_OK;
    }
}
