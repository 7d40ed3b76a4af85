
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The directive cqrs_sql: one statement that the configuration gives, with the
 * roles, settings and representations of all queries.  It is not looked into;
 * what comes from the client are its parameters, and never a part of it.
 */

#include "ngx_http_cqrs_query_conf.h"
#include "ngx_http_cqrs_query_ctx.h"


static ngx_int_t ngx_http_cqrs_query_parameter(ngx_http_cqrs_query_ctx_t *ctx,
    ngx_http_cqrs_query_parameter_t *parameter, const char **value,
    cqrs_query_error_t *error);


/* cqrs_sql SELECT [VALUE...] */

char *
ngx_http_cqrs_query_set_sql(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                         *args;
    ngx_uint_t                         i;
    ngx_http_core_loc_conf_t          *clcf;
    ngx_http_cqrs_query_loc_conf_t    *qlcf = conf;
    ngx_http_cqrs_query_parameter_t   *parameter;
    ngx_http_compile_complex_value_t   ccv;

    args = cf->args->elts;

    if (qlcf->sql.len) {
        return "is duplicate";
    }

    if (qlcf->schemas != NGX_CONF_UNSET_PTR) {
        return "and \"cqrs_query\" exclude each other";
    }

    qlcf->sql = args[1];

    while (qlcf->sql.len
           && (qlcf->sql.data[qlcf->sql.len - 1] == ';'
               || qlcf->sql.data[qlcf->sql.len - 1] <= ' '))
    {
        qlcf->sql.len--;
    }

    if (qlcf->sql.len == 0) {
        return "needs a select";
    }

    qlcf->parameters = ngx_array_create(cf->pool, cf->args->nelts,
                                   sizeof(ngx_http_cqrs_query_parameter_t));
    if (qlcf->parameters == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        parameter = ngx_array_push(qlcf->parameters);
        if (parameter == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

        ccv.cf = cf;
        ccv.value = &args[i];
        ccv.complex_value = &parameter->value;

        if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

        parameter->decoded = (ngx_strncmp(args[i].data, "$arg_", 5) == 0
                              && ngx_strchr(args[i].data + 1, '$') == NULL);
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_cqrs_query_handler;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_cqrs_query_given(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_query_error_t *error)
{
    cqrs_str_t                         text;
    ngx_uint_t                         i, n;
    const char                       **params;
    ngx_http_cqrs_query_parameter_t   *parameter;

    parameter = ctx->conf->parameters->elts;
    n = ctx->conf->parameters->nelts;

    params = cqrs_arena_alloc(&ctx->arena, (n + 1) * sizeof(char *));
    if (params == NULL) {
        cqrs_query_no_memory(error);
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        if (ngx_http_cqrs_query_parameter(ctx, &parameter[i], &params[i],
                                          error)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    text.data = (char *) ctx->conf->sql.data;
    text.len = ctx->conf->sql.len;

    if (cqrs_query_plan_text(&ctx->plan, &text, params, n, &ctx->options,
                             &ctx->arena, error)
        != 0)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* An empty value is null; a parameter ends with NUL, so it can't hold one. */

static ngx_int_t
ngx_http_cqrs_query_parameter(ngx_http_cqrs_query_ctx_t *ctx,
    ngx_http_cqrs_query_parameter_t *parameter, const char **value,
    cqrs_query_error_t *error)
{
    u_char      *p, *src, *dst;
    ngx_str_t    text;
    ngx_uint_t   i;

    if (ngx_http_complex_value(ctx->request, &parameter->value, &text)
        != NGX_OK)
    {
        goto no_memory;
    }

    p = cqrs_arena_alloc(&ctx->arena, text.len + 1);
    if (p == NULL) {
        goto no_memory;
    }

    for (i = 0; i < text.len; i++) {
        p[i] = (parameter->decoded && text.data[i] == '+') ? ' '
                                                           : text.data[i];
    }

    dst = p + text.len;

    if (parameter->decoded) {
        src = p;
        dst = p;
        ngx_unescape_uri(&dst, &src, text.len, 0);
    }

    *dst = '\0';

    if (ngx_strlen(p) != (size_t) (dst - p)) {
        cqrs_query_refuse(error, NGX_HTTP_BAD_REQUEST, "22021",
                      "invalid byte sequence for encoding \"UTF8\": 0x00");
        return NGX_ERROR;
    }

    *value = (dst > p) ? (char *) p : NULL;

    return NGX_OK;

no_memory:

    cqrs_query_no_memory(error);

    return NGX_ERROR;
}
