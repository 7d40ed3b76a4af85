
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* Numbers as text, where printf() would be most of the work. */

#ifndef CQRS_DIGITS_H
#define CQRS_DIGITS_H


#include <stdint.h>
#include <string.h>


#define CQRS_DIGITS_MAX  20              /* of 64 bits */


/* Returns the end of what has been written; there is no NUL. */
static inline char *
cqrs_digits(char *p, uint64_t number)
{
    char    *digit, digits[CQRS_DIGITS_MAX];
    size_t   len;

    digit = digits + sizeof(digits);

    do {
        *--digit = (char) ('0' + number % 10);
        number /= 10;
    } while (number);

    len = (size_t) (digits + sizeof(digits) - digit);
    memcpy(p, digit, len);

    return p + len;
}


#endif /* CQRS_DIGITS_H */
