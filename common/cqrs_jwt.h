
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Whether a token is good.  First its shape, algorithm, key and signature,
 * which never change; then its time, audience and issuer, by the rules of whom
 * it is shown to.  Sentences may be shown to who sent it.
 */

#ifndef CQRS_JWT_H
#define CQRS_JWT_H


#include "cqrs_jwt_key.h"
#include "cqrs_query.h"

#include <stdint.h>


/* A longer one is refused unread. */
#define CQRS_JWT_MAX  8192


typedef struct {
    int64_t            leeway;       /* seconds between clocks */
    const cqrs_str_t  *audiences;    /* one of them; none: any will do */
    size_t             naudiences;
    const cqrs_str_t  *issuers;
    size_t             nissuers;
    int                postgrest;    /* its rules: iat counts, and a token for
                                        no audience is for all */
} cqrs_jwt_rules_t;


/*
 * The token ends with a NUL that is not counted.  Returns NULL when it is
 * signed with one of the keys, or else a sentence.  Verified is new, or NULL:
 * an array of the claims and the text they were read from.
 */
const char *cqrs_jwt_verify(const cqrs_jwt_key_t *keys, size_t nkeys,
    const char *token, size_t len, json_t **verified);
json_t *cqrs_jwt_claims(const json_t *verified);
const char *cqrs_jwt_text(const json_t *verified);

/* NULL, or a sentence.  Now is in seconds since 1970. */
const char *cqrs_jwt_accept(const cqrs_jwt_rules_t *rules,
    const json_t *claims, int64_t now);

/*
 * How PostgREST says the same: a code and a message, and details or NULL.  The
 * token may be NULL.  The sentence is the very one that one of those above has
 * returned.
 */
void cqrs_jwt_refuse(cqrs_query_error_t *error, const char *sentence,
    const char *token, cqrs_arena_t *arena);

/*
 * When an accepted token is no longer good: the first second, or 0 for one
 * that always is.
 */
int64_t cqrs_jwt_end(const cqrs_jwt_rules_t *rules, const json_t *claims);

/*
 * The claim that a variable's name means: its own, or a path of names and
 * numbers with "__" between them.  A name has letters in lower case, and "_"
 * where a claim has something that variables can't have.  Borrowed; NULL:
 * there is none.
 */
json_t *cqrs_jwt_claim(json_t *claims, const char *name, size_t len);


#endif /* CQRS_JWT_H */
