
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* Strings of JSON, written into a cqrs_buf_t. */

#ifndef CQRS_BUF_JSON_H
#define CQRS_BUF_JSON_H


#include "cqrs_buf.h"


/*
 * In quotes, and such that Postgres takes it: of bytes that are not UTF-8 each
 * becomes a question mark, and so does NUL.  Data that is NULL is null.
 */
void cqrs_buf_json(cqrs_buf_t *buf, const char *data, size_t len);


#endif /* CQRS_BUF_JSON_H */
