
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * cqrs_query: a GET becomes a select, and its rows the answer.
 *
 * A request waits twice at most: for the catalogue, if there is none yet or it
 * lacks what the request names, and for the rows.  While it waits the client
 * may leave; then the cleanup handler ends the waiting.
 */

#include "ngx_http_cqrs_module.h"
#include "ngx_http_cqrs_jwt.h"
#include "ngx_http_cqrs_query_reply.h"
#include "ngx_http_cqrs_reply.h"

#include "ngx_cqrs_catalog.h"

#include "cqrs_buf.h"
#include "cqrs_query.h"


/* All that one request may need; its URL is limited by nginx. */
#define NGX_HTTP_CQRS_QUERY_MEMORY  (1024 * 1024)


typedef struct {
    ngx_array_t                      catalogs;   /* of ngx_cqrs_catalog_t * */
} ngx_http_cqrs_query_main_conf_t;


typedef struct {
    ngx_array_t                     *schemas;    /* of ngx_str_t */
    ngx_http_complex_value_t        *relation;   /* NULL: the rest of the URI */
    ngx_int_t                        max_rows;
    ngx_cqrs_pg_t                   *postgres;
    ngx_cqrs_catalog_t              *catalog;
} ngx_http_cqrs_query_loc_conf_t;


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


static ngx_int_t ngx_http_cqrs_query_handler(ngx_http_request_t *r);
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
    PGresult *result, void *data);
static ngx_int_t ngx_http_cqrs_query_failed(ngx_http_cqrs_query_ctx_t *ctx,
    PGresult *result);
static void ngx_http_cqrs_query_cleanup(void *data);
static void ngx_http_cqrs_query_free(void *data);
static char *ngx_http_cqrs_query(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_cqrs_query_parse_schemas(ngx_conf_t *cf,
    ngx_http_cqrs_query_loc_conf_t *qlcf, u_char *p, u_char *last);
static char *ngx_http_cqrs_query_parse_relation(ngx_conf_t *cf,
    ngx_http_cqrs_query_loc_conf_t *qlcf, ngx_str_t *value);
static void *ngx_http_cqrs_query_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_cqrs_query_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_cqrs_query_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_cqrs_catalog_t *ngx_http_cqrs_query_catalog(ngx_conf_t *cf,
    ngx_cqrs_pg_t *pg, ngx_array_t *schemas);
static ngx_int_t ngx_http_cqrs_query_init_process(ngx_cycle_t *cycle);
static void ngx_http_cqrs_query_exit_process(ngx_cycle_t *cycle);


static ngx_command_t  ngx_http_cqrs_query_commands[] = {

    { ngx_string("cqrs_query"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_cqrs_query,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_cqrs_query_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    ngx_http_cqrs_query_create_main_conf,  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_cqrs_query_create_loc_conf,   /* create location configuration */
    ngx_http_cqrs_query_merge_loc_conf     /* merge location configuration */
};


ngx_module_t  ngx_http_cqrs_query_module = {
    NGX_MODULE_V1,
    &ngx_http_cqrs_query_module_ctx,       /* module context */
    ngx_http_cqrs_query_commands,          /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_cqrs_query_init_process,      /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_cqrs_query_exit_process,      /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_cqrs_query_handler(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
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

    if (ngx_http_cqrs_query_relation(ctx, &error) != NGX_OK
        || ngx_http_cqrs_query_schema(ctx, &error) != NGX_OK
        || cqrs_query_parse(&ctx->query, &ctx->arena, (char *) r->args.data,
                            r->args.len, &error)
           != 0)
    {
        return ngx_http_cqrs_query_reply_error(r, &error);
    }

    rc = ngx_http_cqrs_query_run(ctx);

    if (ctx->state == NGX_HTTP_CQRS_QUERY_ACTIVE) {
        return rc;
    }

    /* the client may leave now: its socket is watched */

    if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->connection->read->ready) {
        ngx_post_event(r->connection->read, &ngx_posted_events);
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
    cqrs_query_sql_t     sql;
    cqrs_query_error_t   error;
    ngx_cqrs_pg_query_t  query;

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

    query.sql.data = (u_char *) sql.text.data;
    query.sql.len = sql.text.len;
    query.nparams = sql.nparams;
    query.params = sql.params;
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
ngx_http_cqrs_query_done(ngx_cqrs_pg_status_e status, PGresult *result,
    void *data)
{
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
        ngx_cqrs_pg_take_result(ctx->op);
        rc = ngx_http_cqrs_query_reply_rows(r, result, ctx->query.offset);
        break;

    case NGX_CQRS_PG_FAILED:
        rc = ngx_http_cqrs_query_failed(ctx, result);
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


static char *
ngx_http_cqrs_query(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                            *rv;
    ngx_str_t                       *args, value;
    ngx_uint_t                       i;
    ngx_http_core_loc_conf_t        *clcf;
    ngx_http_cqrs_query_loc_conf_t  *qlcf = conf;

    if (qlcf->schemas != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    args = cf->args->elts;
    rv = NGX_CONF_OK;

    for (i = 1; i < cf->args->nelts && rv == NGX_CONF_OK; i++) {

        value = args[i];

        if (ngx_strncmp(value.data, "schema=", 7) == 0
            && qlcf->schemas == NGX_CONF_UNSET_PTR)
        {
            rv = ngx_http_cqrs_query_parse_schemas(cf, qlcf, value.data + 7,
                                                   value.data + value.len);

        } else if (ngx_strncmp(value.data, "relation=", 9) == 0
                   && qlcf->relation == NGX_CONF_UNSET_PTR)
        {
            value.data += 9;
            value.len -= 9;

            rv = ngx_http_cqrs_query_parse_relation(cf, qlcf, &value);

        } else if (ngx_strncmp(value.data, "max_rows=", 9) == 0
                   && qlcf->max_rows == NGX_CONF_UNSET)
        {
            qlcf->max_rows = ngx_atoi(value.data + 9, value.len - 9);

            if (qlcf->max_rows == NGX_ERROR) {
                return "has an invalid \"max_rows\"";
            }

        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value);
            return NGX_CONF_ERROR;
        }
    }

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (qlcf->schemas == NGX_CONF_UNSET_PTR) {
        return "needs \"schema=\"";
    }

    if (qlcf->relation == NGX_CONF_UNSET_PTR
        && (clcf->regex || clcf->named || clcf->exact_match
            || clcf->name.len == 0))
    {
        return "needs \"relation=\" in a location that is no prefix";
    }

    clcf->handler = ngx_http_cqrs_query_handler;

    return NGX_CONF_OK;
}


static char *
ngx_http_cqrs_query_parse_schemas(ngx_conf_t *cf,
    ngx_http_cqrs_query_loc_conf_t *qlcf, u_char *p, u_char *last)
{
    u_char     *end;
    ngx_str_t  *schema;

    qlcf->schemas = ngx_array_create(cf->pool, 2, sizeof(ngx_str_t));
    if (qlcf->schemas == NULL) {
        return NGX_CONF_ERROR;
    }

    for ( ;; ) {
        end = ngx_strlchr(p, last, ',');

        if (end == NULL) {
            end = last;
        }

        if (end == p) {
            return "has an empty name in \"schema\"";
        }

        schema = ngx_array_push(qlcf->schemas);
        if (schema == NULL) {
            return NGX_CONF_ERROR;
        }

        schema->data = p;
        schema->len = end - p;

        if (end == last) {
            return NGX_CONF_OK;
        }

        p = end + 1;
    }
}


static char *
ngx_http_cqrs_query_parse_relation(ngx_conf_t *cf,
    ngx_http_cqrs_query_loc_conf_t *qlcf, ngx_str_t *value)
{
    ngx_http_compile_complex_value_t  ccv;

    qlcf->relation = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (qlcf->relation == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = value;
    ccv.complex_value = qlcf->relation;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static void *
ngx_http_cqrs_query_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_cqrs_query_main_conf_t  *qmcf;

    qmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_cqrs_query_main_conf_t));
    if (qmcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&qmcf->catalogs, cf->pool, 2,
                       sizeof(ngx_cqrs_catalog_t *))
        != NGX_OK)
    {
        return NULL;
    }

    return qmcf;
}


static void *
ngx_http_cqrs_query_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_cqrs_query_loc_conf_t  *qlcf;

    qlcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_cqrs_query_loc_conf_t));
    if (qlcf == NULL) {
        return NULL;
    }

    qlcf->schemas = NGX_CONF_UNSET_PTR;
    qlcf->relation = NGX_CONF_UNSET_PTR;
    qlcf->max_rows = NGX_CONF_UNSET;

    return qlcf;
}


static char *
ngx_http_cqrs_query_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_uint_t                       own;
    ngx_http_core_loc_conf_t        *clcf;
    ngx_http_cqrs_loc_conf_t        *lcf;
    ngx_http_cqrs_query_loc_conf_t  *prev = parent;
    ngx_http_cqrs_query_loc_conf_t  *conf = child;

    own = (conf->schemas != NGX_CONF_UNSET_PTR);

    ngx_conf_merge_ptr_value(conf->schemas, prev->schemas, NULL);
    ngx_conf_merge_ptr_value(conf->relation, prev->relation, NULL);
    ngx_conf_merge_value(conf->max_rows, prev->max_rows, -1);

    if (conf->schemas == NULL) {
        return NGX_CONF_OK;
    }

    lcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_cqrs_module);

    conf->postgres = lcf->postgres;

    if (conf->postgres == NULL) {

        if (!own) {
            return NGX_CONF_OK;
        }

        clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"cqrs_query\" in location \"%V\" needs "
                      "\"cqrs_postgres\"", &clcf->name);

        return NGX_CONF_ERROR;
    }

    conf->catalog = ngx_http_cqrs_query_catalog(cf, conf->postgres,
                                                conf->schemas);
    if (conf->catalog == NULL) {
        return NGX_CONF_ERROR;
    }

    return own ? ngx_http_cqrs_jwt_check_conf(cf) : NGX_CONF_OK;
}


/* One for all locations with the same database and schemas. */

static ngx_cqrs_catalog_t *
ngx_http_cqrs_query_catalog(ngx_conf_t *cf, ngx_cqrs_pg_t *pg,
    ngx_array_t *schemas)
{
    ngx_uint_t                        i;
    ngx_cqrs_catalog_t              **catalog;
    ngx_http_cqrs_query_main_conf_t  *qmcf;

    qmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_cqrs_query_module);

    catalog = qmcf->catalogs.elts;

    for (i = 0; i < qmcf->catalogs.nelts; i++) {
        if (ngx_cqrs_catalog_is(catalog[i], pg, schemas)) {
            return catalog[i];
        }
    }

    catalog = ngx_array_push(&qmcf->catalogs);
    if (catalog == NULL) {
        return NULL;
    }

    *catalog = ngx_cqrs_catalog_create(cf, pg, schemas);

    return *catalog;
}


static ngx_int_t
ngx_http_cqrs_query_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                        i;
    ngx_cqrs_catalog_t              **catalog;
    ngx_http_cqrs_query_main_conf_t  *qmcf;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    qmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_cqrs_query_module);
    if (qmcf == NULL) {
        return NGX_OK;                     /* no http block */
    }

    catalog = qmcf->catalogs.elts;

    for (i = 0; i < qmcf->catalogs.nelts; i++) {
        if (ngx_cqrs_catalog_start(catalog[i], cycle) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static void
ngx_http_cqrs_query_exit_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                        i;
    ngx_cqrs_catalog_t              **catalog;
    ngx_http_cqrs_query_main_conf_t  *qmcf;

    qmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_cqrs_query_module);
    if (qmcf == NULL) {
        return;
    }

    catalog = qmcf->catalogs.elts;

    for (i = 0; i < qmcf->catalogs.nelts; i++) {
        ngx_cqrs_catalog_stop(catalog[i]);
    }
}
