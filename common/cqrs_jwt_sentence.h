
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The sentences of cqrs_jwt.h that PostgREST has words of its own for.  They
 * are known by where they are, not by what they say.
 */

#ifndef CQRS_JWT_SENTENCE_H
#define CQRS_JWT_SENTENCE_H


#include "cqrs_jwt.h"


extern const char  cqrs_jwt_unsigned[];
extern const char  cqrs_jwt_other_algorithm[];
extern const char  cqrs_jwt_unknown_key[];
extern const char  cqrs_jwt_bad_signature[];
extern const char  cqrs_jwt_bad_claims[];
extern const char  cqrs_jwt_bad_exp[];
extern const char  cqrs_jwt_bad_nbf[];
extern const char  cqrs_jwt_bad_iat[];
extern const char  cqrs_jwt_bad_aud[];
extern const char  cqrs_jwt_expired[];
extern const char  cqrs_jwt_not_yet[];
extern const char  cqrs_jwt_in_future[];
extern const char  cqrs_jwt_other_audience[];
extern const char  cqrs_jwt_other_issuer[];


#endif /* CQRS_JWT_SENTENCE_H */
