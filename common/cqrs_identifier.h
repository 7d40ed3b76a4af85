
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* A name in SQL, in double quotes, whatever it holds. */

#ifndef CQRS_IDENTIFIER_H
#define CQRS_IDENTIFIER_H


#include "cqrs_buf.h"


/* The most that cqrs_identifier() writes for a name of that length. */
#define cqrs_identifier_size(len)  (2 * (len) + 2)


/* Returns the end of what has been written; there is no NUL. */
char *cqrs_identifier(char *p, const char *name, size_t len);

void cqrs_buf_identifier(cqrs_buf_t *buf, const cqrs_str_t *name);


#endif /* CQRS_IDENTIFIER_H */
