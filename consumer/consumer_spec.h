
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * cqrs-consumer spec FOLDER: tests a domain without a server.
 *
 * Each *.json of the folder is a fixture, or an array of them: given these
 * events, when this command, then these events or this rejection, and perhaps
 * the state afterwards.  The handler of the command's stream is asked, and
 * what it says is written as TAP.
 */

#ifndef CONSUMER_SPEC_H
#define CONSUMER_SPEC_H


#include "consumer_options.h"


/* Returns the exit status: 1 if something is not as a fixture says. */
int consumer_spec_run(const consumer_options_t *options);


#endif /* CONSUMER_SPEC_H */
