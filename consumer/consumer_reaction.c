
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "consumer_reaction.h"
#include "cqrs_names.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>


#define CONSUMER_REACTION_CONFIRM  10000
#define CONSUMER_REACTION_HEADERS  6

/* A routing key has 255 bytes; the partition at its end is not to be cut. */
#define CONSUMER_REACTION_TYPE     "240"


typedef enum {
    CONSUMER_REACTION_ID = 0,
    CONSUMER_REACTION_STREAM,
    CONSUMER_REACTION_PARTITION,
    CONSUMER_REACTION_KIND,
    CONSUMER_REACTION_DATA,
    CONSUMER_REACTION_USER,
    CONSUMER_REACTION_CLAIMS,
    CONSUMER_REACTION_CORRELATION,
    CONSUMER_REACTION_CAUSATION,
    CONSUMER_REACTION_TRACE
} consumer_reaction_column_e;


typedef struct {
    const char                  *name;
    consumer_reaction_column_e   column;
} consumer_reaction_header_t;


static int consumer_event_header(const amqp_message_t *message,
    const char *name, int64_t *value);
static char *consumer_reaction_positions(unsigned partition,
    const consumer_event_t *events, size_t n);
static consumer_reaction_status_e consumer_reaction_query(consumer_pg_t *pg,
    unsigned partition, const char *positions, PGresult **res);
static int consumer_reaction_publish(consumer_publisher_t *pub,
    const PGresult *res, int row);


static const consumer_reaction_header_t  consumer_reaction_headers[] = {
    { CQRS_HEADER_STREAM, CONSUMER_REACTION_STREAM },
    { CQRS_HEADER_USER, CONSUMER_REACTION_USER },
    { CQRS_HEADER_CLAIMS, CONSUMER_REACTION_CLAIMS },
    { CQRS_HEADER_CORRELATION_ID, CONSUMER_REACTION_CORRELATION },
    { CQRS_HEADER_CAUSATION_ID, CONSUMER_REACTION_CAUSATION },
    { CQRS_HEADER_TRACEPARENT, CONSUMER_REACTION_TRACE }
};


int
consumer_event_init(consumer_event_t *event, amqp_envelope_t *message,
    unsigned partitions)
{
    int64_t       partition;
    amqp_bytes_t  id;

    memset(event, 0, sizeof(*event));

    event->message = malloc(sizeof(amqp_envelope_t));
    if (event->message == NULL) {
        return -1;
    }

    *event->message = *message;
    event->tag = message->delivery_tag;

    if (message->message.properties._flags & AMQP_BASIC_MESSAGE_ID_FLAG) {
        id = message->message.properties.message_id;
        snprintf(event->id, sizeof(event->id), "%.*s", (int) id.len,
                 (char *) id.bytes);
    }

    if (consumer_event_header(&message->message, CQRS_HEADER_PARTITION,
                              &partition)
        != 0
        || consumer_event_header(&message->message, CQRS_HEADER_POSITION,
                                 &event->position)
           != 0
        || partition < 0 || partition >= (int64_t) partitions)
    {
        event->refused = 1;
        return 0;
    }

    event->partition = (unsigned) partition;

    return 0;
}


void
consumer_event_cleanup(consumer_event_t *event)
{
    amqp_destroy_envelope(event->message);
    free(event->message);
}


static int
consumer_event_header(const amqp_message_t *message, const char *name,
    int64_t *value)
{
    int                        i;
    const amqp_table_t        *headers;
    const amqp_field_value_t  *field;

    if (!(message->properties._flags & AMQP_BASIC_HEADERS_FLAG)) {
        return -1;
    }

    headers = &message->properties.headers;

    for (i = 0; i < headers->num_entries; i++) {

        if (headers->entries[i].key.len != strlen(name)
            || memcmp(headers->entries[i].key.bytes, name, strlen(name)) != 0)
        {
            continue;
        }

        field = &headers->entries[i].value;

        switch (field->kind) {

        case AMQP_FIELD_KIND_I64:
            *value = field->value.i64;
            return 0;

        case AMQP_FIELD_KIND_I32:
            *value = field->value.i32;
            return 0;

        default:
            return -1;
        }
    }

    return -1;
}


consumer_reaction_status_e
consumer_reaction_run(consumer_pg_t *pg, consumer_publisher_t *pub,
    unsigned partition, const consumer_event_t *events, size_t n)
{
    int                          row, rows;
    char                        *positions;
    PGresult                    *res;
    consumer_reaction_status_e   rc;

    positions = consumer_reaction_positions(partition, events, n);
    if (positions == NULL) {
        snprintf(pg->error, sizeof(pg->error), "no memory");
        return CONSUMER_REACTION_POSTGRES;
    }

    if (positions[1] == '}') {
        free(positions);
        return CONSUMER_REACTION_DONE;
    }

    rc = consumer_reaction_query(pg, partition, positions, &res);

    free(positions);

    if (rc != CONSUMER_REACTION_DONE) {
        return rc;
    }

    rows = PQntuples(res);

    for (row = 0; row < rows; row++) {

        if ((consumer_publisher_room(pub) == 0
             && consumer_publisher_flush(pub, CONSUMER_REACTION_CONFIRM) != 0)
            || consumer_reaction_publish(pub, res, row) != 0)
        {
            rc = CONSUMER_REACTION_RABBITMQ;
            break;
        }
    }

    PQclear(res);

    return rc;
}


static char *
consumer_reaction_positions(unsigned partition,
    const consumer_event_t *events, size_t n)
{
    char    *text, *p;
    size_t   i;

    text = malloc(3 + n * sizeof("-9223372036854775808"));
    if (text == NULL) {
        return NULL;
    }

    p = text;
    *p++ = '{';

    for (i = 0; i < n; i++) {
        if (events[i].partition == partition) {
            p += sprintf(p, "%s%" PRId64, (p == text + 1) ? "" : ",",
                         events[i].position);
        }
    }

    *p++ = '}';
    *p = '\0';

    return text;
}


static consumer_reaction_status_e
consumer_reaction_query(consumer_pg_t *pg, unsigned partition,
    const char *positions, PGresult **res)
{
    char         number[16];
    const char  *params[2];

    snprintf(number, sizeof(number), "%u", partition);

    params[0] = number;
    params[1] = positions;

    switch (consumer_pg_query(pg,
                "select id, stream, partition, type, data, user_id, claims,"
                " correlation_id, causation_id, traceparent"
                " from cqrs.react($1, $2)",
                2, params, res))
    {

    case CONSUMER_PG_OK:
        return CONSUMER_REACTION_DONE;

    case CONSUMER_PG_FAILED:
        return CONSUMER_REACTION_FAILED;

    default:
        return CONSUMER_REACTION_POSTGRES;
    }
}


static int
consumer_reaction_publish(consumer_publisher_t *pub, const PGresult *res,
    int row)
{
    int                       n;
    char                      key[256];
    size_t                    i;
    amqp_table_entry_t        headers[CONSUMER_REACTION_HEADERS];
    amqp_basic_properties_t   properties;

    for (i = 0, n = 0; i < CONSUMER_REACTION_HEADERS; i++) {

        if (PQgetisnull(res, row, (int) consumer_reaction_headers[i].column)) {
            continue;
        }

        headers[n].key = amqp_cstring_bytes(consumer_reaction_headers[i].name);
        headers[n].value.kind = AMQP_FIELD_KIND_UTF8;
        headers[n++].value.value.bytes = amqp_cstring_bytes(
            PQgetvalue(res, row, (int) consumer_reaction_headers[i].column));
    }

    snprintf(key, sizeof(key), "%." CONSUMER_REACTION_TYPE "s.%s",
             PQgetvalue(res, row, CONSUMER_REACTION_KIND),
             PQgetvalue(res, row, CONSUMER_REACTION_PARTITION));

    properties._flags = AMQP_BASIC_CONTENT_TYPE_FLAG
                        | AMQP_BASIC_MESSAGE_ID_FLAG
                        | AMQP_BASIC_TYPE_FLAG
                        | AMQP_BASIC_TIMESTAMP_FLAG
                        | AMQP_BASIC_HEADERS_FLAG;
    properties.content_type = amqp_cstring_bytes(CQRS_CONTENT_TYPE_JSON);
    properties.message_id = amqp_cstring_bytes(
                                PQgetvalue(res, row, CONSUMER_REACTION_ID));
    properties.type = consumer_publisher_short(
                                PQgetvalue(res, row, CONSUMER_REACTION_KIND));
    properties.timestamp = (uint64_t) time(NULL);
    properties.headers.entries = headers;
    properties.headers.num_entries = n;

    return consumer_publisher_send(pub, CQRS_EXCHANGE_COMMANDS, key, 1,
                                   &properties,
                                   PQgetvalue(res, row,
                                              CONSUMER_REACTION_DATA));
}


consumer_reaction_status_e
consumer_reaction_probe(consumer_pg_t *pg)
{
    char                         sqlstate[6], error[256];
    PGresult                    *res;
    consumer_reaction_status_e   rc;

    memcpy(sqlstate, pg->sqlstate, sizeof(sqlstate));
    memcpy(error, pg->error, sizeof(error));

    rc = consumer_reaction_query(pg, 0, "{}", &res);

    if (rc == CONSUMER_REACTION_DONE) {
        PQclear(res);
        memcpy(pg->sqlstate, sqlstate, sizeof(sqlstate));
        memcpy(pg->error, error, sizeof(error));
    }

    return rc;
}
