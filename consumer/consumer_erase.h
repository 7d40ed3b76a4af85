
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* cqrs-consumer erase. */

#ifndef CONSUMER_ERASE_H
#define CONSUMER_ERASE_H


#include "consumer_options.h"


/* Erases what is personal of the subject named; returns the exit status. */
int consumer_erase_run(const consumer_options_t *options);


#endif /* CONSUMER_ERASE_H */
