
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "consumer_spec.h"
#include "consumer_handler.h"
#include "consumer_process.h"
#include "cqrs_json.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


typedef struct {
    unsigned       tests;
    unsigned       failed;
    cqrs_json_t    text;
} consumer_spec_t;


static int consumer_spec_is_fixture(const struct dirent *entry);
static void consumer_spec_file(consumer_spec_t *spec, const char *folder,
    const char *name);
static void consumer_spec_fixture(consumer_spec_t *spec, const char *file,
    const json_t *fixture);
static int consumer_spec_ask(const json_t *fixture,
    consumer_decision_t *decision, char error[CONSUMER_HANDLER_ERROR_MAX]);
static int consumer_spec_agrees(const json_t *fixture,
    const consumer_decision_t *decision);
static int consumer_spec_events(const json_t *expected, const json_t *events);
static int consumer_spec_event(const json_t *expected, const json_t *found);
static int consumer_spec_part(const json_t *expected, const json_t *found,
    const char *key);
static int consumer_spec_holds(const json_t *expected, const json_t *found);
static int consumer_spec_equal(const json_t *expected, const json_t *found);
static int consumer_spec_equal_objects(const json_t *expected,
    const json_t *found);
static void consumer_spec_result(consumer_spec_t *spec, int ok,
    const char *file, const char *name);
static void consumer_spec_diag(consumer_spec_t *spec, const char *what,
    const json_t *value);


int
consumer_spec_run(const consumer_options_t *options)
{
    int              i, n;
    const char      *folder;
    struct dirent  **entries;
    consumer_spec_t  spec;

    if (consumer_handler_load(options) != 0) {
        return CONSUMER_EXIT_USAGE;
    }

    folder = options->words[0];
    n = scandir(folder, &entries, consumer_spec_is_fixture, alphasort);

    if (n == -1) {
        fprintf(stderr, "cqrs-consumer: \"%s\" cannot be read: %s\n", folder,
                strerror(errno));
        return CONSUMER_EXIT_USAGE;
    }

    memset(&spec, 0, sizeof(spec));

    if (consumer_handler_init() != 0) {
        spec.failed = 1;
    }

    for (i = 0; i < n; i++) {
        consumer_spec_file(&spec, folder, entries[i]->d_name);
        free(entries[i]);
    }

    free(entries);

    consumer_handler_cleanup();
    cqrs_json_cleanup(&spec.text);

    printf("1..%u\n", spec.tests);

    return (spec.failed || spec.tests == 0) ? CONSUMER_EXIT_ERROR
                                            : CONSUMER_EXIT_OK;
}


static int
consumer_spec_is_fixture(const struct dirent *entry)
{
    size_t  len;

    len = strlen(entry->d_name);

    return len > 5 && strcmp(entry->d_name + len - 5, ".json") == 0;
}


static void
consumer_spec_file(consumer_spec_t *spec, const char *folder, const char *name)
{
    char           path[4096];
    size_t         i;
    json_t        *json, *fixture;
    json_error_t   why;

    snprintf(path, sizeof(path), "%s/%s", folder, name);

    json = json_load_file(path, 0, &why);

    if (json == NULL) {
        consumer_spec_result(spec, 0, name, NULL);
        printf("# line %d: %s\n", why.line, why.text);
        return;
    }

    if (json_is_array(json)) {
        json_array_foreach(json, i, fixture) {
            consumer_spec_fixture(spec, name, fixture);
        }

    } else {
        consumer_spec_fixture(spec, name, json);
    }

    json_decref(json);
}


static void
consumer_spec_fixture(consumer_spec_t *spec, const char *file,
    const json_t *fixture)
{
    int                   ok;
    char                  error[CONSUMER_HANDLER_ERROR_MAX];
    const char           *name;
    consumer_decision_t   decision;

    name = json_string_value(json_object_get(fixture, "name"));

    if (consumer_spec_ask(fixture, &decision, error) != 0) {
        consumer_spec_result(spec, 0, file, name);
        printf("# %s\n", error);
        return;
    }

    ok = consumer_spec_agrees(fixture, &decision);

    consumer_spec_result(spec, ok, file, name);

    if (!ok) {
        consumer_spec_diag(spec, "expected", json_object_get(fixture, "then"));
        consumer_spec_diag(spec, "got", decision.decision);
        consumer_spec_diag(spec, "expected the state",
                           json_object_get(fixture, "state"));
        consumer_spec_diag(spec, "got the state", decision.state);
    }

    consumer_handler_decided(&decision);
}


static int
consumer_spec_ask(const json_t *fixture, consumer_decision_t *decision,
    char error[CONSUMER_HANDLER_ERROR_MAX])
{
    int                    rc;
    json_t                *state, *command, *stream;
    const cqrs_handler_t  *handler;

    command = json_object_get(fixture, "when");
    stream = json_object_get(command, "stream");
    handler = consumer_handler_find(json_is_string(stream)
                                    ? json_string_value(stream) : "",
                                    json_string_length(stream));

    if (handler == NULL) {
        strcpy(error, "No handler was loaded for its stream.");
        return -1;
    }

    if (!json_is_string(json_object_get(command, "type"))
        || !json_is_object(json_object_get(command, "data")))
    {
        strcpy(error, "Its command has no type or no data.");
        return -1;
    }

    state = NULL;

    if (consumer_handler_fold(handler, &state,
                              json_object_get(fixture, "given"), error)
        != 0)
    {
        return -1;
    }

    rc = consumer_handler_decide(handler, state, command, decision, error);

    json_decref(state);

    return rc;
}


static int
consumer_spec_agrees(const json_t *fixture,
    const consumer_decision_t *decision)
{
    json_t  *then, *state;

    then = json_object_get(fixture, "then");
    state = json_object_get(fixture, "state");

    /* null is no state, as in SQL */

    if (state && !(json_is_null(state) && decision->state == NULL)
        && !consumer_spec_equal(state, decision->state))
    {
        return 0;
    }

    if (decision->events) {
        return consumer_spec_events(json_object_get(then, "events"),
                                    decision->events);
    }

    return consumer_spec_holds(json_object_get(then, "rejected"),
                               decision->decision);
}


static int
consumer_spec_events(const json_t *expected, const json_t *events)
{
    size_t   i;
    json_t  *event;

    if (json_array_size(expected) != json_array_size(events)
        || !json_is_array(expected))
    {
        return 0;
    }

    json_array_foreach(expected, i, event) {
        if (!consumer_spec_event(event, json_array_get(events, i))) {
            return 0;
        }
    }

    return 1;
}


/* What may be left out of an event is to be left out of the other one, too. */

static int
consumer_spec_event(const json_t *expected, const json_t *found)
{
    int      rc;
    json_t  *one, *other, *first;

    one = json_copy((json_t *) expected);
    other = json_copy((json_t *) found);
    first = json_pack("{s:i}", "revision", 1);

    (void) json_object_update_missing(one, first);
    (void) json_object_update_missing(other, first);

    rc = consumer_spec_part(one, other, "subject")
         && consumer_spec_part(one, other, "personal");

    (void) json_object_del(one, "subject");
    (void) json_object_del(one, "personal");

    rc = rc && consumer_spec_holds(one, other);

    json_decref(one);
    json_decref(other);
    json_decref(first);

    return rc;
}


/* Null is as good as none. */

static int
consumer_spec_part(const json_t *expected, const json_t *found,
    const char *key)
{
    const json_t  *one, *other;

    one = json_object_get(expected, key);
    other = json_object_get(found, key);

    if (one == NULL || json_is_null(one)) {
        return other == NULL || json_is_null(other);
    }

    return consumer_spec_equal(one, other);
}


/* Whether all that is expected is there, and maybe more. */

static int
consumer_spec_holds(const json_t *expected, const json_t *found)
{
    json_t      *value;
    const char  *key;

    json_object_foreach((json_t *) expected, key, value) {
        if (!consumer_spec_equal(value, json_object_get(found, key))) {
            return 0;
        }
    }

    return json_is_object(expected);
}


/* Unlike jansson, Postgres holds 5 and 5.00 to be the same. */

static int
consumer_spec_equal(const json_t *expected, const json_t *found)
{
    size_t  i, n;

    if (json_is_number(expected) && json_is_number(found)) {
        return json_equal(expected, found)
               || (json_typeof(expected) != json_typeof(found)
                   && json_number_value(expected) == json_number_value(found));
    }

    if (json_is_object(expected) && json_is_object(found)) {
        return consumer_spec_equal_objects(expected, found);
    }

    if (!json_is_array(expected) || !json_is_array(found)) {
        return json_equal(expected, found);
    }

    n = json_array_size(expected);

    for (i = 0; i < n; i++) {
        if (!consumer_spec_equal(json_array_get(expected, i),
                                 json_array_get(found, i)))
        {
            return 0;
        }
    }

    return n == json_array_size(found);
}


static int
consumer_spec_equal_objects(const json_t *expected, const json_t *found)
{
    return json_object_size(expected) == json_object_size(found)
           && consumer_spec_holds(expected, found);
}


static void
consumer_spec_result(consumer_spec_t *spec, int ok, const char *file,
    const char *name)
{
    spec->tests++;
    spec->failed += !ok;

    printf("%sok %u - %s%s%s\n", ok ? "" : "not ", spec->tests, file,
           name ? ": " : "", name ? name : "");
}


static void
consumer_spec_diag(consumer_spec_t *spec, const char *what,
    const json_t *value)
{
    const char  *text;

    cqrs_json_clear(&spec->text);
    cqrs_json_value(&spec->text, value);

    text = cqrs_json_end(&spec->text);

    printf("# %s %s\n", what, text ? text : "");
}
