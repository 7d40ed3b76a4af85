
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include <amqp_tcp_socket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "cqrs_names.h"
#include "cqrs_partition.h"
#include "cqrs_uuid.h"

#include "bench.h"
#include "bench_amqp.h"


#define BENCH_AMQP_FRAME    131072
#define BENCH_AMQP_TIMEOUT  10             /* s */


static void bench_amqp_check(bench_amqp_t *mq, const char *what);
static amqp_table_entry_t bench_amqp_header(const char *name,
    const char *value);


void
bench_amqp_connect(bench_amqp_t *mq, const char *url, int confirm)
{
    char                        *copy;
    amqp_socket_t               *socket;
    amqp_rpc_reply_t             reply;
    struct amqp_connection_info  info;

    copy = strdup(url);

    if (copy == NULL || amqp_parse_url(copy, &info) != AMQP_STATUS_OK) {
        bench_die("the URL of RabbitMQ is invalid");
    }

    mq->tag = 0;
    mq->conn = amqp_new_connection();
    socket = amqp_tcp_socket_new(mq->conn);

    if (socket == NULL
        || amqp_socket_open(socket, info.host, info.port) != AMQP_STATUS_OK)
    {
        bench_die("cannot connect to RabbitMQ at %s:%d", info.host,
                  info.port);
    }

    reply = amqp_login(mq->conn, info.vhost, 0, BENCH_AMQP_FRAME, 0,
                       AMQP_SASL_METHOD_PLAIN, info.user, info.password);

    if (reply.reply_type != AMQP_RESPONSE_NORMAL) {
        bench_die("RabbitMQ refused the login");
    }

    free(copy);

    (void) amqp_channel_open(mq->conn, BENCH_AMQP_CHANNEL);
    bench_amqp_check(mq, "channel.open");

    if (confirm) {
        (void) amqp_confirm_select(mq->conn, BENCH_AMQP_CHANNEL);
        bench_amqp_check(mq, "confirm.select");
    }
}


void
bench_amqp_close(bench_amqp_t *mq)
{
    (void) amqp_connection_close(mq->conn, AMQP_REPLY_SUCCESS);
    (void) amqp_destroy_connection(mq->conn);
}


static void
bench_amqp_check(bench_amqp_t *mq, const char *what)
{
    amqp_rpc_reply_t  reply;

    reply = amqp_get_rpc_reply(mq->conn);

    if (reply.reply_type != AMQP_RESPONSE_NORMAL) {
        bench_die("RabbitMQ refused %s", what);
    }
}


void
bench_command_init(bench_command_t *cmd, const char *format, long number,
    long partitions)
{
    int              n;
    uint8_t          chance[10];
    cqrs_uuid_t      uuid;
    struct timespec  ts;

    (void) clock_gettime(CLOCK_REALTIME, &ts);

    if (getrandom(chance, sizeof(chance), 0) != (ssize_t) sizeof(chance)) {
        bench_die("no random bytes");
    }

    cqrs_uuid_v7(&uuid, (uint64_t) ts.tv_sec * 1000
                        + (uint64_t) ts.tv_nsec / 1000000, chance);
    cqrs_uuid_format(cmd->id, &uuid);
    cmd->id[CQRS_UUID_TEXT_LEN] = '\0';

    /* the format is the driver's, who gives it one place at most */

    n = snprintf(cmd->stream, sizeof(cmd->stream), format, number);

    if (n < 0 || (size_t) n >= sizeof(cmd->stream)) {
        bench_die("the stream's name is too long: %s", format);
    }

    cmd->partition = cqrs_partition_of(cmd->stream, (size_t) n,
                                       (uint32_t) partitions);
}


void
bench_amqp_publish(bench_amqp_t *mq, const bench_command_t *cmd)
{
    int                      rc;
    char                     key[96];
    amqp_table_entry_t       headers[2];
    amqp_basic_properties_t  props;

    (void) snprintf(key, sizeof(key), "%s.%u", cmd->type, cmd->partition);

    headers[0] = bench_amqp_header(CQRS_HEADER_STREAM, cmd->stream);
    headers[1] = bench_amqp_header(CQRS_HEADER_USER, cmd->user);

    memset(&props, 0, sizeof(props));

    props._flags = AMQP_BASIC_CONTENT_TYPE_FLAG|AMQP_BASIC_HEADERS_FLAG
                   |AMQP_BASIC_DELIVERY_MODE_FLAG|AMQP_BASIC_MESSAGE_ID_FLAG
                   |AMQP_BASIC_TIMESTAMP_FLAG|AMQP_BASIC_TYPE_FLAG;

    props.content_type = amqp_cstring_bytes(CQRS_CONTENT_TYPE_JSON);
    props.headers.num_entries = 2;
    props.headers.entries = headers;
    props.delivery_mode = AMQP_DELIVERY_PERSISTENT;
    props.message_id = amqp_cstring_bytes(cmd->id);
    props.timestamp = (uint64_t) time(NULL);
    props.type = amqp_cstring_bytes(cmd->type);

    rc = amqp_basic_publish(mq->conn, BENCH_AMQP_CHANNEL,
                            amqp_cstring_bytes(CQRS_EXCHANGE_COMMANDS),
                            amqp_cstring_bytes(key), 1, 0, &props,
                            amqp_cstring_bytes(cmd->body));

    if (rc != AMQP_STATUS_OK) {
        bench_die("not published: %s", amqp_error_string2(rc));
    }

    mq->tag++;
}


static amqp_table_entry_t
bench_amqp_header(const char *name, const char *value)
{
    amqp_table_entry_t  entry;

    memset(&entry, 0, sizeof(entry));

    entry.key = amqp_cstring_bytes(name);
    entry.value.kind = AMQP_FIELD_KIND_UTF8;
    entry.value.value.bytes = amqp_cstring_bytes(value);

    return entry;
}


uint64_t
bench_amqp_confirm(bench_amqp_t *mq, int *multiple)
{
    int                rc;
    amqp_frame_t       frame;
    amqp_basic_ack_t  *ack;
    struct timeval     tv = { BENCH_AMQP_TIMEOUT, 0 };

    amqp_maybe_release_buffers(mq->conn);

    rc = amqp_simple_wait_frame_noblock(mq->conn, &frame, &tv);

    if (rc != AMQP_STATUS_OK) {
        bench_die("no confirm: %s", amqp_error_string2(rc));
    }

    if (frame.frame_type != AMQP_FRAME_METHOD
        || frame.payload.method.id != AMQP_BASIC_ACK_METHOD)
    {
        bench_die("RabbitMQ refused a message");
    }

    ack = frame.payload.method.decoded;
    *multiple = ack->multiple;

    return ack->delivery_tag;
}


void
bench_amqp_consume(bench_amqp_t *mq, const char *queue, uint16_t prefetch)
{
    (void) amqp_basic_qos(mq->conn, BENCH_AMQP_CHANNEL, 0, prefetch, 0);
    bench_amqp_check(mq, "basic.qos");

    (void) amqp_basic_consume(mq->conn, BENCH_AMQP_CHANNEL,
                              amqp_cstring_bytes(queue), amqp_empty_bytes,
                              0, 0, 0, amqp_empty_table);
    bench_amqp_check(mq, "basic.consume");
}


void
bench_amqp_deliver(bench_amqp_t *mq)
{
    amqp_envelope_t   envelope;
    amqp_rpc_reply_t  reply;
    struct timeval    tv = { BENCH_AMQP_TIMEOUT, 0 };

    amqp_maybe_release_buffers(mq->conn);

    reply = amqp_consume_message(mq->conn, &envelope, &tv, 0);

    if (reply.reply_type != AMQP_RESPONSE_NORMAL) {
        bench_die("no delivery within %d s", BENCH_AMQP_TIMEOUT);
    }

    (void) amqp_basic_ack(mq->conn, BENCH_AMQP_CHANNEL,
                          envelope.delivery_tag, 0);
    amqp_destroy_envelope(&envelope);
}
