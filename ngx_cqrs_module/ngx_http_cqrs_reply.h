
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* Answers that all paths give alike. */

#ifndef NGX_HTTP_CQRS_REPLY_H
#define NGX_HTTP_CQRS_REPLY_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * Sends a whole answer from memory.  The body must live as long as the
 * request; one of length 0 sends the header only.  Returns what a content
 * handler returns and ngx_http_finalize_request() takes.
 */
ngx_int_t ngx_http_cqrs_send(ngx_http_request_t *r, ngx_uint_t status,
    const ngx_str_t *content_type, ngx_str_t *body);

/* The same for a body in several pieces, of that length together. */
ngx_int_t ngx_http_cqrs_send_chain(ngx_http_request_t *r, ngx_uint_t status,
    const ngx_str_t *content_type, ngx_chain_t *body, off_t len);

/*
 * Sends a problem document (RFC 9457).  The kind is a stable word, listed in
 * docs/problems.md; the title is made from it.  The detail is one sentence for
 * whoever sent the request, in the format of ngx_sprintf().  503 gets
 * Retry-After.  Never returns NGX_OK, which a check would take for "go on".
 */
ngx_int_t ngx_http_cqrs_problem(ngx_http_request_t *r, ngx_uint_t status,
    const char *kind, const char *fmt, ...);

/* Adds a header line; the value must live as long as the request. */
ngx_int_t ngx_http_cqrs_add_header(ngx_http_request_t *r, const char *name,
    const ngx_str_t *value);


#endif /* NGX_HTTP_CQRS_REPLY_H */
