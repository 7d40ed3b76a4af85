
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The body of an answer while it grows.  Up to a limit it is in memory; what
 * exceeds it goes to a temporary file, as a whole, so that neither the length
 * of an answer nor the speed of its client costs a worker memory.
 */

#ifndef NGX_HTTP_CQRS_QUERY_BODY_H
#define NGX_HTTP_CQRS_QUERY_BODY_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


#define XXH_INLINE_ALL
#include <xxhash.h>


/* In the request's pool. */
typedef struct {
    ngx_http_request_t        *request;
    size_t                     limit;      /* of memory */

    ngx_chain_t               *chain;      /* in memory; the last one grows */
    ngx_chain_t               *last;
    ngx_temp_file_t           *file;       /* NULL: all is in memory */
    off_t                      len;

    XXH3_state_t              *hash;       /* NULL: nobody wants to know */
} ngx_http_cqrs_query_body_t;


/* Nothing of the body is allocated yet.  Hashed: an ETag may be wanted. */
void ngx_http_cqrs_query_body_init(ngx_http_cqrs_query_body_t *body,
    ngx_http_request_t *r, size_t limit, ngx_uint_t hashed);

/* It begins anew. */
void ngx_http_cqrs_query_body_reset(ngx_http_cqrs_query_body_t *body);

/* Room for so many bytes in one piece; NULL: no memory, or no room on disk. */
u_char *ngx_http_cqrs_query_body_reserve(ngx_http_cqrs_query_body_t *body,
    size_t size);

/* What was reserved has been written, up to there. */
void ngx_http_cqrs_query_body_written(ngx_http_cqrs_query_body_t *body,
    u_char *last);

/*
 * Adds what is somewhere already and lives as long as the request; after it
 * nothing can be reserved.  NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_cqrs_query_body_refer(ngx_http_cqrs_query_body_t *body,
    u_char *data, size_t len);

/* All of it, hashed, to be sent; NULL: no memory, or no room on disk. */
ngx_chain_t *ngx_http_cqrs_query_body_end(ngx_http_cqrs_query_body_t *body);


#endif /* NGX_HTTP_CQRS_QUERY_BODY_H */
