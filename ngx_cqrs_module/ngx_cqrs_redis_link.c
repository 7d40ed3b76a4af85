
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Of hiredis only the parser and the formatter are used, and nginx connects,
 * reads and writes, as with RabbitMQ.  The asynchronous interface of hiredis
 * 0.14 stops the process at a reply that it did not expect (assert), forgets
 * what it was asked when PING is sent on a connection that subscribes, and
 * reads a host's name while everything waits.
 *
 * Nothing is taken down while a reply is handled: a handler that finds it
 * wrong leaves a reason, and whoever reads or writes acts on it.
 */

#include "ngx_cqrs_redis_link.h"
#include "ngx_cqrs_backoff.h"

#include <ngx_event.h>
#include <ngx_event_connect.h>


#define NGX_CQRS_REDIS_IDLE         5000    /* silence before a PING */
#define NGX_CQRS_REDIS_READ_SIZE    16384
#define NGX_CQRS_REDIS_COMMANDS_MAX 65536   /* without an answer */
#define NGX_CQRS_REDIS_ARGS_MAX     8


typedef enum {
    NGX_CQRS_REDIS_LINK_DOWN = 0,      /* the timer waits for the next try */
    NGX_CQRS_REDIS_LINK_CONNECTING,    /* the timer limits this ... */
    NGX_CQRS_REDIS_LINK_LOGIN,         /* ... and this */
    NGX_CQRS_REDIS_LINK_UP             /* the timer looks for signs of life */
} ngx_cqrs_redis_link_state_e;


struct ngx_cqrs_redis_command_s {
    ngx_queue_t                queue;
    ngx_cqrs_redis_reply_pt    handler;     /* NULL: forgotten */
    void                      *data;
};


struct ngx_cqrs_redis_link_s {
    ngx_cqrs_redis_link_state_e            state;
    ngx_connection_t                      *connection;
    redisReader                           *reader;

    ngx_queue_t                            commands;    /* oldest first */
    ngx_uint_t                             ncommands;

    u_char                                *out;         /* to be written */
    size_t                                 out_size;
    size_t                                 out_pos;
    size_t                                 out_last;

    const ngx_cqrs_redis_link_handlers_t  *handlers;
    void                                  *data;

    const ngx_cqrs_redis_url_t            *url;
    ngx_uint_t                             addr;        /* tried next */
    const char                            *role;
    ngx_log_t                             *log;

    ngx_event_t                            timer;
    ngx_cqrs_backoff_t                     backoff;

    const char                            *reason;      /* to go down */

    unsigned                               heard:1;     /* since last tick */
    unsigned                               pinged:1;    /* at last tick */
    unsigned                               complained:1;
};


static void ngx_cqrs_redis_link_timer(ngx_event_t *ev);
static void ngx_cqrs_redis_link_connect(ngx_cqrs_redis_link_t *link);
static void ngx_cqrs_redis_link_login(ngx_cqrs_redis_link_t *link);
static void ngx_cqrs_redis_link_login_reply(redisReply *reply, void *data);
static void ngx_cqrs_redis_link_ready_reply(redisReply *reply, void *data);
static void ngx_cqrs_redis_link_alive(ngx_cqrs_redis_link_t *link);
static void ngx_cqrs_redis_link_down(ngx_cqrs_redis_link_t *link,
    const char *reason);
static void ngx_cqrs_redis_link_disconnect(ngx_cqrs_redis_link_t *link);
static void ngx_cqrs_redis_link_complain(ngx_cqrs_redis_link_t *link,
    const char *reason);
static void ngx_cqrs_redis_link_retry(ngx_cqrs_redis_link_t *link);
static void ngx_cqrs_redis_link_write(ngx_event_t *wev);
static void ngx_cqrs_redis_link_read(ngx_event_t *rev);
static void ngx_cqrs_redis_link_parse(ngx_cqrs_redis_link_t *link);
static void ngx_cqrs_redis_link_dispatch(ngx_cqrs_redis_link_t *link,
    redisReply *reply);
static ngx_uint_t ngx_cqrs_redis_link_is_message(redisReply *reply);
static ngx_cqrs_redis_command_t *ngx_cqrs_redis_link_send(
    ngx_cqrs_redis_link_t *link, ngx_uint_t argc, const ngx_str_t *argv,
    ngx_cqrs_redis_reply_pt handler, void *data);
static ngx_int_t ngx_cqrs_redis_link_append(ngx_cqrs_redis_link_t *link,
    const char *bytes, size_t len);


ngx_cqrs_redis_link_t *
ngx_cqrs_redis_link_create(const ngx_cqrs_redis_url_t *url, const char *role,
    const ngx_cqrs_redis_link_handlers_t *handlers, void *data, ngx_log_t *log)
{
    ngx_cqrs_redis_link_t  *link;

    link = ngx_calloc(sizeof(ngx_cqrs_redis_link_t), log);
    if (link == NULL) {
        return NULL;
    }

    ngx_queue_init(&link->commands);

    link->handlers = handlers;
    link->data = data;
    link->url = url;
    link->role = role;
    link->log = log;

    link->timer.handler = ngx_cqrs_redis_link_timer;
    link->timer.data = link;
    link->timer.log = log;
    link->timer.cancelable = 1;

    ngx_add_timer(&link->timer, 0);

    return link;
}


void
ngx_cqrs_redis_link_destroy(ngx_cqrs_redis_link_t *link)
{
    ngx_queue_t               *q;
    ngx_cqrs_redis_command_t  *command;

    while (!ngx_queue_empty(&link->commands)) {
        q = ngx_queue_head(&link->commands);
        ngx_queue_remove(q);

        command = ngx_queue_data(q, ngx_cqrs_redis_command_t, queue);
        ngx_free(command);
    }

    ngx_cqrs_redis_link_disconnect(link);

    if (link->timer.timer_set) {
        ngx_del_timer(&link->timer);
    }

    ngx_free(link);
}


ngx_cqrs_redis_command_t *
ngx_cqrs_redis_link_command(ngx_cqrs_redis_link_t *link, ngx_uint_t argc,
    const ngx_str_t *argv, ngx_cqrs_redis_reply_pt handler, void *data)
{
    if (link->state != NGX_CQRS_REDIS_LINK_UP) {
        return NULL;
    }

    return ngx_cqrs_redis_link_send(link, argc, argv, handler, data);
}


void
ngx_cqrs_redis_command_forget(ngx_cqrs_redis_command_t *command)
{
    command->handler = NULL;
}


static void
ngx_cqrs_redis_link_timer(ngx_event_t *ev)
{
    ngx_cqrs_redis_link_t  *link;

    link = ev->data;

    switch (link->state) {

    case NGX_CQRS_REDIS_LINK_DOWN:
        ngx_cqrs_redis_link_connect(link);
        break;

    case NGX_CQRS_REDIS_LINK_CONNECTING:
        ngx_cqrs_redis_link_down(link, "no connection within the time limit");
        break;

    case NGX_CQRS_REDIS_LINK_LOGIN:
        ngx_cqrs_redis_link_down(link, "no answer to the login");
        break;

    default: /* NGX_CQRS_REDIS_LINK_UP */
        ngx_cqrs_redis_link_alive(link);
    }
}


static void
ngx_cqrs_redis_link_connect(ngx_cqrs_redis_link_t *link)
{
    ngx_int_t               rc;
    ngx_addr_t             *addr;
    ngx_connection_t       *c;
    ngx_peer_connection_t   pc;

    if (ngx_exiting) {
        return;
    }

    addr = &link->url->addrs[link->addr];
    link->addr = (link->addr + 1) % link->url->naddrs;

    ngx_memzero(&pc, sizeof(ngx_peer_connection_t));

    pc.sockaddr = addr->sockaddr;
    pc.socklen = addr->socklen;
    pc.name = &addr->name;
    pc.get = ngx_event_get_peer;
    pc.log = link->log;
    pc.log_error = NGX_ERROR_INFO;

    link->reader = redisReaderCreate();
    if (link->reader == NULL) {
        ngx_cqrs_redis_link_retry(link);
        return;
    }

    rc = ngx_event_connect_peer(&pc);

    if (rc != NGX_OK && rc != NGX_AGAIN) {
        redisReaderFree(link->reader);
        link->reader = NULL;

        ngx_cqrs_redis_link_retry(link);         /* the reason was logged */
        return;
    }

    c = pc.connection;

    c->data = link;
    c->read->handler = ngx_cqrs_redis_link_read;
    c->write->handler = ngx_cqrs_redis_link_write;

    link->connection = c;
    link->state = NGX_CQRS_REDIS_LINK_CONNECTING;

    ngx_add_timer(&link->timer, link->url->timeout);

    if (rc == NGX_OK) {
        ngx_post_event(c->write, &ngx_posted_events);
    }
}


/* All at once; the last answer says that Redis takes commands. */

static void
ngx_cqrs_redis_link_login(ngx_cqrs_redis_link_t *link)
{
    ngx_str_t                    argv[3];
    ngx_uint_t                   n;
    const ngx_cqrs_redis_url_t  *url;

    url = link->url;

    link->state = NGX_CQRS_REDIS_LINK_LOGIN;

    if (url->password.len) {
        ngx_str_set(&argv[0], "AUTH");
        n = 1;

        if (url->user.len) {
            argv[n++] = url->user;
        }

        argv[n++] = url->password;

        (void) ngx_cqrs_redis_link_send(link, n, argv,
                                        ngx_cqrs_redis_link_login_reply, link);
    }

    if (url->db.len) {
        ngx_str_set(&argv[0], "SELECT");
        argv[1] = url->db;

        (void) ngx_cqrs_redis_link_send(link, 2, argv,
                                        ngx_cqrs_redis_link_login_reply, link);
    }

    ngx_str_set(&argv[0], "PING");

    (void) ngx_cqrs_redis_link_send(link, 1, argv,
                                    ngx_cqrs_redis_link_ready_reply, link);
}


static void
ngx_cqrs_redis_link_login_reply(redisReply *reply, void *data)
{
    ngx_cqrs_redis_link_t  *link = data;

    if (reply == NULL || reply->type != REDIS_REPLY_ERROR) {
        return;
    }

    if (!link->complained) {
        link->complained = 1;

        ngx_log_error(NGX_LOG_ERR, link->log, 0,
                      "redis \"%V\": login refused, \"%s\"",
                      &link->url->name, reply->str);
    }

    link->reason = "login refused";
}


static void
ngx_cqrs_redis_link_ready_reply(redisReply *reply, void *data)
{
    ngx_cqrs_redis_link_t  *link = data;

    ngx_cqrs_redis_link_login_reply(reply, data);

    if (reply == NULL || link->reason) {
        return;
    }

    if (link->complained) {
        link->complained = 0;

        ngx_log_error(NGX_LOG_NOTICE, link->log, 0,
                      "redis \"%V\": %s is back",
                      &link->url->name, link->role);
    }

    link->state = NGX_CQRS_REDIS_LINK_UP;
    link->pinged = 0;

    ngx_cqrs_backoff_reset(&link->backoff);
    ngx_add_timer(&link->timer, NGX_CQRS_REDIS_IDLE);

    link->handlers->up(link->data);
}


static void
ngx_cqrs_redis_link_alive(ngx_cqrs_redis_link_t *link)
{
    ngx_str_t  ping;

    if (link->heard) {
        link->heard = 0;
        link->pinged = 0;

        ngx_add_timer(&link->timer, NGX_CQRS_REDIS_IDLE);
        return;
    }

    if (link->pinged) {
        ngx_cqrs_redis_link_down(link, "no sign of life");
        return;
    }

    ngx_str_set(&ping, "PING");

    (void) ngx_cqrs_redis_link_send(link, 1, &ping, NULL, NULL);

    link->pinged = 1;

    ngx_add_timer(&link->timer, link->url->timeout);
}


static void
ngx_cqrs_redis_link_down(ngx_cqrs_redis_link_t *link, const char *reason)
{
    ngx_uint_t                 was_up;
    ngx_queue_t               *q, commands;
    ngx_cqrs_redis_command_t  *command;

    was_up = (link->state == NGX_CQRS_REDIS_LINK_UP);

    ngx_cqrs_redis_link_complain(link, reason);
    ngx_cqrs_redis_link_disconnect(link);

    ngx_queue_init(&commands);

    if (!ngx_queue_empty(&link->commands)) {
        ngx_queue_add(&commands, &link->commands);
        ngx_queue_init(&link->commands);
    }

    link->ncommands = 0;

    while (!ngx_queue_empty(&commands)) {
        q = ngx_queue_head(&commands);
        ngx_queue_remove(q);

        command = ngx_queue_data(q, ngx_cqrs_redis_command_t, queue);

        if (command->handler) {
            command->handler(NULL, command->data);
        }

        ngx_free(command);
    }

    if (was_up) {
        link->handlers->down(link->data);
    }

    ngx_cqrs_redis_link_retry(link);
}


static void
ngx_cqrs_redis_link_disconnect(ngx_cqrs_redis_link_t *link)
{
    link->state = NGX_CQRS_REDIS_LINK_DOWN;
    link->reason = NULL;

    if (link->connection) {
        ngx_close_connection(link->connection);
        link->connection = NULL;
    }

    if (link->reader) {
        redisReaderFree(link->reader);
        link->reader = NULL;
    }

    if (link->out) {
        ngx_free(link->out);
        link->out = NULL;
    }

    link->out_size = 0;
    link->out_pos = 0;
    link->out_last = 0;
}


/* Once, not with each attempt. */

static void
ngx_cqrs_redis_link_complain(ngx_cqrs_redis_link_t *link, const char *reason)
{
    ngx_uint_t  level;

    level = link->complained ? NGX_LOG_INFO : NGX_LOG_ERR;
    link->complained = 1;

    ngx_log_error(level, link->log, 0, "redis \"%V\": %s is away, %s",
                  &link->url->name, link->role, reason);
}


static void
ngx_cqrs_redis_link_retry(ngx_cqrs_redis_link_t *link)
{
    if (link->timer.timer_set) {
        ngx_del_timer(&link->timer);
    }

    ngx_add_timer(&link->timer, ngx_cqrs_backoff_next(&link->backoff));
}


static void
ngx_cqrs_redis_link_write(ngx_event_t *wev)
{
    int                     err;
    ssize_t                 n;
    socklen_t               len;
    ngx_connection_t       *c;
    ngx_cqrs_redis_link_t  *link;

    c = wev->data;
    link = c->data;

    if (link->state == NGX_CQRS_REDIS_LINK_CONNECTING) {

        err = 0;
        len = sizeof(int);

        if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len)
            == -1)
        {
            err = ngx_socket_errno;
        }

        if (err) {
            ngx_cqrs_redis_link_down(link, err == NGX_ECONNREFUSED
                                           ? "connection refused"
                                           : strerror(err));
            return;
        }

        (void) ngx_tcp_nodelay(c);

        ngx_cqrs_redis_link_login(link);
    }

    while (link->reason == NULL && link->out_pos < link->out_last) {

        n = c->send(c, link->out + link->out_pos,
                    link->out_last - link->out_pos);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == NGX_ERROR) {
            link->reason = "writing failed";
            break;
        }

        link->out_pos += n;
    }

    if (link->reason == NULL && link->out_pos == link->out_last && link->out) {
        ngx_free(link->out);
        link->out = NULL;

        link->out_size = 0;
        link->out_pos = 0;
        link->out_last = 0;
    }

    if (link->reason == NULL && ngx_handle_write_event(wev, 0) != NGX_OK) {
        link->reason = "writing cannot be awaited";
    }

    if (link->reason) {
        ngx_cqrs_redis_link_down(link, link->reason);
    }
}


static void
ngx_cqrs_redis_link_read(ngx_event_t *rev)
{
    ssize_t                 n;
    ngx_connection_t       *c;
    ngx_cqrs_redis_link_t  *link;
    u_char                  buf[NGX_CQRS_REDIS_READ_SIZE];

    c = rev->data;
    link = c->data;

    if (link->state == NGX_CQRS_REDIS_LINK_CONNECTING) {
        ngx_cqrs_redis_link_write(c->write);   /* was it refused? */
        return;
    }

    do {
        n = c->recv(c, buf, sizeof(buf));

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == NGX_ERROR || n == 0) {
            link->reason = "connection closed";
            break;
        }

        link->heard = 1;

        if (redisReaderFeed(link->reader, (char *) buf, n) != REDIS_OK) {
            link->reason = "no memory for a reply";
            break;
        }

        ngx_cqrs_redis_link_parse(link);

    } while (link->reason == NULL && rev->ready);

    if (link->reason == NULL && ngx_handle_read_event(rev, 0) != NGX_OK) {
        link->reason = "reading cannot be awaited";
    }

    if (link->reason) {
        ngx_cqrs_redis_link_down(link, link->reason);
    }
}


static void
ngx_cqrs_redis_link_parse(ngx_cqrs_redis_link_t *link)
{
    void  *reply;

    do {
        if (redisReaderGetReply(link->reader, &reply) != REDIS_OK) {
            link->reason = "its reply was not understood";
            return;
        }

        if (reply == NULL) {
            return;
        }

        ngx_cqrs_redis_link_dispatch(link, reply);

        freeReplyObject(reply);

    } while (link->reason == NULL);
}


static void
ngx_cqrs_redis_link_dispatch(ngx_cqrs_redis_link_t *link, redisReply *reply)
{
    ngx_queue_t               *q;
    ngx_cqrs_redis_command_t  *command;

    if (link->handlers->message && ngx_cqrs_redis_link_is_message(reply)) {
        link->handlers->message(reply->element[1], reply->element[2],
                                link->data);
        return;
    }

    if (ngx_queue_empty(&link->commands)) {

        /* such as "max number of clients reached", before we asked anything */

        link->reason = (reply->type == REDIS_REPLY_ERROR)
                       ? "Redis refuses the connection"
                       : "a reply came to no command";
        return;
    }

    q = ngx_queue_head(&link->commands);
    ngx_queue_remove(q);
    link->ncommands--;

    command = ngx_queue_data(q, ngx_cqrs_redis_command_t, queue);

    if (command->handler) {
        command->handler(reply, command->data);
    }

    ngx_free(command);
}


static ngx_uint_t
ngx_cqrs_redis_link_is_message(redisReply *reply)
{
    return reply->type == REDIS_REPLY_ARRAY
           && reply->elements == 3
           && reply->element[0]->type == REDIS_REPLY_STRING
           && reply->element[1]->type == REDIS_REPLY_STRING
           && reply->element[2]->type == REDIS_REPLY_STRING
           && ngx_strcmp(reply->element[0]->str, "message") == 0;
}


static ngx_cqrs_redis_command_t *
ngx_cqrs_redis_link_send(ngx_cqrs_redis_link_t *link, ngx_uint_t argc,
    const ngx_str_t *argv, ngx_cqrs_redis_reply_pt handler, void *data)
{
    int                        len;
    char                      *text;
    size_t                     lens[NGX_CQRS_REDIS_ARGS_MAX];
    ngx_int_t                  rc;
    ngx_uint_t                 i;
    const char                *args[NGX_CQRS_REDIS_ARGS_MAX];
    ngx_cqrs_redis_command_t  *command;

    ngx_post_event(link->connection->write, &ngx_posted_events);

    if (link->ncommands == NGX_CQRS_REDIS_COMMANDS_MAX) {
        link->reason = "too many commands wait for an answer";
        return NULL;
    }

    for (i = 0; i < argc; i++) {
        args[i] = (char *) argv[i].data;
        lens[i] = argv[i].len;
    }

    command = ngx_alloc(sizeof(ngx_cqrs_redis_command_t), link->log);
    if (command == NULL) {
        link->reason = "no memory for a command";
        return NULL;
    }

    len = redisFormatCommandArgv(&text, argc, args, lens);
    if (len < 0) {
        link->reason = "no memory for a command";
        ngx_free(command);
        return NULL;
    }

    rc = ngx_cqrs_redis_link_append(link, text, len);

    redisFreeCommand(text);

    if (rc != NGX_OK) {
        link->reason = "no memory for a command";
        ngx_free(command);
        return NULL;
    }

    command->handler = handler;
    command->data = data;

    ngx_queue_insert_tail(&link->commands, &command->queue);
    link->ncommands++;

    return command;
}


static ngx_int_t
ngx_cqrs_redis_link_append(ngx_cqrs_redis_link_t *link, const char *bytes,
    size_t len)
{
    size_t   size;
    u_char  *out;

    if (link->out_size - link->out_last < len) {

        size = ngx_max(1024, 2 * (link->out_last - link->out_pos + len));

        out = ngx_alloc(size, link->log);
        if (out == NULL) {
            return NGX_ERROR;
        }

        if (link->out) {
            ngx_memcpy(out, link->out + link->out_pos,
                       link->out_last - link->out_pos);
            ngx_free(link->out);
        }

        link->out = out;
        link->out_size = size;
        link->out_last -= link->out_pos;
        link->out_pos = 0;
    }

    ngx_memcpy(link->out + link->out_last, bytes, len);
    link->out_last += len;

    return NGX_OK;
}
