
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The result of the query itself: rows that become JSON here, or one row with
 * a body that Postgres has made.
 */

#include "ngx_http_cqrs_query_ctx.h"


#define NGX_HTTP_CQRS_QUERY_BETWEEN  ", \n "
#define NGX_HTTP_CQRS_QUERY_FEW      1000  /* rows; they come at once */
#define NGX_HTTP_CQRS_QUERY_JSONB    3802  /* its oid, fixed in Postgres */


static ngx_int_t ngx_http_cqrs_query_one(ngx_http_cqrs_query_ctx_t *ctx,
    PGresult *result, ngx_http_cqrs_query_found_t *found);
static int64_t ngx_http_cqrs_query_number(PGresult *result, int column);
static const char *ngx_http_cqrs_query_text(PGresult *result, int column);
static ngx_int_t ngx_http_cqrs_query_lines(ngx_http_cqrs_query_ctx_t *ctx,
    PGresult *result);
static ngx_int_t ngx_http_cqrs_query_json(ngx_http_cqrs_query_ctx_t *ctx,
    PGresult *result, ngx_http_cqrs_query_found_t *found);
static ngx_int_t ngx_http_cqrs_query_fit(ngx_http_cqrs_query_ctx_t *ctx,
    PGresult *result);
static ngx_int_t ngx_http_cqrs_query_add_row(ngx_http_cqrs_query_ctx_t *ctx,
    PGresult *result, int i);
static size_t ngx_http_cqrs_query_values(ngx_http_cqrs_query_ctx_t *ctx,
    PGresult *result, int i);
static ngx_int_t ngx_http_cqrs_query_add_text(ngx_http_cqrs_query_ctx_t *ctx,
    const char *text);


ngx_uint_t
ngx_http_cqrs_query_many(const ngx_http_cqrs_query_ctx_t *ctx)
{
    int64_t  limit;

    limit = ctx->query.root.limit;

    if (ctx->conf->max_rows >= 0
        && (limit < 0 || limit > ctx->conf->max_rows))
    {
        limit = ctx->conf->max_rows;
    }

    return ctx->plan.columns
           && !ctx->plan.single
           && (limit < 0 || limit > NGX_HTTP_CQRS_QUERY_FEW);
}


/* A body that can't be made is not made, and told of at the end. */

ngx_int_t
ngx_http_cqrs_query_row(PGresult *row, void *data)
{
    ngx_http_cqrs_query_ctx_t  *ctx = data;

    if (ctx->rows == 0 && ngx_http_cqrs_query_fit(ctx, row) != NGX_OK) {
        ctx->unfit = 1;
    }

    if (!ctx->unfit && !ctx->failed
        && ngx_http_cqrs_query_add_row(ctx, row, 0) != NGX_OK)
    {
        ctx->failed = 1;
    }

    ctx->rows++;

    return NGX_OK;
}


ngx_int_t
ngx_http_cqrs_query_row_again(void *data)
{
    ngx_http_cqrs_query_ctx_t  *ctx = data;

    ctx->rows = 0;
    ctx->unfit = 0;
    ctx->failed = 0;

    ngx_http_cqrs_query_body_reset(&ctx->body);

    return NGX_OK;
}


ngx_int_t
ngx_http_cqrs_query_rows(ngx_http_cqrs_query_ctx_t *ctx, PGresult *result,
    ngx_http_cqrs_query_found_t *found)
{
    ngx_memzero(found, sizeof(ngx_http_cqrs_query_found_t));

    found->total = -1;

    if (ctx->options.explain) {
        return ngx_http_cqrs_query_lines(ctx, result);
    }

    if (ctx->plan.columns) {
        return ngx_http_cqrs_query_json(ctx, result, found);
    }

    return ngx_http_cqrs_query_one(ctx, result, found);
}


/* The body is not copied: the result lives as long as the request. */

static ngx_int_t
ngx_http_cqrs_query_one(ngx_http_cqrs_query_ctx_t *ctx, PGresult *result,
    ngx_http_cqrs_query_found_t *found)
{
    int    len;
    char  *body;

    /* a function that returns no row has returned nothing at all */

    if (PQntuples(result) == 0) {
        found->total = 0;
        return ngx_http_cqrs_query_body_refer(&ctx->body, (u_char *) "", 0);
    }

    found->total = ngx_http_cqrs_query_number(result, 0);
    found->rows = ngx_http_cqrs_query_number(result, 1);

    if (found->rows < 0) {
        found->rows = 0;
    }

    found->headers = ngx_http_cqrs_query_text(result, 3);
    found->status = ngx_http_cqrs_query_text(result, 4);

    body = PQgetvalue(result, 0, 2);
    len = PQgetlength(result, 0, 2);

    /* in binary a version goes before the text */

    if (PQftype(result, 2) == NGX_HTTP_CQRS_QUERY_JSONB && len) {
        body++;
        len--;
    }

    return ngx_http_cqrs_query_body_refer(&ctx->body, (u_char *) body, len);
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
ngx_http_cqrs_query_lines(ngx_http_cqrs_query_ctx_t *ctx, PGresult *result)
{
    int  i;

    for (i = 0; i < PQntuples(result); i++) {

        if (ngx_http_cqrs_query_add_text(ctx, PQgetvalue(result, i, 0))
            != NGX_OK
            || ngx_http_cqrs_query_add_text(ctx, "\n") != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* What came one by one is there already. */

static ngx_int_t
ngx_http_cqrs_query_json(ngx_http_cqrs_query_ctx_t *ctx, PGresult *result,
    ngx_http_cqrs_query_found_t *found)
{
    int  i;

    if (ngx_http_cqrs_query_fit(ctx, result) != NGX_OK || ctx->unfit) {
        return NGX_DECLINED;
    }

    for (i = 0; i < PQntuples(result) && !ctx->failed; i++) {

        if (ngx_http_cqrs_query_add_row(ctx, result, i) != NGX_OK) {
            return NGX_ERROR;
        }

        ctx->rows++;
    }

    found->rows = ctx->rows;

    if (ctx->failed) {
        return NGX_ERROR;
    }

    return ngx_http_cqrs_query_add_text(ctx, ctx->rows ? "]" : "[]");
}


/*
 * The types that came count, not those that the catalogue knew.  Without
 * memory the rows fit, and adding one fails.
 */

static ngx_int_t
ngx_http_cqrs_query_fit(ngx_http_cqrs_query_ctx_t *ctx, PGresult *result)
{
    ngx_uint_t       i;
    cqrs_row_kind_e  kind;

    if ((ngx_uint_t) PQnfields(result) != ctx->plan.ncolumns) {
        return NGX_DECLINED;
    }

    for (i = 0; i < ctx->plan.ncolumns; i++) {
        kind = cqrs_row_kind_of(PQftype(result, (int) i));

        if (kind == CQRS_ROW_UNKNOWN) {
            return NGX_DECLINED;
        }

        ctx->plan.columns[i].kind = kind;
    }

    if (ctx->values == NULL) {
        ctx->values = cqrs_arena_alloc(&ctx->arena,
                                  ctx->plan.ncolumns * sizeof(cqrs_str_t));
    }

    return NGX_OK;
}


/* As json_agg() writes them. */

static ngx_int_t
ngx_http_cqrs_query_add_row(ngx_http_cqrs_query_ctx_t *ctx, PGresult *result,
    int i)
{
    char    *p;
    u_char  *room;

    if (ctx->values == NULL) {
        return NGX_ERROR;
    }

    room = ngx_http_cqrs_query_body_reserve(&ctx->body,
                              ngx_http_cqrs_query_values(ctx, result, i));
    if (room == NULL) {
        return NGX_ERROR;
    }

    p = (char *) room;

    if (ctx->rows) {
        p = (char *) ngx_cpymem(p, NGX_HTTP_CQRS_QUERY_BETWEEN,
                                sizeof(NGX_HTTP_CQRS_QUERY_BETWEEN) - 1);

    } else {
        *p++ = '[';
    }

    p = cqrs_row_write(p, ctx->plan.columns, ctx->values, ctx->plan.ncolumns);

    ngx_http_cqrs_query_body_written(&ctx->body, (u_char *) p);

    return NGX_OK;
}


/* Sets ctx->values, and returns how many bytes the row takes at most. */

static size_t
ngx_http_cqrs_query_values(ngx_http_cqrs_query_ctx_t *ctx, PGresult *result,
    int i)
{
    size_t                    size;
    cqrs_str_t               *value;
    ngx_uint_t                j;
    const cqrs_row_column_t  *column;

    size = sizeof("}" NGX_HTTP_CQRS_QUERY_BETWEEN);

    for (j = 0; j < ctx->plan.ncolumns; j++) {
        column = &ctx->plan.columns[j];
        value = &ctx->values[j];

        value->len = PQgetlength(result, i, (int) j);

        /* null has no length, but not all that has none is null */

        value->data = (value->len == 0 && PQgetisnull(result, i, (int) j))
                      ? NULL : PQgetvalue(result, i, (int) j);

        size += column->prefix.len
                + cqrs_row_value_size(column->kind, value->data, value->len);
    }

    return size;
}


static ngx_int_t
ngx_http_cqrs_query_add_text(ngx_http_cqrs_query_ctx_t *ctx,
    const char *text)
{
    size_t   len;
    u_char  *room;

    len = ngx_strlen(text);

    room = ngx_http_cqrs_query_body_reserve(&ctx->body, len + 1);
    if (room == NULL) {
        return NGX_ERROR;
    }

    ngx_http_cqrs_query_body_written(&ctx->body, ngx_cpymem(room, text, len));

    return NGX_OK;
}
