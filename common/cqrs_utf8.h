
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* Is it text? */

#ifndef CQRS_UTF8_H
#define CQRS_UTF8_H


#include <stddef.h>


/*
 * 1 if the bytes are UTF-8 as RFC 3629 has it: no longer form than needed, no
 * surrogates, nothing above U+10FFFF.  Else 0.
 */
int cqrs_utf8_valid(const void *bytes, size_t len);


#endif /* CQRS_UTF8_H */
