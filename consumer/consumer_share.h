
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * How daemons share the partitions.
 *
 * A partition's worker tells the store every two seconds that it is there, and
 * hears whether another daemon is to work the partition and waits for it, and
 * whether there are parked commands to take up.  It gives way by closing its
 * connection to RabbitMQ, which then makes the next in line the active one,
 * and by standing in line again behind.
 *
 * Only the wish to share evenly hangs on this.  Who may append is decided by
 * the epoch, and who works by RabbitMQ, so a takeover asks nobody.
 */

#ifndef CONSUMER_SHARE_H
#define CONSUMER_SHARE_H


#include "consumer_pg.h"
#include "consumer_worker.h"


typedef enum {
    CONSUMER_SHARE_NONE = 0,               /* the store knows nothing of us */
    CONSUMER_SHARE_AWAY,                   /* not at the queue */
    CONSUMER_SHARE_WAITS,                  /* at the queue, owns nothing */
    CONSUMER_SHARE_WORKS                   /* owns the partition */
} consumer_share_e;


typedef struct {
    consumer_pg_t     *pg;
    const char        *daemon;
    char               partition[16];

    consumer_share_e   state;              /* what the store was told */
    uint64_t           attend_at;
    uint64_t           keep_until;
    unsigned           failing:1;          /* that it fails was said */
    unsigned           released:1;         /* parked commands are for us */

    char               heir[CONSUMER_NAME_MAX + 1];
} consumer_share_t;


void consumer_share_init(consumer_share_t *share, consumer_pg_t *pg,
    const consumer_worker_t *worker);

/*
 * Tells the store where we are, if the time has come or it is news.  Then heir
 * is the daemon that the partition is to be given up to, or empty; released is
 * set if parked commands are to be taken up, until the caller clears it.  The
 * caller has no statement under way.
 */
consumer_pg_status_e consumer_share_attend(consumer_share_t *share,
    consumer_share_e state);

/* Milliseconds until that is to be called again, at most max. */
unsigned consumer_share_due(consumer_share_t *share, unsigned max);

/* To be called after the partition was given up. */
void consumer_share_given(consumer_share_t *share);

/*
 * Tells the store that we are not at the queue for now; or that we leave for
 * good.  A store that can't be told will notice.
 */
void consumer_share_away(consumer_share_t *share);
void consumer_share_leave(consumer_share_t *share);


#endif /* CONSUMER_SHARE_H */
