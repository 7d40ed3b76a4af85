
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* Why a token is refused: our sentences, and PostgREST's words for them. */

#include "cqrs_jwt_sentence.h"

#include "cqrs_buf.h"


typedef struct {
    const char  *sentence;
    const char  *code;
    const char  *message;
    const char  *details;
} cqrs_jwt_refusal_t;


static size_t cqrs_jwt_refuse_parts(const char *token);


/* What has words of its own there; all else is cryptography that failed. */

const char  cqrs_jwt_unsigned[] =
    "the token's algorithm is not accepted here, it is none";
const char  cqrs_jwt_other_algorithm[] =
    "the token's algorithm is not accepted here";
const char  cqrs_jwt_unknown_key[] =
    "the token names a key that is not known here";
const char  cqrs_jwt_bad_signature[] =
    "the token's signature is not accepted here";
const char  cqrs_jwt_bad_claims[] =
    "the token's claims are not a JSON object";
const char  cqrs_jwt_bad_exp[] =
    "the token's exp is not a number";
const char  cqrs_jwt_bad_nbf[] =
    "the token's nbf is not a number";
const char  cqrs_jwt_bad_iat[] =
    "the token's iat is not a number";
const char  cqrs_jwt_bad_aud[] =
    "the token's aud is neither a text nor a list of texts";
const char  cqrs_jwt_expired[] =
    "the token is expired";
const char  cqrs_jwt_not_yet[] =
    "the token is not yet valid";
const char  cqrs_jwt_in_future[] =
    "the token is issued in the future";
const char  cqrs_jwt_other_audience[] =
    "the token is for another audience";
const char  cqrs_jwt_other_issuer[] =
    "the token's issuer is not accepted here";


static const cqrs_jwt_refusal_t  cqrs_jwt_refusals[] = {
    { cqrs_jwt_unsigned,
      "PGRST301", "Wrong or unsupported encoding algorithm",
      "JWT is unsecured but expected 'alg' was not 'none'" },
    { cqrs_jwt_other_algorithm,
      "PGRST301", "No suitable key or wrong key type",
      "No suitable key was found to decode the JWT" },
    { cqrs_jwt_unknown_key,
      "PGRST301", "No suitable key or wrong key type",
      "No suitable key was found to decode the JWT" },
    { cqrs_jwt_bad_signature,
      "PGRST301", "No suitable key or wrong key type",
      "None of the keys was able to decode the JWT" },
    { cqrs_jwt_bad_claims,
      "PGRST303", "Parsing claims failed", NULL },
    { cqrs_jwt_bad_exp,
      "PGRST303", "The JWT 'exp' claim must be a number", NULL },
    { cqrs_jwt_bad_nbf,
      "PGRST303", "The JWT 'nbf' claim must be a number", NULL },
    { cqrs_jwt_bad_iat,
      "PGRST303", "The JWT 'iat' claim must be a number", NULL },
    { cqrs_jwt_bad_aud,
      "PGRST303",
      "The JWT 'aud' claim must be a string or an array of strings", NULL },
    { cqrs_jwt_expired,
      "PGRST303", "JWT expired", NULL },
    { cqrs_jwt_not_yet,
      "PGRST303", "JWT not yet valid", NULL },
    { cqrs_jwt_in_future,
      "PGRST303", "JWT issued at future", NULL },
    { cqrs_jwt_other_audience,
      "PGRST303", "JWT not in audience", NULL },
    { cqrs_jwt_other_issuer,
      "PGRST303", "JWT issuer is not accepted", NULL },
    { NULL,
      "PGRST301", "JWT cryptographic operation failed", NULL }
};


void
cqrs_jwt_refuse(cqrs_query_error_t *error, const char *sentence,
    const char *token, cqrs_arena_t *arena)
{
    size_t                     parts;
    cqrs_buf_t                 buf;
    const cqrs_jwt_refusal_t  *refusal;

    for (refusal = cqrs_jwt_refusals; refusal->sentence; refusal++) {
        if (refusal->sentence == sentence) {
            break;
        }
    }

    cqrs_query_refuse(error, 401, refusal->code, refusal->message);

    if (refusal->details) {
        error->details.data = refusal->details;
        error->details.len = strlen(refusal->details);
    }

    parts = cqrs_jwt_refuse_parts(token);

    if (refusal->sentence || parts == 0 || parts == 3) {
        return;
    }

    cqrs_buf_init(&buf, arena);

    cqrs_buf_text(&buf, "Expected 3 parts in JWT; got ");
    cqrs_buf_number(&buf, parts);

    if (cqrs_buf_end(&buf, &error->message) != 0) {
        cqrs_query_no_memory(error);
    }
}


static size_t
cqrs_jwt_refuse_parts(const char *token)
{
    size_t  parts;

    if (token == NULL) {
        return 0;
    }

    for (parts = 1; *token; token++) {
        if (*token == '.') {
            parts++;
        }
    }

    return parts;
}
