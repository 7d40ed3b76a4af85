
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * RSASSA-PSS as RFC 7518, section 3.5, has it: the same hash for the text,
 * the mask and the length of the salt.  Ed25519 as RFC 8037 has it, which
 * hashes by itself.
 */

#include "cqrs_base64.h"
#include "cqrs_jwt.h"
#include "cqrs_jwt_signature.h"

#include <openssl/rsa.h>
#include <string.h>


static int cqrs_jwt_signature_pss(EVP_PKEY_CTX *ctx);


int
cqrs_jwt_signature_fits(const cqrs_jwt_key_t *key, const char *token)
{
    int             is;
    size_t          n;
    EVP_MD_CTX     *md;
    const char     *dot;
    EVP_PKEY_CTX   *ctx;                                   /* owned by md */
    unsigned char   signature[CQRS_BASE64_DECODED_MAX(CQRS_JWT_MAX)];

    dot = strrchr(token, '.');

    if (cqrs_base64url_decode(signature, &n, dot + 1, strlen(dot + 1)) != 0) {
        return 0;
    }

    md = EVP_MD_CTX_new();

    is = md
         && EVP_DigestVerifyInit_ex(md, &ctx, key->alg->digest, NULL, NULL,
                                    key->pkey, NULL) == 1
         && (key->alg->type != EVP_PKEY_RSA
             || cqrs_jwt_signature_pss(ctx) == 0)
         && EVP_DigestVerify(md, signature, n, (const unsigned char *) token,
                             (size_t) (dot - token)) == 1;

    EVP_MD_CTX_free(md);

    return is;
}


/* The mask's hash is the text's if nothing else is said. */

static int
cqrs_jwt_signature_pss(EVP_PKEY_CTX *ctx)
{
    if (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) != 1
        || EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) != 1)
    {
        return -1;
    }

    return 0;
}
