
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "ngx_http_cqrs_query_reply.h"

#include "ngx_http_cqrs_jwt.h"
#include "ngx_http_cqrs_reply.h"


static ngx_int_t ngx_http_cqrs_query_reply_range(ngx_http_request_t *r,
    int64_t first, int64_t rows);
static ngx_int_t ngx_http_cqrs_query_reply_json(ngx_http_request_t *r,
    ngx_uint_t status, ngx_str_t *body);
static ngx_int_t ngx_http_cqrs_query_reply_headers(ngx_http_request_t *r,
    const cqrs_query_error_t *error);
static ngx_int_t ngx_http_cqrs_query_reply_member(ngx_http_request_t *r,
    ngx_str_t *json, const cqrs_str_t *value);
static void ngx_http_cqrs_query_reply_text(cqrs_str_t *str,
    const char *text);
static void ngx_http_cqrs_query_reply_cleanup(void *data);


static ngx_str_t  ngx_http_cqrs_query_type = ngx_string("application/json");
static ngx_str_t  ngx_http_cqrs_query_charset = ngx_string("utf-8");


ngx_int_t
ngx_http_cqrs_query_reply_rows(ngx_http_request_t *r, PGresult *result,
    int64_t offset)
{
    int64_t              rows;
    ngx_str_t            body;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        PQclear(result);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_http_cqrs_query_reply_cleanup;
    cln->data = result;

    rows = ngx_atoof((u_char *) PQgetvalue(result, 0, 0),
                     PQgetlength(result, 0, 0));

    body.data = (u_char *) PQgetvalue(result, 0, 1);
    body.len = PQgetlength(result, 0, 1);

    if (ngx_http_cqrs_query_reply_range(r, offset, rows) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_cqrs_query_reply_json(r, NGX_HTTP_OK, &body);
}


ngx_int_t
ngx_http_cqrs_query_reply_error(ngx_http_request_t *r,
    const cqrs_query_error_t *error)
{
    u_char      *p;
    ngx_str_t    body, message, details, hint;

    if (ngx_http_cqrs_query_reply_member(r, &message, &error->message)
        != NGX_OK
        || ngx_http_cqrs_query_reply_member(r, &details, &error->details)
           != NGX_OK
        || ngx_http_cqrs_query_reply_member(r, &hint, &error->hint) != NGX_OK
        || ngx_http_cqrs_query_reply_headers(r, error) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body.len = sizeof("{\"code\":\"\",\"message\":,\"details\":,\"hint\":}")
               + ngx_strlen(error->code) + message.len + details.len
               + hint.len;

    body.data = ngx_pnalloc(r->pool, body.len);
    if (body.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = ngx_sprintf(body.data,
                    "{\"code\":\"%s\",\"message\":%V,\"details\":%V,"
                    "\"hint\":%V}",
                    error->code, &message, &details, &hint);

    body.len = p - body.data;

    return ngx_http_cqrs_query_reply_json(r, error->status, &body);
}


ngx_int_t
ngx_http_cqrs_query_reply_failure(ngx_http_request_t *r, PGresult *result)
{
    ngx_int_t            rc;
    const char          *sqlstate;
    cqrs_query_error_t   error;

    sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    if (sqlstate == NULL) {
        sqlstate = "XX000";                /* libpq's own, never seen */
    }

    ngx_memzero(&error, sizeof(cqrs_query_error_t));

    error.code = sqlstate;
    error.status = cqrs_query_status(sqlstate,
                                     ngx_http_cqrs_jwt_claims(r) == NULL);

    ngx_http_cqrs_query_reply_text(&error.message,
                    PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
    ngx_http_cqrs_query_reply_text(&error.details,
                    PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL));
    ngx_http_cqrs_query_reply_text(&error.hint,
                    PQresultErrorField(result, PG_DIAG_MESSAGE_HINT));

    /* what the client has caused may quote what it has sent */

    if (error.status < NGX_HTTP_INTERNAL_SERVER_ERROR) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "postgres refused the query, %s", sqlstate);

    } else {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "postgres failed in the query, %s \"%*s\"", sqlstate,
                      error.message.len, error.message.data);
    }

    rc = ngx_http_cqrs_query_reply_error(r, &error);

    return rc;
}


ngx_int_t
ngx_http_cqrs_query_reply_nothing(ngx_http_request_t *r,
    ngx_cqrs_pg_status_e status)
{
    cqrs_query_error_t  error;

    switch (status) {

    case NGX_CQRS_PG_OCCUPIED:
        cqrs_query_refuse(&error, NGX_HTTP_GATEWAY_TIME_OUT, "PGRST003",
                "Timed out acquiring connection from connection pool.");
        break;

    case NGX_CQRS_PG_OVERLOADED:
        cqrs_query_refuse(&error, NGX_HTTP_SERVICE_UNAVAILABLE, "PGRST003",
                "Too many requests are waiting for a connection.");
        break;

    case NGX_CQRS_PG_TIMED_OUT:
        cqrs_query_refuse(&error, NGX_HTTP_GATEWAY_TIME_OUT, "57014",
                "canceling statement due to statement timeout");
        break;

    case NGX_CQRS_PG_LOST:
        cqrs_query_refuse(&error, NGX_HTTP_SERVICE_UNAVAILABLE, "PGRST001",
                "Database connection lost. Retrying the connection.");
        break;

    default: /* NGX_CQRS_PG_UNAVAILABLE */
        cqrs_query_refuse(&error, NGX_HTTP_SERVICE_UNAVAILABLE, "PGRST000",
                "Database connection error. Retrying the connection.");
        break;
    }

    ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                  "no answer from postgres: %*s", error.message.len,
                  error.message.data);

    return ngx_http_cqrs_query_reply_error(r, &error);
}


static ngx_int_t
ngx_http_cqrs_query_reply_range(ngx_http_request_t *r, int64_t first,
    int64_t rows)
{
    ngx_str_t  value;

    value.data = ngx_pnalloc(r->pool, 2 * NGX_INT64_LEN + sizeof("-/*"));
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    if (rows > 0) {
        value.len = ngx_sprintf(value.data, "%L-%L/*", first,
                                first + rows - 1)
                    - value.data;

    } else {
        value.len = ngx_sprintf(value.data, "*/*") - value.data;
    }

    return ngx_http_cqrs_add_header(r, "Content-Range", &value);
}


static ngx_int_t
ngx_http_cqrs_query_reply_json(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *body)
{
    r->headers_out.charset = ngx_http_cqrs_query_charset;

    if (r->method == NGX_HTTP_HEAD) {

        /* the body has not been made, so its length is not known */

        r->headers_out.status = status;
        r->headers_out.content_type = ngx_http_cqrs_query_type;
        r->headers_out.content_type_len = ngx_http_cqrs_query_type.len;

        return ngx_http_send_header(r);
    }

    return ngx_http_cqrs_send(r, status, &ngx_http_cqrs_query_type, body);
}


static ngx_int_t
ngx_http_cqrs_query_reply_headers(ngx_http_request_t *r,
    const cqrs_query_error_t *error)
{
    ngx_str_t         value;

    static ngx_str_t  allow = ngx_string("GET, HEAD");
    static ngx_str_t  bearer = ngx_string("Bearer");
    static ngx_str_t  second = ngx_string("1");

    value.len = sizeof("PostgREST; error=") - 1 + ngx_strlen(error->code);
    value.data = ngx_pnalloc(r->pool, value.len);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf(value.data, "PostgREST; error=%s", error->code);

    if (ngx_http_cqrs_add_header(r, "Proxy-Status", &value) != NGX_OK) {
        return NGX_ERROR;
    }

    switch (error->status) {

    case NGX_HTTP_UNAUTHORIZED:
        return ngx_http_cqrs_add_header(r, "WWW-Authenticate", &bearer);

    case NGX_HTTP_NOT_ALLOWED:
        return ngx_http_cqrs_add_header(r, "Allow", &allow);

    case NGX_HTTP_SERVICE_UNAVAILABLE:
    case NGX_HTTP_GATEWAY_TIME_OUT:
        return ngx_http_cqrs_add_header(r, "Retry-After", &second);

    default:
        return NGX_OK;
    }
}


/* A JSON string, or null.  What is not UTF-8 becomes question marks. */

static ngx_int_t
ngx_http_cqrs_query_reply_member(ngx_http_request_t *r, ngx_str_t *json,
    const cqrs_str_t *value)
{
    u_char  *p, *text, *begin, *last;

    if (value->data == NULL) {
        ngx_str_set(json, "null");
        return NGX_OK;
    }

    text = ngx_pnalloc(r->pool, value->len);
    if (text == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(text, value->data, value->len);

    last = text + value->len;

    for (p = text; p < last; /* void */) {
        begin = p;

        if (*p < 0x80) {
            p++;

        } else if (ngx_utf8_decode(&p, last - p) > 0x10ffff) {
            *begin = '?';
            p = begin + 1;
        }
    }

    json->data = ngx_pnalloc(r->pool,
                             value->len + sizeof("\"\"")
                             + ngx_escape_json(NULL, text, value->len));
    if (json->data == NULL) {
        return NGX_ERROR;
    }

    p = json->data;

    *p++ = '"';
    p = (u_char *) ngx_escape_json(p, text, value->len);
    *p++ = '"';

    json->len = p - json->data;

    return NGX_OK;
}


static void
ngx_http_cqrs_query_reply_text(cqrs_str_t *str, const char *text)
{
    str->data = text;
    str->len = text ? ngx_strlen(text) : 0;
}


static void
ngx_http_cqrs_query_reply_cleanup(void *data)
{
    PQclear(data);
}
