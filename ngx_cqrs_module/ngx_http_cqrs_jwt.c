
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Tokens: cqrs_jwt_key and what belongs to it, and $cqrs_jwt_<claim>.
 *
 * Why a token is refused its sender is told; it is not logged.  A token in an
 * argument is hidden as soon as a location of ours is known, and in any case
 * from what is written to logs.
 */

#include "ngx_http_cqrs_module.h"
#include "ngx_http_cqrs_jwt.h"
#include "ngx_http_cqrs_jwt_ctx.h"
#include "ngx_http_cqrs_jwt_from.h"
#include "ngx_http_cqrs_jwt_key.h"
#include "ngx_http_cqrs_jwt_log.h"
#include "ngx_http_cqrs_reply.h"


static ngx_int_t ngx_http_cqrs_jwt_rewrite_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_cqrs_jwt_refuse(ngx_http_request_t *r,
    const char *error);
static ngx_int_t ngx_http_cqrs_jwt_value(ngx_http_request_t *r, json_t *claim,
    ngx_str_t *value);
static ngx_int_t ngx_http_cqrs_jwt_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_cqrs_jwt_cache_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_cqrs_jwt_add_variables(ngx_conf_t *cf);
static ngx_int_t ngx_http_cqrs_jwt_init(ngx_conf_t *cf);
static void *ngx_http_cqrs_jwt_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_cqrs_jwt_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_http_cqrs_jwt_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_cqrs_jwt_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_cqrs_jwt_set_key(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_cqrs_jwt_set_from(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_cqrs_jwt_set_texts(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


static ngx_conf_num_bounds_t  ngx_http_cqrs_jwt_cache_bounds = {
    ngx_conf_check_num_bounds, 0, 1000000
};


static ngx_conf_enum_t  ngx_http_cqrs_jwt_modes[] = {
    { ngx_string("off"), NGX_HTTP_CQRS_JWT_OFF },
    { ngx_string("optional"), NGX_HTTP_CQRS_JWT_OPTIONAL },
    { ngx_string("required"), NGX_HTTP_CQRS_JWT_REQUIRED },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_http_cqrs_jwt_commands[] = {

    { ngx_string("cqrs_jwt_key"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE23,
      ngx_http_cqrs_jwt_set_key,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cqrs_jwt"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_cqrs_jwt_loc_conf_t, mode),
      ngx_http_cqrs_jwt_modes },

    { ngx_string("cqrs_jwt_from"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_cqrs_jwt_set_from,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cqrs_jwt_audience"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_cqrs_jwt_set_texts,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_cqrs_jwt_loc_conf_t, audiences),
      NULL },

    { ngx_string("cqrs_jwt_issuer"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_cqrs_jwt_set_texts,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_cqrs_jwt_loc_conf_t, issuers),
      NULL },

    { ngx_string("cqrs_jwt_leeway"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_cqrs_jwt_loc_conf_t, leeway),
      NULL },

    { ngx_string("cqrs_jwt_cache"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_cqrs_jwt_main_conf_t, cache.max),
      &ngx_http_cqrs_jwt_cache_bounds },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_cqrs_jwt_module_ctx = {
    ngx_http_cqrs_jwt_add_variables,       /* preconfiguration */
    ngx_http_cqrs_jwt_init,                /* postconfiguration */

    ngx_http_cqrs_jwt_create_main_conf,    /* create main configuration */
    ngx_http_cqrs_jwt_init_main_conf,      /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_cqrs_jwt_create_loc_conf,     /* create location configuration */
    ngx_http_cqrs_jwt_merge_loc_conf       /* merge location configuration */
};


ngx_module_t  ngx_http_cqrs_jwt_module = {
    NGX_MODULE_V1,
    &ngx_http_cqrs_jwt_module_ctx,         /* module context */
    ngx_http_cqrs_jwt_commands,            /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_cqrs_jwt_log_errors,          /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_str_t  ngx_http_cqrs_jwt_prefix = ngx_string("cqrs_jwt_");

static ngx_str_t  ngx_http_cqrs_jwt_cache_name =
    ngx_string("cqrs_token_cache");

static ngx_str_t  ngx_http_cqrs_jwt_challenge = ngx_string("Bearer");


ngx_int_t
ngx_http_cqrs_jwt_authorize(ngx_http_request_t *r)
{
    ngx_uint_t                     mode;
    ngx_http_cqrs_jwt_ctx_t       *ctx;
    ngx_http_cqrs_jwt_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_cqrs_jwt_module);

    mode = ngx_http_cqrs_jwt_mode(conf);

    if (ngx_http_cqrs_jwt_hide(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (mode == NGX_HTTP_CQRS_JWT_OFF) {
        return NGX_OK;
    }

    ctx = ngx_http_cqrs_jwt_check(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->rc == NGX_OK
        || (ctx->rc == NGX_DECLINED && mode == NGX_HTTP_CQRS_JWT_OPTIONAL))
    {
        return NGX_OK;
    }

    return ngx_http_cqrs_jwt_refuse(r, ctx->error);
}


ngx_int_t
ngx_http_cqrs_jwt_examine(ngx_http_request_t *r,
    ngx_http_cqrs_jwt_seen_t *seen)
{
    ngx_http_cqrs_jwt_ctx_t       *ctx;
    ngx_http_cqrs_jwt_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_cqrs_jwt_module);

    ngx_memzero(seen, sizeof(ngx_http_cqrs_jwt_seen_t));

    seen->required = (conf->mode == NGX_HTTP_CQRS_JWT_REQUIRED);
    seen->keys = (conf->keys != NULL
                  || conf->mode == NGX_HTTP_CQRS_JWT_OFF);

    if (ngx_http_cqrs_jwt_hide(r) != NGX_OK) {
        return NGX_ABORT;
    }

    ctx = ngx_http_cqrs_jwt_check(r);
    if (ctx == NULL) {
        return NGX_ABORT;
    }

    switch (ctx->rc) {

    case NGX_OK:
        seen->claims = ngx_http_cqrs_jwt_known(ctx);
        return NGX_OK;

    case NGX_DECLINED:
        return NGX_DECLINED;

    default: /* NGX_ERROR */
        seen->error = ctx->error;
        seen->token = (char *) ctx->token.data;
        return NGX_ERROR;
    }
}


void
ngx_http_cqrs_jwt_as_postgrest(ngx_conf_t *cf)
{
    ngx_http_cqrs_jwt_loc_conf_t  *conf;

    conf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_cqrs_jwt_module);

    conf->postgrest = 1;
}


char *
ngx_http_cqrs_jwt_check_conf(ngx_conf_t *cf)
{
    ngx_http_cqrs_jwt_loc_conf_t  *conf;

    conf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_cqrs_jwt_module);

    if (conf->keys == NULL
        && ngx_http_cqrs_jwt_mode(conf) != NGX_HTTP_CQRS_JWT_OFF)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"cqrs_jwt\" asks for tokens, "
                           "and no \"cqrs_jwt_key\" says how to check them");
        return NGX_CONF_ERROR;
    }

    conf->ours = 1;

    return NGX_CONF_OK;
}


const char *
ngx_http_cqrs_jwt_claims(ngx_http_request_t *r)
{
    ngx_http_cqrs_jwt_ctx_t  *ctx;

    ctx = ngx_http_cqrs_jwt_check(r);

    return (ctx && ctx->rc == NGX_OK) ? cqrs_jwt_text(ctx->verified) : NULL;
}


ngx_int_t
ngx_http_cqrs_jwt_claim(ngx_http_request_t *r, ngx_str_t *name,
    ngx_str_t *value)
{
    json_t                   *claim;                       /* borrowed */
    ngx_http_cqrs_jwt_ctx_t  *ctx;

    ngx_str_null(value);

    ctx = ngx_http_cqrs_jwt_check(r);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    claim = json_object_getn(ngx_http_cqrs_jwt_known(ctx), (char *) name->data,
                             name->len);

    return claim ? ngx_http_cqrs_jwt_value(r, claim, value) : NGX_OK;
}


ngx_int_t
ngx_http_cqrs_jwt_expires(ngx_http_request_t *r, time_t *expires)
{
    cqrs_jwt_rules_t          rules;
    ngx_http_cqrs_jwt_ctx_t  *ctx;

    ctx = ngx_http_cqrs_jwt_check(r);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ngx_http_cqrs_jwt_rules(ctx->conf, &rules);

    *expires = cqrs_jwt_end(&rules, ngx_http_cqrs_jwt_known(ctx));

    return NGX_OK;
}


ngx_int_t
ngx_http_cqrs_jwt_args(ngx_http_request_t *r, ngx_str_t *args)
{
    ngx_http_cqrs_jwt_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_cqrs_jwt_module);

    return ngx_http_cqrs_jwt_from_args(r, conf->from, args);
}


void
ngx_http_cqrs_jwt_subprotocol(ngx_http_request_t *r, ngx_str_t *name)
{
    ngx_http_cqrs_jwt_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_cqrs_jwt_module);

    ngx_http_cqrs_jwt_from_subprotocol(r, conf->from, name);
}


/* Where the location is known first, before limit_req and others log. */

static ngx_int_t
ngx_http_cqrs_jwt_rewrite_handler(ngx_http_request_t *r)
{
    ngx_http_cqrs_jwt_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_cqrs_jwt_module);

    if (conf->ours && ngx_http_cqrs_jwt_hide(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_cqrs_jwt_refuse(ngx_http_request_t *r, const char *error)
{
    ngx_str_t  challenge;

    challenge = ngx_http_cqrs_jwt_challenge;

    if (error) {
        challenge.data = ngx_pnalloc(r->pool,
                                     sizeof("Bearer error=\"invalid_token\", "
                                            "error_description=\"\"")
                                     + ngx_strlen(error));
        if (challenge.data == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        challenge.len = ngx_sprintf(challenge.data,
                                    "Bearer error=\"invalid_token\", "
                                    "error_description=\"%s\"", error)
                        - challenge.data;
    }

    if (ngx_http_cqrs_add_header(r, "WWW-Authenticate", &challenge)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (error) {
        return ngx_http_cqrs_problem(r, NGX_HTTP_UNAUTHORIZED, "invalid-token",
                                     "%s", error);
    }

    return ngx_http_cqrs_problem(r, NGX_HTTP_UNAUTHORIZED, "no-token",
                                 "a token is required here");
}


static ngx_int_t
ngx_http_cqrs_jwt_value(ngx_http_request_t *r, json_t *claim, ngx_str_t *value)
{
    char       *text;
    ngx_str_t   json;

    if (json_is_string(claim)) {
        value->data = (u_char *) json_string_value(claim);
        value->len = json_string_length(claim);
        return NGX_OK;
    }

    if (json_is_null(claim)) {
        return NGX_OK;
    }

    text = json_dumps(claim, JSON_COMPACT|JSON_ENCODE_ANY);   /* new */
    if (text == NULL) {
        return NGX_ERROR;
    }

    json.data = (u_char *) text;
    json.len = ngx_strlen(text);

    value->data = ngx_pstrdup(r->pool, &json);
    value->len = json.len;

    free(text);

    return value->data ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_cqrs_jwt_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    json_t                   *claim;                       /* borrowed */
    ngx_str_t                 name, value;
    ngx_http_cqrs_jwt_ctx_t  *ctx;

    name = *(ngx_str_t *) data;
    name.data += ngx_http_cqrs_jwt_prefix.len;
    name.len -= ngx_http_cqrs_jwt_prefix.len;

    ctx = ngx_http_cqrs_jwt_check(r);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    claim = cqrs_jwt_claim(ngx_http_cqrs_jwt_known(ctx), (char *) name.data,
                           name.len);

    if (claim == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    ngx_str_null(&value);

    if (ngx_http_cqrs_jwt_value(r, claim, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    v->data = value.data;
    v->len = value.len;
    v->valid = 1;
    v->no_cacheable = 1;         /* the next location may have another key */
    v->not_found = 0;

    return NGX_OK;
}


/* What became of the token; nothing where none was checked. */

static ngx_int_t
ngx_http_cqrs_jwt_cache_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_cqrs_jwt_ctx_t  *ctx;

    ctx = ngx_http_cqrs_jwt_ctx(r);

    if (ctx == NULL || ctx->rc == NGX_AGAIN || ctx->rc == NGX_DECLINED) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->data = (u_char *) (ctx->hit ? "HIT" : "MISS");
    v->len = ctx->hit ? 3 : 4;
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_cqrs_jwt_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var;

    var = ngx_http_add_variable(cf, &ngx_http_cqrs_jwt_prefix,
                                NGX_HTTP_VAR_NOCACHEABLE|NGX_HTTP_VAR_PREFIX);
    if (var == NULL) {
        return NGX_ERROR;
    }

    var->get_handler = ngx_http_cqrs_jwt_variable;

    var = ngx_http_add_variable(cf, &ngx_http_cqrs_jwt_cache_name,
                                NGX_HTTP_VAR_NOCACHEABLE);
    if (var == NULL) {
        return NGX_ERROR;
    }

    var->get_handler = ngx_http_cqrs_jwt_cache_variable;

    return NGX_OK;
}


static ngx_int_t
ngx_http_cqrs_jwt_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_REWRITE_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_cqrs_jwt_rewrite_handler;

    return ngx_http_cqrs_jwt_log_access(cf);
}


static void *
ngx_http_cqrs_jwt_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_cqrs_jwt_main_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_cqrs_jwt_main_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->cache.max = NGX_CONF_UNSET;

    if (ngx_http_cqrs_jwt_cache_init(&conf->cache, cf->pool) != NGX_OK) {
        return NULL;
    }

    return conf;
}


static char *
ngx_http_cqrs_jwt_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_cqrs_jwt_main_conf_t *jmcf = conf;

    ngx_conf_init_value(jmcf->cache.max, 1024);

    return NGX_CONF_OK;
}


static void *
ngx_http_cqrs_jwt_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_cqrs_jwt_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_cqrs_jwt_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->leeway = NGX_CONF_UNSET;
    conf->mode = NGX_CONF_UNSET_UINT;

    return conf;
}


static char *
ngx_http_cqrs_jwt_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_cqrs_jwt_loc_conf_t  *prev = parent;
    ngx_http_cqrs_jwt_loc_conf_t  *conf = child;

    if (conf->keys == NULL) {
        conf->keys = prev->keys;
    }

    if (conf->from == NULL) {
        conf->from = prev->from;
    }

    if (conf->audiences == NULL) {
        conf->audiences = prev->audiences;
    }

    if (conf->issuers == NULL) {
        conf->issuers = prev->issuers;
    }

    ngx_conf_merge_sec_value(conf->leeway, prev->leeway, 30);

    /*
     * Unset stays unset until the innermost level is known: a key in the
     * server must not be undone by a default taken further out.
     */

    if (conf->mode == NGX_CONF_UNSET_UINT) {
        conf->mode = prev->mode;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_cqrs_jwt_set_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_cqrs_jwt_loc_conf_t *jlcf = conf;

    if (jlcf->keys == NULL) {
        jlcf->keys = ngx_http_cqrs_jwt_key_array(cf);
        if (jlcf->keys == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (ngx_http_cqrs_jwt_key_read(cf, jlcf->keys) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_cqrs_jwt_set_from(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_cqrs_jwt_loc_conf_t *jlcf = conf;

    ngx_http_cqrs_jwt_main_conf_t  *jmcf;

    if (jlcf->from) {
        return "is duplicate";
    }

    jmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_cqrs_jwt_module);

    jlcf->from = ngx_http_cqrs_jwt_from_read(cf, &jmcf->hidden);

    return jlcf->from ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/* "off" is what makes an inherited list empty. */

static char *
ngx_http_cqrs_jwt_set_texts(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_str_t     *value;
    cqrs_str_t    *text;
    ngx_uint_t     i;
    ngx_array_t  **texts;

    texts = (ngx_array_t **) (p + cmd->offset);

    if (*texts) {
        return "is duplicate";
    }

    value = cf->args->elts;

    *texts = ngx_array_create(cf->pool, cf->args->nelts - 1,
                              sizeof(cqrs_str_t));
    if (*texts == NULL) {
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        return NGX_CONF_OK;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (value[i].len == 0) {
            return "has an empty value";
        }

        text = ngx_array_push(*texts);
        if (text == NULL) {
            return NGX_CONF_ERROR;
        }

        text->data = (char *) value[i].data;
        text->len = value[i].len;
    }

    return NGX_CONF_OK;
}
