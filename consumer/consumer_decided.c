
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "consumer_decided.h"
#include "cqrs_check.h"

#include <stdio.h>
#include <string.h>


#define CONSUMER_DECIDED_PARAMS       (2 + CONSUMER_DECIDED_ARRAYS)

#define CONSUMER_DECIDED_VERSION_MAX  18


static int consumer_decided_expected(const char *text);
static const char *consumer_decided_text(const json_t *object,
    const char *name, size_t *len);
static void consumer_decided_put(consumer_decided_t *d,
    consumer_decided_array_e array, cqrs_json_t *json);
static void consumer_decided_value(consumer_decided_t *d,
    consumer_decided_array_e array, const json_t *value);
static void consumer_decided_string(consumer_decided_t *d,
    consumer_decided_array_e array, const json_t *object, const char *name);
static int consumer_decided_event(consumer_decided_t *d, size_t ordinal,
    const json_t *command, const cqrs_uuid_t *id, size_t n, int64_t version,
    const json_t *event);
static void consumer_decided_metadata(consumer_decided_t *d,
    const consumer_command_t *command);
static void consumer_decided_member(cqrs_json_t *json, const char *name,
    const json_t *value);
static void consumer_decided_tell(consumer_decided_t *d, size_t ordinal,
    const consumer_command_t *command, const cqrs_uuid_t *id, int64_t version,
    const json_t *decision);
static void consumer_decided_derive(cqrs_uuid_t *derived,
    const cqrs_uuid_t *id, const char *kind, size_t n);


static const consumer_array_type_e  consumer_decided_types[] = {

    /* commands */
    CONSUMER_ARRAY_UUID, CONSUMER_ARRAY_TEXT, CONSUMER_ARRAY_TEXT,
    CONSUMER_ARRAY_TEXT, CONSUMER_ARRAY_INT8, CONSUMER_ARRAY_TEXT,
    CONSUMER_ARRAY_TEXT, CONSUMER_ARRAY_JSONB,

    /* streams */
    CONSUMER_ARRAY_TEXT, CONSUMER_ARRAY_INT8, CONSUMER_ARRAY_INT8,
    CONSUMER_ARRAY_JSONB,

    /* events */
    CONSUMER_ARRAY_INT4, CONSUMER_ARRAY_UUID, CONSUMER_ARRAY_TEXT,
    CONSUMER_ARRAY_INT8, CONSUMER_ARRAY_TEXT, CONSUMER_ARRAY_INT4,
    CONSUMER_ARRAY_JSONB, CONSUMER_ARRAY_JSONB,

    /* what is told */
    CONSUMER_ARRAY_INT4, CONSUMER_ARRAY_TEXT, CONSUMER_ARRAY_TEXT,
    CONSUMER_ARRAY_TEXT
};


void
consumer_decided_init(consumer_decided_t *d)
{
    size_t  i;

    for (i = 0; i < CONSUMER_DECIDED_ARRAYS; i++) {
        consumer_array_init(&d->arrays[i], consumer_decided_types[i]);
    }

    cqrs_json_init(&d->value);
    cqrs_json_init(&d->metadata);
}


void
consumer_decided_cleanup(consumer_decided_t *d)
{
    size_t  i;

    for (i = 0; i < CONSUMER_DECIDED_ARRAYS; i++) {
        consumer_array_cleanup(&d->arrays[i]);
    }

    cqrs_json_cleanup(&d->value);
    cqrs_json_cleanup(&d->metadata);
}


void
consumer_decided_clear(consumer_decided_t *d)
{
    size_t  i;

    for (i = 0; i < CONSUMER_DECIDED_ARRAYS; i++) {
        consumer_array_clear(&d->arrays[i]);
    }
}


/* As cqrs.invalid_command() has it; where letters are foreign, it is asked. */

int
consumer_decided_valid(const consumer_command_t *command)
{
    size_t       i, len;
    const char  *type, *stream, *expected;

    type = consumer_decided_text(command->json, "type", &len);

    if (type == NULL || cqrs_check_type(type, len) != 0) {
        return 0;
    }

    stream = consumer_decided_text(command->json, "stream", &len);

    if (stream == NULL || cqrs_check_stream(stream, len) != 0
        || stream[len - 1] == '-')
    {
        return 0;
    }

    for (i = 0; i < len; i++) {
        if ((unsigned char) stream[i] >= 0x80) {
            return 0;
        }
    }

    expected = consumer_decided_text(command->json, "expected_version", &len);

    return json_is_object(json_object_get(command->json, "data"))
           && (expected == NULL || consumer_decided_expected(expected));
}


static int
consumer_decided_expected(const char *text)
{
    size_t  len;

    if (strcmp(text, "no-stream") == 0 || strcmp(text, "exists") == 0) {
        return 1;
    }

    len = strlen(text);

    return len >= 1 && len <= CONSUMER_DECIDED_VERSION_MAX
           && strspn(text, "0123456789") == len;
}


/* A member that is a string; NULL: it is none. */

static const char *
consumer_decided_text(const json_t *object, const char *name, size_t *len)
{
    const json_t  *value;

    value = json_object_get(object, name);

    *len = json_string_length(value);

    return json_string_value(value);
}


static void
consumer_decided_put(consumer_decided_t *d, consumer_decided_array_e array,
    cqrs_json_t *json)
{
    if (cqrs_json_end(json) == NULL) {
        d->arrays[array].bytes.failed = 1;
        return;
    }

    consumer_array_text(&d->arrays[array], json->data, json->len);
}


/* A value that is absent is null. */

static void
consumer_decided_value(consumer_decided_t *d, consumer_decided_array_e array,
    const json_t *value)
{
    if (value == NULL) {
        consumer_array_text(&d->arrays[array], NULL, 0);
        return;
    }

    cqrs_json_clear(&d->value);
    cqrs_json_value(&d->value, value);

    consumer_decided_put(d, array, &d->value);
}


static void
consumer_decided_string(consumer_decided_t *d, consumer_decided_array_e array,
    const json_t *object, const char *name)
{
    size_t       len;
    const char  *text;

    text = consumer_decided_text(object, name, &len);

    consumer_array_text(&d->arrays[array], text, len);
}


int
consumer_decided_add(consumer_decided_t *d, size_t ordinal,
    const consumer_command_t *command, int64_t version,
    const json_t *decision)
{
    size_t         i, n;
    const char    *status;
    cqrs_uuid_t    id;
    const json_t  *events;

    if (cqrs_uuid_parse(&id, command->id, CQRS_UUID_TEXT_LEN) != 0) {
        return -1;
    }

    events = json_object_get(decision, "events");
    status = events ? "completed" : "rejected";

    consumer_array_uuid(&d->arrays[CONSUMER_DECIDED_ID], &id);
    consumer_decided_string(d, CONSUMER_DECIDED_STREAM, command->json,
                            "stream");
    consumer_decided_string(d, CONSUMER_DECIDED_TYPE, command->json, "type");
    consumer_array_text(&d->arrays[CONSUMER_DECIDED_STATUS], status,
                        strlen(status));
    consumer_array_number(&d->arrays[CONSUMER_DECIDED_VERSION], version);
    consumer_decided_string(d, CONSUMER_DECIDED_CODE, decision, "code");
    consumer_decided_string(d, CONSUMER_DECIDED_MESSAGE, decision, "message");
    consumer_decided_value(d, CONSUMER_DECIDED_DETAIL,
                           json_object_get(decision, "detail"));

    n = json_array_size(events);

    if (n) {
        consumer_decided_metadata(d, command);
    }

    for (i = 0; i < n; i++) {
        if (consumer_decided_event(d, ordinal, command->json, &id, i + 1,
                                   version - (int64_t) (n - 1 - i),
                                   json_array_get(events, i))
            != 0)
        {
            return -1;
        }
    }

    consumer_decided_tell(d, ordinal, command, &id, version, decision);

    return 0;
}


static int
consumer_decided_event(consumer_decided_t *d, size_t ordinal,
    const json_t *command, const cqrs_uuid_t *id, size_t n, int64_t version,
    const json_t *event)
{
    cqrs_uuid_t    derived;
    const json_t  *revision;

    /* there is something to seal */

    if (json_object_get(event, "subject")
        || json_object_get(event, "personal"))
    {
        return -1;
    }

    revision = json_object_get(event, "revision");

    consumer_decided_derive(&derived, id, "event", n);

    consumer_array_number(&d->arrays[CONSUMER_DECIDED_EVENT_ORDINAL],
                          (long long) ordinal);
    consumer_array_uuid(&d->arrays[CONSUMER_DECIDED_EVENT_ID], &derived);
    consumer_decided_string(d, CONSUMER_DECIDED_EVENT_STREAM, command,
                            "stream");
    consumer_array_number(&d->arrays[CONSUMER_DECIDED_EVENT_VERSION], version);
    consumer_decided_string(d, CONSUMER_DECIDED_EVENT_TYPE, event, "type");
    consumer_array_number(&d->arrays[CONSUMER_DECIDED_EVENT_REVISION],
                          revision ? json_integer_value(revision) : 1);
    consumer_decided_value(d, CONSUMER_DECIDED_EVENT_DATA,
                           json_object_get(event, "data"));
    consumer_decided_put(d, CONSUMER_DECIDED_EVENT_METADATA, &d->metadata);

    return 0;
}


/* As cqrs.metadata_of() has it. */

static void
consumer_decided_metadata(consumer_decided_t *d,
    const consumer_command_t *command)
{
    cqrs_json_t   *json;
    const json_t  *correlation;

    json = &d->metadata;
    correlation = json_object_get(command->json, "correlation_id");

    cqrs_json_clear(json);
    cqrs_json_text(json, "{\"command_id\":");
    cqrs_json_string(json, command->id, CQRS_UUID_TEXT_LEN);

    if (json_is_string(correlation)) {
        consumer_decided_member(json, "correlation_id", correlation);

    } else {
        cqrs_json_text(json, ",\"correlation_id\":");
        cqrs_json_string(json, command->id, CQRS_UUID_TEXT_LEN);
    }

    consumer_decided_member(json, "causation_id",
                          json_object_get(command->json, "causation_id"));
    consumer_decided_member(json, "user_id",
                          json_object_get(command->json, "user"));
    consumer_decided_member(json, "claims",
                          json_object_get(command->json, "claims"));
    consumer_decided_member(json, "traceparent",
                          json_object_get(command->json, "traceparent"));

    cqrs_json_raw(json, "}", 1);
}


static void
consumer_decided_member(cqrs_json_t *json, const char *name,
    const json_t *value)
{
    if (value && !json_is_null(value)) {
        cqrs_json_text(json, ",\"");
        cqrs_json_text(json, name);
        cqrs_json_text(json, "\":");
        cqrs_json_value(json, value);
    }
}


/* As cqrs.outcome_envelope() has it, without the time. */

static void
consumer_decided_tell(consumer_decided_t *d, size_t ordinal,
    const consumer_command_t *command, const cqrs_uuid_t *id, int64_t version,
    const json_t *decision)
{
    char           text[CQRS_UUID_TEXT_LEN];
    size_t         len;
    const char    *user;
    cqrs_uuid_t    derived;
    cqrs_json_t   *json;
    const json_t  *stream;

    user = consumer_decided_text(command->json, "user", &len);

    if (user == NULL || len == 0) {
        return;
    }

    json = &d->value;
    stream = json_object_get(command->json, "stream");

    consumer_array_number(&d->arrays[CONSUMER_DECIDED_TOLD_ORDINAL],
                          (long long) ordinal);

    cqrs_json_clear(json);
    cqrs_json_text(json, "user:");
    cqrs_json_raw(json, user, len);
    consumer_decided_put(d, CONSUMER_DECIDED_TOLD_CHANNEL, json);

    consumer_decided_derive(&derived, id, "notification", 1);
    cqrs_uuid_format(text, &derived);

    cqrs_json_clear(json);
    cqrs_json_text(json, "{\"specversion\":\"1.0\",\"id\":");
    cqrs_json_string(json, text, sizeof(text));
    cqrs_json_text(json, ",\"source\":\"/cqrs\",\"type\":\"cqrs.command.");
    cqrs_json_text(json, json_object_get(decision, "events") ? "completed"
                                                             : "rejected");
    cqrs_json_text(json, "\",\"subject\":");
    cqrs_json_value(json, stream);
    cqrs_json_text(json, ",\"time\":\"");
    consumer_decided_put(d, CONSUMER_DECIDED_TOLD_BEGINNING, json);

    cqrs_json_clear(json);
    cqrs_json_text(json, "\",\"datacontenttype\":\"application/json\","
                         "\"data\":{\"id\":");
    cqrs_json_string(json, command->id, CQRS_UUID_TEXT_LEN);
    consumer_decided_member(json, "command",
                          json_object_get(command->json, "type"));
    consumer_decided_member(json, "stream", stream);
    cqrs_json_text(json, ",\"version\":");
    cqrs_json_number(json, version);
    consumer_decided_member(json, "code", json_object_get(decision, "code"));
    consumer_decided_member(json, "message",
                          json_object_get(decision, "message"));
    consumer_decided_member(json, "detail",
                          json_object_get(decision, "detail"));
    cqrs_json_text(json, "}}");
    consumer_decided_put(d, CONSUMER_DECIDED_TOLD_ENDING, json);
}


/* The id of what follows from a command, as cqrs.derive_id() has it. */

static void
consumer_decided_derive(cqrs_uuid_t *derived, const cqrs_uuid_t *id,
    const char *kind, size_t n)
{
    int   len;
    char  name[40];

    len = snprintf(name, sizeof(name), "%s:%zu", kind, n);

    cqrs_uuid_derive(derived, id, name, (size_t) len);
}


void
consumer_decided_stream(consumer_decided_t *d, const char *name, size_t len,
    int64_t base, int64_t head, const json_t *state)
{
    consumer_array_text(&d->arrays[CONSUMER_DECIDED_NAME], name, len);
    consumer_array_number(&d->arrays[CONSUMER_DECIDED_BASE], base);
    consumer_array_number(&d->arrays[CONSUMER_DECIDED_HEAD], head);
    consumer_decided_value(d, CONSUMER_DECIDED_FOLD, state);
}


consumer_pg_status_e
consumer_decided_send(consumer_decided_t *d, consumer_pg_t *pg,
    const char *partition, const char *epoch)
{
    int          lengths[CONSUMER_DECIDED_PARAMS];
    int          formats[CONSUMER_DECIDED_PARAMS];
    size_t       i;
    const char  *params[CONSUMER_DECIDED_PARAMS];

    params[0] = partition;
    params[1] = epoch;

    lengths[0] = 0;
    lengths[1] = 0;
    formats[0] = 0;
    formats[1] = 0;

    for (i = 0; i < CONSUMER_DECIDED_ARRAYS; i++) {
        params[2 + i] = consumer_array_end(&d->arrays[i]);
        lengths[2 + i] = (int) d->arrays[i].bytes.len;
        formats[2 + i] = 1;

        if (params[2 + i] == NULL) {
            snprintf(pg->sqlstate, sizeof(pg->sqlstate), "53200");
            snprintf(pg->error, sizeof(pg->error), "no memory");
            return CONSUMER_PG_TRANSIENT;
        }
    }

    return consumer_pg_send_prepared(pg,
               "select " CONSUMER_COMMAND_COLUMNS " from cqrs.append_decided"
               "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,"
               " $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26)",
               CONSUMER_DECIDED_PARAMS, params, lengths, formats);
}
