
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* Why a token is refused, in PostgREST's words. */

#include "cqrs_jwt.h"

#include "cqrs_buf.h"


typedef struct {
    const char  *sentence;
    const char  *code;
    const char  *message;
    const char  *details;
} cqrs_jwt_refusal_t;


static size_t cqrs_jwt_refuse_parts(const char *token);


static const cqrs_jwt_refusal_t  cqrs_jwt_refusals[] = {
    { "the token's algorithm is not accepted here, it is none",
      "PGRST301", "Wrong or unsupported encoding algorithm",
      "JWT is unsecured but expected 'alg' was not 'none'" },
    { "the token's algorithm is not accepted here",
      "PGRST301", "No suitable key or wrong key type",
      "No suitable key was found to decode the JWT" },
    { "the token names a key that is not known here",
      "PGRST301", "No suitable key or wrong key type",
      "No suitable key was found to decode the JWT" },
    { "the token's signature is not accepted here",
      "PGRST301", "No suitable key or wrong key type",
      "None of the keys was able to decode the JWT" },
    { "the token's claims are not a JSON object",
      "PGRST303", "Parsing claims failed", NULL },
    { "the token's exp is not a number",
      "PGRST303", "The JWT 'exp' claim must be a number", NULL },
    { "the token's nbf is not a number",
      "PGRST303", "The JWT 'nbf' claim must be a number", NULL },
    { "the token's iat is not a number",
      "PGRST303", "The JWT 'iat' claim must be a number", NULL },
    { "the token's aud is neither a text nor a list of texts",
      "PGRST303",
      "The JWT 'aud' claim must be a string or an array of strings", NULL },
    { "the token is expired",
      "PGRST303", "JWT expired", NULL },
    { "the token is not yet valid",
      "PGRST303", "JWT not yet valid", NULL },
    { "the token is issued in the future",
      "PGRST303", "JWT issued at future", NULL },
    { "the token is for another audience",
      "PGRST303", "JWT not in audience", NULL },
    { "the token's issuer is not accepted here",
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
        if (strcmp(refusal->sentence, sentence) == 0) {
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
