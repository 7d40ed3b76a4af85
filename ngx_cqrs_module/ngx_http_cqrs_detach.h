
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* A connection without its request. */

#ifndef NGX_HTTP_CQRS_DETACH_H
#define NGX_HTTP_CQRS_DETACH_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * Logs and frees the request, and gives back what nginx keeps for requests
 * yet to come.  To be called from an event of ours, when nobody else has the
 * request in hands.  The connection's handlers and data are the caller's to
 * set; it closes it with ngx_http_close_connection().  NULL when memory is
 * short; then the request is as it was.
 */
ngx_connection_t *ngx_http_cqrs_detach(ngx_http_request_t *r);


#endif /* NGX_HTTP_CQRS_DETACH_H */
