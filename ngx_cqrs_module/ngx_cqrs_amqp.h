
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * RabbitMQ for one worker: a connection that publishes with confirms.
 */

#ifndef NGX_CQRS_AMQP_H
#define NGX_CQRS_AMQP_H


#include "ngx_cqrs_backend.h"


typedef struct ngx_cqrs_amqp_s  ngx_cqrs_amqp_t;


extern const ngx_cqrs_backend_type_t  ngx_cqrs_amqp_backend;


#endif /* NGX_CQRS_AMQP_H */
