
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* The partition of a stream; the same as cqrs.partition_of() in SQL. */

#ifndef CQRS_PARTITION_H
#define CQRS_PARTITION_H


#include <stddef.h>
#include <stdint.h>


/* The stream's name in UTF-8; partitions > 0.  From 0 to partitions - 1. */
uint32_t cqrs_partition_of(const void *stream, size_t len,
    uint32_t partitions);


#endif /* CQRS_PARTITION_H */
