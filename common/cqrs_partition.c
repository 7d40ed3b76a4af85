
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "cqrs_partition.h"

#include <openssl/sha.h>


uint32_t
cqrs_partition_of(const void *stream, size_t len, uint32_t partitions)
{
    uint32_t  n;
    uint8_t   digest[SHA256_DIGEST_LENGTH];

    SHA256(stream, len, digest);

    n = (uint32_t) digest[0] << 24 | (uint32_t) digest[1] << 16
        | (uint32_t) digest[2] << 8 | digest[3];

    return n % partitions;
}
