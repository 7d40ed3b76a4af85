
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * One connection to Postgres and what runs on it, as the files of this adapter
 * see it; everybody else includes ngx_cqrs_pg.h.
 */

#ifndef NGX_CQRS_PG_CONN_H
#define NGX_CQRS_PG_CONN_H


#include "ngx_cqrs_fd.h"
#include "ngx_cqrs_pg.h"
#include "ngx_cqrs_pg_conf.h"
#include "ngx_cqrs_pg_statement.h"


typedef struct ngx_cqrs_pg_conn_s  ngx_cqrs_pg_conn_t;
typedef struct ngx_cqrs_pg_run_s   ngx_cqrs_pg_run_t;


typedef enum {
    NGX_CQRS_PG_DOWN = 0,          /* no socket */
    NGX_CQRS_PG_CONNECTING,        /* PQconnectPoll() drives it */
    NGX_CQRS_PG_IDLE,              /* nothing runs */
    NGX_CQRS_PG_FILLING,           /* conn->runs are to be sent together */
    NGX_CQRS_PG_BUSY,              /* they run, the first one answers */
    NGX_CQRS_PG_STATES
} ngx_cqrs_pg_state_e;


typedef enum {
    NGX_CQRS_PG_OP_WAITING = 0,    /* in one of the pool's queues */
    NGX_CQRS_PG_OP_RUNNING,        /* op->run is one of a connection's */
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
} ngx_cqrs_pg_op_statement_t;


/* One query.  Allocated with its SQL and parameters in one piece. */
struct ngx_cqrs_pg_op_s {
    ngx_queue_t               queue;     /* unless it is RUNNING */
    ngx_cqrs_pg_op_state_e    state;
    ngx_cqrs_pg_t            *pg;
    ngx_cqrs_pg_run_t        *run;       /* RUNNING */
    ngx_event_t               event;     /* time is up, or it is done */

    ngx_cqrs_pg_handler_pt    handler;
    ngx_cqrs_pg_row_pt        row;
    ngx_cqrs_pg_again_pt      again;
    void                     *data;

    ngx_cqrs_pg_op_statement_t  *statements;
    ngx_uint_t                n;

    ngx_msec_t                deadline;  /* until when it may wait */
    ngx_uint_t                number;    /* who came first has the smaller */
    ngx_uint_t                reruns;    /* its connection broke so often */
    ngx_uint_t                repairs;   /* see ngx_cqrs_pg_run_s */
    ngx_uint_t                losses;    /* see ngx_cqrs_pg_conn_s */
    ngx_uint_t                rows_of;   /* see ngx_cqrs_pg_query_t */
    ngx_uint_t                rows;      /* given to the row handler */
    uint32_t                  hash;      /* of all statements, for the pace */
    ngx_uint_t                slow;      /* its SQL is known to run long */
    ngx_uint_t                alone;     /* it is never one of a group */

    ngx_cqrs_pg_status_e      status;
    ngx_uint_t                answers;   /* of statements, without an error */
    PGresult                **results;   /* of each statement; or NULL */
};


/* How a connection speaks to its pool. */
typedef struct {

    /* Connected, or all that ran is done: it is IDLE and can be given more. */
    void                    (*idle)(ngx_cqrs_pg_conn_t *conn);

    /* This one is next to answer; what it does from now is its own time. */
    void                    (*first)(ngx_cqrs_pg_run_t *run);

    /*
     * The server has answered; the op, if there is one, has its results and
     * its status, unless the run was skipped.  It is in no queue and the
     * pool's to free.
     */
    void                    (*done)(ngx_cqrs_pg_run_t *run);

    /*
     * It is DOWN now, was in this state before, and what ran is in conn->runs
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
    ngx_event_t                         more;    /* posted: read or flush */
    ngx_cqrs_pg_statements_t            statements;

    ngx_queue_t                         runs;    /* the group comes first */
    ngx_uint_t                          nruns;
    ngx_uint_t                          group;   /* how many it has, or had */
    ngx_uint_t                          grouped; /* its Sync is due */
    ngx_uint_t                          syncs;   /* that are due */
    ngx_uint_t                          broken;  /* its block failed */
    ngx_uint_t                          filled;  /* us that they may take */
    ngx_uint_t                          blocks;  /* see ngx_cqrs_pg_run.c */
    ngx_msec_t                          since;   /* the first one is first */
    uint64_t                            began;   /* us; the same for all of
                                                    the group */
    ngx_uint_t                          paused;  /* its rows are not wanted */
    ngx_uint_t                          resumed; /* they are again */

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

/* IDLE or FILLING -> FILLING; one of the group or by itself, behind it */
void ngx_cqrs_pg_conn_add(ngx_cqrs_pg_conn_t *conn, ngx_cqrs_pg_run_t *run,
    ngx_uint_t grouped);

/* FILLING -> BUSY, or lost() is called. */
void ngx_cqrs_pg_conn_send(ngx_cqrs_pg_conn_t *conn);

/* -> DOWN from any state.  What ran is in conn->runs still. */
void ngx_cqrs_pg_conn_close(ngx_cqrs_pg_conn_t *conn);

/* Nothing is read before this is called with 0. */
void ngx_cqrs_pg_conn_pause(ngx_cqrs_pg_conn_t *conn, ngx_uint_t paused);

/* The one that answers; NULL if nothing runs. */
ngx_cqrs_pg_run_t *ngx_cqrs_pg_conn_first(ngx_cqrs_pg_conn_t *conn);


#endif /* NGX_CQRS_PG_CONN_H */
