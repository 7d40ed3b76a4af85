
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "cqrs_media.h"

#include "cqrs_buf.h"

#include <strings.h>


#define CQRS_MEDIA_ACCEPT_MAX  64
#define CQRS_MEDIA_Q_ONE       1000


typedef struct {
    const char     *text;
    cqrs_media_e    kind;
} cqrs_media_name_t;


typedef struct {
    const char     *name;
    unsigned        option;
} cqrs_media_option_t;


typedef struct {
    cqrs_media_t    media;
    int             q;
    int             weight;              /* among those of the same q */
} cqrs_media_offer_t;


static int cqrs_media_equal(const cqrs_str_t *text, const char *name);
static int cqrs_media_token(const char *p, size_t len);
static int cqrs_media_parameter(const cqrs_str_t *parameters,
    const char *name, cqrs_str_t *value);
static void cqrs_media_plan(cqrs_media_t *media,
    const cqrs_str_t *parameters);
static void cqrs_media_offer(cqrs_media_offer_t *offer, const char *p,
    const char *end);
static int cqrs_media_q(const cqrs_str_t *parameters);
static const char *cqrs_media_find(const char *p, const char *end, char c);
static void cqrs_media_trim(const char **p, const char **end);


static const cqrs_media_name_t  cqrs_media_names[] = {
    { "application/json",                  CQRS_MEDIA_JSON },
    { "application/vnd.pgrst.array+json",  CQRS_MEDIA_JSON_STRIPPED },
    { "application/vnd.pgrst.array",       CQRS_MEDIA_JSON_STRIPPED },
    { "application/vnd.pgrst.object+json", CQRS_MEDIA_OBJECT_STRIPPED },
    { "application/vnd.pgrst.object",      CQRS_MEDIA_OBJECT_STRIPPED },
    { "application/vnd.pgrst.plan+text",   CQRS_MEDIA_PLAN },
    { "application/vnd.pgrst.plan+json",   CQRS_MEDIA_PLAN },
    { "application/vnd.pgrst.plan",        CQRS_MEDIA_PLAN },
    { "application/geo+json",              CQRS_MEDIA_GEOJSON },
    { "application/openapi+json",          CQRS_MEDIA_OPENAPI },
    { "application/vnd.oai.openapi+json",  CQRS_MEDIA_OPENAPI_3 },
    { "application/x-www-form-urlencoded", CQRS_MEDIA_FORM },
    { "application/octet-stream",          CQRS_MEDIA_OCTETS },
    { "text/csv",                          CQRS_MEDIA_CSV },
    { "text/plain",                        CQRS_MEDIA_PLAIN },
    { "text/xml",                          CQRS_MEDIA_XML },
    { "*/*",                               CQRS_MEDIA_ANY },
    { NULL,                                CQRS_MEDIA_OTHER }
};


static const cqrs_media_option_t  cqrs_media_options[] = {
    { "analyze",  CQRS_MEDIA_ANALYZE },
    { "verbose",  CQRS_MEDIA_VERBOSE },
    { "settings", CQRS_MEDIA_SETTINGS },
    { "buffers",  CQRS_MEDIA_BUFFERS },
    { "wal",      CQRS_MEDIA_WAL },
    { NULL,       0 }
};


void
cqrs_media_read(cqrs_media_t *media, const char *text, size_t len)
{
    int                       stripped;
    const char               *p, *end, *last;
    cqrs_str_t                type, parameters, nulls, version;
    const cqrs_media_name_t  *name;

    memset(media, 0, sizeof(cqrs_media_t));

    p = text;
    last = text + len;
    end = cqrs_media_find(p, last, ';');

    parameters.data = end;
    parameters.len = (size_t) (last - end);

    cqrs_media_trim(&p, &end);

    type.data = p;
    type.len = (size_t) (end - p);

    for (name = cqrs_media_names; name->text; name++) {
        if (cqrs_media_equal(&type, name->text)) {
            break;
        }
    }

    media->kind = name->kind;
    media->text = type;

    stripped = cqrs_media_parameter(&parameters, "nulls", &nulls)
               && cqrs_str_is(&nulls, "stripped");

    switch (media->kind) {

    case CQRS_MEDIA_JSON_STRIPPED:
        if (!stripped) {
            media->kind = CQRS_MEDIA_JSON;
        }

        break;

    case CQRS_MEDIA_OBJECT_STRIPPED:
        if (!stripped) {
            media->kind = CQRS_MEDIA_OBJECT;
        }

        break;

    case CQRS_MEDIA_OPENAPI_3:
        if (cqrs_media_parameter(&parameters, "version", &version)
            && version.len && version.data[0] == '2')
        {
            media->kind = CQRS_MEDIA_OPENAPI_2;
        }

        break;

    case CQRS_MEDIA_PLAN:
        media->json = cqrs_media_equal(&type,
                                       "application/vnd.pgrst.plan+json");
        cqrs_media_plan(media, &parameters);
        break;

    default:
        break;
    }
}


static int
cqrs_media_equal(const cqrs_str_t *text, const char *name)
{
    return text->len == strlen(name)
           && strncasecmp(text->data, name, text->len) == 0;
}


/* Letters that need no quotes. */

static int
cqrs_media_token(const char *p, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        if (!((p[i] >= 'a' && p[i] <= 'z') || (p[i] >= 'A' && p[i] <= 'Z')
              || (p[i] >= '0' && p[i] <= '9')
              || memchr("!#$%&'*+-.^_`|~/", p[i],
                        sizeof("!#$%&'*+-.^_`|~/") - 1)))
        {
            return 0;
        }
    }

    return len != 0;
}


/* One of "; name=value; name="value"". */

static int
cqrs_media_parameter(const cqrs_str_t *parameters, const char *name,
    cqrs_str_t *value)
{
    const char  *p, *end, *equals, *last, *next;
    cqrs_str_t   key;

    last = parameters->data + parameters->len;

    for (p = parameters->data; p < last; p = next) {
        p++;                               /* the semicolon */

        next = cqrs_media_find(p, last, ';');
        equals = cqrs_media_find(p, next, '=');

        if (equals == next) {
            continue;
        }

        end = equals;
        cqrs_media_trim(&p, &end);

        key.data = p;
        key.len = (size_t) (end - p);

        if (!cqrs_media_equal(&key, name)) {
            continue;
        }

        p = equals + 1;
        end = next;
        cqrs_media_trim(&p, &end);

        if (end - p >= 2 && *p == '"' && end[-1] == '"') {
            p++;
            end--;
        }

        value->data = p;
        value->len = (size_t) (end - p);

        return 1;
    }

    return 0;
}


static void
cqrs_media_plan(cqrs_media_t *media, const cqrs_str_t *parameters)
{
    const char                 *p, *next, *last;
    cqrs_str_t                  value, word;
    cqrs_media_t                of;
    const cqrs_media_option_t  *option;

    media->of = CQRS_MEDIA_JSON;

    if (cqrs_media_parameter(parameters, "for", &value)) {
        cqrs_media_read(&of, value.data, value.len);

        media->of = of.kind;
        media->of_text = of.text;
    }

    if (!cqrs_media_parameter(parameters, "options", &value)) {
        return;
    }

    last = value.data + value.len;

    for (p = value.data; p < last; p = next + 1) {
        next = cqrs_media_find(p, last, '|');

        word.data = p;
        word.len = (size_t) (next - p);

        for (option = cqrs_media_options; option->name; option++) {
            if (cqrs_str_is(&word, option->name)) {
                media->options |= option->option;
            }
        }
    }
}


int
cqrs_media_accept(cqrs_media_list_t *list, cqrs_arena_t *arena,
    const char *text, size_t len)
{
    size_t               i, n;
    const char          *p, *end, *next, *last;
    cqrs_media_offer_t   offer, offers[CQRS_MEDIA_ACCEPT_MAX];

    n = 0;
    last = text + len;

    for (p = text; p < last; p = next + 1) {
        next = cqrs_media_find(p, last, ',');
        end = next;

        cqrs_media_trim(&p, &end);

        if (p == end) {
            continue;
        }

        cqrs_media_offer(&offer, p, end);

        if (offer.q == 0) {
            continue;
        }

        if (n == CQRS_MEDIA_ACCEPT_MAX) {
            break;
        }

        /* those before it that are as good stay before it */

        for (i = n; i > 0; i--) {

            if (offers[i - 1].q > offer.q
                || (offers[i - 1].q == offer.q
                    && offers[i - 1].weight >= offer.weight))
            {
                break;
            }

            offers[i] = offers[i - 1];
        }

        offers[i] = offer;
        n++;
    }

    list->n = n;
    list->types = cqrs_arena_alloc(arena, (n + 1) * sizeof(cqrs_media_t));

    if (list->types == NULL) {
        return -1;
    }

    for (i = 0; i < n; i++) {
        list->types[i] = offers[i].media;
    }

    return 0;
}


static void
cqrs_media_offer(cqrs_media_offer_t *offer, const char *p, const char *end)
{
    const char  *c;
    cqrs_str_t   parameters;

    parameters.data = cqrs_media_find(p, end, ';');
    parameters.len = (size_t) (end - parameters.data);

    offer->q = cqrs_media_q(&parameters);
    offer->weight = 0;

    cqrs_media_read(&offer->media, p, (size_t) (end - p));

    for (c = p; c < end; c++) {

        if (*c == ';') {
            offer->weight++;

        } else if (*c == '*') {
            offer->weight--;
        }
    }

    /* its own semicolon tells nothing */

    if (cqrs_media_parameter(&parameters, "q", &parameters)) {
        offer->weight--;
    }
}


/* In thousandths; what is no number is 1. */

static int
cqrs_media_q(const cqrs_str_t *parameters)
{
    int         q, digit;
    size_t      i;
    cqrs_str_t  value;

    if (!cqrs_media_parameter(parameters, "q", &value) || value.len == 0) {
        return CQRS_MEDIA_Q_ONE;
    }

    if (value.data[0] != '0'
        || (value.len > 1 && value.data[1] != '.'))
    {
        return CQRS_MEDIA_Q_ONE;
    }

    q = 0;
    digit = CQRS_MEDIA_Q_ONE / 10;

    for (i = 2; i < value.len; i++) {

        if (value.data[i] < '0' || value.data[i] > '9') {
            return CQRS_MEDIA_Q_ONE;
        }

        q += digit * (value.data[i] - '0');
        digit /= 10;
    }

    return q;
}


int
cqrs_media_name(const cqrs_media_t *media, cqrs_arena_t *arena,
    cqrs_str_t *name)
{
    int                         n;
    cqrs_buf_t                  buf;
    cqrs_str_t                  of;
    cqrs_media_t                inner;
    const cqrs_media_option_t  *option;

    switch (media->kind) {

    case CQRS_MEDIA_ANY:
        *name = cqrs_str_lit("*/*");
        return 0;

    case CQRS_MEDIA_JSON:
        *name = cqrs_str_lit("application/json");
        return 0;

    case CQRS_MEDIA_JSON_STRIPPED:
        *name = cqrs_str_lit("application/vnd.pgrst.array+json;"
                             "nulls=stripped");
        return 0;

    case CQRS_MEDIA_OBJECT:
        *name = cqrs_str_lit("application/vnd.pgrst.object+json");
        return 0;

    case CQRS_MEDIA_OBJECT_STRIPPED:
        *name = cqrs_str_lit("application/vnd.pgrst.object+json;"
                             "nulls=stripped");
        return 0;

    case CQRS_MEDIA_CSV:
        *name = cqrs_str_lit("text/csv");
        return 0;

    case CQRS_MEDIA_GEOJSON:
        *name = cqrs_str_lit("application/geo+json");
        return 0;

    case CQRS_MEDIA_PLAIN:
        *name = cqrs_str_lit("text/plain");
        return 0;

    case CQRS_MEDIA_XML:
        *name = cqrs_str_lit("text/xml");
        return 0;

    case CQRS_MEDIA_OPENAPI:
        *name = cqrs_str_lit("application/openapi+json");
        return 0;

    case CQRS_MEDIA_OPENAPI_2:
        *name = cqrs_str_lit("application/vnd.oai.openapi+json;version=2.0");
        return 0;

    case CQRS_MEDIA_OPENAPI_3:
        *name = cqrs_str_lit("application/vnd.oai.openapi+json;version=3.1");
        return 0;

    case CQRS_MEDIA_FORM:
        *name = cqrs_str_lit("application/x-www-form-urlencoded");
        return 0;

    case CQRS_MEDIA_OCTETS:
        *name = cqrs_str_lit("application/octet-stream");
        return 0;

    case CQRS_MEDIA_PLAN:
        break;

    default: /* CQRS_MEDIA_OTHER */
        *name = media->text;
        return 0;
    }

    memset(&inner, 0, sizeof(cqrs_media_t));

    inner.kind = (media->of == CQRS_MEDIA_PLAN) ? CQRS_MEDIA_OTHER
                                                : media->of;
    inner.text = media->of_text;

    (void) cqrs_media_name(&inner, arena, &of);

    cqrs_buf_init(&buf, arena);

    cqrs_buf_text(&buf, media->json ? "application/vnd.pgrst.plan+json"
                                    : "application/vnd.pgrst.plan+text");

    /* what has been sent goes back, so nothing that could end the quotes */

    if (media->of != CQRS_MEDIA_OTHER || cqrs_media_token(of.data, of.len)) {
        cqrs_buf_text(&buf, "; for=\"");
        cqrs_buf_str(&buf, &of);
        cqrs_buf_text(&buf, "\"");
    }

    n = 0;

    for (option = cqrs_media_options; option->name; option++) {
        if (media->options & option->option) {
            cqrs_buf_text(&buf, n++ ? "|" : "; options=");
            cqrs_buf_text(&buf, option->name);
        }
    }

    return cqrs_buf_end(&buf, name);
}


int
cqrs_media_is_text(const cqrs_media_t *media)
{
    return media->kind != CQRS_MEDIA_OTHER && media->kind != CQRS_MEDIA_OCTETS;
}


const char *
cqrs_media_explain(const cqrs_media_t *media, cqrs_arena_t *arena)
{
    cqrs_buf_t                  buf;
    cqrs_str_t                  text;
    const cqrs_media_option_t  *option;

    cqrs_buf_init(&buf, arena);

    cqrs_buf_text(&buf, media->json ? "format json" : "format text");

    for (option = cqrs_media_options; option->name; option++) {
        if (media->options & option->option) {
            cqrs_buf_text(&buf, ", ");
            cqrs_buf_text(&buf, option->name);
        }
    }

    return (cqrs_buf_end(&buf, &text) == 0) ? text.data : NULL;
}


/* The next such character outside of quotes, or the end. */

static const char *
cqrs_media_find(const char *p, const char *end, char c)
{
    int  quoted;

    quoted = 0;

    for ( /* void */ ; p < end; p++) {

        if (*p == '"') {
            quoted = !quoted;

        } else if (!quoted && *p == c) {
            break;
        }
    }

    return p;
}


static void
cqrs_media_trim(const char **p, const char **end)
{
    while (*p < *end && (**p == ' ' || **p == '\t')) {
        (*p)++;
    }

    while (*p < *end && ((*end)[-1] == ' ' || (*end)[-1] == '\t')) {
        (*end)--;
    }
}
