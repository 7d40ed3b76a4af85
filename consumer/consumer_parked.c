
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "consumer_parked.h"
#include "consumer_pg.h"
#include "consumer_process.h"
#include "consumer_table.h"

#include <jansson.h>
#include <stdio.h>


#define CONSUMER_PARKED_NONE  "There are no parked commands."

/* What a list shows of each. */
#define CONSUMER_PARKED_COLUMNS                                               \
    "p.id, p.command->>'type' as type, p.stream, p.command->>'user' as user," \
    " p.partition, p.status, p.code, p.message as reason, p.behind,"          \
    " to_char(p.parked_at at time zone 'UTC',"                                \
    " 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') as parked_at"

/* Types of Postgres that are numbers: integer and bigint. */
#define CONSUMER_PARKED_INT4  23
#define CONSUMER_PARKED_INT8  20


static int consumer_parked_query(const consumer_options_t *options,
    const char *sql, PGresult **res);
static json_t *consumer_parked_json(const PGresult *res, int row);
static int consumer_parked_unknown(const consumer_options_t *options,
    const char *what);


static const consumer_table_column_t  consumer_parked_columns[] = {
    { "ID", "id" },
    { "TYPE", "type" },
    { "STREAM", "stream" },
    { "STATUS", "status" },
    { "SINCE", "parked_at" },
    { "REASON", "reason" },
    { NULL, NULL }
};


int
consumer_parked_list(const consumer_options_t *options)
{
    int        row;
    json_t    *rows;
    PGresult  *res;

    if (consumer_parked_query(options,
            "select " CONSUMER_PARKED_COLUMNS
            " from cqrs.list_parked($1) as p", &res)
        != 0)
    {
        return CONSUMER_EXIT_ERROR;
    }

    rows = json_array();

    for (row = 0; row < PQntuples(res); row++) {
        json_array_append_new(rows, consumer_parked_json(res, row));
    }

    consumer_table_list(rows, consumer_parked_columns, CONSUMER_PARKED_NONE,
                        options->json);

    json_decref(rows);
    PQclear(res);

    return CONSUMER_EXIT_OK;
}


int
consumer_parked_show(const consumer_options_t *options)
{
    json_t    *object;
    PGresult  *res;

    if (consumer_parked_query(options,
            "select " CONSUMER_PARKED_COLUMNS ","
            " p.command->>'issued_at' as issued_at,"
            " p.command->>'claims' as claims,"
            " p.command->>'expected_version' as expected_version,"
            " p.command->>'correlation_id' as correlation_id,"
            " p.command->>'causation_id' as causation_id,"
            " p.command->>'traceparent' as traceparent,"
            " p.command->>'data' as body"
            " from cqrs.list_parked($1) as p", &res)
        != 0)
    {
        return CONSUMER_EXIT_ERROR;
    }

    if (PQntuples(res) == 0) {
        PQclear(res);
        return consumer_parked_unknown(options, "command");
    }

    object = consumer_parked_json(res, 0);

    consumer_table_show(object, options->json);

    json_decref(object);
    PQclear(res);

    return CONSUMER_EXIT_OK;
}


int
consumer_parked_retry(const consumer_options_t *options)
{
    int          row;
    PGresult    *res;
    const char  *commands;

    if (consumer_parked_query(options,
            "select stream, commands from cqrs.release($1)", &res)
        != 0)
    {
        return CONSUMER_EXIT_ERROR;
    }

    if (PQntuples(res) == 0 && options->nwords) {
        PQclear(res);
        return consumer_parked_unknown(options, "command or stream");
    }

    if (PQntuples(res) == 0) {
        puts(CONSUMER_PARKED_NONE);
    }

    for (row = 0; row < PQntuples(res); row++) {
        commands = PQgetvalue(res, row, 1);

        fputs("Stream ", stdout);
        consumer_table_word(PQgetvalue(res, row, 0));
        printf(" is released: %s command%s.\n", commands,
               consumer_pg_number(res, row, 1) == 1 ? "" : "s");
    }

    PQclear(res);

    return CONSUMER_EXIT_OK;
}


int
consumer_parked_discard(const consumer_options_t *options)
{
    int        found;
    PGresult  *res;

    if (consumer_parked_query(options, "select cqrs.discard($1)", &res) != 0) {
        return CONSUMER_EXIT_ERROR;
    }

    found = PQgetvalue(res, 0, 0)[0] == 't';

    PQclear(res);

    if (!found) {
        return consumer_parked_unknown(options, "command");
    }

    printf("Command %s is discarded.\n", options->words[0]);

    return CONSUMER_EXIT_OK;
}


/* A statement whose parameter is the word, or null if there is none. */

static int
consumer_parked_query(const consumer_options_t *options, const char *sql,
    PGresult **res)
{
    const char            *params[1];
    consumer_pg_t          pg;
    consumer_pg_status_e   rc;

    params[0] = options->nwords ? options->words[0] : NULL;

    consumer_pg_init(&pg, options->postgres, "cqrs-consumer parked");

    rc = consumer_pg_query(&pg, sql, 1, params, res);

    if (rc != CONSUMER_PG_OK) {
        fprintf(stderr, "cqrs-consumer: postgres: %s\n", pg.error);
    }

    consumer_pg_cleanup(&pg);

    return (rc == CONSUMER_PG_OK) ? 0 : -1;
}


/* A new object of a row: numbers by their names, everything else is text. */

static json_t *
consumer_parked_json(const PGresult *res, int row)
{
    int          column;
    json_t      *object, *value;
    const char  *name;

    object = json_object();

    for (column = 0; column < PQnfields(res); column++) {

        name = PQfname(res, column);

        if (PQgetisnull(res, row, column)) {
            value = json_null();

        } else if (PQftype(res, column) == CONSUMER_PARKED_INT4
                   || PQftype(res, column) == CONSUMER_PARKED_INT8)
        {
            value = json_integer(consumer_pg_number(res, row, column));

        } else {
            value = json_stringn(PQgetvalue(res, row, column),
                                 (size_t) PQgetlength(res, row, column));
        }

        json_object_set_new(object, name, value);
    }

    return object;
}


static int
consumer_parked_unknown(const consumer_options_t *options, const char *what)
{
    fprintf(stderr, "cqrs-consumer: there is no parked %s \"%s\"\n", what,
            options->words[0]);

    return CONSUMER_EXIT_ERROR;
}
