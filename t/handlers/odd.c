
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * A counter that misbehaves when it is told to: "add" counts n, "crash" and
 * "hang" do what they say, "fail" says that it cannot, "nonsense" answers what
 * is no decision, "broken" makes an event that is none, and "lose" one that
 * makes evolve lose the state.  "wait" is slow, but comes back.  "moody" fails
 * as long as there is a file that ODD_MOOD names, then it counts.
 */

#include "cqrs_handler.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>


static json_t *
odd_decide(const json_t *state, const cqrs_handler_command_t *command)
{
    (void) state;

    if (strcmp(command->type, "add") == 0) {
        return cqrs_accept(cqrs_event("added", json_incref(command->data)),
                           NULL);
    }

    if (strcmp(command->type, "twice") == 0) {
        return cqrs_accept(cqrs_event("added", json_pack("{s:i}", "n", 1)),
                           cqrs_event("added", json_pack("{s:i}", "n", 1)),
                           NULL);
    }

    if (strcmp(command->type, "nothing") == 0) {
        return cqrs_accept(NULL, NULL);
    }

    if (strcmp(command->type, "refuse") == 0) {
        return cqrs_reject("too-late", json_incref((json_t *) state),
                           "It is too late.");
    }

    if (strcmp(command->type, "crash") == 0) {
        abort();
    }

    if (strcmp(command->type, "leave") == 0) {
        exit(3);
    }

    if (strcmp(command->type, "hang") == 0) {
        for ( ;; ) {
            pause();
        }
    }

    if (strcmp(command->type, "wait") == 0) {
        usleep(700 * 1000);
        return cqrs_accept(cqrs_event("added", json_pack("{s:i}", "n", 1)),
                           NULL);
    }

    if (strcmp(command->type, "moody") == 0
        && access(getenv("ODD_MOOD"), F_OK) != 0)
    {
        return cqrs_accept(cqrs_event("added", json_incref(command->data)),
                           NULL);
    }

    if (strcmp(command->type, "fail") == 0
        || strcmp(command->type, "moody") == 0)
    {
        return cqrs_fail("no %s today", "counting");
    }

    if (strcmp(command->type, "nonsense") == 0) {
        return json_string("nonsense");
    }

    if (strcmp(command->type, "broken") == 0) {
        return cqrs_accept(cqrs_event("added", json_pack("{s:o}", "n", NULL)),
                           NULL);
    }

    if (strcmp(command->type, "lose") == 0) {
        return cqrs_accept(cqrs_event("lost", json_object()), NULL);
    }

    return NULL;
}


static json_t *
odd_evolve(const json_t *state, const cqrs_handler_event_t *event)
{
    json_int_t  sum, n;

    if (strcmp(event->type, "lost") == 0) {
        return NULL;
    }

    sum = json_integer_value(json_object_get(state, "sum"));
    n = json_integer_value(json_object_get(event->data, "n"));

    return json_pack("{s:I}", "sum", sum + n);
}


static const cqrs_handler_t  odd_handler = {
    .abi = CQRS_HANDLER_ABI,
    .category = "counter",
    .decide = odd_decide,
    .evolve = odd_evolve
};


const cqrs_handler_t *
cqrs_handler(void)
{
    return &odd_handler;
}
