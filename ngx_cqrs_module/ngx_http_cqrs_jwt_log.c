
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * nginx adds the request line to each error, as soon as it has read one.  No
 * phase comes before that; so we stand between nginx and its listening sockets
 * and give each connection's log a handler of ours, which asks nginx's own and
 * puts stars into what that has written.
 */

#include "ngx_http_cqrs_jwt_log.h"
#include "ngx_http_cqrs_jwt_ctx.h"
#include "ngx_http_cqrs_jwt_from.h"


static ngx_int_t ngx_http_cqrs_jwt_log_handler(ngx_http_request_t *r);
static void ngx_http_cqrs_jwt_log_connection(ngx_connection_t *c);
static u_char *ngx_http_cqrs_jwt_log_error(ngx_log_t *log, u_char *buf,
    size_t len);


/* Those of the configuration that this process goes by. */
static ngx_array_t        *ngx_http_cqrs_jwt_log_hidden;

/* nginx's own, the same for all connections. */
static ngx_log_handler_pt  ngx_http_cqrs_jwt_log_next;


/* Before those that write the logs. */

ngx_int_t
ngx_http_cqrs_jwt_log_access(ngx_conf_t *cf)
{
    ngx_array_t                *handlers;
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    handlers = &cmcf->phases[NGX_HTTP_LOG_PHASE].handlers;

    if (ngx_array_push(handlers) == NULL) {
        return NGX_ERROR;
    }

    h = handlers->elts;

    ngx_memmove(&h[1], &h[0],
                (handlers->nelts - 1) * sizeof(ngx_http_handler_pt));

    h[0] = ngx_http_cqrs_jwt_log_handler;

    return NGX_OK;
}


/* The request is over: nobody needs its arguments any more. */

static ngx_int_t
ngx_http_cqrs_jwt_log_handler(ngx_http_request_t *r)
{
    ngx_http_cqrs_jwt_main_conf_t  *jmcf;

    jmcf = ngx_http_get_module_main_conf(r, ngx_http_cqrs_jwt_module);

    return ngx_http_cqrs_jwt_from_hide_all(r, jmcf->hidden);
}


ngx_int_t
ngx_http_cqrs_jwt_log_errors(ngx_cycle_t *cycle)
{
    ngx_uint_t                      i;
    ngx_listening_t                *ls;
    ngx_http_cqrs_jwt_main_conf_t  *jmcf;

    jmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_cqrs_jwt_module);

    ngx_http_cqrs_jwt_log_hidden = NULL;

    if (jmcf == NULL || jmcf->hidden == NULL) {
        return NGX_OK;
    }

    ngx_http_cqrs_jwt_log_hidden = jmcf->hidden;

    ls = cycle->listening.elts;

    for (i = 0; i < cycle->listening.nelts; i++) {
        if (ls[i].handler == ngx_http_init_connection) {
            ls[i].handler = ngx_http_cqrs_jwt_log_connection;
        }
    }

    return NGX_OK;
}


static void
ngx_http_cqrs_jwt_log_connection(ngx_connection_t *c)
{
    /*
     * After a deferred accept the request would be served within the call
     * below; so it is taken for one whose request is still to come.
     */

    if (c->type == SOCK_STREAM) {
        c->read->ready = 0;
    }

    ngx_http_init_connection(c);

    if (c->fd == (ngx_socket_t) -1) {
        return;                                        /* it is closed */
    }

    ngx_http_cqrs_jwt_log_next = c->log->handler;
    c->log->handler = ngx_http_cqrs_jwt_log_error;
}


static u_char *
ngx_http_cqrs_jwt_log_error(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char  *p;

    p = ngx_http_cqrs_jwt_log_next(log, buf, len);

    if (ngx_http_cqrs_jwt_log_hidden) {
        ngx_http_cqrs_jwt_from_cover_text(ngx_http_cqrs_jwt_log_hidden, buf,
                                          p);
    }

    return p;
}
