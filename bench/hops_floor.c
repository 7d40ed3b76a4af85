
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * hops_floor: the way of a command by the bare client libraries, one hop after
 * the other: publish and confirm, delivery, one transaction, Redis to its
 * subscriber.
 *
 *   hops_floor -a AMQP-URL -q QUEUE -d CONNINFO -e REDIS-URL
 *              -s STREAM -P PARTITIONS -y TYPE -i USER -b BODY -t SECONDS
 */

#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "bench_amqp.h"
#include "bench_redis.h"
#include "bench_store.h"


#define HOPS_FLOOR_CHANNEL  "bench:hops"


typedef struct {
    const char       *amqp;
    const char       *queue;
    const char       *conninfo;
    const char       *url;
    const char       *stream;
    long              partitions;
    long              seconds;
    bench_command_t   command;

    bench_amqp_t      publisher;
    bench_amqp_t      consumer;
    bench_store_t     store;
    redisContext     *redis;
    redisContext     *subscriber;

    bench_samples_t   confirm;
    bench_samples_t   deliver;
    bench_samples_t   execute;
    bench_samples_t   publish;
    bench_samples_t   sum;
} hops_floor_t;


static void hops_floor_connect(hops_floor_t *floor);
static void hops_floor_once(hops_floor_t *floor);
static void hops_floor_redis(hops_floor_t *floor);
static void hops_floor_options(hops_floor_t *floor, int argc, char **argv);


int
main(int argc, char **argv)
{
    uint64_t      start, spent, end;
    hops_floor_t  floor;

    memset(&floor, 0, sizeof(floor));
    hops_floor_options(&floor, argc, argv);
    hops_floor_connect(&floor);

    bench_ready();

    start = bench_now();
    end = start + (uint64_t) floor.seconds * 1000000000;

    while (bench_now() < end) {
        hops_floor_once(&floor);
    }

    spent = bench_now() - start;

    bench_number("count", (double) floor.sum.count);
    bench_number("seconds", (double) spent / 1e9);
    bench_latency("confirm", &floor.confirm);
    bench_latency("deliver", &floor.deliver);
    bench_latency("execute", &floor.execute);
    bench_latency("publish", &floor.publish);
    bench_latency("sum", &floor.sum);
    bench_done();

    bench_amqp_close(&floor.publisher);
    bench_amqp_close(&floor.consumer);
    PQfinish(floor.store.conn);

    return 0;
}


static void
hops_floor_connect(hops_floor_t *floor)
{
    redisReply  *reply;

    bench_command_init(&floor->command, floor->stream, 1, floor->partitions);

    bench_amqp_connect(&floor->publisher, floor->amqp, 1);
    bench_amqp_connect(&floor->consumer, floor->amqp, 0);
    bench_amqp_consume(&floor->consumer, floor->queue, 1);

    bench_store_connect(&floor->store, floor->conninfo,
                        floor->command.partition, 1);

    floor->redis = bench_redis_connect(floor->url);
    floor->subscriber = bench_redis_connect(floor->url);

    (void) redisAppendCommand(floor->subscriber,
                              "SUBSCRIBE " HOPS_FLOOR_CHANNEL);
    reply = bench_redis_reply(floor->subscriber);
    freeReplyObject(reply);
}


static void
hops_floor_once(hops_floor_t *floor)
{
    int       multiple;
    uint64_t  start, confirmed, delivered, executed, published;

    bench_command_init(&floor->command, floor->stream, 1, floor->partitions);

    start = bench_now();

    bench_amqp_publish(&floor->publisher, &floor->command);
    (void) bench_amqp_confirm(&floor->publisher, &multiple);

    confirmed = bench_now();

    bench_amqp_deliver(&floor->consumer);

    delivered = bench_now();

    bench_store_begin(&floor->store);
    bench_store_add(&floor->store, &floor->command);
    bench_store_send(&floor->store);
    bench_store_committed(&floor->store, 1);

    executed = bench_now();

    hops_floor_redis(floor);

    published = bench_now();

    bench_sample(&floor->confirm, confirmed - start);
    bench_sample(&floor->deliver, delivered - confirmed);
    bench_sample(&floor->execute, executed - delivered);
    bench_sample(&floor->publish, published - executed);
    bench_sample(&floor->sum, published - start);
}


static void
hops_floor_redis(hops_floor_t *floor)
{
    char         message[BENCH_MESSAGE_MAX];
    size_t       len;
    redisReply  *reply;

    len = bench_message(message, floor->publisher.tag);

    (void) redisAppendCommand(floor->redis, "PUBLISH " HOPS_FLOOR_CHANNEL
                              " %b", message, len);

    reply = bench_redis_reply(floor->redis);
    freeReplyObject(reply);

    reply = bench_redis_reply(floor->subscriber);
    freeReplyObject(reply);
}


static void
hops_floor_options(hops_floor_t *floor, int argc, char **argv)
{
    int  letter;

    floor->partitions = 1;
    floor->seconds = 1;
    floor->command.type = "deposit";
    floor->command.user = "bench";

    while ((letter = getopt(argc, argv, "a:q:d:e:s:P:y:i:b:t:")) != -1) {

        switch (letter) {

        case 'a': floor->amqp = optarg; break;
        case 'q': floor->queue = optarg; break;
        case 'd': floor->conninfo = optarg; break;
        case 'e': floor->url = optarg; break;
        case 's': floor->stream = optarg; break;
        case 'P': floor->partitions = bench_option(letter, optarg, 1); break;
        case 'y': floor->command.type = optarg; break;
        case 'i': floor->command.user = optarg; break;
        case 'b': floor->command.body = optarg; break;
        case 't': floor->seconds = bench_option(letter, optarg, 1); break;

        default:
            bench_die("see the head of its source for the options");
        }
    }

    if (!floor->amqp || !floor->queue || !floor->conninfo || !floor->url
        || !floor->stream || !floor->command.body)
    {
        bench_die("-a, -q, -d, -e, -s and -b are needed");
    }
}
