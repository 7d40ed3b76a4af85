
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "consumer_conflict.h"
#include "cqrs_handler.h"

#include <stdlib.h>
#include <string.h>


json_t *
consumer_conflict(const char *expected, int64_t version)
{
    json_t  *detail;

    detail = json_pack("{s:I, s:s}", "version", (json_int_t) version,
                       "expected_version", expected);

    if (strcmp(expected, "no-stream") == 0) {

        if (version > 0) {
            return cqrs_reject("conflict", detail,
                               "It should not exist yet, but is at version "
                               "%lld.", (long long) version);
        }

    } else if (strcmp(expected, "exists") == 0) {

        if (version == 0) {
            return cqrs_reject("conflict", detail,
                               "It should exist already, but does not.");
        }

    } else if (strtoll(expected, NULL, 10) != version) {
        return cqrs_reject("conflict", detail,
                           "It was changed meanwhile: it is at version %lld, "
                           "not %s.", (long long) version, expected);
    }

    json_decref(detail);

    return NULL;
}
