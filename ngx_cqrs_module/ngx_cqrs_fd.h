
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Somebody else's socket on nginx's event loop.
 *
 * libpq and hiredis open and close their sockets themselves; here a socket is
 * only watched.  It is level-triggered, because a library may leave bytes
 * unread.  A handler may destroy its own watch, and what it belongs to.
 */

#ifndef NGX_CQRS_FD_H
#define NGX_CQRS_FD_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


typedef struct ngx_cqrs_fd_s  ngx_cqrs_fd_t;

typedef void (*ngx_cqrs_fd_handler_pt)(void *data);


/*
 * Watches nothing before ngx_cqrs_fd_want() is called.  The data and the log
 * must live until ngx_cqrs_fd_destroy().  Returns NULL when worker_connections
 * or memory are short; the reason is in the log then.
 *
 * When a worker begins to exit, nginx calls the read handler once more if it
 * is wanted: an occasion to look at ngx_exiting and close what is idle.
 */
ngx_cqrs_fd_t *ngx_cqrs_fd_create(ngx_socket_t s,
    ngx_cqrs_fd_handler_pt read, ngx_cqrs_fd_handler_pt write, void *data,
    ngx_log_t *log);

/*
 * Which handlers are to be called, 0 or 1 each; what already is so costs
 * nothing.  A read handler is also called when the other side has closed.
 */
ngx_int_t ngx_cqrs_fd_want(ngx_cqrs_fd_t *fd, ngx_uint_t read,
    ngx_uint_t write);

/*
 * Ends the watch and leaves the socket open: to be called before the library
 * closes the socket, or may close it.  NULL is allowed.
 */
void ngx_cqrs_fd_destroy(ngx_cqrs_fd_t *fd);

/*
 * The same where the library has closed the socket already: to be called
 * before any other descriptor is opened.
 */
void ngx_cqrs_fd_closed(ngx_cqrs_fd_t *fd);


#endif /* NGX_CQRS_FD_H */
