
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * What may be read of a schema, as an OpenAPI document: the answer to a GET of
 * the root.  Version 2.0 is PostgREST's own document as far as reading goes;
 * version 3.1 says the same more exactly.
 *
 * Nothing that writes is in either of them.
 */

#ifndef CQRS_OPENAPI_H
#define CQRS_OPENAPI_H


#include "cqrs_catalog.h"
#include "cqrs_json.h"


#define CQRS_OPENAPI_SEPARATOR  "\037"


typedef enum {
    CQRS_OPENAPI_2 = 0,                    /* Swagger 2.0 */
    CQRS_OPENAPI_3                         /* OpenAPI 3.1 */
} cqrs_openapi_version_e;


/* Where clients find the root. */
typedef struct {
    int                          secure;
    cqrs_str_t                   host;     /* of IPv6 in brackets */
    unsigned                     port;
    cqrs_str_t                   path;     /* "/", or not ending with it */
} cqrs_openapi_server_t;


/* In the order of their bytes. */
typedef struct {
    const cqrs_str_t            *names;
    size_t                       n;
} cqrs_openapi_names_t;


typedef struct {
    cqrs_openapi_version_e       version;
    cqrs_openapi_server_t        server;
    cqrs_str_t                   schema;
    cqrs_str_t                   comment;  /* title, then a description */
    int                          security; /* a token is asked for */
    cqrs_str_t                   connect;  /* OpenID's discovery, or absent */

    const cqrs_relation_t       *relations;   /* of the schema, the first */
    const cqrs_function_t       *functions;   /* the same */

    /*
     * Those that the role may use; NULL: all.  A function is its name, and
     * then for each argument the separator and its name.
     */
    const cqrs_openapi_names_t  *readable;
    const cqrs_openapi_names_t  *callable;
} cqrs_openapi_t;


/*
 * Appends the document.  Returns 0, or -1 when memory is short; a text that is
 * part of the JSON is owned by it.
 */
int cqrs_openapi_write(cqrs_json_t *json, const cqrs_openapi_t *doc);

/*
 * Splits a URI, "http://host:port/path" or https, of which the port and the
 * path may be missing.  Returns 0, or -1: it is none.
 */
int cqrs_openapi_server(cqrs_openapi_server_t *server, const cqrs_str_t *uri);


#endif /* CQRS_OPENAPI_H */
