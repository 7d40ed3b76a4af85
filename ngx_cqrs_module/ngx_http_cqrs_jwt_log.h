
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Tokens in arguments are in no log, whatever becomes of their request: it may
 * be malformed, too large, for another server or for another handler.
 */

#ifndef NGX_HTTP_CQRS_JWT_LOG_H
#define NGX_HTTP_CQRS_JWT_LOG_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/* When the configuration has been read: for the access logs. */
ngx_int_t ngx_http_cqrs_jwt_log_access(ngx_conf_t *cf);

/* Before there are connections: for the error logs. */
ngx_int_t ngx_http_cqrs_jwt_log_errors(ngx_cycle_t *cycle);


#endif /* NGX_HTTP_CQRS_JWT_LOG_H */
