
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "ngx_http_cqrs_query_document.h"


/* What the rows are, by their first column. */
#define NGX_HTTP_CQRS_DOCUMENT_COMMENT   'c'
#define NGX_HTTP_CQRS_DOCUMENT_FUNCTION  'f'
#define NGX_HTTP_CQRS_DOCUMENT_RELATION  'r'


static ngx_int_t ngx_http_cqrs_query_document_names(ngx_pool_t *pool,
    PGresult *result, cqrs_openapi_t *doc, cqrs_openapi_names_t *relations,
    cqrs_openapi_names_t *functions);
static ngx_int_t ngx_http_cqrs_query_document_server(ngx_http_request_t *r,
    cqrs_openapi_server_t *server, const ngx_str_t *proxy);
static ngx_int_t ngx_http_cqrs_query_document_uri(ngx_http_request_t *r,
    cqrs_openapi_server_t *server, const ngx_str_t *host,
    const ngx_str_t *path);
static void ngx_http_cqrs_query_document_cleanup(void *data);


static const char  ngx_http_cqrs_query_document_comment[] =
    "select 'c'::pg_catalog.text, "
           "pg_catalog.obj_description(n.oid, 'pg_namespace') "
      "from pg_catalog.pg_namespace n "
     "where n.nspname = $1::pg_catalog.name";


/* Names as cqrs_openapi.h wants them: in order, with their arguments. */

static const char  ngx_http_cqrs_query_document_allowed[] =
    "with n as materialized ( "
      "select n.oid, "
             "pg_catalog.has_schema_privilege(n.oid, 'usage') as used "
        "from pg_catalog.pg_namespace n "
       "where n.nspname = $1::pg_catalog.name "
    "), "
    "found (kind, name) as ( "
      "select 'c'::pg_catalog.text, "
             "pg_catalog.obj_description(n.oid, 'pg_namespace') "
        "from n "
      "union all "
      "select 'r', c.relname::pg_catalog.text "
        "from n "
        "join pg_catalog.pg_class c on c.relnamespace = n.oid "
       "where n.used "
         "and c.relkind in ('r', 'v', 'm', 'f', 'p') "
         "and not c.relispartition "
         "and pg_catalog.has_any_column_privilege(c.oid, 'select') "
      "union all "
      "select 'f', "
             "pg_catalog.concat(p.proname, "
               "(select pg_catalog.string_agg( "
                         "pg_catalog.concat(pg_catalog.chr(31), a.name), '' "
                         "order by a.place) "
                  "from rows from ( "
                    "pg_catalog.unnest(coalesce(p.proallargtypes, "
                      "p.proargtypes::pg_catalog.oid[])), "
                    "pg_catalog.unnest(p.proargnames), "
                    "pg_catalog.unnest(p.proargmodes)) "
                    "with ordinality a (type, name, mode, place) "
                 "where a.mode is null or a.mode in ('i', 'b', 'v'))) "
        "from n "
        "join pg_catalog.pg_proc p on p.pronamespace = n.oid "
       "where n.used "
         "and p.prokind = 'f' "
         "and p.provolatile <> 'v' "
         "and pg_catalog.has_function_privilege(p.oid, 'execute') "
    ") "
    "select f.kind, f.name from found f "
     "order by f.kind, f.name collate \"C\"";


ngx_int_t
ngx_http_cqrs_query_document_statement(ngx_pool_t *pool,
    ngx_cqrs_pg_statement_text_t *statement,
    const ngx_http_cqrs_query_document_t *what)
{
    char        *schema;
    const char **params;

    params = ngx_palloc(pool, sizeof(char *));
    schema = ngx_pnalloc(pool, what->schema.len + 1);

    if (params == NULL || schema == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(schema, what->schema.data, what->schema.len);
    schema[what->schema.len] = '\0';

    params[0] = schema;

    ngx_memzero(statement, sizeof(ngx_cqrs_pg_statement_text_t));

    if (what->all) {
        statement->sql.data = (u_char *) ngx_http_cqrs_query_document_comment;
        statement->sql.len = sizeof(ngx_http_cqrs_query_document_comment) - 1;

    } else {
        statement->sql.data = (u_char *) ngx_http_cqrs_query_document_allowed;
        statement->sql.len = sizeof(ngx_http_cqrs_query_document_allowed) - 1;
    }

    statement->nparams = 1;
    statement->params = params;

    return NGX_OK;
}


ngx_int_t
ngx_http_cqrs_query_document_body(ngx_http_request_t *r, ngx_str_t *body,
    PGresult *result, const cqrs_catalog_t *catalog,
    const ngx_http_cqrs_query_document_t *what)
{
    cqrs_json_t           *json;
    cqrs_openapi_t         doc;
    ngx_pool_cleanup_t    *cln;
    cqrs_openapi_names_t   relations, functions;

    ngx_memzero(&doc, sizeof(cqrs_openapi_t));

    doc.version = what->version;
    doc.schema = what->schema;
    doc.security = what->security;

    if (what->connect.len) {
        doc.connect.data = (char *) what->connect.data;
        doc.connect.len = what->connect.len;
    }

    doc.relations = cqrs_catalog_next_relation(catalog, &doc.schema, NULL);
    doc.functions = cqrs_catalog_next_function(catalog, &doc.schema, NULL);

    if (ngx_http_cqrs_query_document_server(r, &doc.server, &what->proxy)
        != NGX_OK
        || ngx_http_cqrs_query_document_names(r->pool, result, &doc,
                                              &relations, &functions)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!what->all) {
        doc.readable = &relations;
        doc.callable = &functions;
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(cqrs_json_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    json = cln->data;
    cqrs_json_init(json);

    cln->handler = ngx_http_cqrs_query_document_cleanup;

    if (cqrs_openapi_write(json, &doc) != 0) {
        return NGX_ERROR;
    }

    body->data = (u_char *) json->data;
    body->len = json->len;

    return NGX_OK;
}


/* They point into the result. */

static ngx_int_t
ngx_http_cqrs_query_document_names(ngx_pool_t *pool, PGresult *result,
    cqrs_openapi_t *doc, cqrs_openapi_names_t *relations,
    cqrs_openapi_names_t *functions)
{
    int          i, n;
    char         kind;
    cqrs_str_t  *names, name;

    n = PQntuples(result);

    names = ngx_palloc(pool, ngx_max(n, 1) * sizeof(cqrs_str_t));
    if (names == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(relations, sizeof(cqrs_openapi_names_t));
    ngx_memzero(functions, sizeof(cqrs_openapi_names_t));

    for (i = 0; i < n; i++) {

        if (PQgetisnull(result, i, 1)) {
            continue;
        }

        kind = PQgetvalue(result, i, 0)[0];

        name.data = PQgetvalue(result, i, 1);
        name.len = PQgetlength(result, i, 1);

        if (kind == NGX_HTTP_CQRS_DOCUMENT_COMMENT) {
            doc->comment = name;
            continue;
        }

        names[i] = name;

        if (kind == NGX_HTTP_CQRS_DOCUMENT_FUNCTION) {

            if (functions->n++ == 0) {
                functions->names = &names[i];
            }

        } else if (kind == NGX_HTTP_CQRS_DOCUMENT_RELATION) {

            if (relations->n++ == 0) {
                relations->names = &names[i];
            }
        }
    }

    return NGX_OK;
}


/* Where the client has found us, unless a proxy is told of. */

static ngx_int_t
ngx_http_cqrs_query_document_server(ngx_http_request_t *r,
    cqrs_openapi_server_t *server, const ngx_str_t *proxy)
{
    u_char      *p;
    u_char       address[NGX_SOCKADDR_STRLEN];
    ngx_str_t    host, path;
    cqrs_str_t   uri;

    if (proxy->len) {
        uri.data = (char *) proxy->data;
        uri.len = proxy->len;

        return cqrs_openapi_server(server, &uri) == 0 ? NGX_OK : NGX_ERROR;
    }

    path = r->unparsed_uri;

    p = ngx_strlchr(path.data, path.data + path.len, '?');

    if (p) {
        path.len = p - path.data;
    }

    if (r->headers_in.host
        && ngx_http_cqrs_query_document_uri(r, server,
                                           &r->headers_in.host->value, &path)
           == NGX_OK)
    {
        return NGX_OK;
    }

    /* there is no name, or one of both is not what a URI may have */

    host.data = address;
    host.len = NGX_SOCKADDR_STRLEN;

    if (ngx_connection_local_sockaddr(r->connection, &host, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    path.len = r->uri.len + 2 * ngx_escape_uri(NULL, r->uri.data, r->uri.len,
                                               NGX_ESCAPE_URI);
    path.data = ngx_pnalloc(r->pool, path.len);
    if (path.data == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_escape_uri(path.data, r->uri.data, r->uri.len, NGX_ESCAPE_URI);

    if (ngx_http_cqrs_query_document_uri(r, server, &host, &path) == NGX_OK) {
        return NGX_OK;
    }

    ngx_str_set(&host, "localhost");        /* that of a UNIX-domain socket */

    return ngx_http_cqrs_query_document_uri(r, server, &host, &path);
}


static ngx_int_t
ngx_http_cqrs_query_document_uri(ngx_http_request_t *r,
    cqrs_openapi_server_t *server, const ngx_str_t *host,
    const ngx_str_t *path)
{
    u_char      *p;
    ngx_str_t    scheme;
    cqrs_str_t   uri;

    ngx_str_set(&scheme, "http");

#if (NGX_HTTP_SSL)
    if (r->connection->ssl) {
        ngx_str_set(&scheme, "https");
    }
#endif

    p = ngx_pnalloc(r->pool, scheme.len + host->len + path->len + 3);
    if (p == NULL) {
        return NGX_ERROR;
    }

    uri.data = (char *) p;
    uri.len = ngx_sprintf(p, "%V://%V%V", &scheme, host, path) - p;

    return cqrs_openapi_server(server, &uri) == 0 ? NGX_OK : NGX_DECLINED;
}


static void
ngx_http_cqrs_query_document_cleanup(void *data)
{
    cqrs_json_cleanup(data);
}
