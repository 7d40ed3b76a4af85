
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * WebSocket frames (RFC 6455) as bytes, as a server that only speaks text
 * writes and reads them: nothing is taken from a client but ping, pong and
 * close.  Keeps no state between calls, so an idle connection costs nothing.
 */

#ifndef CQRS_WEBSOCKET_H
#define CQRS_WEBSOCKET_H


#include <stddef.h>
#include <stdint.h>


/* Opcodes. */
#define CQRS_WEBSOCKET_TEXT   0x1
#define CQRS_WEBSOCKET_CLOSE  0x8
#define CQRS_WEBSOCKET_PING   0x9
#define CQRS_WEBSOCKET_PONG   0xa

/* Close codes. */
#define CQRS_WEBSOCKET_PROTOCOL    1002
#define CQRS_WEBSOCKET_REFUSED     1003    /* a text or binary frame */
#define CQRS_WEBSOCKET_NO_CODE     1005    /* a close frame without a code */
#define CQRS_WEBSOCKET_NO_TEXT     1007    /* what should be UTF-8 is not */
#define CQRS_WEBSOCKET_POLICY      1008
#define CQRS_WEBSOCKET_TOO_BIG     1009
#define CQRS_WEBSOCKET_ERROR       1011
#define CQRS_WEBSOCKET_RESTART     1012
#define CQRS_WEBSOCKET_LATER       1013

/* A control frame's payload. */
#define CQRS_WEBSOCKET_CONTROL_MAX  125

/* A frame's head, when it is sent by a server. */
#define CQRS_WEBSOCKET_HEAD_MAX  10

/* What a caller may have to keep: a control frame without its last byte. */
#define CQRS_WEBSOCKET_REST_MAX  (2 + 4 + CQRS_WEBSOCKET_CONTROL_MAX)

/* A longer frame is refused with 1009, a shorter one with 1003. */
#define CQRS_WEBSOCKET_MESSAGE_MAX  4096


typedef struct {
    uint8_t        opcode;       /* close, ping or pong */
    uint16_t       code;         /* of a close frame */
    size_t         length;       /* of the payload, the code included */
    unsigned char  payload[CQRS_WEBSOCKET_CONTROL_MAX];
} cqrs_websocket_frame_t;


/* Writes the head of a whole, unmasked frame; returns its length. */
size_t cqrs_websocket_head(unsigned char *head, uint8_t opcode,
    uint64_t length);

/* Writes a close frame's payload; returns its length. */
size_t cqrs_websocket_close(unsigned char *payload, uint16_t code,
    const char *reason);

/*
 * Reads the frame at the start of the input.  Returns how many bytes it took,
 * 0 if it is not yet whole, or minus the code to close with: what came is
 * against the rules.  -CQRS_WEBSOCKET_ERROR: memory is short.
 */
int cqrs_websocket_read(cqrs_websocket_frame_t *frame, const void *input,
    size_t len);


#endif /* CQRS_WEBSOCKET_H */
