
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * A query's way: it waits, runs, perhaps once more, and is done.
 *
 * A running query is cancelled by closing its connection, which the server
 * notices by the session's client_connection_check_interval.  Those sent with
 * it are run again on another connection, so it costs them nothing but time.
 * The protocol's own way asks for another connection and a key: the key is
 * hidden in libpq, whose PQcancel() blocks; and a cancel that comes late ends
 * whatever runs there by then.
 *
 * Because a new connection is dear, a query that nobody waits for any more
 * gets a moment to end by itself, see ngx_cqrs_pg_dispatch.c.
 */

#include "ngx_cqrs_pg_pool.h"

#include "ngx_cqrs_busy_poll.h"


#define NGX_CQRS_PG_RERUNS  1


static ngx_cqrs_backend_t *ngx_cqrs_pg_create(ngx_conf_t *cf);
static ngx_int_t ngx_cqrs_pg_start(ngx_cqrs_backend_t *backend,
    ngx_cycle_t *cycle);
static void ngx_cqrs_pg_stop(ngx_cqrs_backend_t *backend);
static ngx_cqrs_pg_op_t *ngx_cqrs_pg_op_create(ngx_cqrs_pg_t *pg,
    const ngx_cqrs_pg_query_t *query);
static char *ngx_cqrs_pg_op_copy(ngx_cqrs_pg_op_statement_t *st,
    const ngx_cqrs_pg_statement_text_t *text, const char **params, char *p);
static void ngx_cqrs_pg_op_clear(ngx_cqrs_pg_op_t *op);
static void ngx_cqrs_pg_op_handler(ngx_event_t *ev);
static void ngx_cqrs_pg_op_call(ngx_cqrs_pg_op_t *op);
static void ngx_cqrs_pg_op_timeout(ngx_cqrs_pg_op_t *op);
static ngx_uint_t ngx_cqrs_pg_op_answers(ngx_cqrs_pg_op_t *op);


const ngx_cqrs_backend_type_t  ngx_cqrs_pg_backend = {
    "postgres",
    ngx_cqrs_pg_create,
    ngx_cqrs_pg_start,
    ngx_cqrs_pg_stop
};


static ngx_cqrs_backend_t *
ngx_cqrs_pg_create(ngx_conf_t *cf)
{
    ngx_cqrs_pg_t  *pg;

    pg = ngx_pcalloc(cf->pool, sizeof(ngx_cqrs_pg_t));
    if (pg == NULL) {
        return NULL;
    }

    if (ngx_cqrs_pg_conf_read(cf, &pg->conf) != NGX_OK) {
        return NULL;
    }

    return &pg->backend;
}


static ngx_int_t
ngx_cqrs_pg_start(ngx_cqrs_backend_t *backend, ngx_cycle_t *cycle)
{
    return ngx_cqrs_pg_pool_start((ngx_cqrs_pg_t *) backend, cycle);
}


static void
ngx_cqrs_pg_stop(ngx_cqrs_backend_t *backend)
{
    ngx_cqrs_pg_pool_stop((ngx_cqrs_pg_t *) backend);
}


ngx_cqrs_pg_op_t *
ngx_cqrs_pg_query(ngx_cqrs_pg_t *pg, const ngx_cqrs_pg_query_t *query)
{
    ngx_cqrs_pg_op_t  *op;

    op = ngx_cqrs_pg_op_create(pg, query);
    if (op == NULL) {
        return NULL;
    }

    op->number = ++pg->last;
    op->deadline = ngx_current_msec + pg->conf.timeout;
    op->slow = ngx_cqrs_pg_pace_slow(&pg->pace, op->hash);

    if (!op->slow) {
        pg->quick = ngx_current_msec;
    }

    ngx_cqrs_pg_op_wait(op);
    ngx_cqrs_pg_pool_wake(pg);
    ngx_cqrs_busy_poll();

    return op;
}


PGresult *
ngx_cqrs_pg_take_result(ngx_cqrs_pg_op_t *op, ngx_uint_t i)
{
    PGresult  *result;

    result = op->results[i];
    op->results[i] = NULL;

    return result;
}


void
ngx_cqrs_pg_cancel(ngx_cqrs_pg_op_t *op)
{
    switch (op->state) {

    case NGX_CQRS_PG_OP_WAITING:
        ngx_cqrs_pg_op_unwait(op);
        ngx_cqrs_pg_op_destroy(op);
        return;

    case NGX_CQRS_PG_OP_RUNNING:
        ngx_cqrs_pg_resume(op);            /* nobody else would */
        ngx_cqrs_pg_run_leave(op->run, "client left");
        ngx_cqrs_pg_op_destroy(op);
        return;

    case NGX_CQRS_PG_OP_DONE:
        ngx_queue_remove(&op->queue);
        ngx_cqrs_pg_op_destroy(op);
        return;

    default: /* by its own handler, after which it is gone anyway */
        return;
    }
}


void
ngx_cqrs_pg_pause(ngx_cqrs_pg_op_t *op)
{
    if (!ngx_cqrs_pg_op_answers(op) || op->run->conn->paused) {
        return;
    }

    op->run->paused = 1;

    ngx_del_timer(&op->event);
    ngx_cqrs_pg_conn_pause(op->run->conn, 1);
}


void
ngx_cqrs_pg_resume(ngx_cqrs_pg_op_t *op)
{
    if (!ngx_cqrs_pg_op_answers(op) || !op->run->conn->paused) {
        return;
    }

    ngx_add_timer(&op->event, op->pg->conf.query_timeout);
    ngx_cqrs_pg_conn_pause(op->run->conn, 0);
}


ngx_uint_t
ngx_cqrs_pg_sessions(ngx_cqrs_pg_t *pg)
{
    return pg->conf.prepare;
}


ngx_str_t *
ngx_cqrs_pg_label(ngx_cqrs_pg_t *pg)
{
    return &pg->conf.label;
}


static ngx_cqrs_pg_op_t *
ngx_cqrs_pg_op_create(ngx_cqrs_pg_t *pg, const ngx_cqrs_pg_query_t *query)
{
    char                                *p;
    size_t                               size;
    ngx_uint_t                           i, j, nparams;
    const char                         **params;
    ngx_cqrs_pg_op_t                    *op;
    const ngx_cqrs_pg_statement_text_t  *text;

    if (query->n == 0 || query->n > NGX_CQRS_PG_STATEMENTS_OF_QUERY_MAX) {
        return NULL;
    }

    size = sizeof(ngx_cqrs_pg_op_t)
           + query->n * (sizeof(ngx_cqrs_pg_op_statement_t)
                         + sizeof(PGresult *));
    nparams = 0;

    for (i = 0; i < query->n; i++) {
        text = &query->statements[i];

        size += text->sql.len + 1 + text->nparams * sizeof(char *);
        nparams += text->nparams;

        for (j = 0; j < text->nparams; j++) {
            if (text->params[j]) {
                size += ngx_strlen(text->params[j]) + 1;
            }
        }
    }

    op = ngx_alloc(size, pg->log);
    if (op == NULL) {
        return NULL;
    }

    ngx_memzero(op, sizeof(ngx_cqrs_pg_op_t));

    op->pg = pg;
    op->handler = query->handler;
    op->row = query->row;
    op->again = query->again;
    op->rows_of = query->rows_of;
    op->data = query->data;

    op->event.handler = ngx_cqrs_pg_op_handler;
    op->event.data = op;
    op->event.log = pg->log;

    op->n = query->n;
    op->statements = (ngx_cqrs_pg_op_statement_t *) (op + 1);
    op->results = (PGresult **) (op->statements + op->n);

    ngx_memzero(op->statements,
                op->n * sizeof(ngx_cqrs_pg_op_statement_t));
    ngx_memzero(op->results, op->n * sizeof(PGresult *));

    params = (const char **) (op->results + op->n);
    p = (char *) (params + nparams);

    for (i = 0; i < op->n; i++) {
        p = ngx_cqrs_pg_op_copy(&op->statements[i], &query->statements[i],
                                params, p);
        params += op->statements[i].nparams;

        op->hash = op->hash * 31 + op->statements[i].hash;
    }

    return op;
}


static char *
ngx_cqrs_pg_op_copy(ngx_cqrs_pg_op_statement_t *st,
    const ngx_cqrs_pg_statement_text_t *text, const char **params, char *p)
{
    size_t      len;
    ngx_uint_t  i;

    st->nparams = text->nparams;
    st->params = params;
    st->binary = text->binary;

    st->sql.data = (u_char *) p;
    st->sql.len = text->sql.len;

    p = (char *) ngx_cpymem(p, text->sql.data, text->sql.len);
    *p++ = '\0';

    st->hash = ngx_murmur_hash2(st->sql.data, st->sql.len);

    for (i = 0; i < text->nparams; i++) {

        if (text->params[i] == NULL) {
            params[i] = NULL;
            continue;
        }

        len = ngx_strlen(text->params[i]) + 1;

        params[i] = p;
        p = (char *) ngx_cpymem(p, text->params[i], len);
    }

    return p;
}


static void
ngx_cqrs_pg_op_clear(ngx_cqrs_pg_op_t *op)
{
    ngx_uint_t  i;

    for (i = 0; i < op->n; i++) {
        PQclear(op->results[i]);
        op->results[i] = NULL;
    }
}


/* It is in no queue any more. */

void
ngx_cqrs_pg_op_destroy(ngx_cqrs_pg_op_t *op)
{
    if (op->event.timer_set) {
        ngx_del_timer(&op->event);
    }

    if (op->event.posted) {
        ngx_delete_posted_event(&op->event);
    }

    ngx_cqrs_pg_op_clear(op);

    ngx_free(op);
}


void
ngx_cqrs_pg_op_wait(ngx_cqrs_pg_op_t *op)
{
    ngx_queue_t     *list;
    ngx_msec_int_t   left;
    ngx_cqrs_pg_t   *pg;

    pg = op->pg;
    list = op->slow ? &pg->slow : &pg->waiting;

    op->state = NGX_CQRS_PG_OP_WAITING;

    /* one that ran already has waited already */

    if (op->number <= pg->admitted) {
        ngx_queue_insert_head(list, &op->queue);

    } else {
        ngx_queue_insert_tail(list, &op->queue);
    }

    pg->nwaiting++;

    left = op->deadline - ngx_current_msec;

    if (op->event.timer_set) {
        ngx_del_timer(&op->event);
    }

    ngx_add_timer(&op->event, ngx_max(left, 1));
}


void
ngx_cqrs_pg_op_unwait(ngx_cqrs_pg_op_t *op)
{
    ngx_queue_remove(&op->queue);
    op->pg->nwaiting--;
}


/* The timer goes on until it is the first on its connection. */

void
ngx_cqrs_pg_op_run(ngx_cqrs_pg_op_t *op, ngx_cqrs_pg_conn_t *conn,
    ngx_uint_t grouped)
{
    ngx_cqrs_pg_run_t  *run;

    op->state = NGX_CQRS_PG_OP_RUNNING;

    run = ngx_cqrs_pg_run_create(op);
    if (run == NULL) {
        ngx_cqrs_pg_op_finish(op, NGX_CQRS_PG_OVERLOADED);
        return;
    }

    run->slow = op->slow;
    op->pg->nruns++;

    ngx_cqrs_pg_conn_add(conn, run, grouped);
}


/* What it was answered is void, and it is one of a group no more. */

void
ngx_cqrs_pg_op_restart(ngx_cqrs_pg_op_t *op)
{
    ngx_cqrs_pg_op_clear(op);

    op->alone = 1;
}


/* Its run is gone. */

void
ngx_cqrs_pg_op_rerun(ngx_cqrs_pg_op_t *op)
{
    ngx_cqrs_pg_op_restart(op);

    if (op->rows) {
        op->rows = 0;

        if (op->again(op->data) != NGX_OK) {
            ngx_cqrs_pg_op_finish(op, NGX_CQRS_PG_LOST);
            return;
        }
    }

    ngx_cqrs_pg_op_wait(op);
}


/* It answered when its connection broke. */

void
ngx_cqrs_pg_op_lost(ngx_cqrs_pg_op_t *op)
{
    if (op->reruns == NGX_CQRS_PG_RERUNS) {
        ngx_cqrs_pg_op_clear(op);
        ngx_cqrs_pg_op_finish(op, NGX_CQRS_PG_LOST);
        return;
    }

    op->reruns++;
    op->deadline = ngx_current_msec + op->pg->conf.timeout;

    ngx_cqrs_pg_op_rerun(op);
}


/* It is in no queue. */

void
ngx_cqrs_pg_op_finish(ngx_cqrs_pg_op_t *op, ngx_cqrs_pg_status_e status)
{
    op->state = NGX_CQRS_PG_OP_DONE;
    op->status = status;

    if (op->event.timer_set) {
        ngx_del_timer(&op->event);
    }

    ngx_queue_insert_tail(&op->pg->done, &op->queue);

    ngx_post_event(&op->event, &ngx_posted_events);
    ngx_cqrs_busy_poll();
}


static void
ngx_cqrs_pg_op_handler(ngx_event_t *ev)
{
    ngx_cqrs_pg_t         *pg;
    ngx_cqrs_pg_op_t      *op;
    ngx_cqrs_pg_status_e   status;

    op = ev->data;
    pg = op->pg;

    ev->timedout = 0;

    switch (op->state) {

    case NGX_CQRS_PG_OP_WAITING:
        ngx_cqrs_pg_op_unwait(op);

        status = op->reruns || !ngx_cqrs_pg_pool_connected(pg)
                     ? NGX_CQRS_PG_UNAVAILABLE
                     : NGX_CQRS_PG_OCCUPIED;

        ngx_cqrs_pg_op_finish(op, status);
        return;

    case NGX_CQRS_PG_OP_RUNNING:
        ngx_cqrs_pg_op_timeout(op);
        return;

    case NGX_CQRS_PG_OP_DONE:
        ngx_cqrs_pg_op_call(op);
        return;

    default: /* NGX_CQRS_PG_OP_CALLED */
        return;
    }
}


static void
ngx_cqrs_pg_op_call(ngx_cqrs_pg_op_t *op)
{
    ngx_uint_t  n;

    ngx_queue_remove(&op->queue);

    op->state = NGX_CQRS_PG_OP_CALLED;

    switch (op->status) {

    case NGX_CQRS_PG_OK:
        n = op->n;
        break;

    case NGX_CQRS_PG_FAILED:
        n = op->answers + 1;
        break;

    default:
        n = 0;
        break;
    }

    op->handler(op->status, op->results, n, op->data);

    ngx_cqrs_pg_op_destroy(op);
}


static void
ngx_cqrs_pg_op_timeout(ngx_cqrs_pg_op_t *op)
{
    ngx_uint_t           answers;
    ngx_cqrs_pg_conn_t  *conn;

    answers = ngx_cqrs_pg_op_answers(op);
    conn = op->run->conn;

    ngx_cqrs_pg_run_leave(op->run, "it waited too long");
    ngx_cqrs_pg_op_clear(op);

    if (!answers) {
        ngx_cqrs_pg_op_finish(op, NGX_CQRS_PG_OCCUPIED);
        return;
    }

    ngx_cqrs_pg_op_finish(op, NGX_CQRS_PG_TIMED_OUT);
    ngx_cqrs_pg_pool_close(conn, "it ran too long");
}


/* Else it is behind others, or does not run at all. */

static ngx_uint_t
ngx_cqrs_pg_op_answers(ngx_cqrs_pg_op_t *op)
{
    return op->state == NGX_CQRS_PG_OP_RUNNING
           && ngx_cqrs_pg_conn_first(op->run->conn) == op->run;
}
