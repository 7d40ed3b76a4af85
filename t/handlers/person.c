
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * People and their names, which are personal: "meet" says one of the subject
 * named, "who" is rejected and tells of whom a name is known, but not which.
 */

#include "cqrs_handler.h"

#include <string.h>


static json_t *
person_known(const json_t *state)
{
    json_t      *name, *known;
    const char  *subject;

    known = json_object();

    json_object_foreach((json_t *) state, subject, name) {
        (void) json_object_set_new(known, subject,
                                   json_boolean(json_is_string(name)));
    }

    return known;
}


static json_t *
person_decide(const json_t *state, const cqrs_handler_command_t *command)
{
    json_t      *name;
    const char  *subject;

    if (strcmp(command->type, "who") == 0) {
        return cqrs_reject("these", person_known(state), "These.");
    }

    subject = json_string_value(json_object_get(command->data, "subject"));
    name = json_object_get(command->data, "name");

    if (strcmp(command->type, "meet") != 0 || subject == NULL) {
        return NULL;
    }

    return cqrs_accept(cqrs_event_personal(cqrs_event("met", json_object()),
                                           subject,
                                           json_pack("{s:O}", "name", name)),
                       NULL);
}


static json_t *
person_evolve(const json_t *state, const cqrs_handler_event_t *event)
{
    json_t  *now, *name;

    now = state ? json_deep_copy(state) : json_object();
    name = json_object_get(event->personal, "name");

    (void) json_object_set_new(now, event->subject,
                               name ? json_incref(name) : json_null());

    return now;
}


static const cqrs_handler_t  person_handler = {
    .abi = CQRS_HANDLER_ABI,
    .category = "person",
    .decide = person_decide,
    .evolve = person_evolve
};


const cqrs_handler_t *
cqrs_handler(void)
{
    return &person_handler;
}
