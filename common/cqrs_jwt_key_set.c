
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * JWK Sets.  Their owner publishes them for many purposes: what is not for
 * signatures, or of an unknown kind, is skipped as RFC 7517, section 5, wants
 * it; what is meant for us and broken is refused.
 */

#include "cqrs_base64.h"
#include "cqrs_jwt_key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


/* 16,384 bits, what OpenSSL takes of an RSA key; a secret is shorter. */
#define CQRS_JWK_MEMBER_MAX  2048

/* The three that there are have 32, 48 and 66 bytes. */
#define CQRS_JWK_COORDINATE_MAX  66


typedef struct {
    size_t         len;
    unsigned char  data[CQRS_BASE64_DECODED_MAX(CQRS_JWK_MEMBER_MAX / 3 * 4
                                                + 3)];
} cqrs_jwk_bytes_t;


static const char *cqrs_jwk_text(const json_t *jwk, const char *name);
static int cqrs_jwk_is_for_verifying(const json_t *jwk);
static const char *cqrs_jwk_default_alg(const json_t *jwk, const char *kty);
static int cqrs_jwk_member(cqrs_jwk_bytes_t *bytes, const json_t *jwk,
    const char *name, char error[CQRS_JWT_ERROR_MAX]);
static int cqrs_jwk_secret(cqrs_jwt_key_t *key, const cqrs_jwt_alg_t *alg,
    const json_t *jwk, char error[CQRS_JWT_ERROR_MAX]);
static int cqrs_jwk_rsa(cqrs_jwt_key_t *key, const cqrs_jwt_alg_t *alg,
    const json_t *jwk, char error[CQRS_JWT_ERROR_MAX]);
static int cqrs_jwk_ec(cqrs_jwt_key_t *key, const cqrs_jwt_alg_t *alg,
    const json_t *jwk, char error[CQRS_JWT_ERROR_MAX]);
static int cqrs_jwk_okp(cqrs_jwt_key_t *key, const cqrs_jwt_alg_t *alg,
    const json_t *jwk, char error[CQRS_JWT_ERROR_MAX]);
static int cqrs_jwk_public(cqrs_jwt_key_t *key, const cqrs_jwt_alg_t *alg,
    const char *type, const json_t *jwk, OSSL_PARAM_BLD *build,
    char error[CQRS_JWT_ERROR_MAX]);


json_t *
cqrs_jwt_key_set(const void *text, size_t len, char error[CQRS_JWT_ERROR_MAX])
{
    json_t        *set, *keys;
    json_error_t   why;

    set = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);

    if (set == NULL) {
        snprintf(error, CQRS_JWT_ERROR_MAX,
                 "the JWK Set is not JSON: line %d, column %d",
                 why.line, why.column);
        return NULL;
    }

    keys = json_incref(json_object_get(set, "keys"));

    json_decref(set);

    if (!json_is_array(keys)) {
        snprintf(error, CQRS_JWT_ERROR_MAX,
                 "the JWK Set is not an object with an array \"keys\"");
        json_decref(keys);
        return NULL;
    }

    return keys;
}


int
cqrs_jwt_key_of_set(cqrs_jwt_key_t *key, const json_t *jwk,
    char error[CQRS_JWT_ERROR_MAX])
{
    const char            *kty, *name;
    const cqrs_jwt_alg_t  *alg;

    kty = cqrs_jwk_text(jwk, "kty");

    if (kty == NULL) {
        snprintf(error, CQRS_JWT_ERROR_MAX, "it has no \"kty\"");
        return -1;
    }

    if (!cqrs_jwk_is_for_verifying(jwk)) {
        snprintf(error, CQRS_JWT_ERROR_MAX, "it is not for signatures");
        return CQRS_JWT_KEY_SKIPPED;
    }

    if (json_object_get(jwk, "kid") && cqrs_jwk_text(jwk, "kid") == NULL) {
        snprintf(error, CQRS_JWT_ERROR_MAX, "its \"kid\" is not a text");
        return -1;
    }

    name = cqrs_jwk_text(jwk, "alg");

    if (name == NULL) {
        name = cqrs_jwk_default_alg(jwk, kty);
    }

    if (name == NULL) {
        snprintf(error, CQRS_JWT_ERROR_MAX,
                 "keys of its \"kty\" or \"crv\" are not supported");
        return CQRS_JWT_KEY_SKIPPED;
    }

    alg = cqrs_jwt_alg(name, error);

    if (alg == NULL) {
        return CQRS_JWT_KEY_SKIPPED;
    }

    if (strcmp(kty, "oct") == 0 && alg->type == 0) {
        return cqrs_jwk_secret(key, alg, jwk, error);
    }

    if (strcmp(kty, "RSA") == 0 && alg->type == EVP_PKEY_RSA) {
        return cqrs_jwk_rsa(key, alg, jwk, error);
    }

    if (strcmp(kty, "EC") == 0 && alg->type == EVP_PKEY_EC) {
        return cqrs_jwk_ec(key, alg, jwk, error);
    }

    if (strcmp(kty, "OKP") == 0 && alg->type == EVP_PKEY_ED25519) {
        return cqrs_jwk_okp(key, alg, jwk, error);
    }

    snprintf(error, CQRS_JWT_ERROR_MAX,
             "its \"alg\" %s is not one of a key whose \"kty\" is \"%.32s\"",
             name, kty);

    return -1;
}


static const char *
cqrs_jwk_text(const json_t *jwk, const char *name)
{
    return json_string_value(json_object_get(jwk, name));
}


static int
cqrs_jwk_is_for_verifying(const json_t *jwk)
{
    size_t       i;
    json_t      *ops, *op;
    const char  *use;

    use = cqrs_jwk_text(jwk, "use");

    if (use && strcmp(use, "sig") != 0) {
        return 0;
    }

    ops = json_object_get(jwk, "key_ops");

    if (!json_is_array(ops)) {
        return 1;
    }

    json_array_foreach(ops, i, op) {
        if (json_is_string(op)
            && strcmp(json_string_value(op), "verify") == 0)
        {
            return 1;
        }
    }

    return 0;
}


static const char *
cqrs_jwk_default_alg(const json_t *jwk, const char *kty)
{
    const char  *curve;

    if (strcmp(kty, "oct") == 0) {
        return "HS256";
    }

    if (strcmp(kty, "RSA") == 0) {
        return "RS256";
    }

    curve = cqrs_jwk_text(jwk, "crv");

    if (curve == NULL) {
        return NULL;
    }

    if (strcmp(kty, "OKP") == 0) {
        return strcmp(curve, "Ed25519") == 0 ? "EdDSA" : NULL;
    }

    if (strcmp(kty, "EC") != 0) {
        return NULL;
    }

    return strcmp(curve, "P-256") == 0 ? "ES256"
           : strcmp(curve, "P-384") == 0 ? "ES384"
           : strcmp(curve, "P-521") == 0 ? "ES512" : NULL;
}


static int
cqrs_jwk_member(cqrs_jwk_bytes_t *bytes, const json_t *jwk, const char *name,
    char error[CQRS_JWT_ERROR_MAX])
{
    size_t       len;
    const char  *text;

    text = cqrs_jwk_text(jwk, name);
    len = text ? strlen(text) : 0;

    if (len == 0
        || CQRS_BASE64_DECODED_MAX(len) > sizeof(bytes->data)
        || cqrs_base64url_decode(bytes->data, &bytes->len, text, len) != 0)
    {
        snprintf(error, CQRS_JWT_ERROR_MAX,
                 "its \"%s\" is not the base64url of 1 to %d bytes",
                 name, CQRS_JWK_MEMBER_MAX);
        return -1;
    }

    return 0;
}


static int
cqrs_jwk_secret(cqrs_jwt_key_t *key, const cqrs_jwt_alg_t *alg,
    const json_t *jwk, char error[CQRS_JWT_ERROR_MAX])
{
    int               rc;
    cqrs_jwk_bytes_t  k;

    if (cqrs_jwk_member(&k, jwk, "k", error) != 0) {
        return -1;
    }

    rc = cqrs_jwt_key_init(key, alg, cqrs_jwk_text(jwk, "kid"), k.data, k.len,
                           error);

    OPENSSL_cleanse(k.data, k.len);

    return rc;
}


static int
cqrs_jwk_rsa(cqrs_jwt_key_t *key, const cqrs_jwt_alg_t *alg,
    const json_t *jwk, char error[CQRS_JWT_ERROR_MAX])
{
    int                rc;
    BIGNUM            *n, *e;
    OSSL_PARAM_BLD    *build;
    cqrs_jwk_bytes_t   modulus, exponent;

    if (cqrs_jwk_member(&modulus, jwk, "n", error) != 0
        || cqrs_jwk_member(&exponent, jwk, "e", error) != 0)
    {
        return -1;
    }

    n = BN_bin2bn(modulus.data, (int) modulus.len, NULL);
    e = BN_bin2bn(exponent.data, (int) exponent.len, NULL);

    build = OSSL_PARAM_BLD_new();

    if (n && e && build) {
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n);
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e);
    }

    rc = cqrs_jwk_public(key, alg, "RSA", jwk, build, error);

    OSSL_PARAM_BLD_free(build);
    BN_free(n);
    BN_free(e);

    return rc;
}


static int
cqrs_jwk_ec(cqrs_jwt_key_t *key, const cqrs_jwt_alg_t *alg,
    const json_t *jwk, char error[CQRS_JWT_ERROR_MAX])
{
    int                rc;
    const char        *curve;
    unsigned char      point[1 + 2 * CQRS_JWK_COORDINATE_MAX];
    OSSL_PARAM_BLD    *build;
    cqrs_jwk_bytes_t   x, y;

    curve = cqrs_jwk_text(jwk, "crv");

    if (curve == NULL || strcmp(curve, alg->jwk_curve) != 0) {
        snprintf(error, CQRS_JWT_ERROR_MAX,
                 "its \"crv\" is not %s, which %s needs",
                 alg->jwk_curve, alg->name);
        return -1;
    }

    if (cqrs_jwk_member(&x, jwk, "x", error) != 0
        || cqrs_jwk_member(&y, jwk, "y", error) != 0)
    {
        return -1;
    }

    if (x.len != y.len || x.len > CQRS_JWK_COORDINATE_MAX) {
        snprintf(error, CQRS_JWT_ERROR_MAX,
                 "its \"x\" and \"y\" are not of the length that %s has",
                 alg->jwk_curve);
        return -1;
    }

    point[0] = POINT_CONVERSION_UNCOMPRESSED;
    memcpy(&point[1], x.data, x.len);
    memcpy(&point[1 + x.len], y.data, y.len);

    build = OSSL_PARAM_BLD_new();

    if (build) {
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME,
                                        alg->curve, 0);
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY,
                                         point, 1 + x.len + y.len);
    }

    rc = cqrs_jwk_public(key, alg, "EC", jwk, build, error);

    OSSL_PARAM_BLD_free(build);

    return rc;
}


static int
cqrs_jwk_okp(cqrs_jwt_key_t *key, const cqrs_jwt_alg_t *alg,
    const json_t *jwk, char error[CQRS_JWT_ERROR_MAX])
{
    int                rc;
    const char        *curve;
    OSSL_PARAM_BLD    *build;
    cqrs_jwk_bytes_t   x;

    curve = cqrs_jwk_text(jwk, "crv");

    if (curve == NULL || strcmp(curve, alg->jwk_curve) != 0) {
        snprintf(error, CQRS_JWT_ERROR_MAX,
                 "its \"crv\" is not %s, which %s needs",
                 alg->jwk_curve, alg->name);
        return -1;
    }

    if (cqrs_jwk_member(&x, jwk, "x", error) != 0) {
        return -1;
    }

    build = OSSL_PARAM_BLD_new();

    if (build) {
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY,
                                         x.data, x.len);
    }

    rc = cqrs_jwk_public(key, alg, "ED25519", jwk, build, error);

    OSSL_PARAM_BLD_free(build);

    return rc;
}


/* libjwt wants PEM. */

static int
cqrs_jwk_public(cqrs_jwt_key_t *key, const cqrs_jwt_alg_t *alg,
    const char *type, const json_t *jwk, OSSL_PARAM_BLD *build,
    char error[CQRS_JWT_ERROR_MAX])
{
    int            rc;
    BIO           *bio;
    char          *pem;
    long           len;
    EVP_PKEY      *pkey;
    OSSL_PARAM    *params;
    EVP_PKEY_CTX  *ctx;

    pkey = NULL;
    pem = NULL;
    len = 0;

    bio = BIO_new(BIO_s_mem());
    ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    params = build ? OSSL_PARAM_BLD_to_param(build) : NULL;

    if (bio && ctx && params
        && EVP_PKEY_fromdata_init(ctx) == 1
        && EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) == 1
        && PEM_write_bio_PUBKEY(bio, pkey) == 1)
    {
        len = BIO_get_mem_data(bio, &pem);
    }

    if (len > 0) {
        rc = cqrs_jwt_key_init(key, alg, cqrs_jwk_text(jwk, "kid"), pem,
                               (size_t) len, error);

    } else {
        snprintf(error, CQRS_JWT_ERROR_MAX,
                 "its numbers are not those of a public key for %s",
                 alg->name);
        rc = -1;
    }

    EVP_PKEY_free(pkey);
    OSSL_PARAM_free(params);
    EVP_PKEY_CTX_free(ctx);
    BIO_free(bio);

    ERR_clear_error();

    return rc;
}
