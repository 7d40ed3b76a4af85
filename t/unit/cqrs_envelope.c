
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* A message becomes what cqrs.execute() takes, or is refused with a reason. */

#include "cqrs_envelope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>


#define FIELD(text)  (cqrs_field_t) { text, sizeof(text) - 1 }
#define ID           "01939d5e-6f1a-7c3b-9d2e-0b6f5a1c7e44"


static cqrs_envelope_t
envelope(void)
{
    cqrs_envelope_t  e;

    memset(&e, 0, sizeof(e));

    e.id = FIELD(ID);
    e.type = FIELD("deposit");
    e.stream = FIELD("account-1");
    e.body = FIELD("{\"amount\": 25}");

    return e;
}


static void
accepted(cqrs_envelope_t e, const char *expected)
{
    char    error[CQRS_ENVELOPE_ERROR_MAX], *text;
    size_t  len;

    text = cqrs_envelope_command(&e, &len, error);

    assert_non_null(text);
    assert_string_equal(text, expected);
    assert_int_equal(len, strlen(expected));

    free(text);
}


static void
refused(cqrs_envelope_t e, const char *expected)
{
    char    error[CQRS_ENVELOPE_ERROR_MAX];
    size_t  len;

    memset(error, '#', sizeof(error));

    assert_null(cqrs_envelope_command(&e, &len, error));
    assert_string_equal(error, expected);
}


static void
test_redelivered(void **state)
{
    cqrs_envelope_t  e;

    (void) state;

    e = envelope();
    e.redelivered = 1;

    accepted(e, "{\"id\":\"" ID "\",\"stream\":\"account-1\","
             "\"type\":\"deposit\",\"data\":{\"amount\": 25},"
             "\"redelivered\":true}");
}


static void
test_least(void **state)
{
    (void) state;

    accepted(envelope(),
             "{\"id\":\"" ID "\",\"stream\":\"account-1\","
             "\"type\":\"deposit\",\"data\":{\"amount\": 25}}");
}


static void
test_all(void **state)
{
    cqrs_envelope_t  e;

    (void) state;

    e = envelope();
    e.user = FIELD("al\"ice\\");
    e.claims = FIELD("{\"role\": \"clerk\"}");
    e.expected_version = FIELD("no-stream");
    e.correlation_id = FIELD("c");
    e.causation_id = FIELD("k");
    e.traceparent = FIELD("t");
    e.issued_at = FIELD("2026-11-23T21:13:00Z");

    accepted(e, "{\"id\":\"" ID "\",\"stream\":\"account-1\","
                "\"type\":\"deposit\",\"user\":\"al\\\"ice\\\\\","
                "\"expected_version\":\"no-stream\","
                "\"correlation_id\":\"c\",\"causation_id\":\"k\","
                "\"traceparent\":\"t\","
                "\"issued_at\":\"2026-11-23T21:13:00Z\","
                "\"data\":{\"amount\": 25},\"claims\":{\"role\": \"clerk\"}}");
}


static void
test_bytes(void **state)
{
    cqrs_envelope_t  e;

    (void) state;

    /* numbers and spaces reach the store as the client wrote them */

    e = envelope();
    e.body = FIELD(" {\"n\" : 123456789012345678901234567890.10 }\n");

    accepted(e, "{\"id\":\"" ID "\",\"stream\":\"account-1\","
                "\"type\":\"deposit\",\"data\":"
                " {\"n\" : 123456789012345678901234567890.10 }\n}");
}


static void
test_required(void **state)
{
    cqrs_envelope_t  e;

    (void) state;

    e = envelope();
    e.id.data = NULL;
    refused(e, "it has no id");

    e = envelope();
    e.id = FIELD("1");
    refused(e, "its id is not a UUID");

    e = envelope();
    e.type.data = NULL;
    refused(e, "it has no type");

    e = envelope();
    e.type = FIELD("De posit");
    refused(e, "its type is not a name");

    e = envelope();
    e.stream.data = NULL;
    refused(e, "it has no stream");

    e = envelope();
    e.stream = FIELD("");
    refused(e, "its stream is not a name");

    e = envelope();
    e.stream = FIELD("account-\xff");
    refused(e, "its stream is not a name");
}


static void
test_json(void **state)
{
    cqrs_envelope_t  e;

    (void) state;

    e = envelope();
    e.body = FIELD("[1]");
    refused(e, "its body: it is not an object");

    e = envelope();
    e.body.data = NULL;
    e.body.len = 0;
    assert_null(cqrs_envelope_command(&e, &(size_t) { 0 },
                                      (char [CQRS_ENVELOPE_ERROR_MAX]) { 0 }));

    e = envelope();
    e.body = FIELD("{\"a\": \"\\u0000\"}");
    assert_null(cqrs_envelope_command(&e, &(size_t) { 0 },
                                      (char [CQRS_ENVELOPE_ERROR_MAX]) { 0 }));

    e = envelope();
    e.body = FIELD("{\"a\": 1\0}");
    refused(e, "its body: line 1: a NUL byte");

    e = envelope();
    e.claims = FIELD("[1]");
    refused(e, "its claims: it is not an object");
}


static void
test_splice(void **state)
{
    cqrs_envelope_t  e;

    (void) state;

    /* nothing that is passed on unread can end the object and begin another */

    e = envelope();
    e.body = FIELD("{},\"user\":\"root\",\"x\":{}");
    assert_null(cqrs_envelope_command(&e, &(size_t) { 0 },
                                      (char [CQRS_ENVELOPE_ERROR_MAX]) { 0 }));

    e = envelope();
    e.claims = FIELD("{}}, {\"id\": 1");
    assert_null(cqrs_envelope_command(&e, &(size_t) { 0 },
                                      (char [CQRS_ENVELOPE_ERROR_MAX]) { 0 }));

    e = envelope();
    e.user = FIELD("\",\"claims\":{\"role\":\"root\"},\"x\":\"");
    accepted(e, "{\"id\":\"" ID "\",\"stream\":\"account-1\","
                "\"type\":\"deposit\",\"user\":\"\\\",\\\"claims\\\":"
                "{\\\"role\\\":\\\"root\\\"},\\\"x\\\":\\\"\","
                "\"data\":{\"amount\": 25}}");
}


static void
test_headers(void **state)
{
    cqrs_envelope_t  e;

    (void) state;

    e = envelope();
    e.user = FIELD("a\0b");
    refused(e, "a header of it is not text in UTF-8");

    e = envelope();
    e.correlation_id = FIELD("\xc3\x28");
    refused(e, "a header of it is not text in UTF-8");

    e = envelope();
    e.user.data = "";
    e.user.len = 0;
    accepted(e, "{\"id\":\"" ID "\",\"stream\":\"account-1\","
                "\"type\":\"deposit\",\"user\":\"\","
                "\"data\":{\"amount\": 25}}");
}


static void
test_limits(void **state)
{
    char             *text, error[CQRS_ENVELOPE_ERROR_MAX], *body;
    size_t            len;
    cqrs_envelope_t   e;

    (void) state;

    body = malloc(CQRS_ENVELOPE_BODY_MAX + 1);
    assert_non_null(body);
    memset(body, ' ', CQRS_ENVELOPE_BODY_MAX + 1);
    memcpy(body, "{}", 2);

    e = envelope();
    e.body.data = body;
    e.body.len = CQRS_ENVELOPE_BODY_MAX;

    text = cqrs_envelope_command(&e, &len, error);
    assert_non_null(text);
    free(text);

    e.body.len++;
    refused(e, "its body is too large");

    e = envelope();
    e.user.data = body;
    e.user.len = CQRS_ENVELOPE_USER_MAX + 1;
    refused(e, "its user's name is too long");

    free(body);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_least),
        cmocka_unit_test(test_redelivered),
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_required),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_splice),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_limits)
    };

    return cmocka_run_group_tests_name("cqrs_envelope", tests, NULL, NULL);
}
