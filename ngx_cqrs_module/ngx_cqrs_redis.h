
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Redis for one worker: one connection that subscribes, one that reads.
 */

#ifndef NGX_CQRS_REDIS_H
#define NGX_CQRS_REDIS_H


#include "ngx_cqrs_backend.h"


typedef struct ngx_cqrs_redis_s  ngx_cqrs_redis_t;


extern const ngx_cqrs_backend_type_t  ngx_cqrs_redis_backend;


#endif /* NGX_CQRS_REDIS_H */
