
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* Expected versions: cqrs.version_conflict() of the store, word for word. */

#ifndef CONSUMER_CONFLICT_H
#define CONSUMER_CONFLICT_H


#include <jansson.h>
#include <stdint.h>


/*
 * A rejection if a stream at this version (0: none) is not what the command
 * expects, as a new reference; NULL: it is.  What is no expectation at all is
 * for the store to refuse.
 */
json_t *consumer_conflict(const char *expected, int64_t version);


#endif /* CONSUMER_CONFLICT_H */
