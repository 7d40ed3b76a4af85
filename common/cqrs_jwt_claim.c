
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Claims by the names of variables.  What is more like the name counts more:
 * the very same, then the same in another case, then one that has characters
 * where only "_" can be in a variable, and only then a path.
 */

#include "cqrs_jwt.h"

#include <string.h>


/* How alike a claim's name and a variable's are. */
#define CQRS_JWT_CLAIM_OTHER    0
#define CQRS_JWT_CLAIM_WRITTEN  1
#define CQRS_JWT_CLAIM_CASE     2


static json_t *cqrs_jwt_claim_member(json_t *claims, const char *name,
    size_t len);
static int cqrs_jwt_claim_likeness(const char *key, const char *name,
    size_t len);
static char cqrs_jwt_claim_lower(char ch);
static json_t *cqrs_jwt_claim_element(json_t *claims, const char *name,
    size_t len);


json_t *
cqrs_jwt_claim(json_t *claims, const char *name, size_t len)
{
    size_t   i;
    json_t  *found;

    found = cqrs_jwt_claim_member(claims, name, len);

    for (i = 1; found == NULL && i + 2 < len; i++) {

        if (name[i] != '_' || name[i + 1] != '_') {
            continue;
        }

        found = cqrs_jwt_claim_member(claims, name, i);

        if (found) {
            found = cqrs_jwt_claim(found, name + i + 2, len - i - 2);
        }
    }

    return found;
}


static json_t *
cqrs_jwt_claim_member(json_t *claims, const char *name, size_t len)
{
    int          likeness, best;
    json_t      *value, *found;
    const char  *key;

    if (json_is_array(claims)) {
        return cqrs_jwt_claim_element(claims, name, len);
    }

    found = json_object_getn(claims, name, len);
    if (found) {
        return found;
    }

    best = CQRS_JWT_CLAIM_OTHER;

    json_object_foreach(claims, key, value) {
        likeness = cqrs_jwt_claim_likeness(key, name, len);

        if (likeness > best) {
            best = likeness;
            found = value;
        }
    }

    return found;
}


static int
cqrs_jwt_claim_likeness(const char *key, const char *name, size_t len)
{
    char    ch;
    int     likeness;
    size_t  i;

    if (strlen(key) != len) {
        return CQRS_JWT_CLAIM_OTHER;
    }

    likeness = CQRS_JWT_CLAIM_CASE;

    for (i = 0; i < len; i++) {
        ch = cqrs_jwt_claim_lower(key[i]);

        if (ch == name[i]) {
            continue;
        }

        if (name[i] != '_'
            || (ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9'))
        {
            return CQRS_JWT_CLAIM_OTHER;
        }

        likeness = CQRS_JWT_CLAIM_WRITTEN;
    }

    return likeness;
}


static char
cqrs_jwt_claim_lower(char ch)
{
    return (ch >= 'A' && ch <= 'Z') ? (char) (ch - 'A' + 'a') : ch;
}


static json_t *
cqrs_jwt_claim_element(json_t *claims, const char *name, size_t len)
{
    size_t  i, n;

    n = 0;

    for (i = 0; i < len; i++) {

        if (name[i] < '0' || name[i] > '9' || n > CQRS_JWT_MAX) {
            return NULL;
        }

        n = n * 10 + (size_t) (name[i] - '0');
    }

    return len ? json_array_get(claims, n) : NULL;
}
