
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Keys are read and checked when the configuration is, so that a wrong one is
 * refused by nginx -t and a new one taken by a reload.
 */

#include "ngx_http_cqrs_jwt_key.h"

#include "cqrs_jwt_key.h"


#define NGX_HTTP_CQRS_JWT_KEY_MAX  65536


static void ngx_http_cqrs_jwt_key_cleanup(void *data);
static ngx_int_t ngx_http_cqrs_jwt_key_source(ngx_conf_t *cf, ngx_str_t *data,
    ngx_str_t *source);
static ngx_int_t ngx_http_cqrs_jwt_key_file(ngx_conf_t *cf, ngx_str_t *data,
    ngx_str_t *path);
static ngx_int_t ngx_http_cqrs_jwt_key_env(ngx_conf_t *cf, ngx_str_t *data,
    ngx_str_t *name);
static ngx_int_t ngx_http_cqrs_jwt_key_add(ngx_conf_t *cf, ngx_array_t *keys,
    const cqrs_jwt_alg_t *alg, const char *kid, ngx_str_t *data);
static ngx_int_t ngx_http_cqrs_jwt_key_add_set(ngx_conf_t *cf,
    ngx_array_t *keys, ngx_str_t *source, ngx_str_t *data);
static ngx_int_t ngx_http_cqrs_jwt_key_add_one(ngx_conf_t *cf,
    ngx_array_t *keys, ngx_str_t *source, json_t *jwk, ngx_uint_t i);
static ngx_int_t ngx_http_cqrs_jwt_key_keep(ngx_array_t *keys,
    cqrs_jwt_key_t *key);


ngx_array_t *
ngx_http_cqrs_jwt_key_array(ngx_conf_t *cf)
{
    ngx_array_t         *keys;
    ngx_pool_cleanup_t  *cln;

    keys = ngx_array_create(cf->pool, 1, sizeof(cqrs_jwt_key_t));
    if (keys == NULL) {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_cqrs_jwt_key_cleanup;
    cln->data = keys;

    return keys;
}


static void
ngx_http_cqrs_jwt_key_cleanup(void *data)
{
    ngx_array_t *keys = data;

    ngx_uint_t       i;
    cqrs_jwt_key_t  *key;

    key = keys->elts;

    for (i = 0; i < keys->nelts; i++) {
        cqrs_jwt_key_cleanup(&key[i]);
    }
}


ngx_int_t
ngx_http_cqrs_jwt_key_read(ngx_conf_t *cf, ngx_array_t *keys)
{
    char                   error[CQRS_JWT_ERROR_MAX];
    ngx_str_t             *value, data, *kid;
    ngx_uint_t             set;
    const cqrs_jwt_alg_t  *alg;

    value = cf->args->elts;
    kid = (cf->args->nelts == 4) ? &value[3] : NULL;

    set = (ngx_strcmp(value[1].data, "JWKS") == 0);
    alg = NULL;

    if (!set) {
        alg = cqrs_jwt_alg((char *) value[1].data, error);

        if (alg == NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s", error);
            return NGX_ERROR;
        }
    }

    if (kid && (set || kid->len < 5
                || ngx_strncmp(kid->data, "kid=", 4) != 0))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\", after its source a key "
                           "may have \"kid=ID\", and a JWKS nothing", kid);
        return NGX_ERROR;
    }

    if (ngx_http_cqrs_jwt_key_source(cf, &data, &value[2]) != NGX_OK) {
        return NGX_ERROR;
    }

    if (set) {
        return ngx_http_cqrs_jwt_key_add_set(cf, keys, &value[2], &data);
    }

    /* the line's end is the editor's, not the secret's */

    if (alg->type == 0 && data.len && data.data[data.len - 1] == LF) {
        data.len--;

        if (data.len && data.data[data.len - 1] == CR) {
            data.len--;
        }
    }

    return ngx_http_cqrs_jwt_key_add(cf, keys, alg,
                                     kid ? (char *) kid->data + 4 : NULL,
                                     &data);
}


static ngx_int_t
ngx_http_cqrs_jwt_key_source(ngx_conf_t *cf, ngx_str_t *data,
    ngx_str_t *source)
{
    ngx_str_t  name;

    if (ngx_strncmp(source->data, "file:", 5) == 0) {
        name.data = source->data + 5;
        name.len = source->len - 5;

        return ngx_http_cqrs_jwt_key_file(cf, data, &name);
    }

    if (ngx_strncmp(source->data, "env:", 4) == 0) {
        name.data = source->data + 4;
        name.len = source->len - 4;

        return ngx_http_cqrs_jwt_key_env(cf, data, &name);
    }

    /* what stands here may be the secret itself */

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "a key is named by \"file:PATH\" or \"env:NAME\"");

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_cqrs_jwt_key_file(ngx_conf_t *cf, ngx_str_t *data, ngx_str_t *path)
{
    ssize_t    n;
    ngx_fd_t   fd;
    ngx_err_t  err;

    if (path->len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"file:\" names no file");
        return NGX_ERROR;
    }

    if (ngx_conf_full_name(cf->cycle, path, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    data->data = ngx_pnalloc(cf->pool, NGX_HTTP_CQRS_JWT_KEY_MAX + 1);
    if (data->data == NULL) {
        return NGX_ERROR;
    }

    fd = ngx_open_file(path->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "the key file \"%V\" could not be opened", path);
        return NGX_ERROR;
    }

    n = ngx_read_fd(fd, data->data, NGX_HTTP_CQRS_JWT_KEY_MAX + 1);
    err = ngx_errno;

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", path);
    }

    if (n == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, err,
                           "the key file \"%V\" could not be read", path);
        return NGX_ERROR;
    }

    if (n > NGX_HTTP_CQRS_JWT_KEY_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the key file \"%V\" is too large for a key", path);
        return NGX_ERROR;
    }

    data->len = n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_cqrs_jwt_key_env(ngx_conf_t *cf, ngx_str_t *data, ngx_str_t *name)
{
    char       *value;
    ngx_str_t   text;

    value = getenv((char *) name->data);

    if (value == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the environment variable \"%V\" of the key "
                           "is not set", name);
        return NGX_ERROR;
    }

    text.data = (u_char *) value;
    text.len = ngx_strlen(value);

    data->data = ngx_pstrdup(cf->pool, &text);
    if (data->data == NULL && text.len) {
        return NGX_ERROR;
    }

    data->len = text.len;

    return NGX_OK;
}


static ngx_int_t
ngx_http_cqrs_jwt_key_add(ngx_conf_t *cf, ngx_array_t *keys,
    const cqrs_jwt_alg_t *alg, const char *kid, ngx_str_t *data)
{
    char            error[CQRS_JWT_ERROR_MAX];
    cqrs_jwt_key_t  key;

    if (cqrs_jwt_key_init(&key, alg, kid, data->data, data->len, error) != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s", error);
        return NGX_ERROR;
    }

    return ngx_http_cqrs_jwt_key_keep(keys, &key);
}


static ngx_int_t
ngx_http_cqrs_jwt_key_add_set(ngx_conf_t *cf, ngx_array_t *keys,
    ngx_str_t *source, ngx_str_t *data)
{
    char         error[CQRS_JWT_ERROR_MAX];
    json_t      *set;
    ngx_int_t    rc;
    ngx_uint_t   i, n;

    n = keys->nelts;

    set = cqrs_jwt_key_set(data->data, data->len, error);    /* new */
    if (set == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\": %s", source, error);
        return NGX_ERROR;
    }

    rc = NGX_OK;

    for (i = 0; i < json_array_size(set) && rc == NGX_OK; i++) {
        rc = ngx_http_cqrs_jwt_key_add_one(cf, keys, source,
                                           json_array_get(set, i), i);
    }

    json_decref(set);

    if (rc == NGX_OK && keys->nelts == n) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\": the JWK Set has no key that tokens can "
                           "be checked with", source);
        return NGX_ERROR;
    }

    return rc;
}


static ngx_int_t
ngx_http_cqrs_jwt_key_add_one(ngx_conf_t *cf, ngx_array_t *keys,
    ngx_str_t *source, json_t *jwk, ngx_uint_t i)
{
    int             rc;
    char            error[CQRS_JWT_ERROR_MAX];
    cqrs_jwt_key_t  key;

    rc = cqrs_jwt_key_of_set(&key, jwk, error);

    if (rc == CQRS_JWT_KEY_SKIPPED) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"%V\": key %ui is ignored: %s",
                           source, i + 1, error);
        return NGX_OK;
    }

    if (rc != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\": key %ui: %s", source, i + 1, error);
        return NGX_ERROR;
    }

    return ngx_http_cqrs_jwt_key_keep(keys, &key);
}


static ngx_int_t
ngx_http_cqrs_jwt_key_keep(ngx_array_t *keys, cqrs_jwt_key_t *key)
{
    cqrs_jwt_key_t  *added;

    added = ngx_array_push(keys);
    if (added == NULL) {
        cqrs_jwt_key_cleanup(key);
        return NGX_ERROR;
    }

    *added = *key;

    return NGX_OK;
}
