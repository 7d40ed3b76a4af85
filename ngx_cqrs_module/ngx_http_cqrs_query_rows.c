
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The result of the query itself: rows that become JSON here, or one row with
 * a body that Postgres has made.
 */

#include "ngx_http_cqrs_query_ctx.h"


#define NGX_HTTP_CQRS_QUERY_BETWEEN  ", \n "
#define NGX_HTTP_CQRS_QUERY_JSONB    3802  /* its oid, fixed in Postgres */


typedef struct {
    Oid              type;
    cqrs_row_kind_e  kind;
} ngx_http_cqrs_query_type_t;


static void ngx_http_cqrs_query_one(PGresult *result,
    ngx_http_cqrs_query_found_t *found);
static int64_t ngx_http_cqrs_query_number(PGresult *result, int column);
static const char *ngx_http_cqrs_query_text(PGresult *result, int column);
static ngx_int_t ngx_http_cqrs_query_lines(ngx_http_cqrs_query_ctx_t *ctx,
    PGresult *result, ngx_http_cqrs_query_found_t *found);
static ngx_int_t ngx_http_cqrs_query_json(ngx_http_cqrs_query_ctx_t *ctx,
    PGresult *result, ngx_http_cqrs_query_found_t *found);
static size_t ngx_http_cqrs_query_json_size(ngx_http_cqrs_query_ctx_t *ctx,
    PGresult *result);


/* What cqrs_row_kind() knows by names; the numbers are fixed in Postgres. */

static const ngx_http_cqrs_query_type_t  ngx_http_cqrs_query_types[] = {
    { 16,   CQRS_ROW_BOOLEAN },
    { 17,   CQRS_ROW_STRING },             /* bytea */
    { 19,   CQRS_ROW_STRING },             /* name */
    { 20,   CQRS_ROW_NUMBER },             /* bigint */
    { 21,   CQRS_ROW_NUMBER },             /* smallint */
    { 23,   CQRS_ROW_NUMBER },             /* integer */
    { 25,   CQRS_ROW_STRING },             /* text */
    { 26,   CQRS_ROW_STRING },             /* oid */
    { 114,  CQRS_ROW_JSON },
    { 142,  CQRS_ROW_STRING },             /* xml */
    { 650,  CQRS_ROW_STRING },             /* cidr */
    { 700,  CQRS_ROW_NUMBER },             /* real */
    { 701,  CQRS_ROW_NUMBER },             /* double precision */
    { 790,  CQRS_ROW_STRING },             /* money */
    { 829,  CQRS_ROW_STRING },             /* macaddr */
    { 869,  CQRS_ROW_STRING },             /* inet */
    { 1042, CQRS_ROW_STRING },             /* character */
    { 1043, CQRS_ROW_STRING },             /* character varying */
    { 1082, CQRS_ROW_STRING },             /* date */
    { 1083, CQRS_ROW_STRING },             /* time */
    { 1114, CQRS_ROW_TIMESTAMP },
    { 1184, CQRS_ROW_TIMESTAMPTZ },
    { 1186, CQRS_ROW_STRING },             /* interval */
    { 1266, CQRS_ROW_STRING },             /* time with time zone */
    { 1560, CQRS_ROW_STRING },             /* bit */
    { 1562, CQRS_ROW_STRING },             /* bit varying */
    { 1700, CQRS_ROW_NUMBER },             /* numeric */
    { 2950, CQRS_ROW_STRING },             /* uuid */
    { 3614, CQRS_ROW_STRING },             /* tsvector */
    { 3615, CQRS_ROW_STRING },             /* tsquery */
    { 3802, CQRS_ROW_JSON },               /* jsonb */
    { 0,    CQRS_ROW_UNKNOWN }
};


ngx_uint_t
ngx_http_cqrs_query_rows_fit(ngx_http_cqrs_query_ctx_t *ctx, PGresult *result)
{
    Oid                                type;
    ngx_uint_t                         i;
    const ngx_http_cqrs_query_type_t  *known;

    if (ctx->plan.columns == NULL) {
        return 1;
    }

    if ((ngx_uint_t) PQnfields(result) != ctx->plan.ncolumns) {
        return 0;
    }

    for (i = 0; i < ctx->plan.ncolumns; i++) {
        type = PQftype(result, (int) i);

        for (known = ngx_http_cqrs_query_types; known->type; known++) {
            if (known->type == type) {
                break;
            }
        }

        if (known->kind != ctx->plan.columns[i].kind) {
            return 0;
        }
    }

    return 1;
}


ngx_int_t
ngx_http_cqrs_query_rows(ngx_http_cqrs_query_ctx_t *ctx, PGresult *result,
    ngx_http_cqrs_query_found_t *found)
{
    ngx_memzero(found, sizeof(ngx_http_cqrs_query_found_t));

    found->total = -1;

    if (ctx->options.explain) {
        return ngx_http_cqrs_query_lines(ctx, result, found);
    }

    if (ctx->plan.columns) {
        return ngx_http_cqrs_query_json(ctx, result, found);
    }

    ngx_http_cqrs_query_one(result, found);

    return NGX_OK;
}


static void
ngx_http_cqrs_query_one(PGresult *result, ngx_http_cqrs_query_found_t *found)
{
    /* a function that returns no row has returned nothing at all */

    if (PQntuples(result) == 0) {
        found->total = 0;
        return;
    }

    found->total = ngx_http_cqrs_query_number(result, 0);
    found->rows = ngx_http_cqrs_query_number(result, 1);

    if (found->rows < 0) {
        found->rows = 0;
    }

    found->body.data = (u_char *) PQgetvalue(result, 0, 2);
    found->body.len = PQgetlength(result, 0, 2);

    /* in binary a version goes before the text */

    if (PQftype(result, 2) == NGX_HTTP_CQRS_QUERY_JSONB && found->body.len) {
        found->body.data++;
        found->body.len--;
    }

    found->headers = ngx_http_cqrs_query_text(result, 3);
    found->status = ngx_http_cqrs_query_text(result, 4);
}


/* -1: null. */

static int64_t
ngx_http_cqrs_query_number(PGresult *result, int column)
{
    if (PQgetisnull(result, 0, column)) {
        return -1;
    }

    return ngx_atoof((u_char *) PQgetvalue(result, 0, column),
                     PQgetlength(result, 0, column));
}


static const char *
ngx_http_cqrs_query_text(PGresult *result, int column)
{
    return PQgetisnull(result, 0, column) ? NULL
                                          : PQgetvalue(result, 0, column);
}


static ngx_int_t
ngx_http_cqrs_query_lines(ngx_http_cqrs_query_ctx_t *ctx, PGresult *result,
    ngx_http_cqrs_query_found_t *found)
{
    int      i, n;
    u_char  *p;
    size_t   size;

    n = PQntuples(result);
    size = 0;

    for (i = 0; i < n; i++) {
        size += PQgetlength(result, i, 0) + 1;
    }

    p = ngx_pnalloc(ctx->request->pool, size + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    found->body.data = p;
    found->body.len = size;

    for (i = 0; i < n; i++) {
        p = ngx_cpymem(p, PQgetvalue(result, i, 0), PQgetlength(result, i, 0));
        *p++ = '\n';
    }

    return NGX_OK;
}


/* As json_agg() writes them. */

static ngx_int_t
ngx_http_cqrs_query_json(ngx_http_cqrs_query_ctx_t *ctx, PGresult *result,
    ngx_http_cqrs_query_found_t *found)
{
    int                 i, j, n, m;
    char               *p;
    const char         *value;
    cqrs_row_column_t  *column;

    n = PQntuples(result);
    m = (int) ctx->plan.ncolumns;

    p = ngx_pnalloc(ctx->request->pool,
                    ngx_http_cqrs_query_json_size(ctx, result));
    if (p == NULL) {
        return NGX_ERROR;
    }

    found->rows = n;
    found->body.data = (u_char *) p;

    *p++ = '[';

    for (i = 0; i < n; i++) {

        if (i) {
            p = (char *) ngx_cpymem(p, NGX_HTTP_CQRS_QUERY_BETWEEN,
                                    sizeof(NGX_HTTP_CQRS_QUERY_BETWEEN) - 1);
        }

        if (m == 0) {
            *p++ = '{';
        }

        for (j = 0; j < m; j++) {
            column = &ctx->plan.columns[j];

            p = (char *) ngx_cpymem(p, column->prefix.data,
                                    column->prefix.len);

            value = PQgetisnull(result, i, j) ? NULL
                                              : PQgetvalue(result, i, j);

            p = cqrs_row_value(p, column->kind, value,
                               PQgetlength(result, i, j));
        }

        *p++ = '}';
    }

    *p++ = ']';

    found->body.len = (u_char *) p - found->body.data;

    return NGX_OK;
}


static size_t
ngx_http_cqrs_query_json_size(ngx_http_cqrs_query_ctx_t *ctx,
    PGresult *result)
{
    int                 i, j, n, m;
    size_t              size;
    const char         *value;
    cqrs_row_column_t  *column;

    n = PQntuples(result);
    m = (int) ctx->plan.ncolumns;

    size = sizeof("{}" NGX_HTTP_CQRS_QUERY_BETWEEN);

    for (j = 0; j < m; j++) {
        size += ctx->plan.columns[j].prefix.len;
    }

    size = n * size + sizeof("[]");

    for (i = 0; i < n; i++) {

        for (j = 0; j < m; j++) {
            column = &ctx->plan.columns[j];

            value = PQgetisnull(result, i, j) ? NULL
                                              : PQgetvalue(result, i, j);

            size += cqrs_row_value_size(column->kind, value,
                                        PQgetlength(result, i, j));
        }
    }

    return size;
}
