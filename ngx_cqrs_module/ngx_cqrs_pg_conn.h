
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * One connection to Postgres and what runs on it.  For ngx_cqrs_pg.c alone,
 * which owns the pool; everybody else includes ngx_cqrs_pg.h.
 */

#ifndef NGX_CQRS_PG_CONN_H
#define NGX_CQRS_PG_CONN_H


#include "ngx_cqrs_fd.h"
#include "ngx_cqrs_pg.h"
#include "ngx_cqrs_pg_conf.h"
#include "ngx_cqrs_pg_statement.h"


typedef struct ngx_cqrs_pg_conn_s  ngx_cqrs_pg_conn_t;


typedef enum {
    NGX_CQRS_PG_DOWN = 0,          /* no socket */
    NGX_CQRS_PG_CONNECTING,        /* PQconnectPoll() drives it */
    NGX_CQRS_PG_IDLE,              /* nothing runs */
    NGX_CQRS_PG_BUSY,              /* conn->ops run, the first one answers */
    NGX_CQRS_PG_STATES
} ngx_cqrs_pg_state_e;


typedef enum {
    NGX_CQRS_PG_OP_WAITING = 0,    /* in the pool's queue */
    NGX_CQRS_PG_OP_RUNNING,        /* in op->conn->ops */
    NGX_CQRS_PG_OP_ABANDONED,      /* the same, and nobody listens */
    NGX_CQRS_PG_OP_DONE,           /* the handler is to be called */
    NGX_CQRS_PG_OP_CALLED          /* the handler runs */
} ngx_cqrs_pg_op_state_e;


/* One statement of a query. */
typedef struct {
    ngx_str_t                 sql;       /* a NUL follows */
    uint32_t                  hash;
    ngx_uint_t                nparams;
    const char              **params;

    ngx_uint_t                binary;

    ngx_uint_t                number;    /* of its name; 0: it has none */
    ngx_uint_t                unprepared;   /* until the server says so */
} ngx_cqrs_pg_op_statement_t;


/* One query.  Allocated with its SQL and parameters in one piece. */
struct ngx_cqrs_pg_op_s {
    ngx_queue_t               queue;
    ngx_cqrs_pg_op_state_e    state;
    ngx_cqrs_pg_t            *pg;
    ngx_cqrs_pg_conn_t       *conn;      /* RUNNING or ABANDONED */
    ngx_event_t               event;     /* time is up, or it is done */

    ngx_cqrs_pg_handler_pt    handler;
    void                     *data;
    ngx_log_t                *log;

    ngx_cqrs_pg_op_statement_t  *statements;
    ngx_uint_t                n;

    ngx_uint_t                reruns;    /* its connection broke so often */
    ngx_uint_t                losses;    /* see ngx_cqrs_pg_conn_s */

    ngx_uint_t                evictions; /* that are not answered */
    ngx_uint_t                answers;   /* of statements, without an error */
    ngx_uint_t                failed;

    ngx_cqrs_pg_status_e      status;
    PGresult                **results;   /* of each statement; or NULL */
};


/* How a connection speaks to its pool. */
typedef struct {

    /* Connected, or all that ran is done: it is IDLE and can be given more. */
    void                    (*idle)(ngx_cqrs_pg_conn_t *conn);

    /* The server has answered; op->results are set and op is in no queue. */
    void                    (*done)(ngx_cqrs_pg_op_t *op);

    /*
     * It is DOWN now, was in this state before, and what ran is in conn->ops
     * still.  Who calls ngx_cqrs_pg_conn_close() himself is not called.
     */
    void                    (*lost)(ngx_cqrs_pg_conn_t *conn,
                                ngx_cqrs_pg_state_e was, ngx_str_t *reason);

    /*
     * Somebody notified a channel that it listens to; NULL where it never
     * does.  Not to close it.
     */
    void                    (*notified)(ngx_cqrs_pg_conn_t *conn,
                                PGnotify *notify);
} ngx_cqrs_pg_conn_handlers_t;


struct ngx_cqrs_pg_conn_s {
    ngx_cqrs_pg_state_e                 state;
    ngx_queue_t                         queue;   /* in lists[state] */
    ngx_queue_t                        *lists;

    ngx_cqrs_pg_t                      *pg;
    ngx_cqrs_pg_conf_t                 *conf;
    const ngx_cqrs_pg_conn_handlers_t  *handlers;
    ngx_log_t                          *log;

    PGconn                             *db;
    ngx_cqrs_fd_t                      *fd;
    ngx_event_t                         timer;   /* CONNECTING */
    ngx_queue_t                         ops;
    ngx_cqrs_pg_statements_t            statements;

    /*
     * How many connections the pool had lost when this one was begun.  A
     * query whose connection broke runs again on a younger one, because the
     * others may be about to break for the same reason.
     */
    ngx_uint_t                          losses;
};


/* All but conn->lists, pg, conf, handlers and log, which the pool has set. */
void ngx_cqrs_pg_conn_init(ngx_cqrs_pg_conn_t *conn);

/* DOWN -> CONNECTING, or lost() is called. */
void ngx_cqrs_pg_conn_open(ngx_cqrs_pg_conn_t *conn);

/* -> BUSY, or lost() is called with the op among conn->ops. */
void ngx_cqrs_pg_conn_send(ngx_cqrs_pg_conn_t *conn, ngx_cqrs_pg_op_t *op);

/* -> DOWN from any state.  What ran is in conn->ops still. */
void ngx_cqrs_pg_conn_close(ngx_cqrs_pg_conn_t *conn);


#endif /* NGX_CQRS_PG_CONN_H */
