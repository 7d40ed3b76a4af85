
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "consumer_batch.h"
#include "consumer_log.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


/* A command that fails by itself is tried so often. */
#define CONSUMER_BATCH_TRIES      3

/* The SQLSTATE of one that ends its server process. */
#define CONSUMER_BATCH_LOST       "08006"

/* One batch is executed, one waits, and one is on its way from RabbitMQ. */
#define CONSUMER_BATCH_AHEAD      3

/* One statement takes so many bytes, or one command. */
#define CONSUMER_BATCH_BYTES_MAX  (4 * 1024 * 1024)

/* What is told of a command whose handler is at fault. */
#define CONSUMER_BATCH_HANDLER    "handler-failed"
#define CONSUMER_BATCH_CRASHED    "handler-crashed"


static void consumer_batch_drop(consumer_batch_t *b, size_t n);
static int consumer_batch_crashed(consumer_batch_t *b);
static size_t consumer_batch_count(consumer_batch_t *b);
static int consumer_batch_join(consumer_batch_t *b, size_t count);
static consumer_pg_status_e consumer_batch_run(consumer_batch_t *b,
    size_t count, PGresult **res);
static consumer_pg_status_e consumer_batch_receive(consumer_batch_t *b,
    PGresult **res);
static consumer_pg_status_e consumer_batch_sql(consumer_batch_t *b,
    const char *commands, PGresult **res);
static consumer_pg_status_e consumer_batch_send_sql(consumer_batch_t *b,
    const char *commands);
static consumer_batch_status_e consumer_batch_failed(consumer_batch_t *b,
    size_t count, PGresult **res, size_t *done);
static consumer_batch_status_e consumer_batch_suspect(consumer_batch_t *b,
    size_t *count, PGresult **res, size_t *done);
static const char *consumer_batch_code(const char *sqlstate);
static consumer_batch_status_e consumer_batch_park(consumer_batch_t *b,
    unsigned times, PGresult **res, size_t *done);
static void consumer_batch_report(consumer_batch_t *b, const PGresult *res,
    size_t count);


int
consumer_batch_init(consumer_batch_t *b, consumer_pg_t *pg,
    unsigned partition, const consumer_options_t *options,
    consumer_crashes_t *crashes)
{
    memset(b, 0, sizeof(*b));

    b->pg = pg;
    b->partition = partition;
    b->max = options->batch;
    b->size = CONSUMER_BATCH_AHEAD * b->max;
    b->crashes = crashes;

    b->commands = calloc(b->size, sizeof(consumer_command_t));

    if (b->commands == NULL
        || consumer_decider_init(&b->decider, pg, crashes, b->max,
                                 options->cache, options->handler_timeout)
           != 0)
    {
        return -1;
    }

    consumer_batch_clear(b);

    return 0;
}


void
consumer_batch_cleanup(consumer_batch_t *b)
{
    consumer_batch_clear(b);

    consumer_decider_cleanup(&b->decider);

    free(b->commands);
    free(b->text);
}


void
consumer_batch_clear(consumer_batch_t *b)
{
    consumer_batch_drop(b, b->n);

    /* what took a worker with it comes again, among the first */

    b->alone = consumer_crashes_pending(b->crashes) ? b->size : 0;
}


void
consumer_batch_shift(consumer_batch_t *b, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        consumer_crashes_passed(b->crashes, b->commands[i].id);
    }

    consumer_batch_drop(b, n);
}


static void
consumer_batch_drop(consumer_batch_t *b, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        consumer_command_cleanup(&b->commands[i]);
    }

    b->n -= n;
    memmove(b->commands, b->commands + n, b->n * sizeof(consumer_command_t));

    b->alone = (b->alone > n) ? b->alone - n : 0;
    b->tries = 0;

    consumer_suspect_clear(&b->suspect);
}


consumer_pg_status_e
consumer_batch_claim(consumer_batch_t *b, const char *owner)
{
    char                   partition[16];
    PGresult              *res;
    const char            *params[2];
    consumer_pg_status_e   rc;

    snprintf(partition, sizeof(partition), "%u", b->partition);

    params[0] = partition;
    params[1] = owner;

    rc = consumer_pg_query(b->pg, "select cqrs.claim_partition($1, $2)", 2,
                           params, &res);

    if (rc == CONSUMER_PG_OK) {
        snprintf(b->epoch, sizeof(b->epoch), "%s", PQgetvalue(res, 0, 0));
        PQclear(res);
    }

    /* others may have been here meanwhile */

    consumer_decider_clear(&b->decider);

    return rc;
}


/* What has failed before, or is to be refused, is not sent ahead. */

void
consumer_batch_send(consumer_batch_t *b)
{
    size_t                 count;
    consumer_pg_status_e   rc;

    if (b->n == 0 || b->alone || b->suspect.pending || b->commands[0].refused)
    {
        return;
    }

    count = consumer_batch_count(b);

    if (consumer_batch_join(b, count) != 0) {
        return;
    }

    if (b->commands[0].handler) {
        rc = consumer_decider_send(&b->decider, b->partition, b->epoch,
                                   b->commands, count, b->text);
    } else {
        rc = consumer_batch_send_sql(b, b->text);
    }

    if (rc == CONSUMER_PG_OK) {
        b->sent = count;
    }
}


consumer_batch_status_e
consumer_batch_execute(consumer_batch_t *b, PGresult **res, size_t *done)
{
    size_t                    count;
    consumer_pg_status_e      rc;
    consumer_batch_status_e   status;

    if (b->sent) {
        count = b->sent;
        rc = consumer_batch_receive(b, res);
        goto received;
    }

    if (b->commands[0].refused) {
        return CONSUMER_BATCH_REFUSED;
    }

    count = consumer_batch_count(b);

    if (consumer_batch_crashed(b)) {
        return consumer_batch_park(b, CONSUMER_CRASH_TRIES, res, done);
    }

    if (b->suspect.pending) {
        status = consumer_batch_suspect(b, &count, res, done);

        if (status != CONSUMER_BATCH_DONE || *done) {
            return status;
        }
    }

    if (consumer_batch_join(b, count) != 0) {
        snprintf(b->pg->error, sizeof(b->pg->error), "no memory");
        return CONSUMER_BATCH_AGAIN;
    }

    rc = consumer_batch_run(b, count, res);

received:

    if (rc == CONSUMER_PG_FAILED) {
        consumer_suspect_clear(&b->suspect);
        return consumer_batch_failed(b, count, res, done);
    }

    if (rc == CONSUMER_PG_TRANSIENT) {
        consumer_suspect_lost(&b->suspect, b->pg);
    }

    if (rc == CONSUMER_PG_OK) {
        consumer_batch_report(b, *res, count);
        *done = count;
    }

    return consumer_batch_status(rc);
}


/*
 * Whether the first command's handler has ended its worker too often.  Nothing
 * of it is asked again.
 */

static int
consumer_batch_crashed(consumer_batch_t *b)
{
    const consumer_crash_t  *crash;

    crash = consumer_crashes_find(b->crashes, b->commands[0].id);

    if (crash == NULL || crash->count < CONSUMER_CRASH_TRIES) {
        return 0;
    }

    memcpy(b->pg->sqlstate, CONSUMER_DECIDE_CRASHED,
           sizeof(CONSUMER_DECIDE_CRASHED));

    if (crash->signo == SIGALRM) {
        snprintf(b->pg->error, sizeof(b->pg->error),
                 "Its handler did not come to an end in %u seconds.",
                 b->decider.timeout);

    } else if (crash->signo) {
        snprintf(b->pg->error, sizeof(b->pg->error),
                 "Its handler was ended by signal %d.", crash->signo);

    } else {
        snprintf(b->pg->error, sizeof(b->pg->error),
                 "Its handler ended the process.");
    }

    return 1;
}


static size_t
consumer_batch_count(consumer_batch_t *b)
{
    size_t  i, bytes;

    if (b->alone) {
        return 1;
    }

    bytes = 0;

    for (i = 0; i < b->n && i < b->max; i++) {
        bytes += b->commands[i].len;

        if (b->commands[i].refused
            || !b->commands[i].handler != !b->commands[0].handler)
        {
            break;
        }

        if (i && bytes > CONSUMER_BATCH_BYTES_MAX) {
            break;
        }
    }

    return i;
}


static int
consumer_batch_join(consumer_batch_t *b, size_t count)
{
    char    *p;
    size_t   i, size;

    size = sizeof("[]") + count;

    for (i = 0; i < count; i++) {
        size += b->commands[i].len;
    }

    if (size > b->text_size) {
        p = realloc(b->text, size);
        if (p == NULL) {
            return -1;
        }

        b->text = p;
        b->text_size = size;
    }

    p = b->text;

    for (i = 0; i < count; i++) {
        *p++ = i ? ',' : '[';
        memcpy(p, b->commands[i].text, b->commands[i].len);
        p += b->commands[i].len;
    }

    *p++ = ']';
    *p = '\0';

    return 0;
}


static consumer_pg_status_e
consumer_batch_run(consumer_batch_t *b, size_t count, PGresult **res)
{
    if (b->commands[0].handler) {
        return consumer_decider_run(&b->decider, b->partition, b->epoch,
                                    b->commands, count, b->text, res);
    }

    return consumer_batch_sql(b, b->text, res);
}


static consumer_pg_status_e
consumer_batch_receive(consumer_batch_t *b, PGresult **res)
{
    b->sent = 0;

    if (b->commands[0].handler) {
        return consumer_decider_receive(&b->decider, res);
    }

    return consumer_pg_receive(b->pg, res);
}


static consumer_pg_status_e
consumer_batch_sql(consumer_batch_t *b, const char *commands, PGresult **res)
{
    consumer_pg_status_e  rc;

    *res = NULL;

    rc = consumer_batch_send_sql(b, commands);

    return (rc == CONSUMER_PG_OK) ? consumer_pg_receive(b->pg, res) : rc;
}


static consumer_pg_status_e
consumer_batch_send_sql(consumer_batch_t *b, const char *commands)
{
    char         partition[16];
    const char  *params[3];

    snprintf(partition, sizeof(partition), "%u", b->partition);

    params[0] = partition;
    params[1] = b->epoch;
    params[2] = commands;

    return consumer_pg_send_prepared(b->pg,
               "select " CONSUMER_COMMAND_COLUMNS
               " from cqrs.execute($1, $2, $3)",
               3, params, NULL, NULL);
}


/*
 * The connection was lost while these were executed.  If one of them is the
 * cause, it is found as any other culprit: they go one by one, and the one
 * that does it too often is parked; then *done is 1.
 */

static consumer_batch_status_e
consumer_batch_suspect(consumer_batch_t *b, size_t *count, PGresult **res,
    size_t *done)
{
    unsigned               times;
    consumer_pg_status_e   rc;

    *done = 0;

    rc = consumer_batch_sql(b, "[]", res);

    if (rc == CONSUMER_PG_FAILED) {
        return CONSUMER_BATCH_AGAIN;
    }

    if (rc == CONSUMER_PG_OK) {
        PQclear(*res);
        *res = NULL;

        rc = consumer_suspect_count(&b->suspect, b->pg);
    }

    if (rc != CONSUMER_PG_OK) {
        return consumer_batch_status(rc);
    }

    if (*count > 1) {
        consumer_log(CONSUMER_LOG_WARN,
                     "the connection was lost while %zu commands were "
                     "executed, going through them one by one", *count);

        b->alone = *count;
        *count = 1;

        /* not one of them alone */

        consumer_suspect_clear(&b->suspect);
    }

    times = consumer_suspect_guilty(&b->suspect);

    if (times == 0) {
        return CONSUMER_BATCH_DONE;
    }

    memcpy(b->pg->sqlstate, CONSUMER_BATCH_LOST, sizeof(CONSUMER_BATCH_LOST));
    snprintf(b->pg->error, sizeof(b->pg->error),
             "The connection to the database was lost each time that it was "
             "carried out.");

    return consumer_batch_park(b, times, res, done);
}


/*
 * Some command failed, or the store itself is out of order: a batch of none
 * tells one from the other, so that nothing is parked for the store's sake.
 */

static consumer_batch_status_e
consumer_batch_failed(consumer_batch_t *b, size_t count, PGresult **res,
    size_t *done)
{
    char                   sqlstate[6], error[256];
    consumer_pg_status_e   rc;

    memcpy(sqlstate, b->pg->sqlstate, sizeof(sqlstate));
    memcpy(error, b->pg->error, sizeof(error));

    rc = consumer_batch_sql(b, "[]", res);

    if (rc == CONSUMER_PG_FAILED) {
        return CONSUMER_BATCH_AGAIN;
    }

    if (rc != CONSUMER_PG_OK) {
        return consumer_batch_status(rc);
    }

    PQclear(*res);
    *res = NULL;

    memcpy(b->pg->sqlstate, sqlstate, sizeof(sqlstate));
    memcpy(b->pg->error, error, sizeof(error));

    if (b->alone == 0) {
        b->alone = count;
        b->tries = 0;
    }

    if (count > 1) {
        consumer_log(CONSUMER_LOG_WARN,
                     "a batch of %zu commands failed, %s \"%s\", going "
                     "through them one by one", count, sqlstate, error);

        return consumer_batch_execute(b, res, done);
    }

    if (++b->tries < CONSUMER_BATCH_TRIES) {
        return CONSUMER_BATCH_AGAIN;
    }

    return consumer_batch_park(b, CONSUMER_BATCH_TRIES, res, done);
}


/* What a parked command says of its reason: names for what is ours. */

static const char *
consumer_batch_code(const char *sqlstate)
{
    if (strcmp(sqlstate, CONSUMER_DECIDE_FAILED) == 0) {
        return CONSUMER_BATCH_HANDLER;
    }

    if (strcmp(sqlstate, CONSUMER_DECIDE_CRASHED) == 0) {
        return CONSUMER_BATCH_CRASHED;
    }

    return sqlstate;
}


static consumer_batch_status_e
consumer_batch_park(consumer_batch_t *b, unsigned times, PGresult **res,
    size_t *done)
{
    char                   partition[16], sqlstate[6], error[256];
    char                   reason[640];
    const char            *params[5];
    consumer_command_t    *command;
    consumer_pg_status_e   rc;

    command = &b->commands[0];

    snprintf(partition, sizeof(partition), "%u", b->partition);
    memcpy(sqlstate, b->pg->sqlstate, sizeof(sqlstate));
    memcpy(error, b->pg->error, sizeof(error));

    params[0] = partition;
    params[1] = b->epoch;
    params[2] = command->text;
    params[3] = consumer_batch_code(sqlstate);
    params[4] = error;

    rc = consumer_pg_query(b->pg,
             "select " CONSUMER_COMMAND_COLUMNS
             " from cqrs.park($1, $2, $3, $4, $5)",
             5, params, res);

    if (rc == CONSUMER_PG_FAILED) {
        snprintf(reason, sizeof(reason),
                 "it failed, %s \"%s\", and cannot be parked, %s \"%s\"",
                 sqlstate, error, b->pg->sqlstate, b->pg->error);

        consumer_command_refuse(command, sqlstate, reason);

        return CONSUMER_BATCH_REFUSED;
    }

    if (rc == CONSUMER_PG_OK) {
        consumer_log(CONSUMER_LOG_ERROR,
                     "command %s is parked, it failed %u times, %s \"%s\"",
                     command->id, times, sqlstate, error);
        *done = 1;
    }

    return consumer_batch_status(rc);
}


consumer_batch_status_e
consumer_batch_refuse(consumer_batch_t *b, PGresult **res)
{
    char                   partition[16], *issuer;
    const char            *params[5];
    consumer_command_t    *command;
    consumer_pg_status_e   rc;

    command = &b->commands[0];
    *res = NULL;

    issuer = consumer_command_issuer(command);
    if (issuer == NULL) {
        return CONSUMER_BATCH_DONE;
    }

    snprintf(partition, sizeof(partition), "%u", b->partition);

    params[0] = partition;
    params[1] = b->epoch;
    params[2] = issuer;
    params[3] = command->code;
    params[4] = command->reason;

    rc = consumer_pg_query(b->pg,
             "select " CONSUMER_COMMAND_COLUMNS
             " from cqrs.refuse_message($1, $2, $3, $4, $5)",
             5, params, res);

    free(issuer);

    /* only a store that is out of order refuses to be told this */

    return consumer_batch_status(rc);
}


consumer_batch_status_e
consumer_batch_status(consumer_pg_status_e rc)
{
    switch (rc) {

    case CONSUMER_PG_OK:
        return CONSUMER_BATCH_DONE;

    case CONSUMER_PG_FENCED:
        return CONSUMER_BATCH_FENCED;

    case CONSUMER_PG_WRONG:
        return CONSUMER_BATCH_WRONG;

    default:
        return CONSUMER_BATCH_AGAIN;
    }
}


static void
consumer_batch_report(consumer_batch_t *b, const PGresult *res, size_t count)
{
    int          row, rows;
    size_t       ordinal;
    const char  *status;

    consumer_log(CONSUMER_LOG_DEBUG, "%zu commands executed", count);

    rows = PQntuples(res);

    for (row = 0; row < rows; row++) {

        status = PQgetvalue(res, row, 1);
        ordinal = (size_t) consumer_pg_number(res, row, 0);

        if (strcmp(status, "parked") == 0 && ordinal >= 1 && ordinal <= count
            && PQgetvalue(res, row, 2)[0] == 'f')
        {
            consumer_log(CONSUMER_LOG_WARN,
                         "command %s is parked, its stream is held",
                         b->commands[ordinal - 1].id);
        }
    }
}
