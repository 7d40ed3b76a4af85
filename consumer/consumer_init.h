
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* cqrs-consumer init. */

#ifndef CONSUMER_INIT_H
#define CONSUMER_INIT_H


#include "consumer_options.h"


/* sql/install.sql and what it includes, made by tools/embed-sql. */
extern const char  consumer_sql[];


/* Installs the event store, again without harm; returns the exit status. */
int consumer_init_run(const consumer_options_t *options);


#endif /* CONSUMER_INIT_H */
