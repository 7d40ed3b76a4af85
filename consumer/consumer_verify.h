
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* cqrs-consumer verify. */

#ifndef CONSUMER_VERIFY_H
#define CONSUMER_VERIFY_H


#include "consumer_options.h"


/* Checks the store and says what is wrong; returns the exit status. */
int consumer_verify_run(const consumer_options_t *options);


#endif /* CONSUMER_VERIFY_H */
