
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The statements that one connection has prepared, by the text of their SQL.
 *
 * Their number is limited: the one that was used longest ago makes room, and
 * the caller deallocates it in the server: he asks for what was evicted.
 * Their length the caller limits.
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
    ngx_queue_t         evicted;   /* in the server still */
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
 * Adds one, with a copy of the SQL; another may be evicted for it.  Returns
 * NULL when memory is short.
 */
ngx_cqrs_pg_statement_t *ngx_cqrs_pg_statement_add(
    ngx_cqrs_pg_statements_t *statements, ngx_str_t *sql, uint32_t hash,
    ngx_log_t *log);

/* The number of one that is to be deallocated, and is forgotten; or 0. */
ngx_uint_t ngx_cqrs_pg_statement_evicted(ngx_cqrs_pg_statements_t *statements);

/* It is of no use any more. */
void ngx_cqrs_pg_statement_evict(ngx_cqrs_pg_statements_t *statements,
    ngx_uint_t number);

/* The server does not have it. */
void ngx_cqrs_pg_statement_forget(ngx_cqrs_pg_statements_t *statements,
    ngx_uint_t number);


#endif /* NGX_CQRS_PG_STATEMENT_H */
