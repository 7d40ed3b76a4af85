
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "ngx_cqrs_random.h"

#include <openssl/rand.h>


#define NGX_CQRS_RANDOM_STOCK  1024


ngx_int_t
ngx_cqrs_random(u_char *to, size_t n)
{
    static u_char     stock[NGX_CQRS_RANDOM_STOCK];
    static size_t     left;
    static ngx_pid_t  owner;

    /* no two processes may go on with the same */

    if (left < n || owner != ngx_pid) {
        if (RAND_bytes(stock, NGX_CQRS_RANDOM_STOCK) != 1) {
            return NGX_ERROR;
        }

        left = NGX_CQRS_RANDOM_STOCK;
        owner = ngx_pid;
    }

    left -= n;

    ngx_memcpy(to, &stock[left], n);
    ngx_explicit_memzero(&stock[left], n);

    return NGX_OK;
}
