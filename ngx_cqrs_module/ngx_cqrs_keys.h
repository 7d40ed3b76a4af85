
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * What the ids of commands stand for, as all workers of this nginx know it.
 * Outlives a reload, if the size is the same.
 */

#ifndef NGX_CQRS_KEYS_H
#define NGX_CQRS_KEYS_H


#include <ngx_config.h>
#include <ngx_core.h>

#include "cqrs_keys.h"


#define NGX_CQRS_KEYS_MIN  (8 * ngx_pagesize)


typedef struct ngx_cqrs_keys_s  ngx_cqrs_keys_t;


/* When the configuration is read.  The tag is the module's that asks. */
ngx_cqrs_keys_t *ngx_cqrs_keys_create(ngx_conf_t *cf, size_t size, void *tag);

/* See cqrs_keys.h. */
cqrs_keys_e ngx_cqrs_keys_find(ngx_cqrs_keys_t *keys, const cqrs_uuid_t *id,
    const cqrs_uuid_t *what);
cqrs_keys_e ngx_cqrs_keys_claim(ngx_cqrs_keys_t *keys, const cqrs_uuid_t *id,
    const cqrs_uuid_t *what, time_t kept, ngx_log_t *log);


#endif /* NGX_CQRS_KEYS_H */
