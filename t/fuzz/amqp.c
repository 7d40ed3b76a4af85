
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The AMQP machine, with a broker that says what libFuzzer makes up.  The
 * input is a list of steps, so that sessions get further than their first
 * frame: bytes as they are, the same with a frame around them, whole answers
 * of a broker, and what the worker does meanwhile.
 */

#include "../unit/amqp_session.h"

#include <stdint.h>


#define STEP_RAW      0
#define STEP_FRAME    1
#define STEP_WELCOME  2
#define STEP_CHANNEL  3
#define STEP_RETURN   4
#define STEP_ACK      5
#define STEP_PUBLISH  6
#define STEP_TICK     7
#define STEP_SENT     8
#define STEP_CLOSE    9
#define STEPS         10


typedef struct {
    const uint8_t  *p;
    size_t          left;
} input_t;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static uint8_t
take(input_t *in)
{
    if (in->left == 0) {
        return 0;
    }

    in->left--;

    return *in->p++;
}


static amqp_bytes_t
take_bytes(input_t *in)
{
    amqp_bytes_t  some;

    some.len = take(in);
    some.len = some.len < in->left ? some.len : in->left;
    some.bytes = (void *) in->p;

    in->p += some.len;
    in->left -= some.len;

    return some;
}


static void
say_frame(session_t *s, uint8_t kind, amqp_bytes_t payload)
{
    uint8_t  head[7] = { 0 }, end = AMQP_FRAME_END;

    head[0] = (uint8_t) (1 + kind % 3);
    head[2] = (kind >> 2) & 1;
    head[6] = (uint8_t) payload.len;

    assert_int_equal(cqrs_amqp_output_bytes(&s->broker, head, 7), 0);
    assert_int_equal(cqrs_amqp_output_bytes(&s->broker, payload.bytes,
                                            payload.len), 0);
    assert_int_equal(cqrs_amqp_output_bytes(&s->broker, &end, 1), 0);
}


static void
try_publish(session_t *s, uint8_t n)
{
    int                   rc;
    char                  body[256] = { 0 };
    uint64_t              tag;
    cqrs_amqp_message_t   message;

    memset(&message, 0, sizeof(message));

    message.exchange = bytes("cqrs.commands");
    message.routing_key = bytes("deposit.1");
    message.message_id = bytes("1");
    message.body.bytes = body;
    message.body.len = n;

    tag = 0;
    rc = cqrs_amqp_publish(s->amqp, &message, &tag);

    if (rc == CQRS_AMQP_CLOSED || (rc == CQRS_AMQP_OK && tag == 0)) {
        abort();
    }
}


static void
step(session_t *s, input_t *in)
{
    size_t        len;
    uint8_t       what;
    const void   *data;
    amqp_bytes_t  some;

    switch (take(in) % STEPS) {

    case STEP_RAW:
        some = take_bytes(in);
        assert_int_equal(cqrs_amqp_output_bytes(&s->broker, some.bytes,
                                                some.len), 0);
        break;

    case STEP_FRAME:
        what = take(in);
        say_frame(s, what, take_bytes(in));
        break;

    case STEP_WELCOME:
        say_welcome(s);
        break;

    case STEP_CHANNEL:
        say_channel_is_open(s);
        break;

    case STEP_RETURN:
        say_return(s, "1", take(in));
        break;

    case STEP_ACK:
        what = take(in);
        say_ack(s, what >> 1, what & 1);
        break;

    case STEP_PUBLISH:
        try_publish(s, take(in));
        break;

    case STEP_TICK:
        (void) cqrs_amqp_tick(s->amqp);
        break;

    case STEP_SENT:
        len = cqrs_amqp_output(s->amqp, &data);
        cqrs_amqp_sent(s->amqp, len < 100 ? len : 100 + take(in) % (len - 99));
        break;

    case STEP_CLOSE:
        cqrs_amqp_close(s->amqp);
        break;
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int        rc;
    input_t    in;
    session_t  s;

    in.p = data;
    in.left = size;

    session_open(&s, take(&in) % 32);

    while (in.left) {
        step(&s, &in);

        rc = hear(&s);

        if (rc == CQRS_AMQP_CLOSED && *cqrs_amqp_reason(s.amqp) == '\0') {
            abort();                       /* nobody would know why */
        }

        if (s.confirms && s.ready == 0) {
            abort();                       /* of what? */
        }
    }

    session_close(&s);

    return 0;
}
