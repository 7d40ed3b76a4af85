
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "consumer_amqp.h"
#include "consumer_topology.h"

#include <amqp_framing.h>
#include <amqp_tcp_socket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>


#define CONSUMER_AMQP_CONNECT_SEC  3
#define CONSUMER_AMQP_RPC_SEC      10
#define CONSUMER_AMQP_FRAME_MAX    131072

/* The broker gives a connection up that is silent for twice as long. */
#define CONSUMER_AMQP_HEARTBEAT    5

#define CONSUMER_AMQP_ENTRY(k, v)                                             \
    { { sizeof(k) - 1, (void *) (k) }, v }
#define CONSUMER_AMQP_TEXT(s)                                                 \
    { AMQP_FIELD_KIND_UTF8, { .bytes = amqp_cstring_bytes(s) } }
#define CONSUMER_AMQP_N(a)  (int) (sizeof(a) / sizeof(a[0]))
#define CONSUMER_AMQP_TRUE                                                    \
    { AMQP_FIELD_KIND_BOOLEAN, { .boolean = 1 } }


static int consumer_amqp_open(consumer_amqp_t *amqp,
    const struct amqp_connection_info *info);
static void consumer_amqp_name(consumer_amqp_t *amqp,
    const struct amqp_connection_info *info);
static int consumer_amqp_login(consumer_amqp_t *amqp,
    const struct amqp_connection_info *info);
static int consumer_amqp_fail(consumer_amqp_t *amqp, const char *what,
    const char *why, size_t len);


const char *
consumer_amqp_check_url(const char *url)
{
    int                          rc;
    char                        *copy;
    struct amqp_connection_info  info;

    copy = strdup(url);
    if (copy == NULL) {
        return "no memory";
    }

    rc = amqp_parse_url(copy, &info);

    free(copy);

    if (rc != AMQP_STATUS_OK) {
        return "it is not like amqp://user:password@host:port/vhost";
    }

    if (info.ssl) {
        return "amqps is not supported";
    }

    return NULL;
}


void
consumer_amqp_init(consumer_amqp_t *amqp, const consumer_options_t *options,
    const char *name)
{
    memset(amqp, 0, sizeof(*amqp));

    amqp->options = options;
    amqp->name = name;
}


int
consumer_amqp_connect(consumer_amqp_t *amqp, unsigned partitions)
{
    int                          rc;
    char                        *url;
    struct amqp_connection_info  info;

    /* the parser cuts the string to pieces, and info points into them */

    url = strdup(amqp->options->rabbitmq[amqp->next]);
    if (url == NULL) {
        return consumer_amqp_fail(amqp, "connecting", "no memory", 9);
    }

    amqp->next = (amqp->next + 1) % amqp->options->nrabbitmq;

    amqp_parse_url(url, &info);

    rc = consumer_amqp_open(amqp, &info);

    if (rc == 0) {
        rc = consumer_topology_declare(amqp, partitions);
    }

    if (rc != 0) {
        consumer_amqp_name(amqp, &info);
    }

    free(url);

    return rc;
}


/* Of several brokers it matters which one. */

static void
consumer_amqp_name(consumer_amqp_t *amqp,
    const struct amqp_connection_info *info)
{
    char  why[sizeof(amqp->error)];

    memcpy(why, amqp->error, sizeof(why));

    snprintf(amqp->error, sizeof(amqp->error), "%.64s:%d: %.160s", info->host,
             info->port, why);
}


static int
consumer_amqp_open(consumer_amqp_t *amqp,
    const struct amqp_connection_info *info)
{
    int              rc;
    amqp_socket_t   *socket;
    struct timeval   connect = { CONSUMER_AMQP_CONNECT_SEC, 0 };
    struct timeval   rpc = { CONSUMER_AMQP_RPC_SEC, 0 };

    consumer_amqp_drop(amqp);

    amqp->conn = amqp_new_connection();
    if (amqp->conn == NULL) {
        return consumer_amqp_fail(amqp, "connecting", "no memory", 9);
    }

    socket = amqp_tcp_socket_new(amqp->conn);
    if (socket == NULL) {
        return consumer_amqp_fail(amqp, "connecting", "no memory", 9);
    }

    amqp_set_handshake_timeout(amqp->conn, &connect);
    amqp_set_rpc_timeout(amqp->conn, &rpc);

    rc = amqp_socket_open_noblock(socket, info->host, info->port, &connect);

    if (rc != AMQP_STATUS_OK) {
        return consumer_amqp_status(amqp, "connecting", rc);
    }

    return consumer_amqp_login(amqp, info);
}


static int
consumer_amqp_login(consumer_amqp_t *amqp,
    const struct amqp_connection_info *info)
{
    const char          *vhost;
    amqp_rpc_reply_t     reply;

    amqp_table_entry_t   able[] = {
        CONSUMER_AMQP_ENTRY("consumer_cancel_notify", CONSUMER_AMQP_TRUE),
        CONSUMER_AMQP_ENTRY("connection.blocked", CONSUMER_AMQP_TRUE),
        CONSUMER_AMQP_ENTRY("publisher_confirms", CONSUMER_AMQP_TRUE),
        CONSUMER_AMQP_ENTRY("basic.nack", CONSUMER_AMQP_TRUE),
        CONSUMER_AMQP_ENTRY("authentication_failure_close", CONSUMER_AMQP_TRUE)
    };
    amqp_table_t         capabilities = { CONSUMER_AMQP_N(able), able };

    amqp_table_entry_t   about[] = {
        CONSUMER_AMQP_ENTRY("product", CONSUMER_AMQP_TEXT("cqrs-consumer")),
        CONSUMER_AMQP_ENTRY("connection_name", CONSUMER_AMQP_TEXT(amqp->name)),
        { amqp_cstring_bytes("capabilities"),
          { AMQP_FIELD_KIND_TABLE, { .table = capabilities } } }
    };
    amqp_table_t         properties = { CONSUMER_AMQP_N(about), about };

    /* "amqp://host/" means the default, as people write it */

    vhost = (info->vhost[0] != '\0') ? info->vhost : "/";

    reply = amqp_login_with_properties(amqp->conn, vhost, 0,
                                       CONSUMER_AMQP_FRAME_MAX,
                                       CONSUMER_AMQP_HEARTBEAT, &properties,
                                       AMQP_SASL_METHOD_PLAIN, info->user,
                                       info->password);

    if (consumer_amqp_check(amqp, "logging in", reply) != 0) {
        return -1;
    }

    amqp_channel_open(amqp->conn, CONSUMER_AMQP_CHANNEL);

    return consumer_amqp_check(amqp, "opening a channel",
                               amqp_get_rpc_reply(amqp->conn));
}


void
consumer_amqp_close(consumer_amqp_t *amqp)
{
    struct timeval  soon = { 1, 0 };

    if (amqp->conn) {
        amqp_set_rpc_timeout(amqp->conn, &soon);
        amqp_connection_close(amqp->conn, AMQP_REPLY_SUCCESS);
    }

    consumer_amqp_drop(amqp);
}


void
consumer_amqp_drop(consumer_amqp_t *amqp)
{
    if (amqp->conn) {
        amqp_destroy_connection(amqp->conn);
        amqp->conn = NULL;
    }

    amqp->blocked = 0;
}


int
consumer_amqp_consume(consumer_amqp_t *amqp, const char *queue,
    unsigned prefetch)
{
    amqp_basic_qos(amqp->conn, CONSUMER_AMQP_CHANNEL, 0, (uint16_t) prefetch,
                   0);

    if (consumer_amqp_check(amqp, "setting the prefetch",
                            amqp_get_rpc_reply(amqp->conn))
        != 0)
    {
        return -1;
    }

    amqp_basic_consume(amqp->conn, CONSUMER_AMQP_CHANNEL,
                       amqp_cstring_bytes(queue), amqp_empty_bytes, 0, 0, 0,
                       amqp_empty_table);

    return consumer_amqp_check(amqp, "consuming",
                               amqp_get_rpc_reply(amqp->conn));
}


int
consumer_amqp_receive(consumer_amqp_t *amqp, amqp_envelope_t *envelope)
{
    int               rc;
    amqp_frame_t      frame;
    struct timeval    none = { 0, 0 };
    amqp_rpc_reply_t  reply;

    for ( ;; ) {
        amqp_maybe_release_buffers(amqp->conn);

        reply = amqp_consume_message(amqp->conn, envelope, &none, 0);

        if (reply.reply_type == AMQP_RESPONSE_NORMAL) {
            return 1;
        }

        if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION
            && reply.library_error == AMQP_STATUS_TIMEOUT)
        {
            return 0;
        }

        if (reply.reply_type != AMQP_RESPONSE_LIBRARY_EXCEPTION
            || reply.library_error != AMQP_STATUS_UNEXPECTED_STATE)
        {
            return consumer_amqp_check(amqp, "receiving", reply);
        }

        /* some other frame came first */

        rc = amqp_simple_wait_frame_noblock(amqp->conn, &frame, &none);

        if (rc == AMQP_STATUS_TIMEOUT) {
            return 0;
        }

        if (consumer_amqp_status(amqp, "receiving", rc) != 0
            || consumer_amqp_frame(amqp, &frame) != 0)
        {
            return -1;
        }
    }
}


int
consumer_amqp_ack(consumer_amqp_t *amqp, uint64_t tag)
{
    return consumer_amqp_status(amqp, "acknowledging",
               amqp_basic_ack(amqp->conn, CONSUMER_AMQP_CHANNEL, tag, 1));
}


int
consumer_amqp_reject(consumer_amqp_t *amqp, uint64_t tag)
{
    return consumer_amqp_status(amqp, "rejecting",
               amqp_basic_reject(amqp->conn, CONSUMER_AMQP_CHANNEL, tag, 0));
}


int
consumer_amqp_buffered(consumer_amqp_t *amqp)
{
    return amqp_frames_enqueued(amqp->conn) || amqp_data_in_buffer(amqp->conn);
}


int
consumer_amqp_socket(consumer_amqp_t *amqp)
{
    return amqp_get_sockfd(amqp->conn);
}


int
consumer_amqp_frame(consumer_amqp_t *amqp, const amqp_frame_t *frame)
{
    amqp_channel_close_t     *channel;
    amqp_connection_close_t  *connection;

    if (frame->frame_type != AMQP_FRAME_METHOD) {
        return 0;
    }

    switch (frame->payload.method.id) {

    case AMQP_CONNECTION_BLOCKED_METHOD:
        amqp->blocked = 1;
        consumer_log(CONSUMER_LOG_WARN,
                     "rabbitmq takes no messages for now, it is short of "
                     "memory or disk");
        return 0;

    case AMQP_CONNECTION_UNBLOCKED_METHOD:
        amqp->blocked = 0;
        consumer_log(CONSUMER_LOG_NOTICE, "rabbitmq takes messages again");
        return 0;

    case AMQP_CHANNEL_CLOSE_METHOD:
        channel = frame->payload.method.decoded;
        return consumer_amqp_fail(amqp, "channel closed",
                                  channel->reply_text.bytes,
                                  channel->reply_text.len);

    case AMQP_CONNECTION_CLOSE_METHOD:
        connection = frame->payload.method.decoded;
        return consumer_amqp_fail(amqp, "connection closed",
                                  connection->reply_text.bytes,
                                  connection->reply_text.len);

    case AMQP_BASIC_CANCEL_METHOD:
        return consumer_amqp_fail(amqp, "consumer cancelled", NULL, 0);

    default:
        return 0;
    }
}


int
consumer_amqp_check(consumer_amqp_t *amqp, const char *what,
    amqp_rpc_reply_t reply)
{
    amqp_frame_t  frame;

    switch (reply.reply_type) {

    case AMQP_RESPONSE_NORMAL:
        return 0;

    case AMQP_RESPONSE_LIBRARY_EXCEPTION:
        return consumer_amqp_status(amqp, what, reply.library_error);

    case AMQP_RESPONSE_SERVER_EXCEPTION:
        frame.frame_type = AMQP_FRAME_METHOD;
        frame.payload.method = reply.reply;

        if (consumer_amqp_frame(amqp, &frame) == -1) {
            return -1;
        }

        return consumer_amqp_fail(amqp, what, NULL, 0);

    default:
        return consumer_amqp_fail(amqp, what, NULL, 0);
    }
}


int
consumer_amqp_status(consumer_amqp_t *amqp, const char *what, int status)
{
    const char  *why;

    if (status >= AMQP_STATUS_OK) {
        return 0;
    }

    why = amqp_error_string2(status);

    return consumer_amqp_fail(amqp, what, why, strlen(why));
}


static int
consumer_amqp_fail(consumer_amqp_t *amqp, const char *what, const char *why,
    size_t len)
{
    if (len) {
        snprintf(amqp->error, sizeof(amqp->error), "%s: \"%.*s\"", what,
                 (int) len, why);

    } else {
        snprintf(amqp->error, sizeof(amqp->error), "%s", what);
    }

    return -1;
}
