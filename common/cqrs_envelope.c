
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "cqrs_envelope.h"
#include "cqrs_check.h"
#include "cqrs_uuid.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


typedef struct {
    const char         *name;
    size_t              offset;
} cqrs_envelope_member_t;


static int cqrs_envelope_check(const cqrs_envelope_t *envelope, char *error);
static int cqrs_envelope_check_json(const cqrs_field_t *text,
    const char *what, char *error);
static char *cqrs_envelope_head(const cqrs_envelope_t *envelope, char *error);
static int cqrs_envelope_set(json_t *head, const char *name,
    const cqrs_field_t *field);
static char *cqrs_envelope_append(char *p, const char *name,
    const cqrs_field_t *text);
static int cqrs_envelope_refuse(char *error, const char *reason);


static const cqrs_envelope_member_t  cqrs_envelope_members[] = {
    { "id", offsetof(cqrs_envelope_t, id) },
    { "stream", offsetof(cqrs_envelope_t, stream) },
    { "type", offsetof(cqrs_envelope_t, type) },
    { "user", offsetof(cqrs_envelope_t, user) },
    { "expected_version", offsetof(cqrs_envelope_t, expected_version) },
    { "correlation_id", offsetof(cqrs_envelope_t, correlation_id) },
    { "causation_id", offsetof(cqrs_envelope_t, causation_id) },
    { "traceparent", offsetof(cqrs_envelope_t, traceparent) },
    { "issued_at", offsetof(cqrs_envelope_t, issued_at) },
    { NULL, 0 }
};


char *
cqrs_envelope_command(const cqrs_envelope_t *envelope, size_t *len,
    char error[CQRS_ENVELOPE_ERROR_MAX])
{
    char    *head, *text, *p;
    size_t   n;

    if (cqrs_envelope_check(envelope, error) != 0) {
        return NULL;
    }

    head = cqrs_envelope_head(envelope, error);
    if (head == NULL) {
        return NULL;
    }

    n = strlen(head);

    text = malloc(n + sizeof(",\"data\":,\"claims\":,\"redelivered\":true}")
                  + envelope->body.len + envelope->claims.len);

    if (text == NULL) {
        free(head);
        cqrs_envelope_refuse(error, "there is no memory for it");
        return NULL;
    }

    /* the head's closing brace gives way to what is not written anew */

    memcpy(text, head, n - 1);
    free(head);

    p = cqrs_envelope_append(text + n - 1, ",\"data\":", &envelope->body);

    if (envelope->claims.data) {
        p = cqrs_envelope_append(p, ",\"claims\":", &envelope->claims);
    }

    if (envelope->redelivered) {
        p = stpcpy(p, ",\"redelivered\":true");
    }

    *p++ = '}';
    *p = '\0';

    *len = p - text;

    return text;
}


static int
cqrs_envelope_check(const cqrs_envelope_t *envelope, char *error)
{
    cqrs_uuid_t  id;

    if (envelope->id.data == NULL) {
        return cqrs_envelope_refuse(error, "it has no id");
    }

    if (cqrs_uuid_parse(&id, envelope->id.data, envelope->id.len) != 0) {
        return cqrs_envelope_refuse(error, "its id is not a UUID");
    }

    if (envelope->type.data == NULL) {
        return cqrs_envelope_refuse(error, "it has no type");
    }

    if (cqrs_check_type(envelope->type.data, envelope->type.len) != 0) {
        return cqrs_envelope_refuse(error, "its type is not a name");
    }

    if (envelope->stream.data == NULL) {
        return cqrs_envelope_refuse(error, "it has no stream");
    }

    if (cqrs_check_stream(envelope->stream.data, envelope->stream.len) != 0) {
        return cqrs_envelope_refuse(error, "its stream is not a name");
    }

    if (envelope->user.len > CQRS_ENVELOPE_USER_MAX) {
        return cqrs_envelope_refuse(error, "its user's name is too long");
    }

    if (envelope->body.len > CQRS_ENVELOPE_BODY_MAX) {
        return cqrs_envelope_refuse(error, "its body is too large");
    }

    if (envelope->claims.data
        && cqrs_envelope_check_json(&envelope->claims, "claims", error) != 0)
    {
        return -1;
    }

    return cqrs_envelope_check_json(&envelope->body, "body", error);
}


static int
cqrs_envelope_check_json(const cqrs_field_t *text, const char *what,
    char *error)
{
    char  why[CQRS_ENVELOPE_ERROR_MAX - sizeof("its claims: ")];

    if (cqrs_check_body(text->data ? text->data : "", text->len, why,
                        sizeof(why))
        == 0)
    {
        return 0;
    }

    snprintf(error, CQRS_ENVELOPE_ERROR_MAX, "its %s: %s", what, why);

    return -1;
}


static char *
cqrs_envelope_head(const cqrs_envelope_t *envelope, char *error)
{
    char                          *text;
    json_t                        *head;
    const cqrs_envelope_member_t  *m;

    head = json_object();

    for (m = cqrs_envelope_members; m->name; m++) {

        if (cqrs_envelope_set(head, m->name,
                  (const cqrs_field_t *) ((const char *) envelope + m->offset))
            != 0)
        {
            json_decref(head);
            cqrs_envelope_refuse(error, "a header of it is not text in UTF-8");
            return NULL;
        }
    }

    text = json_dumps(head, JSON_COMPACT);

    json_decref(head);

    if (text == NULL) {
        cqrs_envelope_refuse(error, "there is no memory for it");
    }

    return text;
}


static int
cqrs_envelope_set(json_t *head, const char *name, const cqrs_field_t *field)
{
    if (field->data == NULL) {
        return 0;
    }

    /* jansson lets U+0000 pass, Postgres does not */

    if (memchr(field->data, '\0', field->len)) {
        return -1;
    }

    return json_object_set_new(head, name,
                               json_stringn(field->data, field->len));
}


static char *
cqrs_envelope_append(char *p, const char *name, const cqrs_field_t *text)
{
    size_t  n;

    n = strlen(name);

    memcpy(p, name, n);
    memcpy(p + n, text->data, text->len);

    return p + n + text->len;
}


static int
cqrs_envelope_refuse(char *error, const char *reason)
{
    snprintf(error, CQRS_ENVELOPE_ERROR_MAX, "%s", reason);

    return -1;
}
