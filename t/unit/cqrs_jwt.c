
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* Tokens without nginx: base64url, rules, claims by name, signatures. */

#include "cqrs_base64.h"
#include "cqrs_jwt.h"

#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>


#define TEST_SECRET  "the secret of these tests, which is long enough"


static char *test_sign(const char *alg, const char *digest, EVP_PKEY *pkey);
static size_t test_base64url(char *to, const void *bytes, size_t len);
static void test_only_this_is_good(const cqrs_jwt_key_t *key, char *token);


static json_t *
test_json(const char *text)
{
    json_t  *json;

    json = json_loads(text, 0, NULL);
    assert_non_null(json);

    return json;
}


static void
test_base64url_is_read(void **state)
{
    size_t         i, n;
    unsigned char  out[16];

    static const struct {
        const char  *text;
        const char  *bytes;
    } good[] = {
        { "", "" }, { "Zg", "f" }, { "Zm8", "fo" }, { "Zm9v", "foo" },
        { "Zm9vYg", "foob" }, { "_-__", "\xff\xef\xff" }
    };

    static const char  *bad[] = {
        "Z", "Zm9vY", "Zg==", "+/", "Z g", "Zm9v\n", "Z.", "\x80\x80"
    };

    (void) state;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(cqrs_base64url_decode(out, &n, good[i].text,
                                               strlen(good[i].text)), 0);
        assert_int_equal(n, strlen(good[i].bytes));
        assert_memory_equal(out, good[i].bytes, n);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(cqrs_base64url_decode(out, &n, bad[i],
                                               strlen(bad[i])), -1);
    }
}


static void
test_rules(void **state)
{
    size_t       i;
    json_t      *claims;
    const char  *error;

    static const cqrs_str_t  names[] = { cqrs_str("a"), cqrs_str("b") };

    static const cqrs_jwt_rules_t  time_only = { 10, NULL, 0, NULL, 0, 0 };
    static const cqrs_jwt_rules_t  all = { 0, names, 2, names, 1, 0 };

    static const struct {
        const cqrs_jwt_rules_t  *rules;
        const char              *claims;
        const char              *error;     /* NULL: it is good */
    } cases[] = {
        { &time_only, "{}", NULL },
        { &time_only, "{\"exp\":91}", NULL },
        { &time_only, "{\"exp\":90.1}", NULL },
        { &time_only, "{\"exp\":90}", "expired" },
        { &time_only, "{\"exp\":-1e300}", "expired" },
        { &time_only, "{\"nbf\":110}", NULL },
        { &time_only, "{\"nbf\":110.5}", "not yet valid" },
        { &time_only, "{\"exp\":\"200\"}", "not a number" },
        { &time_only, "{\"nbf\":[]}", "not a number" },
        { &time_only, "{\"aud\":\"x\",\"iss\":\"x\"}", NULL },
        { &all, "{\"aud\":\"b\",\"iss\":\"a\"}", NULL },
        { &all, "{\"aud\":[1,[\"a\"],\"a\"],\"iss\":\"a\"}", NULL },
        { &all, "{\"aud\":[1,[\"a\"]],\"iss\":\"a\"}", "audience" },
        { &all, "{\"aud\":\"c\",\"iss\":\"a\"}", "audience" },
        { &all, "{\"iss\":\"a\"}", "audience" },
        { &all, "{\"aud\":\"a\",\"iss\":\"b\"}", "issuer" },
        { &all, "{\"aud\":\"a\"}", "issuer" }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        claims = test_json(cases[i].claims);
        error = cqrs_jwt_accept(cases[i].rules, claims, 100);

        if (cases[i].error == NULL) {
            assert_null(error);

        } else {
            assert_non_null(error);
            assert_non_null(strstr(error, cases[i].error));
        }

        json_decref(claims);
    }
}


static void
test_the_end_is_the_first_second_of_refusal(void **state)
{
    size_t    i;
    int64_t   end;
    json_t   *claims;

    static const cqrs_jwt_rules_t  rules = { 10, NULL, 0, NULL, 0, 0 };

    static const char  *some[] = {
        "{\"exp\":91}", "{\"exp\":90.25}", "{\"exp\":1e14}"
    };

    static const char  *never[] = { "{}", "{\"exp\":1e300}" };

    (void) state;

    for (i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
        claims = test_json(some[i]);
        end = cqrs_jwt_end(&rules, claims);

        assert_null(cqrs_jwt_accept(&rules, claims, end - 1));
        assert_non_null(cqrs_jwt_accept(&rules, claims, end));

        json_decref(claims);
    }

    for (i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
        claims = test_json(never[i]);
        assert_int_equal(cqrs_jwt_end(&rules, claims), 0);
        json_decref(claims);
    }
}


static void
test_claims_by_the_names_of_variables(void **state)
{
    size_t   i;
    json_t  *claims, *found;

    static const struct {
        const char  *name;
        int          value;    /* 0: there is none */
    } cases[] = {
        { "a", 1 }, { "b", 2 }, { "userid", 3 }, { "same", 4 },
        { "x_y", 5 }, { "x_z", 6 }, { "o__p", 7 }, { "o__q", 8 },
        { "l__0", 9 }, { "l__1__m", 10 }, { "l__01__m", 10 },
        { "u__r__s", 11 }, { "http___h_p", 12 }, { "___", 13 },
        { "t__", 14 }, { "__v", 15 },
        { "", 0 }, { "aa", 0 }, { "l__2", 0 }, { "l__", 0 }, { "l__x", 0 },
        { "l__99999999999999999999999", 0 }, { "a__b", 0 }, { "o__", 0 },
        { "__", 0 }, { "____", 0 }, { "o__p__q", 0 }
    };

    (void) state;

    claims = test_json("{\"a\":1,\"B\":2,\"b\":2,\"userId\":3,"
                       "\"SAME\":0,\"same\":4,"
                       "\"x-y\":5,\"X_Z\":6,\"x-z\":0,"
                       "\"o__p\":7,\"o\":{\"p\":0,\"q\":8},"
                       "\"l\":[9,{\"m\":10}],"
                       "\"u\":{\"x\":0},\"u__r\":{\"s\":11},"
                       "\"http://h/p\":12,\"\\u00f6:\":13,\"t::\":14,"
                       "\"--v\":15}");

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        found = cqrs_jwt_claim(claims, cases[i].name, strlen(cases[i].name));

        assert_int_equal(json_integer_value(found), cases[i].value);
    }

    assert_null(cqrs_jwt_claim(NULL, "a", 1));

    json_decref(claims);
}


static void
test_a_token_of_a_secret(void **state)
{
    char             error[CQRS_JWT_ERROR_MAX];
    char            *text;
    jwt_t           *jwt;
    json_t          *verified;
    cqrs_jwt_key_t   key;

    (void) state;

    assert_int_equal(cqrs_jwt_key_init(&key, cqrs_jwt_alg("HS256", error),
                                       "k", TEST_SECRET,
                                       sizeof(TEST_SECRET) - 1, error), 0);

    assert_int_equal(jwt_new(&jwt), 0);
    assert_int_equal(jwt_set_alg(jwt, JWT_ALG_HS256,
                                 (unsigned char *) TEST_SECRET,
                                 sizeof(TEST_SECRET) - 1), 0);
    assert_int_equal(jwt_add_grant(jwt, "sub", "alice"), 0);

    text = jwt_encode_str(jwt);
    assert_non_null(text);

    assert_null(cqrs_jwt_verify(&key, 1, text, strlen(text), &verified));
    assert_string_equal(cqrs_jwt_text(verified), "{\"sub\":\"alice\"}");
    assert_string_equal(json_string_value(cqrs_jwt_claim(
                            cqrs_jwt_claims(verified), "sub", 3)), "alice");

    json_decref(verified);

    assert_non_null(cqrs_jwt_verify(&key, 0, text, strlen(text), &verified));
    assert_null(verified);

    text[strlen(text) - 2] ^= 1;

    assert_non_null(cqrs_jwt_verify(&key, 1, text, strlen(text), &verified));
    assert_null(verified);

    free(text);
    jwt_free(jwt);
    cqrs_jwt_key_cleanup(&key);
}


/* One byte of what was signed, or of the signature, is another: not good. */

static void
test_the_signatures_of_openssl(void **state)
{
    char                   error[CQRS_JWT_ERROR_MAX];
    char                  *token;
    BIO                   *bio;
    char                  *pem;
    long                   len;
    size_t                 i;
    EVP_PKEY              *pkey;
    cqrs_jwt_key_t         key;
    const cqrs_jwt_alg_t  *alg;

    static const struct {
        const char  *alg;
        const char  *digest;
    } cases[] = {
        { "PS256", "SHA256" }, { "PS384", "SHA384" }, { "PS512", "SHA512" },
        { "EdDSA", NULL }, { "Ed25519", NULL }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        pkey = cases[i].digest ? EVP_RSA_gen(2048)
                               : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
        bio = BIO_new(BIO_s_mem());
        assert_int_equal(PEM_write_bio_PUBKEY(bio, pkey), 1);
        len = BIO_get_mem_data(bio, &pem);

        alg = cqrs_jwt_alg(cases[i].alg, error);
        assert_non_null(alg);
        assert_int_equal(cqrs_jwt_key_init(&key, alg, NULL, pem, (size_t) len,
                                           error), 0);

        token = test_sign(cases[i].alg, cases[i].digest, pkey);

        test_only_this_is_good(&key, token);

        free(token);
        cqrs_jwt_key_cleanup(&key);
        BIO_free(bio);
        EVP_PKEY_free(pkey);
    }
}


static char *
test_sign(const char *alg, const char *digest, EVP_PKEY *pkey)
{
    char           *token, *p;
    char            header[64];
    size_t          n;
    EVP_MD_CTX     *md;
    EVP_PKEY_CTX   *ctx;
    unsigned char   signature[512];

    n = (size_t) snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", alg);

    token = malloc(1024);
    assert_non_null(token);

    p = token + test_base64url(token, header, n);
    *p++ = '.';
    p += test_base64url(p, "{\"sub\":\"alice\"}", 15);

    md = EVP_MD_CTX_new();
    n = sizeof(signature);

    assert_int_equal(EVP_DigestSignInit_ex(md, &ctx, digest, NULL, NULL, pkey,
                                           NULL), 1);
    if (digest) {
        assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(ctx,
                                                RSA_PKCS1_PSS_PADDING), 1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx,
                                                RSA_PSS_SALTLEN_DIGEST), 1);
    }

    assert_int_equal(EVP_DigestSign(md, signature, &n,
                                    (unsigned char *) token,
                                    (size_t) (p - token)), 1);
    EVP_MD_CTX_free(md);

    *p++ = '.';
    p += test_base64url(p, signature, n);
    *p = '\0';

    return token;
}


static size_t
test_base64url(char *to, const void *bytes, size_t len)
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


static void
test_only_this_is_good(const cqrs_jwt_key_t *key, char *token)
{
    char     ch;
    size_t   i, len;
    json_t  *verified;

    len = strlen(token);

    assert_null(cqrs_jwt_verify(key, 1, token, len, &verified));
    assert_string_equal(cqrs_jwt_text(verified), "{\"sub\":\"alice\"}");
    json_decref(verified);

    for (i = 0; i < len; i += 7) {
        ch = token[i];

        if (ch == '.') {
            continue;
        }

        token[i] = (ch == 'g') ? 'w' : 'g';

        assert_non_null(cqrs_jwt_verify(key, 1, token, len, &verified));
        assert_null(verified);

        token[i] = ch;
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_base64url_is_read),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_the_end_is_the_first_second_of_refusal),
        cmocka_unit_test(test_claims_by_the_names_of_variables),
        cmocka_unit_test(test_a_token_of_a_secret),
        cmocka_unit_test(test_the_signatures_of_openssl)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
