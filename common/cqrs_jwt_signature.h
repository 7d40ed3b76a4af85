
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* Signatures of the algorithms that libjwt does not have. */

#ifndef CQRS_JWT_SIGNATURE_H
#define CQRS_JWT_SIGNATURE_H


#include "cqrs_jwt_key.h"


/*
 * 1 if the token's signature is one of the key, which has a pkey.  The token
 * has three parts, none of them empty, of at most CQRS_JWT_MAX bytes in all.
 */
int cqrs_jwt_signature_fits(const cqrs_jwt_key_t *key, const char *token);


#endif /* CQRS_JWT_SIGNATURE_H */
