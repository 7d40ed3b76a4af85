
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Hands notifications to Redis, by a script that takes each only once.
 *
 * Every call ends within CONSUMER_REDIS_MSEC, whatever Redis does: commands
 * are not to wait for it.  Functions return 0, or -1 with redis->error; then
 * the connection is closed, and a later call tries again.
 */

#ifndef CONSUMER_REDIS_H
#define CONSUMER_REDIS_H


#include <hiredis/hiredis.h>
#include <stdint.h>


#define CONSUMER_REDIS_MSEC       500

/* So many notifications at most go in one call. */
#define CONSUMER_REDIS_CHUNK      500


typedef struct {
    const char    *sequence;       /* a number, as the store wrote it */
    const char    *channel;
    const char    *body;           /* a JSON object */
} consumer_notification_t;


typedef struct {
    redisContext  *context;
    const char    *url;
    char           digest[41];     /* the script's name in Redis */
    char           error[160];
} consumer_redis_t;


/* NULL, or what is wrong with the address. */
const char *consumer_redis_check_url(const char *url);

void consumer_redis_init(consumer_redis_t *redis, const char *url);
void consumer_redis_cleanup(consumer_redis_t *redis);

int consumer_redis_connect(consumer_redis_t *redis);

/* The last sequence that Redis has of the partition; -1 if it knows none. */
int consumer_redis_sent(consumer_redis_t *redis, unsigned partition,
    int64_t *sent);

/* Sets it, where Redis remembers another store. */
int consumer_redis_reset(consumer_redis_t *redis, unsigned partition,
    int64_t sent);

/*
 * Publishes those that Redis does not have yet.  They have to be all there are
 * between previous and the last of them: if Redis has less than previous, it
 * takes none.  sent becomes the last sequence that Redis has now.
 */
int consumer_redis_publish(consumer_redis_t *redis, unsigned partition,
    int64_t previous, const consumer_notification_t *notifications, size_t n,
    int64_t *sent);


#endif /* CONSUMER_REDIS_H */
