
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Media types: what a header Accept asks for, and what Content-Type answers.
 */

#ifndef CQRS_MEDIA_H
#define CQRS_MEDIA_H


#include "cqrs_arena.h"


typedef enum {
    CQRS_MEDIA_OTHER = 0,                /* known by its text alone */
    CQRS_MEDIA_ANY,
    CQRS_MEDIA_JSON,
    CQRS_MEDIA_JSON_STRIPPED,
    CQRS_MEDIA_OBJECT,
    CQRS_MEDIA_OBJECT_STRIPPED,
    CQRS_MEDIA_CSV,
    CQRS_MEDIA_GEOJSON,
    CQRS_MEDIA_PLAIN,
    CQRS_MEDIA_XML,
    CQRS_MEDIA_OPENAPI,                  /* of any version */
    CQRS_MEDIA_OPENAPI_2,
    CQRS_MEDIA_OPENAPI_3,
    CQRS_MEDIA_FORM,
    CQRS_MEDIA_OCTETS,
    CQRS_MEDIA_PLAN
} cqrs_media_e;


#define CQRS_MEDIA_ANALYZE   0x01
#define CQRS_MEDIA_VERBOSE   0x02
#define CQRS_MEDIA_SETTINGS  0x04
#define CQRS_MEDIA_BUFFERS   0x08
#define CQRS_MEDIA_WAL       0x10


typedef struct {
    cqrs_media_e    kind;
    cqrs_str_t      text;                /* OTHER: the type */

    /* PLAN */
    cqrs_media_e    of;
    cqrs_str_t      of_text;
    unsigned        options;
    int             json;
} cqrs_media_t;


/* The types of the header, the best one first, in the arena. */
typedef struct {
    cqrs_media_t   *types;
    size_t          n;
} cqrs_media_list_t;


/* What the text means; it is pointed into. */
void cqrs_media_read(cqrs_media_t *media, const char *text, size_t len);

/*
 * The types of a header Accept, by their q, and then by how much they say;
 * those with q=0 are none, and those behind very many others.  Returns 0, or
 * -1: no memory.
 */
int cqrs_media_accept(cqrs_media_list_t *list, cqrs_arena_t *arena,
    const char *text, size_t len);

/* Its name; of a plan with its parameters.  Returns 0, or -1: no memory. */
int cqrs_media_name(const cqrs_media_t *media, cqrs_arena_t *arena,
    cqrs_str_t *name);

/* Does "charset=utf-8" belong to it? */
int cqrs_media_is_text(const cqrs_media_t *media);

/* PLAN: what explain is told, "format json, verbose".  NULL: no memory. */
const char *cqrs_media_explain(const cqrs_media_t *media,
    cqrs_arena_t *arena);


#endif /* CQRS_MEDIA_H */
