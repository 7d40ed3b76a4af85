
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Where in a token's claims the role is: a path of names, numbers and at last
 * perhaps a condition.
 *
 *     .role
 *     $.app."user-data".roles[0]
 *     .roles[?(@ == "editor")]
 *
 * Conditions on texts are == != ^== (begins with) ==^ (ends with) and *==
 * (holds); the first element of which one is true is meant.
 */

#ifndef CQRS_ROLE_CLAIM_H
#define CQRS_ROLE_CLAIM_H


#include "cqrs_str.h"

#include <jansson.h>


/* Returns NULL if it is such a path, or else where it is not. */
const char *cqrs_role_claim_check(const cqrs_str_t *path);

/* What the path leads to, borrowed; NULL: nothing. */
json_t *cqrs_role_claim_find(const cqrs_str_t *path, json_t *claims);


#endif /* CQRS_ROLE_CLAIM_H */
