
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* From an HTTP request to the message of a command. */

#ifndef NGX_HTTP_CQRS_COMMAND_REQUEST_H
#define NGX_HTTP_CQRS_COMMAND_REQUEST_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "cqrs_amqp.h"
#include "cqrs_check.h"
#include "cqrs_trace.h"
#include "cqrs_uuid.h"


/* What a message is made of; all of it lives as long as the request. */
typedef struct {
    ngx_str_t            type;
    ngx_str_t            stream;
    ngx_str_t            user;                 /* empty: nobody is known */
    ngx_str_t            causation;            /* empty: a user's own */
    ngx_str_t            expected;             /* version; empty: any */
    ngx_str_t            body;
    ngx_str_t            id;                   /* empty until it is made */
    ngx_str_t            traceparent;          /* the same */
    u_char               id_text[CQRS_UUID_TEXT_LEN];
    u_char               trace_text[CQRS_TRACE_LEN];
    u_char               causation_text[CQRS_UUID_TEXT_LEN];
    cqrs_amqp_header_t   headers[CQRS_AMQP_HEADERS_MAX];
    cqrs_amqp_message_t  message;
    unsigned             optional:1;           /* the body is */
    unsigned             keyed:1;              /* by an Idempotency-Key */
} ngx_http_cqrs_command_request_t;


/*
 * Checks all that can be checked before the body is there.  Type, stream,
 * causation and whether the body is optional are the caller's.  This and the
 * next return
 * NGX_OK, or else what a content handler returns: a problem was sent, or
 * memory is short.
 */
ngx_int_t ngx_http_cqrs_command_request_check(ngx_http_request_t *r,
    ngx_http_cqrs_command_request_t *cr);

/* The body has been read: checks it, makes the id, and the message. */
ngx_int_t ngx_http_cqrs_command_request_build(ngx_http_request_t *r,
    ngx_http_cqrs_command_request_t *cr);

/* The last thing to know; NGX_ERROR: memory is short. */
ngx_int_t ngx_http_cqrs_command_request_route(ngx_http_request_t *r,
    ngx_http_cqrs_command_request_t *cr, ngx_uint_t partitions);

/* The header line n (0: the first) of that name, which is in lower case. */
ngx_str_t *ngx_http_cqrs_command_header(ngx_http_request_t *r,
    const char *name, ngx_uint_t n);


#endif /* NGX_HTTP_CQRS_COMMAND_REQUEST_H */
