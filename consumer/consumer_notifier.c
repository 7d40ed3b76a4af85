
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "consumer_notifier.h"
#include "consumer_log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


/* Redis that is away is asked seldom: each attempt may cost half a second. */
#define CONSUMER_NOTIFIER_RETRY_MIN  500
#define CONSUMER_NOTIFIER_RETRY_MAX  10000

#define CONSUMER_NOTIFIER_SAVE       5000

/* One who is not the owner looks now and then; the owner may be nobody. */
#define CONSUMER_NOTIFIER_STANDBY    5000

#define CONSUMER_NOTIFIER_STRING(n)   CONSUMER_NOTIFIER_STRING1(n)
#define CONSUMER_NOTIFIER_STRING1(n)  #n


static int consumer_notifier_connect(consumer_notifier_t *n);
static consumer_pg_status_e consumer_notifier_begin(consumer_notifier_t *n);
static consumer_pg_status_e consumer_notifier_forgotten(
    consumer_notifier_t *n);
static consumer_pg_status_e consumer_notifier_foreign(consumer_notifier_t *n,
    int64_t remembered);
static consumer_pg_status_e consumer_notifier_read(consumer_notifier_t *n,
    int64_t after, PGresult **res);
static int consumer_notifier_publish(consumer_notifier_t *n,
    const consumer_notification_t *notifications, size_t count);
static void consumer_notifier_even(consumer_notifier_t *n);
static void consumer_notifier_back(consumer_notifier_t *n);
static void consumer_notifier_away(consumer_notifier_t *n);


void
consumer_notifier_init(consumer_notifier_t *n, consumer_pg_t *pg,
    unsigned partition, const char *url)
{
    memset(n, 0, sizeof(*n));

    consumer_redis_init(&n->redis, url);

    n->pg = pg;
    n->partition = partition;
    n->backoff.min = CONSUMER_NOTIFIER_RETRY_MIN;
    n->backoff.max = CONSUMER_NOTIFIER_RETRY_MAX;
    n->sent = -1;
    n->behind = 1;
}


void
consumer_notifier_cleanup(consumer_notifier_t *n)
{
    consumer_redis_cleanup(&n->redis);
}


consumer_pg_status_e
consumer_notifier_claim(consumer_notifier_t *n, const char *owner)
{
    char                   partition[16];
    PGresult              *res;
    const char            *params[2];
    consumer_pg_status_e   rc;

    snprintf(partition, sizeof(partition), "%u", n->partition);

    params[0] = partition;
    params[1] = owner;

    rc = consumer_pg_query(n->pg,
             "select epoch, position"
             " from cqrs.claim_checkpoint('redis', $1, $2)",
             2, params, &res);

    if (rc != CONSUMER_PG_OK) {
        return rc;
    }

    snprintf(n->epoch, sizeof(n->epoch), "%s", PQgetvalue(res, 0, 0));
    n->saved = consumer_pg_number(res, 0, 1);

    PQclear(res);

    /* what the last owner left is in the store; and ask Redis anew */

    consumer_redis_cleanup(&n->redis);

    n->retry_at = 0;
    n->behind = 1;

    return CONSUMER_PG_OK;
}


void
consumer_notifier_release(consumer_notifier_t *n)
{
    n->epoch[0] = '\0';
    n->behind = 1;
}


void
consumer_notifier_send(consumer_notifier_t *n, const PGresult *res)
{
    int                       row, rows;
    size_t                    count;
    consumer_notification_t   list[CONSUMER_REDIS_CHUNK];

    rows = PQntuples(res);
    count = 0;

    for (row = 0; row < rows && !n->behind; row++) {

        if (PQgetisnull(res, row, 3)) {
            continue;
        }

        if (n->redis.context == NULL) {
            n->behind = 1;
            return;
        }

        list[count].sequence = PQgetvalue(res, row, 3);
        list[count].channel = PQgetvalue(res, row, 4);
        list[count].body = PQgetvalue(res, row, 5);

        if (++count == CONSUMER_REDIS_CHUNK) {
            (void) consumer_notifier_publish(n, list, count);
            count = 0;
        }
    }

    if (count && !n->behind) {
        (void) consumer_notifier_publish(n, list, count);
    }
}


consumer_pg_status_e
consumer_notifier_run(consumer_notifier_t *n)
{
    int                       row, rows;
    PGresult                 *res;
    consumer_pg_status_e      rc;
    consumer_notification_t   list[CONSUMER_REDIS_CHUNK];

    if (consumer_now() >= n->save_at) {
        rc = consumer_notifier_save(n);
        if (rc != CONSUMER_PG_OK) {
            return rc;
        }
    }

    if (!n->behind || consumer_now() < n->retry_at) {
        return CONSUMER_PG_OK;
    }

    if (n->redis.context == NULL) {

        if (consumer_notifier_connect(n) != 0) {
            return CONSUMER_PG_OK;
        }

        rc = consumer_notifier_begin(n);

        if (rc != CONSUMER_PG_OK || n->redis.context == NULL) {
            return rc;
        }
    }

    rc = consumer_notifier_read(n, n->sent, &res);
    if (rc != CONSUMER_PG_OK) {
        return rc;
    }

    rows = PQntuples(res);

    for (row = 0; row < rows; row++) {
        list[row].sequence = PQgetvalue(res, row, 0);
        list[row].channel = PQgetvalue(res, row, 1);
        list[row].body = PQgetvalue(res, row, 2);
    }

    /* less than was asked for is all: nobody else writes here */

    if ((rows == 0 || consumer_notifier_publish(n, list, rows) == 0)
        && rows < CONSUMER_REDIS_CHUNK)
    {
        consumer_notifier_even(n);
    }

    PQclear(res);

    return CONSUMER_PG_OK;
}


static int
consumer_notifier_connect(consumer_notifier_t *n)
{
    if (consumer_redis_connect(&n->redis) != 0) {
        consumer_notifier_away(n);
        return -1;
    }

    n->fresh = 1;

    return 0;
}


/* Finds out where a Redis stands that we have just reached. */

static consumer_pg_status_e
consumer_notifier_begin(consumer_notifier_t *n)
{
    int64_t  remembered;

    if (consumer_redis_sent(&n->redis, n->partition, &remembered) != 0) {
        consumer_notifier_away(n);
        return CONSUMER_PG_OK;
    }

    if (remembered == -1) {
        return consumer_notifier_forgotten(n);
    }

    if (n->epoch[0] && remembered > n->saved) {
        return consumer_notifier_foreign(n, remembered);
    }

    n->sent = remembered;

    return CONSUMER_PG_OK;
}


/*
 * Redis is new, or has lost everything: what we know ourselves is newer than
 * the checkpoint, if we know anything.
 */

static consumer_pg_status_e
consumer_notifier_forgotten(consumer_notifier_t *n)
{
    char                   partition[16];
    PGresult              *res;
    const char            *params[1];
    consumer_pg_status_e   rc;

    snprintf(partition, sizeof(partition), "%u", n->partition);

    params[0] = partition;

    rc = consumer_pg_query(n->pg, "select cqrs.read_checkpoint('redis', $1)",
                           1, params, &res);

    if (rc != CONSUMER_PG_OK) {
        consumer_redis_cleanup(&n->redis);
        return rc;
    }

    if (n->sent < consumer_pg_number(res, 0, 0)) {
        n->sent = consumer_pg_number(res, 0, 0);
    }

    PQclear(res);

    return CONSUMER_PG_OK;
}


/*
 * A sequence that the store never gave out comes from another store, or from
 * the time before this one was restored.  Left alone, Redis would drop all
 * notifications up to it.
 */

static consumer_pg_status_e
consumer_notifier_foreign(consumer_notifier_t *n, int64_t remembered)
{
    int                    known;
    PGresult              *res;
    consumer_pg_status_e   rc;

    rc = consumer_notifier_read(n, remembered - 1, &res);
    if (rc != CONSUMER_PG_OK) {
        consumer_redis_cleanup(&n->redis);
        return rc;
    }

    known = PQntuples(res);

    PQclear(res);

    if (known) {
        n->sent = remembered;
        return CONSUMER_PG_OK;
    }

    consumer_log(CONSUMER_LOG_WARN,
                 "redis remembers notification %" PRId64 " which the store "
                 "does not have, going on from %" PRId64,
                 remembered, n->saved);

    if (consumer_redis_reset(&n->redis, n->partition, n->saved) != 0) {
        consumer_notifier_away(n);
        return CONSUMER_PG_OK;
    }

    n->sent = n->saved;

    return CONSUMER_PG_OK;
}


static consumer_pg_status_e
consumer_notifier_read(consumer_notifier_t *n, int64_t after, PGresult **res)
{
    char         partition[16], position[24];
    const char  *params[2];

    snprintf(partition, sizeof(partition), "%u", n->partition);
    snprintf(position, sizeof(position), "%" PRId64, after);

    params[0] = partition;
    params[1] = position;

    return consumer_pg_query(n->pg,
               "select sequence, channel, body from cqrs.read_notifications"
               "($1, $2, " CONSUMER_NOTIFIER_STRING(CONSUMER_REDIS_CHUNK) ")",
               2, params, res);
}


/* 0: Redis has all of them; -1: it does not, and so we are behind. */

static int
consumer_notifier_publish(consumer_notifier_t *n,
    const consumer_notification_t *list, size_t count)
{
    int64_t  last, sent;

    last = strtoll(list[count - 1].sequence, NULL, 10);

    if (consumer_redis_publish(&n->redis, n->partition, n->sent, list, count,
                               &sent)
        != 0)
    {
        /* an old connection may just have been lost while it was idle */

        if (n->fresh) {
            consumer_notifier_away(n);
        }

        n->behind = 1;
        return -1;
    }

    consumer_notifier_back(n);

    n->sent = sent;

    /* a standby that became the master may have less than we sent */

    if (sent < last) {
        n->behind = 1;
        return -1;
    }

    return 0;
}


/* Redis has all that the store has. */

static void
consumer_notifier_even(consumer_notifier_t *n)
{
    consumer_notifier_back(n);

    if (n->epoch[0]) {
        n->behind = 0;
        return;
    }

    n->retry_at = consumer_now() + CONSUMER_NOTIFIER_STANDBY;
    consumer_redis_cleanup(&n->redis);
}


static void
consumer_notifier_back(consumer_notifier_t *n)
{
    n->fresh = 0;
    n->backoff.delay = 0;

    if (n->away) {
        consumer_log(CONSUMER_LOG_NOTICE, "redis is back");
        n->away = 0;
    }
}


static void
consumer_notifier_away(consumer_notifier_t *n)
{
    if (!n->away) {
        consumer_log(CONSUMER_LOG_ERROR,
                     "redis is away: \"%s\"; notifications are kept until it "
                     "is back", n->redis.error);
        n->away = 1;
    }

    n->behind = 1;
    n->retry_at = consumer_now() + consumer_backoff(&n->backoff);
}


unsigned
consumer_notifier_due(consumer_notifier_t *n, unsigned max)
{
    if (n->behind) {
        max = consumer_until(n->retry_at, max);
    }

    if (n->epoch[0] && n->sent > n->saved) {
        max = consumer_until(n->save_at, max);
    }

    return max;
}


consumer_pg_status_e
consumer_notifier_save(consumer_notifier_t *n)
{
    char                   partition[16], position[24];
    PGresult              *res;
    const char            *params[3];
    consumer_pg_status_e   rc;

    n->save_at = consumer_now() + CONSUMER_NOTIFIER_SAVE;

    if (n->epoch[0] == '\0' || n->sent <= n->saved) {
        return CONSUMER_PG_OK;
    }

    snprintf(partition, sizeof(partition), "%u", n->partition);
    snprintf(position, sizeof(position), "%" PRId64, n->sent);

    params[0] = partition;
    params[1] = n->epoch;
    params[2] = position;

    rc = consumer_pg_query(n->pg,
             "select cqrs.advance_checkpoint('redis', $1, $2, $3)", 3, params,
             &res);

    if (rc != CONSUMER_PG_OK) {
        return rc;
    }

    PQclear(res);

    n->saved = n->sent;

    return CONSUMER_PG_OK;
}
