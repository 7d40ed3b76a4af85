
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "cqrs_jwt_key.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define CQRS_JWT_SECRET_MIN  32
#define CQRS_JWT_RSA_MIN     2048


static int cqrs_jwt_key_check_secret(const cqrs_jwt_key_t *key,
    char error[CQRS_JWT_ERROR_MAX]);
static int cqrs_jwt_key_check_public(cqrs_jwt_key_t *key,
    char error[CQRS_JWT_ERROR_MAX]);
static int cqrs_jwt_key_fits(EVP_PKEY *pkey, const cqrs_jwt_alg_t *alg);
static int cqrs_jwt_key_no_password(char *buf, int size, int rwflag,
    void *data);


static const cqrs_jwt_alg_t  cqrs_jwt_algs[] = {
    { "HS256", JWT_ALG_HS256, 0, NULL, NULL, NULL },
    { "HS384", JWT_ALG_HS384, 0, NULL, NULL, NULL },
    { "HS512", JWT_ALG_HS512, 0, NULL, NULL, NULL },
    { "RS256", JWT_ALG_RS256, EVP_PKEY_RSA, NULL, NULL, NULL },
    { "RS384", JWT_ALG_RS384, EVP_PKEY_RSA, NULL, NULL, NULL },
    { "RS512", JWT_ALG_RS512, EVP_PKEY_RSA, NULL, NULL, NULL },
    { "PS256", JWT_ALG_INVAL, EVP_PKEY_RSA, NULL, NULL, "SHA256" },
    { "PS384", JWT_ALG_INVAL, EVP_PKEY_RSA, NULL, NULL, "SHA384" },
    { "PS512", JWT_ALG_INVAL, EVP_PKEY_RSA, NULL, NULL, "SHA512" },
    { "ES256", JWT_ALG_ES256, EVP_PKEY_EC, "prime256v1", "P-256", NULL },
    { "ES384", JWT_ALG_ES384, EVP_PKEY_EC, "secp384r1", "P-384", NULL },
    { "ES512", JWT_ALG_ES512, EVP_PKEY_EC, "secp521r1", "P-521", NULL },
    { "EdDSA", JWT_ALG_INVAL, EVP_PKEY_ED25519, NULL, "Ed25519", NULL },
    { "Ed25519", JWT_ALG_INVAL, EVP_PKEY_ED25519, NULL, "Ed25519", NULL },
    { NULL, JWT_ALG_INVAL, 0, NULL, NULL, NULL }
};

/* Those that there are beyond them. */

static const char *const  cqrs_jwt_algs_missing[] = {
    "Ed448", "ES256K", NULL
};


const cqrs_jwt_alg_t *
cqrs_jwt_alg(const char *name, char error[CQRS_JWT_ERROR_MAX])
{
    const char *const     *missing;
    const cqrs_jwt_alg_t  *alg;

    for (alg = cqrs_jwt_algs; alg->name; alg++) {
        if (strcmp(alg->name, name) == 0) {
            return alg;
        }
    }

    for (missing = cqrs_jwt_algs_missing; *missing; missing++) {
        if (strcmp(*missing, name) == 0) {
            snprintf(error, CQRS_JWT_ERROR_MAX,
                     "the algorithm \"%s\" is not supported, "
                     "supported are %s", name, CQRS_JWT_ALGS);
            return NULL;
        }
    }

    snprintf(error, CQRS_JWT_ERROR_MAX,
             "unknown algorithm \"%.64s\", known are %s", name, CQRS_JWT_ALGS);

    return NULL;
}


int
cqrs_jwt_key_init(cqrs_jwt_key_t *key, const cqrs_jwt_alg_t *alg,
    const char *kid, const void *data, size_t len,
    char error[CQRS_JWT_ERROR_MAX])
{
    int  rc;

    key->alg = alg;
    key->kid = kid ? strdup(kid) : NULL;
    key->len = len;
    key->pkey = NULL;
    key->data = malloc(len + 1);

    if (key->data == NULL || (kid && key->kid == NULL)) {
        snprintf(error, CQRS_JWT_ERROR_MAX, "there is no memory for a key");
        key->len = 0;
        cqrs_jwt_key_cleanup(key);
        return -1;
    }

    memcpy(key->data, data, len);
    key->data[len] = '\0';

    rc = alg->type ? cqrs_jwt_key_check_public(key, error)
                   : cqrs_jwt_key_check_secret(key, error);
    if (rc != 0) {
        cqrs_jwt_key_cleanup(key);
    }

    return rc;
}


void
cqrs_jwt_key_cleanup(cqrs_jwt_key_t *key)
{
    if (key->data) {
        OPENSSL_cleanse(key->data, key->len);
    }

    EVP_PKEY_free(key->pkey);
    free(key->data);
    free(key->kid);

    key->pkey = NULL;
    key->data = NULL;
    key->kid = NULL;
}


static int
cqrs_jwt_key_check_secret(const cqrs_jwt_key_t *key,
    char error[CQRS_JWT_ERROR_MAX])
{
    if (key->len >= CQRS_JWT_SECRET_MIN) {
        return 0;
    }

    snprintf(error, CQRS_JWT_ERROR_MAX,
             "the %s key has %zu bytes, it needs at least %d",
             key->alg->name, key->len, CQRS_JWT_SECRET_MIN);

    return -1;
}


static int
cqrs_jwt_key_check_public(cqrs_jwt_key_t *key,
    char error[CQRS_JWT_ERROR_MAX])
{
    int        rc;
    BIO       *bio;
    EVP_PKEY  *pkey;

    bio = BIO_new_mem_buf(key->data, (int) key->len);

    pkey = bio ? PEM_read_bio_PUBKEY(bio, NULL, cqrs_jwt_key_no_password, NULL)
               : NULL;

    rc = pkey ? cqrs_jwt_key_fits(pkey, key->alg) : -1;

    if (rc == 0 && key->alg->alg == JWT_ALG_INVAL) {
        key->pkey = pkey;
        pkey = NULL;
    }

    EVP_PKEY_free(pkey);
    BIO_free(bio);

    ERR_clear_error();

    if (rc == 0) {
        return 0;
    }

    if (key->alg->type == EVP_PKEY_RSA) {
        snprintf(error, CQRS_JWT_ERROR_MAX,
                 "the %s key must be a public RSA key in PEM "
                 "of %d bits or more", key->alg->name, CQRS_JWT_RSA_MIN);

    } else {
        snprintf(error, CQRS_JWT_ERROR_MAX,
                 "the %s key must be a public key in PEM on the curve %s",
                 key->alg->name, key->alg->curve ? key->alg->curve
                                                 : key->alg->jwk_curve);
    }

    return -1;
}


static int
cqrs_jwt_key_fits(EVP_PKEY *pkey, const cqrs_jwt_alg_t *alg)
{
    char  curve[32];

    if (EVP_PKEY_get_base_id(pkey) != alg->type) {
        return -1;
    }

    if (alg->type == EVP_PKEY_RSA) {
        return EVP_PKEY_get_bits(pkey) < CQRS_JWT_RSA_MIN ? -1 : 0;
    }

    if (alg->type == EVP_PKEY_ED25519) {
        return 0;
    }

    if (EVP_PKEY_get_group_name(pkey, curve, sizeof(curve), NULL) != 1) {
        return -1;
    }

    return strcmp(curve, alg->curve) == 0 ? 0 : -1;
}


/* The default asks on the terminal. */

static int
cqrs_jwt_key_no_password(char *buf, int size, int rwflag, void *data)
{
    (void) buf;
    (void) size;
    (void) rwflag;
    (void) data;

    return 0;
}
