
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * A connection is in libpq's pipeline mode from the moment it is there.  What
 * a query is sent as and what its answers mean is in ngx_cqrs_pg_run.c.
 *
 * Its answer is complete when the Sync comes back, and only then: whatever
 * breaks before that is a lost connection, also if some of the answer is
 * there.  So a server that says goodbye in the middle of a query is never
 * mistaken for a query that failed.
 *
 * Queries of a group have one Sync: with libpq before 17 each is a write of
 * its own, and to the server each is an answer of its own.  Those behind the
 * group have one each.  An error ends what follows it up to the Sync; in a
 * group its transaction stays open, too, so that whatever was sent behind it
 * is skipped, and then it is rolled back.
 *
 * Nothing here calls a query's handler; done() only posts it.  But a row's
 * handler is called, and may do what ngx_cqrs_pg.h allows: none of it closes
 * a connection.  lost() and idle() may, so they are the last thing a function
 * does with it.
 */

#include "ngx_cqrs_pg_pace.h"
#include "ngx_cqrs_pg_run.h"

#include <openssl/ssl.h>


#define NGX_CQRS_PG_CONNECT_TIMEOUT  5000


static ngx_int_t ngx_cqrs_pg_conn_sync(ngx_cqrs_pg_conn_t *conn);
static void ngx_cqrs_pg_conn_state(ngx_cqrs_pg_conn_t *conn,
    ngx_cqrs_pg_state_e state);
static void ngx_cqrs_pg_conn_read(void *data);
static void ngx_cqrs_pg_conn_write(void *data);
static void ngx_cqrs_pg_conn_poll(ngx_cqrs_pg_conn_t *conn);
static void ngx_cqrs_pg_conn_ready(ngx_cqrs_pg_conn_t *conn);
static void ngx_cqrs_pg_conn_timeout(ngx_event_t *ev);
static ngx_int_t ngx_cqrs_pg_conn_watch(ngx_cqrs_pg_conn_t *conn,
    ngx_uint_t read, ngx_uint_t write);
static void ngx_cqrs_pg_conn_more(ngx_event_t *ev);
static void ngx_cqrs_pg_conn_notify(ngx_cqrs_pg_conn_t *conn);
static ngx_int_t ngx_cqrs_pg_conn_flush(ngx_cqrs_pg_conn_t *conn);
static ngx_int_t ngx_cqrs_pg_conn_input(ngx_cqrs_pg_conn_t *conn);
static ngx_int_t ngx_cqrs_pg_conn_answers(ngx_cqrs_pg_conn_t *conn);
static ngx_int_t ngx_cqrs_pg_conn_synced(ngx_cqrs_pg_conn_t *conn);
static void ngx_cqrs_pg_conn_done(ngx_cqrs_pg_conn_t *conn);
static void ngx_cqrs_pg_conn_first_begins(ngx_cqrs_pg_conn_t *conn);
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

    ngx_memzero(&conn->more, sizeof(ngx_event_t));

    conn->more.handler = ngx_cqrs_pg_conn_more;
    conn->more.data = conn;
    conn->more.log = conn->log;

    conn->nruns = 0;
    conn->group = 0;
    conn->grouped = 0;
    conn->syncs = 0;
    conn->broken = 0;
    conn->blocks = 0;
    conn->paused = 0;
    conn->resumed = 0;

    ngx_queue_init(&conn->runs);
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
ngx_cqrs_pg_conn_add(ngx_cqrs_pg_conn_t *conn, ngx_cqrs_pg_run_t *run,
    ngx_uint_t grouped)
{
    ngx_uint_t    i;
    ngx_queue_t  *q;

    run->conn = conn;

    if (conn->state == NGX_CQRS_PG_IDLE) {
        conn->filled = 0;
        conn->group = 0;

        ngx_cqrs_pg_conn_state(conn, NGX_CQRS_PG_FILLING);
    }

    conn->nruns++;

    if (!grouped) {
        ngx_queue_insert_tail(&conn->runs, &run->queue);
        return;
    }

    q = &conn->runs;

    for (i = 0; i < conn->group; i++) {
        q = ngx_queue_next(q);
    }

    ngx_queue_insert_after(q, &run->queue);
    conn->group++;
}


void
ngx_cqrs_pg_conn_send(ngx_cqrs_pg_conn_t *conn)
{
    ngx_uint_t          i;
    ngx_queue_t        *q;
    ngx_cqrs_pg_run_t  *run;

    ngx_cqrs_pg_conn_state(conn, NGX_CQRS_PG_BUSY);

    conn->grouped = (conn->group > 1);
    conn->began = ngx_cqrs_pg_pace_now();

    for (q = ngx_queue_head(&conn->runs), i = 1;
         q != ngx_queue_sentinel(&conn->runs);
         q = ngx_queue_next(q), i++)
    {
        run = ngx_queue_data(q, ngx_cqrs_pg_run_t, queue);
        run->block = (conn->grouped && i <= conn->group);

        if (ngx_cqrs_pg_run_send(run) != NGX_OK
            || ((!run->block || i == conn->group)
                && ngx_cqrs_pg_conn_sync(conn) != NGX_OK))
        {
            ngx_cqrs_pg_conn_lose(conn, NULL);
            return;
        }
    }

    ngx_cqrs_pg_conn_first_begins(conn);

    if (ngx_cqrs_pg_conn_flush(conn) != NGX_OK) {
        ngx_cqrs_pg_conn_lose(conn, NULL);
    }
}


static ngx_int_t
ngx_cqrs_pg_conn_sync(ngx_cqrs_pg_conn_t *conn)
{
    int  sent;

    conn->syncs++;

#if defined(LIBPQ_HAS_SEND_PIPELINE_SYNC)

    sent = PQsendPipelineSync(conn->db);   /* leaves with what follows */

#else

    sent = PQpipelineSync(conn->db);       /* is a write of its own */

#endif

    return sent ? NGX_OK : NGX_ERROR;
}


void
ngx_cqrs_pg_conn_close(ngx_cqrs_pg_conn_t *conn)
{
    if (conn->timer.timer_set) {
        ngx_del_timer(&conn->timer);
    }

    if (conn->more.posted) {
        ngx_delete_posted_event(&conn->more);
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

    conn->grouped = 0;
    conn->syncs = 0;
    conn->broken = 0;
    conn->blocks = 0;
    conn->paused = 0;
    conn->resumed = 0;

    ngx_cqrs_pg_conn_state(conn, NGX_CQRS_PG_DOWN);
}


void
ngx_cqrs_pg_conn_pause(ngx_cqrs_pg_conn_t *conn, ngx_uint_t paused)
{
    conn->paused = paused;
    conn->resumed = !paused;

    ngx_post_event(&conn->more, &ngx_posted_events);
}


ngx_cqrs_pg_run_t *
ngx_cqrs_pg_conn_first(ngx_cqrs_pg_conn_t *conn)
{
    ngx_queue_t  *q;

    if (ngx_queue_empty(&conn->runs)) {
        return NULL;
    }

    q = ngx_queue_head(&conn->runs);

    return ngx_queue_data(q, ngx_cqrs_pg_run_t, queue);
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
    ngx_cqrs_pg_conn_t  *conn = data;

    if (conn->state == NGX_CQRS_PG_CONNECTING) {
        ngx_cqrs_pg_conn_poll(conn);
        return;
    }

    if (!conn->paused) {

        if (ngx_cqrs_pg_conn_input(conn) != NGX_OK
            || ngx_cqrs_pg_conn_answers(conn) != NGX_OK)
        {
            ngx_cqrs_pg_conn_lose(conn, NULL);
            return;
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

    if (conn->syncs == 0
        && (conn->state == NGX_CQRS_PG_BUSY || ngx_exiting))
    {
        ngx_cqrs_pg_conn_state(conn, NGX_CQRS_PG_IDLE);
        conn->handlers->idle(conn);
    }
}


/* Rows that libpq has already are wanted again, or none any more. */

static void
ngx_cqrs_pg_conn_more(ngx_event_t *ev)
{
    ngx_cqrs_pg_conn_t  *conn = ev->data;

    if (conn->resumed) {
        conn->resumed = 0;
        ngx_cqrs_pg_conn_read(conn);

    } else {
        ngx_cqrs_pg_conn_write(conn);
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


static ngx_int_t
ngx_cqrs_pg_conn_flush(ngx_cqrs_pg_conn_t *conn)
{
    int  rc;

    rc = PQflush(conn->db);

    if (rc < 0) {
        return NGX_ERROR;
    }

    return ngx_cqrs_fd_want(conn->fd, !conn->paused, rc);
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


/* PQisBusy() also reads what the server says unasked. */

static ngx_int_t
ngx_cqrs_pg_conn_answers(ngx_cqrs_pg_conn_t *conn)
{
    PGresult           *result;
    ngx_cqrs_pg_run_t  *run;

    while (!conn->paused) {

        run = ngx_cqrs_pg_conn_first(conn);

        /* between two answers it is refused, and then asked for again */

        if (run && ngx_cqrs_pg_run_by_rows(run)) {
            (void) PQsetSingleRowMode(conn->db);
        }

        if (PQisBusy(conn->db) || conn->syncs == 0) {
            return NGX_OK;
        }

        result = PQgetResult(conn->db);

        if (result == NULL) {
            if (PQstatus(conn->db) == CONNECTION_BAD) {
                return NGX_ERROR;
            }

            continue;
        }

        if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
            PQclear(result);

            if (ngx_cqrs_pg_conn_synced(conn) != NGX_OK) {
                return NGX_ERROR;
            }

        } else if (run == NULL) {
            PQclear(result);               /* of what was rolled back */

        } else if (ngx_cqrs_pg_run_answer(run, result) == NGX_DONE) {
            ngx_cqrs_pg_conn_done(conn);
            ngx_cqrs_pg_conn_first_begins(conn);
        }
    }

    return NGX_OK;
}


/* What is left of the group has failed; or it is the Sync of the next one. */

static ngx_int_t
ngx_cqrs_pg_conn_synced(ngx_cqrs_pg_conn_t *conn)
{
    ngx_cqrs_pg_run_t  *run;

    conn->syncs--;

    do {
        run = ngx_cqrs_pg_conn_first(conn);

        if (run == NULL || (conn->grouped && !run->block)) {
            break;
        }

        run->skipped = conn->broken;
        conn->broken |= (run->block && run->failed);

        ngx_cqrs_pg_conn_done(conn);

    } while (conn->grouped);

    conn->grouped = 0;

    if (conn->broken && conn->syncs == 0) {

        conn->broken = 0;

        if (!PQsendQueryParams(conn->db, "rollback", 0, NULL, NULL, NULL, NULL,
                               0)
            || ngx_cqrs_pg_conn_sync(conn) != NGX_OK)
        {
            return NGX_ERROR;
        }

        return ngx_cqrs_pg_conn_flush(conn);
    }

    ngx_cqrs_pg_conn_first_begins(conn);

    return NGX_OK;
}


static void
ngx_cqrs_pg_conn_done(ngx_cqrs_pg_conn_t *conn)
{
    ngx_cqrs_pg_run_t  *run;

    run = ngx_cqrs_pg_conn_first(conn);

    ngx_queue_remove(&run->queue);
    conn->nruns--;

    ngx_cqrs_pg_run_end(run);
    conn->handlers->done(run);
}


static void
ngx_cqrs_pg_conn_first_begins(ngx_cqrs_pg_conn_t *conn)
{
    ngx_cqrs_pg_run_t  *run;

    run = ngx_cqrs_pg_conn_first(conn);

    if (run) {
        conn->since = ngx_current_msec;

        if (!run->block) {
            conn->began = ngx_cqrs_pg_pace_now();
        }

        conn->handlers->first(run);
    }
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
