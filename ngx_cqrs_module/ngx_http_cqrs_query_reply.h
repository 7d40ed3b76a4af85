
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Answers to queries, in the form that PostgREST gives them.  Each returns
 * what a content handler returns and ngx_http_finalize_request() takes.
 */

#ifndef NGX_HTTP_CQRS_QUERY_REPLY_H
#define NGX_HTTP_CQRS_QUERY_REPLY_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_cqrs_pg.h"

#include "cqrs_query.h"


/*
 * The rows that the SQL of cqrs_query_generate() has made, beginning at the
 * offset.  The result becomes the request's: its text is not copied.
 */
ngx_int_t ngx_http_cqrs_query_reply_rows(ngx_http_request_t *r,
    PGresult *result, int64_t offset);

/* {"code": ..., "message": ..., "details": ..., "hint": ...} */
ngx_int_t ngx_http_cqrs_query_reply_error(ngx_http_request_t *r,
    const cqrs_query_error_t *error);

/* Postgres' own error, in the same form. */
ngx_int_t ngx_http_cqrs_query_reply_failure(ngx_http_request_t *r,
    PGresult *result);

/* There is no result, for that reason. */
ngx_int_t ngx_http_cqrs_query_reply_nothing(ngx_http_request_t *r,
    ngx_cqrs_pg_status_e status);


#endif /* NGX_HTTP_CQRS_QUERY_REPLY_H */
