
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * librabbitmq encodes what is inside a frame, the frame around it is written
 * here: its own functions for that write to a socket at once.
 */

#include "cqrs_amqp_output.h"

#include <stdlib.h>
#include <string.h>


#define CQRS_AMQP_OUTPUT_MIN   4096
#define CQRS_AMQP_OUTPUT_KEEP  262144      /* more is freed when it is empty */


static uint8_t *cqrs_amqp_output_reserve(cqrs_amqp_output_t *out, size_t len);
static void cqrs_amqp_output_frame(cqrs_amqp_output_t *out, uint8_t type,
    uint16_t channel, size_t payload);
static uint8_t *cqrs_amqp_output_number(uint8_t *p, uint64_t n, int bytes);


int
cqrs_amqp_output_bytes(cqrs_amqp_output_t *out, const void *data, size_t len)
{
    uint8_t  *p;

    if (len == 0) {
        return 0;
    }

    p = cqrs_amqp_output_reserve(out, len);
    if (p == NULL) {
        return -1;
    }

    memcpy(p, data, len);

    out->end += len;

    return 0;
}


int
cqrs_amqp_output_method(cqrs_amqp_output_t *out, uint16_t channel,
    amqp_method_number_t id, void *method, size_t room)
{
    int            n;
    uint8_t       *p;
    amqp_bytes_t   encoded;

    p = cqrs_amqp_output_reserve(out, CQRS_AMQP_FRAME_EXTRA + 4 + room);
    if (p == NULL) {
        return -1;
    }

    p = cqrs_amqp_output_number(p + CQRS_AMQP_FRAME_HEAD, id, 4);

    encoded.bytes = p;
    encoded.len = room;

    n = amqp_encode_method(id, method, encoded);
    if (n < 0) {
        return -1;
    }

    cqrs_amqp_output_frame(out, AMQP_FRAME_METHOD, channel, 4 + (size_t) n);

    return 0;
}


int
cqrs_amqp_output_header(cqrs_amqp_output_t *out, uint16_t channel,
    amqp_basic_properties_t *properties, uint64_t body_size, size_t room)
{
    int            n;
    uint8_t       *p;
    amqp_bytes_t   encoded;

    p = cqrs_amqp_output_reserve(out, CQRS_AMQP_FRAME_EXTRA + 12 + room);
    if (p == NULL) {
        return -1;
    }

    p += CQRS_AMQP_FRAME_HEAD;
    p = cqrs_amqp_output_number(p, AMQP_BASIC_CLASS, 2);
    p = cqrs_amqp_output_number(p, 0, 2);                      /* weight */
    p = cqrs_amqp_output_number(p, body_size, 8);

    encoded.bytes = p;
    encoded.len = room;

    n = amqp_encode_properties(AMQP_BASIC_CLASS, properties, encoded);
    if (n < 0) {
        return -1;
    }

    cqrs_amqp_output_frame(out, AMQP_FRAME_HEADER, channel, 12 + (size_t) n);

    return 0;
}


int
cqrs_amqp_output_body(cqrs_amqp_output_t *out, uint16_t channel,
    amqp_bytes_t body, size_t frame_max)
{
    size_t          n, frames;
    uint8_t        *p;
    const uint8_t  *bytes;

    if (body.len == 0) {
        return 0;
    }

    frame_max -= CQRS_AMQP_FRAME_EXTRA;
    frames = (body.len + frame_max - 1) / frame_max;

    if (cqrs_amqp_output_reserve(out, body.len
                                      + frames * CQRS_AMQP_FRAME_EXTRA)
        == NULL)
    {
        return -1;
    }

    for (bytes = body.bytes; body.len; bytes += n, body.len -= n) {
        n = (body.len < frame_max) ? body.len : frame_max;
        p = out->data + out->end;

        memcpy(p + CQRS_AMQP_FRAME_HEAD, bytes, n);

        cqrs_amqp_output_frame(out, AMQP_FRAME_BODY, channel, n);
    }

    return 0;
}


int
cqrs_amqp_output_heartbeat(cqrs_amqp_output_t *out)
{
    if (cqrs_amqp_output_reserve(out, CQRS_AMQP_FRAME_EXTRA) == NULL) {
        return -1;
    }

    cqrs_amqp_output_frame(out, AMQP_FRAME_HEARTBEAT, 0, 0);

    return 0;
}


void
cqrs_amqp_output_sent(cqrs_amqp_output_t *out, size_t len)
{
    out->start += len;

    if (out->start < out->end) {
        return;
    }

    out->start = 0;
    out->end = 0;

    if (out->size > CQRS_AMQP_OUTPUT_KEEP) {
        cqrs_amqp_output_cleanup(out);
    }
}


void
cqrs_amqp_output_cut(cqrs_amqp_output_t *out, size_t len)
{
    out->end = out->start + len;
}


void
cqrs_amqp_output_cleanup(cqrs_amqp_output_t *out)
{
    free(out->data);

    memset(out, 0, sizeof(cqrs_amqp_output_t));
}


/* Makes room for len bytes behind the end, and returns where they go. */

static uint8_t *
cqrs_amqp_output_reserve(cqrs_amqp_output_t *out, size_t len)
{
    size_t    have, size;
    uint8_t  *data;

    if (out->size - out->end >= len) {
        return out->data + out->end;
    }

    have = out->end - out->start;

    /* moving less than half of it pays for itself */

    if (out->start >= out->size / 2 && out->size - have >= len && out->size) {
        memmove(out->data, out->data + out->start, have);

        out->start = 0;
        out->end = have;

        return out->data + out->end;
    }

    size = out->size ? out->size : CQRS_AMQP_OUTPUT_MIN;

    while (size - have < len) {

        if (size > SIZE_MAX / 2) {
            return NULL;
        }

        size *= 2;
    }

    data = malloc(size);
    if (data == NULL) {
        return NULL;
    }

    if (have) {
        memcpy(data, out->data + out->start, have);
    }

    free(out->data);

    out->data = data;
    out->start = 0;
    out->end = have;
    out->size = size;

    return out->data + out->end;
}


/* The payload is in its place; what is around it follows. */

static void
cqrs_amqp_output_frame(cqrs_amqp_output_t *out, uint8_t type, uint16_t channel,
    size_t payload)
{
    uint8_t  *p;

    p = out->data + out->end;

    *p++ = type;
    p = cqrs_amqp_output_number(p, channel, 2);
    p = cqrs_amqp_output_number(p, payload, 4);
    p[payload] = AMQP_FRAME_END;

    out->end += CQRS_AMQP_FRAME_EXTRA + payload;
}


static uint8_t *
cqrs_amqp_output_number(uint8_t *p, uint64_t n, int bytes)
{
    while (bytes-- > 0) {
        *p++ = (uint8_t) (n >> (8 * bytes));
    }

    return p;
}
