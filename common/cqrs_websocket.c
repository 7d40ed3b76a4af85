
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * libwslay takes a frame apart and unmasks it.  It leaves to us what needs
 * knowledge of the connection: that a client masks, that no extension was
 * agreed on, which opcodes there are, and what stands in a close frame.
 *
 * Its context holds a buffer of 4 KiB.  It is made for a frame and dropped
 * again, and an unfinished frame is read once more from its start: a control
 * frame is so short that this is cheaper than to keep contexts.
 */

#include "cqrs_websocket.h"
#include "cqrs_utf8.h"

#include <string.h>
#include <wslay/wslay.h>


typedef struct {
    const unsigned char  *pos;
    const unsigned char  *last;
} cqrs_websocket_input_t;


static ssize_t cqrs_websocket_feed(uint8_t *buf, size_t len, int flags,
    void *data);
static int cqrs_websocket_take(cqrs_websocket_frame_t *frame,
    wslay_frame_context_ptr ctx);
static int cqrs_websocket_check_head(const struct wslay_frame_iocb *iocb);
static int cqrs_websocket_check_close(cqrs_websocket_frame_t *frame);
static int cqrs_websocket_code_allowed(uint16_t code);


size_t
cqrs_websocket_head(unsigned char *head, uint8_t opcode, uint64_t length)
{
    int     i;
    size_t  n;

    head[0] = 0x80 | opcode;

    if (length < 126) {
        head[1] = length;
        return 2;
    }

    n = length < 65536 ? 2 : 8;

    head[1] = n == 2 ? 126 : 127;

    for (i = n + 1; i > 1; i--) {
        head[i] = length & 0xff;
        length >>= 8;
    }

    return 2 + n;
}


size_t
cqrs_websocket_close(unsigned char *payload, uint16_t code, const char *reason)
{
    size_t  len;

    len = strlen(reason);

    if (len > CQRS_WEBSOCKET_CONTROL_MAX - 2) {
        len = CQRS_WEBSOCKET_CONTROL_MAX - 2;
    }

    payload[0] = code >> 8;
    payload[1] = code & 0xff;
    memcpy(payload + 2, reason, len);

    return 2 + len;
}


int
cqrs_websocket_read(cqrs_websocket_frame_t *frame, const void *input,
    size_t len)
{
    int                           rc;
    cqrs_websocket_input_t        in;
    wslay_frame_context_ptr       ctx;
    struct wslay_frame_callbacks  callbacks;

    if (len == 0) {
        return 0;
    }

    in.pos = input;
    in.last = in.pos + len;

    memset(&callbacks, 0, sizeof(callbacks));
    callbacks.recv_callback = cqrs_websocket_feed;

    if (wslay_frame_context_init(&ctx, &callbacks, &in) != 0) {
        return -CQRS_WEBSOCKET_ERROR;
    }

    rc = cqrs_websocket_take(frame, ctx);

    wslay_frame_context_free(ctx);

    return rc;
}


static ssize_t
cqrs_websocket_feed(uint8_t *buf, size_t len, int flags, void *data)
{
    cqrs_websocket_input_t  *in = data;

    (void) flags;

    if (len > (size_t) (in->last - in->pos)) {
        len = in->last - in->pos;
    }

    memcpy(buf, in->pos, len);
    in->pos += len;

    return len;
}


static int
cqrs_websocket_take(cqrs_websocket_frame_t *frame,
    wslay_frame_context_ptr ctx)
{
    int                      rc;
    ssize_t                  n;
    struct wslay_frame_iocb  iocb;

    frame->code = 0;
    frame->length = 0;

    do {
        memset(&iocb, 0, sizeof(iocb));

        n = wslay_frame_recv(ctx, &iocb);

        if (n == WSLAY_ERR_WANT_READ) {
            return 0;
        }

        if (n < 0) {
            return -CQRS_WEBSOCKET_PROTOCOL;
        }

        rc = cqrs_websocket_check_head(&iocb);
        if (rc != 0) {
            return rc;
        }

        memcpy(frame->payload + frame->length, iocb.data, n);
        frame->length += n;

    } while (frame->length < iocb.payload_length);

    frame->opcode = iocb.opcode;

    if (frame->opcode == CQRS_WEBSOCKET_CLOSE) {
        rc = cqrs_websocket_check_close(frame);
        if (rc != 0) {
            return rc;
        }
    }

    return 2 + 4 + (int) frame->length;
}


static int
cqrs_websocket_check_head(const struct wslay_frame_iocb *iocb)
{
    if (!iocb->mask || iocb->rsv) {
        return -CQRS_WEBSOCKET_PROTOCOL;
    }

    switch (iocb->opcode) {

    case WSLAY_CONNECTION_CLOSE:
    case WSLAY_PING:
    case WSLAY_PONG:
        return 0;

    case WSLAY_TEXT_FRAME:
    case WSLAY_BINARY_FRAME:
        return iocb->payload_length > CQRS_WEBSOCKET_MESSAGE_MAX
               ? -CQRS_WEBSOCKET_TOO_BIG : -CQRS_WEBSOCKET_REFUSED;

    default:

        /* a continuation continues nothing, since no message is begun */

        return -CQRS_WEBSOCKET_PROTOCOL;
    }
}


static int
cqrs_websocket_check_close(cqrs_websocket_frame_t *frame)
{
    if (frame->length == 0) {
        frame->code = CQRS_WEBSOCKET_NO_CODE;
        return 0;
    }

    if (frame->length == 1) {
        return -CQRS_WEBSOCKET_PROTOCOL;
    }

    frame->code = (uint16_t) (frame->payload[0] << 8 | frame->payload[1]);

    if (!cqrs_websocket_code_allowed(frame->code)) {
        return -CQRS_WEBSOCKET_PROTOCOL;
    }

    if (!cqrs_utf8_valid(frame->payload + 2, frame->length - 2)) {
        return -CQRS_WEBSOCKET_NO_TEXT;
    }

    return 0;
}


/* 1004 to 1006 and 1015 have meanings that are never sent. */

static int
cqrs_websocket_code_allowed(uint16_t code)
{
    return (code >= 1000 && code <= 1003)
           || (code >= 1007 && code <= 1014)
           || (code >= 3000 && code <= 4999);
}
