
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * cqrs-consumer dead: looks through the dead letters.
 *
 * They are taken from the queue and not acknowledged, so that all of them
 * return to it when the connection is closed.  They do so in order because one
 * consumer has them all: what was taken one by one with basic.get comes back
 * in any order when there are more than 32.
 */

#ifndef CONSUMER_DEAD_H
#define CONSUMER_DEAD_H


#include "consumer_options.h"


int consumer_dead_list(const consumer_options_t *options);

/* The word is an id or a place. */
int consumer_dead_show(const consumer_options_t *options);
int consumer_dead_retry(const consumer_options_t *options);
int consumer_dead_discard(const consumer_options_t *options);


#endif /* CONSUMER_DEAD_H */
