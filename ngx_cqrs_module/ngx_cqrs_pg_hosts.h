
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The hosts of a connection string, resolved while the configuration is read.
 */

#ifndef NGX_CQRS_PG_HOSTS_H
#define NGX_CQRS_PG_HOSTS_H


#include <ngx_config.h>
#include <ngx_core.h>


/* Lists with commas, as libpq wants them, of the same length. */
typedef struct {
    const char  *hosts;
    const char  *addresses;       /* empty for the folder of a socket */
    const char  *ports;
} ngx_cqrs_pg_hosts_t;


/*
 * Takes the lists that the user has written; the ports may be NULL.  A host
 * with several addresses is there once for each.  What is wrong is logged.
 */
ngx_int_t ngx_cqrs_pg_hosts_resolve(ngx_conf_t *cf,
    ngx_cqrs_pg_hosts_t *resolved, const char *hosts, const char *ports);


#endif /* NGX_CQRS_PG_HOSTS_H */
