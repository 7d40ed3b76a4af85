
/*
 * Copyright (C) The ngx_cqrs authors
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE  1                         /* memmem() */
#endif

#include "cqrs_outcome.h"
#include "cqrs_names.h"
#include "cqrs_uuid.h"

#include <jansson.h>
#include <string.h>


static cqrs_outcome_e cqrs_outcome_read(const json_t *message,
    const char *id);


cqrs_outcome_e
cqrs_outcome_of(const char *message, size_t len, const char *id)
{
    json_t          *json;
    cqrs_outcome_e   outcome;

    /* most messages are of other commands, and not worth reading */

    if (memmem(message, len, id, CQRS_UUID_TEXT_LEN) == NULL) {
        return CQRS_OUTCOME_NONE;
    }

    json = json_loadb(message, len, JSON_DECODE_INT_AS_REAL, NULL);
    if (json == NULL) {
        return CQRS_OUTCOME_NONE;
    }

    outcome = cqrs_outcome_read(json, id);

    json_decref(json);

    return outcome;
}


static cqrs_outcome_e
cqrs_outcome_read(const json_t *message, const char *id)
{
    const json_t  *data;
    const char    *type, *of, *code;

    data = json_object_get(message, "data");
    type = json_string_value(json_object_get(message, "type"));
    of = json_string_value(json_object_get(data, "id"));

    if (type == NULL || of == NULL
        || strlen(of) != CQRS_UUID_TEXT_LEN
        || memcmp(of, id, CQRS_UUID_TEXT_LEN) != 0)
    {
        return CQRS_OUTCOME_NONE;
    }

    if (strcmp(type, CQRS_TYPE_COMPLETED) == 0) {
        return CQRS_OUTCOME_COMPLETED;
    }

    if (strcmp(type, CQRS_TYPE_FAILED) == 0) {
        return CQRS_OUTCOME_FAILED;
    }

    if (strcmp(type, CQRS_TYPE_REJECTED) != 0) {
        return CQRS_OUTCOME_NONE;
    }

    code = json_string_value(json_object_get(data, "code"));

    return (code && strcmp(code, CQRS_CODE_CONFLICT) == 0)
           ? CQRS_OUTCOME_CONFLICT
           : CQRS_OUTCOME_REJECTED;
}
