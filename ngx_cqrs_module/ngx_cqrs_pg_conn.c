
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * A connection is in libpq's pipeline mode from the moment it is there.  A
 * query is sent as some messages and a Sync, in one write:
 *
 *     deallocate the statements that must go  (the cache was full)
 *
 *     prepare                                 (its first time here)
 *     execute                                 both for each statement
 *
 * A statement is prepared after those before it were executed, for what they
 * set may say what its names mean.  SQL that is very long is not prepared: it
 * is hardly asked for again.
 *
 * Its answer is complete when the Sync comes back, and only then: whatever
 * breaks before that is a lost connection, also if some of the answer is
 * there.  So a server that says goodbye in the middle of a query is never
 * mistaken for a query that failed.
 *
 * Nothing here calls a query's handler; done() only posts it.  But lost() and
 * idle() may change the connection, so they are the last thing a function
 * does with it.
 */

#include "ngx_cqrs_pg_conn.h"

#include <openssl/ssl.h>


#define NGX_CQRS_PG_CONNECT_TIMEOUT  5000
#define NGX_CQRS_PG_PREPARE_MAX      8192  /* SQL that is kept for later */


static void ngx_cqrs_pg_conn_state(ngx_cqrs_pg_conn_t *conn,
    ngx_cqrs_pg_state_e state);
static void ngx_cqrs_pg_conn_read(void *data);
static void ngx_cqrs_pg_conn_notify(ngx_cqrs_pg_conn_t *conn);
static void ngx_cqrs_pg_conn_write(void *data);
static void ngx_cqrs_pg_conn_poll(ngx_cqrs_pg_conn_t *conn);
static void ngx_cqrs_pg_conn_ready(ngx_cqrs_pg_conn_t *conn);
static void ngx_cqrs_pg_conn_timeout(ngx_event_t *ev);
static ngx_int_t ngx_cqrs_pg_conn_watch(ngx_cqrs_pg_conn_t *conn,
    ngx_uint_t read, ngx_uint_t write);
static ngx_int_t ngx_cqrs_pg_conn_name(ngx_cqrs_pg_conn_t *conn,
    ngx_cqrs_pg_op_t *op, ngx_cqrs_pg_op_statement_t *st);
static ngx_int_t ngx_cqrs_pg_conn_execute(ngx_cqrs_pg_conn_t *conn,
    ngx_cqrs_pg_op_statement_t *st);
static ngx_int_t ngx_cqrs_pg_conn_flush(ngx_cqrs_pg_conn_t *conn);
static ngx_int_t ngx_cqrs_pg_conn_input(ngx_cqrs_pg_conn_t *conn);
static void ngx_cqrs_pg_conn_result(ngx_cqrs_pg_conn_t *conn,
    ngx_cqrs_pg_op_t *op, PGresult *result);
static void ngx_cqrs_pg_conn_done(ngx_cqrs_pg_conn_t *conn,
    ngx_cqrs_pg_op_t *op);
static void ngx_cqrs_pg_conn_lose(ngx_cqrs_pg_conn_t *conn,
    const char *reason);
static void ngx_cqrs_pg_conn_notice(void *data, const PGresult *result);


void
ngx_cqrs_pg_conn_init(ngx_cqrs_pg_conn_t *conn)
{
    conn->state = NGX_CQRS_PG_DOWN;
    conn->db = NULL;
    conn->fd = NULL;

    ngx_memzero(&conn->timer, sizeof(ngx_event_t));

    conn->timer.handler = ngx_cqrs_pg_conn_timeout;
    conn->timer.data = conn;
    conn->timer.log = conn->log;
    conn->timer.cancelable = 1;

    ngx_queue_init(&conn->ops);
    ngx_queue_insert_head(&conn->lists[NGX_CQRS_PG_DOWN], &conn->queue);

    ngx_cqrs_pg_statements_init(&conn->statements);
}


void
ngx_cqrs_pg_conn_open(ngx_cqrs_pg_conn_t *conn)
{
    ngx_cqrs_pg_conn_state(conn, NGX_CQRS_PG_CONNECTING);

    conn->db = PQconnectStartParams(conn->conf->keywords, conn->conf->values,
                                    0);

    if (conn->db == NULL) {
        ngx_cqrs_pg_conn_lose(conn, "no memory");
        return;
    }

    if (PQstatus(conn->db) == CONNECTION_BAD) {
        ngx_cqrs_pg_conn_lose(conn, NULL);
        return;
    }

    PQsetNoticeReceiver(conn->db, ngx_cqrs_pg_conn_notice, conn);

    ngx_add_timer(&conn->timer, NGX_CQRS_PG_CONNECT_TIMEOUT);

    if (ngx_cqrs_pg_conn_watch(conn, 0, 1) != NGX_OK) {
        ngx_cqrs_pg_conn_lose(conn, "the socket can't be watched");
    }
}


void
ngx_cqrs_pg_conn_send(ngx_cqrs_pg_conn_t *conn, ngx_cqrs_pg_op_t *op)
{
    ngx_uint_t  i;

    op->conn = conn;
    op->evictions = 0;
    op->answers = 0;
    op->failed = 0;

    ngx_queue_insert_tail(&conn->ops, &op->queue);
    ngx_cqrs_pg_conn_state(conn, NGX_CQRS_PG_BUSY);

    for (i = 0; i < op->n; i++) {
        if (ngx_cqrs_pg_conn_name(conn, op, &op->statements[i]) != NGX_OK) {
            goto failed;
        }
    }

    for (i = 0; i < op->n; i++) {
        if (ngx_cqrs_pg_conn_execute(conn, &op->statements[i]) != NGX_OK) {
            goto failed;
        }
    }

    if (PQpipelineSync(conn->db) && ngx_cqrs_pg_conn_flush(conn) == NGX_OK) {
        return;
    }

failed:

    ngx_cqrs_pg_conn_lose(conn, NULL);
}


void
ngx_cqrs_pg_conn_close(ngx_cqrs_pg_conn_t *conn)
{
    if (conn->timer.timer_set) {
        ngx_del_timer(&conn->timer);
    }

    if (PQsocket(conn->db) < 0) {
        ngx_cqrs_fd_closed(conn->fd);     /* by libpq, when it broke */

    } else {
        ngx_cqrs_fd_destroy(conn->fd);
    }

    conn->fd = NULL;

    PQfinish(conn->db);
    conn->db = NULL;

    ngx_cqrs_pg_statements_clear(&conn->statements);

    ngx_cqrs_pg_conn_state(conn, NGX_CQRS_PG_DOWN);
}


/* The pool finds its connections by state; the last one used comes first. */

static void
ngx_cqrs_pg_conn_state(ngx_cqrs_pg_conn_t *conn, ngx_cqrs_pg_state_e state)
{
    if (conn->state == state) {
        return;
    }

    ngx_queue_remove(&conn->queue);
    ngx_queue_insert_head(&conn->lists[state], &conn->queue);

    conn->state = state;
}


static void
ngx_cqrs_pg_conn_read(void *data)
{
    PGresult            *result;
    ngx_queue_t         *q;
    ngx_cqrs_pg_conn_t  *conn = data;

    if (conn->state == NGX_CQRS_PG_CONNECTING) {
        ngx_cqrs_pg_conn_poll(conn);
        return;
    }

    if (ngx_cqrs_pg_conn_input(conn) != NGX_OK) {
        ngx_cqrs_pg_conn_lose(conn, NULL);
        return;
    }

    /* PQisBusy() also reads what the server says unasked */

    while (!PQisBusy(conn->db) && !ngx_queue_empty(&conn->ops)) {

        result = PQgetResult(conn->db);

        if (result) {
            q = ngx_queue_head(&conn->ops);
            ngx_cqrs_pg_conn_result(conn,
                            ngx_queue_data(q, ngx_cqrs_pg_op_t, queue),
                            result);

        } else if (PQstatus(conn->db) == CONNECTION_BAD) {
            break;
        }
    }

    if (PQstatus(conn->db) == CONNECTION_BAD
        || ngx_cqrs_pg_conn_flush(conn) != NGX_OK)
    {
        ngx_cqrs_pg_conn_lose(conn, NULL);
        return;
    }

    if (conn->handlers->notified) {
        ngx_cqrs_pg_conn_notify(conn);
    }

    if (ngx_queue_empty(&conn->ops)
        && (conn->state == NGX_CQRS_PG_BUSY || ngx_exiting))
    {
        ngx_cqrs_pg_conn_state(conn, NGX_CQRS_PG_IDLE);
        conn->handlers->idle(conn);
    }
}


static void
ngx_cqrs_pg_conn_notify(ngx_cqrs_pg_conn_t *conn)
{
    PGnotify  *notify;

    for ( ;; ) {
        notify = PQnotifies(conn->db);

        if (notify == NULL) {
            return;
        }

        conn->handlers->notified(conn, notify);

        PQfreemem(notify);
    }
}


static void
ngx_cqrs_pg_conn_write(void *data)
{
    ngx_cqrs_pg_conn_t  *conn = data;

    if (conn->state == NGX_CQRS_PG_CONNECTING) {
        ngx_cqrs_pg_conn_poll(conn);
        return;
    }

    if (ngx_cqrs_pg_conn_flush(conn) != NGX_OK) {
        ngx_cqrs_pg_conn_lose(conn, NULL);
    }
}


static void
ngx_cqrs_pg_conn_poll(ngx_cqrs_pg_conn_t *conn)
{
    ngx_int_t  rc;

    /* libpq may go on with another socket of the same number */

    ngx_cqrs_fd_destroy(conn->fd);
    conn->fd = NULL;

    switch (PQconnectPoll(conn->db)) {

    case PGRES_POLLING_OK:
        ngx_cqrs_pg_conn_ready(conn);
        return;

    case PGRES_POLLING_READING:
        rc = ngx_cqrs_pg_conn_watch(conn, 1, 0);
        break;

    case PGRES_POLLING_WRITING:
        rc = ngx_cqrs_pg_conn_watch(conn, 0, 1);
        break;

    default: /* PGRES_POLLING_FAILED */
        ngx_cqrs_pg_conn_lose(conn, NULL);
        return;
    }

    if (rc != NGX_OK) {
        ngx_cqrs_pg_conn_lose(conn, "the socket can't be watched");
    }
}


static void
ngx_cqrs_pg_conn_ready(ngx_cqrs_pg_conn_t *conn)
{
    ngx_del_timer(&conn->timer);

    if (PQsetnonblocking(conn->db, 1) != 0
        || !PQenterPipelineMode(conn->db)
        || ngx_cqrs_pg_conn_watch(conn, 1, 0) != NGX_OK)
    {
        ngx_cqrs_pg_conn_lose(conn, NULL);
        return;
    }

    ngx_cqrs_pg_conn_state(conn, NGX_CQRS_PG_IDLE);
    conn->handlers->idle(conn);
}


static void
ngx_cqrs_pg_conn_timeout(ngx_event_t *ev)
{
    ngx_cqrs_pg_conn_lose(ev->data, "no connection in time");
}


static ngx_int_t
ngx_cqrs_pg_conn_watch(ngx_cqrs_pg_conn_t *conn, ngx_uint_t read,
    ngx_uint_t write)
{
    conn->fd = ngx_cqrs_fd_create(PQsocket(conn->db), ngx_cqrs_pg_conn_read,
                                  ngx_cqrs_pg_conn_write, conn, conn->log);
    if (conn->fd == NULL) {
        return NGX_ERROR;
    }

    return ngx_cqrs_fd_want(conn->fd, read, write);
}


/*
 * Gives the statement the name that the server knows it by, or will know it by
 * when it comes to it.
 */

static ngx_int_t
ngx_cqrs_pg_conn_name(ngx_cqrs_pg_conn_t *conn, ngx_cqrs_pg_op_t *op,
    ngx_cqrs_pg_op_statement_t *st)
{
    u_char                    text[sizeof("deallocate q") + NGX_INT_T_LEN];
    ngx_uint_t                evicted;
    ngx_cqrs_pg_statement_t  *statement;

    st->number = 0;
    st->unprepared = 0;

    if (st->sql.len > NGX_CQRS_PG_PREPARE_MAX) {
        return NGX_OK;
    }

    statement = ngx_cqrs_pg_statement_find(&conn->statements, &st->sql,
                                           st->hash);
    if (statement) {
        st->number = statement->number;
        return NGX_OK;
    }

    statement = ngx_cqrs_pg_statement_add(&conn->statements, &st->sql,
                                          st->hash, &evicted, conn->log);
    if (statement == NULL) {
        return NGX_ERROR;
    }

    st->number = statement->number;
    st->unprepared = 1;

    if (evicted == 0) {
        return NGX_OK;
    }

    ngx_sprintf(text, "deallocate q%ui%Z", evicted);

    if (!PQsendQueryParams(conn->db, (char *) text, 0, NULL, NULL, NULL, NULL,
                           0))
    {
        return NGX_ERROR;
    }

    op->evictions++;

    return NGX_OK;
}


static ngx_int_t
ngx_cqrs_pg_conn_execute(ngx_cqrs_pg_conn_t *conn,
    ngx_cqrs_pg_op_statement_t *st)
{
    int     sent;
    char   *sql;
    u_char  name[NGX_INT_T_LEN + 2];

    sql = (char *) st->sql.data;

    if (st->number == 0) {
        sent = PQsendQueryParams(conn->db, sql, st->nparams, NULL, st->params,
                                 NULL, NULL, st->binary);

        return sent ? NGX_OK : NGX_ERROR;
    }

    ngx_sprintf(name, "q%ui%Z", st->number);

    if (st->unprepared
        && !PQsendPrepare(conn->db, (char *) name, sql, st->nparams, NULL))
    {
        return NGX_ERROR;
    }

    sent = PQsendQueryPrepared(conn->db, (char *) name, st->nparams,
                               st->params, NULL, NULL, st->binary);

    return sent ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_cqrs_pg_conn_flush(ngx_cqrs_pg_conn_t *conn)
{
    int  rc;

    rc = PQflush(conn->db);

    if (rc < 0) {
        return NGX_ERROR;
    }

    return ngx_cqrs_fd_want(conn->fd, 1, rc);
}


/* Over TLS a part may wait in OpenSSL, where the event loop can't see it. */

static ngx_int_t
ngx_cqrs_pg_conn_input(ngx_cqrs_pg_conn_t *conn)
{
    SSL  *ssl;

    do {
        if (!PQconsumeInput(conn->db)) {
            return NGX_ERROR;
        }

        ssl = PQsslStruct(conn->db, "OpenSSL");

    } while (ssl && SSL_pending(ssl) > 0);

    return NGX_OK;
}


/* Answers come in the order in which the messages were sent. */

static void
ngx_cqrs_pg_conn_result(ngx_cqrs_pg_conn_t *conn, ngx_cqrs_pg_op_t *op,
    PGresult *result)
{
    ngx_cqrs_pg_op_statement_t  *st;

    switch (PQresultStatus(result)) {

    case PGRES_PIPELINE_SYNC:
        PQclear(result);
        ngx_cqrs_pg_conn_done(conn, op);
        return;

    case PGRES_PIPELINE_ABORTED:
        PQclear(result);                   /* the error came before it */
        return;

    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
        break;

    default:

        /* when all were answered it is of the transaction's end */

        if (op->answers == op->n) {
            op->answers--;
        }

        PQclear(op->results[op->answers]);
        op->results[op->answers] = result;
        op->failed = 1;
        return;
    }

    st = &op->statements[op->answers];

    if (op->evictions) {
        op->evictions--;
        PQclear(result);

    } else if (op->answers < op->n && st->unprepared) {
        st->unprepared = 0;
        PQclear(result);

    } else if (op->answers < op->n) {
        PQclear(op->results[op->answers]);
        op->results[op->answers] = result;
        op->answers++;

    } else {
        PQclear(result);
    }
}


static void
ngx_cqrs_pg_conn_done(ngx_cqrs_pg_conn_t *conn, ngx_cqrs_pg_op_t *op)
{
    ngx_uint_t                   i;
    ngx_cqrs_pg_statement_t     *statement;
    ngx_cqrs_pg_op_statement_t  *st;

    for (i = 0; i < op->n; i++) {
        st = &op->statements[i];

        if (!st->unprepared) {
            continue;
        }

        statement = ngx_cqrs_pg_statement_find(&conn->statements, &st->sql,
                                               st->hash);

        if (statement && statement->number == st->number) {
            ngx_cqrs_pg_statement_remove(&conn->statements, statement);
        }
    }

    op->status = op->failed ? NGX_CQRS_PG_FAILED : NGX_CQRS_PG_OK;

    ngx_queue_remove(&op->queue);
    op->conn = NULL;

    conn->handlers->done(op);
}


/* The reason is libpq's where it is NULL. */

static void
ngx_cqrs_pg_conn_lose(ngx_cqrs_pg_conn_t *conn, const char *reason)
{
    u_char               *p, text[NGX_MAX_ERROR_STR / 4];
    ngx_str_t             line;
    ngx_cqrs_pg_state_e   was;

    if (reason == NULL) {
        reason = PQerrorMessage(conn->db);
    }

    p = ngx_cpystrn(text, (u_char *) reason, sizeof(text));

    while (p > text && p[-1] <= ' ') {
        p--;
    }

    line.data = text;
    line.len = p - text;

    for (p = text; p < text + line.len; p++) {
        if (*p < ' ') {
            *p = ' ';                      /* a log line is one line */
        }
    }

    was = conn->state;

    ngx_cqrs_pg_conn_close(conn);

    conn->handlers->lost(conn, was, &line);
}


static void
ngx_cqrs_pg_conn_notice(void *data, const PGresult *result)
{
    ngx_cqrs_pg_conn_t  *conn = data;

    ngx_log_debug1(NGX_LOG_DEBUG_CORE, conn->log, 0, "cqrs postgres: %s",
                   PQresultErrorMessage(result));
}
