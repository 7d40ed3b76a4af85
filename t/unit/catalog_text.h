
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* A catalogue and what is expected of it, for tests; to be included by one. */

#ifndef CATALOG_TEXT_H
#define CATALOG_TEXT_H


#include "cqrs_catalog.h"


static inline cqrs_str_t
catalog_str(const char *text)
{
    cqrs_str_t  str = { strlen(text), text };

    return str;
}


static inline const cqrs_relation_t *
catalog_relation(const cqrs_catalog_t *catalog, const char *schema,
    const char *name)
{
    cqrs_str_t  s = catalog_str(schema);
    cqrs_str_t  n = catalog_str(name);

    return cqrs_catalog_relation(catalog, &s, &n);
}


static inline size_t
catalog_write_joins(char *text, size_t len, size_t size,
    const cqrs_join_t *join)
{
    const char  *before;

    for (before = " ("; join; join = join->next, before = ",") {
        len += snprintf(text + len, size - len, "%s%s=%s", before,
                        join->from->key.name.data, join->to->key.name.data);
    }

    return len + snprintf(text + len, size - len, ")");
}


static inline size_t
catalog_write_relationship(char *text, size_t len, size_t size,
    const cqrs_relationship_t *r)
{
    static const char *const  words[] = { "n:1", "1:n", "1:1", "n:m" };

    if (r->cardinality == CQRS_COMPUTED) {
        return len + snprintf(text + len, size - len, "%s.%s() %s%s\n",
                              r->function.schema.data, r->function.name.data,
                              r->to->key.name.data,
                              r->single ? " single" : "");
    }

    len += snprintf(text + len, size - len, "%s %s %s", words[r->cardinality],
                    r->to->key.name.data, r->constraint.data);
    len = catalog_write_joins(text, len, size, r->joins);

    if (r->junction) {
        len += snprintf(text + len, size - len, " %s %s",
                        r->junction->key.name.data, r->constraint2.data);
        len = catalog_write_joins(text, len, size, r->joins2);
    }

    return len + snprintf(text + len, size - len, "%s%s\n",
                          r->self ? " self" : "", r->parent ? " parent" : "");
}


/* All relationships of a relation, a line each. */

static inline void
catalog_related(const cqrs_catalog_t *catalog, const char *schema,
    const char *name, const char *expected)
{
    char                        text[8192];
    size_t                      len;
    const cqrs_relationship_t  *r;

    len = 0;
    text[0] = '\0';

    for (r = catalog_relation(catalog, schema, name)->relationships;
         r;
         r = r->next)
    {
        len = catalog_write_relationship(text, len, sizeof(text), r);
    }

    assert_string_equal(text, expected);
}


#endif /* CATALOG_TEXT_H */
