
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * LISTEN: one connection of its own for each database and channel that
 * anybody in this worker listens to.  It comes back by itself; what was said
 * meanwhile is lost, so whoever listens is told when that may be.
 */

#ifndef NGX_CQRS_PG_LISTEN_H
#define NGX_CQRS_PG_LISTEN_H


#include "ngx_cqrs_pg.h"


/* Who listens; a part of something that lives until ngx_cqrs_pg_unlisten(). */
typedef struct {
    ngx_queue_t    queue;
    void          *data;

    /* From now on nothing is missed; something may have been before. */
    void         (*ready)(void *data);

    /* It can't listen, for a while. */
    void         (*away)(void *data);

    void         (*notified)(const char *payload, void *data);
} ngx_cqrs_pg_listen_t;


/*
 * In a worker, between start and stop of the database.  Nothing is called
 * before this returns.
 */
ngx_int_t ngx_cqrs_pg_listen(ngx_cqrs_pg_t *pg, ngx_str_t *channel,
    ngx_cqrs_pg_listen_t *listen, ngx_cycle_t *cycle);

/* Not by a handler. */
void ngx_cqrs_pg_unlisten(ngx_cqrs_pg_t *pg, ngx_cqrs_pg_listen_t *listen);


#endif /* NGX_CQRS_PG_LISTEN_H */
