
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* The answer to a query that was run. */

#include "ngx_http_cqrs_query_ctx.h"

#include "cqrs_buf.h"
#include "cqrs_range.h"

#include <jansson.h>


static ngx_int_t ngx_http_cqrs_query_reply_found(
    ngx_http_cqrs_query_ctx_t *ctx, ngx_http_cqrs_query_found_t *found);
static ngx_int_t ngx_http_cqrs_query_allowed(ngx_http_cqrs_query_ctx_t *ctx,
    const ngx_http_cqrs_query_found_t *found, cqrs_query_error_t *error);
static void ngx_http_cqrs_query_total(ngx_http_cqrs_query_ctx_t *ctx,
    ngx_http_cqrs_query_found_t *found, PGresult **results);
static int64_t ngx_http_cqrs_query_guess(PGresult *result);
static ngx_int_t ngx_http_cqrs_query_describe(ngx_http_cqrs_query_ctx_t *ctx,
    const ngx_http_cqrs_query_found_t *found);
static ngx_int_t ngx_http_cqrs_query_location(ngx_http_cqrs_query_ctx_t *ctx,
    ngx_str_t *value);
static ngx_int_t ngx_http_cqrs_query_warn(ngx_http_cqrs_query_ctx_t *ctx);
static void ngx_http_cqrs_query_legacy(cqrs_buf_t *buf,
    const cqrs_query_node_t *node);
static ngx_int_t ngx_http_cqrs_query_beyond(ngx_http_cqrs_query_ctx_t *ctx,
    const ngx_http_cqrs_query_found_t *found);
static void ngx_http_cqrs_query_clear(void *data);


ngx_int_t
ngx_http_cqrs_query_reply(ngx_http_cqrs_query_ctx_t *ctx,
    PGresult **results)
{
    ngx_int_t                     rc;
    PGresult                     *result, *said;
    ngx_pool_cleanup_t           *cln;
    ngx_http_cqrs_query_found_t   found;

    /* the body is not copied: the result lives as long as the request */

    cln = ngx_pool_cleanup_add(ctx->request->pool, 0);
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    result = ngx_cqrs_pg_take_result(ctx->op, ctx->main);

    cln->handler = ngx_http_cqrs_query_clear;
    cln->data = result;

    rc = ngx_http_cqrs_query_rows(ctx, result, &found);

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? rc : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->options.explain) {
        return ngx_http_cqrs_query_send_body(ctx, NGX_HTTP_OK);
    }

    if (ctx->said != NGX_HTTP_CQRS_QUERY_NONE) {
        said = results[ctx->said];

        found.headers = PQgetisnull(said, 0, 0) ? NULL
                                                : PQgetvalue(said, 0, 0);
        found.status = PQgetisnull(said, 0, 1) ? NULL
                                               : PQgetvalue(said, 0, 1);
    }

    ngx_http_cqrs_query_total(ctx, &found, results);

    return ngx_http_cqrs_query_reply_found(ctx, &found);
}


static ngx_int_t
ngx_http_cqrs_query_reply_found(ngx_http_cqrs_query_ctx_t *ctx,
    ngx_http_cqrs_query_found_t *found)
{
    ngx_str_t           none;
    ngx_uint_t          status;
    cqrs_query_error_t  error;

    if (ngx_http_cqrs_query_allowed(ctx, found, &error) != NGX_OK
        || cqrs_answer_read(&ctx->answer, found->status, found->headers,
                            &ctx->arena, &error)
           != 0)
    {
        return ngx_http_cqrs_query_error(ctx, &error);
    }

    if (ngx_http_cqrs_query_describe(ctx, found) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->nothing) {
        ngx_str_set(&none, "");
        return ngx_http_cqrs_query_send(ctx, NGX_HTTP_NO_CONTENT, NULL,
                                        &none);
    }

    status = cqrs_range_status(ctx->query.root.offset, found->rows,
                               found->total);

    if (status == NGX_HTTP_RANGE_NOT_SATISFIABLE) {
        return ngx_http_cqrs_query_beyond(ctx, found);
    }

    return ngx_http_cqrs_query_send_body(ctx, status);
}


/* What depends on the number of rows. */

static ngx_int_t
ngx_http_cqrs_query_allowed(ngx_http_cqrs_query_ctx_t *ctx,
    const ngx_http_cqrs_query_found_t *found, cqrs_query_error_t *error)
{
    const char  *before;
    cqrs_buf_t   buf;

    if ((ctx->media.kind == CQRS_MEDIA_OBJECT
         || ctx->media.kind == CQRS_MEDIA_OBJECT_STRIPPED)
        && found->rows != 1)
    {
        cqrs_query_refuse(error, 406, "PGRST116",
                          "Cannot coerce the result to a single JSON object");
        before = "The result contains ";

    } else if (ctx->kind == NGX_HTTP_CQRS_QUERY_FUNCTION
               && ctx->preferences.max_affected >= 0
               && found->rows > ctx->preferences.max_affected
               && cqrs_preferences_is(&ctx->preferences, CQRS_PREFER_HANDLING,
                                      "strict"))
    {
        cqrs_query_refuse(error, NGX_HTTP_BAD_REQUEST, "PGRST124",
                          "Query result exceeds max-affected preference "
                          "constraint");
        before = "The query affects ";

    } else {
        return NGX_OK;
    }

    cqrs_buf_init(&buf, &ctx->arena);
    cqrs_buf_text(&buf, before);
    cqrs_buf_number(&buf, (size_t) found->rows);
    cqrs_buf_text(&buf, " rows");

    if (cqrs_buf_end(&buf, &error->details) != 0) {
        cqrs_query_no_memory(error);
    }

    return NGX_ERROR;
}


/*
 * A planned total is Postgres' guess.  An estimated one was counted, up to the
 * highest number of rows; beyond it the guess counts if it is larger.
 */

static void
ngx_http_cqrs_query_total(ngx_http_cqrs_query_ctx_t *ctx,
    ngx_http_cqrs_query_found_t *found, PGresult **results)
{
    int64_t  guess;

    if (ctx->estimate == NGX_HTTP_CQRS_QUERY_NONE) {
        return;
    }

    guess = ngx_http_cqrs_query_guess(results[ctx->estimate]);

    if (ctx->options.count == CQRS_QUERY_COUNT_PLANNED) {
        found->total = guess;
        return;
    }

    if (found->total > ctx->options.max_rows && guess > found->total) {
        found->total = guess;
    }
}


/* "Plan Rows" of the outermost plan; -1: it does not say. */

static int64_t
ngx_http_cqrs_query_guess(PGresult *result)
{
    json_t   *plan, *rows;                                 /* new, borrowed */
    int64_t   guess;

    if (PQntuples(result) != 1) {
        return -1;
    }

    plan = json_loads(PQgetvalue(result, 0, 0), 0, NULL);

    rows = json_object_get(json_object_get(json_array_get(plan, 0), "Plan"),
                           "Plan Rows");

    guess = json_is_number(rows) ? (int64_t) json_number_value(rows) : -1;

    json_decref(plan);

    return guess;
}


static ngx_int_t
ngx_http_cqrs_query_describe(ngx_http_cqrs_query_ctx_t *ctx,
    const ngx_http_cqrs_query_found_t *found)
{
    u_char      *p;
    ngx_str_t    value;
    cqrs_str_t   applied;

    p = cqrs_arena_alloc(&ctx->arena, CQRS_RANGE_MAX);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value.data = p;
    value.len = cqrs_range_write((char *) p, ctx->query.root.offset,
                                 found->rows, found->total);

    ngx_http_cqrs_query_header(ctx, "Content-Range", &value);

    if (ctx->kind == NGX_HTTP_CQRS_QUERY_RELATION) {

        if (ngx_http_cqrs_query_location(ctx, &value) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_http_cqrs_query_header(ctx, "Content-Location", &value);
    }

    if (cqrs_preferences_applied(&ctx->preferences,
                                 ctx->kind == NGX_HTTP_CQRS_QUERY_FUNCTION,
                                 &ctx->arena, &applied)
        != 0)
    {
        return NGX_ERROR;
    }

    if (applied.data) {
        value.data = (u_char *) applied.data;
        value.len = applied.len;

        ngx_http_cqrs_query_header(ctx, "Preference-Applied", &value);
    }

    return ngx_http_cqrs_query_warn(ctx);
}


/* The same relation, whatever the order of the arguments. */

static ngx_int_t
ngx_http_cqrs_query_location(ngx_http_cqrs_query_ctx_t *ctx,
    ngx_str_t *value)
{
    u_char     *p;
    size_t      size, escaped;
    ngx_str_t  *uri;

    uri = &ctx->request->uri;

    escaped = 2 * ngx_escape_uri(NULL, uri->data, uri->len, NGX_ESCAPE_URI);

    size = uri->len + escaped + ctx->query.canonical.len + sizeof("?");

    p = cqrs_arena_alloc(&ctx->arena, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value->data = p;

    if (escaped) {
        p = (u_char *) ngx_escape_uri(p, uri->data, uri->len, NGX_ESCAPE_URI);
    } else {
        p = ngx_cpymem(p, uri->data, uri->len);
    }

    if (ctx->query.canonical.len) {
        *p++ = '?';
        p = ngx_cpymem(p, ctx->query.canonical.data,
                       ctx->query.canonical.len);
    }

    value->len = p - value->data;

    return NGX_OK;
}


/* An embed that was meant by its name although it has another one here. */

static ngx_int_t
ngx_http_cqrs_query_warn(ngx_http_cqrs_query_ctx_t *ctx)
{
    cqrs_buf_t   buf;
    cqrs_str_t   text;
    ngx_str_t    value;

    cqrs_buf_init(&buf, &ctx->arena);

    ngx_http_cqrs_query_legacy(&buf, ctx->query.root.children);

    if (buf.len == 0 && !buf.failed) {
        return NGX_OK;
    }

    cqrs_buf_text(&buf, " in query string filters, orders or limits.\"");

    if (cqrs_buf_end(&buf, &text) != 0) {
        return NGX_ERROR;
    }

    value.data = (u_char *) text.data;
    value.len = text.len;

    ngx_http_cqrs_query_header(ctx, "Warning", &value);

    return NGX_OK;
}


static void
ngx_http_cqrs_query_legacy(cqrs_buf_t *buf, const cqrs_query_node_t *node)
{
    size_t             i, k;
    const cqrs_str_t  *name[2];

    for ( /* void */ ; node; node = node->next) {

        if (node->legacy && node->alias.data) {

            cqrs_buf_text(buf, buf->len ? ", "
                : "299 ngx_cqrs \"Embedded resource was referenced by "
                  "relation name even though it has an alias. Update ");

            name[0] = &node->name;
            name[1] = &node->alias;

            for (i = 0; i < 2; i++) {
                cqrs_buf_text(buf, i ? "` to `" : "`");

                /* nothing that would end the quotes, or the header */

                for (k = 0; k < name[i]->len; k++) {
                    if ((u_char) name[i]->data[k] < 0x20
                        || name[i]->data[k] == '"'
                        || name[i]->data[k] == '\\')
                    {
                        cqrs_buf_text(buf, "?");

                    } else {
                        cqrs_buf_add(buf, &name[i]->data[k], 1);
                    }
                }
            }

            cqrs_buf_text(buf, "`");
        }

        ngx_http_cqrs_query_legacy(buf, node->children);
    }
}


/*
 * There are rows, but they end before those that were asked for.  Of what type
 * these would have been is told, as PostgREST does.
 */

static ngx_int_t
ngx_http_cqrs_query_beyond(ngx_http_cqrs_query_ctx_t *ctx,
    const ngx_http_cqrs_query_found_t *found)
{
    ngx_str_t           body;
    cqrs_buf_t          buf;
    cqrs_query_error_t  error;

    cqrs_query_refuse(&error, NGX_HTTP_RANGE_NOT_SATISFIABLE, "PGRST103",
                      "Requested range not satisfiable");

    cqrs_buf_init(&buf, &ctx->arena);
    cqrs_buf_text(&buf, "An offset of ");
    cqrs_buf_number(&buf, (size_t) ctx->query.root.offset);
    cqrs_buf_text(&buf, " was requested, but there are only ");
    cqrs_buf_number(&buf, (size_t) found->total);
    cqrs_buf_text(&buf, " rows.");

    if (cqrs_buf_end(&buf, &error.details) != 0
        || ngx_http_cqrs_query_error_body(ctx, &error, &body) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_cqrs_query_send(ctx, error.status, NULL, &body);
}


static void
ngx_http_cqrs_query_clear(void *data)
{
    PQclear(data);
}
