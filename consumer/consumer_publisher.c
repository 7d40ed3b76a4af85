
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "consumer_publisher.h"
#include "consumer_process.h"

#include <amqp_framing.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>


static void consumer_publisher_cork(consumer_publisher_t *pub, int on);
static int consumer_publisher_lost(consumer_publisher_t *pub);
static int consumer_publisher_frame(consumer_publisher_t *pub,
    const amqp_frame_t *frame);
static int consumer_publisher_acked(consumer_publisher_t *pub,
    const amqp_basic_ack_t *ack);
static int consumer_publisher_returned(consumer_publisher_t *pub,
    const amqp_basic_return_t *returned);


void
consumer_publisher_init(consumer_publisher_t *pub,
    const consumer_options_t *options, const char *name)
{
    memset(pub, 0, sizeof(*pub));

    consumer_amqp_init(&pub->amqp, options, name);
}


int
consumer_publisher_open(consumer_publisher_t *pub, unsigned partitions)
{
    if (pub->amqp.conn) {
        return 0;
    }

    pub->published = 0;
    pub->confirmed = 0;
    memset(pub->acked, 0, sizeof(pub->acked));

    if (consumer_amqp_connect(&pub->amqp, partitions) != 0) {
        goto failed;
    }

    amqp_confirm_select(pub->amqp.conn, CONSUMER_AMQP_CHANNEL);

    if (consumer_amqp_check(&pub->amqp, "asking for confirms",
                            amqp_get_rpc_reply(pub->amqp.conn))
        != 0)
    {
        goto failed;
    }

    return 0;

failed:

    consumer_amqp_drop(&pub->amqp);

    return -1;
}


void
consumer_publisher_close(consumer_publisher_t *pub)
{
    consumer_amqp_close(&pub->amqp);
}


unsigned
consumer_publisher_room(consumer_publisher_t *pub)
{
    if (pub->amqp.blocked) {
        return 0;
    }

    return CONSUMER_PUBLISHER_WINDOW
           - (unsigned) (pub->published - pub->confirmed);
}


int
consumer_publisher_send(consumer_publisher_t *pub, const char *exchange,
    const char *key, int mandatory, amqp_basic_properties_t *properties,
    const char *body)
{
    return consumer_publisher_forward(pub, amqp_cstring_bytes(exchange),
                                      consumer_publisher_short(key), mandatory,
                                      properties, amqp_cstring_bytes(body));
}


int
consumer_publisher_forward(consumer_publisher_t *pub, amqp_bytes_t exchange,
    amqp_bytes_t key, int mandatory, amqp_basic_properties_t *properties,
    amqp_bytes_t body)
{
    int  rc;

    if (consumer_publisher_lost(pub)) {
        return -1;
    }

    properties->delivery_mode = AMQP_DELIVERY_PERSISTENT;
    properties->_flags |= AMQP_BASIC_DELIVERY_MODE_FLAG;

    rc = amqp_basic_publish(pub->amqp.conn, CONSUMER_AMQP_CHANNEL, exchange,
                            key, mandatory, 0, properties, body);

    if (consumer_amqp_status(&pub->amqp, "publishing", rc) != 0) {
        return -1;
    }

    pub->published++;

    return 0;
}


void
consumer_publisher_begin(consumer_publisher_t *pub)
{
    consumer_publisher_cork(pub, 1);
}


void
consumer_publisher_end(consumer_publisher_t *pub)
{
    consumer_publisher_cork(pub, 0);
}


/* Where it fails, packets are smaller. */

static void
consumer_publisher_cork(consumer_publisher_t *pub, int on)
{
    if (pub->amqp.conn) {
        (void) setsockopt(consumer_amqp_socket(&pub->amqp), IPPROTO_TCP,
                          TCP_CORK, &on, sizeof(on));
    }
}


int
consumer_publisher_read(consumer_publisher_t *pub)
{
    int             rc;
    amqp_frame_t    frame;
    struct timeval  none = { 0, 0 };

    if (consumer_publisher_lost(pub)) {
        return -1;
    }

    for ( ;; ) {
        amqp_maybe_release_buffers(pub->amqp.conn);

        rc = amqp_simple_wait_frame_noblock(pub->amqp.conn, &frame, &none);

        if (rc == AMQP_STATUS_TIMEOUT) {
            return 0;
        }

        if (consumer_amqp_status(&pub->amqp, "waiting for confirms", rc) != 0
            || consumer_publisher_frame(pub, &frame) != 0)
        {
            return -1;
        }
    }
}


int
consumer_publisher_flush(consumer_publisher_t *pub, unsigned msec)
{
    uint64_t       end;
    unsigned       left;
    struct pollfd  fd;

    end = consumer_now() + msec;

    for ( ;; ) {
        if (consumer_publisher_read(pub) != 0) {
            return -1;
        }

        if (pub->confirmed == pub->published) {
            return 0;
        }

        left = consumer_until(end, msec);
        if (left == 0) {
            return consumer_amqp_status(&pub->amqp, "waiting for confirms",
                                        AMQP_STATUS_TIMEOUT);
        }

        fd.fd = consumer_amqp_socket(&pub->amqp);
        fd.events = POLLIN;

        consumer_wait(&fd, 1, (left < 1000) ? left : 1000);
    }
}


amqp_bytes_t
consumer_publisher_short(const char *text)
{
    amqp_bytes_t  bytes;

    bytes = amqp_cstring_bytes(text);

    if (bytes.len > 255) {
        bytes.len = 255;

        /* not in the middle of a character */

        while (((unsigned char) text[bytes.len] & 0xc0) == 0x80) {
            bytes.len--;
        }
    }

    return bytes;
}


/* The connection may have been dropped while somebody else was waited for. */

static int
consumer_publisher_lost(consumer_publisher_t *pub)
{
    if (pub->amqp.conn) {
        return 0;
    }

    snprintf(pub->amqp.error, sizeof(pub->amqp.error), "connection lost");

    return 1;
}


static int
consumer_publisher_frame(consumer_publisher_t *pub, const amqp_frame_t *frame)
{
    if (frame->frame_type == AMQP_FRAME_METHOD) {

        switch (frame->payload.method.id) {

        case AMQP_BASIC_ACK_METHOD:
            return consumer_publisher_acked(pub,
                                            frame->payload.method.decoded);

        case AMQP_BASIC_NACK_METHOD:
            snprintf(pub->amqp.error, sizeof(pub->amqp.error),
                     "a message was not taken");
            return -1;

        case AMQP_BASIC_RETURN_METHOD:
            return consumer_publisher_returned(pub,
                                               frame->payload.method.decoded);
        }
    }

    return consumer_amqp_frame(&pub->amqp, frame);
}


static int
consumer_publisher_acked(consumer_publisher_t *pub,
    const amqp_basic_ack_t *ack)
{
    uint64_t  tag;

    tag = ack->delivery_tag;

    if (tag <= pub->confirmed || tag > pub->published) {
        return 0;
    }

    if (ack->multiple) {
        while (pub->confirmed < tag) {
            pub->acked[++pub->confirmed % CONSUMER_PUBLISHER_WINDOW] = 0;
        }

    } else {
        pub->acked[tag % CONSUMER_PUBLISHER_WINDOW] = 1;
    }

    while (pub->acked[(pub->confirmed + 1) % CONSUMER_PUBLISHER_WINDOW]) {
        pub->acked[++pub->confirmed % CONSUMER_PUBLISHER_WINDOW] = 0;
    }

    return 0;
}


static int
consumer_publisher_returned(consumer_publisher_t *pub,
    const amqp_basic_return_t *returned)
{
    snprintf(pub->amqp.error, sizeof(pub->amqp.error),
             "no queue is bound to \"%.*s\" for \"%.*s\"",
             (int) returned->exchange.len, (char *) returned->exchange.bytes,
             (int) returned->routing_key.len,
             (char *) returned->routing_key.bytes);

    return -1;
}
