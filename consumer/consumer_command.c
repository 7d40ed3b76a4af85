
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "consumer_command.h"
#include "consumer_handler.h"
#include "cqrs_names.h"
#include "cqrs_partition.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>


/* The last second of the year 9999, with which ISO 8601 ends. */
#define CONSUMER_COMMAND_TIME_MAX  253402300799ULL
#define CONSUMER_COMMAND_TIME_LEN  sizeof("9999-12-31T23:59:59Z")


/* What the issuer is told of a message that is not like docs/wire.md says. */
#define CONSUMER_COMMAND_UNREADABLE  "unreadable"


typedef struct {
    const char   *name;
    size_t        offset;
} consumer_command_header_t;


static int consumer_command_parse(consumer_command_t *command,
    unsigned partition, unsigned partitions,
    char error[CQRS_ENVELOPE_ERROR_MAX]);
static int consumer_command_tell(json_t *known, const char *name,
    const cqrs_field_t *field);
static int consumer_command_read(cqrs_envelope_t *envelope,
    const amqp_message_t *message);
static int consumer_command_header(cqrs_envelope_t *envelope,
    const amqp_table_entry_t *entry);
static void consumer_command_time(cqrs_field_t *field,
    const amqp_basic_properties_t *properties,
    char text[CONSUMER_COMMAND_TIME_LEN]);
static cqrs_field_t consumer_command_field(amqp_bytes_t bytes);


static const consumer_command_header_t  consumer_command_headers[] = {
    { CQRS_HEADER_STREAM, offsetof(cqrs_envelope_t, stream) },
    { CQRS_HEADER_USER, offsetof(cqrs_envelope_t, user) },
    { CQRS_HEADER_CLAIMS, offsetof(cqrs_envelope_t, claims) },
    { CQRS_HEADER_EXPECTED_VERSION,
      offsetof(cqrs_envelope_t, expected_version) },
    { CQRS_HEADER_CORRELATION_ID, offsetof(cqrs_envelope_t, correlation_id) },
    { CQRS_HEADER_CAUSATION_ID, offsetof(cqrs_envelope_t, causation_id) },
    { CQRS_HEADER_TRACEPARENT, offsetof(cqrs_envelope_t, traceparent) },
    { NULL, 0 }
};


int
consumer_command_init(consumer_command_t *command, amqp_envelope_t *message,
    unsigned partition, unsigned partitions)
{
    char  error[CQRS_ENVELOPE_ERROR_MAX];

    memset(command, 0, sizeof(*command));

    command->message = malloc(sizeof(amqp_envelope_t));
    if (command->message == NULL) {
        return -1;
    }

    *command->message = *message;
    command->tag = message->delivery_tag;

    if (consumer_command_parse(command, partition, partitions, error) != 0) {
        consumer_command_refuse(command, CONSUMER_COMMAND_UNREADABLE, error);
    }

    return 0;
}


static int
consumer_command_parse(consumer_command_t *command, unsigned partition,
    unsigned partitions, char error[CQRS_ENVELOPE_ERROR_MAX])
{
    int                    rc;
    char                   issued[CONSUMER_COMMAND_TIME_LEN];
    cqrs_uuid_t            id;
    cqrs_envelope_t        envelope;
    const amqp_message_t  *message;

    memset(&envelope, 0, sizeof(envelope));

    message = &command->message->message;

    rc = consumer_command_read(&envelope, message);

    envelope.redelivered = command->message->redelivered ? 1 : 0;

    consumer_command_time(&envelope.issued_at, &message->properties, issued);

    if (envelope.id.data
        && cqrs_uuid_parse(&id, envelope.id.data, envelope.id.len) == 0)
    {
        cqrs_uuid_format(command->id, &id);
    }

    if (rc != 0) {
        snprintf(error, CQRS_ENVELOPE_ERROR_MAX,
                 "a header of it is not a string");
        return -1;
    }

    command->text = cqrs_envelope_command(&envelope, &command->len, error);
    if (command->text == NULL) {
        return -1;
    }

    if (cqrs_partition_of(envelope.stream.data, envelope.stream.len,
                          partitions)
        != partition)
    {
        snprintf(error, CQRS_ENVELOPE_ERROR_MAX,
                 "its stream belongs to another partition");
        return -1;
    }

    command->handler = consumer_handler_find(envelope.stream.data,
                                             envelope.stream.len);

    return 0;
}


int
consumer_command_parked(consumer_command_t *command, const char *id,
    const char *stream, const char *text)
{
    memset(command, 0, sizeof(*command));

    command->text = strdup(text);
    if (command->text == NULL) {
        return -1;
    }

    command->len = strlen(text);
    command->handler = consumer_handler_find(stream, strlen(stream));

    snprintf(command->id, sizeof(command->id), "%s", id);

    return 0;
}


void
consumer_command_cleanup(consumer_command_t *command)
{
    if (command->message) {
        amqp_destroy_envelope(command->message);
        free(command->message);
    }

    json_decref(command->json);
    free(command->text);
    free(command->reason);

    memset(command, 0, sizeof(*command));
}


void
consumer_command_refuse(consumer_command_t *command, const char *code,
    const char *reason)
{
    free(command->reason);

    command->refused = 1;
    command->reason = strdup(reason);

    snprintf(command->code, sizeof(command->code), "%s", code);
}


char *
consumer_command_issuer(const consumer_command_t *command)
{
    char             *text;
    json_t           *known;
    cqrs_envelope_t   envelope;

    if (command->id[0] == '\0') {
        return NULL;
    }

    memset(&envelope, 0, sizeof(envelope));

    (void) consumer_command_read(&envelope, &command->message->message);

    known = json_object();

    if (consumer_command_tell(known, "user", &envelope.user) != 0
        || json_object_set_new(known, "id", json_string(command->id)) != 0)
    {
        json_decref(known);
        return NULL;
    }

    (void) consumer_command_tell(known, "stream", &envelope.stream);
    (void) consumer_command_tell(known, "type", &envelope.type);

    text = json_dumps(known, JSON_COMPACT);

    json_decref(known);

    return text;
}


/* What is no text, or has no end, is left out. */

static int
consumer_command_tell(json_t *known, const char *name,
    const cqrs_field_t *field)
{
    if (field->len == 0 || field->len > CQRS_ENVELOPE_USER_MAX
        || memchr(field->data, '\0', field->len))
    {
        return -1;
    }

    return json_object_set_new(known, name,
                               json_stringn(field->data, field->len));
}


static int
consumer_command_read(cqrs_envelope_t *envelope, const amqp_message_t *message)
{
    int                             i, rc;
    const amqp_basic_properties_t  *p;

    p = &message->properties;

    envelope->body = consumer_command_field(message->body);

    if (p->_flags & AMQP_BASIC_MESSAGE_ID_FLAG) {
        envelope->id = consumer_command_field(p->message_id);
    }

    if (p->_flags & AMQP_BASIC_TYPE_FLAG) {
        envelope->type = consumer_command_field(p->type);
    }

    if (!(p->_flags & AMQP_BASIC_HEADERS_FLAG)) {
        return 0;
    }

    rc = 0;

    for (i = 0; i < p->headers.num_entries; i++) {
        if (consumer_command_header(envelope, &p->headers.entries[i]) != 0) {
            rc = -1;
        }
    }

    return rc;
}


static int
consumer_command_header(cqrs_envelope_t *envelope,
    const amqp_table_entry_t *entry)
{
    const consumer_command_header_t  *h;

    for (h = consumer_command_headers; h->name; h++) {

        if (entry->key.len != strlen(h->name)
            || memcmp(entry->key.bytes, h->name, entry->key.len) != 0)
        {
            continue;
        }

        /*
         * Taking a header of another kind for an absent one could, say, drop
         * an expected version without a word.
         */

        if (entry->value.kind != AMQP_FIELD_KIND_UTF8) {
            return -1;
        }

        *(cqrs_field_t *) ((char *) envelope + h->offset) =
                             consumer_command_field(entry->value.value.bytes);

        return 0;
    }

    return 0;
}


static void
consumer_command_time(cqrs_field_t *field,
    const amqp_basic_properties_t *properties,
    char text[CONSUMER_COMMAND_TIME_LEN])
{
    time_t     sec;
    struct tm  tm;

    if (!(properties->_flags & AMQP_BASIC_TIMESTAMP_FLAG)
        || properties->timestamp > CONSUMER_COMMAND_TIME_MAX)
    {
        return;
    }

    sec = (time_t) properties->timestamp;

    gmtime_r(&sec, &tm);

    field->data = text;
    field->len = strftime(text, CONSUMER_COMMAND_TIME_LEN,
                          "%Y-%m-%dT%H:%M:%SZ", &tm);
}


static cqrs_field_t
consumer_command_field(amqp_bytes_t bytes)
{
    cqrs_field_t  field;

    /* empty is not the same as absent */

    field.data = bytes.bytes ? bytes.bytes : "";
    field.len = bytes.len;

    return field;
}
