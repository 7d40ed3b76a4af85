
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Whether a statement ends the server process that executes it.
 *
 * A connection that is lost while a statement runs says nothing: Postgres may
 * have been restarted, the network may have failed, another session may have
 * crashed.  So nobody is blamed for a loss, but for a row of them, without a
 * single answer in between, and each is counted only when the store was found
 * in order afterwards.  What counts most is whether the server outlived it:
 *
 *  - It did: somebody ended this session alone, or it crashed.  To be a mere
 *    victim, a statement would have to be hit by chance every time, within the
 *    milliseconds that it takes; three in a row are believed.
 *
 *  - It did not: it was stopped, or killed, perhaps again and again, and all
 *    that was running went with it.  That blames a statement only because
 *    there are servers that do not survive a crash of one session; and only
 *    after so many in a row that it can't be chance even where Postgres is
 *    killed for fun.
 *
 *  - Postgres said that another session had crashed: then nobody is counted
 *    here, for the culprit itself is never told so.
 */

#ifndef CONSUMER_SUSPECT_H
#define CONSUMER_SUSPECT_H


#include "consumer_pg.h"


typedef struct {
    char       server[48];         /* when it was started; empty: not known */
    unsigned   survived;           /* losses in a row that it outlived */
    unsigned   restarted;          /* and those that it did not */
    unsigned   pending:1;          /* a loss that was not counted yet */
} consumer_suspect_t;


/* After each statement that was executed in vain. */
void consumer_suspect_lost(consumer_suspect_t *s, const consumer_pg_t *pg);

/* Counts what is pending; to be called when the store is in order again. */
consumer_pg_status_e consumer_suspect_count(consumer_suspect_t *s,
    consumer_pg_t *pg);

/* After an answer of any kind, and for another statement. */
void consumer_suspect_clear(consumer_suspect_t *s);

/* How often it did so if it is to be believed, else 0. */
unsigned consumer_suspect_guilty(const consumer_suspect_t *s);


#endif /* CONSUMER_SUSPECT_H */
