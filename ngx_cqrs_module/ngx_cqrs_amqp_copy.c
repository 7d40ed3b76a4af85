
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "ngx_cqrs_amqp_copy.h"


static u_char *ngx_cqrs_amqp_copy_bytes(u_char *p, amqp_bytes_t *bytes);


ngx_cqrs_amqp_copy_t *
ngx_cqrs_amqp_copy(const cqrs_amqp_message_t *message)
{
    size_t                 i, size;
    u_char                *p;
    ngx_cqrs_amqp_copy_t  *copy;

    if (message->nheaders > CQRS_AMQP_HEADERS_MAX) {
        return NULL;
    }

    size = sizeof(ngx_cqrs_amqp_copy_t)
           + message->exchange.len + message->routing_key.len
           + message->message_id.len + message->type.len
           + message->content_type.len + message->body.len;

    for (i = 0; i < message->nheaders; i++) {
        size += message->headers[i].value.len;
    }

    copy = ngx_alloc(size, ngx_cycle->log);
    if (copy == NULL) {
        return NULL;
    }

    copy->size = size;
    copy->message = *message;
    copy->message.headers = copy->headers;

    p = (u_char *) copy + sizeof(ngx_cqrs_amqp_copy_t);

    p = ngx_cqrs_amqp_copy_bytes(p, &copy->message.exchange);
    p = ngx_cqrs_amqp_copy_bytes(p, &copy->message.routing_key);
    p = ngx_cqrs_amqp_copy_bytes(p, &copy->message.message_id);
    p = ngx_cqrs_amqp_copy_bytes(p, &copy->message.type);
    p = ngx_cqrs_amqp_copy_bytes(p, &copy->message.content_type);
    p = ngx_cqrs_amqp_copy_bytes(p, &copy->message.body);

    for (i = 0; i < message->nheaders; i++) {
        copy->headers[i] = message->headers[i];
        p = ngx_cqrs_amqp_copy_bytes(p, &copy->headers[i].value);
    }

    return copy;
}


static u_char *
ngx_cqrs_amqp_copy_bytes(u_char *p, amqp_bytes_t *bytes)
{
    if (bytes->len) {
        ngx_memcpy(p, bytes->bytes, bytes->len);
    }

    bytes->bytes = p;

    return p + bytes->len;
}
