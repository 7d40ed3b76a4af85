
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* What a location says of its commands, and what is known of one. */

#ifndef NGX_HTTP_CQRS_COMMAND_H
#define NGX_HTTP_CQRS_COMMAND_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_cqrs_command_key.h"
#include "ngx_http_cqrs_command_request.h"
#include "ngx_http_cqrs_command_wait.h"

#include "ngx_cqrs_amqp.h"
#include "ngx_cqrs_partitions.h"


typedef struct {
    ngx_array_t                      learned;  /* of ngx_cqrs_partitions_t * */
    size_t                           keys_size;    /* 0: none are kept */
    ngx_cqrs_keys_t                 *keys;     /* NULL: nobody needs them */
} ngx_http_cqrs_command_main_conf_t;


typedef struct {
    ngx_http_complex_value_t        *type;
    ngx_http_complex_value_t        *stream;
    ngx_http_complex_value_t        *causation;    /* NULL: a user's own */
    ngx_uint_t                       methods;
    ngx_str_t                        allow;
    ngx_msec_t                       wait;     /* for outcomes, at most */
    ngx_uint_t                       optional; /* the body is */
    ngx_int_t                        partitions;
    ngx_flag_t                       confirm;
    ngx_uint_t                       unroutable;   /* status */
    ngx_cqrs_partitions_t           *learned;  /* where no number is given */
} ngx_http_cqrs_command_loc_conf_t;


typedef struct {
    ngx_http_request_t              *request;
    ngx_http_cqrs_command_request_t  command;
    ngx_http_cqrs_command_key_t      key;
    ngx_http_cqrs_command_wait_t     wait;
    ngx_cqrs_partitions_waiter_t     waiter;
    ngx_cqrs_amqp_op_t              *op;

    ngx_cqrs_amqp_status_e           status;
    ngx_msec_t                       sent_at;
    ngx_msec_t                       publish_time;
    ngx_msec_t                       wait_time;

    unsigned                         routed:1;      /* nothing before it */
    unsigned                         answered:1;    /* the status is */
    unsigned                         held:1;        /* for the outcome */
} ngx_http_cqrs_command_ctx_t;


extern ngx_module_t  ngx_http_cqrs_command_module;


ngx_int_t ngx_http_cqrs_command_handler(ngx_http_request_t *r);

/* In ngx_http_cqrs_command_conf.c. */
void *ngx_http_cqrs_command_create_main_conf(ngx_conf_t *cf);
void *ngx_http_cqrs_command_create_loc_conf(ngx_conf_t *cf);
char *ngx_http_cqrs_command_init_main_conf(ngx_conf_t *cf, void *conf);
char *ngx_http_cqrs_command_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
char *ngx_http_cqrs_command_set(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_cqrs_command_set_keys(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* In ngx_http_cqrs_command_variables.c. */
ngx_int_t ngx_http_cqrs_command_add_variables(ngx_conf_t *cf);


#endif /* NGX_HTTP_CQRS_COMMAND_H */
