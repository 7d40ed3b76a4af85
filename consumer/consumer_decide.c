
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "consumer_decide.h"
#include "consumer_conflict.h"
#include "consumer_handler.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


/* Only somebody who writes all the time could be ahead so often. */
#define CONSUMER_DECIDE_TRIES  5


struct consumer_decide_stream_s {
    const char             *name;          /* the command's */
    size_t                  len;
    const cqrs_handler_t   *handler;
    int64_t                 base;          /* what the store is at */
    int64_t                 head;          /* with what was decided */
    json_t                 *before;        /* the state at base */
    json_t                 *state;         /* at head */
    char                    token[24];     /* of a state folded here */
    unsigned                known:1;
    unsigned                used:1;        /* something was decided on it */
};

struct consumer_decide_command_s {
    consumer_command_t     *command;
    const char             *expected;      /* version; NULL: any */
    size_t                  stream;
    unsigned                again:1;       /* its id was there before */
    unsigned                settled:1;     /* it needs no decision */
};


static consumer_pg_status_e consumer_decider_try(consumer_decider_t *d,
    int known, PGresult **res);
static int consumer_decider_begin(consumer_decider_t *d, unsigned partition,
    const char *epoch, consumer_command_t *commands, size_t n,
    const char *all);
static int consumer_decider_take(consumer_decider_t *d,
    consumer_command_t *command);
static size_t consumer_decider_stream(consumer_decider_t *d, const char *name,
    size_t len);
static unsigned *consumer_decider_place(consumer_decider_t *d, int streams,
    const char *name, size_t len);
static void consumer_decider_end(consumer_decider_t *d);
static void consumer_decider_release(consumer_decide_stream_t *stream);
static consumer_pg_status_e consumer_decider_load(consumer_decider_t *d);
static int consumer_decider_loaded(consumer_decider_t *d, PGresult *res,
    int row);
static int consumer_decider_fold(consumer_decider_t *d,
    consumer_decide_command_t *c, consumer_decide_stream_t *stream,
    PGresult *res, int row);
static int consumer_decider_decide(consumer_decider_t *d, int plain);
static int consumer_decider_plain(const consumer_decider_t *d);
static int consumer_decider_decide_all(consumer_decider_t *d);
static int consumer_decider_ask(consumer_decider_t *d,
    consumer_decide_command_t *c, consumer_decide_stream_t *stream);
static void consumer_decider_write(consumer_decider_t *d,
    const consumer_decide_command_t *c,
    const consumer_decide_stream_t *stream, const json_t *decision);
static void consumer_decider_write_json(consumer_decider_t *d, size_t ordinal,
    const consumer_decide_stream_t *stream, const json_t *decision);
static void consumer_decider_heads(consumer_decider_t *d);
static consumer_pg_status_e consumer_decider_append(consumer_decider_t *d);
static consumer_pg_status_e consumer_decider_appended(consumer_decider_t *d,
    PGresult **res);
static void consumer_decider_remember(consumer_decider_t *d, PGresult *res);
static consumer_pg_status_e consumer_decider_error(consumer_decider_t *d,
    consumer_pg_status_e rc, const char *sqlstate, const char *error);


int
consumer_decider_init(consumer_decider_t *d, consumer_pg_t *pg,
    consumer_crashes_t *crashes, size_t batch, size_t cache,
    unsigned timeout)
{
    memset(d, 0, sizeof(*d));

    d->pg = pg;
    d->crashes = crashes;
    d->timeout = timeout;

    consumer_decided_init(&d->decided);
    cqrs_json_init(&d->decisions);
    cqrs_json_init(&d->heads);

    for (d->nindex = 16; d->nindex < 2 * batch; d->nindex *= 2) {
        /* void */
    }

    d->commands = calloc(batch, sizeof(consumer_decide_command_t));
    d->streams = calloc(batch, sizeof(consumer_decide_stream_t));
    d->index = calloc(2 * d->nindex, sizeof(unsigned));

    if (d->commands == NULL || d->streams == NULL || d->index == NULL) {
        return -1;
    }

    return cqrs_cache_init(&d->cache, cache);
}


void
consumer_decider_cleanup(consumer_decider_t *d)
{
    if (d->cache.buckets) {
        cqrs_cache_cleanup(&d->cache);
    }

    consumer_decided_cleanup(&d->decided);
    cqrs_json_cleanup(&d->decisions);
    cqrs_json_cleanup(&d->heads);

    free(d->commands);
    free(d->streams);
    free(d->index);
}


void
consumer_decider_clear(consumer_decider_t *d)
{
    cqrs_cache_clear(&d->cache);
}


consumer_pg_status_e
consumer_decider_run(consumer_decider_t *d, unsigned partition,
    const char *epoch, consumer_command_t *commands, size_t n,
    const char *all, PGresult **res)
{
    int                    known;
    consumer_pg_status_e   rc;

    *res = NULL;

    known = consumer_decider_begin(d, partition, epoch, commands, n, all);

    if (known == -1) {
        rc = consumer_decider_error(d, CONSUMER_PG_TRANSIENT, "53200",
                                    "no memory");
    } else {
        rc = consumer_decider_try(d, known, res);
    }

    consumer_decider_end(d);

    return rc;
}


consumer_pg_status_e
consumer_decider_send(consumer_decider_t *d, unsigned partition,
    const char *epoch, consumer_command_t *commands, size_t n,
    const char *all)
{
    consumer_pg_status_e  rc;

    rc = CONSUMER_PG_FAILED;

    if (consumer_decider_begin(d, partition, epoch, commands, n, all) == 1
        && consumer_decider_decide(d, 1) == 0)
    {
        rc = consumer_decider_append(d);
    }

    if (rc != CONSUMER_PG_OK) {
        consumer_decider_end(d);
    }

    return rc;
}


consumer_pg_status_e
consumer_decider_receive(consumer_decider_t *d, PGresult **res)
{
    consumer_pg_status_e  rc;

    rc = consumer_decider_appended(d, res);

    if (rc == CONSUMER_PG_OK && *res == NULL) {
        rc = consumer_decider_try(d, 0, res);
    }

    consumer_decider_end(d);

    return rc;
}


static consumer_pg_status_e
consumer_decider_try(consumer_decider_t *d, int known, PGresult **res)
{
    int                    tries;
    consumer_pg_status_e   rc;

    for (tries = 0; tries < CONSUMER_DECIDE_TRIES; tries++) {

        rc = known ? CONSUMER_PG_OK : consumer_decider_load(d);

        if (rc != CONSUMER_PG_OK) {
            return rc;
        }

        /* what the short way is stale for, the long one knows */

        if (consumer_decider_decide(d, tries == 0) != 0) {
            return CONSUMER_PG_FAILED;
        }

        rc = consumer_decider_append(d);

        if (rc == CONSUMER_PG_OK) {
            rc = consumer_decider_appended(d, res);
        }

        if (rc != CONSUMER_PG_OK || *res) {
            return rc;
        }

        known = 0;
    }

    return consumer_decider_error(d, CONSUMER_PG_TRANSIENT, "40001",
                                  "somebody else writes to its streams");
}


/* 1 if the states of all their streams are known, 0 if not, -1: no memory. */

static int
consumer_decider_begin(consumer_decider_t *d, unsigned partition,
    const char *epoch, consumer_command_t *commands, size_t n,
    const char *all)
{
    int                        known;
    size_t                     i;
    cqrs_cache_entry_t        *entry;
    consumer_decide_stream_t  *stream;

    snprintf(d->partition, sizeof(d->partition), "%u", partition);

    d->epoch = epoch;
    d->all = all;

    d->ncommands = 0;
    d->nstreams = 0;

    memset(d->index, 0, 2 * d->nindex * sizeof(unsigned));

    for (i = 0; i < n; i++) {
        if (consumer_decider_take(d, &commands[i]) != 0) {
            return -1;
        }
    }

    known = 1;

    for (i = 0; i < d->nstreams; i++) {
        stream = &d->streams[i];
        entry = cqrs_cache_get(&d->cache, stream->name, stream->len);

        if (entry == NULL) {
            known = 0;
            continue;
        }

        stream->base = entry->version;
        stream->before = json_incref(entry->state);
        stream->known = 1;
    }

    return known;
}


static int
consumer_decider_take(consumer_decider_t *d, consumer_command_t *command)
{
    json_t                     *stream, *id;
    unsigned                   *place;
    consumer_decide_command_t  *c;

    if (command->json == NULL) {
        command->json = consumer_handler_parse(command->text, command->len);
    }

    stream = json_object_get(command->json, "stream");
    id = json_object_get(command->json, "id");

    /* the text was written by ourselves */

    if (!json_is_string(stream) || !json_is_string(id)) {
        return -1;
    }

    c = &d->commands[d->ncommands++];

    c->command = command;
    c->expected = json_string_value(json_object_get(command->json,
                                                    "expected_version"));
    c->again = 0;
    c->stream = consumer_decider_stream(d, json_string_value(stream),
                                        json_string_length(stream));

    d->streams[c->stream].handler = command->handler;

    /* the second with an id gets the outcome of the first */

    place = consumer_decider_place(d, 0, command->id, strlen(command->id));

    if (*place) {
        c->again = 1;
    } else {
        *place = (unsigned) d->ncommands;
    }

    c->settled = c->again;

    return 0;
}


/* The number of the stream in this batch. */

static size_t
consumer_decider_stream(consumer_decider_t *d, const char *name, size_t len)
{
    unsigned                  *place;
    consumer_decide_stream_t  *stream;

    place = consumer_decider_place(d, 1, name, len);

    if (*place == 0) {
        stream = &d->streams[d->nstreams++];

        memset(stream, 0, sizeof(*stream));

        stream->name = name;
        stream->len = len;

        *place = (unsigned) d->nstreams;
    }

    return *place - 1;
}


/* Where the number of a name stands, plus one, or is to stand. */

static unsigned *
consumer_decider_place(consumer_decider_t *d, int streams, const char *name,
    size_t len)
{
    size_t                           i, hash;
    unsigned                        *index;
    const consumer_command_t        *command;
    const consumer_decide_stream_t  *stream;

    index = d->index + (streams ? d->nindex : 0);

    for (hash = 5381, i = 0; i < len; i++) {
        hash = hash * 33 ^ (unsigned char) name[i];
    }

    for (i = hash & (d->nindex - 1); index[i]; i = (i + 1) & (d->nindex - 1)) {

        if (streams) {
            stream = &d->streams[index[i] - 1];

            if (stream->len == len && memcmp(stream->name, name, len) == 0) {
                break;
            }

        } else {
            command = d->commands[index[i] - 1].command;

            if (strcmp(command->id, name) == 0) {
                break;
            }
        }
    }

    return &index[i];
}


static void
consumer_decider_end(consumer_decider_t *d)
{
    size_t  i;

    for (i = 0; i < d->nstreams; i++) {
        consumer_decider_release(&d->streams[i]);
    }

    d->nstreams = 0;
    d->ncommands = 0;
}


static void
consumer_decider_release(consumer_decide_stream_t *stream)
{
    json_decref(stream->before);
    json_decref(stream->state);

    stream->before = NULL;
    stream->state = NULL;
    stream->token[0] = '\0';
    stream->known = 0;
}


static consumer_pg_status_e
consumer_decider_load(consumer_decider_t *d)
{
    int                    row;
    size_t                 i;
    PGresult              *res;
    const char            *params[3];
    consumer_pg_status_e   rc;

    params[0] = d->partition;
    params[1] = d->epoch;
    params[2] = d->all;

    rc = consumer_pg_query(d->pg,
             "select ordinal, status, version, state, events, token"
             " from cqrs.load($1, $2, $3)",
             3, params, &res);

    if (rc != CONSUMER_PG_OK) {
        return rc;
    }

    for (i = 0; i < d->nstreams; i++) {
        consumer_decider_release(&d->streams[i]);
    }

    for (row = 0; row < PQntuples(res); row++) {
        if (consumer_decider_loaded(d, res, row) != 0) {
            rc = CONSUMER_PG_FAILED;
            break;
        }
    }

    consumer_crashes_rest();

    PQclear(res);

    return rc;
}


static int
consumer_decider_loaded(consumer_decider_t *d, PGresult *res, int row)
{
    size_t                      ordinal;
    consumer_decide_stream_t   *stream;
    consumer_decide_command_t  *c;

    ordinal = (size_t) consumer_pg_number(res, row, 0);

    if (ordinal < 1 || ordinal > d->ncommands) {
        return 0;
    }

    c = &d->commands[ordinal - 1];
    stream = &d->streams[c->stream];

    c->settled = c->again || !PQgetisnull(res, row, 1);

    if (PQgetisnull(res, row, 2) || stream->known) {
        return 0;
    }

    stream->base = consumer_pg_number(res, row, 2);
    stream->known = 1;

    if (!PQgetisnull(res, row, 3)) {
        stream->before = consumer_handler_parse(PQgetvalue(res, row, 3),
                                            (size_t) PQgetlength(res, row, 3));
    }

    if (PQgetisnull(res, row, 4)) {
        return 0;
    }

    snprintf(stream->token, sizeof(stream->token), "%s",
             PQgetvalue(res, row, 5));

    return consumer_decider_fold(d, c, stream, res, row);
}


/* What was to be folded anew. */

static int
consumer_decider_fold(consumer_decider_t *d, consumer_decide_command_t *c,
    consumer_decide_stream_t *stream, PGresult *res, int row)
{
    int      rc;
    char     error[CONSUMER_HANDLER_ERROR_MAX];
    json_t  *events;

    events = consumer_handler_parse(PQgetvalue(res, row, 4),
                                    (size_t) PQgetlength(res, row, 4));

    consumer_crashes_enter(d->crashes, c->command->id, d->timeout);

    rc = consumer_handler_fold(stream->handler, &stream->before, events,
                               error);

    consumer_crashes_leave(d->crashes);

    json_decref(events);

    if (rc != 0) {
        consumer_decider_error(d, CONSUMER_PG_FAILED, CONSUMER_DECIDE_FAILED,
                               error);
    }

    return rc;
}


/* 0, or -1: a handler is at fault, pg->error says how. */

static int
consumer_decider_decide(consumer_decider_t *d, int plain)
{
    int  rc;

    d->plain = plain && consumer_decider_plain(d);

    if (d->plain) {
        rc = consumer_decider_decide_all(d);

        if (rc != 0 || d->plain) {
            return rc;
        }
    }

    return consumer_decider_decide_all(d);
}


/* Whether, as far as can be seen, the short way will do. */

static int
consumer_decider_plain(const consumer_decider_t *d)
{
    size_t  i;

    for (i = 0; i < d->ncommands; i++) {
        if (d->commands[i].settled
            || json_object_get(d->commands[i].command->json, "release")
            || !consumer_decided_valid(d->commands[i].command))
        {
            return 0;
        }
    }

    for (i = 0; i < d->nstreams; i++) {
        if (d->streams[i].token[0]) {
            return 0;
        }
    }

    return 1;
}


/* After it d->plain is unset where something was not plain after all. */

static int
consumer_decider_decide_all(consumer_decider_t *d)
{
    int                         rc, plain;
    size_t                      i;
    consumer_decide_stream_t   *stream;
    consumer_decide_command_t  *c;

    plain = d->plain;

    consumer_decided_clear(&d->decided);
    cqrs_json_clear(&d->decisions);
    cqrs_json_raw(&d->decisions, "[", 1);

    for (i = 0; i < d->nstreams; i++) {
        stream = &d->streams[i];

        json_decref(stream->state);

        stream->state = json_incref(stream->before);
        stream->head = stream->base;
        stream->used = 0;
    }

    rc = 0;

    for (i = 0; i < d->ncommands && rc == 0 && d->plain == plain; i++) {
        c = &d->commands[i];

        if (!c->settled) {
            stream = &d->streams[c->stream];
            stream->used = 1;

            rc = consumer_decider_ask(d, c, stream);
        }
    }

    consumer_crashes_rest();

    cqrs_json_raw(&d->decisions, "]", 1);
    consumer_decider_heads(d);

    return rc;
}


static int
consumer_decider_ask(consumer_decider_t *d, consumer_decide_command_t *c,
    consumer_decide_stream_t *stream)
{
    int                   rc;
    char                  error[CONSUMER_HANDLER_ERROR_MAX];
    json_t               *conflict;
    consumer_decision_t   decision;

    conflict = c->expected ? consumer_conflict(c->expected, stream->head)
                           : NULL;

    if (conflict) {
        consumer_decider_write(d, c, stream, conflict);
        json_decref(conflict);

        return 0;
    }

    consumer_crashes_enter(d->crashes, c->command->id, d->timeout);

    rc = consumer_handler_decide(stream->handler, stream->state,
                                 c->command->json, &decision, error);

    if (rc == 0) {
        stream->head += (int64_t) json_array_size(decision.events);

        json_decref(stream->state);
        stream->state = json_incref(decision.state);

        consumer_decider_write(d, c, stream, decision.decision);
        consumer_handler_decided(&decision);

    } else {
        consumer_decider_error(d, CONSUMER_PG_FAILED, CONSUMER_DECIDE_FAILED,
                               error);
    }

    consumer_crashes_leave(d->crashes);

    return rc;
}


static void
consumer_decider_write(consumer_decider_t *d,
    const consumer_decide_command_t *c,
    const consumer_decide_stream_t *stream, const json_t *decision)
{
    size_t  ordinal;

    ordinal = (size_t) (c - d->commands) + 1;

    if (!d->plain) {
        consumer_decider_write_json(d, ordinal, stream, decision);

    } else if (consumer_decided_add(&d->decided, ordinal, c->command,
                                    stream->head, decision)
               != 0)
    {
        d->plain = 0;
    }
}


static void
consumer_decider_write_json(consumer_decider_t *d, size_t ordinal,
    const consumer_decide_stream_t *stream, const json_t *decision)
{
    size_t                    i;
    json_t                   *value;
    cqrs_json_t              *json;

    static const char *const  names[] = {
        "events", "code", "message", "detail"
    };

    json = &d->decisions;

    cqrs_json_text(json, json->len > 1 ? ",{\"n\":" : "{\"n\":");
    cqrs_json_number(json, (long long) ordinal);
    cqrs_json_text(json, ",\"version\":");
    cqrs_json_number(json, stream->head);

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        value = json_object_get(decision, names[i]);

        if (value) {
            cqrs_json_text(json, ",\"");
            cqrs_json_text(json, names[i]);
            cqrs_json_text(json, "\":");
            cqrs_json_value(json, value);
        }
    }

    cqrs_json_raw(json, "}", 1);
}


/* What was decided on, and what came of it. */

static void
consumer_decider_heads(consumer_decider_t *d)
{
    size_t                     i;
    cqrs_json_t               *json;
    consumer_decide_stream_t  *stream;

    json = &d->heads;

    cqrs_json_clear(json);
    cqrs_json_raw(json, "[", 1);

    for (i = 0; i < d->nstreams; i++) {
        stream = &d->streams[i];

        if (!stream->used) {
            continue;
        }

        if (d->plain) {
            consumer_decided_stream(&d->decided, stream->name, stream->len,
                                    stream->base, stream->head,
                                    stream->state);
            continue;
        }

        cqrs_json_text(json, json->len > 1 ? ",{\"stream\":"
                                           : "{\"stream\":");
        cqrs_json_string(json, stream->name, stream->len);
        cqrs_json_text(json, ",\"base\":");
        cqrs_json_number(json, stream->base);
        cqrs_json_text(json, ",\"head\":");
        cqrs_json_number(json, stream->head);

        if (stream->state) {
            cqrs_json_text(json, ",\"state\":");
            cqrs_json_value(json, stream->state);
        }

        if (stream->token[0]) {
            cqrs_json_text(json, ",\"token\":");
            cqrs_json_string(json, stream->token, strlen(stream->token));
        }

        cqrs_json_raw(json, "}", 1);
    }

    cqrs_json_raw(json, "]", 1);
}


static consumer_pg_status_e
consumer_decider_append(consumer_decider_t *d)
{
    const char  *params[5];

    if (d->plain) {
        return consumer_decided_send(&d->decided, d->pg, d->partition,
                                     d->epoch);
    }

    params[0] = d->partition;
    params[1] = d->epoch;
    params[2] = d->all;
    params[3] = cqrs_json_end(&d->decisions);
    params[4] = cqrs_json_end(&d->heads);

    if (params[3] == NULL || params[4] == NULL) {
        return consumer_decider_error(d, CONSUMER_PG_TRANSIENT, "53200",
                                      "no memory");
    }

    return consumer_pg_send(d->pg,
               "select " CONSUMER_COMMAND_COLUMNS
               " from cqrs.append($1, $2, $3, $4, $5)",
               5, params);
}


/* After CONSUMER_PG_OK without a result nothing was written. */

static consumer_pg_status_e
consumer_decider_appended(consumer_decider_t *d, PGresult **res)
{
    consumer_pg_status_e  rc;

    rc = consumer_pg_receive(d->pg, res);

    if (rc != CONSUMER_PG_OK) {
        return rc;
    }

    if (PQntuples(*res) && consumer_pg_number(*res, 0, 0) == 0) {
        PQclear(*res);
        *res = NULL;
        return CONSUMER_PG_OK;
    }

    consumer_decider_remember(d, *res);

    return CONSUMER_PG_OK;
}


static void
consumer_decider_remember(consumer_decider_t *d, PGresult *res)
{
    int                        row;
    size_t                     i, ordinal;
    consumer_decide_stream_t  *stream;

    for (i = 0; i < d->nstreams; i++) {
        stream = &d->streams[i];

        /* one that was folded here is only kept there if it was used */

        if (stream->used || (stream->known && stream->token[0] == '\0')) {
            cqrs_cache_set(&d->cache, stream->name, stream->len, stream->head,
                           stream->state);
        }
    }

    for (row = 0; row < PQntuples(res); row++) {

        ordinal = (size_t) consumer_pg_number(res, row, 0);

        if (ordinal >= 1 && ordinal <= d->ncommands
            && strcmp(PQgetvalue(res, row, 1), "parked") == 0)
        {
            stream = &d->streams[d->commands[ordinal - 1].stream];
            cqrs_cache_drop(&d->cache, stream->name, stream->len);
        }
    }
}


static consumer_pg_status_e
consumer_decider_error(consumer_decider_t *d, consumer_pg_status_e rc,
    const char *sqlstate, const char *error)
{
    snprintf(d->pg->sqlstate, sizeof(d->pg->sqlstate), "%s", sqlstate);
    snprintf(d->pg->error, sizeof(d->pg->error), "%s", error);

    return rc;
}
