
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* Memory for each test of a file, given back after it. */

#ifndef ARENA_H
#define ARENA_H


#include "cqrs_arena.h"


static cqrs_arena_t  arena;


static int
setup(void **state)
{
    (void) state;

    cqrs_arena_init(&arena, 65536);

    return 0;
}


static int
teardown(void **state)
{
    (void) state;

    cqrs_arena_cleanup(&arena);

    return 0;
}


#endif /* ARENA_H */
