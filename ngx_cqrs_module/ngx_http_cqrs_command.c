
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Commands: cqrs_command and cqrs_partitions.
 *
 * A request becomes a message in RabbitMQ; the 202 leaves when the broker has
 * confirmed it.  On the way it may wait for its body, for the number of
 * partitions, and for the confirm; whatever it waits for is cut off by the
 * request's cleanup when the client leaves first.
 */

#include "ngx_http_cqrs_module.h"
#include "ngx_http_cqrs_command_request.h"
#include "ngx_http_cqrs_jwt.h"
#include "ngx_http_cqrs_reply.h"

#include "ngx_cqrs_partitions.h"


#define NGX_HTTP_CQRS_COMMAND_PARTITIONS_MAX  100000


typedef struct {
    ngx_array_t                      learned;  /* of ngx_cqrs_partitions_t * */
} ngx_http_cqrs_command_main_conf_t;


typedef struct {
    ngx_http_complex_value_t        *type;
    ngx_http_complex_value_t        *stream;
    ngx_uint_t                       methods;
    ngx_str_t                        allow;
    ngx_int_t                        partitions;
    ngx_cqrs_partitions_t           *learned;  /* where no number is given */
} ngx_http_cqrs_command_loc_conf_t;


typedef struct {
    ngx_http_request_t              *request;
    ngx_http_cqrs_command_request_t  command;
    ngx_cqrs_partitions_waiter_t     waiter;
    ngx_cqrs_amqp_op_t              *op;
} ngx_http_cqrs_command_ctx_t;


static ngx_int_t ngx_http_cqrs_command_init_process(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_cqrs_command_handler(ngx_http_request_t *r);
static void ngx_http_cqrs_command_body_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_cqrs_command_begin(ngx_http_request_t *r);
static void ngx_http_cqrs_command_partitions(ngx_uint_t n, void *data);
static ngx_int_t ngx_http_cqrs_command_publish(
    ngx_http_cqrs_command_ctx_t *ctx, ngx_uint_t partitions);
static void ngx_http_cqrs_command_published(ngx_cqrs_amqp_status_e status,
    void *data);
static ngx_int_t ngx_http_cqrs_command_answer(ngx_http_request_t *r,
    ngx_http_cqrs_command_ctx_t *ctx, ngx_cqrs_amqp_status_e status);
static ngx_int_t ngx_http_cqrs_command_no_store(ngx_http_request_t *r);
static void ngx_http_cqrs_command_watch_client(ngx_http_request_t *r);
static void ngx_http_cqrs_command_cleanup(void *data);
static void ngx_http_cqrs_command_resume(ngx_http_request_t *r, ngx_int_t rc);

static ngx_int_t ngx_http_cqrs_command_id_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);

static ngx_int_t ngx_http_cqrs_command_add_variables(ngx_conf_t *cf);
static void *ngx_http_cqrs_command_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_cqrs_command_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_cqrs_command_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_cqrs_command_learn(ngx_conf_t *cf,
    ngx_http_cqrs_command_loc_conf_t *conf, ngx_cqrs_pg_t *pg);
static char *ngx_http_cqrs_command(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_cqrs_command_set_methods(ngx_conf_t *cf,
    ngx_http_cqrs_command_loc_conf_t *conf, ngx_str_t *value);


static ngx_conf_bitmask_t  ngx_http_cqrs_command_methods[] = {
    { ngx_string("POST"), NGX_HTTP_POST },
    { ngx_string("PUT"), NGX_HTTP_PUT },
    { ngx_string("PATCH"), NGX_HTTP_PATCH },
    { ngx_string("DELETE"), NGX_HTTP_DELETE },
    { ngx_null_string, 0 }
};


static ngx_conf_num_bounds_t  ngx_http_cqrs_command_partitions_bounds = {
    ngx_conf_check_num_bounds, 1, NGX_HTTP_CQRS_COMMAND_PARTITIONS_MAX
};


static ngx_command_t  ngx_http_cqrs_command_commands[] = {

    { ngx_string("cqrs_command"),
      NGX_HTTP_LOC_CONF|NGX_HTTP_LIF_CONF|NGX_CONF_1MORE,
      ngx_http_cqrs_command,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cqrs_partitions"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_cqrs_command_loc_conf_t, partitions),
      &ngx_http_cqrs_command_partitions_bounds },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_cqrs_command_module_ctx = {
    ngx_http_cqrs_command_add_variables,   /* preconfiguration */
    NULL,                                  /* postconfiguration */

    ngx_http_cqrs_command_create_main_conf, /* create main configuration */
    NULL,                                  /* init main configuration */

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


static ngx_str_t  ngx_http_cqrs_command_id_name =
    ngx_string("cqrs_command_id");


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


static ngx_int_t
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
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

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
    ngx_int_t                          rc;
    ngx_uint_t                         partitions;
    ngx_http_cqrs_command_ctx_t       *ctx;
    ngx_http_cqrs_command_loc_conf_t  *conf;

    ctx = ngx_http_get_module_ctx(r, ngx_http_cqrs_command_module);
    conf = ngx_http_get_module_loc_conf(r, ngx_http_cqrs_command_module);

    rc = ngx_http_cqrs_command_request_build(r, &ctx->command);
    if (rc != NGX_OK) {
        return rc;
    }

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
    ngx_http_request_t       *r;
    ngx_http_cqrs_loc_conf_t *conf;

    r = ctx->request;
    conf = ngx_http_cqrs_loc_conf(r);

    if (ngx_http_cqrs_command_request_route(r, &ctx->command, partitions)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->op = ngx_cqrs_amqp_publish(conf->rabbitmq, &ctx->command.message,
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

    ngx_http_set_log_request(r->connection->log, r);

    ngx_http_cqrs_command_resume(r,
                                 ngx_http_cqrs_command_answer(r, ctx, status));
}


static ngx_int_t
ngx_http_cqrs_command_answer(ngx_http_request_t *r,
    ngx_http_cqrs_command_ctx_t *ctx, ngx_cqrs_amqp_status_e status)
{
    ngx_str_t  *id, none;

    id = &ctx->command.id;

    switch (status) {

    case NGX_CQRS_AMQP_CONFIRMED:

        if (ngx_http_cqrs_add_header(r, "Command-Id", id) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ngx_str_null(&none);

        return ngx_http_cqrs_send(r, NGX_HTTP_ACCEPTED, NULL, &none);

    case NGX_CQRS_AMQP_UNROUTABLE:
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "command %V: no queue takes it", id);

        return ngx_http_cqrs_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE,
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


static ngx_int_t
ngx_http_cqrs_command_id_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_cqrs_command_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_cqrs_command_module);

    if (ctx == NULL || ctx->command.id.len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->data = ctx->command.id.data;
    v->len = ctx->command.id.len;
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_cqrs_command_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var;

    var = ngx_http_add_variable(cf, &ngx_http_cqrs_command_id_name,
                                NGX_HTTP_VAR_NOCACHEABLE);
    if (var == NULL) {
        return NGX_ERROR;
    }

    var->get_handler = ngx_http_cqrs_command_id_variable;

    return NGX_OK;
}


static void *
ngx_http_cqrs_command_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_cqrs_command_main_conf_t  *mcf;

    mcf = ngx_palloc(cf->pool, sizeof(ngx_http_cqrs_command_main_conf_t));
    if (mcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&mcf->learned, cf->pool, 1,
                       sizeof(ngx_cqrs_partitions_t *))
        != NGX_OK)
    {
        return NULL;
    }

    return mcf;
}


static void *
ngx_http_cqrs_command_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_cqrs_command_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_cqrs_command_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->partitions = NGX_CONF_UNSET;

    return conf;
}


static char *
ngx_http_cqrs_command_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_cqrs_command_loc_conf_t *prev = parent;
    ngx_http_cqrs_command_loc_conf_t *conf = child;

    ngx_http_core_loc_conf_t  *clcf;
    ngx_http_cqrs_loc_conf_t  *backends;

    if (conf->partitions == NGX_CONF_UNSET) {
        conf->partitions = prev->partitions;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* an "if" inside of the location keeps its handler */

    if (conf->type == NULL && (clcf->noname || clcf->lmt_excpt)) {
        conf->type = prev->type;
        conf->stream = prev->stream;
        conf->methods = prev->methods;
        conf->allow = prev->allow;
    }

    if (conf->type == NULL) {
        return NGX_CONF_OK;
    }

    backends = ngx_http_conf_get_module_loc_conf(cf, ngx_http_cqrs_module);

    if (backends->rabbitmq == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"cqrs_command\" needs \"cqrs_rabbitmq\" "
                           "in location \"%V\" or around it", &clcf->name);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_cqrs_jwt_check_conf(cf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    if (conf->partitions != NGX_CONF_UNSET) {
        return NGX_CONF_OK;
    }

    if (backends->postgres == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"cqrs_command\" needs \"cqrs_partitions\", or "
                           "\"cqrs_postgres\" to ask for their number, "
                           "in location \"%V\" or around it", &clcf->name);
        return NGX_CONF_ERROR;
    }

    return ngx_http_cqrs_command_learn(cf, conf, backends->postgres);
}


/* Locations with the same store ask it once. */

static char *
ngx_http_cqrs_command_learn(ngx_conf_t *cf,
    ngx_http_cqrs_command_loc_conf_t *conf, ngx_cqrs_pg_t *pg)
{
    ngx_uint_t                          i;
    ngx_cqrs_partitions_t             **learned;
    ngx_http_cqrs_command_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_cqrs_command_module);

    learned = mcf->learned.elts;

    for (i = 0; i < mcf->learned.nelts; i++) {
        if (ngx_cqrs_partitions_store(learned[i]) == pg) {
            conf->learned = learned[i];
            return NGX_CONF_OK;
        }
    }

    learned = ngx_array_push(&mcf->learned);
    if (learned == NULL) {
        return NGX_CONF_ERROR;
    }

    *learned = ngx_cqrs_partitions_create(cf, pg);
    if (*learned == NULL) {
        return NGX_CONF_ERROR;
    }

    conf->learned = *learned;

    return NGX_CONF_OK;
}


/* cqrs_command TYPE stream=STREAM [methods=METHOD,...] */

static char *
ngx_http_cqrs_command(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_cqrs_command_loc_conf_t *ccf = conf;

    ngx_str_t                          *value, stream, methods;
    ngx_uint_t                          i;
    ngx_http_core_loc_conf_t           *clcf;
    ngx_http_compile_complex_value_t    ccv;

    if (ccf->type) {
        return "is duplicate";
    }

    ngx_str_null(&stream);
    ngx_str_set(&methods, "POST");

    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "stream=", 7) == 0) {
            stream.data = value[i].data + 7;
            stream.len = value[i].len - 7;

        } else if (ngx_strncmp(value[i].data, "methods=", 8) == 0) {
            methods.data = value[i].data + 8;
            methods.len = value[i].len - 8;

        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\", known are "
                               "stream= and methods=", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    if (stream.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"cqrs_command\" does not say which stream "
                           "the command is for, it needs stream=");
        return NGX_CONF_ERROR;
    }

    ccf->type = ngx_palloc(cf->pool, 2 * sizeof(ngx_http_complex_value_t));
    if (ccf->type == NULL) {
        return NGX_CONF_ERROR;
    }

    ccf->stream = ccf->type + 1;

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value[1];
    ccv.complex_value = ccf->type;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &stream;
    ccv.complex_value = ccf->stream;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_cqrs_command_handler;

    return ngx_http_cqrs_command_set_methods(cf, ccf, &methods);
}


/* Reads "POST,PUT" and writes it again as the Allow header has it. */

static char *
ngx_http_cqrs_command_set_methods(ngx_conf_t *cf,
    ngx_http_cqrs_command_loc_conf_t *conf, ngx_str_t *value)
{
    u_char              *p, *last, *end;
    ngx_conf_bitmask_t  *method;

    conf->allow.data = ngx_pnalloc(cf->pool, 2 * value->len + 1);
    if (conf->allow.data == NULL) {
        return NGX_CONF_ERROR;
    }

    last = value->data + value->len;

    for (p = value->data; p <= last; p = end + 1) {
        end = ngx_strlchr(p, last, ',');
        if (end == NULL) {
            end = last;
        }

        for (method = ngx_http_cqrs_command_methods; method->name.len;
             method++)
        {
            if (method->name.len == (size_t) (end - p)
                && ngx_memcmp(method->name.data, p, end - p) == 0)
            {
                break;
            }
        }

        if (method->name.len == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid methods \"%V\", a list of "
                               "POST, PUT, PATCH and DELETE is known", value);
            return NGX_CONF_ERROR;
        }

        conf->methods |= method->mask;

        if (conf->allow.len) {
            conf->allow.data[conf->allow.len++] = ',';
            conf->allow.data[conf->allow.len++] = ' ';
        }

        ngx_memcpy(conf->allow.data + conf->allow.len, p, end - p);
        conf->allow.len += end - p;
    }

    return NGX_CONF_OK;
}
