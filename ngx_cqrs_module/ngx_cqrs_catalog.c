
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * A notification makes the catalogue stale, and it is so until a load that
 * began later has ended well.  While it is stale a load is under way or a
 * timer is set for the next; many notifications make few loads.
 */

#include "ngx_cqrs_catalog.h"

#include <ngx_event.h>

#include "ngx_cqrs_backoff.h"
#include "ngx_cqrs_pg_listen.h"

#include "cqrs_catalog_load.h"


#define NGX_CQRS_CATALOG_INTERVAL  1000    /* ms between loads for a miss */
#define NGX_CQRS_CATALOG_SPACE     100     /* ms between loads in any case */


struct ngx_cqrs_catalog_s {
    ngx_cqrs_catalog_conf_t   conf;
    const char               *params[CQRS_CATALOG_SQL_PARAMETERS];
    ngx_log_t                *log;

    cqrs_catalog_t           *current;
    cqrs_query_memo_t         memo;        /* plans by it */
    ngx_cqrs_pg_op_t         *op;          /* the load under way */
    cqrs_catalog_load_t      *load;        /* what it has brought so far */
    ngx_msec_t                begun;       /* when the last load was */
    ngx_queue_t               waiting;     /* of ngx_cqrs_catalog_wait_t */

    ngx_cqrs_pg_listen_t      listen;
    ngx_uint_t                stale;
    ngx_event_t               timer;       /* to load it */
    ngx_cqrs_backoff_t        backoff;
};


static ngx_uint_t ngx_cqrs_catalog_same(ngx_array_t *one, ngx_array_t *two);
static const char *ngx_cqrs_catalog_parameter(ngx_conf_t *cf,
    ngx_array_t *schemas);
static ngx_int_t ngx_cqrs_catalog_query(ngx_cqrs_catalog_t *catalog);
static void ngx_cqrs_catalog_loaded(ngx_cqrs_pg_status_e status,
    PGresult **results, ngx_uint_t n, void *data);
static void ngx_cqrs_catalog_set(ngx_cqrs_catalog_t *catalog,
    cqrs_catalog_t *current);
static ngx_int_t ngx_cqrs_catalog_row(PGresult *row, void *data);
static ngx_int_t ngx_cqrs_catalog_row_again(void *data);
static void ngx_cqrs_catalog_drop(ngx_cqrs_catalog_t *catalog);
static cqrs_catalog_t *ngx_cqrs_catalog_read(ngx_cqrs_catalog_t *catalog);
static void ngx_cqrs_catalog_failed(ngx_cqrs_catalog_t *catalog,
    const char *reason);
static void ngx_cqrs_catalog_call(ngx_cqrs_catalog_t *catalog,
    ngx_cqrs_pg_status_e status);
static void ngx_cqrs_catalog_refresh(ngx_cqrs_catalog_t *catalog);
static void ngx_cqrs_catalog_timer(ngx_event_t *ev);
static void ngx_cqrs_catalog_on_ready(void *data);
static void ngx_cqrs_catalog_on_away(void *data);
static void ngx_cqrs_catalog_on_notified(const char *payload, void *data);


ngx_cqrs_catalog_t *
ngx_cqrs_catalog_create(ngx_conf_t *cf, const ngx_cqrs_catalog_conf_t *conf)
{
    ngx_cqrs_catalog_t  *catalog;

    catalog = ngx_pcalloc(cf->pool, sizeof(ngx_cqrs_catalog_t));
    if (catalog == NULL) {
        return NULL;
    }

    catalog->conf = *conf;
    catalog->params[0] = ngx_cqrs_catalog_parameter(cf, conf->schemas);
    catalog->params[1] = ngx_cqrs_catalog_parameter(cf, conf->extra);

    if (catalog->params[0] == NULL || catalog->params[1] == NULL) {
        return NULL;
    }

    return catalog;
}


ngx_uint_t
ngx_cqrs_catalog_is(ngx_cqrs_catalog_t *catalog,
    const ngx_cqrs_catalog_conf_t *conf)
{
    const ngx_cqrs_catalog_conf_t  *had;

    had = &catalog->conf;

    return had->pg == conf->pg
           && had->channel.len == conf->channel.len
           && ngx_memcmp(had->channel.data, conf->channel.data,
                         conf->channel.len)
              == 0
           && ngx_cqrs_catalog_same(had->schemas, conf->schemas)
           && ngx_cqrs_catalog_same(had->extra, conf->extra);
}


/* Where it listens it is loaded as soon as it does, so as to miss nothing. */

ngx_int_t
ngx_cqrs_catalog_start(ngx_cqrs_catalog_t *catalog, ngx_cycle_t *cycle)
{
    catalog->log = cycle->log;

    ngx_queue_init(&catalog->waiting);
    cqrs_query_memo_init(&catalog->memo);

    catalog->timer.handler = ngx_cqrs_catalog_timer;
    catalog->timer.data = catalog;
    catalog->timer.log = cycle->log;
    catalog->timer.cancelable = 1;

    if (catalog->conf.channel.len == 0) {
        return ngx_cqrs_catalog_load(catalog, NULL);
    }

    catalog->listen.data = catalog;
    catalog->listen.ready = ngx_cqrs_catalog_on_ready;
    catalog->listen.away = ngx_cqrs_catalog_on_away;
    catalog->listen.notified = ngx_cqrs_catalog_on_notified;

    return ngx_cqrs_pg_listen(catalog->conf.pg, &catalog->conf.channel,
                              &catalog->listen, cycle);
}


void
ngx_cqrs_catalog_stop(ngx_cqrs_catalog_t *catalog)
{
    if (catalog->listen.queue.next) {
        ngx_cqrs_pg_unlisten(catalog->conf.pg, &catalog->listen);
        catalog->listen.queue.next = NULL;
    }

    if (catalog->timer.timer_set) {
        ngx_del_timer(&catalog->timer);
    }

    ngx_cqrs_catalog_drop(catalog);

    ngx_cqrs_catalog_set(catalog, NULL);
}


cqrs_catalog_t *
ngx_cqrs_catalog_current(ngx_cqrs_catalog_t *catalog)
{
    return catalog->current;
}


cqrs_query_memo_t *
ngx_cqrs_catalog_memo(ngx_cqrs_catalog_t *catalog)
{
    return &catalog->memo;
}


ngx_int_t
ngx_cqrs_catalog_load(ngx_cqrs_catalog_t *catalog,
    ngx_cqrs_catalog_wait_t *wait)
{
    if (catalog->op == NULL) {

        if (catalog->current
            && ngx_current_msec - catalog->begun < NGX_CQRS_CATALOG_INTERVAL)
        {
            return NGX_DECLINED;
        }

        if (ngx_cqrs_catalog_query(catalog) != NGX_OK) {
            return NGX_ERROR;
        }
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


static ngx_uint_t
ngx_cqrs_catalog_same(ngx_array_t *one, ngx_array_t *two)
{
    ngx_str_t   *a, *b;
    ngx_uint_t   i, n;

    n = one ? one->nelts : 0;

    if (n != (two ? two->nelts : 0)) {
        return 0;
    }

    for (i = 0; i < n; i++) {
        a = (ngx_str_t *) one->elts + i;
        b = (ngx_str_t *) two->elts + i;

        if (a->len != b->len || ngx_memcmp(a->data, b->data, a->len) != 0) {
            return 0;
        }
    }

    return 1;
}


/* The text of an array of names: {"api","other"}. */

static const char *
ngx_cqrs_catalog_parameter(ngx_conf_t *cf, ngx_array_t *schemas)
{
    u_char      *p, *text;
    size_t       len;
    ngx_str_t   *schema;
    ngx_uint_t   i, j;

    if (schemas == NULL) {
        return "{}";
    }

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


static ngx_int_t
ngx_cqrs_catalog_query(ngx_cqrs_catalog_t *catalog)
{
    ngx_cqrs_pg_query_t           query;
    ngx_cqrs_pg_statement_text_t  statements[2];

    ngx_memzero(&query, sizeof(ngx_cqrs_pg_query_t));
    ngx_memzero(statements, sizeof(statements));

    statements[0].sql.data = (u_char *) cqrs_catalog_setting_sql;
    statements[0].sql.len = ngx_strlen(cqrs_catalog_setting_sql);

    statements[1].sql.data = (u_char *) cqrs_catalog_sql;
    statements[1].sql.len = ngx_strlen(cqrs_catalog_sql);
    statements[1].nparams = CQRS_CATALOG_SQL_PARAMETERS;
    statements[1].params = catalog->params;

    query.statements = statements;
    query.n = 2;
    query.handler = ngx_cqrs_catalog_loaded;
    query.row = ngx_cqrs_catalog_row;
    query.again = ngx_cqrs_catalog_row_again;
    query.rows_of = 1;
    query.data = catalog;

    if (ngx_cqrs_catalog_row_again(catalog) != NGX_OK) {
        return NGX_ERROR;
    }

    catalog->op = ngx_cqrs_pg_query(catalog->conf.pg, &query);
    if (catalog->op == NULL) {
        ngx_cqrs_catalog_drop(catalog);
        return NGX_ERROR;
    }

    catalog->begun = ngx_current_msec;
    catalog->stale = 0;

    if (catalog->timer.timer_set) {
        ngx_del_timer(&catalog->timer);
    }

    return NGX_OK;
}


static void
ngx_cqrs_catalog_loaded(ngx_cqrs_pg_status_e status, PGresult **results,
    ngx_uint_t n, void *data)
{
    ngx_uint_t           level;
    const char          *reason;
    cqrs_catalog_t      *loaded;
    ngx_cqrs_catalog_t  *catalog = data;

    catalog->op = NULL;

    if (status == NGX_CQRS_PG_OK) {
        loaded = ngx_cqrs_catalog_read(catalog);

        if (loaded) {
            ngx_cqrs_catalog_set(catalog, loaded);

            ngx_cqrs_backoff_reset(&catalog->backoff);

            level = cqrs_catalog_relations(loaded) ? NGX_LOG_INFO
                                                   : NGX_LOG_WARN;

            ngx_log_error(level, catalog->log, 0,
                          "postgres \"%V\": catalogue loaded, %uz relations "
                          "in %s", ngx_cqrs_pg_label(catalog->conf.pg),
                          cqrs_catalog_relations(loaded), catalog->params[0]);

        } else {
            status = NGX_CQRS_PG_UNAVAILABLE;

            ngx_cqrs_catalog_failed(catalog, "no memory for it");
        }

    } else {
        reason = n ? PQresultErrorField(results[n - 1],
                                        PG_DIAG_MESSAGE_PRIMARY)
                   : NULL;

        ngx_cqrs_catalog_failed(catalog,
                                reason ? reason : "no answer from the server");
    }

    ngx_cqrs_catalog_drop(catalog);

    if (catalog->stale) {
        ngx_cqrs_catalog_refresh(catalog);
    }

    ngx_cqrs_catalog_call(catalog, status);
}


static void
ngx_cqrs_catalog_set(ngx_cqrs_catalog_t *catalog, cqrs_catalog_t *current)
{
    cqrs_query_memo_clear(&catalog->memo);

    cqrs_catalog_unref(catalog->current);
    catalog->current = current;
}


/* They are many where schemas are large, so they are taken as they come. */

static ngx_int_t
ngx_cqrs_catalog_row(PGresult *row, void *data)
{
    int                  i;
    const char          *column[CQRS_CATALOG_SQL_COLUMNS];
    ngx_cqrs_catalog_t  *catalog = data;

    if (catalog->load == NULL) {
        return NGX_OK;
    }

    for (i = 0; i < CQRS_CATALOG_SQL_COLUMNS; i++) {
        column[i] = PQgetisnull(row, 0, i) ? NULL : PQgetvalue(row, 0, i);
    }

    if (cqrs_catalog_load_add(catalog->load, column) != 0) {
        ngx_cqrs_catalog_drop(catalog);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_cqrs_catalog_row_again(void *data)
{
    ngx_cqrs_catalog_t  *catalog = data;

    ngx_cqrs_catalog_drop(catalog);

    catalog->load = cqrs_catalog_load_create();

    return catalog->load ? NGX_OK : NGX_ERROR;
}


static void
ngx_cqrs_catalog_drop(ngx_cqrs_catalog_t *catalog)
{
    if (catalog->load) {
        cqrs_catalog_load_destroy(catalog->load);
        catalog->load = NULL;
    }
}


static cqrs_catalog_t *
ngx_cqrs_catalog_read(ngx_cqrs_catalog_t *catalog)
{
    cqrs_catalog_load_t  *load;

    load = catalog->load;
    catalog->load = NULL;

    return load ? cqrs_catalog_load_end(load) : NULL;
}


/*
 * What is known stays.  If nothing listens the next request that misses
 * something tries again, else nobody might.
 */

static void
ngx_cqrs_catalog_failed(ngx_cqrs_catalog_t *catalog, const char *reason)
{
    ngx_uint_t  level;

    level = catalog->backoff.failures ? NGX_LOG_INFO : NGX_LOG_ERR;

    ngx_log_error(level, catalog->log, 0,
                  "postgres \"%V\": catalogue not loaded: %s",
                  ngx_cqrs_pg_label(catalog->conf.pg), reason);

    if (catalog->conf.channel.len == 0) {
        return;
    }

    if (!catalog->timer.timer_set && !ngx_exiting) {
        ngx_add_timer(&catalog->timer,
                      ngx_cqrs_backoff_next(&catalog->backoff));
    }
}


/* A handler may begin to wait again, then for the next load. */

static void
ngx_cqrs_catalog_call(ngx_cqrs_catalog_t *catalog, ngx_cqrs_pg_status_e status)
{
    ngx_queue_t              *q, waiting;
    ngx_cqrs_catalog_wait_t  *wait;

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


static void
ngx_cqrs_catalog_refresh(ngx_cqrs_catalog_t *catalog)
{
    ngx_msec_t  since;

    catalog->stale = 1;

    if (catalog->op || catalog->timer.timer_set || ngx_exiting) {
        return;
    }

    since = ngx_current_msec - catalog->begun;

    if (catalog->current && since < NGX_CQRS_CATALOG_SPACE) {
        ngx_add_timer(&catalog->timer, NGX_CQRS_CATALOG_SPACE - since);
        return;
    }

    if (ngx_cqrs_catalog_query(catalog) != NGX_OK) {
        ngx_cqrs_catalog_failed(catalog, "no memory to ask for it");
    }
}


static void
ngx_cqrs_catalog_timer(ngx_event_t *ev)
{
    ngx_cqrs_catalog_t  *catalog;

    catalog = ev->data;

    if (catalog->op || ngx_exiting) {
        return;
    }

    if (ngx_cqrs_catalog_query(catalog) != NGX_OK) {
        ngx_cqrs_catalog_failed(catalog, "no memory to ask for it");
    }
}


static void
ngx_cqrs_catalog_on_ready(void *data)
{
    ngx_cqrs_catalog_refresh(data);
}


/* The first time: it is loaded without. */

static void
ngx_cqrs_catalog_on_away(void *data)
{
    ngx_cqrs_catalog_t  *catalog = data;

    if (catalog->current == NULL && !ngx_exiting) {
        (void) ngx_cqrs_catalog_load(catalog, NULL);
    }
}


static void
ngx_cqrs_catalog_on_notified(const char *payload, void *data)
{
    if (payload[0] == '\0' || ngx_strcmp(payload, "reload schema") == 0) {
        ngx_cqrs_catalog_refresh(data);
    }
}
