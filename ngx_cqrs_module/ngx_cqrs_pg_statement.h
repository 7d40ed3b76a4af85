
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The statements that one connection has prepared, by the text of their SQL.
 *
 * Their number is limited: the one that was used longest ago makes room, and
 * the caller deallocates it in the server.  Their length the caller limits.
 */

#ifndef NGX_CQRS_PG_STATEMENT_H
#define NGX_CQRS_PG_STATEMENT_H


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_CQRS_PG_STATEMENTS_MAX  128


typedef struct {
    ngx_str_node_t      sn;        /* the SQL and its hash */
    ngx_queue_t         queue;
    ngx_uint_t          number;    /* of its name in the server */
} ngx_cqrs_pg_statement_t;


typedef struct {
    ngx_rbtree_t        tree;
    ngx_rbtree_node_t   sentinel;
    ngx_queue_t         used;      /* most recently used first */
    ngx_uint_t          count;
    ngx_uint_t          last;      /* a number is given once */
} ngx_cqrs_pg_statements_t;


void ngx_cqrs_pg_statements_init(ngx_cqrs_pg_statements_t *statements);

/* Forgets all of them, as the server does when the connection ends. */
void ngx_cqrs_pg_statements_clear(ngx_cqrs_pg_statements_t *statements);

/* NULL if there is none. */
ngx_cqrs_pg_statement_t *ngx_cqrs_pg_statement_find(
    ngx_cqrs_pg_statements_t *statements, ngx_str_t *sql, uint32_t hash);

/*
 * Adds one, with a copy of the SQL.  *evicted is the number of the one that
 * had to go, or 0.  Returns NULL when memory is short.
 */
ngx_cqrs_pg_statement_t *ngx_cqrs_pg_statement_add(
    ngx_cqrs_pg_statements_t *statements, ngx_str_t *sql, uint32_t hash,
    ngx_uint_t *evicted, ngx_log_t *log);

/* The server does not have it. */
void ngx_cqrs_pg_statement_remove(ngx_cqrs_pg_statements_t *statements,
    ngx_cqrs_pg_statement_t *statement);


#endif /* NGX_CQRS_PG_STATEMENT_H */
