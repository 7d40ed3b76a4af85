
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * A category of streams that is decided in C: the one header of a plugin.
 *
 * A plugin is a shared object that exports cqrs_handler(); the consumer loads
 * it by --handler.  It needs this file and jansson, and nothing else of ours:
 *
 *     static json_t *
 *     counter_decide(const json_t *state, const cqrs_handler_command_t *c)
 *     {
 *         if (strcmp(c->type, "add") != 0) {
 *             return NULL;
 *         }
 *
 *         if (!json_is_integer(json_object_get(c->data, "n"))) {
 *             return cqrs_reject("no-number", NULL, "Say how many.");
 *         }
 *
 *         return cqrs_accept(cqrs_event("added", json_incref(c->data)), NULL);
 *     }
 *
 * Ownership, in jansson's words: what a plugin is given is borrowed and lives
 * until it returns; what it returns is a new reference.  States, data and
 * claims are values: they are never changed, only taken over (json_incref) or
 * made anew.  The consumer keeps states while it works on others.
 *
 * Both functions are pure: no clock, no random number, no other service.  They
 * run again when the state was not the newest, and the last answer counts.
 *
 * The ABI is the layout and the meaning of what is below.  Members may be
 * added at the end of what a plugin is given; anything else makes a new
 * number, and a plugin of another number is refused.
 */

#ifndef CQRS_HANDLER_H
#define CQRS_HANDLER_H


#include <jansson.h>
#include <stdarg.h>
#include <stddef.h>


#define CQRS_HANDLER_ABI     1
#define CQRS_HANDLER_SYMBOL  "cqrs_handler"

#define CQRS_HANDLER_EXPORT  __attribute__((visibility("default")))


/* A command.  Texts and claims are NULL where the command has none. */

typedef struct {
    const char  *id;                 /* a UUID */
    const char  *stream;             /* <category>-<id> */
    const char  *type;
    json_t      *data;               /* an object */
    const char  *user;
    json_t      *claims;             /* an object */
    const char  *correlation_id;
    const char  *causation_id;       /* of a process manager's command */
    const char  *traceparent;
    const char  *issued_at;          /* ISO 8601 */
} cqrs_handler_command_t;


/* An event of a decision, or of the log; of that upcast to what is current. */

typedef struct {
    const char  *type;
    json_t      *data;               /* an object, with what is personal */
    int          revision;
    const char  *subject;            /* whom it is about, or NULL */
    json_t      *personal;           /* NULL, also when it was erased */
} cqrs_handler_event_t;


typedef struct {
    int          abi;                /* CQRS_HANDLER_ABI */
    const char  *category;

    /*
     * A decision, made by one of the functions below; NULL: there is no such
     * command.  The state is NULL before the first event.
     */
    json_t    *(*decide)(const json_t *state,
                         const cqrs_handler_command_t *command);

    /*
     * The state after an event.  A type that is unknown leaves the state as it
     * was.  NULL where there was a state is a fault.
     */
    json_t    *(*evolve)(const json_t *state,
                         const cqrs_handler_event_t *event);

    /* Optional: before a worker's first call (0, or it ends); at its end */
    int        (*init)(void);
    void       (*cleanup)(void);
} cqrs_handler_t;


/* What a plugin exports. */
CQRS_HANDLER_EXPORT const cqrs_handler_t *cqrs_handler(void);


/*
 * An event for cqrs_accept().  Takes over data, an object: NULL, as jansson
 * returns when something is wrong, makes the decision a fault, not an event.
 */
static json_t *cqrs_event(const char *type, json_t *data)
    __attribute__((unused));

/* Says that the data of an event has another form than that of revision 1. */
static json_t *cqrs_event_revision(json_t *event, int revision)
    __attribute__((unused));

/*
 * Adds what is personal of somebody: it is kept apart, and can be erased.
 * Takes over personal, an object.
 */
static json_t *cqrs_event_personal(json_t *event, const char *subject,
    json_t *personal)
    __attribute__((unused));

/*
 * The command takes effect with these events, the last one followed by NULL;
 * with none it is done and changes nothing.  Takes them over.
 */
static json_t *cqrs_accept(json_t *event, ...)
    __attribute__((unused, sentinel));

/*
 * The command is refused: a code that stays, a sentence for the user, details
 * for programs (taken over; NULL: none).
 */
static json_t *cqrs_reject(const char *code, json_t *detail,
    const char *format, ...)
    __attribute__((unused, format(printf, 3, 4)));

/*
 * The command cannot be decided, as if SQL had raised an exception: it is
 * tried again, then parked.
 */
static json_t *cqrs_fail(const char *format, ...)
    __attribute__((unused, format(printf, 1, 2)));


static json_t *
cqrs_event(const char *type, json_t *data)
{
    json_t  *event;

    event = json_object();

    if (json_object_set_new(event, "type", json_string(type)) != 0
        || json_object_set_new(event, "data", data) != 0)
    {
        json_decref(event);
        return json_null();
    }

    return event;
}


static json_t *
cqrs_event_revision(json_t *event, int revision)
{
    (void) json_object_set_new(event, "revision", json_integer(revision));

    return event;
}


static json_t *
cqrs_event_personal(json_t *event, const char *subject, json_t *personal)
{
    if (json_object_set_new(event, "subject", json_string(subject)) != 0
        || json_object_set_new(event, "personal", personal) != 0)
    {
        json_decref(event);
        return json_null();
    }

    return event;
}


static json_t *
cqrs_accept(json_t *event, ...)
{
    json_t   *decision, *events;
    va_list   args;

    events = json_array();

    va_start(args, event);

    while (event) {
        (void) json_array_append_new(events, event);
        event = va_arg(args, json_t *);
    }

    va_end(args);

    decision = json_object();
    (void) json_object_set_new(decision, "events", events);

    return decision;
}


static json_t *
cqrs_reject(const char *code, json_t *detail, const char *format, ...)
{
    json_t   *decision;
    va_list   args;

    decision = json_object();
    (void) json_object_set_new(decision, "code", json_string(code));

    va_start(args, format);
    (void) json_object_set_new(decision, "message",
                               json_vsprintf(format, args));
    va_end(args);

    if (detail) {
        (void) json_object_set_new(decision, "detail", detail);
    }

    return decision;
}


static json_t *
cqrs_fail(const char *format, ...)
{
    json_t   *decision;
    va_list   args;

    decision = json_object();

    va_start(args, format);
    (void) json_object_set_new(decision, "failed",
                               json_vsprintf(format, args));
    va_end(args);

    return decision;
}


#endif /* CQRS_HANDLER_H */
