
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * libjwt verifies the signature with a key of ours.  What it leaves to its
 * caller is checked here: that the token looks like one, that its algorithm is
 * the key's own and no other, exp, nbf and crit.
 */

#include "ngx_http_cqrs_jwt_token.h"
#include "ngx_http_cqrs_jwt_key.h"

#include <openssl/err.h>


#define NGX_HTTP_CQRS_JWT_LEEWAY  30


static ngx_int_t ngx_http_cqrs_jwt_token_shape(ngx_str_t *token);
static ngx_int_t ngx_http_cqrs_jwt_token_verify(jwt_t **jwt,
    ngx_http_cqrs_jwt_key_t *key, const char *token);
static const char *ngx_http_cqrs_jwt_token_rules(jwt_t *jwt, json_t *claims);
static ngx_int_t ngx_http_cqrs_jwt_token_time(json_t *claims, const char *name,
    double *value);


const char *
ngx_http_cqrs_jwt_token_check(ngx_array_t *keys, ngx_str_t *token,
    char **text, json_t **claims)
{
    jwt_t                    *jwt;
    ngx_int_t                 rc;
    ngx_uint_t                i;
    const char               *error;
    ngx_http_cqrs_jwt_key_t  *key;

    *text = NULL;
    *claims = NULL;

    if (ngx_http_cqrs_jwt_token_shape(token) != NGX_OK) {
        return "the token is malformed or too long";
    }

    key = keys->elts;
    rc = NGX_DECLINED;

    for (i = 0; i < keys->nelts && rc != NGX_OK; i++) {
        rc = ngx_http_cqrs_jwt_token_verify(&jwt, &key[i],
                                            (char *) token->data);
    }

    /* what a bad signature left there would be logged as an error of TLS */

    ERR_clear_error();

    if (rc != NGX_OK) {
        return "the token's signature or algorithm is not accepted here";
    }

    *text = jwt_get_grants_json(jwt, NULL);

    if (*text) {
        *claims = json_loads(*text, 0, NULL);
    }

    error = ngx_http_cqrs_jwt_token_rules(jwt, *claims);

    jwt_free(jwt);

    return error;
}


/*
 * Three parts of base64url, none of them empty.  libjwt must not see anything
 * else: it writes past the end of an empty part, and skips what it can't read.
 */

static ngx_int_t
ngx_http_cqrs_jwt_token_shape(ngx_str_t *token)
{
    u_char      ch;
    size_t      i, part;
    ngx_uint_t  dots;

    if (token->len > NGX_HTTP_CQRS_JWT_TOKEN_MAX) {
        return NGX_DECLINED;
    }

    dots = 0;
    part = 0;

    for (i = 0; i < token->len; i++) {
        ch = token->data[i];

        if (ch == '.') {
            if (part == 0) {
                return NGX_DECLINED;
            }

            dots++;
            part = 0;
            continue;
        }

        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
              || (ch >= '0' && ch <= '9') || ch == '-' || ch == '_'))
        {
            return NGX_DECLINED;
        }

        part++;
    }

    return (dots == 2 && part) ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_cqrs_jwt_token_verify(jwt_t **jwt, ngx_http_cqrs_jwt_key_t *key,
    const char *token)
{
    const char  *alg;

    if (jwt_decode(jwt, token, key->data.data, (int) key->data.len) != 0) {
        return NGX_DECLINED;
    }

    /*
     * That a signature fits is worth nothing before its algorithm is known to
     * be the key's own: a public key can be used as an HMAC's secret.
     */

    alg = jwt_get_header(*jwt, "alg");

    if (jwt_get_alg(*jwt) != key->alg
        || alg == NULL
        || ngx_strcmp(alg, jwt_alg_str(key->alg)) != 0)
    {
        jwt_free(*jwt);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static const char *
ngx_http_cqrs_jwt_token_rules(jwt_t *jwt, json_t *claims)
{
    char       *crit;
    double      exp, nbf, now;
    ngx_int_t   has_exp, has_nbf;

    crit = jwt_get_headers_json(jwt, "crit");

    if (crit) {
        free(crit);
        return "the token demands an extension that is not known here";
    }

    if (!json_is_object(claims)) {
        return "the token's claims are not a JSON object";
    }

    has_exp = ngx_http_cqrs_jwt_token_time(claims, "exp", &exp);
    has_nbf = ngx_http_cqrs_jwt_token_time(claims, "nbf", &nbf);

    if (has_exp == NGX_ERROR || has_nbf == NGX_ERROR) {
        return "the token's exp or nbf is not a number";
    }

    now = (double) ngx_time();

    if (has_exp == NGX_OK && now >= exp + NGX_HTTP_CQRS_JWT_LEEWAY) {
        return "the token is expired";
    }

    if (has_nbf == NGX_OK && now < nbf - NGX_HTTP_CQRS_JWT_LEEWAY) {
        return "the token is not yet valid";
    }

    return NULL;
}


static ngx_int_t
ngx_http_cqrs_jwt_token_time(json_t *claims, const char *name, double *value)
{
    json_t  *claim;                                        /* borrowed */

    claim = json_object_get(claims, name);

    if (claim == NULL) {
        return NGX_DECLINED;
    }

    if (!json_is_number(claim)) {
        return NGX_ERROR;
    }

    *value = json_number_value(claim);

    return NGX_OK;
}
