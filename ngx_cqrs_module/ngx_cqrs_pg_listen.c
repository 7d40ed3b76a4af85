
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The connection is like one of the pool's, with a pool of one to itself, and
 * runs one query in its life.  It is not of the pool, because those are closed
 * to cancel a query, and may be those of a pooler that gives each transaction
 * another session.
 */

#include "ngx_cqrs_pg_listen.h"

#include "ngx_cqrs_pg_pool.h"

#include "cqrs_identifier.h"


#define NGX_CQRS_PG_LISTEN_STANDBY  60000 /* ms; it may be promoted */


typedef struct {
    ngx_queue_t                  queue;    /* in pg->listeners */
    ngx_cqrs_pg_conn_t           conn;
    ngx_queue_t                  lists[NGX_CQRS_PG_STATES];

    ngx_str_t                    channel;
    ngx_queue_t                  listens;  /* of ngx_cqrs_pg_listen_t */

    ngx_cqrs_pg_op_t             op;
    ngx_cqrs_pg_op_statement_t   statement;
    PGresult                    *result;

    ngx_uint_t                   ready;
    ngx_msec_t                   refused;  /* not to ask again so long */
    ngx_cqrs_backoff_t           backoff;
    ngx_event_t                  retry;
} ngx_cqrs_pg_listener_t;


static ngx_cqrs_pg_listener_t *ngx_cqrs_pg_listener(ngx_cqrs_pg_t *pg,
    ngx_str_t *channel);
static ngx_cqrs_pg_listener_t *ngx_cqrs_pg_listener_create(ngx_cqrs_pg_t *pg,
    ngx_str_t *channel, ngx_cycle_t *cycle);
static ngx_int_t ngx_cqrs_pg_listener_statement(
    ngx_cqrs_pg_listener_t *listener, ngx_cycle_t *cycle);
static void ngx_cqrs_pg_listener_open(ngx_event_t *ev);
static void ngx_cqrs_pg_listener_idle(ngx_cqrs_pg_conn_t *conn);
static void ngx_cqrs_pg_listener_send(ngx_cqrs_pg_listener_t *listener);
static void ngx_cqrs_pg_listener_first(ngx_cqrs_pg_run_t *run);
static void ngx_cqrs_pg_listener_done(ngx_cqrs_pg_run_t *run);
static void ngx_cqrs_pg_listener_lost(ngx_cqrs_pg_conn_t *conn,
    ngx_cqrs_pg_state_e was, ngx_str_t *reason);
static void ngx_cqrs_pg_listener_notified(ngx_cqrs_pg_conn_t *conn,
    PGnotify *notify);
static void ngx_cqrs_pg_listener_clear(ngx_cqrs_pg_listener_t *listener);
static void ngx_cqrs_pg_listener_away(ngx_cqrs_pg_listener_t *listener,
    ngx_msec_t delay);


static const ngx_cqrs_pg_conn_handlers_t  ngx_cqrs_pg_listener_handlers = {
    ngx_cqrs_pg_listener_idle,
    ngx_cqrs_pg_listener_first,
    ngx_cqrs_pg_listener_done,
    ngx_cqrs_pg_listener_lost,
    ngx_cqrs_pg_listener_notified
};


ngx_int_t
ngx_cqrs_pg_listen(ngx_cqrs_pg_t *pg, ngx_str_t *channel,
    ngx_cqrs_pg_listen_t *listen, ngx_cycle_t *cycle)
{
    ngx_cqrs_pg_listener_t  *listener;

    listener = ngx_cqrs_pg_listener(pg, channel);

    if (listener == NULL) {
        listener = ngx_cqrs_pg_listener_create(pg, channel, cycle);
        if (listener == NULL) {
            return NGX_ERROR;
        }
    }

    ngx_queue_insert_tail(&listener->listens, &listen->queue);

    return NGX_OK;
}


void
ngx_cqrs_pg_unlisten(ngx_cqrs_pg_t *pg, ngx_cqrs_pg_listen_t *listen)
{
    ngx_queue_t             *q, *next;
    ngx_cqrs_pg_listener_t  *listener;

    ngx_queue_remove(&listen->queue);

    for (q = ngx_queue_head(&pg->listeners);
         q != ngx_queue_sentinel(&pg->listeners);
         q = next)
    {
        next = ngx_queue_next(q);
        listener = ngx_queue_data(q, ngx_cqrs_pg_listener_t, queue);

        if (!ngx_queue_empty(&listener->listens)) {
            continue;
        }

        ngx_queue_remove(&listener->queue);

        ngx_cqrs_pg_conn_close(&listener->conn);
        ngx_cqrs_pg_listener_clear(listener);

        if (listener->retry.timer_set) {
            ngx_del_timer(&listener->retry);
        }
    }
}


static ngx_cqrs_pg_listener_t *
ngx_cqrs_pg_listener(ngx_cqrs_pg_t *pg, ngx_str_t *channel)
{
    ngx_queue_t             *q;
    ngx_cqrs_pg_listener_t  *listener;

    for (q = ngx_queue_head(&pg->listeners);
         q != ngx_queue_sentinel(&pg->listeners);
         q = ngx_queue_next(q))
    {
        listener = ngx_queue_data(q, ngx_cqrs_pg_listener_t, queue);

        if (listener->channel.len == channel->len
            && ngx_memcmp(listener->channel.data, channel->data, channel->len)
               == 0)
        {
            return listener;
        }
    }

    return NULL;
}


static ngx_cqrs_pg_listener_t *
ngx_cqrs_pg_listener_create(ngx_cqrs_pg_t *pg, ngx_str_t *channel,
    ngx_cycle_t *cycle)
{
    ngx_uint_t               i;
    ngx_cqrs_pg_conn_t      *conn;
    ngx_cqrs_pg_listener_t  *listener;

    listener = ngx_pcalloc(cycle->pool, sizeof(ngx_cqrs_pg_listener_t));
    if (listener == NULL) {
        return NULL;
    }

    listener->channel = *channel;

    if (ngx_cqrs_pg_listener_statement(listener, cycle) != NGX_OK) {
        return NULL;
    }

    for (i = 0; i < NGX_CQRS_PG_STATES; i++) {
        ngx_queue_init(&listener->lists[i]);
    }

    ngx_queue_init(&listener->listens);

    listener->op.pg = pg;
    listener->op.data = listener;
    listener->op.n = 1;
    listener->op.statements = &listener->statement;
    listener->op.results = &listener->result;

    listener->retry.handler = ngx_cqrs_pg_listener_open;
    listener->retry.data = listener;
    listener->retry.log = cycle->log;
    listener->retry.cancelable = 1;

    conn = &listener->conn;

    conn->lists = listener->lists;
    conn->pg = pg;
    conn->conf = &pg->conf;
    conn->handlers = &ngx_cqrs_pg_listener_handlers;
    conn->log = cycle->log;

    ngx_cqrs_pg_conn_init(conn);

    ngx_queue_insert_tail(&pg->listeners, &listener->queue);

    ngx_add_timer(&listener->retry, 1);

    return listener;
}


/* The name of a channel is an identifier and can't be a parameter. */

static ngx_int_t
ngx_cqrs_pg_listener_statement(ngx_cqrs_pg_listener_t *listener,
    ngx_cycle_t *cycle)
{
    u_char     *p;
    ngx_str_t  *sql;

    sql = &listener->statement.sql;

    p = ngx_pnalloc(cycle->pool,
                    sizeof("listen ")
                    + cqrs_identifier_size(listener->channel.len));
    if (p == NULL) {
        return NGX_ERROR;
    }

    sql->data = p;

    p = ngx_cpymem(p, "listen ", sizeof("listen ") - 1);
    p = (u_char *) cqrs_identifier((char *) p, (char *) listener->channel.data,
                                   listener->channel.len);
    *p = '\0';

    sql->len = p - sql->data;

    listener->statement.hash = ngx_murmur_hash2(sql->data, sql->len);

    return NGX_OK;
}


static void
ngx_cqrs_pg_listener_open(ngx_event_t *ev)
{
    ngx_cqrs_pg_listener_t  *listener;

    listener = ev->data;

    if (ngx_exiting) {
        return;
    }

    listener->refused = 0;

    ngx_cqrs_pg_conn_open(&listener->conn);
}


/* Connected, or the answer has come. */

static void
ngx_cqrs_pg_listener_idle(ngx_cqrs_pg_conn_t *conn)
{
    ngx_queue_t             *q;
    ngx_cqrs_pg_listen_t    *listen;
    ngx_cqrs_pg_listener_t  *listener;

    listener = ngx_queue_data(conn, ngx_cqrs_pg_listener_t, conn);

    if (ngx_exiting) {
        ngx_cqrs_pg_conn_close(conn);
        return;
    }

    if (listener->refused) {
        ngx_cqrs_pg_conn_close(conn);
        ngx_cqrs_pg_listener_away(listener, listener->refused);
        return;
    }

    if (!listener->ready) {
        ngx_cqrs_pg_listener_send(listener);
        return;
    }

    for (q = ngx_queue_head(&listener->listens);
         q != ngx_queue_sentinel(&listener->listens);
         q = ngx_queue_next(q))
    {
        listen = ngx_queue_data(q, ngx_cqrs_pg_listen_t, queue);
        listen->ready(listen->data);
    }
}


static void
ngx_cqrs_pg_listener_send(ngx_cqrs_pg_listener_t *listener)
{
    ngx_cqrs_pg_run_t  *run;

    run = ngx_cqrs_pg_run_create(&listener->op);

    if (run == NULL) {
        ngx_cqrs_pg_conn_close(&listener->conn);
        ngx_cqrs_pg_listener_away(listener,
                              ngx_cqrs_backoff_next(&listener->backoff));
        return;
    }

    ngx_cqrs_pg_conn_add(&listener->conn, run, 0);
    ngx_cqrs_pg_conn_send(&listener->conn);
}


static void
ngx_cqrs_pg_listener_first(ngx_cqrs_pg_run_t *run)
{
    /* void */
}


static void
ngx_cqrs_pg_listener_done(ngx_cqrs_pg_run_t *run)
{
    ngx_uint_t               level;
    const char              *state;
    ngx_cqrs_pg_op_t        *op;
    ngx_cqrs_pg_listener_t  *listener;

    op = run->op;
    listener = op->data;

    ngx_cqrs_pg_run_destroy(run);

    if (op->status == NGX_CQRS_PG_OK) {

        level = listener->backoff.failures ? NGX_LOG_NOTICE : NGX_LOG_INFO;

        ngx_log_error(level, listener->conn.log, 0,
                      "postgres \"%V\": listening to \"%V\"",
                      ngx_cqrs_pg_label(op->pg), &listener->channel);

        ngx_cqrs_backoff_reset(&listener->backoff);

        listener->ready = 1;

    } else {
        level = listener->backoff.failures ? NGX_LOG_INFO : NGX_LOG_WARN;

        ngx_log_error(level, listener->conn.log, 0,
                      "postgres \"%V\": can't listen to \"%V\": \"%s\"",
                      ngx_cqrs_pg_label(op->pg), &listener->channel,
                      PQresultErrorField(listener->result,
                                         PG_DIAG_MESSAGE_PRIMARY));

        listener->refused = ngx_cqrs_backoff_next(&listener->backoff);

        state = PQresultErrorField(listener->result, PG_DIAG_SQLSTATE);

        if (state && ngx_strcmp(state, "25006") == 0) {
            listener->refused = NGX_CQRS_PG_LISTEN_STANDBY;
        }
    }

    PQclear(listener->result);
    listener->result = NULL;
}


static void
ngx_cqrs_pg_listener_lost(ngx_cqrs_pg_conn_t *conn, ngx_cqrs_pg_state_e was,
    ngx_str_t *reason)
{
    ngx_uint_t               level;
    ngx_cqrs_pg_listener_t  *listener;

    listener = ngx_queue_data(conn, ngx_cqrs_pg_listener_t, conn);

    ngx_cqrs_pg_listener_clear(listener);

    level = listener->backoff.failures ? NGX_LOG_INFO : NGX_LOG_WARN;

    ngx_log_error(level, conn->log, 0,
                  "postgres \"%V\": not listening to \"%V\", %s: \"%V\"",
                  ngx_cqrs_pg_label(conn->pg), &listener->channel,
                  was == NGX_CQRS_PG_CONNECTING ? "connecting failed"
                                                : "connection lost",
                  reason);

    ngx_cqrs_pg_listener_away(listener,
                              ngx_cqrs_backoff_next(&listener->backoff));
}


/* Of what ran, when the connection is closed. */

static void
ngx_cqrs_pg_listener_clear(ngx_cqrs_pg_listener_t *listener)
{
    ngx_cqrs_pg_run_t  *run;

    run = ngx_cqrs_pg_conn_first(&listener->conn);

    if (run) {
        ngx_queue_remove(&run->queue);
        listener->conn.nruns--;

        ngx_cqrs_pg_run_destroy(run);
    }

    PQclear(listener->result);
    listener->result = NULL;
}


static void
ngx_cqrs_pg_listener_notified(ngx_cqrs_pg_conn_t *conn, PGnotify *notify)
{
    ngx_queue_t             *q;
    ngx_cqrs_pg_listen_t    *listen;
    ngx_cqrs_pg_listener_t  *listener;

    listener = ngx_queue_data(conn, ngx_cqrs_pg_listener_t, conn);

    for (q = ngx_queue_head(&listener->listens);
         q != ngx_queue_sentinel(&listener->listens);
         q = ngx_queue_next(q))
    {
        listen = ngx_queue_data(q, ngx_cqrs_pg_listen_t, queue);
        listen->notified(notify->extra, listen->data);
    }
}


static void
ngx_cqrs_pg_listener_away(ngx_cqrs_pg_listener_t *listener, ngx_msec_t delay)
{
    ngx_queue_t           *q;
    ngx_cqrs_pg_listen_t  *listen;

    listener->ready = 0;

    ngx_add_timer(&listener->retry, delay);

    for (q = ngx_queue_head(&listener->listens);
         q != ngx_queue_sentinel(&listener->listens);
         q = ngx_queue_next(q))
    {
        listen = ngx_queue_data(q, ngx_cqrs_pg_listen_t, queue);
        listen->away(listen->data);
    }
}
