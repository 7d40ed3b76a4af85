
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "ngx_cqrs_pg_statement.h"


static ngx_cqrs_pg_statement_t *ngx_cqrs_pg_statement_numbered(
    ngx_cqrs_pg_statements_t *statements, ngx_uint_t number);
static void ngx_cqrs_pg_statement_remove(ngx_cqrs_pg_statements_t *statements,
    ngx_cqrs_pg_statement_t *statement);


void
ngx_cqrs_pg_statements_init(ngx_cqrs_pg_statements_t *statements)
{
    ngx_rbtree_init(&statements->tree, &statements->sentinel,
                    ngx_str_rbtree_insert_value);

    ngx_queue_init(&statements->used);
    ngx_queue_init(&statements->evicted);

    statements->count = 0;
    statements->last = 0;
}


void
ngx_cqrs_pg_statements_clear(ngx_cqrs_pg_statements_t *statements)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&statements->used)) {
        q = ngx_queue_head(&statements->used);
        ngx_cqrs_pg_statement_remove(statements,
                          ngx_queue_data(q, ngx_cqrs_pg_statement_t, queue));
    }

    while (ngx_cqrs_pg_statement_evicted(statements)) { /* void */ }
}


ngx_cqrs_pg_statement_t *
ngx_cqrs_pg_statement_find(ngx_cqrs_pg_statements_t *statements,
    ngx_str_t *sql, uint32_t hash)
{
    ngx_cqrs_pg_statement_t  *statement;

    /* the node is the first member */

    statement = (ngx_cqrs_pg_statement_t *)
                    ngx_str_rbtree_lookup(&statements->tree, sql, hash);

    if (statement) {
        ngx_queue_remove(&statement->queue);
        ngx_queue_insert_head(&statements->used, &statement->queue);
    }

    return statement;
}


ngx_cqrs_pg_statement_t *
ngx_cqrs_pg_statement_add(ngx_cqrs_pg_statements_t *statements,
    ngx_str_t *sql, uint32_t hash, ngx_log_t *log)
{
    u_char                   *p;
    ngx_queue_t              *q;
    ngx_cqrs_pg_statement_t  *statement, *oldest;

    p = ngx_alloc(sizeof(ngx_cqrs_pg_statement_t) + sql->len, log);
    if (p == NULL) {
        return NULL;
    }

    statement = (ngx_cqrs_pg_statement_t *) p;
    p += sizeof(ngx_cqrs_pg_statement_t);

    ngx_memcpy(p, sql->data, sql->len);

    statement->sn.node.key = hash;
    statement->sn.str.data = p;
    statement->sn.str.len = sql->len;
    statement->number = ++statements->last;

    if (statements->count == NGX_CQRS_PG_STATEMENTS_MAX) {
        q = ngx_queue_last(&statements->used);
        oldest = ngx_queue_data(q, ngx_cqrs_pg_statement_t, queue);

        ngx_cqrs_pg_statement_evict(statements, oldest->number);
    }

    ngx_rbtree_insert(&statements->tree, &statement->sn.node);
    ngx_queue_insert_head(&statements->used, &statement->queue);
    statements->count++;

    return statement;
}


ngx_uint_t
ngx_cqrs_pg_statement_evicted(ngx_cqrs_pg_statements_t *statements)
{
    ngx_uint_t                number;
    ngx_queue_t              *q;
    ngx_cqrs_pg_statement_t  *statement;

    if (ngx_queue_empty(&statements->evicted)) {
        return 0;
    }

    q = ngx_queue_head(&statements->evicted);
    statement = ngx_queue_data(q, ngx_cqrs_pg_statement_t, queue);

    number = statement->number;

    ngx_queue_remove(&statement->queue);
    ngx_free(statement);

    return number;
}


void
ngx_cqrs_pg_statement_evict(ngx_cqrs_pg_statements_t *statements,
    ngx_uint_t number)
{
    ngx_cqrs_pg_statement_t  *statement;

    statement = ngx_cqrs_pg_statement_numbered(statements, number);

    if (statement) {
        ngx_rbtree_delete(&statements->tree, &statement->sn.node);
        statements->count--;

        ngx_queue_remove(&statement->queue);
        ngx_queue_insert_tail(&statements->evicted, &statement->queue);
    }
}


void
ngx_cqrs_pg_statement_forget(ngx_cqrs_pg_statements_t *statements,
    ngx_uint_t number)
{
    ngx_cqrs_pg_statement_t  *statement;

    statement = ngx_cqrs_pg_statement_numbered(statements, number);

    if (statement) {
        ngx_cqrs_pg_statement_remove(statements, statement);
    }
}


/* They are few, and this is asked when something has failed. */

static ngx_cqrs_pg_statement_t *
ngx_cqrs_pg_statement_numbered(ngx_cqrs_pg_statements_t *statements,
    ngx_uint_t number)
{
    ngx_queue_t              *q;
    ngx_cqrs_pg_statement_t  *statement;

    for (q = ngx_queue_head(&statements->used);
         q != ngx_queue_sentinel(&statements->used);
         q = ngx_queue_next(q))
    {
        statement = ngx_queue_data(q, ngx_cqrs_pg_statement_t, queue);

        if (statement->number == number) {
            return statement;
        }
    }

    return NULL;
}


static void
ngx_cqrs_pg_statement_remove(ngx_cqrs_pg_statements_t *statements,
    ngx_cqrs_pg_statement_t *statement)
{
    ngx_rbtree_delete(&statements->tree, &statement->sn.node);
    ngx_queue_remove(&statement->queue);
    statements->count--;

    ngx_free(statement);
}
