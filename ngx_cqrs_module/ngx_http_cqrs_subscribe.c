
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * cqrs_subscribe: from a request to a subscriber.
 *
 * The request waits here until its channel is subscribed in Redis and it is
 * known where the client stands; so whoever got its answer hears everything
 * from then on.  If that takes too long the answer is 503.  What comes after
 * the answer is the transport's matter.
 */

#include "ngx_http_cqrs_module.h"
#include "ngx_http_cqrs_jwt.h"
#include "ngx_http_cqrs_reply.h"
#include "ngx_http_cqrs_subscribe.h"
#include "ngx_http_cqrs_websocket.h"


typedef struct {
    ngx_http_request_t         *request;
    ngx_http_cqrs_websocket_t  *ws;          /* NULL: it goes its own way */
    time_t                      expires;
    ngx_event_t                 timer;
    ngx_event_t                 woken;       /* posted */
} ngx_http_cqrs_subscribe_ctx_t;


static ngx_int_t ngx_http_cqrs_subscribe_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_cqrs_subscribe_channel(ngx_http_request_t *r,
    ngx_http_cqrs_subscribe_loc_conf_t *conf, ngx_str_t *channel);
static ngx_int_t ngx_http_cqrs_subscribe_cursor(ngx_http_request_t *r,
    cqrs_cursor_t *cursor, cqrs_cursor_t **given);
static ngx_http_cqrs_subscribe_ctx_t *ngx_http_cqrs_subscribe_create_ctx(
    ngx_http_request_t *r, ngx_http_cqrs_subscribe_loc_conf_t *conf);
static void ngx_http_cqrs_subscribe_wake(ngx_http_cqrs_session_t *session);
static void ngx_http_cqrs_subscribe_woken(ngx_event_t *ev);
static void ngx_http_cqrs_subscribe_timeout(ngx_event_t *ev);
static void ngx_http_cqrs_subscribe_cleanup(void *data);
static void *ngx_http_cqrs_subscribe_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_cqrs_subscribe_merge_loc_conf(ngx_conf_t *cf,
    void *parent, void *child);
static char *ngx_http_cqrs_subscribe_set(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_cqrs_subscribe_set_origins(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);


static ngx_command_t  ngx_http_cqrs_subscribe_commands[] = {

    { ngx_string("cqrs_subscribe"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_cqrs_subscribe_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cqrs_subscribe_origins"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_cqrs_subscribe_set_origins,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cqrs_subscribe_buffer"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_cqrs_subscribe_loc_conf_t, buffer),
      NULL },

    { ngx_string("cqrs_subscribe_ping"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_cqrs_subscribe_loc_conf_t, ping),
      NULL },

    { ngx_string("cqrs_subscribe_drain"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_cqrs_subscribe_loc_conf_t, drain),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_cqrs_subscribe_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    /* create and merge location configuration */
    ngx_http_cqrs_subscribe_create_loc_conf,
    ngx_http_cqrs_subscribe_merge_loc_conf
};


ngx_module_t  ngx_http_cqrs_subscribe_module = {
    NGX_MODULE_V1,
    &ngx_http_cqrs_subscribe_module_ctx,   /* module context */
    ngx_http_cqrs_subscribe_commands,      /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_cqrs_subscribe_handler(ngx_http_request_t *r)
{
    time_t                               expires;
    ngx_int_t                            rc;
    ngx_str_t                            channel;
    cqrs_cursor_t                        cursor, *given;
    ngx_cqrs_redis_t                    *redis;
    ngx_http_cqrs_session_t             *session;
    ngx_http_cqrs_subscribe_ctx_t       *ctx;
    ngx_http_cqrs_subscribe_loc_conf_t  *conf;

    rc = ngx_http_cqrs_jwt_authorize(r);
    if (rc != NGX_OK) {
        return rc;
    }

    conf = ngx_http_get_module_loc_conf(r, ngx_http_cqrs_subscribe_module);
    redis = ngx_http_cqrs_loc_conf(r)->redis;

    if (r != r->main) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "a subrequest cannot subscribe");
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_cqrs_websocket_check(r, conf);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_cqrs_subscribe_channel(r, conf, &channel);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_cqrs_subscribe_cursor(r, &cursor, &given);
    if (rc != NGX_OK) {
        return rc;
    }

    /* a connection does not outlive the token that it was opened with */

    if (ngx_http_cqrs_jwt_expires(r, &expires) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx = ngx_http_cqrs_subscribe_create_ctx(r, conf);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->expires = expires;

    session = ngx_http_cqrs_websocket_session(ctx->ws);
    session->wake = ngx_http_cqrs_subscribe_wake;
    session->data = ctx;

    if (ngx_http_cqrs_session_begin(session, redis, &channel, given,
                                    conf->buffer)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_add_timer(&ctx->timer, redis->url.timeout);

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    r->main->count++;

    return NGX_DONE;
}


static ngx_int_t
ngx_http_cqrs_subscribe_channel(ngx_http_request_t *r,
    ngx_http_cqrs_subscribe_loc_conf_t *conf, ngx_str_t *channel)
{
    if (ngx_http_complex_value(r, conf->channel, channel) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_cqrs_channel_name_valid(channel)) {
        return NGX_OK;
    }

    return ngx_http_cqrs_problem(r, NGX_HTTP_BAD_REQUEST, "invalid-channel",
                                 "the channel's name is not 1 to %d bytes of "
                                 "UTF-8 without blanks and control "
                                 "characters",
                                 NGX_CQRS_CHANNEL_NAME_MAX);
}


static ngx_int_t
ngx_http_cqrs_subscribe_cursor(ngx_http_request_t *r, cqrs_cursor_t *cursor,
    cqrs_cursor_t **given)
{
    ngx_str_t  text;

    *given = NULL;

    if (ngx_http_arg(r, (u_char *) "cursor", 6, &text) != NGX_OK
        || text.len == 0)
    {
        return NGX_OK;
    }

    if (cqrs_cursor_parse(cursor, text.data, text.len) == 0) {
        *given = cursor;
        return NGX_OK;
    }

    return ngx_http_cqrs_problem(r, NGX_HTTP_BAD_REQUEST, "invalid-cursor",
                                 "the cursor is none that was given out here: "
                                 "two numbers with a dash between them");
}


static ngx_http_cqrs_subscribe_ctx_t *
ngx_http_cqrs_subscribe_create_ctx(ngx_http_request_t *r,
    ngx_http_cqrs_subscribe_loc_conf_t *conf)
{
    ngx_http_cleanup_t             *cln;
    ngx_http_cqrs_subscribe_ctx_t  *ctx;

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_cqrs_subscribe_ctx_t));
    if (ctx == NULL) {
        return NULL;
    }

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NULL;
    }

    ctx->ws = ngx_http_cqrs_websocket_create(conf, r->connection->log);
    if (ctx->ws == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_cqrs_subscribe_cleanup;
    cln->data = ctx;

    ctx->request = r;

    ctx->timer.handler = ngx_http_cqrs_subscribe_timeout;
    ctx->timer.data = ctx;
    ctx->timer.log = r->connection->log;

    ctx->woken.handler = ngx_http_cqrs_subscribe_woken;
    ctx->woken.data = ctx;
    ctx->woken.log = r->connection->log;

    return ctx;
}


static void
ngx_http_cqrs_subscribe_wake(ngx_http_cqrs_session_t *session)
{
    ngx_http_cqrs_subscribe_ctx_t  *ctx;

    ctx = session->data;

    ngx_post_event(&ctx->woken, &ngx_posted_events);
}


static void
ngx_http_cqrs_subscribe_woken(ngx_event_t *ev)
{
    ngx_int_t                       rc;
    ngx_connection_t               *c;
    ngx_http_request_t             *r;
    ngx_http_cqrs_session_t        *session;
    ngx_http_cqrs_websocket_t      *ws;
    ngx_http_cqrs_subscribe_ctx_t  *ctx;

    ctx = ev->data;
    r = ctx->request;
    c = r->connection;
    ws = ctx->ws;
    session = ngx_http_cqrs_websocket_session(ws);

    ngx_http_set_log_request(c->log, r);

    if (session->refused) {
        rc = ngx_http_cqrs_problem(r, NGX_HTTP_FORBIDDEN, "channel-refused",
                                   "Redis does not allow this channel");

    } else {
        ctx->ws = NULL;

        if (ngx_http_cqrs_websocket_open(ws, r, ctx->expires) == NGX_OK) {
            return;                        /* and the request is gone */
        }

        ctx->ws = ws;
        rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


static void
ngx_http_cqrs_subscribe_timeout(ngx_event_t *ev)
{
    ngx_connection_t               *c;
    ngx_http_request_t             *r;
    ngx_http_cqrs_subscribe_ctx_t  *ctx;

    ctx = ev->data;
    r = ctx->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ngx_log_error(NGX_LOG_ERR, c->log, 0,
                  "redis has not answered within the time limit");

    ngx_http_cqrs_subscribe_cleanup(ctx);

    ngx_http_finalize_request(r,
        ngx_http_cqrs_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                              "redis-unavailable",
                              "notifications cannot be subscribed to at the "
                              "moment"));

    ngx_http_run_posted_requests(c);
}


/* May be called twice. */

static void
ngx_http_cqrs_subscribe_cleanup(void *data)
{
    ngx_http_cqrs_subscribe_ctx_t  *ctx = data;

    if (ctx->ws) {
        ngx_http_cqrs_websocket_destroy(ctx->ws);
        ctx->ws = NULL;
    }

    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }

    if (ctx->woken.posted) {
        ngx_delete_posted_event(&ctx->woken);
    }
}


static void *
ngx_http_cqrs_subscribe_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_cqrs_subscribe_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_cqrs_subscribe_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->origins = NGX_CONF_UNSET_PTR;
    conf->buffer = NGX_CONF_UNSET_SIZE;
    conf->ping = NGX_CONF_UNSET_MSEC;
    conf->drain = NGX_CONF_UNSET_MSEC;

    return conf;
}


static char *
ngx_http_cqrs_subscribe_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child)
{
    ngx_http_core_loc_conf_t            *clcf;
    ngx_http_cqrs_loc_conf_t            *lcf;
    ngx_http_cqrs_subscribe_loc_conf_t  *prev = parent;
    ngx_http_cqrs_subscribe_loc_conf_t  *conf = child;

    ngx_conf_merge_ptr_value(conf->origins, prev->origins, NULL);
    ngx_conf_merge_size_value(conf->buffer, prev->buffer, 256 * 1024);
    ngx_conf_merge_msec_value(conf->ping, prev->ping, 25000);
    ngx_conf_merge_msec_value(conf->drain, prev->drain, 1000);

    if (conf->ping == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"cqrs_subscribe_ping\" must not be 0");
        return NGX_CONF_ERROR;
    }

    if (conf->channel == NULL) {
        conf->channel = prev->channel;     /* for an "if" in a location */
        return NGX_CONF_OK;
    }

    lcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_cqrs_module);

    if (lcf->redis == NULL) {
        clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"cqrs_subscribe\" in location \"%V\" needs "
                      "\"cqrs_redis\"", &clcf->name);

        return NGX_CONF_ERROR;
    }

    return ngx_http_cqrs_jwt_check_conf(cf);
}


static char *
ngx_http_cqrs_subscribe_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                           *value;
    ngx_http_core_loc_conf_t            *clcf;
    ngx_http_compile_complex_value_t     ccv;
    ngx_http_cqrs_subscribe_loc_conf_t  *slcf = conf;

    if (slcf->channel) {
        return "is duplicate";
    }

    value = cf->args->elts;

    slcf->channel = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (slcf->channel == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value[1];
    ccv.complex_value = slcf->channel;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (slcf->channel->lengths == NULL
        && !ngx_cqrs_channel_name_valid(&value[1]))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid channel \"%V\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_cqrs_subscribe_handler;

    return NGX_CONF_OK;
}


/* "*", or scheme://host[:port] as browsers write it. */

static char *
ngx_http_cqrs_subscribe_set_origins(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    u_char                              *p, *last;
    ngx_str_t                           *value, *origin;
    ngx_uint_t                           i;
    ngx_http_cqrs_subscribe_loc_conf_t  *slcf = conf;

    if (slcf->origins != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    slcf->origins = ngx_array_create(cf->pool, cf->args->nelts - 1,
                                     sizeof(ngx_str_t));
    if (slcf->origins == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        last = value[i].data + value[i].len;
        p = ngx_strnstr(value[i].data, "://", value[i].len);

        if (ngx_strcmp(value[i].data, "*") != 0
            && (p == NULL || p == value[i].data || p + 3 == last
                || ngx_strlchr(p + 3, last, '/')))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid origin \"%V\"",
                               &value[i]);
            return NGX_CONF_ERROR;
        }

        origin = ngx_array_push(slcf->origins);
        if (origin == NULL) {
            return NGX_CONF_ERROR;
        }

        *origin = value[i];
    }

    return NGX_CONF_OK;
}
