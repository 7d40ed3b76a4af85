
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The ngx_connection_t here is a place in nginx's tables and nothing else: no
 * recv or send, no pool, and the descriptor is never closed.
 *
 * epoll forgets a descriptor when it is closed and may meet the same number
 * again at once.  So a watch always ends before its socket does, and the next
 * socket gets a watch of its own.
 */

#include "ngx_cqrs_fd.h"


struct ngx_cqrs_fd_s {
    ngx_connection_t        *connection;
    ngx_cqrs_fd_handler_pt   read;
    ngx_cqrs_fd_handler_pt   write;
    void                    *data;
};


static ngx_int_t ngx_cqrs_fd_set(ngx_event_t *ev, ngx_int_t event,
    ngx_uint_t want);
static void ngx_cqrs_fd_end(ngx_cqrs_fd_t *fd, ngx_uint_t flags);
static void ngx_cqrs_fd_unset(ngx_event_t *ev, ngx_int_t event,
    ngx_uint_t flags);
static void ngx_cqrs_fd_handler(ngx_event_t *ev);


ngx_cqrs_fd_t *
ngx_cqrs_fd_create(ngx_socket_t s, ngx_cqrs_fd_handler_pt read,
    ngx_cqrs_fd_handler_pt write, void *data, ngx_log_t *log)
{
    ngx_cqrs_fd_t     *fd;
    ngx_connection_t  *c;

    fd = ngx_alloc(sizeof(ngx_cqrs_fd_t), log);
    if (fd == NULL) {
        return NULL;
    }

    c = ngx_get_connection(s, log);
    if (c == NULL) {
        ngx_free(fd);
        return NULL;
    }

    c->data = fd;
    c->idle = 1;                           /* see ngx_cqrs_fd_create() */

    c->read->handler = ngx_cqrs_fd_handler;
    c->read->log = log;

    c->write->handler = ngx_cqrs_fd_handler;
    c->write->log = log;

    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);

    fd->connection = c;
    fd->read = read;
    fd->write = write;
    fd->data = data;

    return fd;
}


ngx_int_t
ngx_cqrs_fd_want(ngx_cqrs_fd_t *fd, ngx_uint_t read, ngx_uint_t write)
{
    if (ngx_cqrs_fd_set(fd->connection->read, NGX_READ_EVENT, read)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_cqrs_fd_set(fd->connection->write, NGX_WRITE_EVENT, write);
}


void
ngx_cqrs_fd_destroy(ngx_cqrs_fd_t *fd)
{
    ngx_cqrs_fd_end(fd, 0);
}


void
ngx_cqrs_fd_closed(ngx_cqrs_fd_t *fd)
{
    ngx_cqrs_fd_end(fd, NGX_CLOSE_EVENT);
}


static ngx_int_t
ngx_cqrs_fd_set(ngx_event_t *ev, ngx_int_t event, ngx_uint_t want)
{
    if (want) {
        return ev->active ? NGX_OK
                          : ngx_add_event(ev, event, NGX_LEVEL_EVENT);
    }

    ngx_cqrs_fd_unset(ev, event, 0);

    return NGX_OK;
}


static void
ngx_cqrs_fd_end(ngx_cqrs_fd_t *fd, ngx_uint_t flags)
{
    ngx_connection_t  *c;

    if (fd == NULL) {
        return;
    }

    c = fd->connection;

    ngx_cqrs_fd_unset(c->read, NGX_READ_EVENT, flags);
    ngx_cqrs_fd_unset(c->write, NGX_WRITE_EVENT, flags);

    ngx_free_connection(c);

    c->fd = (ngx_socket_t) -1;             /* events on their way are stale */

    ngx_free(fd);
}


static void
ngx_cqrs_fd_unset(ngx_event_t *ev, ngx_int_t event, ngx_uint_t flags)
{
    if (ev->posted) {
        ngx_delete_posted_event(ev);
    }

    if (ev->active) {
        (void) ngx_del_event(ev, event, flags);
    }
}


static void
ngx_cqrs_fd_handler(ngx_event_t *ev)
{
    ngx_cqrs_fd_t     *fd;
    ngx_connection_t  *c;

    c = ev->data;
    fd = c->data;

    if (!ev->active) {
        return;
    }

    /* the handler may free all of this */

    if (ev->write) {
        fd->write(fd->data);

    } else {
        fd->read(fd->data);
    }
}
