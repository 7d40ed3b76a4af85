
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


static consumer_pg_status_e consumer_decider_try(consumer_decider_t *d,
    int known, PGresult **res);
static int consumer_decider_begin(consumer_decider_t *d, unsigned partition,
    const char *epoch, consumer_command_t *commands, size_t n,
    const char *all);
static consumer_pg_status_e consumer_decider_load(consumer_decider_t *d);
static int consumer_decider_loaded(consumer_decider_t *d, PGresult *res,
    int row);
static int consumer_decider_fold(consumer_decider_t *d,
    consumer_deciding_command_t *c, consumer_deciding_stream_t *stream,
    PGresult *res, int row);
static int consumer_decider_decide(consumer_decider_t *d, int plain);
static int consumer_decider_plain(const consumer_decider_t *d);
static int consumer_decider_decide_all(consumer_decider_t *d);
static int consumer_decider_ask(consumer_decider_t *d,
    consumer_deciding_command_t *c, consumer_deciding_stream_t *stream);
static void consumer_decider_write(consumer_decider_t *d,
    const consumer_deciding_command_t *c,
    const consumer_deciding_stream_t *stream, const json_t *decision);
static void consumer_decider_write_json(consumer_decider_t *d, size_t ordinal,
    const consumer_deciding_stream_t *stream, const json_t *decision);
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

    if (consumer_deciding_init(&d->batch, batch) != 0) {
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
    consumer_deciding_cleanup(&d->batch);
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

    consumer_deciding_end(&d->batch);

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
        consumer_deciding_end(&d->batch);
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

    consumer_deciding_end(&d->batch);

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
    int                          known;
    size_t                       i;
    cqrs_cache_entry_t          *entry;
    consumer_deciding_stream_t  *stream;

    snprintf(d->partition, sizeof(d->partition), "%u", partition);

    d->epoch = epoch;
    d->all = all;

    if (consumer_deciding_begin(&d->batch, commands, n) != 0) {
        return -1;
    }

    known = 1;

    for (i = 0; i < d->batch.nstreams; i++) {
        stream = &d->batch.streams[i];
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

    for (i = 0; i < d->batch.nstreams; i++) {
        consumer_deciding_release(&d->batch.streams[i]);
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
    size_t                        ordinal;
    consumer_deciding_stream_t   *stream;
    consumer_deciding_command_t  *c;

    ordinal = (size_t) consumer_pg_number(res, row, 0);

    if (ordinal < 1 || ordinal > d->batch.ncommands) {
        return 0;
    }

    c = &d->batch.commands[ordinal - 1];
    stream = &d->batch.streams[c->stream];

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
consumer_decider_fold(consumer_decider_t *d, consumer_deciding_command_t *c,
    consumer_deciding_stream_t *stream, PGresult *res, int row)
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

    for (i = 0; i < d->batch.ncommands; i++) {
        if (d->batch.commands[i].settled
            || json_object_get(d->batch.commands[i].command->json, "release")
            || !consumer_decided_valid(d->batch.commands[i].command))
        {
            return 0;
        }
    }

    for (i = 0; i < d->batch.nstreams; i++) {
        if (d->batch.streams[i].token[0]) {
            return 0;
        }
    }

    return 1;
}


/* After it d->plain is unset where something was not plain after all. */

static int
consumer_decider_decide_all(consumer_decider_t *d)
{
    int                           rc, plain;
    size_t                        i;
    consumer_deciding_stream_t   *stream;
    consumer_deciding_command_t  *c;

    plain = d->plain;

    consumer_decided_clear(&d->decided);
    cqrs_json_clear(&d->decisions);
    cqrs_json_raw(&d->decisions, "[", 1);

    for (i = 0; i < d->batch.nstreams; i++) {
        stream = &d->batch.streams[i];

        json_decref(stream->state);

        stream->state = json_incref(stream->before);
        stream->head = stream->base;
        stream->used = 0;
    }

    rc = 0;

    for (i = 0; i < d->batch.ncommands && rc == 0 && d->plain == plain; i++) {
        c = &d->batch.commands[i];

        if (!c->settled) {
            stream = &d->batch.streams[c->stream];
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
consumer_decider_ask(consumer_decider_t *d, consumer_deciding_command_t *c,
    consumer_deciding_stream_t *stream)
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
    const consumer_deciding_command_t *c,
    const consumer_deciding_stream_t *stream, const json_t *decision)
{
    size_t  ordinal;

    ordinal = (size_t) (c - d->batch.commands) + 1;

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
    const consumer_deciding_stream_t *stream, const json_t *decision)
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
    size_t                       i;
    cqrs_json_t                 *json;
    consumer_deciding_stream_t  *stream;

    json = &d->heads;

    cqrs_json_clear(json);
    cqrs_json_raw(json, "[", 1);

    for (i = 0; i < d->batch.nstreams; i++) {
        stream = &d->batch.streams[i];

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
    int                          row;
    size_t                       i, ordinal;
    consumer_deciding_stream_t  *stream;

    for (i = 0; i < d->batch.nstreams; i++) {
        stream = &d->batch.streams[i];

        /* one that was folded here is only kept there if it was used */

        if (stream->used || (stream->known && stream->token[0] == '\0')) {
            cqrs_cache_set(&d->cache, stream->name, stream->len, stream->head,
                           stream->state);
        }
    }

    for (row = 0; row < PQntuples(res); row++) {

        ordinal = (size_t) consumer_pg_number(res, row, 0);

        if (ordinal >= 1 && ordinal <= d->batch.ncommands
            && strcmp(PQgetvalue(res, row, 1), "parked") == 0)
        {
            stream = &d->batch.streams[d->batch.commands[ordinal - 1].stream];
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
