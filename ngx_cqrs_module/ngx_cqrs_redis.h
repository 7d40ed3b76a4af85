
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Redis for one worker: one connection that subscribes, one that reads, and
 * the channels that somebody listens to.  See ngx_cqrs_channel.h.
 */

#ifndef NGX_CQRS_REDIS_H
#define NGX_CQRS_REDIS_H


#include "ngx_cqrs_backend.h"
#include "ngx_cqrs_redis_link.h"
#include "ngx_cqrs_redis_url.h"


#define NGX_CQRS_CHANNEL_NAME_MAX  255


typedef struct {
    ngx_cqrs_backend_t      backend;
    ngx_cqrs_redis_url_t    url;

    /* What follows is a worker's, from its start to its end. */

    ngx_cqrs_redis_link_t  *subscriber;
    ngx_cqrs_redis_link_t  *reader;
    ngx_rbtree_t            channels;      /* of ngx_cqrs_channel_t */
    ngx_rbtree_node_t       sentinel;
    ngx_log_t              *log;
} ngx_cqrs_redis_t;


extern const ngx_cqrs_backend_type_t  ngx_cqrs_redis_backend;


#endif /* NGX_CQRS_REDIS_H */
