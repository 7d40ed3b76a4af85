
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * libjwt verifies the signature with a key of ours, or OpenSSL does for the
 * algorithms that libjwt does not have.  What they leave to their caller is
 * checked here, before: that the token looks like one, that its algorithm is
 * the key's own and no other, kid and crit.
 */

#include "cqrs_base64.h"
#include "cqrs_jwt_sentence.h"
#include "cqrs_jwt_signature.h"

#include <math.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>


/* Beyond it a time is that of no clock. */
#define CQRS_JWT_TIME_MAX  1e15


static int cqrs_jwt_shape(const char *token, size_t len);
static json_t *cqrs_jwt_part(const char *part, size_t len, json_t **text);
static const char *cqrs_jwt_check_header(const json_t *header);
static const char *cqrs_jwt_check_signature(const cqrs_jwt_key_t *keys,
    size_t nkeys, const json_t *header, const char *token);
static int cqrs_jwt_is_signed(const cqrs_jwt_key_t *key, const char *token);
static const char *cqrs_jwt_accept_postgrest(const cqrs_jwt_rules_t *rules,
    const json_t *claims, int64_t now);
static const char *cqrs_jwt_accept_names(const cqrs_jwt_rules_t *rules,
    const json_t *claims);
static int cqrs_jwt_time(const json_t *claims, const char *name,
    double *value);
static int cqrs_jwt_is_one_of(const json_t *claim, const cqrs_str_t *texts,
    size_t n);


const char *
cqrs_jwt_verify(const cqrs_jwt_key_t *keys, size_t nkeys, const char *token,
    size_t len, json_t **verified)
{
    json_t      *header, *claims, *text;
    const char  *body, *signature, *error;

    *verified = NULL;

    if (len > CQRS_JWT_MAX) {
        return "the token is too long";
    }

    if (cqrs_jwt_shape(token, len) != 0) {
        return "the token is malformed";
    }

    body = strchr(token, '.') + 1;
    signature = strchr(body, '.') + 1;

    text = NULL;

    header = cqrs_jwt_part(token, (size_t) (body - token) - 1, NULL);
    claims = cqrs_jwt_part(body, (size_t) (signature - body) - 1, &text);

    error = cqrs_jwt_check_header(header);

    if (error == NULL && claims == NULL) {
        error = cqrs_jwt_bad_claims;
    }

    if (error == NULL) {
        error = cqrs_jwt_check_signature(keys, nkeys, header, token);
    }

    if (error == NULL) {
        *verified = json_pack("[O, O]", claims, text);

        if (*verified == NULL) {
            error = "there is no memory to check the token";
        }
    }

    json_decref(header);
    json_decref(claims);
    json_decref(text);

    return error;
}


json_t *
cqrs_jwt_claims(const json_t *verified)
{
    return json_array_get(verified, 0);
}


const char *
cqrs_jwt_text(const json_t *verified)
{
    return json_string_value(json_array_get(verified, 1));
}


/*
 * Three parts of base64url, none of them empty.  libjwt must not see anything
 * else: it writes past the end of an empty part, and skips what it can't read.
 */

static int
cqrs_jwt_shape(const char *token, size_t len)
{
    char    ch;
    size_t  i, part;
    int     dots;

    dots = 0;
    part = 0;

    for (i = 0; i < len; i++) {
        ch = token[i];

        if (ch == '.') {
            if (part == 0) {
                return -1;
            }

            dots++;
            part = 0;
            continue;
        }

        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
              || (ch >= '0' && ch <= '9') || ch == '-' || ch == '_'))
        {
            return -1;
        }

        part++;
    }

    return (dots == 2 && part) ? 0 : -1;
}


/* An object, new, and its text, new; or NULL. */

static json_t *
cqrs_jwt_part(const char *part, size_t len, json_t **text)
{
    size_t          n;
    json_t         *object;
    unsigned char   bytes[CQRS_BASE64_DECODED_MAX(CQRS_JWT_MAX)];

    if (cqrs_base64url_decode(bytes, &n, part, len) != 0) {
        return NULL;
    }

    object = json_loadb((char *) bytes, n, JSON_REJECT_DUPLICATES, NULL);

    if (object && text) {
        *text = json_stringn((char *) bytes, n);
    }

    if (json_is_object(object) && (text == NULL || *text)) {
        return object;
    }

    json_decref(object);

    return NULL;
}


static const char *
cqrs_jwt_check_header(const json_t *header)
{
    json_t  *kid;                                          /* borrowed */

    if (header == NULL) {
        return "the token's header is not a JSON object";
    }

    if (json_object_get(header, "crit")) {
        return "the token demands an extension that is not known here";
    }

    if (!json_is_string(json_object_get(header, "alg"))) {
        return cqrs_jwt_other_algorithm;
    }

    kid = json_object_get(header, "kid");

    if (kid && !json_is_string(kid)) {
        return "the token's kid is not a text";
    }

    return NULL;
}


static const char *
cqrs_jwt_check_signature(const cqrs_jwt_key_t *keys, size_t nkeys,
    const json_t *header, const char *token)
{
    size_t       i;
    const char  *alg, *kid, *error;

    alg = json_string_value(json_object_get(header, "alg"));

    if (strcmp(alg, "none") == 0) {
        return cqrs_jwt_unsigned;
    }

    kid = json_string_value(json_object_get(header, "kid"));

    error = NULL;

    for (i = 0; i < nkeys; i++) {

        /*
         * That a signature fits is worth nothing where its algorithm is not
         * the key's own: a public key can be used as an HMAC's secret.
         */

        if (strcmp(keys[i].alg->name, alg) != 0) {
            continue;
        }

        if (kid && keys[i].kid && strcmp(keys[i].kid, kid) != 0) {
            if (error == NULL) {
                error = cqrs_jwt_unknown_key;
            }

            continue;
        }

        if (cqrs_jwt_is_signed(&keys[i], token)) {
            return NULL;
        }

        error = cqrs_jwt_bad_signature;
    }

    return error ? error : cqrs_jwt_other_algorithm;
}


static int
cqrs_jwt_is_signed(const cqrs_jwt_key_t *key, const char *token)
{
    int     is;
    jwt_t  *jwt;

    is = 0;

    if (key->pkey) {
        is = cqrs_jwt_signature_fits(key, token);

    } else if (jwt_decode(&jwt, token, key->data, (int) key->len) == 0) {
        is = jwt_get_alg(jwt) == key->alg->alg;
        jwt_free(jwt);
    }

    /* what a bad signature left there would be logged as an error of TLS */

    ERR_clear_error();

    return is;
}


const char *
cqrs_jwt_accept(const cqrs_jwt_rules_t *rules, const json_t *claims,
    int64_t now)
{
    int     has_exp, has_nbf;
    double  exp, nbf;

    has_exp = cqrs_jwt_time(claims, "exp", &exp);
    has_nbf = cqrs_jwt_time(claims, "nbf", &nbf);

    if (has_exp == -1) {
        return cqrs_jwt_bad_exp;
    }

    if (has_nbf == -1) {
        return cqrs_jwt_bad_nbf;
    }

    if (has_exp && (double) now >= exp + (double) rules->leeway) {
        return cqrs_jwt_expired;
    }

    if (has_nbf && (double) now < nbf - (double) rules->leeway) {
        return cqrs_jwt_not_yet;
    }

    if (rules->postgrest) {
        return cqrs_jwt_accept_postgrest(rules, claims, now);
    }

    return cqrs_jwt_accept_names(rules, claims);
}


/* What is absent there, null or empty, excludes nobody. */

static const char *
cqrs_jwt_accept_postgrest(const cqrs_jwt_rules_t *rules,
    const json_t *claims, int64_t now)
{
    int                 has_iat;
    double              iat;
    size_t              i;
    json_t             *aud, *element;                     /* borrowed */
    cqrs_jwt_rules_t    without;

    has_iat = cqrs_jwt_time(claims, "iat", &iat);

    if (has_iat == -1) {
        return cqrs_jwt_bad_iat;
    }

    if (has_iat && (double) now < iat - (double) rules->leeway) {
        return cqrs_jwt_in_future;
    }

    aud = json_object_get(claims, "aud");

    if (aud && !json_is_string(aud) && !json_is_array(aud)
        && !json_is_null(aud))
    {
        return cqrs_jwt_bad_aud;
    }

    json_array_foreach(aud, i, element) {
        if (!json_is_string(element)) {
            return cqrs_jwt_bad_aud;
        }
    }

    without = *rules;

    if (aud == NULL || json_is_null(aud)
        || (json_is_array(aud) && json_array_size(aud) == 0))
    {
        without.naudiences = 0;
    }

    return cqrs_jwt_accept_names(&without, claims);
}


static const char *
cqrs_jwt_accept_names(const cqrs_jwt_rules_t *rules, const json_t *claims)
{
    if (rules->nissuers
        && !cqrs_jwt_is_one_of(json_object_get(claims, "iss"), rules->issuers,
                               rules->nissuers))
    {
        return cqrs_jwt_other_issuer;
    }

    if (rules->naudiences
        && !cqrs_jwt_is_one_of(json_object_get(claims, "aud"),
                               rules->audiences, rules->naudiences))
    {
        return cqrs_jwt_other_audience;
    }

    return NULL;
}


int64_t
cqrs_jwt_end(const cqrs_jwt_rules_t *rules, const json_t *claims)
{
    double  exp;

    if (cqrs_jwt_time(claims, "exp", &exp) != 1) {
        return 0;
    }

    exp = ceil(exp + (double) rules->leeway);

    return exp < CQRS_JWT_TIME_MAX ? (int64_t) exp : 0;
}


/* 1, 0: there is none, or -1: it is something else. */

static int
cqrs_jwt_time(const json_t *claims, const char *name, double *value)
{
    json_t  *claim;                                        /* borrowed */

    claim = json_object_get(claims, name);

    if (claim == NULL) {
        return 0;
    }

    if (!json_is_number(claim)) {
        return -1;
    }

    *value = json_number_value(claim);

    return 1;
}


/* An audience may be a list. */

static int
cqrs_jwt_is_one_of(const json_t *claim, const cqrs_str_t *texts, size_t n)
{
    size_t       i;
    json_t      *element;                                  /* borrowed */
    cqrs_str_t   text;

    if (json_is_array(claim)) {

        json_array_foreach(claim, i, element) {
            if (json_is_string(element)
                && cqrs_jwt_is_one_of(element, texts, n))
            {
                return 1;
            }
        }

        return 0;
    }

    if (!json_is_string(claim)) {
        return 0;
    }

    text.data = json_string_value(claim);
    text.len = json_string_length(claim);

    for (i = 0; i < n; i++) {
        if (cqrs_str_equal(&text, &texts[i])) {
            return 1;
        }
    }

    return 0;
}
