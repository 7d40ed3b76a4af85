
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "ngx_cqrs_amqp_ssl.h"


static ngx_str_t *ngx_cqrs_amqp_ssl_name(ngx_cqrs_amqp_ssl_t *conf,
    ngx_str_t *host);


ngx_int_t
ngx_cqrs_amqp_ssl_create(ngx_conf_t *cf, ngx_cqrs_amqp_ssl_t *conf)
{
    ngx_array_t         *passwords;
    ngx_pool_cleanup_t  *cln;

    conf->ssl = ngx_pcalloc(cf->pool, sizeof(ngx_ssl_t));
    if (conf->ssl == NULL) {
        return NGX_ERROR;
    }

    conf->ssl->log = cf->log;

    if (ngx_ssl_create(conf->ssl, NGX_SSL_TLSv1_2|NGX_SSL_TLSv1_3, NULL)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        ngx_ssl_cleanup_ctx(conf->ssl);
        return NGX_ERROR;
    }

    cln->handler = ngx_ssl_cleanup_ctx;
    cln->data = conf->ssl;

    /* the output may have grown, and moved, before a write is repeated */

    SSL_CTX_set_mode(conf->ssl->ctx, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);

    if (conf->ciphers.len
        && ngx_ssl_ciphers(cf, conf->ssl, &conf->ciphers, 0) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (conf->certificate.len) {

        if (conf->certificate_key.len == 0) {
            conf->certificate_key = conf->certificate;
        }

        passwords = NULL;

        if (conf->password_file.len) {
            passwords = ngx_ssl_read_password_file(cf, &conf->password_file);
            if (passwords == NULL) {
                return NGX_ERROR;
            }
        }

        if (ngx_ssl_certificate(cf, conf->ssl, &conf->certificate,
                                &conf->certificate_key, passwords)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (!conf->verify) {
        return NGX_OK;
    }

    if (conf->trusted_certificate.len == 0) {
        SSL_CTX_set_verify_depth(conf->ssl->ctx, (int) conf->verify_depth);

        if (SSL_CTX_set_default_verify_paths(conf->ssl->ctx) == 0) {
            ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                          "the system's trusted certificates can't be used");
            return NGX_ERROR;
        }

    } else if (ngx_ssl_trusted_certificate(cf, conf->ssl,
                                           &conf->trusted_certificate,
                                           (ngx_int_t) conf->verify_depth)
               != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_ssl_crl(cf, conf->ssl, &conf->crl);
}


ngx_int_t
ngx_cqrs_amqp_ssl_begin(ngx_cqrs_amqp_ssl_t *conf, ngx_connection_t *c,
    ngx_str_t *host, ngx_connection_handler_pt handler)
{
    u_char      text[256];
    ngx_int_t   rc;
    ngx_str_t  *name;

    if (ngx_ssl_create_connection(conf->ssl, c, NGX_SSL_CLIENT) != NGX_OK) {
        return NGX_ERROR;
    }

    name = ngx_cqrs_amqp_ssl_name(conf, host);

    /* addresses are not sent as a server's name, RFC 6066 */

    if (name->len < sizeof(text) && name->data[0] != '['
        && ngx_inet_addr(name->data, name->len) == INADDR_NONE)
    {
        ngx_cpystrn(text, name->data, name->len + 1);

        if (SSL_set_tlsext_host_name(c->ssl->connection, (char *) text) == 0) {
            ngx_ssl_error(NGX_LOG_ERR, c->log, 0,
                          "SSL_set_tlsext_host_name(\"%s\") failed", text);
            return NGX_ERROR;
        }
    }

    rc = ngx_ssl_handshake(c);

    if (rc == NGX_AGAIN) {
        c->ssl->handler = handler;
        return NGX_OK;
    }

    handler(c);

    return NGX_OK;
}


const char *
ngx_cqrs_amqp_ssl_refused(ngx_cqrs_amqp_ssl_t *conf, ngx_connection_t *c,
    ngx_str_t *host)
{
    long  rc;

    if (!c->ssl->handshaked) {
        return "the TLS handshake failed";
    }

    if (!conf->verify) {
        return NULL;
    }

    rc = SSL_get_verify_result(c->ssl->connection);

    if (rc != X509_V_OK) {
        return X509_verify_cert_error_string(rc);
    }

    if (ngx_ssl_check_host(c, ngx_cqrs_amqp_ssl_name(conf, host)) != NGX_OK) {
        return "the broker's certificate is for another name";
    }

    return NULL;
}


void
ngx_cqrs_amqp_ssl_end(ngx_connection_t *c)
{
    if (c->ssl) {
        c->ssl->no_wait_shutdown = 1;
        c->ssl->no_send_shutdown = 1;

        (void) ngx_ssl_shutdown(c);
    }
}


static ngx_str_t *
ngx_cqrs_amqp_ssl_name(ngx_cqrs_amqp_ssl_t *conf, ngx_str_t *host)
{
    return conf->name.len ? &conf->name : host;
}
