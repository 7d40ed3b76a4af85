
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "cqrs_negotiate.h"

#include "cqrs_buf.h"

#include <strings.h>


static int cqrs_negotiate_one(cqrs_query_options_t *options,
    cqrs_media_t *media, const cqrs_media_t *wanted,
    const cqrs_negotiate_t *what, const cqrs_catalog_t *catalog);
static int cqrs_negotiate_kind(cqrs_query_options_t *options,
    cqrs_media_t *media, const cqrs_media_t *wanted,
    const cqrs_negotiate_t *what, const cqrs_catalog_t *catalog);
static const cqrs_handler_t *cqrs_negotiate_handler(
    const cqrs_media_t *wanted, const cqrs_negotiate_t *what,
    const cqrs_catalog_t *catalog);
static int cqrs_negotiate_fits(const cqrs_handler_t *handler,
    const cqrs_negotiate_t *what);
static int cqrs_negotiate_makes(const cqrs_handler_t *handler,
    const cqrs_media_t *wanted);
static void cqrs_negotiate_made(cqrs_media_t *media,
    const cqrs_handler_t *handler);


int
cqrs_negotiate(cqrs_query_options_t *options, cqrs_media_t *media,
    const cqrs_media_list_t *accepted, const cqrs_negotiate_t *what,
    const cqrs_catalog_t *catalog, cqrs_arena_t *arena,
    cqrs_query_error_t *error)
{
    size_t  i;

    for (i = 0; i < accepted->n; i++) {

        options->body = CQRS_QUERY_BODY_ROWS;
        options->strip_nulls = 0;
        options->handler = NULL;
        options->explain = NULL;

        if (!cqrs_negotiate_one(options, media, &accepted->types[i], what,
                                catalog))
        {
            continue;
        }

        if (media->kind != CQRS_MEDIA_PLAN) {
            return 0;
        }

        options->explain = cqrs_media_explain(media, arena);

        if (options->explain == NULL) {
            cqrs_query_no_memory(error);
            return -1;
        }

        return 0;
    }

    cqrs_negotiate_refuse(accepted, arena, error);

    return -1;
}


static int
cqrs_negotiate_one(cqrs_query_options_t *options, cqrs_media_t *media,
    const cqrs_media_t *wanted, const cqrs_negotiate_t *what,
    const cqrs_catalog_t *catalog)
{
    cqrs_media_t  of, made;

    if (wanted->kind != CQRS_MEDIA_PLAN) {
        return cqrs_negotiate_kind(options, media, wanted, what, catalog);
    }

    memset(&of, 0, sizeof(cqrs_media_t));

    of.kind = wanted->of;
    of.text = wanted->of_text;

    if (!what->plans || of.kind == CQRS_MEDIA_PLAN
        || !cqrs_negotiate_kind(options, &made, &of, what, catalog))
    {
        return 0;
    }

    *media = *wanted;

    return 1;
}


static int
cqrs_negotiate_kind(cqrs_query_options_t *options, cqrs_media_t *media,
    const cqrs_media_t *wanted, const cqrs_negotiate_t *what,
    const cqrs_catalog_t *catalog)
{
    const cqrs_handler_t  *handler;

    *media = *wanted;

    /* these can't be made by others: they have parameters */

    switch (wanted->kind) {

    case CQRS_MEDIA_JSON_STRIPPED:
        options->strip_nulls = 1;
        return 1;

    case CQRS_MEDIA_OBJECT_STRIPPED:
        options->strip_nulls = 1;
        /* fall through */

    case CQRS_MEDIA_OBJECT:
        options->body = CQRS_QUERY_BODY_OBJECT;
        return 1;

    default:
        break;
    }

    handler = cqrs_negotiate_handler(wanted, what, catalog);

    if (handler) {
        options->body = CQRS_QUERY_BODY_HANDLER;
        options->handler = handler;

        cqrs_negotiate_made(media, handler);

        return 1;
    }

    switch (wanted->kind) {

    case CQRS_MEDIA_ANY:
    case CQRS_MEDIA_JSON:
        media->kind = CQRS_MEDIA_JSON;
        return 1;

    case CQRS_MEDIA_CSV:
        options->body = CQRS_QUERY_BODY_CSV;
        return 1;

    case CQRS_MEDIA_GEOJSON:
        options->body = CQRS_QUERY_BODY_GEOJSON;
        return 1;

    default:
        return 0;
    }
}


/*
 * What makes every type of these rows, then what makes this type of them, then
 * what makes it of any rows.
 */

static const cqrs_handler_t *
cqrs_negotiate_handler(const cqrs_media_t *wanted,
    const cqrs_negotiate_t *what, const cqrs_catalog_t *catalog)
{
    int                    any, fits;
    const cqrs_handler_t  *handler, *of_these, *of_all;

    of_these = NULL;
    of_all = NULL;

    for (handler = catalog ? cqrs_catalog_handlers(catalog) : NULL;
         handler;
         handler = handler->next)
    {
        any = cqrs_str_is(&handler->media, "*/*");
        fits = what->all && cqrs_negotiate_fits(handler, what);

        if (any && fits) {
            return handler;
        }

        if (!cqrs_negotiate_makes(handler, wanted)) {
            continue;
        }

        if (fits) {
            of_these = handler;

        } else if (handler->aggregate
                   && handler->relation.name.data == NULL)
        {
            of_all = handler;
        }
    }

    return of_these ? of_these : of_all;
}


/* Is it of these rows, or this function's own? */

static int
cqrs_negotiate_fits(const cqrs_handler_t *handler,
    const cqrs_negotiate_t *what)
{
    const cqrs_relation_t  *relation;

    if (!handler->aggregate) {
        return what->function && !what->function->set
               && cqrs_str_equal(&what->function->schema,
                                 &handler->function.schema)
               && cqrs_str_equal(&what->function->key.name,
                                 &handler->function.name);
    }

    relation = what->function ? what->function->relation : what->relation;

    return handler->relation.name.data && relation
           && cqrs_str_equal(&relation->schema, &handler->relation.schema)
           && cqrs_str_equal(&relation->key.name, &handler->relation.name);
}


static int
cqrs_negotiate_makes(const cqrs_handler_t *handler,
    const cqrs_media_t *wanted)
{
    cqrs_media_t  made;

    cqrs_media_read(&made, handler->media.data, handler->media.len);

    if (made.kind != CQRS_MEDIA_OTHER || wanted->kind != CQRS_MEDIA_OTHER) {
        return made.kind == wanted->kind;
    }

    return wanted->text.len == made.text.len
           && strncasecmp(wanted->text.data, made.text.data, made.text.len)
              == 0;
}


static void
cqrs_negotiate_made(cqrs_media_t *media, const cqrs_handler_t *handler)
{
    cqrs_media_read(media, handler->result.name.data,
                    handler->result.name.len);

    if (media->kind == CQRS_MEDIA_ANY) {
        media->kind = CQRS_MEDIA_OCTETS;
    }
}


void
cqrs_negotiate_refuse(const cqrs_media_list_t *accepted, cqrs_arena_t *arena,
    cqrs_query_error_t *error)
{
    size_t      i;
    cqrs_buf_t  buf;
    cqrs_str_t  name;

    cqrs_query_refuse(error, 406, "PGRST107", "");

    cqrs_buf_init(&buf, arena);

    cqrs_buf_text(&buf, "None of these media types are available: ");

    for (i = 0; i < accepted->n; i++) {

        if (i) {
            cqrs_buf_text(&buf, ", ");
        }

        if (cqrs_media_name(&accepted->types[i], arena, &name) != 0) {
            cqrs_query_no_memory(error);
            return;
        }

        cqrs_buf_str(&buf, &name);
    }

    if (cqrs_buf_end(&buf, &error->message) != 0) {
        cqrs_query_no_memory(error);
    }
}
