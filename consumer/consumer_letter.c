
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "consumer_letter.h"
#include "cqrs_names.h"

#include <amqp_framing.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define CONSUMER_LETTER_CONFIRM  10000
#define CONSUMER_LETTER_HEADERS  4

/* All properties but the headers: each at most 255 bytes. */
#define CONSUMER_LETTER_OTHERS   4096

#define CONSUMER_LETTER_REASON   1024


static consumer_letter_status_e consumer_letter_publish(
    consumer_publisher_t *pub, const amqp_envelope_t *message,
    amqp_table_entry_t *entries, int ours);
static int consumer_letter_copy(amqp_table_entry_t *entries,
    const amqp_basic_properties_t *properties, int retried);
static int consumer_letter_named(amqp_bytes_t key, const char *name);
static amqp_table_entry_t consumer_letter_header(const char *name,
    amqp_bytes_t value);
static int consumer_letter_fits(consumer_publisher_t *pub,
    amqp_table_t *headers);


consumer_letter_status_e
consumer_letter_send(consumer_publisher_t *pub, unsigned partitions,
    const amqp_envelope_t *message, const char *queue, const char *reason)
{
    int                        n, ours;
    char                       text[CONSUMER_LETTER_REASON];
    amqp_table_entry_t        *entries;
    consumer_letter_status_e   rc;

    if (consumer_publisher_open(pub, partitions) != 0) {
        return CONSUMER_LETTER_AGAIN;
    }

    n = (message->message.properties._flags & AMQP_BASIC_HEADERS_FLAG)
        ? message->message.properties.headers.num_entries : 0;

    entries = malloc((n + CONSUMER_LETTER_HEADERS)
                     * sizeof(amqp_table_entry_t));

    if (entries == NULL) {
        snprintf(pub->amqp.error, sizeof(pub->amqp.error), "no memory");
        consumer_amqp_drop(&pub->amqp);
        return CONSUMER_LETTER_AGAIN;
    }

    snprintf(text, sizeof(text), "%s.", reason);
    text[0] = (char) toupper((unsigned char) text[0]);

    ours = 0;

    entries[ours++] = consumer_letter_header(CQRS_HEADER_REASON,
                                             amqp_cstring_bytes(text));
    entries[ours++] = consumer_letter_header(CQRS_HEADER_QUEUE,
                                             amqp_cstring_bytes(queue));

    /* one that was retried was put into the queue, and knows better */

    if (message->exchange.len) {
        entries[ours++] = consumer_letter_header(CQRS_HEADER_EXCHANGE,
                                                 message->exchange);
        entries[ours++] = consumer_letter_header(CQRS_HEADER_ROUTING_KEY,
                                                 message->routing_key);
    }

    rc = consumer_letter_publish(pub, message, entries, ours);

    free(entries);

    return rc;
}


static consumer_letter_status_e
consumer_letter_publish(consumer_publisher_t *pub,
    const amqp_envelope_t *message, amqp_table_entry_t *entries, int ours)
{
    int                       n;
    amqp_basic_properties_t   properties;

    properties = message->message.properties;

    n = consumer_letter_copy(entries + ours, &properties,
                             message->exchange.len == 0);

    properties.headers.num_entries = ours + n;
    properties.headers.entries = entries;
    properties._flags |= AMQP_BASIC_HEADERS_FLAG;

    /*
     * A dead letter does not expire.  And the broker takes a user id only from
     * that user himself, who may be another one than ours.
     */

    properties._flags &= ~(amqp_flags_t) (AMQP_BASIC_EXPIRATION_FLAG
                                          |AMQP_BASIC_USER_ID_FLAG);

    if (!consumer_letter_fits(pub, &properties.headers)) {
        return CONSUMER_LETTER_TOO_LARGE;
    }

    if (consumer_publisher_forward(pub,
                                   amqp_cstring_bytes(CQRS_EXCHANGE_DEAD),
                                   message->routing_key, 1, &properties,
                                   message->message.body)
        != 0
        || consumer_publisher_flush(pub, CONSUMER_LETTER_CONFIRM) != 0)
    {
        consumer_amqp_drop(&pub->amqp);
        return CONSUMER_LETTER_AGAIN;
    }

    return CONSUMER_LETTER_DONE;
}


/* Ours are written anew; how often it was delivered is the broker's. */

static int
consumer_letter_copy(amqp_table_entry_t *entries,
    const amqp_basic_properties_t *properties, int retried)
{
    int           i, n;
    amqp_bytes_t  key;

    if (!(properties->_flags & AMQP_BASIC_HEADERS_FLAG)) {
        return 0;
    }

    n = 0;

    for (i = 0; i < properties->headers.num_entries; i++) {

        key = properties->headers.entries[i].key;

        if (consumer_letter_named(key, CQRS_HEADER_REASON)
            || consumer_letter_named(key, CQRS_HEADER_QUEUE)
            || consumer_letter_named(key, CQRS_HEADER_DELIVERY_COUNT))
        {
            continue;
        }

        if (!retried && (consumer_letter_named(key, CQRS_HEADER_EXCHANGE)
                         || consumer_letter_named(key,
                                                  CQRS_HEADER_ROUTING_KEY)))
        {
            continue;
        }

        entries[n++] = properties->headers.entries[i];
    }

    return n;
}


static int
consumer_letter_named(amqp_bytes_t key, const char *name)
{
    return key.len == strlen(name) && memcmp(key.bytes, name, key.len) == 0;
}


static amqp_table_entry_t
consumer_letter_header(const char *name, amqp_bytes_t value)
{
    amqp_table_entry_t  entry;

    entry.key = amqp_cstring_bytes(name);
    entry.value.kind = AMQP_FIELD_KIND_UTF8;
    entry.value.value.bytes = value;

    return entry;
}


/* Properties travel in one frame; half a message would cost the connection. */

static int
consumer_letter_fits(consumer_publisher_t *pub, amqp_table_t *headers)
{
    int           rc;
    size_t        offset;
    amqp_bytes_t  frame;

    frame.len = (size_t) amqp_get_frame_max(pub->amqp.conn);

    if (frame.len <= CONSUMER_LETTER_OTHERS) {
        return 0;
    }

    frame.len -= CONSUMER_LETTER_OTHERS;
    frame.bytes = malloc(frame.len);

    if (frame.bytes == NULL) {
        return 0;
    }

    offset = 0;
    rc = amqp_encode_table(frame, headers, &offset);

    free(frame.bytes);

    return rc == AMQP_STATUS_OK;
}
