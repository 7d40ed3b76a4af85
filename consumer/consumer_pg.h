
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * One connection to the event store.
 *
 * A query connects if it has to; what went wrong is told as a class that says
 * what to do, and never as a text to compare.  While a query runs, the tick is
 * called about once a second, so that other connections of the process can be
 * kept alive, and whenever there is something to read on the watched socket.
 */

#ifndef CONSUMER_PG_H
#define CONSUMER_PG_H


#include <libpq-fe.h>
#include <stdint.h>


typedef enum {
    CONSUMER_PG_OK = 0,
    CONSUMER_PG_FENCED,        /* QS001: somebody else is the owner now */
    CONSUMER_PG_WRONG,         /* QS002: a bug or a wrong setting */
    CONSUMER_PG_TRANSIENT,     /* the same again may well succeed */
    CONSUMER_PG_FAILED         /* the same again would fail again */
} consumer_pg_status_e;


typedef void (*consumer_pg_tick_pt)(void *data);

/* A socket, or -1. */
typedef int (*consumer_pg_watch_pt)(void *data);


/* So many statements of one connection are prepared. */
#define CONSUMER_PG_PREPARED  4


typedef struct {
    PGconn               *conn;
    const char           *conninfo;
    const char           *name;            /* shown in pg_stat_activity */
    consumer_pg_tick_pt   tick;
    consumer_pg_watch_pt  watch;
    void                 *data;

    /* what the connection has prepared, in this order; NULL is the end */
    const char           *prepared[CONSUMER_PG_PREPARED + 1];

    uint64_t              lost_at;         /* 0: it could be reached */

    char                  sqlstate[6];     /* of the last failure */
    char                  error[256];      /* and what the server said */
    unsigned              lost:1;          /* it ended a running statement */
    unsigned              bystander:1;     /* since another session crashed */
} consumer_pg_t;


void consumer_pg_init(consumer_pg_t *pg, const char *conninfo,
    const char *name);
void consumer_pg_cleanup(consumer_pg_t *pg);

/* Connects unless connected. */
consumer_pg_status_e consumer_pg_connect(consumer_pg_t *pg);

/*
 * Runs one statement with text parameters.  After CONSUMER_PG_OK the caller
 * clears *res; after anything else *res is NULL.
 */
consumer_pg_status_e consumer_pg_query(consumer_pg_t *pg, const char *sql,
    int nparams, const char *const *params, PGresult **res);

/*
 * The same in two steps; there can be one statement under way.  Nothing is to
 * be received of one that could not be sent.
 */
consumer_pg_status_e consumer_pg_send(consumer_pg_t *pg, const char *sql,
    int nparams, const char *const *params);
consumer_pg_status_e consumer_pg_receive(consumer_pg_t *pg, PGresult **res);

/*
 * For one that is run all the time: it is prepared, once in a connection.  Its
 * text has to stay where it is.  Without formats all is text; a parameter of
 * format 1 is binary, and its length counts.
 */
consumer_pg_status_e consumer_pg_send_prepared(consumer_pg_t *pg,
    const char *sql, int nparams, const char *const *params,
    const int *lengths, const int *formats);

/* A value that is a whole number, 0 where it is null. */
int64_t consumer_pg_number(const PGresult *res, int row, int column);


#endif /* CONSUMER_PG_H */
