
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "bench_redis.h"


#define BENCH_MESSAGE_TIME  "\"time\":"


redisContext *
bench_redis_connect(const char *url)
{
    int            port, database;
    char           host[128];
    redisReply    *reply;
    redisContext  *redis;

    if (sscanf(url, "redis://%127[^:/]:%d/%d", host, &port, &database) != 3) {
        bench_die("the URL of Redis is not redis://HOST:PORT/DATABASE");
    }

    redis = redisConnect(host, port);

    if (redis == NULL || redis->err) {
        bench_die("cannot connect to Redis: %s",
                  redis ? redis->errstr : "no memory");
    }

    (void) redisAppendCommand(redis, "SELECT %d", database);
    reply = bench_redis_reply(redis);
    freeReplyObject(reply);

    return redis;
}


redisReply *
bench_redis_reply(redisContext *redis)
{
    void        *p;
    redisReply  *reply;

    if (redisGetReply(redis, &p) != REDIS_OK) {
        bench_die("connection to Redis lost: %s", redis->errstr);
    }

    reply = p;

    if (reply->type == REDIS_REPLY_ERROR) {
        bench_die("Redis refused a command: %s", reply->str);
    }

    return reply;
}


size_t
bench_message(char *buf, uint64_t number)
{
    int  n;

    n = snprintf(buf, BENCH_MESSAGE_MAX,
                 "{\"specversion\": \"1.0\","
                 " \"id\": \"9f1d1b1e-5a0c-8c1d-9d3e-%012" PRIx64 "\","
                 " \"source\": \"/cqrs\","
                 " \"type\": \"cqrs.command.completed\","
                 " \"subject\": \"account-1001\","
                 " " BENCH_MESSAGE_TIME "%" PRIu64 ","
                 " \"datacontenttype\": \"application/json\","
                 " \"data\":"
                 " {\"id\": \"01939d5e-6f1a-7c3b-9d2e-0b6f5a1c7e44\","
                 " \"command\": \"deposit\", \"stream\": \"account-1001\","
                 " \"version\": 3},\"cursor\":\"1764000000130-%" PRIu64 "\"}",
                 number, bench_now(), number);

    return (size_t) n;
}


uint64_t
bench_message_time(const char *text, size_t len)
{
    const char  *p;

    p = memmem(text, len, BENCH_MESSAGE_TIME,
               sizeof(BENCH_MESSAGE_TIME) - 1);

    return p ? strtoull(p + sizeof(BENCH_MESSAGE_TIME) - 1, NULL, 10) : 0;
}
