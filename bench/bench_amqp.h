
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* Commands to RabbitMQ by librabbitmq itself, as docs/wire.md has them. */

#ifndef BENCH_AMQP_H
#define BENCH_AMQP_H


#include <amqp.h>


#define BENCH_AMQP_CHANNEL  1


typedef struct {
    amqp_connection_state_t  conn;
    uint64_t                 tag;          /* of the last publish */
} bench_amqp_t;


typedef struct {
    char                     id[37];
    char                     stream[64];
    uint32_t                 partition;
    const char              *type;
    const char              *user;
    const char              *body;
} bench_command_t;


/* Connects and opens the channel, in confirm mode if asked. */
void bench_amqp_connect(bench_amqp_t *mq, const char *url, int confirm);

void bench_amqp_close(bench_amqp_t *mq);

/* A new id, and the stream that format and number name, in its partition. */
void bench_command_init(bench_command_t *cmd, const char *format, long number,
    long partitions);

void bench_amqp_publish(bench_amqp_t *mq, const bench_command_t *cmd);

/*
 * Waits for the next confirm and returns its delivery tag; multiple: it stands
 * for all before it too.  A return or a nack ends the program.
 */
uint64_t bench_amqp_confirm(bench_amqp_t *mq, int *multiple);

/* Takes messages of a queue, at most prefetch unacknowledged. */
void bench_amqp_consume(bench_amqp_t *mq, const char *queue,
    uint16_t prefetch);

/* Waits for a delivery and acknowledges it. */
void bench_amqp_deliver(bench_amqp_t *mq);


#endif /* BENCH_AMQP_H */
