
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The command is published when its user is listened to, so that an outcome
 * which is there before the confirm is heard, too.  If Redis can't be asked
 * in time it is published all the same, and nobody waits.
 *
 * The timer is not cancelable: a worker that exits stays for those who wait.
 */

#include "ngx_http_cqrs_command_wait.h"
#include "ngx_http_cqrs_command_request.h"

#include "cqrs_names.h"
#include "cqrs_prefer.h"


static void ngx_http_cqrs_command_wait_position(const ngx_str_t *channel,
    const cqrs_cursor_t *cursor, ngx_uint_t reset, void *data);
static void ngx_http_cqrs_command_wait_message(ngx_cqrs_message_t *msg,
    void *data);
static ngx_uint_t ngx_http_cqrs_command_wait_full(size_t len, void *data);
static void ngx_http_cqrs_command_wait_refused(void *data);
static void ngx_http_cqrs_command_wait_wake(
    ngx_http_cqrs_command_wait_t *wait);
static void ngx_http_cqrs_command_wait_woken(ngx_event_t *ev);
static void ngx_http_cqrs_command_wait_timeout(ngx_event_t *ev);


static const ngx_cqrs_subscriber_t  ngx_http_cqrs_command_wait_subscriber = {
    ngx_http_cqrs_command_wait_position,
    ngx_http_cqrs_command_wait_message,
    ngx_http_cqrs_command_wait_full,
    ngx_http_cqrs_command_wait_refused
};


ngx_msec_t
ngx_http_cqrs_command_wait_wanted(ngx_http_request_t *r)
{
    long         seconds;
    ngx_str_t   *value;
    ngx_uint_t   n;

    for (n = 0; /* void */ ; n++) {
        value = ngx_http_cqrs_command_header(r, "prefer", n);
        if (value == NULL) {
            return 0;
        }

        seconds = cqrs_prefer_wait((char *) value->data, value->len);

        if (seconds != CQRS_PREFER_WAIT_NONE) {
            break;
        }
    }

    return (seconds > 0) ? (ngx_msec_t) seconds * 1000 : 0;
}


ngx_int_t
ngx_http_cqrs_command_wait_begin(ngx_http_request_t *r,
    ngx_http_cqrs_command_wait_t *wait, ngx_cqrs_redis_t *redis,
    const ngx_str_t *user)
{
    u_char     name[NGX_CQRS_CHANNEL_NAME_MAX];
    ngx_str_t  channel;

    channel.data = name;
    channel.len = sizeof(CQRS_CHANNEL_USER) - 1 + user->len;

    if (user->len == 0 || channel.len > NGX_CQRS_CHANNEL_NAME_MAX) {
        return NGX_DECLINED;
    }

    ngx_memcpy(ngx_cpymem(name, CQRS_CHANNEL_USER,
                          sizeof(CQRS_CHANNEL_USER) - 1),
               user->data, user->len);

    if (!ngx_cqrs_channel_name_valid(&channel)) {
        return NGX_DECLINED;
    }

    wait->begun = ngx_current_msec;

    wait->timer.handler = ngx_http_cqrs_command_wait_timeout;
    wait->timer.data = wait;
    wait->timer.log = r->connection->log;

    wait->woken.handler = ngx_http_cqrs_command_wait_woken;
    wait->woken.data = wait;
    wait->woken.log = r->connection->log;

    ngx_add_timer(&wait->timer, ngx_min(wait->time, redis->url.timeout));

    wait->sub = ngx_cqrs_subscribe(redis, &channel, NULL,
                                   &ngx_http_cqrs_command_wait_subscriber,
                                   wait);
    if (wait->sub == NULL) {
        ngx_http_cqrs_command_wait_end(wait);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


void
ngx_http_cqrs_command_wait_end(ngx_http_cqrs_command_wait_t *wait)
{
    if (wait->sub) {
        ngx_cqrs_unsubscribe(wait->sub);
        wait->sub = NULL;
    }

    if (wait->timer.timer_set) {
        ngx_del_timer(&wait->timer);
    }

    if (wait->woken.posted) {
        ngx_delete_posted_event(&wait->woken);
    }
}


/* A reset: the outcome may be among what was lost. */

static void
ngx_http_cqrs_command_wait_position(const ngx_str_t *channel,
    const cqrs_cursor_t *cursor, ngx_uint_t reset, void *data)
{
    ngx_http_cqrs_command_wait_t  *wait = data;

    if (!wait->listening) {
        wait->listening = 1;

    } else if (reset) {
        wait->over = 1;

    } else {
        return;
    }

    ngx_http_cqrs_command_wait_wake(wait);
}


static void
ngx_http_cqrs_command_wait_message(ngx_cqrs_message_t *msg, void *data)
{
    cqrs_outcome_e                 outcome;
    ngx_http_cqrs_command_wait_t  *wait = data;

    if (wait->outcome) {
        return;
    }

    outcome = cqrs_outcome_of((char *) msg->data, msg->len,
                              (char *) wait->id.data);
    if (outcome) {
        wait->outcome = outcome;
        ngx_http_cqrs_command_wait_wake(wait);
    }
}


static ngx_uint_t
ngx_http_cqrs_command_wait_full(size_t len, void *data)
{
    return 0;
}


static void
ngx_http_cqrs_command_wait_refused(void *data)
{
    ngx_http_cqrs_command_wait_t  *wait = data;

    wait->over = 1;

    ngx_http_cqrs_command_wait_wake(wait);
}


/* Not from inside of a subscriber, which may not leave then. */

static void
ngx_http_cqrs_command_wait_wake(ngx_http_cqrs_command_wait_t *wait)
{
    ngx_post_event(&wait->woken, &ngx_posted_events);
}


static void
ngx_http_cqrs_command_wait_woken(ngx_event_t *ev)
{
    ngx_msec_int_t                 left;
    ngx_http_cqrs_command_wait_t  *wait;

    wait = ev->data;

    if (wait->listening && !wait->outcome && !wait->over) {
        left = (ngx_msec_int_t) (wait->begun + wait->time - ngx_current_msec);

        ngx_add_timer(&wait->timer, (ngx_msec_t) ngx_max(left, 1));
    }

    wait->handler(wait->data);
}


static void
ngx_http_cqrs_command_wait_timeout(ngx_event_t *ev)
{
    ngx_http_cqrs_command_wait_t  *wait;

    wait = ev->data;

    if (!wait->listening) {
        ngx_log_error(NGX_LOG_ERR, ev->log, 0,
                      "redis has not answered within the time limit, "
                      "the outcome is not waited for");
    }

    wait->over = 1;
    wait->handler(wait->data);
}
