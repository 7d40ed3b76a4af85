
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* Why there are no rows, in the form that PostgREST gives it. */

#include "ngx_http_cqrs_query_ctx.h"

#include "ngx_http_cqrs_reply.h"

#include "cqrs_buf.h"
#include "cqrs_buf_json.h"


/* A reason phrase is shown to people, and none of them reads a novel. */
#define NGX_HTTP_CQRS_QUERY_REASON_MAX  100


static ngx_int_t ngx_http_cqrs_query_error_headers(
    ngx_http_cqrs_query_ctx_t *ctx, const cqrs_query_error_t *error);
static ngx_int_t ngx_http_cqrs_query_challenge(ngx_http_cqrs_query_ctx_t *ctx,
    const cqrs_query_error_t *error, ngx_str_t *value);
static unsigned ngx_http_cqrs_query_failure_status(
    ngx_http_cqrs_query_ctx_t *ctx, const char *sqlstate,
    const cqrs_str_t *message, ngx_uint_t place);
static void ngx_http_cqrs_query_reason(ngx_http_cqrs_query_ctx_t *ctx,
    ngx_uint_t status, const cqrs_str_t *text);
static void ngx_http_cqrs_query_field(cqrs_str_t *str, PGresult *result,
    int field);


ngx_int_t
ngx_http_cqrs_query_error(ngx_http_cqrs_query_ctx_t *ctx,
    const cqrs_query_error_t *error)
{
    ngx_str_t         body;

    static ngx_str_t  type = ngx_string("application/json");

    /* what was meant for another answer */

    ctx->nheaders = 0;
    ctx->refused = 1;

    if (ngx_http_cqrs_query_error_body(ctx, error, &body) != NGX_OK
        || ngx_http_cqrs_query_error_headers(ctx, error) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_cqrs_query_send(ctx, error->status, &type, &body);
}


ngx_int_t
ngx_http_cqrs_query_error_body(ngx_http_cqrs_query_ctx_t *ctx,
    const cqrs_query_error_t *error, ngx_str_t *body)
{
    cqrs_buf_t     buf;
    cqrs_str_t     text;
    cqrs_arena_t  *arena;

    /* also where the request has used up all it may have */

    arena = ngx_palloc(ctx->request->pool, sizeof(cqrs_arena_t));
    if (arena == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_cqrs_query_arena(ctx->request, arena,
                                  8 * (error->message.len
                                       + error->details.len
                                       + error->hint.len)
                                  + 65536)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    cqrs_buf_init(&buf, arena);

    cqrs_buf_text(&buf, "{\"code\":");
    cqrs_buf_json(&buf, error->code, ngx_strlen(error->code));
    cqrs_buf_text(&buf, ",\"message\":");
    cqrs_buf_json(&buf, error->message.data, error->message.len);

    if (!ctx->conf->minimal) {
        cqrs_buf_text(&buf, ",\"details\":");

        if (error->details_json && error->details.data) {
            cqrs_buf_str(&buf, &error->details);

        } else {
            cqrs_buf_json(&buf, error->details.data, error->details.len);
        }

        cqrs_buf_text(&buf, ",\"hint\":");
        cqrs_buf_json(&buf, error->hint.data, error->hint.len);
    }

    cqrs_buf_text(&buf, "}");

    if (cqrs_buf_end(&buf, &text) != 0) {
        return NGX_ERROR;
    }

    body->data = (u_char *) text.data;
    body->len = text.len;

    return NGX_OK;
}


static ngx_int_t
ngx_http_cqrs_query_error_headers(ngx_http_cqrs_query_ctx_t *ctx,
    const cqrs_query_error_t *error)
{
    ngx_str_t         value;

    static ngx_str_t  allow = ngx_string("GET, HEAD, OPTIONS");
    static ngx_str_t  second = ngx_string("1");

    value.len = sizeof("PostgREST; error=") - 1 + ngx_strlen(error->code);
    value.data = ngx_pnalloc(ctx->request->pool, value.len);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf(value.data, "PostgREST; error=%s", error->code);

    ngx_http_cqrs_query_header(ctx, "Proxy-Status", &value);

    switch (error->status) {

    case NGX_HTTP_UNAUTHORIZED:

        /* who has raised the error himself says all there is to say */

        if (ctx->answer.status == 0) {

            if (ngx_http_cqrs_query_challenge(ctx, error, &value) != NGX_OK) {
                return NGX_ERROR;
            }

            ngx_http_cqrs_query_header(ctx, "WWW-Authenticate", &value);
        }

        break;

    case NGX_HTTP_NOT_ALLOWED:
        ngx_http_cqrs_query_header(ctx, "Allow", &allow);
        break;

    case NGX_HTTP_SERVICE_UNAVAILABLE:
    case NGX_HTTP_GATEWAY_TIME_OUT:
        ngx_http_cqrs_query_header(ctx, "Retry-After", &second);
        break;

    default:
        break;
    }

    return NGX_OK;
}


/* A token that was sent and is bad is told apart from one that is missing. */

static ngx_int_t
ngx_http_cqrs_query_challenge(ngx_http_cqrs_query_ctx_t *ctx,
    const cqrs_query_error_t *error, ngx_str_t *value)
{
    u_char           *p;

    static ngx_str_t  before = ngx_string("Bearer error=\"invalid_token\", "
                                          "error_description=\"");

    if (ngx_strcmp(error->code, "PGRST301") != 0
        && ngx_strcmp(error->code, "PGRST303") != 0)
    {
        ngx_str_set(value, "Bearer");
        return NGX_OK;
    }

    value->data = ngx_pnalloc(ctx->request->pool,
                              before.len + error->message.len + 1);
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    /* the messages are ours, there is no quote in them */

    p = ngx_cpymem(value->data, before.data, before.len);
    p = ngx_cpymem(p, error->message.data, error->message.len);
    *p++ = '"';

    value->len = p - value->data;

    return NGX_OK;
}


ngx_int_t
ngx_http_cqrs_query_failure(ngx_http_cqrs_query_ctx_t *ctx,
    PGresult *result, ngx_uint_t place)
{
    const char          *sqlstate, *detail;
    cqrs_query_error_t   error;

    sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    if (sqlstate == NULL) {
        sqlstate = "XX000";                /* libpq's own, never seen */
    }

    ngx_memzero(&error, sizeof(cqrs_query_error_t));

    ngx_http_cqrs_query_field(&error.message, result,
                              PG_DIAG_MESSAGE_PRIMARY);
    ngx_http_cqrs_query_field(&error.details, result,
                              PG_DIAG_MESSAGE_DETAIL);
    ngx_http_cqrs_query_field(&error.hint, result, PG_DIAG_MESSAGE_HINT);

    if (ngx_strcmp(sqlstate, "PGRST") == 0) {
        detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);

        cqrs_answer_raised(&ctx->answer, error.message.data
                                         ? error.message.data : "",
                           detail, &ctx->arena, &error);

        ngx_http_cqrs_query_reason(ctx, error.status, &ctx->answer.reason);

    } else {
        error.code = sqlstate;
        error.status = ngx_http_cqrs_query_failure_status(ctx, sqlstate,
                                                          &error.message,
                                                          place);

        if (ngx_strncmp(sqlstate, "PT", 2) == 0
            && error.status != NGX_HTTP_INTERNAL_SERVER_ERROR)
        {
            ngx_http_cqrs_query_reason(ctx, error.status, &error.message);
        }
    }

    /* what the client has caused may quote what it has sent */

    if (error.status < NGX_HTTP_INTERNAL_SERVER_ERROR) {
        ngx_log_error(NGX_LOG_INFO, ctx->request->connection->log, 0,
                      "postgres refused the query, %s", sqlstate);

    } else {
        ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                      "postgres failed in the query, %s \"%*s\"", sqlstate,
                      error.message.len, error.message.data);
    }

    return ngx_http_cqrs_query_error(ctx, &error);
}


static unsigned
ngx_http_cqrs_query_failure_status(ngx_http_cqrs_query_ctx_t *ctx,
    const char *sqlstate, const cqrs_str_t *message, ngx_uint_t place)
{
    /*
     * All that is set has this code when it is bad.  A role that is not there
     * is named in the message, whatever its language.
     */

    if (place == 0 && ctx->role.data && ngx_strcmp(sqlstate, "22023") == 0
        && message->data
        && memmem(message->data, message->len, ctx->role.data, ctx->role.len))
    {
        return NGX_HTTP_UNAUTHORIZED;
    }

    return cqrs_query_status(sqlstate, ctx->anonymous);
}


/* What follows the status in the answer's first line. */

static void
ngx_http_cqrs_query_reason(ngx_http_cqrs_query_ctx_t *ctx, ngx_uint_t status,
    const cqrs_str_t *text)
{
    u_char  *p;
    size_t   i;

    if (text->data == NULL || text->len == 0
        || text->len > NGX_HTTP_CQRS_QUERY_REASON_MAX)
    {
        return;
    }

    for (i = 0; i < text->len; i++) {
        if ((u_char) text->data[i] < 0x20 || (u_char) text->data[i] >= 0x7f) {
            return;
        }
    }

    p = ngx_pnalloc(ctx->request->pool, NGX_INT_T_LEN + 1 + text->len);
    if (p == NULL) {
        return;
    }

    ctx->request->headers_out.status_line.data = p;
    ctx->request->headers_out.status_line.len =
        ngx_sprintf(p, "%ui %*s", status, text->len, text->data) - p;
}


static void
ngx_http_cqrs_query_field(cqrs_str_t *str, PGresult *result, int field)
{
    str->data = PQresultErrorField(result, field);
    str->len = str->data ? ngx_strlen(str->data) : 0;
}


ngx_int_t
ngx_http_cqrs_query_no_result(ngx_http_cqrs_query_ctx_t *ctx,
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

    ngx_log_error(NGX_LOG_WARN, ctx->request->connection->log, 0,
                  "no answer from postgres: %*s", error.message.len,
                  error.message.data);

    return ngx_http_cqrs_query_error(ctx, &error);
}
