
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Tokens: cqrs_jwt_key, cqrs_jwt, cqrs_jwt_from, and $cqrs_jwt_<claim>.
 *
 * A token is checked when something first asks for it, by the rules of the
 * location the request is in then; another location with other rules checks
 * again.  The check itself is in ngx_http_cqrs_jwt_token.c.  Why a token is
 * refused its sender is told; it is not logged, since nginx would add the
 * request line, and in its arguments the token.
 */

#include "ngx_http_cqrs_module.h"
#include "ngx_http_cqrs_jwt.h"
#include "ngx_http_cqrs_jwt_from.h"
#include "ngx_http_cqrs_jwt_key.h"
#include "ngx_http_cqrs_jwt_token.h"
#include "ngx_http_cqrs_reply.h"


#define NGX_HTTP_CQRS_JWT_OFF       0
#define NGX_HTTP_CQRS_JWT_OPTIONAL  1
#define NGX_HTTP_CQRS_JWT_REQUIRED  2


typedef struct {
    ngx_array_t  *keys;       /* of ngx_http_cqrs_jwt_key_t */
    ngx_array_t  *from;       /* NULL: the header */
    ngx_uint_t    mode;
} ngx_http_cqrs_jwt_loc_conf_t;


typedef struct {
    ngx_array_t                *keys;    /* by which the token was checked */
    ngx_array_t                *from;
    ngx_http_cqrs_jwt_token_t  token;
    ngx_int_t                   rc;      /* NGX_DECLINED: none, _ERROR: bad */
    const char                 *error;   /* why it is bad */
    char                       *text;    /* the claims; owned */
    json_t                     *claims;  /* the same; owned */
} ngx_http_cqrs_jwt_ctx_t;


static ngx_uint_t ngx_http_cqrs_jwt_mode(ngx_http_cqrs_jwt_loc_conf_t *conf);
static ngx_http_cqrs_jwt_ctx_t *ngx_http_cqrs_jwt_check(ngx_http_request_t *r,
    ngx_http_cqrs_jwt_loc_conf_t *conf);
static void ngx_http_cqrs_jwt_cleanup(void *data);
static ngx_int_t ngx_http_cqrs_jwt_refuse(ngx_http_request_t *r,
    const char *error);
static ngx_int_t ngx_http_cqrs_jwt_value(ngx_http_request_t *r, json_t *claim,
    ngx_str_t *value);
static ngx_int_t ngx_http_cqrs_jwt_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static json_t *ngx_http_cqrs_jwt_member(json_t *claims, ngx_str_t *name);
static ngx_int_t ngx_http_cqrs_jwt_add_variables(ngx_conf_t *cf);
static void *ngx_http_cqrs_jwt_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_cqrs_jwt_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_cqrs_jwt_set_key(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_cqrs_jwt_set_from(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


static ngx_conf_enum_t  ngx_http_cqrs_jwt_modes[] = {
    { ngx_string("off"), NGX_HTTP_CQRS_JWT_OFF },
    { ngx_string("optional"), NGX_HTTP_CQRS_JWT_OPTIONAL },
    { ngx_string("required"), NGX_HTTP_CQRS_JWT_REQUIRED },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_http_cqrs_jwt_commands[] = {

    { ngx_string("cqrs_jwt_key"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE2,
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

      ngx_null_command
};


static ngx_http_module_t  ngx_http_cqrs_jwt_module_ctx = {
    ngx_http_cqrs_jwt_add_variables,       /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

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
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_str_t  ngx_http_cqrs_jwt_prefix = ngx_string("cqrs_jwt_");

static ngx_str_t  ngx_http_cqrs_jwt_challenge = ngx_string("Bearer");


ngx_int_t
ngx_http_cqrs_jwt_authorize(ngx_http_request_t *r)
{
    ngx_uint_t                     mode;
    ngx_http_cqrs_jwt_ctx_t       *ctx;
    ngx_http_cqrs_jwt_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_cqrs_jwt_module);

    mode = ngx_http_cqrs_jwt_mode(conf);

    if (mode == NGX_HTTP_CQRS_JWT_OFF) {
        return NGX_OK;
    }

    ctx = ngx_http_cqrs_jwt_check(r, conf);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* what is logged of the request from here on shows no token */

    ngx_http_cqrs_jwt_from_hide(r, &ctx->token);

    if (ctx->rc == NGX_OK
        || (ctx->rc == NGX_DECLINED && mode == NGX_HTTP_CQRS_JWT_OPTIONAL))
    {
        return NGX_OK;
    }

    return ngx_http_cqrs_jwt_refuse(r, ctx->error);
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

    return NGX_CONF_OK;
}


const char *
ngx_http_cqrs_jwt_claims(ngx_http_request_t *r)
{
    ngx_http_cqrs_jwt_ctx_t       *ctx;
    ngx_http_cqrs_jwt_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_cqrs_jwt_module);

    ctx = ngx_http_cqrs_jwt_check(r, conf);

    return (ctx && ctx->rc == NGX_OK) ? ctx->text : NULL;
}


ngx_int_t
ngx_http_cqrs_jwt_claim(ngx_http_request_t *r, ngx_str_t *name,
    ngx_str_t *value)
{
    json_t                        *claim;                  /* borrowed */
    ngx_http_cqrs_jwt_ctx_t       *ctx;
    ngx_http_cqrs_jwt_loc_conf_t  *conf;

    ngx_str_null(value);

    conf = ngx_http_get_module_loc_conf(r, ngx_http_cqrs_jwt_module);

    ctx = ngx_http_cqrs_jwt_check(r, conf);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    if (ctx->rc != NGX_OK) {
        return NGX_OK;
    }

    claim = json_object_getn(ctx->claims, (char *) name->data, name->len);

    return claim ? ngx_http_cqrs_jwt_value(r, claim, value) : NGX_OK;
}


ngx_int_t
ngx_http_cqrs_jwt_args(ngx_http_request_t *r, ngx_str_t *args)
{
    ngx_http_cqrs_jwt_ctx_t       *ctx;
    ngx_http_cqrs_jwt_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_cqrs_jwt_module);

    ctx = ngx_http_cqrs_jwt_check(r, conf);

    return ctx ? ngx_http_cqrs_jwt_from_args(r, &ctx->token, args) : NGX_ERROR;
}


/* Where nothing is said, a token is required exactly if a key is there. */

static ngx_uint_t
ngx_http_cqrs_jwt_mode(ngx_http_cqrs_jwt_loc_conf_t *conf)
{
    if (conf->mode != NGX_CONF_UNSET_UINT) {
        return conf->mode;
    }

    return conf->keys ? NGX_HTTP_CQRS_JWT_REQUIRED : NGX_HTTP_CQRS_JWT_OFF;
}


/* Returns NULL when memory is short. */

static ngx_http_cqrs_jwt_ctx_t *
ngx_http_cqrs_jwt_check(ngx_http_request_t *r,
    ngx_http_cqrs_jwt_loc_conf_t *conf)
{
    ngx_array_t              *keys;
    ngx_pool_cleanup_t       *cln;
    ngx_http_cqrs_jwt_ctx_t  *ctx, *before;

    keys = (ngx_http_cqrs_jwt_mode(conf) == NGX_HTTP_CQRS_JWT_OFF)
           ? NULL : conf->keys;

    before = ngx_http_get_module_ctx(r, ngx_http_cqrs_jwt_module);

    if (before && before->keys == keys && before->from == conf->from) {
        return before;
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_cqrs_jwt_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;
    ngx_memzero(ctx, sizeof(ngx_http_cqrs_jwt_ctx_t));

    cln->handler = ngx_http_cqrs_jwt_cleanup;

    ctx->keys = keys;
    ctx->from = conf->from;
    ctx->rc = NGX_DECLINED;

    if (keys) {
        ctx->rc = ngx_http_cqrs_jwt_from_find(r, conf->from,
                                              before ? &before->token : NULL,
                                              &ctx->token);
    }

    if (ctx->rc == NGX_ERROR) {
        return NULL;
    }

    if (ctx->rc == NGX_OK) {
        ctx->error = ngx_http_cqrs_jwt_token_check(keys, &ctx->token.text,
                                                   &ctx->text, &ctx->claims);
        if (ctx->error) {
            ctx->rc = NGX_ERROR;
        }
    }

    ngx_http_set_ctx(r, ctx, ngx_http_cqrs_jwt_module);

    return ctx;
}


static void
ngx_http_cqrs_jwt_cleanup(void *data)
{
    ngx_http_cqrs_jwt_ctx_t  *ctx = data;

    free(ctx->text);
    json_decref(ctx->claims);
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
    json_t                        *claim;                  /* borrowed */
    ngx_str_t                      name, value;
    ngx_http_cqrs_jwt_ctx_t       *ctx;
    ngx_http_cqrs_jwt_loc_conf_t  *conf;

    name = *(ngx_str_t *) data;
    name.data += ngx_http_cqrs_jwt_prefix.len;
    name.len -= ngx_http_cqrs_jwt_prefix.len;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_cqrs_jwt_module);

    ctx = ngx_http_cqrs_jwt_check(r, conf);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    claim = (ctx->rc == NGX_OK)
            ? ngx_http_cqrs_jwt_member(ctx->claims, &name) : NULL;

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


/* nginx writes all variables in lower case; claims are often in camelCase. */

static json_t *
ngx_http_cqrs_jwt_member(json_t *claims, ngx_str_t *name)
{
    json_t      *value, *found;
    const char  *key;

    found = json_object_getn(claims, (char *) name->data, name->len);
    if (found) {
        return found;
    }

    json_object_foreach(claims, key, value) {

        if (ngx_strlen(key) == name->len
            && ngx_strncasecmp((u_char *) key, name->data, name->len) == 0)
        {
            return value;
        }
    }

    return NULL;
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

    return NGX_OK;
}


static void *
ngx_http_cqrs_jwt_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_cqrs_jwt_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_cqrs_jwt_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

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

    ngx_str_t                *value;
    ngx_http_cqrs_jwt_key_t  *key;

    if (jlcf->keys == NULL) {
        jlcf->keys = ngx_array_create(cf->pool, 1,
                                      sizeof(ngx_http_cqrs_jwt_key_t));
        if (jlcf->keys == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    key = ngx_array_push(jlcf->keys);
    if (key == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    if (ngx_http_cqrs_jwt_key_read(cf, key, &value[1], &value[2]) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_cqrs_jwt_set_from(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_cqrs_jwt_loc_conf_t *jlcf = conf;

    if (jlcf->from) {
        return "is duplicate";
    }

    jlcf->from = ngx_http_cqrs_jwt_from_read(cf);

    return jlcf->from ? NGX_CONF_OK : NGX_CONF_ERROR;
}
