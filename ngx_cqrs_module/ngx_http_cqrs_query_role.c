
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Who asks.  Where roles are configured the token names one, or the anonymous
 * one is taken, and what is wrong with a token is told in PostgREST's form.
 * Elsewhere the connection's own user reads.
 */

#include "ngx_http_cqrs_query_ctx.h"

#include "ngx_http_cqrs_jwt.h"

#include "cqrs_jwt.h"
#include "cqrs_role_claim.h"


static ngx_int_t ngx_http_cqrs_query_no_token(ngx_http_cqrs_query_ctx_t *ctx,
    const ngx_http_cqrs_jwt_seen_t *seen, cqrs_query_error_t *error);
static ngx_uint_t ngx_http_cqrs_query_bearer(ngx_http_request_t *r,
    ngx_uint_t *empty);
static ngx_int_t ngx_http_cqrs_query_role(ngx_http_cqrs_query_ctx_t *ctx,
    json_t *claims, cqrs_query_error_t *error);
static ngx_int_t ngx_http_cqrs_query_claims(ngx_http_cqrs_query_ctx_t *ctx,
    const json_t *claims);
static ngx_int_t ngx_http_cqrs_query_keep(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_str_t *str, char *text);


ngx_int_t
ngx_http_cqrs_query_identify(ngx_http_cqrs_query_ctx_t *ctx,
    cqrs_query_error_t *error)
{
    ngx_http_cqrs_jwt_seen_t  seen;

    switch (ngx_http_cqrs_jwt_examine(ctx->request, &seen)) {

    case NGX_OK:
        break;

    case NGX_DECLINED:
        if (ngx_http_cqrs_query_no_token(ctx, &seen, error) != NGX_OK) {
            return NGX_ERROR;
        }

        break;

    case NGX_ERROR:
        cqrs_jwt_refuse(error, seen.error, seen.token, &ctx->arena);
        return NGX_ERROR;

    default: /* NGX_ABORT */
        cqrs_query_no_memory(error);
        return NGX_ERROR;
    }

    if (ngx_http_cqrs_query_role(ctx, seen.claims, error) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_cqrs_query_claims(ctx, seen.claims) != NGX_OK) {
        cqrs_query_no_memory(error);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_cqrs_query_no_token(ngx_http_cqrs_query_ctx_t *ctx,
    const ngx_http_cqrs_jwt_seen_t *seen, cqrs_query_error_t *error)
{
    ngx_uint_t  empty;

    if (ngx_http_cqrs_query_bearer(ctx->request, &empty)) {

        if (!seen->keys) {
            cqrs_query_refuse(error, NGX_HTTP_INTERNAL_SERVER_ERROR,
                              "PGRST300", "Server lacks JWT secret");
            return NGX_ERROR;
        }

        if (empty) {
            cqrs_query_refuse(error, NGX_HTTP_UNAUTHORIZED, "PGRST301",
                              "Empty JWT is sent in Authorization header");
            return NGX_ERROR;
        }
    }

    if (seen->required) {
        cqrs_query_refuse(error, NGX_HTTP_UNAUTHORIZED, "PGRST302",
                          "Anonymous access is disabled");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_cqrs_query_bearer(ngx_http_request_t *r, ngx_uint_t *empty)
{
    size_t      i;
    ngx_str_t  *value;

    if (r->headers_in.authorization == NULL) {
        return 0;
    }

    value = &r->headers_in.authorization->value;

    i = sizeof("Bearer") - 1;

    if (value->len < i
        || ngx_strncasecmp(value->data, (u_char *) "Bearer", i) != 0
        || (value->len > i && value->data[i] != ' '))
    {
        return 0;
    }

    while (i < value->len && value->data[i] == ' ') {
        i++;
    }

    *empty = (i == value->len);

    return 1;
}


static ngx_int_t
ngx_http_cqrs_query_role(ngx_http_cqrs_query_ctx_t *ctx, json_t *claims,
    cqrs_query_error_t *error)
{
    json_t                          *claim;                /* borrowed */
    cqrs_str_t                       path;
    ngx_http_cqrs_query_loc_conf_t  *conf;

    conf = ctx->conf;
    path = cqrs_str_lit(".role");

    if (conf->role_claim.len) {
        path.data = (char *) conf->role_claim.data;
        path.len = conf->role_claim.len;
    }

    claim = claims ? cqrs_role_claim_find(&path, claims) : NULL;

    if (claim && !json_is_null(claim)) {

        if (json_is_string(claim)) {
            ctx->role.data = json_string_value(claim);
            ctx->role.len = json_string_length(claim);

        } else if (ngx_http_cqrs_query_keep(ctx, &ctx->role,
                      json_dumps(claim, JSON_COMPACT|JSON_ENCODE_ANY))
                   != NGX_OK)
        {
            cqrs_query_no_memory(error);
            return NGX_ERROR;
        }

    } else if (conf->anonymous_role.len) {
        ctx->role.data = (char *) conf->anonymous_role.data;
        ctx->role.len = conf->anonymous_role.len;

    } else {
        cqrs_query_refuse(error, NGX_HTTP_UNAUTHORIZED, "PGRST302",
                          "Anonymous access is disabled");
        return NGX_ERROR;
    }

    /* to Postgres it is no role, but the user of the connection */

    if (cqrs_str_is(&ctx->role, "none")) {
        cqrs_query_refuse(error, NGX_HTTP_UNAUTHORIZED, "22023",
                          "role \"none\" does not exist");
        return NGX_ERROR;
    }

    ctx->anonymous = (ctx->role.len == conf->anonymous_role.len
                      && ngx_memcmp(ctx->role.data, conf->anonymous_role.data,
                                    ctx->role.len)
                         == 0);

    return NGX_OK;
}


/* What functions and policies see; the role is always there. */

static ngx_int_t
ngx_http_cqrs_query_claims(ngx_http_cqrs_query_ctx_t *ctx,
    const json_t *claims)
{
    char       *text;
    json_t     *all;                                       /* new */
    ngx_int_t   rc;

    all = claims ? json_copy((json_t *) claims) : json_object();

    if (all == NULL
        || json_object_set_new(all, "role", json_stringn(ctx->role.data,
                                                         ctx->role.len))
           != 0)
    {
        json_decref(all);
        return NGX_ERROR;
    }

    text = json_dumps(all, JSON_COMPACT);

    rc = ngx_http_cqrs_query_keep(ctx, &ctx->claims, text);

    json_decref(all);

    return rc;
}


/* Takes the text, which may be NULL: no memory. */

static ngx_int_t
ngx_http_cqrs_query_keep(ngx_http_cqrs_query_ctx_t *ctx, cqrs_str_t *str,
    char *text)
{
    if (text == NULL) {
        return NGX_ERROR;
    }

    str->len = ngx_strlen(text);
    str->data = cqrs_arena_copy(&ctx->arena, text, str->len);

    free(text);

    return str->data ? NGX_OK : NGX_ERROR;
}
