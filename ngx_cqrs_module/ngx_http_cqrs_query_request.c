
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * What a request asks: the path, the schema, the method, what is preferred and
 * accepted, and the arguments.  Nothing here needs the catalogue.
 */

#include "ngx_http_cqrs_query_ctx.h"

#include "ngx_http_cqrs_jwt.h"

#include "cqrs_buf.h"
#include "cqrs_query_parse.h"
#include "cqrs_range.h"


static ngx_int_t ngx_http_cqrs_query_path(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_query_error_t *error);
static ngx_int_t ngx_http_cqrs_query_resource(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_query_error_t *error);
static ngx_int_t ngx_http_cqrs_query_root(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_query_error_t *error);
static ngx_int_t ngx_http_cqrs_query_keep(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_str_t *str, u_char *p, size_t len, cqrs_query_error_t *error);
static ngx_int_t ngx_http_cqrs_query_no_path(cqrs_query_error_t *error);
static ngx_int_t ngx_http_cqrs_query_schema(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_query_error_t *error);
static ngx_int_t ngx_http_cqrs_query_no_schema(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_query_error_t *error, ngx_str_t *name);
static ngx_int_t ngx_http_cqrs_query_method(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_query_error_t *error);
static ngx_int_t ngx_http_cqrs_query_wishes(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_query_error_t *error);
static ngx_int_t ngx_http_cqrs_query_recall(ngx_http_cqrs_query_ctx_t *ctx);
static ngx_uint_t ngx_http_cqrs_query_is(ngx_table_elt_t *header,
    ngx_str_t *name);


static ngx_str_t  ngx_http_cqrs_query_accept = ngx_string("accept");
static ngx_str_t  ngx_http_cqrs_query_prefer = ngx_string("prefer");
static ngx_str_t  ngx_http_cqrs_query_profile = ngx_string("accept-profile");


ngx_int_t
ngx_http_cqrs_query_request(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_query_error_t *error)
{
    if (ctx->conf->sql.len) {
        ctx->kind = NGX_HTTP_CQRS_QUERY_TEXT;
        ctx->path.data = ctx->request->uri.data + 1;
        ctx->path.len = ctx->request->uri.len - 1;

    } else if (ngx_http_cqrs_query_path(ctx, error) != NGX_OK
               || ngx_http_cqrs_query_resource(ctx, error) != NGX_OK
               || ngx_http_cqrs_query_schema(ctx, error) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_cqrs_query_method(ctx, error) != NGX_OK
        || ngx_http_cqrs_query_wishes(ctx, error) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_cqrs_query_arguments(ctx, error);
}


/* What follows the location's prefix, see the parameter "relation". */

static ngx_int_t
ngx_http_cqrs_query_path(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_query_error_t *error)
{
    ngx_str_t                 *path;
    ngx_http_request_t        *r;
    ngx_http_core_loc_conf_t  *clcf;

    r = ctx->request;
    path = &ctx->path;

    if (ctx->conf->relation) {

        if (ngx_http_complex_value(r, ctx->conf->relation, path) != NGX_OK) {
            cqrs_query_no_memory(error);
            return NGX_ERROR;
        }

        return NGX_OK;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    path->data = r->uri.data + clcf->name.len;
    path->len = r->uri.len - clcf->name.len;

    /* "location /api" gets /api/items, and /apitems too */

    if (clcf->name.data[clcf->name.len - 1] != '/' && path->len) {

        if (path->data[0] != '/') {
            return ngx_http_cqrs_query_no_path(error);
        }

        path->data++;
        path->len--;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_cqrs_query_resource(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_query_error_t *error)
{
    u_char     *p, *last;
    ngx_str_t  *path;

    path = &ctx->path;

    if (path->len == 0) {
        return ngx_http_cqrs_query_root(ctx, error);
    }

    p = path->data;
    last = p + path->len;

    ctx->kind = NGX_HTTP_CQRS_QUERY_RELATION;

    if (path->len >= sizeof("rpc/") - 1
        && ngx_memcmp(p, "rpc/", sizeof("rpc/") - 1) == 0)
    {
        ctx->kind = NGX_HTTP_CQRS_QUERY_FUNCTION;
        p += sizeof("rpc/") - 1;
    }

    if (ngx_strlchr(p, last, '/')) {
        return ngx_http_cqrs_query_no_path(error);
    }

    return ngx_http_cqrs_query_keep(ctx, &ctx->name, p, last - p, error);
}


static ngx_int_t
ngx_http_cqrs_query_root(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_query_error_t *error)
{
    u_char     *p;
    ngx_str_t  *function;

    if (ctx->conf->openapi == NGX_HTTP_CQRS_QUERY_OPENAPI_DISABLED) {
        cqrs_query_refuse(error, NGX_HTTP_NOT_FOUND, "PGRST126",
                          "Root endpoint metadata is disabled");
        return NGX_ERROR;
    }

    function = &ctx->conf->root_function;

    if (function->len == 0) {
        ctx->kind = NGX_HTTP_CQRS_QUERY_ROOT;
        return NGX_OK;
    }

    ctx->kind = NGX_HTTP_CQRS_QUERY_FUNCTION;

    /* in whatever schema is asked for */

    p = ngx_strlchr(function->data, function->data + function->len, '.');
    p = p ? p + 1 : function->data;

    return ngx_http_cqrs_query_keep(ctx, &ctx->name, p,
                                    function->data + function->len - p,
                                    error);
}


/* With a NUL behind it. */

static ngx_int_t
ngx_http_cqrs_query_keep(ngx_http_cqrs_query_ctx_t *ctx, cqrs_str_t *str,
    u_char *p, size_t len, cqrs_query_error_t *error)
{
    str->data = cqrs_arena_copy(&ctx->arena, (char *) p, len);
    str->len = len;

    if (str->data == NULL) {
        cqrs_query_no_memory(error);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_cqrs_query_no_path(cqrs_query_error_t *error)
{
    cqrs_query_refuse(error, NGX_HTTP_NOT_FOUND, "PGRST125",
                      "Invalid path specified in request URL");

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_cqrs_query_schema(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_query_error_t *error)
{
    ngx_str_t   *asked, *schema;
    ngx_uint_t   i, n;

    schema = ctx->conf->schemas->elts;
    n = ctx->conf->schemas->nelts;
    i = 0;

    asked = ngx_http_cqrs_query_request_header(ctx->request,
                                               &ngx_http_cqrs_query_profile);

    if (asked) {

        for ( /* void */ ; i < n; i++) {
            if (schema[i].len == asked->len
                && ngx_memcmp(schema[i].data, asked->data, asked->len) == 0)
            {
                break;
            }
        }

        if (i == n) {
            return ngx_http_cqrs_query_no_schema(ctx, error, asked);
        }
    }

    ctx->profile = (asked || n > 1);

    return ngx_http_cqrs_query_keep(ctx, &ctx->schema, schema[i].data,
                                    schema[i].len, error);
}


static ngx_int_t
ngx_http_cqrs_query_no_schema(ngx_http_cqrs_query_ctx_t *ctx,
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


static ngx_int_t
ngx_http_cqrs_query_method(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_query_error_t *error)
{
    ngx_uint_t           function;
    cqrs_buf_t           buf;
    ngx_http_request_t  *r;

    r = ctx->request;

    if (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_OPTIONS)) {
        return NGX_OK;
    }

    function = (ctx->kind == NGX_HTTP_CQRS_QUERY_FUNCTION);

    cqrs_query_refuse(error, NGX_HTTP_NOT_ALLOWED,
                      function ? "PGRST101" : "PGRST117", "");

    cqrs_buf_init(&buf, &ctx->arena);
    cqrs_buf_text(&buf, function ? "Cannot use the "
                                 : "Unsupported HTTP method: ");
    cqrs_buf_add(&buf, (char *) r->method_name.data, r->method_name.len);
    cqrs_buf_text(&buf, function ? " method on RPC" : "");

    if (cqrs_buf_end(&buf, &error->message) != 0) {
        cqrs_query_no_memory(error);
    }

    return NGX_ERROR;
}


/* Prefer and Accept may come in several headers. */

static ngx_int_t
ngx_http_cqrs_query_wishes(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_query_error_t *error)
{
    char              *text;
    cqrs_buf_t         buf;
    ngx_uint_t         i;
    ngx_list_part_t   *part;
    ngx_table_elt_t   *header;

    cqrs_preferences_init(&ctx->preferences,
                          ctx->conf->tx_end == NGX_HTTP_CQRS_QUERY_TX_ASKED);
    cqrs_buf_init(&buf, &ctx->arena);

    for (part = &ctx->request->headers_in.headers.part;
         part;
         part = part->next)
    {
        header = part->elts;

        for (i = 0; i < part->nelts; i++) {
            text = (char *) header[i].value.data;

            if (ngx_http_cqrs_query_is(&header[i],
                                       &ngx_http_cqrs_query_accept))
            {
                cqrs_buf_text(&buf, buf.len ? "," : "");
                cqrs_buf_add(&buf, text, header[i].value.len);

            } else if (ngx_http_cqrs_query_is(&header[i],
                                              &ngx_http_cqrs_query_prefer)
                       && cqrs_preferences_read(&ctx->preferences,
                                                &ctx->arena, text,
                                                header[i].value.len)
                          != 0)
            {
                goto no_memory;
            }
        }
    }

    if (buf.len == 0) {
        cqrs_buf_text(&buf, "*/*");
    }

    if (cqrs_buf_end(&buf, &ctx->accept) == 0
        && cqrs_media_accept(&ctx->accepted, &ctx->arena, ctx->accept.data,
                             ctx->accept.len)
           == 0)
    {
        return NGX_OK;
    }

no_memory:

    cqrs_query_no_memory(error);

    return NGX_ERROR;
}


ngx_int_t
ngx_http_cqrs_query_arguments(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_query_error_t *error)
{
    ngx_int_t                    rc;
    ngx_str_t                    args, range;
    ngx_http_request_t          *r;
    cqrs_query_parse_options_t   options;

    r = ctx->request;

    if (ctx->kind == NGX_HTTP_CQRS_QUERY_TEXT) {
        ctx->query.root.limit = -1;
        return NGX_OK;
    }

    if (ngx_http_cqrs_jwt_args(r, &args) != NGX_OK) {
        cqrs_query_no_memory(error);
        return NGX_ERROR;
    }

    if (cqrs_query_pairs(&ctx->pairs, &ctx->arena, (char *) args.data,
                         args.len, error)
        != 0)
    {
        return NGX_ERROR;
    }

    rc = ngx_http_cqrs_query_recall(ctx);

    if (rc == NGX_OK) {
        return NGX_OK;
    }

    if (rc == NGX_ERROR) {
        cqrs_query_no_memory(error);
        return NGX_ERROR;
    }

    options.function = (ctx->kind == NGX_HTTP_CQRS_QUERY_FUNCTION
                        && r->method != NGX_HTTP_OPTIONS);
    options.strict_targets = !ctx->conf->legacy_targets;

    ngx_memzero(&ctx->query, sizeof(cqrs_query_t));
    ngx_memzero(&ctx->misplaced, sizeof(cqrs_query_error_t));

    if (cqrs_query_parse_pairs(&ctx->query, &ctx->pairs, &ctx->arena,
                               &options, error)
        != 0)
    {
        if (ngx_strcmp(error->code, "PGRST108") != 0) {
            return NGX_ERROR;
        }

        /* that the relation is not there is told before */

        ctx->misplaced = *error;
    }

    ngx_str_null(&range);

    if (r->method == NGX_HTTP_GET && r->headers_in.range) {
        range = r->headers_in.range->value;
    }

    if (cqrs_range_cut(&ctx->query.root.limit, &ctx->query.root.offset,
                       (char *) range.data, range.len, error)
        != 0)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* Whatever the plan depends on must be in the key, or have none. */

static ngx_int_t
ngx_http_cqrs_query_recall(ngx_http_cqrs_query_ctx_t *ctx)
{
    int                  rc;
    cqrs_str_t           words[4];
    ngx_http_request_t  *r;

    r = ctx->request;

    ctx->keyed = 0;
    ctx->recalled = 0;

    if (ctx->kind != NGX_HTTP_CQRS_QUERY_RELATION
        || r->method != NGX_HTTP_GET
        || r->headers_in.range
        || ctx->careful
        || ctx->preferences.values[CQRS_PREFER_COUNT].data)
    {
        return NGX_DECLINED;
    }

    words[0].data = (char *) &ctx->conf;
    words[0].len = sizeof(ctx->conf);

    words[1] = ctx->schema;
    words[2] = ctx->name;
    words[3] = ctx->accept;

    rc = cqrs_query_key(&ctx->key, words, 4, &ctx->pairs, &ctx->arena);

    if (rc != 1) {
        return (rc == 0) ? NGX_DECLINED : NGX_ERROR;
    }

    ctx->keyed = 1;

    rc = cqrs_query_recall(ngx_cqrs_catalog_memo(ctx->conf->catalog),
                           &ctx->key, &ctx->pairs, &ctx->query, &ctx->plan,
                           &ctx->arena);
    if (rc != 1) {
        return (rc == 0) ? NGX_DECLINED : NGX_ERROR;
    }

    ctx->recalled = 1;

    ngx_memzero(&ctx->options, sizeof(cqrs_query_options_t));
    ngx_memzero(&ctx->media, sizeof(cqrs_media_t));

    ctx->media.kind = CQRS_MEDIA_JSON;

    return NGX_OK;
}


ngx_str_t *
ngx_http_cqrs_query_request_header(ngx_http_request_t *r, ngx_str_t *name)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *header;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        header = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (ngx_http_cqrs_query_is(&header[i], name)) {
                return &header[i].value;
            }
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_http_cqrs_query_is(ngx_table_elt_t *header, ngx_str_t *name)
{
    return header->key.len == name->len
           && ngx_strncmp(header->lowcase_key, name->data, name->len) == 0;
}
