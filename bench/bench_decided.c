
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "bench_decided.h"


#define BENCH_DECIDED_TEXT    1024
#define BENCH_DECIDED_PARAMS  (2 + BENCH_DECIDED_ARRAYS)


/* The parameters of cqrs.append_decided, from its third on. */

enum {
    ID = 0, STREAM, TYPE, STATUS, VERSION, CODE, MESSAGE, DETAIL,
    NAME, BASE, HEAD, FOLD,
    ORDINAL, EVENT_ID, EVENT_STREAM, EVENT_VERSION, EVENT_TYPE, REVISION, DATA,
    METADATA,
    TOLD, CHANNEL, BEGINNING, ENDING
};


static const consumer_array_type_e  bench_decided_types[] = {
    CONSUMER_ARRAY_UUID, CONSUMER_ARRAY_TEXT, CONSUMER_ARRAY_TEXT,
    CONSUMER_ARRAY_TEXT, CONSUMER_ARRAY_INT8, CONSUMER_ARRAY_TEXT,
    CONSUMER_ARRAY_TEXT, CONSUMER_ARRAY_JSONB,

    CONSUMER_ARRAY_TEXT, CONSUMER_ARRAY_INT8, CONSUMER_ARRAY_INT8,
    CONSUMER_ARRAY_JSONB,

    CONSUMER_ARRAY_INT4, CONSUMER_ARRAY_UUID, CONSUMER_ARRAY_TEXT,
    CONSUMER_ARRAY_INT8, CONSUMER_ARRAY_TEXT, CONSUMER_ARRAY_INT4,
    CONSUMER_ARRAY_JSONB, CONSUMER_ARRAY_JSONB,

    CONSUMER_ARRAY_INT4, CONSUMER_ARRAY_TEXT, CONSUMER_ARRAY_TEXT,
    CONSUMER_ARRAY_TEXT
};


static void bench_decided_account(bench_decided_t *decided,
    bench_decided_account_t *account, const char *stream);
static void bench_decided_text(bench_decided_t *decided, int array,
    const char *text);
static void bench_decided_number(bench_decided_t *decided, int array,
    int64_t number);


void
bench_decided_init(bench_decided_t *decided, bench_store_t *store,
    const char *format, long accounts, const char *body)
{
    int              i;
    long             n;
    bench_command_t  cmd;
    PGresult        *res;

    memset(&cmd, 0, sizeof(cmd));

    decided->store = store;
    decided->accounts = bench_alloc((size_t) (accounts + 1)
                                    * sizeof(bench_decided_account_t));

    if (sscanf(body, "{\"amount\": %ld}", &n) != 1) {
        bench_die("a deposit is {\"amount\": 25}, not %s", body);
    }

    decided->amount = n;

    for (i = 0; i < BENCH_DECIDED_ARRAYS; i++) {
        consumer_array_init(&decided->arrays[i], bench_decided_types[i]);
    }

    if (PQexitPipelineMode(store->conn) != 1) {
        bench_die("in a pipeline: %s", PQerrorMessage(store->conn));
    }

    for (n = 1; n <= accounts; n++) {
        bench_command_init(&cmd, format, n, 1);
        bench_decided_account(decided, &decided->accounts[n], cmd.stream);
    }

    res = PQprepare(store->conn, "append",
                    "select ordinal, status, duplicate, sequence, channel,"
                    " body from cqrs.append_decided($1, $2, $3, $4, $5, $6,"
                    " $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,"
                    " $19, $20, $21, $22, $23, $24, $25, $26)", 0, NULL);

    if (PQresultStatus(res) != PGRES_COMMAND_OK
        || PQenterPipelineMode(store->conn) != 1)
    {
        bench_die("not prepared: %s", PQerrorMessage(store->conn));
    }

    PQclear(res);
}


static void
bench_decided_account(bench_decided_t *decided,
    bench_decided_account_t *account, const char *stream)
{
    PGresult  *res;

    res = PQexecParams(decided->store->conn,
              "select version, (state->'balance')::bigint,"
              " rtrim((state - 'balance')::text, '}')"
              " from cqrs.streams where stream = $1",
              1, NULL, &stream, NULL, NULL, 0);

    if (PQresultStatus(res) != PGRES_TUPLES_OK || PQntuples(res) != 1) {
        bench_die("there is no account %s", stream);
    }

    account->version = atoll(PQgetvalue(res, 0, 0));
    account->balance = atoll(PQgetvalue(res, 0, 1));
    account->rest = strdup(PQgetvalue(res, 0, 2));

    PQclear(res);
}


void
bench_decided_begin(bench_decided_t *decided)
{
    int  i;

    decided->count = 0;

    for (i = 0; i < BENCH_DECIDED_ARRAYS; i++) {
        consumer_array_clear(&decided->arrays[i]);
    }
}


void
bench_decided_add(bench_decided_t *decided, const bench_command_t *cmd,
    long number)
{
    char                      id[CQRS_UUID_TEXT_LEN + 1];
    char                      text[BENCH_DECIDED_TEXT];
    cqrs_uuid_t               uuid, derived;
    bench_decided_account_t  *account;

    account = &decided->accounts[number];
    account->balance += decided->amount;

    decided->count++;

    (void) cqrs_uuid_parse(&uuid, cmd->id, CQRS_UUID_TEXT_LEN);

    consumer_array_uuid(&decided->arrays[ID], &uuid);
    bench_decided_text(decided, STREAM, cmd->stream);
    bench_decided_text(decided, TYPE, cmd->type);
    bench_decided_text(decided, STATUS, "completed");
    bench_decided_number(decided, VERSION, account->version + 1);
    bench_decided_text(decided, CODE, NULL);
    bench_decided_text(decided, MESSAGE, NULL);
    bench_decided_text(decided, DETAIL, NULL);

    bench_decided_text(decided, NAME, cmd->stream);
    bench_decided_number(decided, BASE, account->version);
    bench_decided_number(decided, HEAD, ++account->version);

    snprintf(text, sizeof(text), "%s, \"balance\": %lld}", account->rest,
             (long long) account->balance);
    bench_decided_text(decided, FOLD, text);

    cqrs_uuid_derive(&derived, &uuid, "event:1", 7);

    bench_decided_number(decided, ORDINAL, decided->count);
    consumer_array_uuid(&decided->arrays[EVENT_ID], &derived);
    bench_decided_text(decided, EVENT_STREAM, cmd->stream);
    bench_decided_number(decided, EVENT_VERSION, account->version);
    bench_decided_text(decided, EVENT_TYPE, "deposited");
    bench_decided_number(decided, REVISION, 1);
    bench_decided_text(decided, DATA, cmd->body);

    snprintf(text, sizeof(text),
             "{\"command_id\":\"%s\",\"correlation_id\":\"%s\","
             "\"user_id\":\"%s\"}", cmd->id, cmd->id, cmd->user);
    bench_decided_text(decided, METADATA, text);

    cqrs_uuid_derive(&derived, &uuid, "notification:1", 14);
    cqrs_uuid_format(id, &derived);
    id[CQRS_UUID_TEXT_LEN] = '\0';

    bench_decided_number(decided, TOLD, decided->count);

    snprintf(text, sizeof(text), "user:%s", cmd->user);
    bench_decided_text(decided, CHANNEL, text);

    snprintf(text, sizeof(text),
             "{\"specversion\":\"1.0\",\"id\":\"%s\",\"source\":\"/cqrs\","
             "\"type\":\"cqrs.command.completed\",\"subject\":\"%s\","
             "\"time\":\"", id, cmd->stream);
    bench_decided_text(decided, BEGINNING, text);

    snprintf(text, sizeof(text),
             "\",\"datacontenttype\":\"application/json\",\"data\":"
             "{\"id\":\"%s\",\"command\":\"%s\",\"stream\":\"%s\","
             "\"version\":%lld}}", cmd->id, cmd->type, cmd->stream,
             (long long) account->version);
    bench_decided_text(decided, ENDING, text);
}


static void
bench_decided_text(bench_decided_t *decided, int array, const char *text)
{
    consumer_array_text(&decided->arrays[array], text,
                        text ? strlen(text) : 0);
}


static void
bench_decided_number(bench_decided_t *decided, int array, int64_t number)
{
    consumer_array_number(&decided->arrays[array], number);
}


void
bench_decided_send(bench_decided_t *decided)
{
    int          i;
    int          lengths[BENCH_DECIDED_PARAMS] = { 0 };
    int          formats[BENCH_DECIDED_PARAMS] = { 0 };
    PGconn      *conn;
    const char  *values[BENCH_DECIDED_PARAMS];

    conn = decided->store->conn;

    values[0] = decided->store->partition;
    values[1] = decided->store->epoch;

    for (i = 0; i < BENCH_DECIDED_ARRAYS; i++) {
        values[2 + i] = consumer_array_end(&decided->arrays[i]);
        lengths[2 + i] = (int) decided->arrays[i].bytes.len;
        formats[2 + i] = 1;
    }

    if (PQsendQueryPrepared(conn, "append", BENCH_DECIDED_PARAMS, values,
                            lengths, formats, 0)
        != 1
        || PQpipelineSync(conn) != 1)
    {
        bench_die("not sent: %s", PQerrorMessage(conn));
    }
}
