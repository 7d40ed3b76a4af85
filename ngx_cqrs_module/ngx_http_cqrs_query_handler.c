
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * A request waits twice at most: for the catalogue, if there is none yet or it
 * lacks what the request names, and for the rows.  While it waits the client
 * may leave; then the cleanup handler ends the waiting.
 */

#include "ngx_http_cqrs_query.h"

#include "ngx_http_cqrs_jwt.h"
#include "ngx_http_cqrs_query_reply.h"
#include "ngx_http_cqrs_reply.h"

#include "cqrs_buf.h"
#include "cqrs_query.h"


/* All that one request may need; its URL is limited by nginx. */
#define NGX_HTTP_CQRS_QUERY_MEMORY  (1024 * 1024)


typedef enum {
    NGX_HTTP_CQRS_QUERY_ACTIVE = 0,
    NGX_HTTP_CQRS_QUERY_CATALOG,                 /* ctx->wait */
    NGX_HTTP_CQRS_QUERY_ROWS                     /* ctx->op */
} ngx_http_cqrs_query_state_e;


/* In the request's pool. */
typedef struct {
    ngx_http_cqrs_query_state_e      state;
    ngx_http_request_t              *request;
    ngx_http_cqrs_query_loc_conf_t  *conf;

    cqrs_arena_t                     arena;
    cqrs_str_t                       schema;
    cqrs_str_t                       relation;
    cqrs_query_t                     query;

    ngx_uint_t                       loads;      /* of the catalogue, for it */
    ngx_cqrs_catalog_wait_t          wait;
    ngx_cqrs_pg_op_t                *op;
} ngx_http_cqrs_query_ctx_t;


static ngx_http_cqrs_query_ctx_t *ngx_http_cqrs_query_create(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_cqrs_query_relation(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_query_error_t *error);
static ngx_int_t ngx_http_cqrs_query_schema(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_query_error_t *error);
static ngx_str_t *ngx_http_cqrs_query_header(ngx_http_request_t *r,
    const char *name);
static ngx_int_t ngx_http_cqrs_query_unknown_schema(
    ngx_http_cqrs_query_ctx_t *ctx, cqrs_query_error_t *error,
    ngx_str_t *name);
static ngx_int_t ngx_http_cqrs_query_run(ngx_http_cqrs_query_ctx_t *ctx);
static ngx_int_t ngx_http_cqrs_query_generate(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_query_sql_t *sql, cqrs_query_error_t *error);
static ngx_int_t ngx_http_cqrs_query_load(ngx_http_cqrs_query_ctx_t *ctx);
static void ngx_http_cqrs_query_loaded(ngx_cqrs_pg_status_e status,
    void *data);
static void ngx_http_cqrs_query_done(ngx_cqrs_pg_status_e status,
    PGresult **results, ngx_uint_t n, void *data);
static ngx_int_t ngx_http_cqrs_query_failed(ngx_http_cqrs_query_ctx_t *ctx,
    PGresult *result);
static void ngx_http_cqrs_query_cleanup(void *data);
static void ngx_http_cqrs_query_free(void *data);


ngx_int_t
ngx_http_cqrs_query_handler(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_str_t                   args;
    cqrs_query_error_t          error;
    ngx_http_cqrs_query_ctx_t  *ctx;

    rc = ngx_http_cqrs_jwt_authorize(r);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        cqrs_query_refuse(&error, NGX_HTTP_NOT_ALLOWED, "PGRST117",
                          "Unsupported HTTP method, only GET and HEAD are "
                          "allowed");
        return ngx_http_cqrs_query_reply_error(r, &error);
    }

    ctx = ngx_http_cqrs_query_create(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_cqrs_jwt_args(r, &args) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_cqrs_query_relation(ctx, &error) != NGX_OK
        || ngx_http_cqrs_query_schema(ctx, &error) != NGX_OK
        || cqrs_query_parse(&ctx->query, &ctx->arena, (char *) args.data,
                            args.len, &error)
           != 0)
    {
        return ngx_http_cqrs_query_reply_error(r, &error);
    }

    rc = ngx_http_cqrs_query_run(ctx);

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
    ngx_pool_cleanup_t         *cln;
    ngx_http_cqrs_query_ctx_t  *ctx;

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_cqrs_query_ctx_t));
    if (ctx == NULL) {
        return NULL;
    }

    ctx->request = r;
    ctx->conf = ngx_http_get_module_loc_conf(r, ngx_http_cqrs_query_module);

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    cqrs_arena_init(&ctx->arena, NGX_HTTP_CQRS_QUERY_MEMORY);

    cln->handler = ngx_http_cqrs_query_free;
    cln->data = ctx;

    stop = ngx_http_cleanup_add(r, 0);
    if (stop == NULL) {
        return NULL;
    }

    stop->handler = ngx_http_cqrs_query_cleanup;
    stop->data = ctx;

    return ctx;
}


/* What the URI names, see the parameter "relation". */

static ngx_int_t
ngx_http_cqrs_query_relation(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_query_error_t *error)
{
    ngx_str_t                  name;
    ngx_http_request_t        *r;
    ngx_http_core_loc_conf_t  *clcf;

    r = ctx->request;

    if (ctx->conf->relation) {

        if (ngx_http_complex_value(r, ctx->conf->relation, &name) != NGX_OK) {
            cqrs_query_no_memory(error);
            return NGX_ERROR;
        }

    } else {
        clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

        name.data = r->uri.data + clcf->name.len;
        name.len = r->uri.len - clcf->name.len;

        /* "location /api" gets /api/items, and /apitems too */

        if (clcf->name.data[clcf->name.len - 1] != '/' && name.len) {

            if (name.data[0] != '/') {
                cqrs_query_refuse(error, NGX_HTTP_NOT_FOUND, "PGRST125",
                                  "Invalid path specified in request URL");
                return NGX_ERROR;
            }

            name.data++;
            name.len--;
        }
    }

    if (name.len == 0) {
        cqrs_query_refuse(error, NGX_HTTP_NOT_FOUND, "PGRST126",
                          "Root endpoint metadata is disabled");
        return NGX_ERROR;
    }

    if (ngx_strlchr(name.data, name.data + name.len, '/')) {
        cqrs_query_refuse(error, NGX_HTTP_NOT_FOUND, "PGRST125",
                          "Invalid path specified in request URL");
        return NGX_ERROR;
    }

    ctx->relation.data = (char *) name.data;
    ctx->relation.len = name.len;

    return NGX_OK;
}


static ngx_int_t
ngx_http_cqrs_query_schema(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_query_error_t *error)
{
    ngx_str_t   *asked, *schema;
    ngx_uint_t   i;

    schema = ctx->conf->schemas->elts;
    asked = NULL;
    i = 0;

    if (ctx->conf->schemas->nelts > 1) {
        asked = ngx_http_cqrs_query_header(ctx->request, "accept-profile");
    }

    if (asked) {

        for (i = 0; i < ctx->conf->schemas->nelts; i++) {
            if (schema[i].len == asked->len
                && ngx_memcmp(schema[i].data, asked->data, asked->len) == 0)
            {
                break;
            }
        }

        if (i == ctx->conf->schemas->nelts) {
            return ngx_http_cqrs_query_unknown_schema(ctx, error, asked);
        }
    }

    ctx->schema.data = (char *) schema[i].data;
    ctx->schema.len = schema[i].len;

    if (ctx->conf->schemas->nelts > 1
        && ngx_http_cqrs_add_header(ctx->request, "Content-Profile",
                                    &schema[i])
           != NGX_OK)
    {
        cqrs_query_no_memory(error);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_str_t *
ngx_http_cqrs_query_header(ngx_http_request_t *r, const char *name)
{
    size_t            len;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *header;

    len = ngx_strlen(name);
    part = &r->headers_in.headers.part;
    header = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return NULL;
            }

            part = part->next;
            header = part->elts;
            i = 0;
        }

        if (header[i].key.len == len
            && ngx_strncasecmp(header[i].key.data, (u_char *) name, len) == 0)
        {
            return &header[i].value;
        }
    }
}


static ngx_int_t
ngx_http_cqrs_query_unknown_schema(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_query_error_t *error, ngx_str_t *name)
{
    ngx_str_t   *schema;
    cqrs_buf_t   buf;
    ngx_uint_t   i;

    schema = ctx->conf->schemas->elts;

    cqrs_query_refuse(error, 406, "PGRST106", "");

    cqrs_buf_init(&buf, &ctx->arena);
    cqrs_buf_text(&buf, "Invalid schema: ");
    cqrs_buf_add(&buf, (char *) name->data, name->len);

    if (cqrs_buf_end(&buf, &error->message) != 0) {
        cqrs_query_no_memory(error);
        return NGX_ERROR;
    }

    cqrs_buf_init(&buf, &ctx->arena);
    cqrs_buf_text(&buf, "Only the following schemas are exposed: ");

    for (i = 0; i < ctx->conf->schemas->nelts; i++) {
        cqrs_buf_text(&buf, i ? ", " : "");
        cqrs_buf_add(&buf, (char *) schema[i].data, schema[i].len);
    }

    if (cqrs_buf_end(&buf, &error->hint) != 0) {
        cqrs_query_no_memory(error);
    }

    return NGX_ERROR;
}


/* It is answered with rc, or ctx->state says what it waits for. */

static ngx_int_t
ngx_http_cqrs_query_run(ngx_http_cqrs_query_ctx_t *ctx)
{
    cqrs_query_sql_t              sql;
    cqrs_query_error_t            error;
    ngx_cqrs_pg_query_t           query;
    ngx_cqrs_pg_statement_text_t  statement;

    if (ngx_cqrs_catalog_current(ctx->conf->catalog) == NULL) {
        return (ngx_http_cqrs_query_load(ctx) == NGX_OK)
               ? NGX_DONE
               : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_cqrs_query_generate(ctx, &sql, &error) != NGX_OK) {

        if (error.stale && ctx->loads == 0
            && ngx_http_cqrs_query_load(ctx) == NGX_OK)
        {
            return NGX_DONE;
        }

        return ngx_http_cqrs_query_reply_error(ctx->request, &error);
    }

    statement.sql.data = (u_char *) sql.text.data;
    statement.sql.len = sql.text.len;
    statement.nparams = sql.nparams;
    statement.params = sql.params;

    query.statements = &statement;
    query.n = 1;
    query.handler = ngx_http_cqrs_query_done;
    query.data = ctx;

    ctx->op = ngx_cqrs_pg_query(ctx->conf->postgres, &query);
    if (ctx->op == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->state = NGX_HTTP_CQRS_QUERY_ROWS;

    return NGX_DONE;
}


static ngx_int_t
ngx_http_cqrs_query_generate(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_query_sql_t *sql, cqrs_query_error_t *error)
{
    cqrs_catalog_t         *catalog;
    cqrs_query_options_t    options;
    const cqrs_relation_t  *relation;

    catalog = ngx_cqrs_catalog_current(ctx->conf->catalog);

    relation = cqrs_catalog_relation(catalog, &ctx->schema, &ctx->relation);

    if (relation == NULL) {
        cqrs_query_no_relation(error, catalog, &ctx->schema, &ctx->relation,
                               &ctx->arena);
        return NGX_ERROR;
    }

    options.head = (ctx->request->method == NGX_HTTP_HEAD);
    options.max_rows = ctx->conf->max_rows;

    if (cqrs_query_generate(sql, &ctx->query, catalog, relation, &options,
                            &ctx->arena, error)
        != 0)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
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
    ngx_http_cqrs_query_ctx_t  *ctx = data;

    r = ctx->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ctx->state = NGX_HTTP_CQRS_QUERY_ACTIVE;

    rc = (status == NGX_CQRS_PG_OK)
         ? ngx_http_cqrs_query_run(ctx)
         : ngx_http_cqrs_query_reply_nothing(r, status);

    if (ctx->state == NGX_HTTP_CQRS_QUERY_ACTIVE) {
        ngx_http_finalize_request(r, rc);
    }

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_cqrs_query_done(ngx_cqrs_pg_status_e status, PGresult **results,
    ngx_uint_t n, void *data)
{
    PGresult                   *result;
    ngx_int_t                   rc;
    ngx_connection_t           *c;
    ngx_http_request_t         *r;
    ngx_http_cqrs_query_ctx_t  *ctx = data;

    r = ctx->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ctx->state = NGX_HTTP_CQRS_QUERY_ACTIVE;

    switch (status) {

    case NGX_CQRS_PG_OK:
        result = ngx_cqrs_pg_take_result(ctx->op, 0);
        rc = ngx_http_cqrs_query_reply_rows(r, result, ctx->query.offset);
        break;

    case NGX_CQRS_PG_FAILED:
        rc = ngx_http_cqrs_query_failed(ctx, results[n - 1]);
        break;

    default:
        rc = ngx_http_cqrs_query_reply_nothing(r, status);
        break;
    }

    ngx_http_finalize_request(r, rc);

    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_http_cqrs_query_failed(ngx_http_cqrs_query_ctx_t *ctx, PGresult *result)
{
    const char  *sqlstate;

    sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    /* the catalogue knew what is not there any more: not for the next one */

    if (sqlstate
        && (ngx_strcmp(sqlstate, "42P01") == 0
            || ngx_strcmp(sqlstate, "42703") == 0))
    {
        (void) ngx_cqrs_catalog_load(ctx->conf->catalog, NULL);
    }

    return ngx_http_cqrs_query_reply_failure(ctx->request, result);
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
    ngx_http_cqrs_query_ctx_t  *ctx = data;

    cqrs_arena_cleanup(&ctx->arena);
}
