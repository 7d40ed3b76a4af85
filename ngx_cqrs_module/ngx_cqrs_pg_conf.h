
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* The directive cqrs_postgres, read and checked. */

#ifndef NGX_CQRS_PG_CONF_H
#define NGX_CQRS_PG_CONF_H


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct {
    ngx_str_t     label;           /* for logs: database and host */

    const char  **keywords;        /* for PQconnectStartParams() */
    const char  **values;          /* names of hosts are resolved */

    ngx_uint_t    pool;            /* connections of a worker at most */
    ngx_uint_t    pipeline;        /* queries on one of them at most */
    ngx_uint_t    queue;           /* queries that may wait for one */
    ngx_msec_t    timeout;         /* how long they wait */
    ngx_msec_t    query_timeout;   /* how long a query may run */
    ngx_uint_t    prepare;         /* else nothing is kept in a session */
} ngx_cqrs_pg_conf_t;


/*
 * Reads cf->args[1..] and allocates from cf->pool.  What is wrong is logged
 * with a sentence that holds no part of the connection string, which may hold
 * a password; then NGX_ERROR is returned.
 */
ngx_int_t ngx_cqrs_pg_conf_read(ngx_conf_t *cf, ngx_cqrs_pg_conf_t *conf);


#endif /* NGX_CQRS_PG_CONF_H */
