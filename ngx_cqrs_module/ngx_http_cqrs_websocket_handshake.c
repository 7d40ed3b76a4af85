
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The opening handshake, RFC 6455, section 4.2.
 *
 * Browsers send cookies along wherever a WebSocket goes and ask nobody first;
 * all that tells pages apart is Origin.  One that is not our own is refused
 * unless cqrs_subscribe_origins names it.
 */

#include "ngx_http_cqrs_jwt.h"
#include "ngx_http_cqrs_websocket.h"
#include "ngx_http_cqrs_reply.h"

#include <openssl/sha.h>


#define NGX_HTTP_CQRS_WEBSOCKET_KEY_LEN  24
#define NGX_HTTP_CQRS_WEBSOCKET_GUID                                          \
    "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


/* nginx 1.22 does not keep Connection where other headers are. */

typedef struct {
    ngx_uint_t  upgrade;     /* Upgrade names websocket */
    ngx_uint_t  connection;  /* Connection names upgrade */
    ngx_str_t  *key;
    ngx_str_t  *version;
    ngx_str_t  *origin;
    ngx_uint_t  twice;       /* one of them is there twice */
} ngx_http_cqrs_websocket_headers_t;


static ngx_int_t ngx_http_cqrs_websocket_check_upgrade(ngx_http_request_t *r,
    ngx_http_cqrs_websocket_headers_t *headers);
static ngx_int_t ngx_http_cqrs_websocket_check_key(ngx_http_request_t *r,
    ngx_str_t *key);
static ngx_uint_t ngx_http_cqrs_websocket_names(ngx_table_elt_t *h,
    const char *token);
static ngx_uint_t ngx_http_cqrs_websocket_origin_allowed(
    ngx_http_request_t *r, const ngx_http_cqrs_subscribe_loc_conf_t *conf,
    ngx_str_t *origin);
static void ngx_http_cqrs_websocket_headers(ngx_http_request_t *r,
    ngx_http_cqrs_websocket_headers_t *headers);
static void ngx_http_cqrs_websocket_header(
    ngx_http_cqrs_websocket_headers_t *headers, ngx_table_elt_t *h);
static ngx_uint_t ngx_http_cqrs_websocket_is(ngx_table_elt_t *h,
    const char *name);
static ngx_int_t ngx_http_cqrs_websocket_refuse(ngx_http_request_t *r,
    const char *header, ngx_str_t *value, const char *kind,
    const char *detail);


static ngx_str_t  ngx_http_cqrs_websocket_protocol = ngx_string("websocket");
static ngx_str_t  ngx_http_cqrs_websocket_version = ngx_string("13");
static ngx_str_t  ngx_http_cqrs_websocket_method = ngx_string("GET");


ngx_int_t
ngx_http_cqrs_websocket_check(ngx_http_request_t *r,
    const ngx_http_cqrs_subscribe_loc_conf_t *conf)
{
    ngx_int_t                          rc;
    ngx_http_cqrs_websocket_headers_t  headers;

    ngx_http_cqrs_websocket_headers(r, &headers);

    rc = ngx_http_cqrs_websocket_check_upgrade(r, &headers);
    if (rc != NGX_OK) {
        return rc;
    }

    if (headers.twice) {
        return ngx_http_cqrs_problem(r, NGX_HTTP_BAD_REQUEST,
                                     "invalid-handshake",
                                     "a header of the WebSocket handshake "
                                     "is there twice");
    }

    if (headers.version == NULL
        || headers.version->len != 2
        || ngx_strncmp(headers.version->data, "13", 2) != 0)
    {
        return ngx_http_cqrs_websocket_refuse(r, "Sec-WebSocket-Version",
                                   &ngx_http_cqrs_websocket_version,
                                   "upgrade-required",
                                   "only version 13 of WebSocket is spoken "
                                   "here");
    }

    rc = ngx_http_cqrs_websocket_check_key(r, headers.key);
    if (rc != NGX_OK) {
        return rc;
    }

    if (headers.origin
        && !ngx_http_cqrs_websocket_origin_allowed(r, conf, headers.origin))
    {
        return ngx_http_cqrs_problem(r, NGX_HTTP_FORBIDDEN, "foreign-origin",
                                     "pages of another origin may not "
                                     "subscribe here");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_cqrs_websocket_check_upgrade(ngx_http_request_t *r,
    ngx_http_cqrs_websocket_headers_t *headers)
{
    if (r->method != NGX_HTTP_GET) {

        if (ngx_http_cqrs_add_header(r, "Allow",
                                     &ngx_http_cqrs_websocket_method)
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_http_cqrs_problem(r, NGX_HTTP_NOT_ALLOWED,
                                     "method-not-allowed",
                                     "a subscription begins with GET");
    }

    if (r->http_version >= NGX_HTTP_VERSION_20) {
        return ngx_http_cqrs_problem(r, NGX_HTTP_NOT_IMPLEMENTED,
                                     "invalid-handshake",
                                     "WebSocket is spoken over HTTP/1.1 "
                                     "only");
    }

    if (r->http_version < NGX_HTTP_VERSION_11 || !headers->upgrade) {
        return ngx_http_cqrs_websocket_refuse(r, "Upgrade",
                                   &ngx_http_cqrs_websocket_protocol,
                                   "upgrade-required",
                                   "a subscription needs a WebSocket, "
                                   "opened with HTTP/1.1");
    }

    if (!headers->connection) {
        return ngx_http_cqrs_problem(r, NGX_HTTP_BAD_REQUEST,
                                     "invalid-handshake",
                                     "the Connection header does not ask "
                                     "for an upgrade");
    }

    if (r->headers_in.content_length_n > 0 || r->headers_in.chunked) {
        return ngx_http_cqrs_problem(r, NGX_HTTP_BAD_REQUEST,
                                     "invalid-handshake",
                                     "a WebSocket handshake has no body");
    }

    if (r->header_in->last - r->header_in->pos > NGX_HTTP_CQRS_WEBSOCKET_READ)
    {
        return ngx_http_cqrs_problem(r, NGX_HTTP_BAD_REQUEST,
                                     "invalid-handshake",
                                     "too much came before the answer to the "
                                     "handshake");
    }

    return NGX_OK;
}


/* Is it the base64 of 16 bytes? */

static ngx_int_t
ngx_http_cqrs_websocket_check_key(ngx_http_request_t *r, ngx_str_t *key)
{
    u_char     buf[ngx_base64_decoded_length(NGX_HTTP_CQRS_WEBSOCKET_KEY_LEN)];
    ngx_str_t  bytes;

    bytes.data = buf;

    if (key == NULL
        || key->len != NGX_HTTP_CQRS_WEBSOCKET_KEY_LEN
        || ngx_decode_base64(&bytes, key) != NGX_OK
        || bytes.len != 16)
    {
        return ngx_http_cqrs_problem(r, NGX_HTTP_BAD_REQUEST,
                                     "invalid-handshake",
                                     "Sec-WebSocket-Key is not the base64 "
                                     "of 16 bytes");
    }

    return NGX_OK;
}


/* A list of words, separated by commas, in any case. */

static ngx_uint_t
ngx_http_cqrs_websocket_names(ngx_table_elt_t *h, const char *token)
{
    u_char  *p, *start, *last;
    size_t   len;

    len = ngx_strlen(token);
    p = h->value.data;
    last = p + h->value.len;

    while (p < last) {

        if (*p == ' ' || *p == '\t' || *p == ',') {
            p++;
            continue;
        }

        start = p;

        while (p < last && *p != ' ' && *p != '\t' && *p != ',') {
            p++;
        }

        if ((size_t) (p - start) == len
            && ngx_strncasecmp(start, (u_char *) token, len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* Ours is what Host says; who spoke TLS with the client we cannot know. */

static ngx_uint_t
ngx_http_cqrs_websocket_origin_allowed(ngx_http_request_t *r,
    const ngx_http_cqrs_subscribe_loc_conf_t *conf, ngx_str_t *origin)
{
    u_char      *host;
    size_t       len;
    ngx_str_t   *allowed;
    ngx_uint_t   i;

    host = ngx_strlcasestrn(origin->data, origin->data + origin->len,
                            (u_char *) "://", 3 - 1);

    if (host && r->headers_in.host) {
        host += 3;
        len = origin->data + origin->len - host;

        if (len == r->headers_in.host->value.len
            && ngx_strncasecmp(host, r->headers_in.host->value.data, len) == 0)
        {
            return 1;
        }
    }

    if (conf->origins == NULL) {
        return 0;
    }

    allowed = conf->origins->elts;

    for (i = 0; i < conf->origins->nelts; i++) {

        if (allowed[i].len == 1 && allowed[i].data[0] == '*') {
            return 1;
        }

        if (allowed[i].len == origin->len
            && ngx_strncasecmp(allowed[i].data, origin->data, origin->len)
               == 0)
        {
            return 1;
        }
    }

    return 0;
}


static void
ngx_http_cqrs_websocket_headers(ngx_http_request_t *r,
    ngx_http_cqrs_websocket_headers_t *headers)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    ngx_memzero(headers, sizeof(ngx_http_cqrs_websocket_headers_t));

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            ngx_http_cqrs_websocket_header(headers, &h[i]);
        }
    }
}


static void
ngx_http_cqrs_websocket_header(ngx_http_cqrs_websocket_headers_t *headers,
    ngx_table_elt_t *h)
{
    ngx_str_t  **value;

    if (ngx_http_cqrs_websocket_is(h, "connection")) {
        headers->connection |= ngx_http_cqrs_websocket_names(h, "upgrade");
        return;
    }

    if (ngx_http_cqrs_websocket_is(h, "upgrade")) {
        headers->upgrade |= ngx_http_cqrs_websocket_names(h, "websocket");
        return;
    }

    if (ngx_http_cqrs_websocket_is(h, "sec-websocket-key")) {
        value = &headers->key;

    } else if (ngx_http_cqrs_websocket_is(h, "sec-websocket-version")) {
        value = &headers->version;

    } else if (ngx_http_cqrs_websocket_is(h, "origin")) {
        value = &headers->origin;

    } else {
        return;
    }

    if (*value) {
        headers->twice = 1;
    }

    *value = &h->value;
}


static ngx_uint_t
ngx_http_cqrs_websocket_is(ngx_table_elt_t *h, const char *name)
{
    return h->key.len == ngx_strlen(name)
           && ngx_strncmp(h->lowcase_key, name, h->key.len) == 0;
}


static ngx_int_t
ngx_http_cqrs_websocket_refuse(ngx_http_request_t *r, const char *header,
    ngx_str_t *value, const char *kind, const char *detail)
{
    if (ngx_http_cqrs_add_header(r, header, value) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_cqrs_problem(r, 426, kind, "%s", detail);
}


ngx_cqrs_message_t *
ngx_http_cqrs_websocket_answer(ngx_http_request_t *r)
{
    u_char                            *p;
    u_char                             digest[SHA_DIGEST_LENGTH];
    u_char                             text[NGX_HTTP_CQRS_WEBSOCKET_KEY_LEN
                                         + sizeof(NGX_HTTP_CQRS_WEBSOCKET_GUID)
                                         - 1];
    ngx_str_t                          hash, accept, subprotocol;
    ngx_cqrs_message_t                *msg;
    ngx_http_cqrs_websocket_headers_t  headers;

    static const char  head[] = "HTTP/1.1 101 Switching Protocols" CRLF
                                "Upgrade: websocket" CRLF
                                "Connection: Upgrade" CRLF
                                "Sec-WebSocket-Accept: ";
    static const char  chosen[] = CRLF "Sec-WebSocket-Protocol: ";

    ngx_http_cqrs_websocket_headers(r, &headers);

    ngx_http_cqrs_jwt_subprotocol(r, &subprotocol);

    p = ngx_cpymem(text, headers.key->data, NGX_HTTP_CQRS_WEBSOCKET_KEY_LEN);
    ngx_memcpy(p, NGX_HTTP_CQRS_WEBSOCKET_GUID,
               sizeof(NGX_HTTP_CQRS_WEBSOCKET_GUID) - 1);

    SHA1(text, sizeof(text), digest);

    hash.data = digest;
    hash.len = SHA_DIGEST_LENGTH;

    msg = ngx_cqrs_message_create(sizeof(head) - 1
                                  + ngx_base64_encoded_length(hash.len)
                                  + sizeof(chosen) - 1 + subprotocol.len
                                  + sizeof(CRLF CRLF) - 1,
                                  r->connection->log);
    if (msg == NULL) {
        return NULL;
    }

    accept.data = ngx_cpymem(msg->data, head, sizeof(head) - 1);
    ngx_encode_base64(&accept, &hash);

    p = accept.data + accept.len;

    if (subprotocol.len) {
        p = ngx_cpymem(p, chosen, sizeof(chosen) - 1);
        p = ngx_cpymem(p, subprotocol.data, subprotocol.len);
    }

    p = ngx_cpymem(p, CRLF CRLF, sizeof(CRLF CRLF) - 1);

    msg->len = p - msg->data;
    msg->has_head = 1;                     /* what comes before is nothing */

    return msg;
}
