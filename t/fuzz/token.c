
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Fuzzes the path of a token: as it is sent; with a header and claims made up
 * and signed by us, so that what comes after the signature is reached; and the
 * JWK Sets that keys come from.  The input's first byte says which.
 */

#include "cqrs_jwt.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>


#define SECRET  "the secret of this fuzzer, which is long enough"

#define NOW  1764000000


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_must(int holds);
static void fuzz_raw(const char *text, size_t len);
static void fuzz_signed(const char *text, size_t len);
static void fuzz_accepted(const json_t *verified);
static void fuzz_set(const char *text, size_t len);
static size_t fuzz_base64url(char *to, const void *bytes, size_t len);


static cqrs_jwt_key_t  fuzz_keys[2];


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char  *text;
    char   error[CQRS_JWT_ERROR_MAX];

    if (size == 0) {
        return 0;
    }

    if (fuzz_keys[0].data == NULL) {
        fuzz_must(cqrs_jwt_key_init(&fuzz_keys[0],
                                    cqrs_jwt_alg("HS256", error), "a", SECRET,
                                    sizeof(SECRET) - 1, error) == 0);
        fuzz_must(cqrs_jwt_key_init(&fuzz_keys[1],
                                    cqrs_jwt_alg("HS512", error), NULL, SECRET,
                                    sizeof(SECRET) - 1, error) == 0);
    }

    /* with the NUL that a token has, and nothing behind it */

    text = malloc(size);
    fuzz_must(text != NULL);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';

    switch (data[0] % 3) {

    case 0:
        fuzz_raw(text, size - 1);
        break;

    case 1:
        fuzz_signed(text, size - 1);
        break;

    default:
        fuzz_set(text, size - 1);
    }

    free(text);

    return 0;
}


static void
fuzz_must(int holds)
{
    if (!holds) {
        abort();
    }
}


/* Nobody can sign who has not the secret. */

static void
fuzz_raw(const char *text, size_t len)
{
    json_t  *verified;

    fuzz_must(cqrs_jwt_verify(fuzz_keys, 2, text, len, &verified) != NULL);
    fuzz_must(verified == NULL);
}


/* The header, up to the first line's end, and the claims. */

static void
fuzz_signed(const char *text, size_t len)
{
    char           *token, *p;
    size_t          head;
    json_t         *verified;
    const char     *error, *end;
    unsigned int    n;
    unsigned char   hash[EVP_MAX_MD_SIZE];

    end = memchr(text, '\n', len);

    if (end == NULL || len > CQRS_JWT_MAX) {
        return;
    }

    head = (size_t) (end - text);

    token = malloc(2 * len + 128);
    fuzz_must(token != NULL);

    p = token + fuzz_base64url(token, text, head);
    *p++ = '.';
    p += fuzz_base64url(p, end + 1, len - head - 1);

    fuzz_must(HMAC(EVP_sha256(), SECRET, sizeof(SECRET) - 1,
                   (unsigned char *) token, (size_t) (p - token), hash, &n)
              != NULL);

    *p++ = '.';
    p += fuzz_base64url(p, hash, n);
    *p = '\0';

    error = cqrs_jwt_verify(fuzz_keys, 2, token, (size_t) (p - token),
                            &verified);

    fuzz_must((error == NULL) == (verified != NULL));

    if (verified) {
        fuzz_must(strlen(cqrs_jwt_text(verified)) == len - head - 1);
        fuzz_must(memcmp(cqrs_jwt_text(verified), end + 1, len - head - 1)
                  == 0);
        fuzz_accepted(verified);

        json_decref(verified);
    }

    free(token);
}


static void
fuzz_accepted(const json_t *verified)
{
    size_t   i;
    int64_t  end;
    json_t  *claims;

    static const cqrs_str_t        names[] = { cqrs_str("a"), cqrs_str("b") };
    static const cqrs_jwt_rules_t  any = { 30, NULL, 0, NULL, 0 };
    static const cqrs_jwt_rules_t  some = { 0, names, 2, names, 2 };

    static const char  *variables[] = {
        "sub", "a", "a__b", "a__b__0", "a__0__0__0", "_", "___", "_____a"
    };

    claims = cqrs_jwt_claims(verified);

    if (cqrs_jwt_accept(&some, claims, NOW) == NULL) {
        fuzz_must(cqrs_jwt_accept(&any, claims, NOW) == NULL);
    }

    if (cqrs_jwt_accept(&any, claims, NOW) == NULL) {
        end = cqrs_jwt_end(&any, claims);
        fuzz_must(end == 0 || end > NOW);
        fuzz_must(end == 0
                  || cqrs_jwt_accept(&any, claims, end) != NULL);
    }

    for (i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
        (void) cqrs_jwt_claim(claims, variables[i], strlen(variables[i]));
    }
}


static void
fuzz_set(const char *text, size_t len)
{
    int              rc;
    char             error[CQRS_JWT_ERROR_MAX];
    size_t           i;
    json_t          *set, *verified;
    cqrs_jwt_key_t   key;

    static const char  token[] = "eyJhbGciOiJFUzI1NiJ9.e30.AAAA";

    set = cqrs_jwt_key_set(text, len, error);

    /* json_array_get() of nothing is nothing */

    for (i = 0; i < json_array_size(set); i++) {
        rc = cqrs_jwt_key_of_set(&key, json_array_get(set, i), error);

        if (rc != 0) {
            fuzz_must(memchr(error, '\0', sizeof(error)) != NULL);
            continue;
        }

        fuzz_must(key.alg != NULL && key.len != 0);
        fuzz_must(cqrs_jwt_verify(&key, 1, token, sizeof(token) - 1, &verified)
                  != NULL);

        cqrs_jwt_key_cleanup(&key);
    }

    json_decref(set);
}


static size_t
fuzz_base64url(char *to, const void *bytes, size_t len)
{
    size_t  i, n;

    n = (size_t) EVP_EncodeBlock((unsigned char *) to, bytes, (int) len);

    while (n && to[n - 1] == '=') {
        n--;
    }

    for (i = 0; i < n; i++) {
        to[i] = (to[i] == '+') ? '-' : (to[i] == '/') ? '_' : to[i];
    }

    return n;
}
