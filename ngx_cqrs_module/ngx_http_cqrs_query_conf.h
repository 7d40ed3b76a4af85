
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* Setters of the directives of queries. */

#ifndef NGX_HTTP_CQRS_QUERY_CONF_H
#define NGX_HTTP_CQRS_QUERY_CONF_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/* cqrs_sql, see ngx_http_cqrs_query_sql.c */
char *ngx_http_cqrs_query_set_sql(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* A name, or "off": none. */
char *ngx_http_cqrs_query_set_name(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* Several names, or "off": none. */
char *ngx_http_cqrs_query_set_names(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

char *ngx_http_cqrs_query_set_role_claim(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_cqrs_query_set_setting(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_cqrs_query_set_pre_request(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_cqrs_query_set_origins(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_cqrs_query_set_trace_header(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
char *ngx_http_cqrs_query_set_security(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_cqrs_query_set_proxy(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* Writes a name as SQL has it, see cqrs_identifier.h; returns the end. */
u_char *ngx_http_cqrs_query_quote(u_char *p, ngx_str_t *name);


#endif /* NGX_HTTP_CQRS_QUERY_CONF_H */
