
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * A header that would break the answer is refused as a malformed one: names
 * are tokens, values have no control characters.
 */

#include "cqrs_answer.h"

#include "cqrs_buf.h"

#include <jansson.h>


#define CQRS_ANSWER_STATUS_MIN  200
#define CQRS_ANSWER_STATUS_MAX  999


static unsigned cqrs_answer_status(const char *text);
static int cqrs_answer_headers(cqrs_answer_t *answer, const json_t *list,
    cqrs_arena_t *arena);
static int cqrs_answer_add(cqrs_answer_header_t ***last, const char *name,
    const json_t *value, cqrs_arena_t *arena);
static int cqrs_answer_name(const char *name);
static int cqrs_answer_value(const char *value, size_t len);
static int cqrs_answer_copy(cqrs_str_t *str, const json_t *text,
    cqrs_arena_t *arena);
static int cqrs_answer_message(const json_t *message, cqrs_arena_t *arena,
    cqrs_query_error_t *error);
static int cqrs_answer_detail(cqrs_answer_t *answer, const json_t *detail,
    cqrs_arena_t *arena);
static void cqrs_answer_unreadable(const char *what, const char *text,
    const char *hint, cqrs_arena_t *arena, cqrs_query_error_t *error);


int
cqrs_answer_read(cqrs_answer_t *answer, const char *status,
    const char *headers, cqrs_arena_t *arena, cqrs_query_error_t *error)
{
    int      rc;
    json_t  *list;

    memset(answer, 0, sizeof(cqrs_answer_t));

    if (status) {
        answer->status = cqrs_answer_status(status);

        if (answer->status == 0) {
            cqrs_query_refuse(error, 500, "PGRST112",
                              "response.status guc must be a valid status "
                              "code");
            return -1;
        }
    }

    if (headers == NULL) {
        return 0;
    }

    list = json_loads(headers, 0, NULL);                   /* new */

    rc = cqrs_answer_headers(answer, list, arena);

    json_decref(list);

    if (rc != 0) {
        cqrs_query_refuse(error, 500, "PGRST111",
                          "response.headers guc must be a JSON array composed "
                          "of objects with a single key and a string value");
    }

    return rc;
}


/* 0: it is none. */

static unsigned
cqrs_answer_status(const char *text)
{
    unsigned     n;
    const char  *p;

    n = 0;

    for (p = text; *p >= '0' && *p <= '9' && p < text + 4; p++) {
        n = n * 10 + (unsigned) (*p - '0');
    }

    return (*p == '\0' && n >= CQRS_ANSWER_STATUS_MIN
            && n <= CQRS_ANSWER_STATUS_MAX) ? n : 0;
}


/* [{"name": "value"}, ...] */

static int
cqrs_answer_headers(cqrs_answer_t *answer, const json_t *list,
    cqrs_arena_t *arena)
{
    size_t                  i;
    json_t                 *object;                        /* borrowed */
    cqrs_answer_header_t  **last;

    if (!json_is_array(list)) {
        return -1;
    }

    last = &answer->headers;

    json_array_foreach(list, i, object) {

        if (!json_is_object(object) || json_object_size(object) != 1) {
            return -1;
        }

        if (cqrs_answer_add(&last,
                  json_object_iter_key(json_object_iter(object)),
                  json_object_iter_value(json_object_iter(object)), arena)
            != 0)
        {
            return -1;
        }
    }

    return 0;
}


static int
cqrs_answer_add(cqrs_answer_header_t ***last, const char *name,
    const json_t *value, cqrs_arena_t *arena)
{
    cqrs_answer_header_t  *header;

    if (!cqrs_answer_name(name) || !json_is_string(value)
        || !cqrs_answer_value(json_string_value(value),
                              json_string_length(value)))
    {
        return -1;
    }

    header = cqrs_arena_calloc(arena, sizeof(cqrs_answer_header_t));

    if (header == NULL) {
        return -1;
    }

    header->name.len = strlen(name);
    header->name.data = cqrs_arena_copy(arena, name, header->name.len);

    if (header->name.data == NULL
        || cqrs_answer_copy(&header->value, value, arena) != 0)
    {
        return -1;
    }

    **last = header;
    *last = &header->next;

    return 0;
}


static int
cqrs_answer_name(const char *name)
{
    const char  *p;

    for (p = name; *p; p++) {
        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z')
              || (*p >= '0' && *p <= '9') || strchr("!#$%&'*+-.^_`|~", *p)))
        {
            return 0;
        }
    }

    return p != name;
}


static int
cqrs_answer_value(const char *value, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        if (((unsigned char) value[i] < 0x20 && value[i] != '\t')
            || value[i] == 0x7f)
        {
            return 0;
        }
    }

    return 1;
}


static int
cqrs_answer_copy(cqrs_str_t *str, const json_t *text, cqrs_arena_t *arena)
{
    str->len = json_string_length(text);
    str->data = cqrs_arena_copy(arena, json_string_value(text), str->len);

    return str->data ? 0 : -1;
}


void
cqrs_answer_raised(cqrs_answer_t *answer, const char *message,
    const char *detail, cqrs_arena_t *arena, cqrs_query_error_t *error)
{
    int                 rc;
    json_t             *json;                              /* new */
    cqrs_query_error_t  raised;

    static const char   of_message[] =
        "MESSAGE must be a JSON object with obligatory keys: 'code', "
        "'message' and optional keys: 'details', 'hint'.";
    static const char   of_detail[] =
        "DETAIL must be a JSON object with obligatory keys: 'status', "
        "'headers' and optional key: 'status_text'.";

    memset(answer, 0, sizeof(cqrs_answer_t));
    memset(&raised, 0, sizeof(cqrs_query_error_t));

    json = json_loads(message, 0, NULL);
    rc = cqrs_answer_message(json, arena, &raised);
    json_decref(json);

    if (rc != 0) {
        cqrs_answer_unreadable("Invalid JSON value for MESSAGE: '", message,
                               of_message, arena, error);
        return;
    }

    if (detail == NULL) {
        cqrs_answer_unreadable("DETAIL is missing in the RAISE statement",
                               NULL, of_detail, arena, error);
        return;
    }

    json = json_loads(detail, 0, NULL);
    rc = cqrs_answer_detail(answer, json, arena);
    json_decref(json);

    if (rc != 0) {
        memset(answer, 0, sizeof(cqrs_answer_t));
        cqrs_answer_unreadable("Invalid JSON value for DETAIL: '", detail,
                               of_detail, arena, error);
        return;
    }

    *error = raised;
    error->status = answer->status;
}


static int
cqrs_answer_message(const json_t *message, cqrs_arena_t *arena,
    cqrs_query_error_t *error)
{
    json_t      *value;                                    /* borrowed */
    cqrs_str_t   code;

    value = json_object_get(message, "code");

    if (!json_is_string(value) || cqrs_answer_copy(&code, value, arena) != 0
        || !cqrs_answer_value(code.data, code.len))
    {
        return -1;
    }

    error->code = code.data;

    value = json_object_get(message, "message");

    if (!json_is_string(value)
        || cqrs_answer_copy(&error->message, value, arena) != 0)
    {
        return -1;
    }

    value = json_object_get(message, "details");

    if (value && !json_is_null(value)
        && (!json_is_string(value)
            || cqrs_answer_copy(&error->details, value, arena) != 0))
    {
        return -1;
    }

    value = json_object_get(message, "hint");

    if (value && !json_is_null(value)
        && (!json_is_string(value)
            || cqrs_answer_copy(&error->hint, value, arena) != 0))
    {
        return -1;
    }

    return 0;
}


static int
cqrs_answer_detail(cqrs_answer_t *answer, const json_t *detail,
    cqrs_arena_t *arena)
{
    json_t                 *value, *headers;               /* borrowed */
    json_int_t              status;
    const char             *name;
    cqrs_answer_header_t  **last;

    value = json_object_get(detail, "status");
    status = json_integer_value(value);

    if (!json_is_integer(value) || status < CQRS_ANSWER_STATUS_MIN
        || status > CQRS_ANSWER_STATUS_MAX)
    {
        return -1;
    }

    answer->status = (unsigned) status;

    value = json_object_get(detail, "status_text");

    if (value && !json_is_null(value)
        && (!json_is_string(value)
            || !cqrs_answer_value(json_string_value(value),
                                  json_string_length(value))
            || cqrs_answer_copy(&answer->reason, value, arena) != 0))
    {
        return -1;
    }

    headers = json_object_get(detail, "headers");

    if (!json_is_object(headers)) {
        return -1;
    }

    last = &answer->headers;

    json_object_foreach(headers, name, value) {
        if (cqrs_answer_add(&last, name, value, arena) != 0) {
            return -1;
        }
    }

    return 0;
}


static void
cqrs_answer_unreadable(const char *what, const char *text, const char *hint,
    cqrs_arena_t *arena, cqrs_query_error_t *error)
{
    cqrs_buf_t  buf;

    cqrs_query_refuse(error, 500, "PGRST121",
                      "Could not parse JSON in the \"RAISE SQLSTATE 'PGRST'\" "
                      "error");

    error->hint.data = hint;
    error->hint.len = strlen(hint);

    cqrs_buf_init(&buf, arena);
    cqrs_buf_text(&buf, what);

    if (text) {
        cqrs_buf_text(&buf, text);
        cqrs_buf_text(&buf, "'");
    }

    if (cqrs_buf_end(&buf, &error->details) != 0) {
        error->details.data = NULL;
    }
}
