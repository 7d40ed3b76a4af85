
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "consumer_pg.h"
#include "consumer_process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define CONSUMER_PG_TICK  1000

/* A prepared statement's name is its number. */
#define CONSUMER_PG_NAME  4


static void consumer_pg_notice(void *data, const PGresult *res);
static consumer_pg_status_e consumer_pg_begin(consumer_pg_t *pg);
static consumer_pg_status_e consumer_pg_prepare(consumer_pg_t *pg,
    const char *sql, char name[CONSUMER_PG_NAME]);
static consumer_pg_status_e consumer_pg_wait(consumer_pg_t *pg);
static consumer_pg_status_e consumer_pg_finish(consumer_pg_t *pg,
    PGresult **res);
static int consumer_pg_is_stale(const PGresult *res);
static consumer_pg_status_e consumer_pg_classify(const char *sqlstate);
static consumer_pg_status_e consumer_pg_lost(consumer_pg_t *pg);
static void consumer_pg_error(consumer_pg_t *pg, const char *sqlstate,
    const char *message);


void
consumer_pg_init(consumer_pg_t *pg, const char *conninfo, const char *name)
{
    memset(pg, 0, sizeof(*pg));

    pg->conninfo = conninfo;
    pg->name = name;
}


void
consumer_pg_cleanup(consumer_pg_t *pg)
{
    PQfinish(pg->conn);
    pg->conn = NULL;
}


consumer_pg_status_e
consumer_pg_connect(consumer_pg_t *pg)
{
    PGresult           *res;

    /* what the user's string says comes later, and wins */

    static const char  *names[] = {
        "connect_timeout", "keepalives_idle", "keepalives_interval",
        "keepalives_count", "tcp_user_timeout", "fallback_application_name",
        "dbname", "client_encoding", NULL
    };
    const char         *values[] = {
        "3", "10", "5", "3", "20000", pg->name, pg->conninfo, "UTF8", NULL
    };

    if (pg->conn && PQstatus(pg->conn) == CONNECTION_OK) {
        return CONSUMER_PG_OK;
    }

    PQfinish(pg->conn);
    memset(pg->prepared, 0, sizeof(pg->prepared));

    pg->conn = PQconnectdbParams(names, values, 1);

    if (PQstatus(pg->conn) != CONNECTION_OK) {
        return consumer_pg_lost(pg);
    }

    PQsetNoticeReceiver(pg->conn, consumer_pg_notice, pg);

    /* the store counts on seeing what was committed a moment ago */

    res = PQexec(pg->conn,
                 "set default_transaction_isolation = 'read committed'");

    if (PQresultStatus(res) != PGRES_COMMAND_OK) {
        PQclear(res);
        return consumer_pg_lost(pg);
    }

    PQclear(res);

    pg->lost_at = 0;

    return CONSUMER_PG_OK;
}


/*
 * What the domain's code says by RAISE NOTICE may hold anything.  A session
 * that is ended since another one has crashed is told so by a notice.
 */

static void
consumer_pg_notice(void *data, const PGresult *res)
{
    const char     *sqlstate;
    consumer_pg_t  *pg = data;

    sqlstate = PQresultErrorField(res, PG_DIAG_SQLSTATE);

    if (sqlstate && strcmp(sqlstate, "57P02") == 0) {
        pg->bystander = 1;
    }
}


consumer_pg_status_e
consumer_pg_query(consumer_pg_t *pg, const char *sql, int nparams,
    const char *const *params, PGresult **res)
{
    consumer_pg_status_e  rc;

    *res = NULL;

    rc = consumer_pg_send(pg, sql, nparams, params);

    return (rc == CONSUMER_PG_OK) ? consumer_pg_receive(pg, res) : rc;
}


consumer_pg_status_e
consumer_pg_send(consumer_pg_t *pg, const char *sql, int nparams,
    const char *const *params)
{
    consumer_pg_status_e  rc;

    rc = consumer_pg_begin(pg);
    if (rc != CONSUMER_PG_OK) {
        return rc;
    }

    if (!PQsendQueryParams(pg->conn, sql, nparams, NULL, params, NULL, NULL,
                           0))
    {
        return consumer_pg_lost(pg);
    }

    return CONSUMER_PG_OK;
}


consumer_pg_status_e
consumer_pg_send_prepared(consumer_pg_t *pg, const char *sql, int nparams,
    const char *const *params, const int *lengths, const int *formats)
{
    char                  name[CONSUMER_PG_NAME];
    consumer_pg_status_e  rc;

    rc = consumer_pg_begin(pg);
    if (rc != CONSUMER_PG_OK) {
        return rc;
    }

    rc = consumer_pg_prepare(pg, sql, name);
    if (rc != CONSUMER_PG_OK) {
        return rc;
    }

    if (!PQsendQueryPrepared(pg->conn, name, nparams, params, lengths,
                             formats, 0))
    {
        return consumer_pg_lost(pg);
    }

    return CONSUMER_PG_OK;
}


static consumer_pg_status_e
consumer_pg_begin(consumer_pg_t *pg)
{
    pg->lost = 0;
    pg->bystander = 0;

    return consumer_pg_connect(pg);
}


static consumer_pg_status_e
consumer_pg_prepare(consumer_pg_t *pg, const char *sql,
    char name[CONSUMER_PG_NAME])
{
    unsigned               i;
    PGresult              *res;
    consumer_pg_status_e   rc;

    for (i = 0; pg->prepared[i] && pg->prepared[i] != sql; i++) {
        /* void */
    }

    snprintf(name, CONSUMER_PG_NAME, "%u", i);

    if (pg->prepared[i]) {
        return CONSUMER_PG_OK;
    }

    /* one that finds no place has no name, and is prepared each time */

    if (i == CONSUMER_PG_PREPARED) {
        name[0] = '\0';
    }

    if (!PQsendPrepare(pg->conn, name, sql, 0, NULL)) {
        return consumer_pg_lost(pg);
    }

    rc = consumer_pg_receive(pg, &res);

    if (rc == CONSUMER_PG_OK) {
        PQclear(res);

        if (i < CONSUMER_PG_PREPARED) {
            pg->prepared[i] = sql;
        }
    }

    return rc;
}


consumer_pg_status_e
consumer_pg_receive(consumer_pg_t *pg, PGresult **res)
{
    consumer_pg_status_e  rc;

    *res = NULL;

    rc = consumer_pg_wait(pg);
    if (rc != CONSUMER_PG_OK) {
        return rc;
    }

    return consumer_pg_finish(pg, res);
}


static consumer_pg_status_e
consumer_pg_wait(consumer_pg_t *pg)
{
    int            n;
    struct pollfd  fds[2];

    while (PQisBusy(pg->conn)) {

        memset(fds, 0, sizeof(fds));

        fds[0].fd = PQsocket(pg->conn);
        fds[0].events = POLLIN;

        fds[1].fd = pg->watch ? pg->watch(pg->data) : -1;
        fds[1].events = POLLIN;

        n = consumer_wait(fds, 2, CONSUMER_PG_TICK);

        if (pg->tick && (n == 0 || fds[1].revents)) {
            pg->tick(pg->data);
        }

        if (fds[0].revents && !PQconsumeInput(pg->conn)) {
            pg->lost = 1;
            return consumer_pg_lost(pg);
        }
    }

    return CONSUMER_PG_OK;
}


/*
 * The answer to the statement comes before its commit: what goes wrong there,
 * a constraint that was deferred or a server that dies, is a further result.
 */

static consumer_pg_status_e
consumer_pg_finish(consumer_pg_t *pg, PGresult **res)
{
    int                    stale;
    PGresult              *next;
    ExecStatusType         status;
    consumer_pg_status_e   rc;

    *res = PQgetResult(pg->conn);

    while ((next = PQgetResult(pg->conn)) != NULL) {
        PQclear(*res);
        *res = next;
    }

    status = PQresultStatus(*res);

    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
        return CONSUMER_PG_OK;
    }

    consumer_pg_error(pg, PQresultErrorField(*res, PG_DIAG_SQLSTATE),
                      PQresultErrorField(*res, PG_DIAG_MESSAGE_PRIMARY));

    stale = consumer_pg_is_stale(*res);

    PQclear(*res);
    *res = NULL;

    if (PQstatus(pg->conn) != CONNECTION_OK || pg->sqlstate[0] == '\0') {
        pg->lost = 1;
        return consumer_pg_lost(pg);
    }

    rc = stale ? CONSUMER_PG_TRANSIENT : consumer_pg_classify(pg->sqlstate);

    /*
     * A server that became a standby: the next connection finds the primary.
     * A function that has another result now: the next one prepares it anew.
     */

    if (stale || strcmp(pg->sqlstate, "25006") == 0) {
        consumer_pg_cleanup(pg);
    }

    return rc;
}


/* Domain code may raise 0A000 as well, and that is no reason to reconnect. */

static int
consumer_pg_is_stale(const PGresult *res)
{
    const char  *sqlstate, *function;

    sqlstate = PQresultErrorField(res, PG_DIAG_SQLSTATE);
    function = PQresultErrorField(res, PG_DIAG_SOURCE_FUNCTION);

    return sqlstate && strcmp(sqlstate, "0A000") == 0
           && function && strcmp(function, "RevalidateCachedQuery") == 0;
}


static consumer_pg_status_e
consumer_pg_classify(const char *sqlstate)
{
    const char * const  *s;

    /* "57014" is a statement that took too long, as it would do again */

    static const char * const  transient[] = {
        "08", "25006", "40", "53", "55", "57", "58", NULL
    };

    if (strcmp(sqlstate, "QS001") == 0) {
        return CONSUMER_PG_FENCED;
    }

    if (strcmp(sqlstate, "QS002") == 0) {
        return CONSUMER_PG_WRONG;
    }

    if (strcmp(sqlstate, "57014") == 0) {
        return CONSUMER_PG_FAILED;
    }

    for (s = transient; *s; s++) {
        if (strncmp(sqlstate, *s, strlen(*s)) == 0) {
            return CONSUMER_PG_TRANSIENT;
        }
    }

    return CONSUMER_PG_FAILED;
}


static consumer_pg_status_e
consumer_pg_lost(consumer_pg_t *pg)
{
    if (pg->sqlstate[0] == '\0' || PQstatus(pg->conn) == CONNECTION_BAD) {
        consumer_pg_error(pg, "08006", PQerrorMessage(pg->conn));
    }

    consumer_pg_cleanup(pg);

    if (pg->lost_at == 0) {
        pg->lost_at = consumer_now();
    }

    return CONSUMER_PG_TRANSIENT;
}


static void
consumer_pg_error(consumer_pg_t *pg, const char *sqlstate,
    const char *message)
{
    size_t  len;

    snprintf(pg->sqlstate, sizeof(pg->sqlstate), "%s",
             sqlstate ? sqlstate : "");
    snprintf(pg->error, sizeof(pg->error), "%s",
             message ? message : "connection lost");

    len = strlen(pg->error);

    /* what did not fit is not cut in the middle of a character */

    if (message && message[len]) {
        while (len && ((unsigned char) message[len] & 0xc0) == 0x80) {
            len--;
        }

        pg->error[len] = '\0';
    }

    while (len && pg->error[len - 1] == '\n') {
        pg->error[--len] = '\0';
    }
}


int64_t
consumer_pg_number(const PGresult *res, int row, int column)
{
    return strtoll(PQgetvalue(res, row, column), NULL, 10);
}
