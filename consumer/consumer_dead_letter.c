
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "consumer_dead_letter.h"
#include "consumer_process.h"
#include "cqrs_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define CONSUMER_DEAD_LETTER_CONFIRM  10000

/* One that was counted has long been on its way. */
#define CONSUMER_DEAD_LETTER_WAIT     2000

/* RabbitMQ's own headers have tables in an array in a table. */
#define CONSUMER_DEAD_LETTER_DEPTH    8


static void consumer_dead_letter_origin(consumer_dead_letter_t *letter);
static const amqp_table_t *consumer_dead_letter_death(
    const amqp_message_t *message);
static const amqp_table_t *consumer_dead_letter_headers(
    const amqp_message_t *message);
static const amqp_field_value_t *consumer_dead_letter_find(
    const amqp_table_t *table, const char *name);
static amqp_bytes_t consumer_dead_letter_bytes(const amqp_table_t *table,
    const char *name);
static amqp_bytes_t consumer_dead_letter_id(
    const consumer_dead_letter_t *letter);
static json_t *consumer_dead_letter_reason(
    const consumer_dead_letter_t *letter);
static void consumer_dead_letter_all(const consumer_dead_letter_t *letter,
    json_t *object);
static json_t *consumer_dead_letter_text(amqp_bytes_t bytes);
static json_t *consumer_dead_letter_hex(amqp_bytes_t bytes);
static json_t *consumer_dead_letter_table(const amqp_table_t *table,
    unsigned depth);
static json_t *consumer_dead_letter_value(const amqp_field_value_t *value,
    unsigned depth);
static int consumer_dead_letter_stays(amqp_bytes_t key);


int
consumer_dead_letter_take(consumer_dead_letter_t *letter,
    consumer_amqp_t *amqp, unsigned place)
{
    int            rc;
    uint64_t       end;
    unsigned       left;
    struct pollfd  fd;

    memset(letter, 0, sizeof(*letter));

    letter->place = place;

    end = consumer_now() + CONSUMER_DEAD_LETTER_WAIT;

    while ((rc = consumer_amqp_receive(amqp, &letter->envelope)) == 0) {

        left = consumer_until(end, CONSUMER_DEAD_LETTER_WAIT);
        if (left == 0) {
            return 0;
        }

        fd.fd = consumer_amqp_socket(amqp);
        fd.events = POLLIN;

        consumer_wait(&fd, 1, left);
    }

    if (rc == 1) {
        consumer_dead_letter_origin(letter);
    }

    return rc;
}


void
consumer_dead_letter_cleanup(consumer_dead_letter_t *letter)
{
    amqp_destroy_envelope(&letter->envelope);
}


/* Our headers say it, or RabbitMQ's: its array begins with the last death. */

static void
consumer_dead_letter_origin(consumer_dead_letter_t *letter)
{
    const amqp_table_t        *headers, *death;
    const amqp_message_t      *message;
    const amqp_field_value_t  *keys;

    message = &letter->envelope.message;
    headers = consumer_dead_letter_headers(message);

    if (headers == NULL) {
        return;
    }

    letter->exchange = consumer_dead_letter_bytes(headers,
                                                  CQRS_HEADER_EXCHANGE);
    letter->key = consumer_dead_letter_bytes(headers,
                                             CQRS_HEADER_ROUTING_KEY);
    letter->queue = consumer_dead_letter_bytes(headers, CQRS_HEADER_QUEUE);

    death = consumer_dead_letter_death(message);

    if (letter->queue.len || death == NULL) {
        return;
    }

    letter->queue = consumer_dead_letter_bytes(death, "queue");
    letter->exchange = consumer_dead_letter_bytes(death, "exchange");

    keys = consumer_dead_letter_find(death, "routing-keys");

    if (keys && keys->kind == AMQP_FIELD_KIND_ARRAY
        && keys->value.array.num_entries
        && keys->value.array.entries[0].kind == AMQP_FIELD_KIND_UTF8)
    {
        letter->key = keys->value.array.entries[0].value.bytes;
    }
}


static const amqp_table_t *
consumer_dead_letter_death(const amqp_message_t *message)
{
    const amqp_table_t        *headers;
    const amqp_field_value_t  *deaths;

    headers = consumer_dead_letter_headers(message);
    deaths = headers ? consumer_dead_letter_find(headers, CQRS_HEADER_DEATH)
                     : NULL;

    if (deaths == NULL || deaths->kind != AMQP_FIELD_KIND_ARRAY
        || deaths->value.array.num_entries == 0
        || deaths->value.array.entries[0].kind != AMQP_FIELD_KIND_TABLE)
    {
        return NULL;
    }

    return &deaths->value.array.entries[0].value.table;
}


static const amqp_table_t *
consumer_dead_letter_headers(const amqp_message_t *message)
{
    return (message->properties._flags & AMQP_BASIC_HEADERS_FLAG)
           ? &message->properties.headers : NULL;
}


static const amqp_field_value_t *
consumer_dead_letter_find(const amqp_table_t *table, const char *name)
{
    int  i;

    for (i = 0; i < table->num_entries; i++) {
        if (table->entries[i].key.len == strlen(name)
            && memcmp(table->entries[i].key.bytes, name, strlen(name)) == 0)
        {
            return &table->entries[i].value;
        }
    }

    return NULL;
}


static amqp_bytes_t
consumer_dead_letter_bytes(const amqp_table_t *table, const char *name)
{
    const amqp_field_value_t  *value;

    value = consumer_dead_letter_find(table, name);

    return (value && value->kind == AMQP_FIELD_KIND_UTF8)
           ? value->value.bytes : amqp_empty_bytes;
}


static amqp_bytes_t
consumer_dead_letter_id(const consumer_dead_letter_t *letter)
{
    const amqp_basic_properties_t  *p;

    p = &letter->envelope.message.properties;

    return (p->_flags & AMQP_BASIC_MESSAGE_ID_FLAG) ? p->message_id
                                                    : amqp_empty_bytes;
}


int
consumer_dead_letter_is(const consumer_dead_letter_t *letter,
    const char *word)
{
    char          place[16];
    amqp_bytes_t  id;

    snprintf(place, sizeof(place), "%u", letter->place);

    if (word[strspn(word, "0123456789")] == '\0') {
        return strcmp(word, place) == 0;
    }

    id = consumer_dead_letter_id(letter);

    return id.len == strlen(word) && memcmp(id.bytes, word, id.len) == 0;
}


const char *
consumer_dead_letter_name(const consumer_dead_letter_t *letter,
    char name[256])
{
    size_t        i;
    amqp_bytes_t  id;

    id = consumer_dead_letter_id(letter);

    if (id.len == 0) {
        snprintf(name, 256, "%u", letter->place);
        return name;
    }

    snprintf(name, 256, "%.*s", (int) id.len, (char *) id.bytes);

    for (i = 0; name[i]; i++) {
        if (name[i] < ' ' || name[i] > '~') {
            name[i] = '?';
        }
    }

    return name;
}


json_t *
consumer_dead_letter_json(const consumer_dead_letter_t *letter, int all)
{
    json_t                         *object;
    const amqp_table_t             *headers;
    const amqp_basic_properties_t  *p;

    p = &letter->envelope.message.properties;
    headers = consumer_dead_letter_headers(&letter->envelope.message);
    object = json_object();

    json_object_set_new(object, "place", json_integer(letter->place));
    json_object_set_new(object, "id", consumer_dead_letter_text(
                                          consumer_dead_letter_id(letter)));
    json_object_set_new(object, "type",
        (p->_flags & AMQP_BASIC_TYPE_FLAG)
        ? consumer_dead_letter_text(p->type) : json_null());
    json_object_set_new(object, "stream",
        consumer_dead_letter_text(headers
            ? consumer_dead_letter_bytes(headers, CQRS_HEADER_STREAM)
            : amqp_empty_bytes));
    json_object_set_new(object, "user",
        consumer_dead_letter_text(headers
            ? consumer_dead_letter_bytes(headers, CQRS_HEADER_USER)
            : amqp_empty_bytes));
    json_object_set_new(object, "queue",
                        consumer_dead_letter_text(letter->queue));
    json_object_set_new(object, "reason", consumer_dead_letter_reason(letter));
    json_object_set_new(object, "size",
        json_integer((json_int_t) letter->envelope.message.body.len));

    if (all) {
        consumer_dead_letter_all(letter, object);
    }

    return object;
}


static json_t *
consumer_dead_letter_reason(const consumer_dead_letter_t *letter)
{
    amqp_bytes_t         reason;
    const amqp_table_t  *headers, *death;

    headers = consumer_dead_letter_headers(&letter->envelope.message);

    if (headers) {
        reason = consumer_dead_letter_bytes(headers, CQRS_HEADER_REASON);

        if (reason.len) {
            return consumer_dead_letter_text(reason);
        }
    }

    death = consumer_dead_letter_death(&letter->envelope.message);

    if (death == NULL) {
        return json_null();
    }

    reason = consumer_dead_letter_bytes(death, "reason");

    return json_sprintf("RabbitMQ moved it: %.*s.", (int) reason.len,
                        reason.bytes ? (char *) reason.bytes : "");
}


static void
consumer_dead_letter_all(const consumer_dead_letter_t *letter, json_t *object)
{
    json_t                         *text;
    amqp_bytes_t                    body;
    const amqp_table_t             *headers;
    const amqp_basic_properties_t  *p;

    p = &letter->envelope.message.properties;
    headers = consumer_dead_letter_headers(&letter->envelope.message);

    json_object_set_new(object, "exchange",
                        consumer_dead_letter_text(letter->exchange));
    json_object_set_new(object, "routing_key",
                        consumer_dead_letter_text(letter->key));

    if (p->_flags & AMQP_BASIC_CONTENT_TYPE_FLAG) {
        json_object_set_new(object, "content_type",
                            consumer_dead_letter_text(p->content_type));
    }

    if (p->_flags & AMQP_BASIC_TIMESTAMP_FLAG) {
        json_object_set_new(object, "timestamp",
                            json_integer((json_int_t) p->timestamp));
    }

    json_object_set_new(object, "headers",
                        headers ? consumer_dead_letter_table(headers, 0)
                                : json_object());

    body = letter->envelope.message.body;
    text = json_stringn(body.bytes ? body.bytes : "", body.len);

    if (text) {
        json_object_set_new(object, "body", text);

    } else {
        json_object_set_new(object, "body_hex",
                            consumer_dead_letter_hex(body));
    }
}


/* What is absent is null, and so is what is not text. */

static json_t *
consumer_dead_letter_text(amqp_bytes_t bytes)
{
    json_t  *text;

    text = bytes.len ? json_stringn(bytes.bytes, bytes.len) : NULL;

    return text ? text : json_null();
}


static json_t *
consumer_dead_letter_hex(amqp_bytes_t bytes)
{
    char    *hex;
    size_t   i;
    json_t  *text;

    hex = malloc(2 * bytes.len + 1);
    if (hex == NULL) {
        return NULL;
    }

    for (i = 0; i < bytes.len; i++) {
        sprintf(hex + 2 * i, "%02x", ((unsigned char *) bytes.bytes)[i]);
    }

    text = json_stringn(hex, 2 * bytes.len);

    free(hex);

    return text;
}


static json_t *
consumer_dead_letter_table(const amqp_table_t *table, unsigned depth)
{
    int           i;
    char          name[256];
    json_t       *object;
    amqp_bytes_t  key;

    object = json_object();

    for (i = 0; i < table->num_entries; i++) {

        key = table->entries[i].key;

        /* of this queue, by those who looked */

        if (depth == 0 && key.len == strlen(CQRS_HEADER_DELIVERY_COUNT)
            && memcmp(key.bytes, CQRS_HEADER_DELIVERY_COUNT, key.len) == 0)
        {
            continue;
        }

        snprintf(name, sizeof(name), "%.*s", (int) key.len,
                 key.bytes ? (char *) key.bytes : "");

        json_object_set_new(object, name,
            consumer_dead_letter_value(&table->entries[i].value, depth + 1));
    }

    return object;
}


static json_t *
consumer_dead_letter_value(const amqp_field_value_t *value, unsigned depth)
{
    int      i;
    json_t  *array;

    if (depth > CONSUMER_DEAD_LETTER_DEPTH) {
        return json_null();
    }

    switch (value->kind) {

    case AMQP_FIELD_KIND_BOOLEAN:
        return json_boolean(value->value.boolean);

    case AMQP_FIELD_KIND_I8:
        return json_integer(value->value.i8);

    case AMQP_FIELD_KIND_U8:
        return json_integer(value->value.u8);

    case AMQP_FIELD_KIND_I16:
        return json_integer(value->value.i16);

    case AMQP_FIELD_KIND_U16:
        return json_integer(value->value.u16);

    case AMQP_FIELD_KIND_I32:
        return json_integer(value->value.i32);

    case AMQP_FIELD_KIND_U32:
        return json_integer(value->value.u32);

    case AMQP_FIELD_KIND_I64:
        return json_integer(value->value.i64);

    case AMQP_FIELD_KIND_U64:
    case AMQP_FIELD_KIND_TIMESTAMP:
        return json_integer((json_int_t) value->value.u64);

    case AMQP_FIELD_KIND_F32:
        return json_real(value->value.f32);

    case AMQP_FIELD_KIND_F64:
        return json_real(value->value.f64);

    case AMQP_FIELD_KIND_UTF8:
        return consumer_dead_letter_text(value->value.bytes);

    case AMQP_FIELD_KIND_BYTES:
        return consumer_dead_letter_hex(value->value.bytes);

    case AMQP_FIELD_KIND_TABLE:
        return consumer_dead_letter_table(&value->value.table, depth);

    case AMQP_FIELD_KIND_ARRAY:
        array = json_array();

        for (i = 0; i < value->value.array.num_entries; i++) {
            json_array_append_new(array,
                consumer_dead_letter_value(&value->value.array.entries[i],
                                           depth + 1));
        }

        return array;

    default:
        return json_null();
    }
}


const char *
consumer_dead_letter_retry(const consumer_dead_letter_t *letter,
    consumer_publisher_t *pub)
{
    int                       i, n, rc;
    const amqp_table_t       *headers;
    amqp_table_entry_t       *entries;
    amqp_basic_properties_t   properties;

    if (letter->queue.len == 0) {
        return "it does not say where it came from";
    }

    properties = letter->envelope.message.properties;
    headers = consumer_dead_letter_headers(&letter->envelope.message);

    entries = malloc(((size_t) headers->num_entries + 1)
                     * sizeof(amqp_table_entry_t));
    if (entries == NULL) {
        return "no memory";
    }

    for (i = 0, n = 0; i < headers->num_entries; i++) {
        if (consumer_dead_letter_stays(headers->entries[i].key)) {
            entries[n++] = headers->entries[i];
        }
    }

    properties.headers.entries = entries;
    properties.headers.num_entries = n;

    properties._flags &= ~(amqp_flags_t) AMQP_BASIC_USER_ID_FLAG;

    /* into the queue: other readers of the exchange had it already */

    rc = consumer_publisher_forward(pub, amqp_empty_bytes, letter->queue, 1,
                                    &properties,
                                    letter->envelope.message.body);

    free(entries);

    if (rc != 0
        || consumer_publisher_flush(pub, CONSUMER_DEAD_LETTER_CONFIRM) != 0)
    {
        return pub->amqp.error;
    }

    return NULL;
}


/* What was said of its death belongs to it no more. */

static int
consumer_dead_letter_stays(amqp_bytes_t key)
{
    const char * const  *name;

    static const char * const  death[] = {
        CQRS_HEADER_REASON, CQRS_HEADER_QUEUE, CQRS_HEADER_DELIVERY_COUNT,
        CQRS_HEADER_DEATH, "x-first-death-exchange", "x-first-death-queue",
        "x-first-death-reason", "x-last-death-exchange", "x-last-death-queue",
        "x-last-death-reason", NULL
    };

    for (name = death; *name; name++) {
        if (key.len == strlen(*name)
            && memcmp(key.bytes, *name, key.len) == 0)
        {
            return 0;
        }
    }

    return 1;
}
