
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * What a client may say of a command, and where it goes: see docs/wire.md.
 * The message's parts point into the request and are copied by nobody but the
 * publisher.
 */

#include "ngx_http_cqrs_command_request.h"
#include "ngx_http_cqrs_command_id.h"
#include "ngx_http_cqrs_jwt.h"
#include "ngx_http_cqrs_reply.h"

#include "ngx_cqrs_random.h"

#include "cqrs_names.h"
#include "cqrs_partition.h"


#define NGX_HTTP_CQRS_COMMAND_TEXT_MAX     128
#define NGX_HTTP_CQRS_COMMAND_KEY_MAX      255
#define NGX_HTTP_CQRS_COMMAND_VERSION_MAX  18       /* digits */


static ngx_uint_t ngx_http_cqrs_command_is_json(ngx_str_t *type);
static ngx_int_t ngx_http_cqrs_command_no_json(ngx_http_request_t *r);
static ngx_int_t ngx_http_cqrs_command_body(ngx_http_request_t *r,
    ngx_str_t *body);
static ngx_int_t ngx_http_cqrs_command_body_copy(ngx_http_request_t *r,
    ngx_str_t *body);
static ngx_int_t ngx_http_cqrs_command_make_id(ngx_http_request_t *r,
    ngx_http_cqrs_command_request_t *cr);
static ngx_int_t ngx_http_cqrs_command_trace(ngx_http_request_t *r,
    ngx_http_cqrs_command_request_t *cr);
static ngx_int_t ngx_http_cqrs_command_causation(ngx_http_request_t *r,
    ngx_http_cqrs_command_request_t *cr);
static ngx_int_t ngx_http_cqrs_command_expected(ngx_http_request_t *r,
    ngx_str_t *expected);
static void ngx_http_cqrs_command_add(ngx_http_cqrs_command_request_t *cr,
    const char *name, const ngx_str_t *value);
static amqp_bytes_t ngx_http_cqrs_command_bytes(const ngx_str_t *text);


static ngx_str_t  ngx_http_cqrs_command_sub = ngx_string("sub");
static ngx_str_t  ngx_http_cqrs_command_exchange =
    ngx_string(CQRS_EXCHANGE_COMMANDS);
static ngx_str_t  ngx_http_cqrs_command_json =
    ngx_string(CQRS_CONTENT_TYPE_JSON);


ngx_int_t
ngx_http_cqrs_command_request_check(ngx_http_request_t *r,
    ngx_http_cqrs_command_request_t *cr)
{
    ngx_int_t         rc;
    ngx_table_elt_t  *type;

    type = r->headers_in.content_type;

    if (type ? !ngx_http_cqrs_command_is_json(&type->value) : !cr->optional) {
        return ngx_http_cqrs_command_no_json(r);
    }

    if (cqrs_check_type((char *) cr->type.data, cr->type.len) != 0) {
        return ngx_http_cqrs_problem(r, NGX_HTTP_NOT_FOUND, "no-such-command",
                                     "a command's type is 1 to %d characters "
                                     "of a-z, 0-9, \".\", \"_\" and \"-\"",
                                     CQRS_TYPE_MAX);
    }

    if (cqrs_check_stream((char *) cr->stream.data, cr->stream.len) != 0) {
        return ngx_http_cqrs_problem(r, NGX_HTTP_BAD_REQUEST, "invalid-stream",
                                     "a stream's name is 1 to %d bytes of "
                                     "UTF-8 without control characters",
                                     CQRS_STREAM_MAX);
    }

    rc = ngx_http_cqrs_command_causation(r, cr);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_cqrs_command_expected(r, &cr->expected);
}


ngx_int_t
ngx_http_cqrs_command_request_build(ngx_http_request_t *r,
    ngx_http_cqrs_command_request_t *cr)
{
    char        error[256];
    ngx_int_t   rc;
    ngx_str_t   claims, *found;

    rc = ngx_http_cqrs_command_body(r, &cr->body);
    if (rc != NGX_OK) {
        return rc;
    }

    if (cr->body.len == 0 && cr->optional) {
        ngx_str_set(&cr->body, "{}");

    } else if (cr->body.len == 0) {
        return ngx_http_cqrs_problem(r, NGX_HTTP_BAD_REQUEST, "empty-body",
                                     "a command's body is a JSON object");

    } else if (r->headers_in.content_type == NULL) {
        return ngx_http_cqrs_command_no_json(r);
    }

    if (cqrs_check_body((char *) cr->body.data, cr->body.len,
                        error, sizeof(error))
        != 0)
    {
        return ngx_http_cqrs_problem(r, NGX_HTTP_BAD_REQUEST, "invalid-json",
                                     "the body is not a JSON object: %s",
                                     error);
    }

    if (ngx_http_cqrs_jwt_claim(r, &ngx_http_cqrs_command_sub, &cr->user)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_cqrs_command_make_id(r, cr);
    if (rc != NGX_OK) {
        return rc;
    }

    claims.data = (u_char *) ngx_http_cqrs_jwt_claims(r);
    claims.len = claims.data ? ngx_strlen(claims.data) : 0;

    ngx_http_cqrs_command_add(cr, CQRS_HEADER_STREAM, &cr->stream);
    ngx_http_cqrs_command_add(cr, CQRS_HEADER_USER, &cr->user);
    ngx_http_cqrs_command_add(cr, CQRS_HEADER_CLAIMS, &claims);
    ngx_http_cqrs_command_add(cr, CQRS_HEADER_EXPECTED_VERSION, &cr->expected);

    ngx_http_cqrs_command_add(cr, CQRS_HEADER_CAUSATION_ID, &cr->causation);

    /* these two come from whoever called the client; a bad one is no error */

    if (ngx_http_cqrs_command_trace(r, cr) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_cqrs_command_add(cr, CQRS_HEADER_TRACEPARENT, &cr->traceparent);

    found = ngx_http_cqrs_command_header(r, "correlation-id", 0);

    if (found
        && cqrs_check_token((char *) found->data, found->len,
                            NGX_HTTP_CQRS_COMMAND_TEXT_MAX)
           == 0)
    {
        ngx_http_cqrs_command_add(cr, CQRS_HEADER_CORRELATION_ID, found);
    }

    cr->message.exchange =
        ngx_http_cqrs_command_bytes(&ngx_http_cqrs_command_exchange);
    cr->message.content_type =
        ngx_http_cqrs_command_bytes(&ngx_http_cqrs_command_json);
    cr->message.message_id = ngx_http_cqrs_command_bytes(&cr->id);
    cr->message.type = ngx_http_cqrs_command_bytes(&cr->type);
    cr->message.body = ngx_http_cqrs_command_bytes(&cr->body);
    cr->message.headers = cr->headers;
    cr->message.timestamp = (uint64_t) ngx_time();

    return NGX_OK;
}


ngx_int_t
ngx_http_cqrs_command_request_route(ngx_http_request_t *r,
    ngx_http_cqrs_command_request_t *cr, ngx_uint_t partitions)
{
    u_char    *p, *last;
    uint32_t   partition;

    p = ngx_pnalloc(r->pool, cr->type.len + 1 + NGX_INT_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    partition = cqrs_partition_of(cr->stream.data, cr->stream.len,
                                  (uint32_t) partitions);

    last = ngx_sprintf(p, "%V.%uD", &cr->type, partition);

    cr->message.routing_key.bytes = p;
    cr->message.routing_key.len = last - p;

    return NGX_OK;
}


static ngx_int_t
ngx_http_cqrs_command_no_json(ngx_http_request_t *r)
{
    return ngx_http_cqrs_problem(r, NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                 "unsupported-media-type",
                                 "a command's Content-Type "
                                 "is application/json");
}


/* "application/json" or what ends in "+json"; parameters may follow. */

static ngx_uint_t
ngx_http_cqrs_command_is_json(ngx_str_t *type)
{
    size_t   len;
    u_char  *p;

    p = ngx_strlchr(type->data, type->data + type->len, ';');
    len = p ? (size_t) (p - type->data) : type->len;

    while (len && type->data[len - 1] == ' ') {
        len--;
    }

    if (len == sizeof("application/json") - 1
        && ngx_strncasecmp(type->data, (u_char *) "application/json", len)
           == 0)
    {
        return 1;
    }

    return len > sizeof("+json") - 1
           && ngx_strncasecmp(type->data + len - (sizeof("+json") - 1),
                              (u_char *) "+json", sizeof("+json") - 1)
              == 0;
}


static ngx_int_t
ngx_http_cqrs_command_body(ngx_http_request_t *r, ngx_str_t *body)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    ngx_str_null(body);

    if (r->request_body == NULL || r->request_body->bufs == NULL) {
        return NGX_OK;
    }

    cl = r->request_body->bufs;
    b = cl->buf;

    if (cl->next == NULL && ngx_buf_in_memory(b)) {
        body->data = b->pos;
        body->len = b->last - b->pos;
        return NGX_OK;
    }

    return ngx_http_cqrs_command_body_copy(r, body);
}


/* In several pieces, or in a file, which is then in the page cache. */

static ngx_int_t
ngx_http_cqrs_command_body_copy(ngx_http_request_t *r, ngx_str_t *body)
{
    off_t         len;
    u_char       *p;
    size_t        size;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    len = 0;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        len += ngx_buf_size(cl->buf);
    }

    if (len == 0) {
        return NGX_OK;           /* a buffer may be neither here nor there */
    }

    body->len = (size_t) len;
    body->data = ngx_pnalloc(r->pool, body->len);
    if (body->data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = body->data;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        b = cl->buf;
        size = (size_t) ngx_buf_size(b);

        if (size == 0) {
            continue;
        }

        if (ngx_buf_in_memory(b)) {
            p = ngx_cpymem(p, b->pos, size);
            continue;
        }

        if (ngx_read_file(b->file, p, size, b->file_pos) != (ssize_t) size) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        p += size;
    }

    return NGX_OK;
}


/* The same user and key give the same command, whoever takes the request. */

static ngx_int_t
ngx_http_cqrs_command_make_id(ngx_http_request_t *r,
    ngx_http_cqrs_command_request_t *cr)
{
    u_char       *name, *p;
    ngx_str_t    *key, *user;
    cqrs_uuid_t   id, nil;

    user = &cr->user;
    key = ngx_http_cqrs_command_header(r, "idempotency-key", 0);

    if (key == NULL) {
        if (ngx_http_cqrs_command_id_next(&id) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

    } else {
        if (cqrs_check_token((char *) key->data, key->len,
                             NGX_HTTP_CQRS_COMMAND_KEY_MAX)
            != 0)
        {
            return ngx_http_cqrs_problem(r, NGX_HTTP_BAD_REQUEST,
                                         "invalid-idempotency-key",
                                         "an Idempotency-Key is 1 to %d "
                                         "visible ASCII characters",
                                         NGX_HTTP_CQRS_COMMAND_KEY_MAX);
        }

        name = ngx_pnalloc(r->pool, user->len + 1 + key->len);
        if (name == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        p = name;

        if (user->len) {
            p = ngx_cpymem(p, user->data, user->len);
        }

        *p++ = LF;
        p = ngx_cpymem(p, key->data, key->len);

        ngx_memzero(&nil, sizeof(cqrs_uuid_t));

        cqrs_uuid_derive(&id, &nil, name, p - name);

        cr->keyed = 1;
    }

    cqrs_uuid_format((char *) cr->id_text, &id);

    cr->id.data = cr->id_text;
    cr->id.len = CQRS_UUID_TEXT_LEN;

    return NGX_OK;
}


/* Two of them are as bad as none. */

static ngx_int_t
ngx_http_cqrs_command_trace(ngx_http_request_t *r,
    ngx_http_cqrs_command_request_t *cr)
{
    u_char      random[CQRS_TRACE_RANDOM_LEN];
    ngx_str_t  *found;

    if (ngx_cqrs_random(random, sizeof(random)) != NGX_OK) {
        return NGX_ERROR;
    }

    found = ngx_http_cqrs_command_header(r, "traceparent", 1)
            ? NULL
            : ngx_http_cqrs_command_header(r, "traceparent", 0);

    cqrs_trace_next((char *) cr->trace_text,
                    found ? (char *) found->data : NULL,
                    found ? found->len : 0, random);

    cr->traceparent.data = cr->trace_text;
    cr->traceparent.len = CQRS_TRACE_LEN;

    return NGX_OK;
}


/*
 * What names its cause is a process manager's command, and domains trust that.
 * So it is the location that says where the name comes from; never a header of
 * a client's by itself.
 */

static ngx_int_t
ngx_http_cqrs_command_causation(ngx_http_request_t *r,
    ngx_http_cqrs_command_request_t *cr)
{
    cqrs_uuid_t  event;

    if (cr->causation.len == 0) {
        return NGX_OK;
    }

    if (cqrs_uuid_parse(&event, (char *) cr->causation.data, cr->causation.len)
        != 0)
    {
        return ngx_http_cqrs_problem(r, NGX_HTTP_BAD_REQUEST,
                                     "invalid-causation",
                                     "a command's cause is the id of an event,"
                                     " a UUID");
    }

    cqrs_uuid_format((char *) cr->causation_text, &event);

    cr->causation.data = cr->causation_text;
    cr->causation.len = CQRS_UUID_TEXT_LEN;

    return NGX_OK;
}


/* The stream's version, as If-Match and If-None-Match say it. */

static ngx_int_t
ngx_http_cqrs_command_expected(ngx_http_request_t *r, ngx_str_t *expected)
{
    ngx_str_t        *value;
    ngx_table_elt_t  *match, *none;

    ngx_str_null(expected);

    match = r->headers_in.if_match;
    none = r->headers_in.if_none_match;

    if (match == NULL && none == NULL) {
        return NGX_OK;
    }

    if (match == NULL) {

        if (none->value.len == 1 && none->value.data[0] == '*') {
            ngx_str_set(expected, "no-stream");
            return NGX_OK;
        }

    } else if (none == NULL) {
        value = &match->value;

        if (value->len == 1 && value->data[0] == '*') {
            ngx_str_set(expected, "exists");
            return NGX_OK;
        }

        if (value->len > 2
            && value->len <= NGX_HTTP_CQRS_COMMAND_VERSION_MAX + 2
            && value->data[0] == '"'
            && value->data[value->len - 1] == '"'
            && ngx_atoi(value->data + 1, value->len - 2) != NGX_ERROR)
        {
            expected->data = value->data + 1;
            expected->len = value->len - 2;
            return NGX_OK;
        }
    }

    return ngx_http_cqrs_problem(r, NGX_HTTP_BAD_REQUEST,
                                 "invalid-precondition",
                                 "the expected version is given by "
                                 "If-Match: \"<number>\", If-Match: * or "
                                 "If-None-Match: *, one of them");
}


ngx_str_t *
ngx_http_cqrs_command_header(ngx_http_request_t *r, const char *name,
    ngx_uint_t n)
{
    size_t            len;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    len = ngx_strlen(name);

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len == len
                && ngx_memcmp(h[i].lowcase_key, name, len) == 0
                && n-- == 0)
            {
                return &h[i].value;
            }
        }
    }

    return NULL;
}


static void
ngx_http_cqrs_command_add(ngx_http_cqrs_command_request_t *cr,
    const char *name, const ngx_str_t *value)
{
    cqrs_amqp_header_t  *h;

    if (value->len == 0) {
        return;
    }

    h = &cr->headers[cr->message.nheaders++];

    h->name = name;
    h->value = ngx_http_cqrs_command_bytes(value);
}


static amqp_bytes_t
ngx_http_cqrs_command_bytes(const ngx_str_t *text)
{
    amqp_bytes_t  bytes;

    bytes.bytes = text->data;
    bytes.len = text->len;

    return bytes;
}
