
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* cqrs-consumer run. */

#ifndef CONSUMER_MASTER_H
#define CONSUMER_MASTER_H


#include "consumer_options.h"


/* Runs the daemon until it is told to leave; returns its exit status. */
int consumer_master_run(const consumer_options_t *options);


#endif /* CONSUMER_MASTER_H */
