
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * What a transaction knows of its request, set for it alone: the search path,
 * the role, and request.*, where functions and policies look.
 */

#include "ngx_http_cqrs_query_ctx.h"

#include "ngx_http_cqrs_jwt.h"

#include "cqrs_identifier.h"
#include "cqrs_settings.h"


static ngx_int_t ngx_http_cqrs_query_set_path(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_settings_t *settings);
static void ngx_http_cqrs_query_set_role(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_settings_t *settings);
static ngx_int_t ngx_http_cqrs_query_set_request(
    ngx_http_cqrs_query_ctx_t *ctx, cqrs_settings_t *settings);
static ngx_int_t ngx_http_cqrs_query_set_headers(
    ngx_http_cqrs_query_ctx_t *ctx, cqrs_settings_t *settings);
static ngx_int_t ngx_http_cqrs_query_set_object(cqrs_settings_t *settings,
    const char *name, cqrs_buf_t *buf);
static void ngx_http_cqrs_query_set_function(cqrs_settings_t *settings,
    const cqrs_function_t *function);
static ngx_int_t ngx_http_cqrs_query_set_variables(
    ngx_http_cqrs_query_ctx_t *ctx, cqrs_settings_t *settings);


/* Of a function's own settings: what it would be too late for inside it. */

static const char *const  ngx_http_cqrs_query_hoisted[] = {
    "statement_timeout",
    "plan_filter.statement_cost_limit",
    NULL
};


ngx_int_t
ngx_http_cqrs_query_settings(ngx_http_cqrs_query_ctx_t *ctx,
    const cqrs_function_t *function, cqrs_query_sql_t *sql,
    cqrs_query_error_t *error)
{
    cqrs_str_t        timezone;
    cqrs_settings_t   settings;

    cqrs_settings_init(&settings, &ctx->arena);

    if (ngx_http_cqrs_query_set_path(ctx, &settings) != NGX_OK) {
        goto failed;
    }

    if (ctx->role.data) {
        ngx_http_cqrs_query_set_role(ctx, &settings);
    }

    if (ctx->claims.data) {
        cqrs_settings_add(&settings, "request.jwt.claims", &ctx->claims);
    }

    if (ngx_http_cqrs_query_set_request(ctx, &settings) != NGX_OK
        || ngx_http_cqrs_query_set_headers(ctx, &settings) != NGX_OK)
    {
        goto failed;
    }

    timezone = ctx->preferences.values[CQRS_PREFER_TIMEZONE];

    if (timezone.data == NULL) {
        timezone.data = (char *) ctx->conf->timezone.data;
        timezone.len = ctx->conf->timezone.len;

        if (timezone.len) {
            cqrs_settings_add(&settings, "timezone", &timezone);
        }

    } else {
        cqrs_settings_add(&settings, "timezone", &timezone);
    }

    if (function) {
        ngx_http_cqrs_query_set_function(&settings, function);
    }

    if (ngx_http_cqrs_query_set_variables(ctx, &settings) != NGX_OK) {
        goto failed;
    }

    /* what a function has set for the whole session is not for this answer */

    cqrs_settings_add_empty(&settings, "response.headers");
    cqrs_settings_add_empty(&settings, "response.status");

    if (cqrs_settings_end(&settings, sql) == 0) {
        return NGX_OK;
    }

failed:

    cqrs_query_no_memory(error);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_cqrs_query_set_path(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_settings_t *settings)
{
    size_t      skipped;
    cqrs_buf_t  buf;
    cqrs_str_t  value;

    cqrs_buf_init(&buf, &ctx->arena);

    /* a statement that is given has no schema of its own */

    if (ctx->schema.data) {
        cqrs_buf_identifier(&buf, &ctx->schema);
    }

    skipped = (ctx->schema.data || ctx->conf->search_path.len == 0)
              ? 0 : sizeof(", ") - 1;

    cqrs_buf_add(&buf, (char *) ctx->conf->search_path.data + skipped,
                 ctx->conf->search_path.len - skipped);

    if (cqrs_buf_end(&buf, &value) != 0) {
        return NGX_ERROR;
    }

    cqrs_settings_add(settings, "search_path", &value);

    return NGX_OK;
}


/* What is the role's is set before it, by those who may. */

static void
ngx_http_cqrs_query_set_role(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_settings_t *settings)
{
    const cqrs_setting_t  *setting;

    setting = NULL;

    if (ctx->conf->catalog) {
        setting = cqrs_catalog_role_settings(
                      ngx_cqrs_catalog_current(ctx->conf->catalog),
                      &ctx->role);
    }

    for ( /* void */ ; setting; setting = setting->next) {
        cqrs_settings_add_named(settings, &setting->name, &setting->value);
    }

    cqrs_settings_add(settings, "role", &ctx->role);
}


static ngx_int_t
ngx_http_cqrs_query_set_request(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_settings_t *settings)
{
    u_char              *p;
    size_t               len;
    cqrs_str_t           value;
    ngx_http_request_t  *r;

    r = ctx->request;

    value.data = (char *) r->method_name.data;
    value.len = r->method_name.len;

    cqrs_settings_add(settings, "request.method", &value);

    len = 2 * ngx_escape_uri(NULL, ctx->path.data, ctx->path.len,
                             NGX_ESCAPE_URI);

    p = cqrs_arena_alloc(&ctx->arena, ctx->path.len + len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value.data = (char *) p;
    *p++ = '/';

    if (len) {
        p = (u_char *) ngx_escape_uri(p, ctx->path.data, ctx->path.len,
                                      NGX_ESCAPE_URI);
    } else {
        p = ngx_cpymem(p, ctx->path.data, ctx->path.len);
    }

    value.len = (char *) p - value.data;

    cqrs_settings_add(settings, "request.path", &value);

    return NGX_OK;
}


/* All of them; cookies by themselves. */

static ngx_int_t
ngx_http_cqrs_query_set_headers(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_settings_t *settings)
{
    char             *value;
    cqrs_buf_t        headers, cookies;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    static ngx_str_t  cookie = ngx_string("cookie");

    cqrs_buf_init(&headers, &ctx->arena);
    cqrs_buf_init(&cookies, &ctx->arena);

    for (part = &ctx->request->headers_in.headers.part;
         part;
         part = part->next)
    {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            value = (char *) h[i].value.data;

            if (h[i].key.len == cookie.len
                && ngx_strncmp(h[i].lowcase_key, cookie.data, cookie.len)
                   == 0)
            {
                cqrs_settings_cookies(&cookies, value, h[i].value.len);

            } else {
                cqrs_settings_member(&headers, (char *) h[i].key.data,
                                     h[i].key.len, value, h[i].value.len);
            }
        }
    }

    if (ngx_http_cqrs_query_set_object(settings, "request.headers", &headers)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_cqrs_query_set_object(settings, "request.cookies",
                                          &cookies);
}


static ngx_int_t
ngx_http_cqrs_query_set_object(cqrs_settings_t *settings, const char *name,
    cqrs_buf_t *buf)
{
    cqrs_str_t  value;

    cqrs_buf_text(buf, buf->len ? "}" : "{}");

    if (cqrs_buf_end(buf, &value) != 0) {
        return NGX_ERROR;
    }

    cqrs_settings_add(settings, name, &value);

    return NGX_OK;
}


static void
ngx_http_cqrs_query_set_function(cqrs_settings_t *settings,
    const cqrs_function_t *function)
{
    ngx_uint_t             i;
    const cqrs_setting_t  *setting;

    for (setting = function->settings; setting; setting = setting->next) {

        for (i = 0; ngx_http_cqrs_query_hoisted[i]; i++) {
            if (cqrs_str_is(&setting->name, ngx_http_cqrs_query_hoisted[i])) {
                cqrs_settings_add_named(settings, &setting->name,
                                        &setting->value);
            }
        }
    }
}


static ngx_int_t
ngx_http_cqrs_query_set_variables(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_settings_t *settings)
{
    ngx_str_t                       text;
    cqrs_str_t                      name, value;
    ngx_uint_t                      i;
    ngx_http_cqrs_query_setting_t  *setting;

    if (ctx->conf->variables == NULL) {
        return NGX_OK;
    }

    setting = ctx->conf->variables->elts;

    for (i = 0; i < ctx->conf->variables->nelts; i++) {

        if (ngx_http_complex_value(ctx->request, &setting[i].value, &text)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        name.data = (char *) setting[i].name.data;
        name.len = setting[i].name.len;
        value.data = (char *) text.data;
        value.len = text.len;

        cqrs_settings_add_named(settings, &name, &value);
    }

    return NGX_OK;
}
