
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* What logs may say of a command; empty until it is known. */

#include "ngx_http_cqrs_command.h"


typedef struct {
    ngx_str_t                    name;
    ngx_http_get_variable_pt     handler;
    uintptr_t                    data;
} ngx_http_cqrs_command_variable_t;


static ngx_int_t ngx_http_cqrs_command_text_value(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_cqrs_command_status_value(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_cqrs_command_outcome_value(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_cqrs_command_publish_value(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_cqrs_command_wait_value(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static void ngx_http_cqrs_command_set_text(ngx_http_variable_value_t *v,
    const ngx_str_t *text);
static ngx_int_t ngx_http_cqrs_command_set_time(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, ngx_msec_t time);


static const ngx_http_cqrs_command_variable_t
    ngx_http_cqrs_command_variables[] = {

    { ngx_string("cqrs_command_id"), ngx_http_cqrs_command_text_value,
      offsetof(ngx_http_cqrs_command_ctx_t, command.id) },

    { ngx_string("cqrs_command_type"), ngx_http_cqrs_command_text_value,
      offsetof(ngx_http_cqrs_command_ctx_t, command.type) },

    { ngx_string("cqrs_command_stream"), ngx_http_cqrs_command_text_value,
      offsetof(ngx_http_cqrs_command_ctx_t, command.stream) },

    { ngx_string("cqrs_traceparent"), ngx_http_cqrs_command_text_value,
      offsetof(ngx_http_cqrs_command_ctx_t, command.traceparent) },

    { ngx_string("cqrs_publish_status"), ngx_http_cqrs_command_status_value,
      0 },

    { ngx_string("cqrs_publish_time"), ngx_http_cqrs_command_publish_value,
      0 },

    { ngx_string("cqrs_command_outcome"), ngx_http_cqrs_command_outcome_value,
      0 },

    { ngx_string("cqrs_wait_time"), ngx_http_cqrs_command_wait_value, 0 },

    { ngx_null_string, NULL, 0 }
};


/* In the order of ngx_cqrs_amqp_status_e. */

static const ngx_str_t  ngx_http_cqrs_command_statuses[] = {
    ngx_string("confirmed"),
    ngx_string("unroutable"),
    ngx_string("refused"),
    ngx_string("unavailable"),
    ngx_string("overloaded"),
    ngx_string("lost"),
    ngx_string("timeout")
};


/* Where nobody waits for the confirm that is all that is known. */

static const ngx_str_t  ngx_http_cqrs_command_kept = ngx_string("kept");


/* In the order of cqrs_outcome_e. */

static const ngx_str_t  ngx_http_cqrs_command_outcomes[] = {
    ngx_string("unknown"),
    ngx_string("completed"),
    ngx_string("conflict"),
    ngx_string("rejected"),
    ngx_string("failed")
};


ngx_int_t
ngx_http_cqrs_command_add_variables(ngx_conf_t *cf)
{
    ngx_str_t                                name;
    ngx_http_variable_t                     *var;
    const ngx_http_cqrs_command_variable_t  *v;

    for (v = ngx_http_cqrs_command_variables; v->name.len; v++) {

        name = v->name;

        var = ngx_http_add_variable(cf, &name, NGX_HTTP_VAR_NOCACHEABLE);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_cqrs_command_text_value(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                    *text;
    ngx_http_cqrs_command_ctx_t  *ctx;

    v->not_found = 1;

    ctx = ngx_http_get_module_ctx(r, ngx_http_cqrs_command_module);

    if (ctx) {
        text = (ngx_str_t *) ((u_char *) ctx + data);

        if (text->len) {
            ngx_http_cqrs_command_set_text(v, text);
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_cqrs_command_status_value(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_cqrs_command_ctx_t       *ctx;
    ngx_http_cqrs_command_loc_conf_t  *conf;

    v->not_found = 1;

    ctx = ngx_http_get_module_ctx(r, ngx_http_cqrs_command_module);

    if (ctx == NULL || !ctx->answered) {
        return NGX_OK;
    }

    conf = ngx_http_get_module_loc_conf(r, ngx_http_cqrs_command_module);

    ngx_http_cqrs_command_set_text(v,
                          ctx->status == NGX_CQRS_AMQP_CONFIRMED
                          && !conf->confirm
                          ? &ngx_http_cqrs_command_kept
                          : &ngx_http_cqrs_command_statuses[ctx->status]);

    return NGX_OK;
}


static ngx_int_t
ngx_http_cqrs_command_outcome_value(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_cqrs_command_ctx_t  *ctx;

    v->not_found = 1;

    ctx = ngx_http_get_module_ctx(r, ngx_http_cqrs_command_module);

    if (ctx && ctx->wait.listening) {
        ngx_http_cqrs_command_set_text(v,
                          &ngx_http_cqrs_command_outcomes[ctx->wait.outcome]);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_cqrs_command_publish_value(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_cqrs_command_ctx_t  *ctx;

    v->not_found = 1;

    ctx = ngx_http_get_module_ctx(r, ngx_http_cqrs_command_module);

    if (ctx == NULL || !ctx->answered) {
        return NGX_OK;
    }

    return ngx_http_cqrs_command_set_time(r, v, ctx->publish_time);
}


static ngx_int_t
ngx_http_cqrs_command_wait_value(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_cqrs_command_ctx_t  *ctx;

    v->not_found = 1;

    ctx = ngx_http_get_module_ctx(r, ngx_http_cqrs_command_module);

    if (ctx == NULL || !ctx->answered || !ctx->wait.listening) {
        return NGX_OK;
    }

    return ngx_http_cqrs_command_set_time(r, v, ctx->wait_time);
}


static void
ngx_http_cqrs_command_set_text(ngx_http_variable_value_t *v,
    const ngx_str_t *text)
{
    v->data = text->data;
    v->len = text->len;
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;
}


/* Seconds, as in $request_time. */

static ngx_int_t
ngx_http_cqrs_command_set_time(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, ngx_msec_t time)
{
    ngx_str_t  text;

    text.data = ngx_pnalloc(r->pool, NGX_TIME_T_LEN + 4);
    if (text.data == NULL) {
        return NGX_ERROR;
    }

    text.len = ngx_sprintf(text.data, "%T.%03M", (time_t) time / 1000,
                           time % 1000)
               - text.data;

    ngx_http_cqrs_command_set_text(v, &text);

    return NGX_OK;
}
