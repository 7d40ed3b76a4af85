
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The backends: cqrs_postgres, cqrs_rabbitmq, cqrs_redis; and how workers wait
 * for them, cqrs_busy_poll.
 *
 * A directive makes a backend, or finds the one that was made of the same
 * arguments, so that a pool is not there twice.  Workers start all of them and
 * stop them when they exit.  What requests do with them is in the modules
 * beside this one.
 */

#include "ngx_http_cqrs_module.h"

#include "ngx_cqrs_busy_poll.h"

#if defined(__GLIBC__)
#include <malloc.h>
#endif


#define NGX_HTTP_CQRS_KEPT  (8 * 1024 * 1024)  /* bytes of free memory */

#define NGX_HTTP_CQRS_BUSY_MAX  1000           /* ms */


typedef struct {
    ngx_cqrs_backend_t  *backends;
    ngx_msec_t           busy_poll;            /* 0: off */
} ngx_http_cqrs_main_conf_t;


static char *ngx_http_cqrs_backend(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_cqrs_backend_t *ngx_http_cqrs_find_backend(ngx_conf_t *cf,
    const ngx_cqrs_backend_type_t *type);
static char *ngx_http_cqrs_set_busy_poll(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static void *ngx_http_cqrs_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_cqrs_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_http_cqrs_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_cqrs_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_int_t ngx_http_cqrs_init_process(ngx_cycle_t *cycle);
static void ngx_http_cqrs_keep_memory(void);
static void ngx_http_cqrs_exit_process(ngx_cycle_t *cycle);


static ngx_command_t  ngx_http_cqrs_commands[] = {

    { ngx_string("cqrs_postgres"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_cqrs_backend,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_cqrs_loc_conf_t, postgres),
      (void *) &ngx_cqrs_pg_backend },

    { ngx_string("cqrs_rabbitmq"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_cqrs_backend,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_cqrs_loc_conf_t, rabbitmq),
      (void *) &ngx_cqrs_amqp_backend },

    { ngx_string("cqrs_redis"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_cqrs_backend,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_cqrs_loc_conf_t, redis),
      (void *) &ngx_cqrs_redis_backend },

    { ngx_string("cqrs_busy_poll"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_cqrs_set_busy_poll,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_cqrs_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    ngx_http_cqrs_create_main_conf,        /* create main configuration */
    ngx_http_cqrs_init_main_conf,          /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_cqrs_create_loc_conf,         /* create location configuration */
    ngx_http_cqrs_merge_loc_conf           /* merge location configuration */
};


ngx_module_t  ngx_http_cqrs_module = {
    NGX_MODULE_V1,
    &ngx_http_cqrs_module_ctx,             /* module context */
    ngx_http_cqrs_commands,                /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_cqrs_init_process,            /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_cqrs_exit_process,            /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static char *
ngx_http_cqrs_backend(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_cqrs_backend_t               *backend, **slot;
    ngx_http_cqrs_main_conf_t        *mcf;
    const ngx_cqrs_backend_type_t    *type;

    type = cmd->post;
    slot = (ngx_cqrs_backend_t **) ((u_char *) conf + cmd->offset);

    if (*slot != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    backend = ngx_http_cqrs_find_backend(cf, type);

    if (backend == NULL) {
        backend = type->create(cf);
        if (backend == NULL) {
            return NGX_CONF_ERROR;
        }

        /* cf->args is used again for the next directive */

        backend->args = ngx_array_create(cf->pool, cf->args->nelts,
                                         sizeof(ngx_str_t));
        if (backend->args == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memcpy(ngx_array_push_n(backend->args, cf->args->nelts),
                   cf->args->elts, cf->args->nelts * sizeof(ngx_str_t));

        mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_cqrs_module);

        backend->type = type;
        backend->next = mcf->backends;
        mcf->backends = backend;
    }

    *slot = backend;

    return NGX_CONF_OK;
}


static ngx_cqrs_backend_t *
ngx_http_cqrs_find_backend(ngx_conf_t *cf, const ngx_cqrs_backend_type_t *type)
{
    ngx_str_t                  *had, *now;
    ngx_uint_t                  i;
    ngx_cqrs_backend_t         *backend;
    ngx_http_cqrs_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_cqrs_module);
    now = cf->args->elts;

    for (backend = mcf->backends; backend; backend = backend->next) {

        if (backend->type != type
            || backend->args->nelts != cf->args->nelts)
        {
            continue;
        }

        had = backend->args->elts;

        for (i = 1; i < cf->args->nelts; i++) {
            if (had[i].len != now[i].len
                || ngx_memcmp(had[i].data, now[i].data, now[i].len) != 0)
            {
                break;
            }
        }

        if (i == cf->args->nelts) {
            return backend;
        }
    }

    return NULL;
}


/* cqrs_busy_poll TIME | off */

static char *
ngx_http_cqrs_set_busy_poll(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                  *value;
    ngx_msec_t                  time;
    ngx_http_cqrs_main_conf_t  *mcf = conf;

    if (mcf->busy_poll != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    value = (ngx_str_t *) cf->args->elts + 1;

    if (ngx_strcmp(value->data, "off") == 0) {
        mcf->busy_poll = 0;
        return NGX_CONF_OK;
    }

    time = ngx_parse_time(value, 0);

    if (time == (ngx_msec_t) NGX_ERROR || time == 0
        || time > NGX_HTTP_CQRS_BUSY_MAX)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"%V\" directive, "
                           "it must be \"off\" or a time from 1ms to %dms",
                           value, &cmd->name, NGX_HTTP_CQRS_BUSY_MAX);
        return NGX_CONF_ERROR;
    }

    mcf->busy_poll = time;

    return NGX_CONF_OK;
}


static void *
ngx_http_cqrs_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_cqrs_main_conf_t  *mcf;

    mcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_cqrs_main_conf_t));
    if (mcf == NULL) {
        return NULL;
    }

    mcf->busy_poll = NGX_CONF_UNSET_MSEC;

    return mcf;
}


static char *
ngx_http_cqrs_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_cqrs_main_conf_t  *mcf = conf;

    ngx_conf_init_msec_value(mcf->busy_poll, 0);

    return NGX_CONF_OK;
}


static void *
ngx_http_cqrs_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_cqrs_loc_conf_t  *conf;

    conf = ngx_palloc(cf->pool, sizeof(ngx_http_cqrs_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->postgres = NGX_CONF_UNSET_PTR;
    conf->rabbitmq = NGX_CONF_UNSET_PTR;
    conf->redis = NGX_CONF_UNSET_PTR;

    return conf;
}


static char *
ngx_http_cqrs_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_cqrs_loc_conf_t  *prev = parent;
    ngx_http_cqrs_loc_conf_t  *conf = child;
    ngx_http_core_loc_conf_t  *clcf;

    ngx_conf_merge_ptr_value(conf->postgres, prev->postgres, NULL);
    ngx_conf_merge_ptr_value(conf->rabbitmq, prev->rabbitmq, NULL);
    ngx_conf_merge_ptr_value(conf->redis, prev->redis, NULL);

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (conf->rabbitmq && clcf->resolver->connections.nelts) {
        ngx_cqrs_amqp_set_resolver(conf->rabbitmq, clcf->resolver);
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_cqrs_init_process(ngx_cycle_t *cycle)
{
    ngx_cqrs_backend_t         *backend;
    ngx_http_cqrs_main_conf_t  *mcf;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    ngx_http_cqrs_keep_memory();

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_cqrs_module);
    if (mcf == NULL) {
        return NGX_OK;                     /* no http block */
    }

    ngx_cqrs_busy_poll_init(mcf->busy_poll, cycle->log);

    for (backend = mcf->backends; backend; backend = backend->next) {
        if (backend->type->start(backend, cycle) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * Requests and the results of Postgres come and go.  glibc would give the end
 * of the heap back to the kernel after each of them and fetch it again for the
 * next, which is a third of a short query's whole cost.
 */

static void
ngx_http_cqrs_keep_memory(void)
{
#if defined(M_TRIM_THRESHOLD)

    (void) mallopt(M_TRIM_THRESHOLD, NGX_HTTP_CQRS_KEPT);
    (void) mallopt(M_TOP_PAD, NGX_HTTP_CQRS_KEPT / 8);
    (void) mallopt(M_MMAP_THRESHOLD, NGX_HTTP_CQRS_KEPT / 8);

#endif
}


static void
ngx_http_cqrs_exit_process(ngx_cycle_t *cycle)
{
    ngx_cqrs_backend_t         *backend;
    ngx_http_cqrs_main_conf_t  *mcf;

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_cqrs_module);
    if (mcf == NULL) {
        return;
    }

    for (backend = mcf->backends; backend; backend = backend->next) {
        backend->type->stop(backend);
    }
}
