
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * AMQP frames on their way out: a buffer that grows at its end, shrinks at its
 * beginning, and gives its memory back when it is empty.
 *
 * A function returns 0, or -1 when memory is short or the frame does not fit
 * into the room that was said to be enough; the buffer is then as before.
 */

#ifndef CQRS_AMQP_OUTPUT_H
#define CQRS_AMQP_OUTPUT_H


#include <stddef.h>
#include <stdint.h>

#include <amqp.h>
#include <amqp_framing.h>


/* Around the payload of each frame. */
#define CQRS_AMQP_FRAME_HEAD   7
#define CQRS_AMQP_FRAME_EXTRA  8


/* All zero is an empty one. */
typedef struct {
    uint8_t  *data;
    size_t    start;          /* what is before has been sent */
    size_t    end;
    size_t    size;
} cqrs_amqp_output_t;


/* Plain bytes. */
int cqrs_amqp_output_bytes(cqrs_amqp_output_t *out, const void *data,
    size_t len);

/* A method; room is what its arguments take at most. */
int cqrs_amqp_output_method(cqrs_amqp_output_t *out, uint16_t channel,
    amqp_method_number_t id, void *method, size_t room);

/* The header of a message; room is what its properties take at most. */
int cqrs_amqp_output_header(cqrs_amqp_output_t *out, uint16_t channel,
    amqp_basic_properties_t *properties, uint64_t body_size, size_t room);

/* The body of a message, in as many frames as it takes. */
int cqrs_amqp_output_body(cqrs_amqp_output_t *out, uint16_t channel,
    amqp_bytes_t body, size_t frame_max);

int cqrs_amqp_output_heartbeat(cqrs_amqp_output_t *out);

/* The first bytes are gone. */
void cqrs_amqp_output_sent(cqrs_amqp_output_t *out, size_t len);

/* Takes back what was added since the end was there. */
void cqrs_amqp_output_cut(cqrs_amqp_output_t *out, size_t len);

void cqrs_amqp_output_cleanup(cqrs_amqp_output_t *out);


static inline size_t
cqrs_amqp_output_len(const cqrs_amqp_output_t *out)
{
    return out->end - out->start;
}


#endif /* CQRS_AMQP_OUTPUT_H */
