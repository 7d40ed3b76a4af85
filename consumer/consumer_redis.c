
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "consumer_redis.h"
#include "cqrs_names.h"

#include <errno.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


typedef struct {
    char   host[256];
    int    port;
    char   user[128];
    char   password[256];
    int    database;
} consumer_redis_address_t;


static int consumer_redis_parse(consumer_redis_address_t *address,
    const char *url);
static int consumer_redis_parse_user(consumer_redis_address_t *address,
    const char *text, size_t len);
static int consumer_redis_unescape(char *dst, size_t size, const char *text,
    size_t len);
static int consumer_redis_login(consumer_redis_t *redis,
    const consumer_redis_address_t *address);
static redisReply *consumer_redis_eval(consumer_redis_t *redis, int argc,
    const char **argv);
static redisReply *consumer_redis_reply(consumer_redis_t *redis,
    redisReply *reply);
static int consumer_redis_lost(consumer_redis_t *redis, const char *why);


/*
 * ARGV: partition, previous sequence, then sequence, channel and body of each.
 *
 * A key that holds something else than a history costs only the history of
 * that channel.  Any other failure, such as no memory, stops before the
 * notification it met; so whatever was published is also remembered.
 */
static const char  consumer_redis_script[] =
    "local sent = redis.call('HGET', '" CQRS_REDIS_SENT "', ARGV[1])\n"
    "if not sent then sent = ARGV[2] end\n"
    "local last = tonumber(sent)\n"
    "if last < tonumber(ARGV[2]) then return sent end\n"
    "local failed\n"
    "for i = 3, #ARGV, 3 do\n"
    "  if tonumber(ARGV[i]) > last then\n"
    "    local channel, body = ARGV[i + 1], ARGV[i + 2]\n"
    "    local key = '" CQRS_REDIS_HISTORY "' .. channel\n"
    "    local id = redis.pcall('XADD', key, 'MAXLEN', '~', '1000', '*',"
                              " 'm', body)\n"
    "    if type(id) == 'string' then\n"
    "      redis.call('EXPIRE', key, '86400')\n"
    "      body = string.sub(body, 1, -2) .. ',\"cursor\":\"' .. id .. '\"}'\n"
    "    elseif not string.find(id.err, '^WRONGTYPE') then\n"
    "      failed = id\n"
    "      break\n"
    "    end\n"
    "    redis.call('PUBLISH', channel, body)\n"
    "    sent, last = ARGV[i], tonumber(ARGV[i])\n"
    "  end\n"
    "end\n"
    "if failed and tonumber(ARGV[2]) == last then return failed end\n"
    "redis.call('HSET', '" CQRS_REDIS_SENT "', ARGV[1], sent)\n"
    "return sent\n";


const char *
consumer_redis_check_url(const char *url)
{
    consumer_redis_address_t  address;

    if (strncmp(url, "rediss://", 9) == 0) {
        return "rediss is not supported";
    }

    if (consumer_redis_parse(&address, url) != 0) {
        return "it is not like redis://user:password@host:port/number";
    }

    return NULL;
}


static int
consumer_redis_parse(consumer_redis_address_t *address, const char *url)
{
    char         *end;
    size_t        len;
    const char   *at, *colon;

    memset(address, 0, sizeof(*address));

    address->port = 6379;

    if (strncmp(url, "redis://", 8) != 0) {
        return -1;
    }

    url += 8;
    len = strcspn(url, "/");

    for (at = url + len; at > url && at[-1] != '@'; at--) { /* void */ }

    if (at > url) {
        if (consumer_redis_parse_user(address, url, at - 1 - url) != 0) {
            return -1;
        }

        len -= at - url;
        url = at;
    }

    colon = memchr(url, ':', len);

    if (colon) {
        address->port = (int) strtol(colon + 1, &end, 10);

        if (end != url + len || address->port < 1 || address->port > 65535) {
            return -1;
        }
    }

    if (consumer_redis_unescape(address->host, sizeof(address->host), url,
                                colon ? (size_t) (colon - url) : len)
        != 0
        || address->host[0] == '\0')
    {
        return -1;
    }

    url += len;

    if (*url == '/' && url[1] != '\0') {
        address->database = (int) strtol(url + 1, &end, 10);

        if (*end != '\0' || address->database < 0) {
            return -1;
        }
    }

    return 0;
}


static int
consumer_redis_parse_user(consumer_redis_address_t *address, const char *text,
    size_t len)
{
    size_t       n;
    const char  *colon;

    colon = memchr(text, ':', len);
    n = colon ? (size_t) (colon - text) : len;

    if (consumer_redis_unescape(address->user, sizeof(address->user), text, n)
        != 0)
    {
        return -1;
    }

    if (colon == NULL) {
        return 0;
    }

    return consumer_redis_unescape(address->password,
                                   sizeof(address->password), colon + 1,
                                   len - n - 1);
}


static int
consumer_redis_unescape(char *dst, size_t size, const char *text, size_t len)
{
    char    hex[3], *end;
    size_t  i, n;

    for (i = 0, n = 0; i < len; i++, n++) {

        if (n + 1 == size) {
            return -1;
        }

        if (text[i] != '%') {
            dst[n] = text[i];
            continue;
        }

        if (len - i < 3) {
            return -1;
        }

        hex[0] = text[++i];
        hex[1] = text[++i];
        hex[2] = '\0';

        dst[n] = (char) strtol(hex, &end, 16);

        if (*end != '\0' || dst[n] == '\0') {
            return -1;
        }
    }

    dst[n] = '\0';

    return 0;
}


void
consumer_redis_init(consumer_redis_t *redis, const char *url)
{
    size_t         i;
    unsigned char  digest[SHA_DIGEST_LENGTH];

    memset(redis, 0, sizeof(*redis));

    redis->url = url;

    SHA1((const unsigned char *) consumer_redis_script,
         sizeof(consumer_redis_script) - 1, digest);

    for (i = 0; i < sizeof(digest); i++) {
        snprintf(redis->digest + 2 * i, 3, "%02x", digest[i]);
    }
}


void
consumer_redis_cleanup(consumer_redis_t *redis)
{
    if (redis->context) {
        redisFree(redis->context);
        redis->context = NULL;
    }
}


int
consumer_redis_connect(consumer_redis_t *redis)
{
    struct timeval            limit = { 0, CONSUMER_REDIS_MSEC * 1000 };
    consumer_redis_address_t  address;

    if (redis->context) {
        return 0;
    }

    if (consumer_redis_parse(&address, redis->url) != 0) {
        return consumer_redis_lost(redis, "invalid address");
    }

    redis->context = redisConnectWithTimeout(address.host, address.port,
                                             limit);

    if (redis->context == NULL) {
        return consumer_redis_lost(redis, "no memory");
    }

    if (redis->context->err) {
        return consumer_redis_lost(redis, redis->context->errstr);
    }

    if (redisSetTimeout(redis->context, limit) != REDIS_OK) {
        return consumer_redis_lost(redis, redis->context->errstr);
    }

    return consumer_redis_login(redis, &address);
}


static int
consumer_redis_login(consumer_redis_t *redis,
    const consumer_redis_address_t *address)
{
    redisReply  *reply;

    if (address->password[0]) {

        if (address->user[0]) {
            reply = redisCommand(redis->context, "AUTH %s %s", address->user,
                                 address->password);
        } else {
            reply = redisCommand(redis->context, "AUTH %s",
                                 address->password);
        }

        reply = consumer_redis_reply(redis, reply);
        if (reply == NULL) {
            return -1;
        }

        freeReplyObject(reply);
    }

    reply = consumer_redis_reply(redis,
                redisCommand(redis->context, "SELECT %d", address->database));
    if (reply == NULL) {
        return -1;
    }

    freeReplyObject(reply);

    return 0;
}


int
consumer_redis_sent(consumer_redis_t *redis, unsigned partition,
    int64_t *sent)
{
    redisReply  *reply;

    reply = consumer_redis_reply(redis,
                redisCommand(redis->context, "HGET " CQRS_REDIS_SENT " %u",
                             partition));
    if (reply == NULL) {
        return -1;
    }

    *sent = (reply->type == REDIS_REPLY_STRING)
            ? strtoll(reply->str, NULL, 10) : -1;

    freeReplyObject(reply);

    return 0;
}


int
consumer_redis_reset(consumer_redis_t *redis, unsigned partition,
    int64_t sent)
{
    redisReply  *reply;

    reply = consumer_redis_reply(redis,
                redisCommand(redis->context,
                             "HSET " CQRS_REDIS_SENT " %u %lld", partition,
                             (long long) sent));
    if (reply == NULL) {
        return -1;
    }

    freeReplyObject(reply);

    return 0;
}


int
consumer_redis_publish(consumer_redis_t *redis, unsigned partition,
    int64_t previous, const consumer_notification_t *notifications, size_t n,
    int64_t *sent)
{
    int           argc;
    char          text[2][24];
    size_t        i;
    redisReply   *reply;
    const char   *argv[5 + 3 * CONSUMER_REDIS_CHUNK];

    snprintf(text[0], sizeof(text[0]), "%u", partition);
    snprintf(text[1], sizeof(text[1]), "%lld", (long long) previous);

    argc = 2;                              /* how and which, set below */

    argv[argc++] = "0";
    argv[argc++] = text[0];
    argv[argc++] = text[1];

    for (i = 0; i < n; i++) {
        argv[argc++] = notifications[i].sequence;
        argv[argc++] = notifications[i].channel;
        argv[argc++] = notifications[i].body;
    }

    reply = consumer_redis_reply(redis,
                                 consumer_redis_eval(redis, argc, argv));
    if (reply == NULL) {
        return -1;
    }

    *sent = reply->str ? strtoll(reply->str, NULL, 10) : previous;

    freeReplyObject(reply);

    return 0;
}


static redisReply *
consumer_redis_eval(consumer_redis_t *redis, int argc, const char **argv)
{
    redisReply  *reply;

    argv[0] = "EVALSHA";
    argv[1] = redis->digest;

    reply = redisCommandArgv(redis->context, argc, argv, NULL);

    if (reply && reply->type == REDIS_REPLY_ERROR
        && strncmp(reply->str, "NOSCRIPT", 8) == 0)
    {
        freeReplyObject(reply);

        /* a Redis that started anew; this loads it too */

        argv[0] = "EVAL";
        argv[1] = consumer_redis_script;

        reply = redisCommandArgv(redis->context, argc, argv, NULL);
    }

    return reply;
}


static redisReply *
consumer_redis_reply(consumer_redis_t *redis, redisReply *reply)
{
    if (reply == NULL) {
        consumer_redis_lost(redis,
                            (errno == EAGAIN) ? "no answer in time"
                                              : redis->context->errstr);
        return NULL;
    }

    if (reply->type == REDIS_REPLY_ERROR) {
        consumer_redis_lost(redis, reply->str);
        freeReplyObject(reply);
        return NULL;
    }

    return reply;
}


static int
consumer_redis_lost(consumer_redis_t *redis, const char *why)
{
    snprintf(redis->error, sizeof(redis->error), "%s", why);

    consumer_redis_cleanup(redis);

    return -1;
}
