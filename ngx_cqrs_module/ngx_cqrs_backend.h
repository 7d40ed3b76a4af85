
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * What Postgres, RabbitMQ and Redis have in common.
 *
 * A backend is made when its directive is read and lives as long as the
 * configuration.  Each worker starts it once and stops it when it exits;
 * between the two it keeps its connections by itself and comes back without
 * help when the server was away.
 */

#ifndef NGX_CQRS_BACKEND_H
#define NGX_CQRS_BACKEND_H


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct ngx_cqrs_backend_s  ngx_cqrs_backend_t;


typedef struct {
    const char           *name;                       /* for logs */

    /*
     * Reads the directive's arguments, cf->args[1..], and allocates from
     * cf->pool.  Returns NULL after it has logged what was wrong.
     */
    ngx_cqrs_backend_t   *(*create)(ngx_conf_t *cf);

    /* Called in a worker, before any request. */
    ngx_int_t            (*start)(ngx_cqrs_backend_t *backend,
                             ngx_cycle_t *cycle);

    /* Called in a worker that exits, when no request is left. */
    void                 (*stop)(ngx_cqrs_backend_t *backend);
} ngx_cqrs_backend_type_t;


/* The first member of each adapter's own structure. */
struct ngx_cqrs_backend_s {
    const ngx_cqrs_backend_type_t  *type;
    ngx_array_t                    *args;             /* of ngx_str_t */
    ngx_cqrs_backend_t             *next;
};


#endif /* NGX_CQRS_BACKEND_H */
