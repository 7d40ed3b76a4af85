
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* base64url without padding, as tokens and keys have it: RFC 7515. */

#ifndef CQRS_BASE64_H
#define CQRS_BASE64_H


#include <stddef.h>


/* What so many characters may make at most. */
#define CQRS_BASE64_DECODED_MAX(len)  ((len) / 4 * 3 + 3)


/* 0 and the number of bytes, or -1: it is something else. */
int cqrs_base64url_decode(unsigned char *to, size_t *n, const char *text,
    size_t len);


#endif /* CQRS_BASE64_H */
