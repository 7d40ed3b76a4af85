
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The keys that tokens are checked with: secrets, and public keys in PEM.
 *
 * Algorithm and kind of key belong together: that a public key could pass for
 * an HMAC's secret is the classic way to forge a token.
 */

#ifndef CQRS_JWT_KEY_H
#define CQRS_JWT_KEY_H


#include <jansson.h>
#include <jwt.h>
#include <openssl/evp.h>
#include <stddef.h>


#define CQRS_JWT_ALGS                                                         \
    "HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, "         \
    "ES256, ES384, ES512, EdDSA, Ed25519"

#define CQRS_JWT_ERROR_MAX  256

/* Besides 0 and -1. */
#define CQRS_JWT_KEY_SKIPPED  1


typedef struct {
    const char  *name;
    jwt_alg_t    alg;         /* JWT_ALG_INVAL: libjwt does not have it */
    int          type;        /* of the public key; 0: a secret */
    const char  *curve;       /* as OpenSSL calls it */
    const char  *jwk_curve;   /* as RFC 7518 does */
    const char  *digest;      /* of what libjwt does not have; or NULL */
} cqrs_jwt_alg_t;

typedef struct {
    const cqrs_jwt_alg_t  *alg;
    char                  *kid;     /* NULL: it has none; owned */
    unsigned char         *data;    /* a secret, or PEM; owned */
    size_t                 len;
    EVP_PKEY              *pkey;    /* NULL: libjwt reads data; owned */
} cqrs_jwt_key_t;


/* NULL after a sentence: it is unknown, or not one of ours. */
const cqrs_jwt_alg_t *cqrs_jwt_alg(const char *name,
    char error[CQRS_JWT_ERROR_MAX]);

/*
 * Copies and checks a key.  kid may be NULL.  0, or -1 and a sentence, in
 * which nothing of the key is.
 */
int cqrs_jwt_key_init(cqrs_jwt_key_t *key, const cqrs_jwt_alg_t *alg,
    const char *kid, const void *data, size_t len,
    char error[CQRS_JWT_ERROR_MAX]);
void cqrs_jwt_key_cleanup(cqrs_jwt_key_t *key);

/* A JWK Set, RFC 7517: new, an array of objects; or NULL and a sentence. */
json_t *cqrs_jwt_key_set(const void *text, size_t len,
    char error[CQRS_JWT_ERROR_MAX]);

/*
 * The same for one of it.  CQRS_JWT_KEY_SKIPPED and a sentence: it is for
 * something else.
 */
int cqrs_jwt_key_of_set(cqrs_jwt_key_t *key, const json_t *jwk,
    char error[CQRS_JWT_ERROR_MAX]);


#endif /* CQRS_JWT_KEY_H */
