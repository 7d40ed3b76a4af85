
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * What is told, in whichever version: those relations and functions that the
 * role may use, their comments and their keys.
 */

#include "cqrs_openapi_state.h"

#include <stdlib.h>
#include <strings.h>


static int cqrs_openapi_may(const cqrs_openapi_names_t *names,
    const cqrs_str_t *name);
static int cqrs_openapi_may_call(cqrs_openapi_ctx_t *ctx,
    const cqrs_function_t *function);
static void cqrs_openapi_merge(cqrs_openapi_call_t *call,
    const cqrs_function_t *function);
static cqrs_openapi_argument_t *cqrs_openapi_argument(
    cqrs_openapi_call_t *call, const cqrs_str_t *name);
static const cqrs_column_t *cqrs_openapi_foreign(const cqrs_column_t *column);
static int cqrs_openapi_is_view(const cqrs_relation_t *relation);
static int cqrs_openapi_is_plain(const cqrs_str_t *name);


int
cqrs_openapi_write(cqrs_json_t *json, const cqrs_openapi_t *doc)
{
    cqrs_openapi_ctx_t  ctx;

    ctx.out = json;
    ctx.doc = doc;

    cqrs_json_init(&ctx.text);

    if (doc->version == CQRS_OPENAPI_3) {
        cqrs_openapi_write_3(&ctx);

    } else {
        cqrs_openapi_write_2(&ctx);
    }

    cqrs_json_cleanup(&ctx.text);

    return json->failed ? -1 : 0;
}


int
cqrs_openapi_server(cqrs_openapi_server_t *server, const cqrs_str_t *uri)
{
    size_t       len;
    const char  *p, *end, *last;

    memset(server, 0, sizeof(*server));

    p = uri->data;
    last = p + uri->len;

    if (uri->len > 7 && strncasecmp(p, "http://", 7) == 0) {
        p += 7;
        server->port = 80;

    } else if (uri->len > 8 && strncasecmp(p, "https://", 8) == 0) {
        p += 8;
        server->port = 443;
        server->secure = 1;

    } else {
        return -1;
    }

    server->host.data = p;

    if (*p == '[') {
        end = memchr(p, ']', (size_t) (last - p));

        if (end == NULL) {
            return -1;
        }

        p = end + 1;

    } else {
        while (p < last && *p != ':' && *p != '/') {

            if ((unsigned char) *p <= ' ' || strchr("@?#\"<>\\^`{|}", *p)) {
                return -1;
            }

            p++;
        }
    }

    server->host.len = (size_t) (p - server->host.data);

    if (server->host.len == 0) {
        return -1;
    }

    if (p < last && *p == ':') {

        server->port = 0;

        for (p++, len = 0; p < last && *p >= '0' && *p <= '9'; p++, len++) {
            server->port = server->port * 10 + (unsigned) (*p - '0');

            if (server->port > 65535) {
                return -1;
            }
        }

        if (len == 0 || server->port == 0) {
            return -1;
        }
    }

    if (p < last && *p != '/') {
        return -1;
    }

    server->path.data = p;
    server->path.len = (size_t) (last - p);

    for ( /* void */ ; p < last; p++) {
        if ((unsigned char) *p <= ' ' || strchr("?#\"<>\\^`{|}", *p)) {
            return -1;
        }
    }

    while (server->path.len > 1
           && server->path.data[server->path.len - 1] == '/')
    {
        server->path.len--;
    }

    if (server->path.len == 0) {
        server->path = cqrs_str_lit("/");
    }

    return 0;
}


void
cqrs_openapi_required(cqrs_openapi_ctx_t *ctx,
    const cqrs_relation_t *relation)
{
    int                   some;
    const cqrs_column_t  *column;

    some = 0;

    for (column = relation->columns; column; column = column->next) {

        if (column->nullable) {
            continue;
        }

        if (!some) {
            some = 1;
            cqrs_openapi_key(ctx, "required");
            cqrs_openapi_open(ctx, '[');
        }

        cqrs_openapi_str(ctx, &column->key.name);
    }

    if (some) {
        cqrs_openapi_close(ctx, ']');
    }
}


const cqrs_relation_t *
cqrs_openapi_next_relation(cqrs_openapi_ctx_t *ctx,
    const cqrs_relation_t *relation)
{
    relation = relation ? relation->next : ctx->doc->relations;

    while (relation
           && !cqrs_openapi_may(ctx->doc->readable, &relation->key.name))
    {
        relation = relation->next;
    }

    return relation;
}


int
cqrs_openapi_is_told(cqrs_openapi_ctx_t *ctx, const cqrs_relation_t *relation)
{
    const cqrs_relation_t  *r;

    if (ctx->doc->readable) {
        return cqrs_str_equal(&relation->schema, &ctx->doc->schema)
               && cqrs_openapi_may(ctx->doc->readable, &relation->key.name);
    }

    for (r = ctx->doc->relations; r && r != relation; r = r->next) {
        /* void */
    }

    return r != NULL;
}


/* Overloads have one path, and so are one entry. */

int
cqrs_openapi_next_call(cqrs_openapi_ctx_t *ctx,
    const cqrs_function_t **function, cqrs_openapi_call_t *call)
{
    const cqrs_function_t  *f, *overload;

    f = *function ? (*function)->following : ctx->doc->functions;

    for ( /* void */ ; f; f = f->following) {

        call->function = NULL;
        call->comment = NULL;
        call->n = 0;

        for (overload = f; overload; overload = overload->next) {
            if (cqrs_openapi_may_call(ctx, overload)) {
                cqrs_openapi_merge(call, overload);
            }
        }

        if (call->function) {
            *function = f;
            return 1;
        }
    }

    return 0;
}


static int
cqrs_openapi_may(const cqrs_openapi_names_t *names, const cqrs_str_t *name)
{
    int                rc;
    size_t             low, high, middle, len;
    const cqrs_str_t  *found;

    if (names == NULL) {
        return 1;
    }

    low = 0;
    high = names->n;

    while (low < high) {
        middle = low + (high - low) / 2;
        found = &names->names[middle];

        len = (name->len < found->len) ? name->len : found->len;
        rc = memcmp(name->data, found->data, len);

        if (rc == 0 && name->len == found->len) {
            return 1;
        }

        if (rc < 0 || (rc == 0 && name->len < found->len)) {
            high = middle;

        } else {
            low = middle + 1;
        }
    }

    return 0;
}


/* One that may write is called by POST, one without names only so. */

static int
cqrs_openapi_may_call(cqrs_openapi_ctx_t *ctx, const cqrs_function_t *function)
{
    cqrs_str_t               signature;
    const cqrs_parameter_t  *p;

    if (function->volatility == 'v') {
        return 0;
    }

    cqrs_openapi_begin(ctx, "");
    cqrs_openapi_add_str(ctx, &function->key.name);

    for (p = function->parameters; p; p = p->next) {

        if (p->name.len == 0) {
            return 0;
        }

        cqrs_openapi_add(ctx, CQRS_OPENAPI_SEPARATOR);
        cqrs_openapi_add_str(ctx, &p->name);
    }

    if (ctx->text.failed) {
        ctx->out->failed = 1;
        return 0;
    }

    signature.data = ctx->text.data;
    signature.len = ctx->text.len;

    return cqrs_openapi_may(ctx->doc->callable, &signature);
}


/* What not every overload has, or needs, is not required. */

static void
cqrs_openapi_merge(cqrs_openapi_call_t *call, const cqrs_function_t *function)
{
    size_t                    i, n;
    const cqrs_parameter_t   *p;
    cqrs_openapi_argument_t  *argument;

    n = call->n;

    for (p = function->parameters; p; p = p->next) {

        argument = cqrs_openapi_argument(call, &p->name);

        if (argument) {
            argument->required = argument->required && p->required;

        } else if (call->n < CQRS_OPENAPI_ARGUMENTS_MAX) {
            argument = &call->arguments[call->n++];

            argument->parameter = p;
            argument->required = p->required && call->function == NULL;
        }
    }

    for (i = 0; i < n; i++) {

        for (p = function->parameters; p; p = p->next) {
            if (cqrs_str_equal(&p->name, &call->arguments[i].parameter->name))
            {
                break;
            }
        }

        if (p == NULL) {
            call->arguments[i].required = 0;
        }
    }

    if (call->function == NULL) {
        call->function = function;
    }

    if (call->comment == NULL && function->comment.data) {
        call->comment = &function->comment;
    }
}


static cqrs_openapi_argument_t *
cqrs_openapi_argument(cqrs_openapi_call_t *call, const cqrs_str_t *name)
{
    size_t  i;

    for (i = 0; i < call->n; i++) {
        if (cqrs_str_equal(&call->arguments[i].parameter->name, name)) {
            return &call->arguments[i];
        }
    }

    return NULL;
}


void
cqrs_openapi_split(const cqrs_str_t *comment, cqrs_str_t *summary,
    cqrs_str_t *description)
{
    const char  *p, *last;

    summary->data = NULL;
    summary->len = 0;

    *description = *summary;

    if (comment == NULL || comment->data == NULL) {
        return;
    }

    last = comment->data + comment->len;
    p = comment->len ? memchr(comment->data, '\n', comment->len) : NULL;

    *summary = *comment;

    if (p == NULL) {
        return;
    }

    summary->len = (size_t) (p - comment->data);

    while (p < last && *p == '\n') {
        p++;
    }

    if (p < last) {
        description->data = p;
        description->len = (size_t) (last - p);
    }
}


/* The tags at the ends are for programs: PostgREST's clients look for them. */

void
cqrs_openapi_column_description(cqrs_openapi_ctx_t *ctx,
    const cqrs_column_t *column)
{
    const cqrs_str_t     *table;
    const cqrs_column_t  *to;

    to = cqrs_openapi_foreign(column);

    if (!column->primary && to == NULL) {
        cqrs_openapi_member_str(ctx, "description", &column->comment);
        return;
    }

    cqrs_openapi_key(ctx, "description");
    cqrs_openapi_begin(ctx, "");

    if (column->comment.data) {
        cqrs_openapi_add_str(ctx, &column->comment);
        cqrs_openapi_add(ctx, "\n\n");
    }

    cqrs_openapi_add(ctx, "Note:");

    if (column->primary) {
        cqrs_openapi_add(ctx, "\nThis is a Primary Key.<pk/>");
    }

    if (to) {
        table = &to->relation->key.name;

        cqrs_openapi_add(ctx, "\nThis is a Foreign Key to `");
        cqrs_openapi_add_str(ctx, table);
        cqrs_openapi_add(ctx, ".");
        cqrs_openapi_add_str(ctx, &to->key.name);
        cqrs_openapi_add(ctx, "`.<fk table='");
        cqrs_openapi_add_str(ctx, table);
        cqrs_openapi_add(ctx, "' column='");
        cqrs_openapi_add_str(ctx, &to->key.name);
        cqrs_openapi_add(ctx, "'/>");
    }

    cqrs_openapi_end(ctx);
}


/* A view of the target is told only where the target itself is not seen. */

static const cqrs_column_t *
cqrs_openapi_foreign(const cqrs_column_t *column)
{
    const cqrs_column_t        *found;
    const cqrs_relation_t      *from;
    const cqrs_relationship_t  *r;

    from = column->relation;
    found = NULL;

    for (r = from->relationships; r; r = r->next) {

        if ((r->cardinality != CQRS_MANY_TO_ONE
             && (r->cardinality != CQRS_ONE_TO_ONE || r->parent))
            || r->joins == NULL
            || r->joins->next
            || r->joins->from != column
            || !cqrs_str_equal(&r->to->schema, &from->schema))
        {
            continue;
        }

        if (!cqrs_openapi_is_view(r->to)) {
            return r->joins->to;
        }

        if (found == NULL) {
            found = r->joins->to;
        }
    }

    return found;
}


static int
cqrs_openapi_is_view(const cqrs_relation_t *relation)
{
    return relation->kind == 'v' || relation->kind == 'm';
}


void
cqrs_openapi_column_name(cqrs_openapi_ctx_t *ctx, const cqrs_column_t *column)
{
    size_t             i;
    const cqrs_str_t  *name;

    name = &column->key.name;

    if (cqrs_openapi_is_plain(name) && !cqrs_openapi_reserved(name)) {
        cqrs_openapi_str(ctx, name);
        return;
    }

    cqrs_openapi_begin(ctx, "\"");

    for (i = 0; i < name->len; i++) {

        if (name->data[i] == '"' || name->data[i] == '\\') {
            cqrs_openapi_add(ctx, "\\");
        }

        cqrs_json_raw(&ctx->text, name->data + i, 1);
    }

    cqrs_openapi_add(ctx, "\"");
    cqrs_openapi_end(ctx);
}


static int
cqrs_openapi_is_plain(const cqrs_str_t *name)
{
    size_t         i;
    unsigned char  c;

    if (name->len == 0 || name->data[0] == ' '
        || name->data[name->len - 1] == ' ')
    {
        return 0;
    }

    for (i = 0; i < name->len; i++) {
        c = (unsigned char) name->data[i];

        if (c < 0x80
            && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z')
            && !(c >= '0' && c <= '9')
            && c != '_' && c != '-' && c != '$' && c != ' ')
        {
            return 0;
        }
    }

    return 1;
}


int
cqrs_openapi_reserved(const cqrs_str_t *name)
{
    size_t                    i;

    static const char *const  words[] = {
        "select", "order", "limit", "offset", "and", "or", "columns",
        "on_conflict"
    };

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (cqrs_str_is(name, words[i])) {
            return 1;
        }
    }

    return 0;
}
