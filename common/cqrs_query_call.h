
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* A call of a function.  For the planner alone. */

#ifndef CQRS_QUERY_CALL_H
#define CQRS_QUERY_CALL_H


#include "cqrs_query_write.h"


/*
 * "select ... from f(...)": its rows, or for a scalar one column pgrst_scalar.
 * Returns 0, or -1 with the error filled in.
 */
int cqrs_query_write_call(cqrs_query_writer_t *w,
    const cqrs_function_t *function, const cqrs_query_t *query);


#endif /* CQRS_QUERY_CALL_H */
