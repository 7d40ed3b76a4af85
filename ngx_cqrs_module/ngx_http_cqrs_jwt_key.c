
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Keys are read and checked when the configuration is, so that a wrong one is
 * refused by nginx -t and a new one taken by a reload.  Algorithm and kind of
 * key belong together: that a public key could pass for an HMAC's secret is
 * the classic way to forge a token.
 */

#include "ngx_http_cqrs_jwt_key.h"

#include <openssl/err.h>
#include <openssl/pem.h>


#define NGX_HTTP_CQRS_JWT_SECRET_MIN  32
#define NGX_HTTP_CQRS_JWT_RSA_MIN     2048
#define NGX_HTTP_CQRS_JWT_KEY_MAX     65536


typedef struct {
    ngx_str_t    name;
    jwt_alg_t    alg;
    int          type;        /* of the public key; 0: a secret */
    const char  *curve;
} ngx_http_cqrs_jwt_alg_t;


static ngx_int_t ngx_http_cqrs_jwt_key_file(ngx_conf_t *cf, ngx_str_t *data,
    ngx_str_t *path);
static ngx_int_t ngx_http_cqrs_jwt_key_env(ngx_conf_t *cf, ngx_str_t *data,
    ngx_str_t *name);
static ngx_int_t ngx_http_cqrs_jwt_key_check_secret(ngx_conf_t *cf,
    const ngx_http_cqrs_jwt_alg_t *alg, ngx_str_t *data);
static ngx_int_t ngx_http_cqrs_jwt_key_check_public(ngx_conf_t *cf,
    const ngx_http_cqrs_jwt_alg_t *alg, ngx_str_t *data);
static ngx_int_t ngx_http_cqrs_jwt_key_fits(EVP_PKEY *pkey,
    const ngx_http_cqrs_jwt_alg_t *alg);
static int ngx_http_cqrs_jwt_key_no_password(char *buf, int size, int rwflag,
    void *data);


static const ngx_http_cqrs_jwt_alg_t  ngx_http_cqrs_jwt_algs[] = {
    { ngx_string("HS256"), JWT_ALG_HS256, 0, NULL },
    { ngx_string("HS384"), JWT_ALG_HS384, 0, NULL },
    { ngx_string("HS512"), JWT_ALG_HS512, 0, NULL },
    { ngx_string("RS256"), JWT_ALG_RS256, EVP_PKEY_RSA, NULL },
    { ngx_string("RS384"), JWT_ALG_RS384, EVP_PKEY_RSA, NULL },
    { ngx_string("RS512"), JWT_ALG_RS512, EVP_PKEY_RSA, NULL },
    { ngx_string("ES256"), JWT_ALG_ES256, EVP_PKEY_EC, "prime256v1" },
    { ngx_string("ES384"), JWT_ALG_ES384, EVP_PKEY_EC, "secp384r1" },
    { ngx_string("ES512"), JWT_ALG_ES512, EVP_PKEY_EC, "secp521r1" },
    { ngx_null_string, JWT_ALG_INVAL, 0, NULL }
};


ngx_int_t
ngx_http_cqrs_jwt_key_read(ngx_conf_t *cf, ngx_http_cqrs_jwt_key_t *key,
    ngx_str_t *alg, ngx_str_t *source)
{
    ngx_int_t                       rc;
    ngx_str_t                       name;
    const ngx_http_cqrs_jwt_alg_t  *a;

    for (a = ngx_http_cqrs_jwt_algs; a->name.len; a++) {
        if (a->name.len == alg->len
            && ngx_memcmp(a->name.data, alg->data, alg->len) == 0)
        {
            break;
        }
    }

    if (a->name.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown algorithm \"%V\", known are HS256, HS384, "
                           "HS512, RS256, RS384, RS512, ES256, ES384, ES512",
                           alg);
        return NGX_ERROR;
    }

    if (ngx_strncmp(source->data, "file:", 5) == 0) {
        name.data = source->data + 5;
        name.len = source->len - 5;

        rc = ngx_http_cqrs_jwt_key_file(cf, &key->data, &name);

    } else if (ngx_strncmp(source->data, "env:", 4) == 0) {
        name.data = source->data + 4;
        name.len = source->len - 4;

        rc = ngx_http_cqrs_jwt_key_env(cf, &key->data, &name);

    } else {
        /* what stands here may be the secret itself */
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "a key is named by \"file:PATH\" or \"env:NAME\"");
        return NGX_ERROR;
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    key->alg = a->alg;

    return a->type ? ngx_http_cqrs_jwt_key_check_public(cf, a, &key->data)
                   : ngx_http_cqrs_jwt_key_check_secret(cf, a, &key->data);
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
ngx_http_cqrs_jwt_key_check_secret(ngx_conf_t *cf,
    const ngx_http_cqrs_jwt_alg_t *alg, ngx_str_t *data)
{
    /* the line's end is the editor's, not the secret's */

    if (data->len && data->data[data->len - 1] == LF) {
        data->len--;

        if (data->len && data->data[data->len - 1] == CR) {
            data->len--;
        }
    }

    if (data->len < NGX_HTTP_CQRS_JWT_SECRET_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the %V key has %uz bytes, it needs at least %d",
                           &alg->name, data->len,
                           NGX_HTTP_CQRS_JWT_SECRET_MIN);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_cqrs_jwt_key_check_public(ngx_conf_t *cf,
    const ngx_http_cqrs_jwt_alg_t *alg, ngx_str_t *data)
{
    BIO        *bio;
    EVP_PKEY   *pkey;
    ngx_int_t   rc;

    bio = BIO_new_mem_buf(data->data, (int) data->len);
    if (bio == NULL) {
        return NGX_ERROR;
    }

    pkey = PEM_read_bio_PUBKEY(bio, NULL, ngx_http_cqrs_jwt_key_no_password,
                               NULL);

    rc = pkey ? ngx_http_cqrs_jwt_key_fits(pkey, alg) : NGX_DECLINED;

    EVP_PKEY_free(pkey);
    BIO_free(bio);

    ERR_clear_error();

    if (rc == NGX_OK) {
        return NGX_OK;
    }

    if (alg->type == EVP_PKEY_RSA) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the %V key must be a public RSA key in PEM "
                           "of %d bits or more",
                           &alg->name, NGX_HTTP_CQRS_JWT_RSA_MIN);
        return NGX_ERROR;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "the %V key must be a public key in PEM "
                       "on the curve %s", &alg->name, alg->curve);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_cqrs_jwt_key_fits(EVP_PKEY *pkey, const ngx_http_cqrs_jwt_alg_t *alg)
{
    char  curve[32];

    if (EVP_PKEY_get_base_id(pkey) != alg->type) {
        return NGX_DECLINED;
    }

    if (alg->type == EVP_PKEY_RSA) {
        return EVP_PKEY_get_bits(pkey) < NGX_HTTP_CQRS_JWT_RSA_MIN
               ? NGX_DECLINED : NGX_OK;
    }

    if (EVP_PKEY_get_group_name(pkey, curve, sizeof(curve), NULL) != 1) {
        return NGX_DECLINED;
    }

    return ngx_strcmp(curve, alg->curve) == 0 ? NGX_OK : NGX_DECLINED;
}


/* The default asks on the terminal. */

static int
ngx_http_cqrs_jwt_key_no_password(char *buf, int size, int rwflag, void *data)
{
    return 0;
}
