
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "ngx_cqrs_catalog.h"


#define NGX_CQRS_CATALOG_INTERVAL  1000    /* ms between loads for a miss */


struct ngx_cqrs_catalog_s {
    ngx_cqrs_pg_t     *pg;
    ngx_array_t       *schemas;
    const char        *parameter;          /* the schemas as an array in SQL */
    ngx_log_t         *log;

    cqrs_catalog_t    *current;
    ngx_cqrs_pg_op_t  *op;                 /* the load under way */
    ngx_msec_t         begun;              /* when the last load was */
    ngx_queue_t        waiting;            /* of ngx_cqrs_catalog_wait_t */
};


static const char *ngx_cqrs_catalog_parameter(ngx_conf_t *cf,
    ngx_array_t *schemas);
static void ngx_cqrs_catalog_loaded(ngx_cqrs_pg_status_e status,
    PGresult **results, ngx_uint_t n, void *data);
static cqrs_catalog_t *ngx_cqrs_catalog_read(PGresult *result);


ngx_cqrs_catalog_t *
ngx_cqrs_catalog_create(ngx_conf_t *cf, ngx_cqrs_pg_t *pg,
    ngx_array_t *schemas)
{
    ngx_cqrs_catalog_t  *catalog;

    catalog = ngx_pcalloc(cf->pool, sizeof(ngx_cqrs_catalog_t));
    if (catalog == NULL) {
        return NULL;
    }

    catalog->pg = pg;
    catalog->schemas = schemas;
    catalog->parameter = ngx_cqrs_catalog_parameter(cf, schemas);

    return catalog->parameter ? catalog : NULL;
}


ngx_uint_t
ngx_cqrs_catalog_is(ngx_cqrs_catalog_t *catalog, ngx_cqrs_pg_t *pg,
    ngx_array_t *schemas)
{
    ngx_str_t   *had, *now;
    ngx_uint_t   i;

    if (catalog->pg != pg || catalog->schemas->nelts != schemas->nelts) {
        return 0;
    }

    had = catalog->schemas->elts;
    now = schemas->elts;

    for (i = 0; i < schemas->nelts; i++) {
        if (had[i].len != now[i].len
            || ngx_memcmp(had[i].data, now[i].data, now[i].len) != 0)
        {
            return 0;
        }
    }

    return 1;
}


ngx_int_t
ngx_cqrs_catalog_start(ngx_cqrs_catalog_t *catalog, ngx_cycle_t *cycle)
{
    catalog->log = cycle->log;

    ngx_queue_init(&catalog->waiting);

    return ngx_cqrs_catalog_load(catalog, NULL);
}


void
ngx_cqrs_catalog_stop(ngx_cqrs_catalog_t *catalog)
{
    cqrs_catalog_unref(catalog->current);
    catalog->current = NULL;
}


cqrs_catalog_t *
ngx_cqrs_catalog_current(ngx_cqrs_catalog_t *catalog)
{
    return catalog->current;
}


ngx_int_t
ngx_cqrs_catalog_load(ngx_cqrs_catalog_t *catalog,
    ngx_cqrs_catalog_wait_t *wait)
{
    ngx_cqrs_pg_query_t           query;
    ngx_cqrs_pg_statement_text_t  statement;

    if (catalog->op == NULL) {

        if (catalog->current
            && ngx_current_msec - catalog->begun < NGX_CQRS_CATALOG_INTERVAL)
        {
            return NGX_DECLINED;
        }

        statement.sql.data = (u_char *) cqrs_catalog_sql;
        statement.sql.len = ngx_strlen(cqrs_catalog_sql);
        statement.nparams = 1;
        statement.params = &catalog->parameter;

        query.statements = &statement;
        query.n = 1;
        query.handler = ngx_cqrs_catalog_loaded;
        query.data = catalog;

        catalog->op = ngx_cqrs_pg_query(catalog->pg, &query);
        if (catalog->op == NULL) {
            return NGX_ERROR;
        }

        catalog->begun = ngx_current_msec;
    }

    if (wait) {
        ngx_queue_insert_tail(&catalog->waiting, &wait->queue);
    }

    return NGX_OK;
}


void
ngx_cqrs_catalog_forget(ngx_cqrs_catalog_wait_t *wait)
{
    ngx_queue_remove(&wait->queue);
}


/* The text of an array of names: {"api","other"}. */

static const char *
ngx_cqrs_catalog_parameter(ngx_conf_t *cf, ngx_array_t *schemas)
{
    u_char      *p, *text;
    size_t       len;
    ngx_str_t   *schema;
    ngx_uint_t   i, j;

    schema = schemas->elts;
    len = sizeof("{}");

    for (i = 0; i < schemas->nelts; i++) {
        len += 2 * schema[i].len + sizeof(",\"\"");
    }

    text = ngx_pnalloc(cf->pool, len);
    if (text == NULL) {
        return NULL;
    }

    p = text;
    *p++ = '{';

    for (i = 0; i < schemas->nelts; i++) {

        if (i) {
            *p++ = ',';
        }

        *p++ = '"';

        for (j = 0; j < schema[i].len; j++) {

            if (schema[i].data[j] == '"' || schema[i].data[j] == '\\') {
                *p++ = '\\';
            }

            *p++ = schema[i].data[j];
        }

        *p++ = '"';
    }

    *p++ = '}';
    *p = '\0';

    return (const char *) text;
}


static void
ngx_cqrs_catalog_loaded(ngx_cqrs_pg_status_e status, PGresult **results,
    ngx_uint_t n, void *data)
{
    ngx_uint_t                level;
    ngx_queue_t              *q, waiting;
    cqrs_catalog_t           *loaded;
    ngx_cqrs_catalog_t       *catalog = data;
    ngx_cqrs_catalog_wait_t  *wait;

    catalog->op = NULL;

    if (status == NGX_CQRS_PG_OK) {
        loaded = ngx_cqrs_catalog_read(results[0]);

        if (loaded) {
            cqrs_catalog_unref(catalog->current);
            catalog->current = loaded;

            level = cqrs_catalog_relations(loaded) ? NGX_LOG_INFO
                                                   : NGX_LOG_WARN;

            ngx_log_error(level, catalog->log, 0,
                          "postgres \"%V\": catalogue loaded, %uz relations "
                          "in %s", ngx_cqrs_pg_label(catalog->pg),
                          cqrs_catalog_relations(loaded), catalog->parameter);

        } else {
            status = NGX_CQRS_PG_UNAVAILABLE;

            ngx_log_error(NGX_LOG_CRIT, catalog->log, 0,
                          "postgres \"%V\": no memory for the catalogue",
                          ngx_cqrs_pg_label(catalog->pg));
        }

    } else {
        ngx_log_error(NGX_LOG_ERR, catalog->log, 0,
                      "postgres \"%V\": catalogue not loaded: %s",
                      ngx_cqrs_pg_label(catalog->pg),
                      n ? PQresultErrorMessage(results[0])
                        : "no answer from the server");
    }

    /* a handler may begin to wait again, then for the next load */

    ngx_queue_init(&waiting);

    if (!ngx_queue_empty(&catalog->waiting)) {
        ngx_queue_add(&waiting, &catalog->waiting);
        ngx_queue_init(&catalog->waiting);
    }

    while (!ngx_queue_empty(&waiting)) {
        q = ngx_queue_head(&waiting);
        ngx_queue_remove(q);

        wait = ngx_queue_data(q, ngx_cqrs_catalog_wait_t, queue);

        wait->handler(status, wait->data);
    }
}


static cqrs_catalog_t *
ngx_cqrs_catalog_read(PGresult *result)
{
    int              i, j;
    const char      *row[CQRS_CATALOG_SQL_COLUMNS];
    cqrs_catalog_t  *catalog;

    catalog = cqrs_catalog_create();
    if (catalog == NULL) {
        return NULL;
    }

    for (i = 0; i < PQntuples(result); i++) {

        for (j = 0; j < CQRS_CATALOG_SQL_COLUMNS; j++) {
            row[j] = PQgetisnull(result, i, j) ? NULL
                                               : PQgetvalue(result, i, j);
        }

        if (cqrs_catalog_add(catalog, row) != 0) {
            cqrs_catalog_unref(catalog);
            return NULL;
        }
    }

    return catalog;
}
