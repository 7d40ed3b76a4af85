
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Frames are cut out of the input here, and messages put into frames.
 *
 * librabbitmq's amqp_handle_input() is not used: it reads past the end of a
 * method frame shorter than four bytes, and keeps memory for each channel
 * number it sees.  A content header is decoded by hand as far as the message
 * id, since the headers before it could nest as deep as a frame is long.
 */

#include "cqrs_amqp_state.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define CQRS_AMQP_SILENT_TICKS  4


static size_t cqrs_amqp_fill(cqrs_amqp_t *amqp, const uint8_t *p, size_t len);
static int cqrs_amqp_frame_head(cqrs_amqp_t *amqp, const uint8_t *p,
    size_t *size);
static int cqrs_amqp_frame(cqrs_amqp_t *amqp, const uint8_t *p, size_t size);
static int cqrs_amqp_content_header(cqrs_amqp_t *amqp, const uint8_t *p,
    size_t len);
static int cqrs_amqp_content_body(cqrs_amqp_t *amqp, size_t len);
static int cqrs_amqp_message_id(const uint8_t *p, size_t len,
    amqp_bytes_t *id);


cqrs_amqp_t *
cqrs_amqp_create(const cqrs_amqp_conf_t *conf)
{
    cqrs_amqp_t           *amqp;
    static const uint8_t   greeting[] = { 'A', 'M', 'Q', 'P', 0, 0, 9, 1 };

    if (conf->user.len > CQRS_AMQP_NAME_MAX
        || conf->password.len > CQRS_AMQP_NAME_MAX
        || conf->vhost.len > CQRS_AMQP_NAME_MAX
        || conf->name.len > CQRS_AMQP_NAME_MAX)
    {
        return NULL;
    }

    amqp = calloc(1, sizeof(cqrs_amqp_t));
    if (amqp == NULL) {
        return NULL;
    }

    amqp->conf = *conf;
    amqp->frame_max = CQRS_AMQP_FRAME_MIN;

    init_amqp_pool(&amqp->pool, CQRS_AMQP_FRAME_MIN);

    if (cqrs_amqp_output_bytes(&amqp->output, greeting, sizeof(greeting))
        != 0)
    {
        cqrs_amqp_destroy(amqp);
        return NULL;
    }

    return amqp;
}


void
cqrs_amqp_destroy(cqrs_amqp_t *amqp)
{
    empty_amqp_pool(&amqp->pool);
    cqrs_amqp_output_cleanup(&amqp->output);

    free(amqp->input);
    free(amqp);
}


int
cqrs_amqp_input(cqrs_amqp_t *amqp, const void *data, size_t len)
{
    size_t          n, size;
    const uint8_t  *p = data;

    if (len) {
        amqp->silent = 0;
    }

    while (len && amqp->state != CQRS_AMQP_OVER) {

        if (amqp->input_len == 0 && len >= CQRS_AMQP_FRAME_HEAD) {

            if (cqrs_amqp_frame_head(amqp, p, &size) != 0) {
                break;
            }

            if (len >= size) {
                (void) cqrs_amqp_frame(amqp, p, size);

                p += size;
                len -= size;
                continue;
            }
        }

        n = cqrs_amqp_fill(amqp, p, len);

        p += n;
        len -= n;
    }

    return (amqp->state == CQRS_AMQP_OVER) ? CQRS_AMQP_CLOSED : CQRS_AMQP_OK;
}


size_t
cqrs_amqp_output(cqrs_amqp_t *amqp, const void **data)
{
    size_t  len;

    len = cqrs_amqp_output_len(&amqp->output);

    *data = len ? amqp->output.data + amqp->output.start : NULL;

    return len;
}


void
cqrs_amqp_sent(cqrs_amqp_t *amqp, size_t len)
{
    if (len == 0) {
        return;
    }

    amqp->wrote = 1;

    cqrs_amqp_output_sent(&amqp->output, len);
}


int
cqrs_amqp_publish(cqrs_amqp_t *amqp, const cqrs_amqp_message_t *message,
    uint64_t *tag)
{
    size_t                    i, len, room, frames;
    amqp_table_entry_t        entries[CQRS_AMQP_HEADERS_MAX];
    amqp_basic_publish_t      publish;
    amqp_basic_properties_t   properties;

    if (amqp->state != CQRS_AMQP_READY || amqp->blocked) {
        return CQRS_AMQP_NOT_READY;
    }

    if (message->exchange.len > CQRS_AMQP_NAME_MAX
        || message->routing_key.len > CQRS_AMQP_NAME_MAX
        || message->message_id.len > CQRS_AMQP_NAME_MAX
        || message->type.len > CQRS_AMQP_NAME_MAX
        || message->content_type.len > CQRS_AMQP_NAME_MAX
        || message->nheaders > CQRS_AMQP_HEADERS_MAX)
    {
        return CQRS_AMQP_TOO_LARGE;
    }

    memset(&properties, 0, sizeof(amqp_basic_properties_t));

    properties._flags = AMQP_BASIC_DELIVERY_MODE_FLAG
                        | AMQP_BASIC_TIMESTAMP_FLAG
                        | AMQP_BASIC_HEADERS_FLAG;
    properties.delivery_mode = AMQP_DELIVERY_PERSISTENT;
    properties.timestamp = message->timestamp;
    properties.headers.num_entries = (int) message->nheaders;
    properties.headers.entries = entries;

    if (message->message_id.len) {
        properties._flags |= AMQP_BASIC_MESSAGE_ID_FLAG;
        properties.message_id = message->message_id;
    }

    if (message->type.len) {
        properties._flags |= AMQP_BASIC_TYPE_FLAG;
        properties.type = message->type;
    }

    if (message->content_type.len) {
        properties._flags |= AMQP_BASIC_CONTENT_TYPE_FLAG;
        properties.content_type = message->content_type;
    }

    /* flags, numbers and lengths take less than the first of these */

    room = 64 + message->message_id.len + message->type.len
           + message->content_type.len;

    for (i = 0; i < message->nheaders; i++) {
        entries[i].key = amqp_cstring_bytes(message->headers[i].name);
        entries[i].value.kind = AMQP_FIELD_KIND_UTF8;
        entries[i].value.value.bytes = message->headers[i].value;

        if (entries[i].key.len > CQRS_AMQP_NAME_MAX
            || entries[i].value.value.bytes.len > amqp->frame_max)
        {
            return CQRS_AMQP_TOO_LARGE;
        }

        room += 6 + entries[i].key.len + entries[i].value.value.bytes.len;
    }

    if (room + CQRS_AMQP_FRAME_EXTRA + 12 > amqp->frame_max) {
        return CQRS_AMQP_TOO_LARGE;
    }

    len = cqrs_amqp_output_len(&amqp->output);
    frames = message->body.len / (amqp->frame_max - CQRS_AMQP_FRAME_EXTRA) + 3;

    if (len && len + room + message->body.len + frames * CQRS_AMQP_FRAME_EXTRA
               > amqp->conf.output_max)
    {
        return CQRS_AMQP_FULL;
    }

    memset(&publish, 0, sizeof(amqp_basic_publish_t));

    publish.exchange = message->exchange;
    publish.routing_key = message->routing_key;
    publish.mandatory = 1;

    if (cqrs_amqp_output_method(&amqp->output, CQRS_AMQP_CHANNEL,
                                AMQP_BASIC_PUBLISH_METHOD, &publish,
                                16 + message->exchange.len
                                + message->routing_key.len)
        != 0
        || cqrs_amqp_output_header(&amqp->output, CQRS_AMQP_CHANNEL,
                                   &properties, message->body.len, room)
           != 0
        || cqrs_amqp_output_body(&amqp->output, CQRS_AMQP_CHANNEL,
                                 message->body, amqp->frame_max)
           != 0)
    {
        cqrs_amqp_output_cut(&amqp->output, len);
        return CQRS_AMQP_NO_MEMORY;
    }

    *tag = ++amqp->tag;

    return CQRS_AMQP_OK;
}


unsigned
cqrs_amqp_heartbeat(const cqrs_amqp_t *amqp)
{
    return amqp->heartbeat;
}


int
cqrs_amqp_tick(cqrs_amqp_t *amqp)
{
    if (amqp->state == CQRS_AMQP_OVER) {
        return CQRS_AMQP_CLOSED;
    }

    if (amqp->heartbeat == 0) {
        return CQRS_AMQP_OK;
    }

    if (++amqp->silent > CQRS_AMQP_SILENT_TICKS) {
        return cqrs_amqp_fail(amqp, "the broker was silent for "
                              "two heartbeats of %u s", amqp->heartbeat);
    }

    /* what waits to be sent will do for a sign of life */

    if (!amqp->wrote && cqrs_amqp_output_len(&amqp->output) == 0
        && cqrs_amqp_output_heartbeat(&amqp->output) != 0)
    {
        return cqrs_amqp_fail(amqp, "memory is short");
    }

    amqp->wrote = 0;

    return CQRS_AMQP_OK;
}


void
cqrs_amqp_close(cqrs_amqp_t *amqp)
{
    amqp_connection_close_t  m;

    if (amqp->state == CQRS_AMQP_OVER || amqp->state == CQRS_AMQP_CLOSING) {
        return;
    }

    if (amqp->state <= CQRS_AMQP_OPENING) {
        (void) cqrs_amqp_fail(amqp, "closed before it was open");
        return;
    }

    memset(&m, 0, sizeof(amqp_connection_close_t));

    m.reply_code = AMQP_REPLY_SUCCESS;
    m.reply_text = amqp_cstring_bytes("goodbye");

    if (cqrs_amqp_send(amqp, 0, AMQP_CONNECTION_CLOSE_METHOD, &m, 64) == 0) {
        amqp->state = CQRS_AMQP_CLOSING;
    }
}


const char *
cqrs_amqp_reason(const cqrs_amqp_t *amqp)
{
    return amqp->reason;
}


/* Takes what the frame at hand still lacks; handles it when it is whole. */

static size_t
cqrs_amqp_fill(cqrs_amqp_t *amqp, const uint8_t *p, size_t len)
{
    size_t    n, size;
    uint8_t  *input;

    size = CQRS_AMQP_FRAME_HEAD;

    if (amqp->input_len >= CQRS_AMQP_FRAME_HEAD
        && cqrs_amqp_frame_head(amqp, amqp->input, &size) != 0)
    {
        return 0;
    }

    if (size > amqp->input_size) {
        input = realloc(amqp->input, size);

        if (input == NULL) {
            (void) cqrs_amqp_fail(amqp, "memory is short");
            return 0;
        }

        amqp->input = input;
        amqp->input_size = size;
    }

    n = size - amqp->input_len;

    if (n > len) {
        n = len;
    }

    memcpy(amqp->input + amqp->input_len, p, n);

    amqp->input_len += n;

    if (amqp->input_len == size && size > CQRS_AMQP_FRAME_HEAD) {
        amqp->input_len = 0;

        (void) cqrs_amqp_frame(amqp, amqp->input, size);
    }

    return n;
}


/* Finds the size of the whole frame, if it may come now. */

static int
cqrs_amqp_frame_head(cqrs_amqp_t *amqp, const uint8_t *p, size_t *size)
{
    size_t    len;
    unsigned  channel;

    if (amqp->state == CQRS_AMQP_STARTING && p[0] == 'A') {
        return cqrs_amqp_fail(amqp, "the broker speaks another version "
                              "of AMQP than 0-9-1");
    }

    channel = (unsigned) cqrs_amqp_number(p + 1, 2);
    len = (size_t) cqrs_amqp_number(p + 3, 4);

    if (p[0] != AMQP_FRAME_METHOD && p[0] != AMQP_FRAME_HEADER
        && p[0] != AMQP_FRAME_BODY && p[0] != AMQP_FRAME_HEARTBEAT)
    {
        return cqrs_amqp_fail(amqp, "the broker sent a frame "
                              "of unknown type %u", p[0]);
    }

    if (channel > CQRS_AMQP_CHANNEL) {
        return cqrs_amqp_fail(amqp, "the broker sent a frame "
                              "on channel %u, which was not opened", channel);
    }

    if (len > amqp->frame_max - CQRS_AMQP_FRAME_EXTRA) {
        return cqrs_amqp_fail(amqp, "the broker sent a frame of %zu bytes, "
                              "more than agreed", len);
    }

    *size = len + CQRS_AMQP_FRAME_EXTRA;

    return 0;
}


static int
cqrs_amqp_frame(cqrs_amqp_t *amqp, const uint8_t *p, size_t size)
{
    size_t    len;
    uint8_t   type;
    uint16_t  channel;

    if (p[size - 1] != AMQP_FRAME_END) {
        return cqrs_amqp_fail(amqp, "the broker sent a frame without an end");
    }

    type = p[0];
    channel = (uint16_t) cqrs_amqp_number(p + 1, 2);

    p += CQRS_AMQP_FRAME_HEAD;
    len = size - CQRS_AMQP_FRAME_EXTRA;

    if (type == AMQP_FRAME_HEARTBEAT) {
        return 0;
    }

    if (type == AMQP_FRAME_METHOD) {
        return cqrs_amqp_method(amqp, channel, p, len);
    }

    if (channel != CQRS_AMQP_CHANNEL) {
        return cqrs_amqp_fail(amqp, "the broker sent a message "
                              "outside of a channel");
    }

    return (type == AMQP_FRAME_HEADER)
           ? cqrs_amqp_content_header(amqp, p, len)
           : cqrs_amqp_content_body(amqp, len);
}


static int
cqrs_amqp_content_header(cqrs_amqp_t *amqp, const uint8_t *p, size_t len)
{
    amqp_bytes_t  id;

    if (amqp->content != CQRS_AMQP_CONTENT_HEADER) {
        return cqrs_amqp_fail(amqp, "the broker sent a message out of turn");
    }

    if (len < 14
        || cqrs_amqp_number(p, 2) != AMQP_BASIC_CLASS
        || cqrs_amqp_message_id(p + 12, len - 12, &id) != 0)
    {
        return cqrs_amqp_fail(amqp, "the broker returned a message "
                              "with a broken header");
    }

    amqp->content_left = cqrs_amqp_number(p + 4, 8);
    amqp->content = amqp->content_left ? CQRS_AMQP_CONTENT_BODY
                                       : CQRS_AMQP_NO_CONTENT;

    amqp->conf.handlers->returned(id, amqp->conf.data);

    return 0;
}


static int
cqrs_amqp_content_body(cqrs_amqp_t *amqp, size_t len)
{
    if (amqp->content != CQRS_AMQP_CONTENT_BODY || len > amqp->content_left) {
        return cqrs_amqp_fail(amqp, "the broker sent a body out of turn");
    }

    amqp->content_left -= len;

    if (amqp->content_left == 0) {
        amqp->content = CQRS_AMQP_NO_CONTENT;
    }

    return 0;
}


/* Walks over the properties before the message id, each of which may be. */

static int
cqrs_amqp_message_id(const uint8_t *p, size_t len, amqp_bytes_t *id)
{
    size_t                  i, n;
    unsigned                flags;
    static const uint16_t   order[] = {
        AMQP_BASIC_CONTENT_TYPE_FLAG, AMQP_BASIC_CONTENT_ENCODING_FLAG,
        AMQP_BASIC_HEADERS_FLAG, AMQP_BASIC_DELIVERY_MODE_FLAG,
        AMQP_BASIC_PRIORITY_FLAG, AMQP_BASIC_CORRELATION_ID_FLAG,
        AMQP_BASIC_REPLY_TO_FLAG, AMQP_BASIC_EXPIRATION_FLAG,
        AMQP_BASIC_MESSAGE_ID_FLAG
    };

    id->bytes = NULL;
    id->len = 0;

    flags = (unsigned) cqrs_amqp_number(p, 2);

    p += 2;
    len -= 2;

    for (i = 0; i < sizeof(order) / sizeof(order[0]); i++) {

        if ((flags & order[i]) == 0) {
            continue;
        }

        switch (order[i]) {

        case AMQP_BASIC_HEADERS_FLAG:
            n = (len < 4) ? len : 4 + (size_t) cqrs_amqp_number(p, 4);
            break;

        case AMQP_BASIC_DELIVERY_MODE_FLAG:
        case AMQP_BASIC_PRIORITY_FLAG:
            n = 1;
            break;

        default:
            n = (len < 1) ? 1 : 1 + (size_t) p[0];
        }

        if (n > len) {
            return -1;
        }

        if (order[i] == AMQP_BASIC_MESSAGE_ID_FLAG) {
            id->bytes = (void *) (p + 1);
            id->len = n - 1;
        }

        p += n;
        len -= n;
    }

    return 0;
}


int
cqrs_amqp_send(cqrs_amqp_t *amqp, uint16_t channel, amqp_method_number_t id,
    void *method, size_t room)
{
    if (cqrs_amqp_output_method(&amqp->output, channel, id, method, room)
        != 0)
    {
        return cqrs_amqp_fail(amqp, "memory is short");
    }

    return 0;
}


int
cqrs_amqp_fail(cqrs_amqp_t *amqp, const char *fmt, ...)
{
    va_list  args;

    if (amqp->state == CQRS_AMQP_OVER) {
        return CQRS_AMQP_CLOSED;
    }

    va_start(args, fmt);
    (void) vsnprintf(amqp->reason, sizeof(amqp->reason), fmt, args);
    va_end(args);

    amqp->state = CQRS_AMQP_OVER;

    return CQRS_AMQP_CLOSED;
}
