
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * A request waits twice at most: for the catalogue, if there is none yet or it
 * lacks what the request names, and for the rows.  While it waits the client
 * may leave; then the cleanup handler ends the waiting.
 */

#include "ngx_http_cqrs_query_ctx.h"

#include "ngx_http_cqrs_jwt.h"
#include "ngx_http_cqrs_query_openapi.h"


/* All that one request may need; its URL is limited by nginx. */
#define NGX_HTTP_CQRS_QUERY_MEMORY  (1024 * 1024)


static ngx_http_cqrs_query_ctx_t *ngx_http_cqrs_query_create(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_cqrs_query_begin(ngx_http_cqrs_query_ctx_t *ctx);
static ngx_int_t ngx_http_cqrs_query_run(ngx_http_cqrs_query_ctx_t *ctx);
static ngx_int_t ngx_http_cqrs_query_again(ngx_http_cqrs_query_ctx_t *ctx,
    const cqrs_query_error_t *error);
static ngx_int_t ngx_http_cqrs_query_load(ngx_http_cqrs_query_ctx_t *ctx);
static void ngx_http_cqrs_query_loaded(ngx_cqrs_pg_status_e status,
    void *data);
static void ngx_http_cqrs_query_done(ngx_cqrs_pg_status_e status,
    PGresult **results, ngx_uint_t n, void *data);
static ngx_int_t ngx_http_cqrs_query_care(ngx_http_cqrs_query_ctx_t *ctx);
static void ngx_http_cqrs_query_outdated(ngx_http_cqrs_query_ctx_t *ctx,
    PGresult *result);
static void ngx_http_cqrs_query_cleanup(void *data);
static void ngx_http_cqrs_query_free(void *data);


ngx_int_t
ngx_http_cqrs_query_handler(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_http_cqrs_query_ctx_t  *ctx;

    ctx = ngx_http_cqrs_query_create(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_cqrs_query_begin(ctx);

    if (ctx->state == NGX_HTTP_CQRS_QUERY_ACTIVE) {
        return rc;
    }

    /* the client may leave now: its socket is watched */

    if (r->connection->read->ready) {
        ngx_post_event(r->connection->read, &ngx_posted_events);

    } else if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (!r->discard_body) {
        r->read_event_handler = ngx_http_test_reading;
    }

    r->main->count++;

    return NGX_DONE;
}


static ngx_http_cqrs_query_ctx_t *
ngx_http_cqrs_query_create(ngx_http_request_t *r)
{
    ngx_http_cleanup_t         *stop;
    ngx_http_cqrs_query_ctx_t  *ctx;

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_cqrs_query_ctx_t));
    if (ctx == NULL) {
        return NULL;
    }

    ctx->request = r;
    ctx->conf = ngx_http_get_module_loc_conf(r, ngx_http_cqrs_query_module);

    if (ngx_http_cqrs_query_arena(r, &ctx->arena, NGX_HTTP_CQRS_QUERY_MEMORY)
        != NGX_OK)
    {
        return NULL;
    }

    ngx_http_cqrs_query_body_init(&ctx->body, r, ctx->conf->buffer, 1);

    stop = ngx_http_cleanup_add(r, 0);
    if (stop == NULL) {
        return NULL;
    }

    stop->handler = ngx_http_cqrs_query_cleanup;
    stop->data = ctx;

    return ctx;
}


ngx_int_t
ngx_http_cqrs_query_arena(ngx_http_request_t *r, cqrs_arena_t *arena,
    size_t limit)
{
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cqrs_arena_init(arena, limit);

    cln->handler = ngx_http_cqrs_query_free;
    cln->data = arena;

    return NGX_OK;
}


static ngx_int_t
ngx_http_cqrs_query_begin(ngx_http_cqrs_query_ctx_t *ctx)
{
    ngx_int_t            rc;
    const char          *claims;
    ngx_http_request_t  *r;
    cqrs_query_error_t   error;

    r = ctx->request;

    ngx_http_cqrs_query_step(ctx, NGX_HTTP_CQRS_QUERY_JWT);

    if (ngx_http_cqrs_query_preflight(ctx, &rc)) {
        return rc;
    }

    if (ctx->conf->roles) {

        if (ngx_http_cqrs_query_identify(ctx, &error) != NGX_OK) {
            return ngx_http_cqrs_query_error(ctx, &error);
        }

    } else {
        rc = ngx_http_cqrs_jwt_authorize(r);
        if (rc != NGX_OK) {
            return rc;
        }

        claims = ngx_http_cqrs_jwt_claims(r);

        ctx->claims.data = claims;
        ctx->claims.len = claims ? ngx_strlen(claims) : 0;
        ctx->anonymous = (claims == NULL);
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_http_cqrs_query_step(ctx, NGX_HTTP_CQRS_QUERY_JWT);

    if (ngx_http_cqrs_query_request(ctx, &error) != NGX_OK) {
        return ngx_http_cqrs_query_error(ctx, &error);
    }

    ngx_http_cqrs_query_step(ctx, NGX_HTTP_CQRS_QUERY_PARSE);

    return ngx_http_cqrs_query_run(ctx);
}


static ngx_int_t
ngx_http_cqrs_query_run(ngx_http_cqrs_query_ctx_t *ctx)
{
    ngx_int_t            rc, planned;
    cqrs_query_error_t   error;
    ngx_cqrs_pg_query_t  query;

    if (ctx->kind != NGX_HTTP_CQRS_QUERY_TEXT
        && ngx_cqrs_catalog_current(ctx->conf->catalog) == NULL)
    {
        return (ngx_http_cqrs_query_load(ctx) == NGX_OK)
               ? NGX_DONE
               : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->request->method == NGX_HTTP_OPTIONS) {
        planned = ngx_http_cqrs_query_info(ctx, &error, &rc);

        return (planned == NGX_OK) ? rc
                                   : ngx_http_cqrs_query_again(ctx, &error);
    }

    planned = (ctx->kind == NGX_HTTP_CQRS_QUERY_ROOT)
              ? ngx_http_cqrs_query_openapi(ctx, &error)
              : ngx_http_cqrs_query_plan(ctx, &error);

    if (planned != NGX_OK) {
        return ngx_http_cqrs_query_again(ctx, &error);
    }

    ngx_http_cqrs_query_step(ctx, NGX_HTTP_CQRS_QUERY_PLAN);

    ngx_memzero(&query, sizeof(ngx_cqrs_pg_query_t));

    query.statements = ctx->statements;
    query.n = ctx->n;
    query.handler = ngx_http_cqrs_query_done;
    query.data = ctx;

    if (ctx->kind != NGX_HTTP_CQRS_QUERY_ROOT
        && ngx_http_cqrs_query_many(ctx))
    {
        query.row = ngx_http_cqrs_query_row;
        query.again = ngx_http_cqrs_query_row_again;
        query.rows_of = ctx->main;
    }

    ctx->op = ngx_cqrs_pg_query(ctx->conf->postgres, &query);
    if (ctx->op == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->state = NGX_HTTP_CQRS_QUERY_ROWS;

    return NGX_DONE;
}


/* A newer catalogue may know better: once. */

static ngx_int_t
ngx_http_cqrs_query_again(ngx_http_cqrs_query_ctx_t *ctx,
    const cqrs_query_error_t *error)
{
    if (error->stale && ctx->loads == 0
        && ngx_http_cqrs_query_load(ctx) == NGX_OK)
    {
        return NGX_DONE;
    }

    ctx->n = 0;

    return ngx_http_cqrs_query_error(ctx, error);
}


static ngx_int_t
ngx_http_cqrs_query_load(ngx_http_cqrs_query_ctx_t *ctx)
{
    ngx_int_t  rc;

    ctx->wait.handler = ngx_http_cqrs_query_loaded;
    ctx->wait.data = ctx;

    rc = ngx_cqrs_catalog_load(ctx->conf->catalog, &ctx->wait);

    if (rc == NGX_OK) {
        ctx->state = NGX_HTTP_CQRS_QUERY_CATALOG;
        ctx->loads++;
    }

    return rc;
}


static void
ngx_http_cqrs_query_loaded(ngx_cqrs_pg_status_e status, void *data)
{
    ngx_int_t                   rc;
    ngx_connection_t           *c;
    ngx_http_request_t         *r;
    cqrs_query_error_t          error;
    ngx_http_cqrs_query_ctx_t  *ctx = data;

    r = ctx->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ctx->state = NGX_HTTP_CQRS_QUERY_ACTIVE;

    if (status != NGX_CQRS_PG_OK) {
        rc = ngx_http_cqrs_query_no_result(ctx, status);

    } else if (ngx_http_cqrs_query_arguments(ctx, &error) != NGX_OK) {
        rc = ngx_http_cqrs_query_error(ctx, &error);

    } else {
        rc = ngx_http_cqrs_query_run(ctx);
    }

    if (ctx->state == NGX_HTTP_CQRS_QUERY_ACTIVE) {
        ngx_http_finalize_request(r, rc);
    }

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_cqrs_query_done(ngx_cqrs_pg_status_e status, PGresult **results,
    ngx_uint_t n, void *data)
{
    ngx_int_t                   rc;
    ngx_connection_t           *c;
    ngx_http_request_t         *r;
    ngx_http_cqrs_query_ctx_t  *ctx = data;

    r = ctx->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ctx->state = NGX_HTTP_CQRS_QUERY_ACTIVE;

    ngx_http_cqrs_query_step(ctx, NGX_HTTP_CQRS_QUERY_TRANSACTION);

    switch (status) {

    case NGX_CQRS_PG_OK:
        rc = (ctx->kind == NGX_HTTP_CQRS_QUERY_ROOT)
             ? ngx_http_cqrs_query_openapi_reply(ctx, results)
             : ngx_http_cqrs_query_reply(ctx, results);

        if (rc == NGX_DECLINED) {
            rc = ngx_http_cqrs_query_care(ctx);
        }

        break;

    case NGX_CQRS_PG_FAILED:
        ctx->n = 0;
        ngx_http_cqrs_query_outdated(ctx, results[n - 1]);
        rc = ngx_http_cqrs_query_failure(ctx, results[n - 1], n - 1);
        break;

    default:
        ctx->n = 0;
        rc = ngx_http_cqrs_query_no_result(ctx, status);
        break;
    }

    if (ctx->state == NGX_HTTP_CQRS_QUERY_ACTIVE) {
        ngx_http_finalize_request(r, rc);
    }

    ngx_http_run_posted_requests(c);
}


/* A column is of another type than the catalogue knew. */

static ngx_int_t
ngx_http_cqrs_query_care(ngx_http_cqrs_query_ctx_t *ctx)
{
    cqrs_query_error_t  error;

    (void) ngx_cqrs_catalog_load(ctx->conf->catalog, NULL);

    ctx->careful = 1;
    (void) ngx_http_cqrs_query_row_again(ctx);

    if (ngx_http_cqrs_query_arguments(ctx, &error) != NGX_OK) {
        ctx->n = 0;
        return ngx_http_cqrs_query_error(ctx, &error);
    }

    return ngx_http_cqrs_query_run(ctx);
}


/* The catalogue knew what is not there any more: not for the next one. */

static void
ngx_http_cqrs_query_outdated(ngx_http_cqrs_query_ctx_t *ctx, PGresult *result)
{
    const char  *sqlstate;

    sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    if (sqlstate && ctx->conf->catalog
        && (ngx_strcmp(sqlstate, "42P01") == 0
            || ngx_strcmp(sqlstate, "42703") == 0
            || ngx_strcmp(sqlstate, "42883") == 0))
    {
        (void) ngx_cqrs_catalog_load(ctx->conf->catalog, NULL);
    }
}


/* The request ends; what it waits for must not find it. */

static void
ngx_http_cqrs_query_cleanup(void *data)
{
    ngx_http_cqrs_query_ctx_t  *ctx = data;

    switch (ctx->state) {

    case NGX_HTTP_CQRS_QUERY_CATALOG:
        ngx_cqrs_catalog_forget(&ctx->wait);
        break;

    case NGX_HTTP_CQRS_QUERY_ROWS:
        ngx_cqrs_pg_cancel(ctx->op);
        break;

    default:
        break;
    }

    ctx->state = NGX_HTTP_CQRS_QUERY_ACTIVE;
}


static void
ngx_http_cqrs_query_free(void *data)
{
    cqrs_arena_cleanup(data);
}
