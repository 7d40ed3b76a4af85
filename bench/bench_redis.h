
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* Redis by hiredis itself, and the notifications that go through it. */

#ifndef BENCH_REDIS_H
#define BENCH_REDIS_H


#include <hiredis/hiredis.h>
#include <stddef.h>
#include <stdint.h>


#define BENCH_MESSAGE_MAX  1024


/* redis://127.0.0.1:PORT/DATABASE; dies when it cannot. */
redisContext *bench_redis_connect(const char *url);

/* A reply, or the end of the program; freeReplyObject() is the caller's. */
redisReply *bench_redis_reply(redisContext *redis);

/*
 * A notification as docs/wire.md has it, of the size one usually has; its
 * "time" is a number, the nanoseconds of when it was made.
 */
size_t bench_message(char *buf, uint64_t number);

/* When the message was made; 0: it is none of ours. */
uint64_t bench_message_time(const char *text, size_t len);


#endif /* BENCH_REDIS_H */
