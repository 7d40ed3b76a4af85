
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* A message that waits for the broker: all of it in one piece of memory. */

#ifndef NGX_CQRS_AMQP_COPY_H
#define NGX_CQRS_AMQP_COPY_H


#include <ngx_config.h>
#include <ngx_core.h>

#include "cqrs_amqp.h"


typedef struct {
    size_t                size;
    cqrs_amqp_message_t   message;
    cqrs_amqp_header_t    headers[CQRS_AMQP_HEADERS_MAX];
} ngx_cqrs_amqp_copy_t;


/*
 * To be freed by ngx_free().  Headers keep their names, which are not copied.
 * NULL: memory is short, or there are too many headers.
 */
ngx_cqrs_amqp_copy_t *ngx_cqrs_amqp_copy(const cqrs_amqp_message_t *message);


#endif /* NGX_CQRS_AMQP_COPY_H */
