
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "ngx_cqrs_message.h"


ngx_cqrs_message_t *
ngx_cqrs_message_create(size_t len, ngx_log_t *log)
{
    ngx_cqrs_message_t  *msg;

    msg = ngx_alloc(sizeof(ngx_cqrs_message_t) + len, log);
    if (msg == NULL) {
        return NULL;
    }

    ngx_memzero(msg, sizeof(ngx_cqrs_message_t));

    msg->refs = 1;
    msg->len = len;

    return msg;
}


ngx_cqrs_message_t *
ngx_cqrs_message_ref(ngx_cqrs_message_t *msg)
{
    msg->refs++;

    return msg;
}


void
ngx_cqrs_message_unref(ngx_cqrs_message_t *msg)
{
    if (--msg->refs == 0) {
        ngx_free(msg);
    }
}


void
ngx_cqrs_message_set_head(ngx_cqrs_message_t *msg, const u_char *head,
    size_t len)
{
    ngx_memcpy(msg->room + NGX_CQRS_MESSAGE_HEADROOM - len, head, len);

    msg->head_len = len;
    msg->has_head = 1;
}
