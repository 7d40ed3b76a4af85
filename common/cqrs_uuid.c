
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "cqrs_uuid.h"

#include <openssl/evp.h>
#include <string.h>


static void cqrs_uuid_stamp(cqrs_uuid_t *uuid, uint8_t version);
static int cqrs_uuid_hex(char c);


void
cqrs_uuid_v7(cqrs_uuid_t *uuid, uint64_t msec, const uint8_t random[10])
{
    int  i;

    for (i = 0; i < 6; i++) {
        uuid->bytes[i] = (uint8_t) (msec >> (40 - 8 * i));
    }

    memcpy(uuid->bytes + 6, random, 10);

    cqrs_uuid_stamp(uuid, 7);
}


void
cqrs_uuid_derive(cqrs_uuid_t *uuid, const cqrs_uuid_t *parent,
    const void *name, size_t len)
{
    uint8_t      digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX  *md;

    md = EVP_MD_CTX_new();

    EVP_DigestInit_ex(md, EVP_sha256(), NULL);
    EVP_DigestUpdate(md, parent->bytes, sizeof(parent->bytes));
    EVP_DigestUpdate(md, name, len);
    EVP_DigestFinal_ex(md, digest, NULL);

    EVP_MD_CTX_free(md);

    memcpy(uuid->bytes, digest, sizeof(uuid->bytes));

    cqrs_uuid_stamp(uuid, 8);
}


int
cqrs_uuid_parse(cqrs_uuid_t *uuid, const char *text, size_t len)
{
    int     high, low;
    size_t  i, n;

    if (len != CQRS_UUID_TEXT_LEN) {
        return -1;
    }

    for (i = 0, n = 0; i < len; i += 2) {

        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (text[i++] != '-') {
                return -1;
            }
        }

        high = cqrs_uuid_hex(text[i]);
        low = cqrs_uuid_hex(text[i + 1]);

        if (high < 0 || low < 0) {
            return -1;
        }

        uuid->bytes[n++] = (uint8_t) (high << 4 | low);
    }

    return 0;
}


void
cqrs_uuid_format(char *text, const cqrs_uuid_t *uuid)
{
    size_t             i;
    static const char  hex[] = "0123456789abcdef";

    for (i = 0; i < sizeof(uuid->bytes); i++) {

        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *text++ = '-';
        }

        *text++ = hex[uuid->bytes[i] >> 4];
        *text++ = hex[uuid->bytes[i] & 15];
    }
}


static void
cqrs_uuid_stamp(cqrs_uuid_t *uuid, uint8_t version)
{
    uuid->bytes[6] = (uint8_t) (version << 4 | (uuid->bytes[6] & 0x0f));
    uuid->bytes[8] = (uint8_t) (0x80 | (uuid->bytes[8] & 0x3f));
}


static int
cqrs_uuid_hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }

    return -1;
}
