
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* Ids: made of time and chance (version 7), or of another id (version 8). */

#ifndef CQRS_UUID_H
#define CQRS_UUID_H


#include <stddef.h>
#include <stdint.h>


#define CQRS_UUID_TEXT_LEN  36


typedef struct {
    uint8_t  bytes[16];
} cqrs_uuid_t;


/* Version 7: milliseconds since 1970 and ten random bytes of the caller. */
void cqrs_uuid_v7(cqrs_uuid_t *uuid, uint64_t msec, const uint8_t random[10]);

/* Version 8: the same parent and name give the same id, see docs/wire.md. */
void cqrs_uuid_derive(cqrs_uuid_t *uuid, const cqrs_uuid_t *parent,
    const void *name, size_t len);

/* Reads the usual 36 characters, in either case; 0, or -1 if it is none. */
int cqrs_uuid_parse(cqrs_uuid_t *uuid, const char *text, size_t len);

/* Writes 36 characters in lower case, and no NUL. */
void cqrs_uuid_format(char *text, const cqrs_uuid_t *uuid);


#endif /* CQRS_UUID_H */
