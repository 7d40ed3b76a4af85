
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "cqrs_buf.h"
#include "cqrs_digits.h"


#define CQRS_BUF_BEGIN  256


void
cqrs_buf_init(cqrs_buf_t *buf, cqrs_arena_t *arena)
{
    buf->arena = arena;
    buf->data = NULL;
    buf->len = 0;
    buf->size = 0;
    buf->failed = 0;
}


char *
cqrs_buf_reserve(cqrs_buf_t *buf, size_t len)
{
    char    *p;
    size_t   size;

    if (buf->failed) {
        return NULL;
    }

    if (len > buf->size - buf->len) {

        size = buf->size ? buf->size * 2 : CQRS_BUF_BEGIN;

        if (size < buf->len + len) {
            size = buf->len + len;
        }

        p = cqrs_arena_alloc(buf->arena, size);
        if (p == NULL) {
            buf->failed = 1;
            return NULL;
        }

        if (buf->len) {
            memcpy(p, buf->data, buf->len);
        }

        buf->data = p;
        buf->size = size;
    }

    return buf->data + buf->len;
}


void
cqrs_buf_add(cqrs_buf_t *buf, const char *data, size_t len)
{
    char  *p;

    if (len == 0) {
        return;
    }

    p = cqrs_buf_reserve(buf, len);

    if (p) {
        memcpy(p, data, len);
        buf->len += len;
    }
}


void
cqrs_buf_str(cqrs_buf_t *buf, const cqrs_str_t *str)
{
    cqrs_buf_add(buf, str->data, str->len);
}


void
cqrs_buf_number(cqrs_buf_t *buf, size_t number)
{
    char  text[CQRS_DIGITS_MAX];

    cqrs_buf_add(buf, text, (size_t) (cqrs_digits(text, number) - text));
}


int
cqrs_buf_end(cqrs_buf_t *buf, cqrs_str_t *str)
{
    cqrs_buf_add(buf, "", 1);

    if (buf->failed) {
        return -1;
    }

    str->data = buf->data;
    str->len = buf->len - 1;

    return 0;
}
