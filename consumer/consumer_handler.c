
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "consumer_handler.h"
#include "consumer_process.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>


#define CONSUMER_HANDLER_CATEGORY_MAX  63
#define CONSUMER_HANDLER_TYPE_MAX      100


typedef const cqrs_handler_t *(*consumer_handler_pt)(void);


static int consumer_handler_open(const char *file);
static int consumer_handler_check(const char *file,
    const cqrs_handler_t *handler);
static int consumer_handler_category(const char *category);
static int consumer_handler_refuse(const char *file, const char *reason);
static void *consumer_handler_alloc(size_t size);
static json_t *consumer_handler_ask(const cqrs_handler_t *handler,
    json_t *state, const json_t *command);
static const char *consumer_handler_text(const json_t *object,
    const char *name);
static int consumer_handler_event(const json_t *event,
    cqrs_handler_event_t *taken);
static int consumer_handler_failed(char *error, const cqrs_handler_t *handler,
    const char *what, const char *more);


static const cqrs_handler_t  *consumer_handlers[CONSUMER_HANDLERS_MAX];
static size_t                 consumer_nhandlers;


int
consumer_handler_load(const consumer_options_t *options)
{
    size_t  i;

    for (i = 0; i < options->nhandlers; i++) {
        if (consumer_handler_open(options->handlers[i]) != 0) {
            return -1;
        }
    }

    return 0;
}


static int
consumer_handler_open(const char *file)
{
    void                  *library, *symbol;
    char                   path[4096];
    consumer_handler_pt    get;
    const cqrs_handler_t  *handler;

    /* without a slash the loader would look through the system's libraries */

    if (snprintf(path, sizeof(path), "%s%s", strchr(file, '/') ? "" : "./",
                 file)
        >= (int) sizeof(path))
    {
        return consumer_handler_refuse(file, "its name is too long");
    }

    library = dlopen(path, RTLD_NOW|RTLD_LOCAL);

    if (library == NULL) {
        return consumer_handler_refuse(file, dlerror());
    }

    symbol = dlsym(library, CQRS_HANDLER_SYMBOL);

    if (symbol == NULL) {
        return consumer_handler_refuse(file, "it has no function "
                                       CQRS_HANDLER_SYMBOL "()");
    }

    memcpy(&get, &symbol, sizeof(get));

    handler = get();

    if (consumer_handler_check(file, handler) != 0) {
        return -1;
    }

    consumer_handlers[consumer_nhandlers++] = handler;

    return 0;
}


static int
consumer_handler_check(const char *file, const cqrs_handler_t *handler)
{
    char    reason[256];
    size_t  i;

    if (handler == NULL) {
        return consumer_handler_refuse(file, CQRS_HANDLER_SYMBOL
                                       "() returns nothing");
    }

    if (handler->abi != CQRS_HANDLER_ABI) {
        snprintf(reason, sizeof(reason), "it was built for version %d of "
                 "cqrs_handler.h, not %d", handler->abi, CQRS_HANDLER_ABI);

        return consumer_handler_refuse(file, reason);
    }

    if (handler->category == NULL
        || !consumer_handler_category(handler->category))
    {
        return consumer_handler_refuse(file, "its category must be named by "
                                       "a-z, 0-9 and _, at most 63");
    }

    if (handler->decide == NULL || handler->evolve == NULL) {
        return consumer_handler_refuse(file, "it lacks decide or evolve");
    }

    for (i = 0; i < consumer_nhandlers; i++) {
        if (strcmp(consumer_handlers[i]->category, handler->category) == 0) {
            snprintf(reason, sizeof(reason),
                     "category %s has another handler already",
                     handler->category);

            return consumer_handler_refuse(file, reason);
        }
    }

    return 0;
}


static int
consumer_handler_category(const char *category)
{
    size_t  len;

    len = strspn(category, "abcdefghijklmnopqrstuvwxyz0123456789_");

    return len <= CONSUMER_HANDLER_CATEGORY_MAX && category[len] == '\0'
           && category[0] >= 'a' && category[0] <= 'z';
}


static int
consumer_handler_refuse(const char *file, const char *reason)
{
    fprintf(stderr, "cqrs-consumer: handler \"%s\" cannot be used: %s\n",
            file, reason);

    return -1;
}


const char *
consumer_handler_categories(char text[CONSUMER_HANDLER_CATEGORIES_MAX])
{
    char    *p;
    size_t   i;

    p = text;
    *p++ = '{';

    for (i = 0; i < consumer_nhandlers; i++) {
        p = stpcpy(p, i ? "," : "");
        p = stpcpy(p, consumer_handlers[i]->category);
    }

    strcpy(p, "}");

    return text;
}


const cqrs_handler_t *
consumer_handler_find(const char *stream, size_t len)
{
    size_t       i, n;
    const char  *category;

    for (i = 0; i < consumer_nhandlers; i++) {
        category = consumer_handlers[i]->category;
        n = strlen(category);

        if (len > n && stream[n] == '-' && memcmp(stream, category, n) == 0) {
            return consumer_handlers[i];
        }
    }

    return NULL;
}


int
consumer_handler_init(void)
{
    size_t                 i;
    const cqrs_handler_t  *handler;

    json_set_alloc_funcs(consumer_handler_alloc, free);

    for (i = 0; i < consumer_nhandlers; i++) {
        handler = consumer_handlers[i];

        if (handler->init && handler->init() != 0) {
            consumer_log(CONSUMER_LOG_ERROR,
                         "the handler of category %s cannot begin",
                         handler->category);
            return -1;
        }
    }

    return 0;
}


/*
 * A NULL of jansson's must mean that a plugin made a mistake, never that there
 * was no memory just now: what was left out then would be lost for good.
 */

static void *
consumer_handler_alloc(size_t size)
{
    void  *p;

    p = malloc(size);

    if (p == NULL) {
        consumer_log(CONSUMER_LOG_CRIT, "no memory");
        _exit(CONSUMER_EXIT_ERROR);
    }

    return p;
}


void
consumer_handler_cleanup(void)
{
    size_t  i;

    for (i = 0; i < consumer_nhandlers; i++) {
        if (consumer_handlers[i]->cleanup) {
            consumer_handlers[i]->cleanup();
        }
    }
}


json_t *
consumer_handler_parse(const char *text, size_t len)
{
    json_t  *json;

    json = json_loadb(text, len, JSON_DECODE_ANY, NULL);

    if (json == NULL) {
        json = json_loadb(text, len, JSON_DECODE_ANY|JSON_DECODE_INT_AS_REAL,
                          NULL);
    }

    return json;
}


int
consumer_handler_decide(const cqrs_handler_t *handler, json_t *state,
    const json_t *command, consumer_decision_t *decision,
    char error[CONSUMER_HANDLER_ERROR_MAX])
{
    json_t  *failed;

    memset(decision, 0, sizeof(*decision));

    decision->decision = consumer_handler_ask(handler, state, command);
    decision->events = json_object_get(decision->decision, "events");

    failed = json_object_get(decision->decision, "failed");

    if (failed) {
        consumer_handler_failed(error, handler, "says",
                                json_string_value(failed));
        goto fault;
    }

    if (!json_is_array(decision->events)
        && !json_is_string(json_object_get(decision->decision, "code")))
    {
        consumer_handler_failed(error, handler,
                                "made a decision that is none", NULL);
        goto fault;
    }

    decision->state = json_incref(state);

    if (decision->events
        && consumer_handler_fold(handler, &decision->state, decision->events,
                                 error)
           != 0)
    {
        goto fault;
    }

    return 0;

fault:

    consumer_handler_decided(decision);

    return -1;
}


void
consumer_handler_decided(consumer_decision_t *decision)
{
    json_decref(decision->decision);
    json_decref(decision->state);

    memset(decision, 0, sizeof(*decision));
}


/* A new reference. */

static json_t *
consumer_handler_ask(const cqrs_handler_t *handler, json_t *state,
    const json_t *command)
{
    json_t                  *decision;
    cqrs_handler_command_t   taken;

    taken.id = consumer_handler_text(command, "id");
    taken.stream = consumer_handler_text(command, "stream");
    taken.type = consumer_handler_text(command, "type");
    taken.data = json_object_get(command, "data");
    taken.user = consumer_handler_text(command, "user");
    taken.claims = json_object_get(command, "claims");
    taken.correlation_id = consumer_handler_text(command, "correlation_id");
    taken.causation_id = consumer_handler_text(command, "causation_id");
    taken.traceparent = consumer_handler_text(command, "traceparent");
    taken.issued_at = consumer_handler_text(command, "issued_at");

    /* as the store does */

    if (taken.correlation_id == NULL) {
        taken.correlation_id = taken.id;
    }

    decision = handler->decide(state, &taken);

    if (decision) {
        /* cppcheck-suppress returnDanglingLifetime ; it is the caller's */
        return decision;
    }

    return cqrs_reject("unknown-command", NULL, "There is no command %s.",
                       taken.type);
}


static const char *
consumer_handler_text(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}


int
consumer_handler_fold(const cqrs_handler_t *handler, json_t **state,
    const json_t *events, char error[CONSUMER_HANDLER_ERROR_MAX])
{
    size_t                 i;
    json_t                *now, *next, *event;
    cqrs_handler_event_t   taken;

    now = json_incref(*state);

    json_array_foreach(events, i, event) {

        if (consumer_handler_event(event, &taken) != 0) {
            json_decref(now);
            return consumer_handler_failed(error, handler,
                                           "made an event that is none", NULL);
        }

        next = handler->evolve(now, &taken);

        json_decref(taken.data);

        if (next == NULL && now) {
            json_decref(now);
            return consumer_handler_failed(error, handler,
                                           "lost the state at an event",
                                           taken.type);
        }

        json_decref(now);
        now = next;
    }

    json_decref(*state);
    *state = now;

    return 0;
}


/* A reference to its data is the caller's. */

static int
consumer_handler_event(const json_t *event, cqrs_handler_event_t *taken)
{
    size_t   len;
    json_t  *type, *data, *personal, *revision;

    type = json_object_get(event, "type");
    data = json_object_get(event, "data");
    personal = json_object_get(event, "personal");
    revision = json_object_get(event, "revision");

    len = json_string_length(type);

    if (len == 0 || len > CONSUMER_HANDLER_TYPE_MAX || !json_is_object(data)
        || (revision && !json_is_integer(revision))
        || (personal && !json_is_object(personal) && !json_is_null(personal)))
    {
        return -1;
    }

    if (json_is_null(personal)) {
        personal = NULL;
    }

    taken->type = json_string_value(type);
    taken->data = json_incref(data);
    taken->revision = revision ? (int) json_integer_value(revision) : 1;
    taken->subject = consumer_handler_text(event, "subject");
    taken->personal = personal;

    /* a handler may look for it in either place */

    if (personal) {
        json_decref(data);
        taken->data = json_copy(data);
        json_object_update(taken->data, personal);
    }

    return 0;
}


static int
consumer_handler_failed(char *error, const cqrs_handler_t *handler,
    const char *what, const char *more)
{
    snprintf(error, CONSUMER_HANDLER_ERROR_MAX,
             "The handler of category %s %s%s%s.", handler->category, what,
             more ? ": " : "", more ? more : "");

    return -1;
}
