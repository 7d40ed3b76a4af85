
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Commands: cqrs_command and cqrs_partitions.
 *
 * A request becomes a message in RabbitMQ; the 202 leaves when the broker has
 * confirmed it, or when the outcome is known to a client that prefers to wait.
 * On the way the request may wait for its body, for Redis, for the number of
 * partitions, for the confirm and for the outcome; whatever it waits for is
 * cut off by its cleanup when the client leaves first.
 */

#include "ngx_http_cqrs_module.h"
#include "ngx_http_cqrs_command.h"
#include "ngx_http_cqrs_jwt.h"
#include "ngx_http_cqrs_reply.h"


#define NGX_HTTP_CQRS_COMMAND_PARTITIONS_MAX  100000

#define NGX_HTTP_CQRS_UNPROCESSABLE           422


static ngx_int_t ngx_http_cqrs_command_init_process(ngx_cycle_t *cycle);
static void ngx_http_cqrs_command_body_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_cqrs_command_begin(ngx_http_request_t *r);
static void ngx_http_cqrs_command_compared(ngx_uint_t other, void *data);
static ngx_int_t ngx_http_cqrs_command_reused(ngx_http_request_t *r);
static ngx_int_t ngx_http_cqrs_command_listen(ngx_http_request_t *r,
    ngx_http_cqrs_command_ctx_t *ctx);
static void ngx_http_cqrs_command_heard(void *data);
static ngx_int_t ngx_http_cqrs_command_route(ngx_http_request_t *r,
    ngx_http_cqrs_command_ctx_t *ctx);
static void ngx_http_cqrs_command_partitions(ngx_uint_t n, void *data);
static ngx_int_t ngx_http_cqrs_command_publish(
    ngx_http_cqrs_command_ctx_t *ctx, ngx_uint_t partitions);
static void ngx_http_cqrs_command_published(ngx_cqrs_amqp_status_e status,
    void *data);
static ngx_int_t ngx_http_cqrs_command_answer(ngx_http_request_t *r,
    ngx_http_cqrs_command_ctx_t *ctx, ngx_cqrs_amqp_status_e status);
static ngx_int_t ngx_http_cqrs_command_accept(ngx_http_request_t *r,
    ngx_http_cqrs_command_ctx_t *ctx);
static ngx_int_t ngx_http_cqrs_command_no_store(ngx_http_request_t *r);
static void ngx_http_cqrs_command_watch_client(ngx_http_request_t *r);
static void ngx_http_cqrs_command_cleanup(void *data);
static void ngx_http_cqrs_command_resume(ngx_http_request_t *r, ngx_int_t rc);


static ngx_conf_num_bounds_t  ngx_http_cqrs_command_partitions_bounds = {
    ngx_conf_check_num_bounds, 1, NGX_HTTP_CQRS_COMMAND_PARTITIONS_MAX
};


static ngx_conf_enum_t  ngx_http_cqrs_command_unroutable[] = {
    { ngx_string("503"), NGX_HTTP_SERVICE_UNAVAILABLE },
    { ngx_string("404"), NGX_HTTP_NOT_FOUND },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_http_cqrs_command_commands[] = {

    { ngx_string("cqrs_command"),
      NGX_HTTP_LOC_CONF|NGX_HTTP_LIF_CONF|NGX_CONF_1MORE,
      ngx_http_cqrs_command_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cqrs_command_keys"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_cqrs_command_set_keys,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cqrs_partitions"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_cqrs_command_loc_conf_t, partitions),
      &ngx_http_cqrs_command_partitions_bounds },

    { ngx_string("cqrs_command_confirm"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_cqrs_command_loc_conf_t, confirm),
      NULL },

    { ngx_string("cqrs_command_unroutable"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_cqrs_command_loc_conf_t, unroutable),
      ngx_http_cqrs_command_unroutable },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_cqrs_command_module_ctx = {
    ngx_http_cqrs_command_add_variables,   /* preconfiguration */
    NULL,                                  /* postconfiguration */

    ngx_http_cqrs_command_create_main_conf, /* create main configuration */
    ngx_http_cqrs_command_init_main_conf,  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_cqrs_command_create_loc_conf, /* create location configuration */
    ngx_http_cqrs_command_merge_loc_conf   /* merge location configuration */
};


ngx_module_t  ngx_http_cqrs_command_module = {
    NGX_MODULE_V1,
    &ngx_http_cqrs_command_module_ctx,     /* module context */
    ngx_http_cqrs_command_commands,        /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_cqrs_command_init_process,    /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/* The store is asked before the first command, which then need not wait. */

static ngx_int_t
ngx_http_cqrs_command_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                          i;
    ngx_cqrs_partitions_t             **learned;
    ngx_http_cqrs_command_main_conf_t  *mcf;

    mcf = ngx_http_cycle_get_module_main_conf(cycle,
                                              ngx_http_cqrs_command_module);

    if (mcf == NULL
        || (ngx_process != NGX_PROCESS_WORKER
            && ngx_process != NGX_PROCESS_SINGLE))
    {
        return NGX_OK;
    }

    learned = mcf->learned.elts;

    for (i = 0; i < mcf->learned.nelts; i++) {
        ngx_cqrs_partitions_start(learned[i]);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_cqrs_command_handler(ngx_http_request_t *r)
{
    ngx_int_t                          rc;
    ngx_http_cleanup_t                *cln;
    ngx_http_cqrs_command_ctx_t       *ctx;
    ngx_http_cqrs_command_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_cqrs_command_module);

    rc = ngx_http_cqrs_jwt_authorize(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (!(r->method & conf->methods)) {

        if (ngx_http_cqrs_add_header(r, "Allow", &conf->allow) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_http_cqrs_problem(r, NGX_HTTP_NOT_ALLOWED,
                                     "method-not-allowed",
                                     "a command is sent by %V", &conf->allow);
    }

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_cqrs_command_ctx_t));
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->request = r;

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_http_cqrs_command_cleanup;
    cln->data = ctx;

    ngx_http_set_ctx(r, ctx, ngx_http_cqrs_command_module);

    if (ngx_http_complex_value(r, conf->type, &ctx->command.type) != NGX_OK
        || ngx_http_complex_value(r, conf->stream, &ctx->command.stream)
           != NGX_OK
        || (conf->causation
            && ngx_http_complex_value(r, conf->causation,
                                      &ctx->command.causation) != NGX_OK))
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->command.optional = conf->optional;

    rc = ngx_http_cqrs_command_request_check(r, &ctx->command);
    if (rc != NGX_OK) {
        return rc;
    }

    r->request_body_in_single_buf = 1;

    rc = ngx_http_read_client_request_body(r,
                                           ngx_http_cqrs_command_body_handler);

    return (rc >= NGX_HTTP_SPECIAL_RESPONSE) ? rc : NGX_DONE;
}


static void
ngx_http_cqrs_command_body_handler(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    rc = ngx_http_cqrs_command_begin(r);

    if (rc != NGX_OK) {
        ngx_http_finalize_request(r, rc);
        return;
    }

    ngx_http_cqrs_command_watch_client(r);
}


/* NGX_OK: it waits for something now. */

static ngx_int_t
ngx_http_cqrs_command_begin(ngx_http_request_t *r)
{
    ngx_int_t                           rc;
    ngx_http_cqrs_command_ctx_t        *ctx;
    ngx_http_cqrs_command_main_conf_t  *mcf;

    ctx = ngx_http_get_module_ctx(r, ngx_http_cqrs_command_module);

    rc = ngx_http_cqrs_command_request_build(r, &ctx->command);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ctx->command.keyed) {
        mcf = ngx_http_get_module_main_conf(r, ngx_http_cqrs_command_module);

        ctx->key.keys = mcf->keys;
        ctx->key.handler = ngx_http_cqrs_command_compared;
        ctx->key.data = ctx;

        rc = ngx_http_cqrs_command_key_begin(r, &ctx->key, &ctx->command);

        if (rc == NGX_OK) {
            return NGX_OK;
        }

        if (rc == NGX_BUSY) {
            return ngx_http_cqrs_command_reused(r);
        }
    }

    return ngx_http_cqrs_command_listen(r, ctx);
}


static void
ngx_http_cqrs_command_compared(ngx_uint_t other, void *data)
{
    ngx_int_t                     rc;
    ngx_http_request_t           *r;
    ngx_http_cqrs_command_ctx_t  *ctx = data;

    r = ctx->request;

    ngx_http_set_log_request(r->connection->log, r);

    rc = other ? ngx_http_cqrs_command_reused(r)
               : ngx_http_cqrs_command_listen(r, ctx);

    if (rc != NGX_OK) {
        ngx_http_cqrs_command_resume(r, rc);
    }
}


static ngx_int_t
ngx_http_cqrs_command_reused(ngx_http_request_t *r)
{
    return ngx_http_cqrs_problem(r, NGX_HTTP_CQRS_UNPROCESSABLE,
                                 "idempotency-key-reused",
                                 "this Idempotency-Key was used for another "
                                 "command: its body, type or stream is not "
                                 "the same");
}


static ngx_int_t
ngx_http_cqrs_command_listen(ngx_http_request_t *r,
    ngx_http_cqrs_command_ctx_t *ctx)
{
    ngx_int_t                          rc;
    ngx_http_cqrs_command_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_cqrs_command_module);

    ctx->wait.time = ngx_min(ngx_http_cqrs_command_wait_wanted(r), conf->wait);

    if (ctx->wait.time) {
        ctx->wait.id = ctx->command.id;
        ctx->wait.handler = ngx_http_cqrs_command_heard;
        ctx->wait.data = ctx;

        rc = ngx_http_cqrs_command_wait_begin(r, &ctx->wait,
                                              ngx_http_cqrs_loc_conf(r)->redis,
                                              &ctx->command.user);
        if (rc == NGX_OK) {
            return NGX_OK;
        }
    }

    return ngx_http_cqrs_command_route(r, ctx);
}


/* First when the command may be sent, then when the waiting has an end. */

static void
ngx_http_cqrs_command_heard(void *data)
{
    ngx_int_t                     rc;
    ngx_http_request_t           *r;
    ngx_http_cqrs_command_ctx_t  *ctx = data;

    r = ctx->request;

    ngx_http_set_log_request(r->connection->log, r);

    if (!ctx->routed) {
        rc = ngx_http_cqrs_command_route(r, ctx);

        if (rc != NGX_OK) {
            ngx_http_cqrs_command_resume(r, rc);
        }

        return;
    }

    if (ctx->held) {
        ngx_http_cqrs_command_resume(r,
                            ngx_http_cqrs_command_answer(r, ctx, ctx->status));
    }
}


static ngx_int_t
ngx_http_cqrs_command_route(ngx_http_request_t *r,
    ngx_http_cqrs_command_ctx_t *ctx)
{
    ngx_uint_t                         partitions;
    ngx_http_cqrs_command_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_cqrs_command_module);

    ctx->routed = 1;

    partitions = conf->learned ? ngx_cqrs_partitions_known(conf->learned)
                               : (ngx_uint_t) conf->partitions;

    if (partitions) {
        return ngx_http_cqrs_command_publish(ctx, partitions);
    }

    ctx->waiter.handler = ngx_http_cqrs_command_partitions;
    ctx->waiter.data = ctx;

    if (ngx_cqrs_partitions_wait(conf->learned, &ctx->waiter) != NGX_OK) {
        return ngx_http_cqrs_command_no_store(r);
    }

    return NGX_OK;
}


static void
ngx_http_cqrs_command_partitions(ngx_uint_t n, void *data)
{
    ngx_int_t                     rc;
    ngx_http_request_t           *r;
    ngx_http_cqrs_command_ctx_t  *ctx = data;

    r = ctx->request;

    ngx_http_set_log_request(r->connection->log, r);

    rc = n ? ngx_http_cqrs_command_publish(ctx, n)
           : ngx_http_cqrs_command_no_store(r);

    if (rc != NGX_OK) {
        ngx_http_cqrs_command_resume(r, rc);
    }
}


static ngx_int_t
ngx_http_cqrs_command_publish(ngx_http_cqrs_command_ctx_t *ctx,
    ngx_uint_t partitions)
{
    ngx_http_request_t                *r;
    ngx_http_cqrs_loc_conf_t          *backends;
    ngx_http_cqrs_command_loc_conf_t  *conf;

    r = ctx->request;
    backends = ngx_http_cqrs_loc_conf(r);
    conf = ngx_http_get_module_loc_conf(r, ngx_http_cqrs_command_module);

    if (ngx_http_cqrs_command_request_route(r, &ctx->command, partitions)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->sent_at = ngx_current_msec;

    ctx->op = conf->confirm
              ? ngx_cqrs_amqp_publish(backends->rabbitmq,
                                      &ctx->command.message,
                                      ngx_http_cqrs_command_published, ctx)
              : ngx_cqrs_amqp_keep(backends->rabbitmq, &ctx->command.message,
                                   ngx_http_cqrs_command_published, ctx);

    return ctx->op ? NGX_OK : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


static void
ngx_http_cqrs_command_published(ngx_cqrs_amqp_status_e status, void *data)
{
    ngx_http_request_t           *r;
    ngx_http_cqrs_command_ctx_t  *ctx = data;

    r = ctx->request;
    ctx->op = NULL;

    ctx->status = status;
    ctx->publish_time = ngx_current_msec - ctx->sent_at;
    ctx->answered = 1;

    if (status == NGX_CQRS_AMQP_CONFIRMED
        && ctx->wait.listening
        && !ctx->wait.outcome
        && !ctx->wait.over)
    {
        ctx->held = 1;
        return;
    }

    ngx_http_set_log_request(r->connection->log, r);

    ngx_http_cqrs_command_resume(r,
                                 ngx_http_cqrs_command_answer(r, ctx, status));
}


static ngx_int_t
ngx_http_cqrs_command_answer(ngx_http_request_t *r,
    ngx_http_cqrs_command_ctx_t *ctx, ngx_cqrs_amqp_status_e status)
{
    ngx_str_t                         *id;
    ngx_http_cqrs_command_loc_conf_t  *conf;

    id = &ctx->command.id;
    conf = ngx_http_get_module_loc_conf(r, ngx_http_cqrs_command_module);

    ctx->wait_time = ngx_current_msec - ctx->wait.begun;

    ngx_http_cqrs_command_wait_end(&ctx->wait);

    if (ctx->wait.outcome) {
        status = NGX_CQRS_AMQP_CONFIRMED;      /* else there were none */
    }

    switch (status) {

    case NGX_CQRS_AMQP_CONFIRMED:
        return ngx_http_cqrs_command_accept(r, ctx);

    case NGX_CQRS_AMQP_UNROUTABLE:
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "command %V: no queue takes it", id);

        return ngx_http_cqrs_problem(r, conf->unroutable,
                                     "no-consumer-queue",
                                     "nobody takes this command now");

    case NGX_CQRS_AMQP_NACKED:
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "command %V: refused by the broker", id);

        return ngx_http_cqrs_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                     "not-accepted",
                                     "the broker does not accept "
                                     "this command now");

    case NGX_CQRS_AMQP_OVERLOADED:
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "command %V: too many wait for the broker", id);

        return ngx_http_cqrs_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                     "too-many-commands",
                                     "too many commands wait to be confirmed");

    case NGX_CQRS_AMQP_LOST:
    case NGX_CQRS_AMQP_TIMEOUT:
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "command %V: sent but not confirmed, %s", id,
                      status == NGX_CQRS_AMQP_LOST ? "the connection was lost"
                                                   : "no answer in time");

        if (ngx_http_cqrs_add_header(r, "Command-Id", id) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_http_cqrs_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                     "not-confirmed",
                                     "the command %V may still be executed; "
                                     "it is safe to repeat only with the same "
                                     "Idempotency-Key", id);

    default: /* NGX_CQRS_AMQP_UNAVAILABLE */
        return ngx_http_cqrs_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                     "broker-unavailable",
                                     "the broker can't be reached now; "
                                     "the command was not sent");
    }
}


/* With an empty body, whatever came of it: the user's channel says more. */

static ngx_int_t
ngx_http_cqrs_command_accept(ngx_http_request_t *r,
    ngx_http_cqrs_command_ctx_t *ctx)
{
    ngx_str_t   none, applied;
    ngx_uint_t  status;

    if (ngx_http_cqrs_add_header(r, "Command-Id", &ctx->command.id) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->wait.listening) {
        applied.data = ngx_pnalloc(r->pool,
                                   sizeof("wait=") - 1 + NGX_INT_T_LEN);
        if (applied.data == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        applied.len = ngx_sprintf(applied.data, "wait=%M",
                                  ctx->wait.time / 1000)
                      - applied.data;

        if (ngx_http_cqrs_add_header(r, "Preference-Applied", &applied)
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    switch (ctx->wait.outcome) {

    case CQRS_OUTCOME_COMPLETED:
        status = NGX_HTTP_NO_CONTENT;
        break;

    case CQRS_OUTCOME_CONFLICT:
        status = NGX_HTTP_CONFLICT;
        break;

    case CQRS_OUTCOME_REJECTED:
        status = NGX_HTTP_CQRS_UNPROCESSABLE;
        break;

    default:                   /* not known, or put aside: it may be done */
        status = NGX_HTTP_ACCEPTED;
    }

    ngx_str_null(&none);

    return ngx_http_cqrs_send(r, status, NULL, &none);
}


static ngx_int_t
ngx_http_cqrs_command_no_store(ngx_http_request_t *r)
{
    return ngx_http_cqrs_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                 "store-unavailable",
                                 "the event store can't be reached now; "
                                 "the command was not sent");
}


/* From now on nobody reads from the client but to see it leave. */

static void
ngx_http_cqrs_command_watch_client(ngx_http_request_t *r)
{
    ngx_event_t  *rev;

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    rev = r->connection->read;

    if (rev->ready) {
        ngx_post_event(rev, &ngx_posted_events);
    }
}


static void
ngx_http_cqrs_command_cleanup(void *data)
{
    ngx_http_cqrs_command_ctx_t  *ctx = data;

    ngx_http_cqrs_command_key_end(&ctx->key);
    ngx_http_cqrs_command_wait_end(&ctx->wait);
    ngx_cqrs_partitions_cancel(&ctx->waiter);

    if (ctx->op) {
        ngx_cqrs_amqp_cancel(ctx->op);
        ctx->op = NULL;
    }
}


static void
ngx_http_cqrs_command_resume(ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_connection_t  *c;

    c = r->connection;                         /* outlives r */

    ngx_http_finalize_request(r, rc);

    ngx_http_run_posted_requests(c);
}
