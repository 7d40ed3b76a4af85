
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * PQconnectStart() waits for the name server, so every host name becomes
 * addresses before a worker is there.  The name itself stays beside them: it
 * is what a TLS certificate is checked against.
 */

#include "ngx_cqrs_pg_hosts.h"


#define NGX_CQRS_PG_HOSTS_MAX  32


/* Host 1 is at address 1 and port 1; all are of ngx_str_t. */
typedef struct {
    ngx_array_t    hosts;
    ngx_array_t    addresses;
    ngx_array_t    ports;
} ngx_cqrs_pg_lists_t;


static ngx_int_t ngx_cqrs_pg_hosts_add(ngx_conf_t *cf,
    ngx_cqrs_pg_lists_t *list, ngx_str_t *host, ngx_str_t *port);
static ngx_int_t ngx_cqrs_pg_hosts_push(ngx_cqrs_pg_lists_t *list,
    ngx_str_t *host, ngx_str_t *address, ngx_str_t *port);
static ngx_int_t ngx_cqrs_pg_hosts_split(ngx_conf_t *cf, ngx_array_t *parts,
    const char *text);
static const char *ngx_cqrs_pg_hosts_join(ngx_conf_t *cf, ngx_array_t *parts);


ngx_int_t
ngx_cqrs_pg_hosts_resolve(ngx_conf_t *cf, ngx_cqrs_pg_hosts_t *resolved,
    const char *hosts, const char *ports)
{
    ngx_str_t            *host, *port;
    ngx_uint_t            i;
    ngx_array_t           asked, at;
    ngx_cqrs_pg_lists_t   list;

    if (ngx_array_init(&list.hosts, cf->pool, 4, sizeof(ngx_str_t)) != NGX_OK
        || ngx_array_init(&list.addresses, cf->pool, 4, sizeof(ngx_str_t))
           != NGX_OK
        || ngx_array_init(&list.ports, cf->pool, 4, sizeof(ngx_str_t))
           != NGX_OK
        || ngx_cqrs_pg_hosts_split(cf, &asked, hosts) != NGX_OK
        || ngx_cqrs_pg_hosts_split(cf, &at, ports ? ports : "") != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (at.nelts != 1 && at.nelts != asked.nelts) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"cqrs_postgres\" has %ui hosts and %ui ports",
                           asked.nelts, at.nelts);
        return NGX_ERROR;
    }

    host = asked.elts;
    port = at.elts;

    for (i = 0; i < asked.nelts; i++) {
        if (ngx_cqrs_pg_hosts_add(cf, &list, &host[i],
                                  &port[at.nelts == 1 ? 0 : i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (list.hosts.nelts > NGX_CQRS_PG_HOSTS_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"cqrs_postgres\" has %ui addresses, at most %d "
                           "are allowed",
                           list.hosts.nelts, NGX_CQRS_PG_HOSTS_MAX);
        return NGX_ERROR;
    }

    resolved->hosts = ngx_cqrs_pg_hosts_join(cf, &list.hosts);
    resolved->addresses = ngx_cqrs_pg_hosts_join(cf, &list.addresses);
    resolved->ports = ngx_cqrs_pg_hosts_join(cf, &list.ports);

    if (resolved->hosts == NULL || resolved->addresses == NULL
        || resolved->ports == NULL)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_cqrs_pg_hosts_add(ngx_conf_t *cf, ngx_cqrs_pg_lists_t *list,
    ngx_str_t *host, ngx_str_t *port)
{
    ngx_str_t    address;
    ngx_url_t    u;
    ngx_uint_t   i;

    ngx_str_set(&address, "");

    if (host->len == 0 || host->data[0] == '/' || host->data[0] == '@') {
        return ngx_cqrs_pg_hosts_push(list, host, &address, port);
    }

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.host = *host;

    if (ngx_inet_resolve_host(cf->pool, &u) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s in \"cqrs_postgres\", host \"%V\"",
                           u.err ? u.err : "no memory", host);
        return NGX_ERROR;
    }

    for (i = 0; i < u.naddrs; i++) {

        address.data = ngx_pnalloc(cf->pool, NGX_SOCKADDR_STRLEN);
        if (address.data == NULL) {
            return NGX_ERROR;
        }

        address.len = ngx_sock_ntop(u.addrs[i].sockaddr, u.addrs[i].socklen,
                                    address.data, NGX_SOCKADDR_STRLEN, 0);

        if (address.len > 2 && address.data[0] == '[') {
            address.data++;                /* libpq wants IPv6 bare */
            address.len -= 2;
        }

        if (ngx_cqrs_pg_hosts_push(list, host, &address, port)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_cqrs_pg_hosts_push(ngx_cqrs_pg_lists_t *list, ngx_str_t *host,
    ngx_str_t *address, ngx_str_t *port)
{
    ngx_str_t  *h, *a, *p;

    h = ngx_array_push(&list->hosts);
    a = ngx_array_push(&list->addresses);
    p = ngx_array_push(&list->ports);

    if (h == NULL || a == NULL || p == NULL) {
        return NGX_ERROR;
    }

    *h = *host;
    *a = *address;
    *p = *port;

    return NGX_OK;
}


/* The parts of a list with commas; one empty part if the text is empty. */

static ngx_int_t
ngx_cqrs_pg_hosts_split(ngx_conf_t *cf, ngx_array_t *parts, const char *text)
{
    size_t      len;
    ngx_str_t  *part;

    if (ngx_array_init(parts, cf->pool, 4, sizeof(ngx_str_t)) != NGX_OK) {
        return NGX_ERROR;
    }

    for ( ;; ) {
        len = strcspn(text, ",");

        part = ngx_array_push(parts);
        if (part == NULL) {
            return NGX_ERROR;
        }

        part->len = len;
        part->data = ngx_pnalloc(cf->pool, len + 1);
        if (part->data == NULL) {
            return NGX_ERROR;
        }

        (void) ngx_cpystrn(part->data, (u_char *) text, len + 1);

        if (text[len] == '\0') {
            return NGX_OK;
        }

        text += len + 1;
    }
}


static const char *
ngx_cqrs_pg_hosts_join(ngx_conf_t *cf, ngx_array_t *parts)
{
    u_char      *p, *text;
    size_t       len;
    ngx_str_t   *part;
    ngx_uint_t   i;

    part = parts->elts;
    len = 0;

    for (i = 0; i < parts->nelts; i++) {
        len += part[i].len + 1;
    }

    text = ngx_pnalloc(cf->pool, len);
    if (text == NULL) {
        return NULL;
    }

    p = text;

    for (i = 0; i < parts->nelts; i++) {
        p = ngx_cpymem(p, part[i].data, part[i].len);
        *p++ = ',';
    }

    p[-1] = '\0';

    return (const char *) text;
}
