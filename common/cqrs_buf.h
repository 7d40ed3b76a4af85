
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Text that is written piece by piece, in an arena.  Nothing needs to be
 * checked on the way: where memory ends, cqrs_buf_end() says so.
 */

#ifndef CQRS_BUF_H
#define CQRS_BUF_H


#include "cqrs_arena.h"


typedef struct {
    cqrs_arena_t  *arena;
    char          *data;
    size_t         len;
    size_t         size;
    int            failed;
} cqrs_buf_t;


void cqrs_buf_init(cqrs_buf_t *buf, cqrs_arena_t *arena);

/* Room for len bytes behind the text, or NULL; who writes there moves len. */
char *cqrs_buf_reserve(cqrs_buf_t *buf, size_t len);

void cqrs_buf_add(cqrs_buf_t *buf, const char *data, size_t len);
void cqrs_buf_str(cqrs_buf_t *buf, const cqrs_str_t *str);
void cqrs_buf_number(cqrs_buf_t *buf, size_t number);

/* The text, with a NUL that is not counted.  Returns 0, or -1: no memory. */
int cqrs_buf_end(cqrs_buf_t *buf, cqrs_str_t *str);


/* The length of a constant is one, too. */
static inline void
cqrs_buf_text(cqrs_buf_t *buf, const char *text)
{
    cqrs_buf_add(buf, text, strlen(text));
}


#endif /* CQRS_BUF_H */
