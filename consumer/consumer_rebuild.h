
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* cqrs-consumer rebuild. */

#ifndef CONSUMER_REBUILD_H
#define CONSUMER_REBUILD_H


#include "consumer_options.h"


/* Builds the projection that is named anew; returns the exit status. */
int consumer_rebuild_run(const consumer_options_t *options);
int consumer_rebuild_projection(const consumer_options_t *options,
    const char *name);


#endif /* CONSUMER_REBUILD_H */
