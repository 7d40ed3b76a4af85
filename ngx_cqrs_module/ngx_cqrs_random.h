
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Bytes that nobody can guess, many of them at once: OpenSSL takes as long for
 * a thousand as for ten.
 */

#ifndef NGX_CQRS_RANDOM_H
#define NGX_CQRS_RANDOM_H


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_CQRS_RANDOM_MAX  64


/* At most so many; NGX_ERROR: there are none. */
ngx_int_t ngx_cqrs_random(u_char *to, size_t n);


#endif /* NGX_CQRS_RANDOM_H */
