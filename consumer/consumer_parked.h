
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * cqrs-consumer parked: looks through the commands that failed by themselves,
 * and those that wait behind them.
 *
 * What is to be done with one is written down in the store; the daemon that
 * owns the partition does it, in the order of the stream.
 */

#ifndef CONSUMER_PARKED_H
#define CONSUMER_PARKED_H


#include "consumer_options.h"


int consumer_parked_list(const consumer_options_t *options);

/* The word is an id. */
int consumer_parked_show(const consumer_options_t *options);
int consumer_parked_discard(const consumer_options_t *options);

/* The word is a stream or an id, which stands for its stream. */
int consumer_parked_retry(const consumer_options_t *options);


#endif /* CONSUMER_PARKED_H */
