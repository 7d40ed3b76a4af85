
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Kills the daemon between two steps of its protocols.
 *
 * Preloaded, this stands before the three client libraries and knows the steps
 * by what crosses them: a delivery, a statement, its commit, a publish, a
 * confirm, an ack.  The daemon holds nothing of it.
 *
 * A file named by CQRS_CRASH_FILE is shared with the test: it says at which
 * point, after how many passings, and in what way to die; the process that
 * does it says so there first.  Every passing is counted there, too.  All
 * fields are 32 bits wide, as Cqrs::Crash knows.
 */

#include <amqp.h>
#include <amqp_framing.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>


#define POINTS_PG        4
#define POINTS_PREPARED  64
#define POINTS_AMQP      4
#define POINTS_RUNNING   8


typedef enum {
    POINT_NONE = 0,
    POINT_COMMAND_DELIVERED,    /* a command has come */
    POINT_CLAIMING,             /* before the partition is claimed */
    POINT_CLAIMED,
    POINT_EXECUTING,            /* before the store is asked */
    POINT_EXECUTE_SENT,         /* it is asked: it may commit or not */
    POINT_COMMITTED,            /* the store has committed */
    POINT_NOTIFYING,            /* before Redis is told */
    POINT_NOTIFIED,
    POINT_ACKING,               /* before the commands are acknowledged */
    POINT_ACKED,
    POINT_PUBLISHING,           /* before an event goes to RabbitMQ */
    POINT_PUBLISHED,            /* between publish and confirm */
    POINT_CONFIRMED,            /* between confirm and checkpoint */
    POINT_CHECKPOINTING,        /* before the checkpoint is moved */
    POINT_CHECKPOINTED,
    POINT_EVENT_DELIVERED,      /* an event has come to the process managers */
    POINT_REACTION_PUBLISHING,  /* before a command of theirs is published */
    POINT_REACTION_PUBLISHED,
    POINT_REACTION_CONFIRMED,
    POINT_EVENT_ACKING,
    POINT_EVENT_ACKED,
    POINT_MAX
} point_e;

typedef enum {
    DEATH_WORKER = 0,           /* SIGKILL for this process */
    DEATH_DAEMON,               /* for its whole process group */
    DEATH_PAUSE                 /* SIGSTOP for this process */
} death_e;

typedef struct {
    uint32_t  armed;            /* a point_e */
    uint32_t  countdown;
    uint32_t  death;
    uint32_t  died;             /* the process id, once it is done */
    uint32_t  passed[POINT_MAX];
} points_t;

typedef struct {
    const char  *text;          /* what the statement contains */
    point_e      before;
    point_e      sent;
    point_e      committed;
} points_statement_t;

/* What runs on a connection, in order; NULL is one that is no point. */
typedef struct {
    const PGconn              *conn;
    const points_statement_t  *running[POINTS_RUNNING];
    size_t                     n;
} points_pg_t;

/* What a statement prepared under this name is. */
typedef struct {
    char                       name[64];
    const points_statement_t  *statement;
} points_prepared_t;

/* What was delivered or published last on a connection. */
typedef struct {
    const void  *conn;
    int          commands;
} points_amqp_t;


#define POINTS_REAL(name)                                                     \
    static __typeof__(&name)  real;                                           \
                                                                              \
    if (real == NULL) {                                                       \
        *(void **) &real = dlsym(RTLD_NEXT, #name);                           \
    }


static points_t                 *points;
static points_pg_t               points_pg[POINTS_PG];
static points_prepared_t         points_prepared[POINTS_PREPARED];
static size_t                    points_nprepared;
static points_amqp_t             points_delivered[POINTS_AMQP];
static points_amqp_t             points_published[POINTS_AMQP];

static const points_statement_t  points_statements[] = {
    { "cqrs.execute", POINT_EXECUTING, POINT_EXECUTE_SENT, POINT_COMMITTED },
    { "cqrs.append", POINT_EXECUTING, POINT_EXECUTE_SENT, POINT_COMMITTED },
    { "cqrs.claim_partition", POINT_CLAIMING, POINT_NONE, POINT_CLAIMED },
    { "cqrs.advance_checkpoint('rabbitmq'", POINT_CHECKPOINTING, POINT_NONE,
      POINT_CHECKPOINTED },
    { NULL, POINT_NONE, POINT_NONE, POINT_NONE }
};


static void points_init(void) __attribute__((constructor));


static void
points_init(void)
{
    int          fd;
    const char  *file;

    file = getenv("CQRS_CRASH_FILE");
    if (file == NULL) {
        return;
    }

    fd = open(file, O_RDWR | O_CLOEXEC);
    if (fd == -1) {
        return;
    }

    points = mmap(NULL, sizeof(points_t), PROT_READ | PROT_WRITE, MAP_SHARED,
                  fd, 0);
    if (points == MAP_FAILED) {
        points = NULL;
    }

    close(fd);
}


static void
points_pass(point_e point)
{
    if (points == NULL || point == POINT_NONE) {
        return;
    }

    __atomic_add_fetch(&points->passed[point], 1, __ATOMIC_SEQ_CST);

    if (__atomic_load_n(&points->armed, __ATOMIC_SEQ_CST) != point
        || __atomic_sub_fetch(&points->countdown, 1, __ATOMIC_SEQ_CST) != 0)
    {
        return;
    }

    __atomic_store_n(&points->armed, POINT_NONE, __ATOMIC_SEQ_CST);
    __atomic_store_n(&points->died, (uint32_t) getpid(), __ATOMIC_SEQ_CST);

    switch (points->death) {

    case DEATH_DAEMON:
        kill(0, SIGKILL);
        break;

    case DEATH_PAUSE:
        raise(SIGSTOP);
        break;

    default:
        kill(getpid(), SIGKILL);
    }
}


/* --- Postgres --- */

static points_pg_t *
points_pg_find(const PGconn *conn)
{
    size_t        i;
    points_pg_t  *free_one;

    free_one = &points_pg[0];

    for (i = 0; i < POINTS_PG; i++) {

        if (points_pg[i].conn == conn) {
            return &points_pg[i];
        }

        if (points_pg[i].conn == NULL) {
            free_one = &points_pg[i];
        }
    }

    free_one->conn = conn;
    free_one->n = 0;

    return free_one;
}


static const points_statement_t *
points_statement(const char *sql)
{
    const points_statement_t  *statement;

    for (statement = points_statements; statement->text; statement++) {
        if (strstr(sql, statement->text)) {
            return statement;
        }
    }

    return NULL;
}


static void
points_prepare(const char *name, const char *sql)
{
    size_t              i;
    points_prepared_t  *prepared;

    for (i = 0; i < points_nprepared; i++) {
        if (strcmp(points_prepared[i].name, name) == 0) {
            break;
        }
    }

    if (i == POINTS_PREPARED || strlen(name) >= sizeof(prepared->name)) {
        return;
    }

    prepared = &points_prepared[i];
    strcpy(prepared->name, name);
    prepared->statement = points_statement(sql);

    if (i == points_nprepared) {
        points_nprepared++;
    }
}


static const points_statement_t *
points_prepared_find(const char *name)
{
    size_t  i;

    for (i = 0; i < points_nprepared; i++) {
        if (strcmp(points_prepared[i].name, name) == 0) {
            return points_prepared[i].statement;
        }
    }

    return NULL;
}


static void
points_sent(PGconn *conn, const points_statement_t *statement)
{
    points_pg_t  *pg;

    pg = points_pg_find(conn);

    if (pg->n < POINTS_RUNNING) {
        pg->running[pg->n++] = statement;
    }

    if (statement) {
        PQflush(conn);
        points_pass(statement->sent);
    }
}


static void
points_ready(points_pg_t *pg)
{
    const points_statement_t  *statement;

    if (pg->n) {
        statement = pg->running[0];
        pg->n--;
        memmove(pg->running, pg->running + 1, pg->n * sizeof(statement));

        if (statement) {
            points_pass(statement->committed);
        }
    }
}


int
PQsendQueryParams(PGconn *conn, const char *command, int nparams,
    const Oid *types, const char *const *values, const int *lengths,
    const int *formats, int result)
{
    int                        rc;
    const points_statement_t  *statement;

    POINTS_REAL(PQsendQueryParams)

    statement = points_statement(command);

    if (statement) {
        points_pass(statement->before);
    }

    rc = real(conn, command, nparams, types, values, lengths, formats, result);

    points_sent(conn, statement);

    return rc;
}


int
PQsendQueryPrepared(PGconn *conn, const char *name, int nparams,
    const char *const *values, const int *lengths, const int *formats,
    int result)
{
    int                        rc;
    const points_statement_t  *statement;

    POINTS_REAL(PQsendQueryPrepared)

    statement = points_prepared_find(name);

    if (statement) {
        points_pass(statement->before);
    }

    rc = real(conn, name, nparams, values, lengths, formats, result);

    points_sent(conn, statement);

    return rc;
}


int
PQsendPrepare(PGconn *conn, const char *name, const char *query, int nparams,
    const Oid *types)
{
    POINTS_REAL(PQsendPrepare)

    points_prepare(name, query);

    return real(conn, name, query, nparams, types);
}


PGresult *
PQprepare(PGconn *conn, const char *name, const char *query, int nparams,
    const Oid *types)
{
    POINTS_REAL(PQprepare)

    points_prepare(name, query);

    return real(conn, name, query, nparams, types);
}


/* The commit is known when the server is ready again: NULL, or a sync. */

PGresult *
PQgetResult(PGconn *conn)
{
    PGresult     *res;
    points_pg_t  *pg;

    POINTS_REAL(PQgetResult)

    res = real(conn);
    pg = points_pg_find(conn);

    if (PQpipelineStatus(conn) != PQ_PIPELINE_OFF) {

        if (res && PQresultStatus(res) == PGRES_PIPELINE_SYNC) {
            points_ready(pg);
        }

        return res;
    }

    if (res == NULL) {
        points_ready(pg);

    } else if (PQresultStatus(res) == PGRES_FATAL_ERROR) {
        pg->n = 0;
    }

    return res;
}


void
PQfinish(PGconn *conn)
{
    POINTS_REAL(PQfinish)

    if (conn) {
        points_pg_find(conn)->conn = NULL;
    }

    real(conn);
}


/* --- RabbitMQ --- */

static points_amqp_t *
points_amqp_find(points_amqp_t *list, const void *conn)
{
    size_t  i;

    for (i = 0; i < POINTS_AMQP - 1; i++) {
        if (list[i].conn == conn || list[i].conn == NULL) {
            break;
        }
    }

    list[i].conn = conn;

    return &list[i];
}


static int
points_is(amqp_bytes_t bytes, const char *name)
{
    return bytes.len == strlen(name)
           && memcmp(bytes.bytes, name, bytes.len) == 0;
}


amqp_rpc_reply_t
amqp_consume_message(amqp_connection_state_t state, amqp_envelope_t *envelope,
    const struct timeval *timeout, int flags)
{
    int               commands;
    amqp_rpc_reply_t  reply;

    POINTS_REAL(amqp_consume_message)

    reply = real(state, envelope, timeout, flags);

    if (reply.reply_type == AMQP_RESPONSE_NORMAL) {
        commands = points_is(envelope->exchange, "cqrs.commands");
        points_amqp_find(points_delivered, state)->commands = commands;
        points_pass(commands ? POINT_COMMAND_DELIVERED
                             : POINT_EVENT_DELIVERED);
    }

    return reply;
}


int
amqp_basic_ack(amqp_connection_state_t state, amqp_channel_t channel,
    uint64_t tag, amqp_boolean_t multiple)
{
    int  rc, commands;

    POINTS_REAL(amqp_basic_ack)

    commands = points_amqp_find(points_delivered, state)->commands;

    points_pass(commands ? POINT_ACKING : POINT_EVENT_ACKING);

    rc = real(state, channel, tag, multiple);

    points_pass(commands ? POINT_ACKED : POINT_EVENT_ACKED);

    return rc;
}


int
amqp_basic_publish(amqp_connection_state_t state, amqp_channel_t channel,
    amqp_bytes_t exchange, amqp_bytes_t key, amqp_boolean_t mandatory,
    amqp_boolean_t immediate, const amqp_basic_properties_t *properties,
    amqp_bytes_t body)
{
    int  rc, commands;

    POINTS_REAL(amqp_basic_publish)

    commands = points_is(exchange, "cqrs.commands");
    points_amqp_find(points_published, state)->commands = commands;

    points_pass(commands ? POINT_REACTION_PUBLISHING : POINT_PUBLISHING);

    rc = real(state, channel, exchange, key, mandatory, immediate, properties,
              body);

    points_pass(commands ? POINT_REACTION_PUBLISHED : POINT_PUBLISHED);

    return rc;
}


int
amqp_simple_wait_frame_noblock(amqp_connection_state_t state,
    amqp_frame_t *frame, const struct timeval *timeout)
{
    int  rc;

    POINTS_REAL(amqp_simple_wait_frame_noblock)

    rc = real(state, frame, timeout);

    if (rc == AMQP_STATUS_OK && frame->frame_type == AMQP_FRAME_METHOD
        && frame->payload.method.id == AMQP_BASIC_ACK_METHOD)
    {
        points_pass(points_amqp_find(points_published, state)->commands
                    ? POINT_REACTION_CONFIRMED : POINT_CONFIRMED);
    }

    return rc;
}


/* --- Redis --- */

static int
points_publishes(int argc, const char **argv)
{
    return argc > 0 && strncasecmp(argv[0], "EVAL", 4) == 0;
}


void *
redisCommandArgv(redisContext *c, int argc, const char **argv,
    const size_t *lengths)
{
    void  *reply;

    POINTS_REAL(redisCommandArgv)

    if (points_publishes(argc, argv)) {
        points_pass(POINT_NOTIFYING);
    }

    reply = real(c, argc, argv, lengths);

    if (points_publishes(argc, argv)) {
        points_pass(POINT_NOTIFIED);
    }

    return reply;
}


int
redisAppendCommandArgv(redisContext *c, int argc, const char **argv,
    const size_t *lengths)
{
    int  rc;

    POINTS_REAL(redisAppendCommandArgv)

    if (points_publishes(argc, argv)) {
        points_pass(POINT_NOTIFYING);
    }

    rc = real(c, argc, argv, lengths);

    if (points_publishes(argc, argv)) {
        points_pass(POINT_NOTIFIED);
    }

    return rc;
}
