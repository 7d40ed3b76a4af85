
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * JSON with its commas.  What was written last says whether one is needed: a
 * value never ends with an opening bracket or a colon.
 *
 * A document of a large schema is megabytes; it is written as it goes, and no
 * tree is made of it.
 */

#include "cqrs_openapi_state.h"

#include <ctype.h>
#include <stdio.h>


static void cqrs_openapi_comma(cqrs_openapi_ctx_t *ctx);
static void cqrs_openapi_add_encoded(cqrs_openapi_ctx_t *ctx, unsigned char c);


static void
cqrs_openapi_comma(cqrs_openapi_ctx_t *ctx)
{
    char          last;
    cqrs_json_t  *out;

    out = ctx->out;

    if (out->len == 0) {
        return;
    }

    last = out->data[out->len - 1];

    if (last != '{' && last != '[' && last != ':') {
        cqrs_json_raw(out, ",", 1);
    }
}


void
cqrs_openapi_open(cqrs_openapi_ctx_t *ctx, char bracket)
{
    cqrs_openapi_comma(ctx);
    cqrs_json_raw(ctx->out, &bracket, 1);
}


void
cqrs_openapi_close(cqrs_openapi_ctx_t *ctx, char bracket)
{
    cqrs_json_raw(ctx->out, &bracket, 1);
}


void
cqrs_openapi_key(cqrs_openapi_ctx_t *ctx, const char *key)
{
    cqrs_openapi_text(ctx, key);
    cqrs_json_raw(ctx->out, ":", 1);
}


void
cqrs_openapi_text(cqrs_openapi_ctx_t *ctx, const char *text)
{
    cqrs_openapi_comma(ctx);
    cqrs_json_string(ctx->out, text, strlen(text));
}


void
cqrs_openapi_str(cqrs_openapi_ctx_t *ctx, const cqrs_str_t *text)
{
    cqrs_openapi_comma(ctx);
    cqrs_json_string(ctx->out, text->data, text->len);
}


void
cqrs_openapi_raw(cqrs_openapi_ctx_t *ctx, const char *json, size_t len)
{
    cqrs_openapi_comma(ctx);
    cqrs_json_raw(ctx->out, json, len);
}


void
cqrs_openapi_member(cqrs_openapi_ctx_t *ctx, const char *key,
    const char *text)
{
    if (text) {
        cqrs_openapi_key(ctx, key);
        cqrs_openapi_text(ctx, text);
    }
}


void
cqrs_openapi_member_str(cqrs_openapi_ctx_t *ctx, const char *key,
    const cqrs_str_t *text)
{
    if (text->data) {
        cqrs_openapi_key(ctx, key);
        cqrs_openapi_str(ctx, text);
    }
}


void
cqrs_openapi_member_raw(cqrs_openapi_ctx_t *ctx, const char *key,
    const char *json)
{
    cqrs_openapi_key(ctx, key);
    cqrs_openapi_raw(ctx, json, strlen(json));
}


void
cqrs_openapi_begin(cqrs_openapi_ctx_t *ctx, const char *text)
{
    ctx->text.len = 0;
    cqrs_openapi_add(ctx, text);
}


void
cqrs_openapi_add(cqrs_openapi_ctx_t *ctx, const char *text)
{
    cqrs_json_text(&ctx->text, text);
}


void
cqrs_openapi_add_str(cqrs_openapi_ctx_t *ctx, const cqrs_str_t *text)
{
    if (text->len) {
        cqrs_json_raw(&ctx->text, text->data, text->len);
    }
}


void
cqrs_openapi_add_number(cqrs_openapi_ctx_t *ctx, unsigned number)
{
    cqrs_json_number(&ctx->text, number);
}


void
cqrs_openapi_end(cqrs_openapi_ctx_t *ctx)
{
    if (ctx->text.failed) {
        ctx->out->failed = 1;
        return;
    }

    cqrs_openapi_comma(ctx);
    cqrs_json_string(ctx->out, ctx->text.data, ctx->text.len);
}


void
cqrs_openapi_end_key(cqrs_openapi_ctx_t *ctx)
{
    cqrs_openapi_end(ctx);
    cqrs_json_raw(ctx->out, ":", 1);
}


/* What RFC 3986 does not reserve stays as it is. */

void
cqrs_openapi_add_segment(cqrs_openapi_ctx_t *ctx, const cqrs_str_t *text)
{
    size_t  i;

    for (i = 0; i < text->len; i++) {
        cqrs_openapi_add_encoded(ctx, (unsigned char) text->data[i]);
    }
}


void
cqrs_openapi_add_pointer(cqrs_openapi_ctx_t *ctx, const cqrs_str_t *text)
{
    size_t  i;

    for (i = 0; i < text->len; i++) {

        switch (text->data[i]) {

        case '~':
            cqrs_openapi_add(ctx, "~0");
            break;

        case '/':
            cqrs_openapi_add(ctx, "~1");
            break;

        default:
            cqrs_openapi_add_encoded(ctx, (unsigned char) text->data[i]);
        }
    }
}


static void
cqrs_openapi_add_encoded(cqrs_openapi_ctx_t *ctx, unsigned char c)
{
    char  code[sizeof("%FF")];

    if (c < 0x80 && (isalnum(c) || strchr("-._~", c))) {
        cqrs_json_raw(&ctx->text, (char *) &c, 1);
        return;
    }

    snprintf(code, sizeof(code), "%%%02X", c);
    cqrs_openapi_add(ctx, code);
}
