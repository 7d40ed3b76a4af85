
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * A key is of columns of tables, but a request knows exposed relations alone:
 * the table itself, or a view that shows all columns of the key.  So for each
 * side of a foreign key the exposed relations that hold it are found first;
 * each of the one side has a relationship with each of the other.
 */

#include "cqrs_catalog_state.h"


#define CQRS_RELATE_DEPTH  64             /* views upon views */
#define CQRS_RELATE_KEY    64             /* columns of a key */


typedef struct cqrs_relate_side_s  cqrs_relate_side_t;


/* An exposed relation that holds a key, and in which columns. */
struct cqrs_relate_side_s {
    const cqrs_relation_t  *relation;
    cqrs_column_t         **columns;
    cqrs_relate_side_t     *next;
};


/* The search for them. */
typedef struct {
    cqrs_catalog_load_t    *load;
    size_t                  n;
    cqrs_load_image_t      *images[CQRS_RELATE_KEY];
    cqrs_column_t          *columns[CQRS_RELATE_KEY];
    cqrs_relate_side_t    **last;
} cqrs_relate_search_t;


static int cqrs_relate_images(cqrs_catalog_load_t *load);
static int cqrs_relate_primary(cqrs_catalog_load_t *load,
    const cqrs_load_key_t *key);
static int cqrs_relate_foreign(cqrs_catalog_load_t *load,
    const cqrs_load_key_t *key);
static int cqrs_relate_junction(cqrs_catalog_load_t *load,
    const cqrs_relation_t *junction);
static int cqrs_relate_through(cqrs_catalog_load_t *load,
    const cqrs_relationship_t *one, const cqrs_relationship_t *two);
static int cqrs_relate_computed(cqrs_catalog_load_t *load,
    const cqrs_load_computed_t *computed);
static int cqrs_relate_sides(cqrs_catalog_load_t *load,
    cqrs_load_column_t *const *columns, size_t n, cqrs_relate_side_t **sides);
static int cqrs_relate_expand(cqrs_relate_search_t *search, size_t i);
static int cqrs_relate_is_primary(const cqrs_relationship_t *relationship);
static int cqrs_relate_add(cqrs_catalog_load_t *load,
    cqrs_cardinality_e cardinality, const cqrs_load_key_t *key,
    const cqrs_relate_side_t *from, const cqrs_relate_side_t *to, int parent);
static cqrs_relationship_t *cqrs_relate_new(cqrs_catalog_load_t *load,
    cqrs_cardinality_e cardinality, const cqrs_relation_t *from,
    const cqrs_relation_t *to);
static int cqrs_relate_join(cqrs_catalog_load_t *load, cqrs_join_t ***last,
    const cqrs_column_t *from, const cqrs_column_t *to);


int
cqrs_catalog_relate(cqrs_catalog_load_t *load)
{
    const cqrs_load_key_t       *key;
    const cqrs_load_computed_t  *computed;
    const cqrs_load_relation_t  *number;

    if (cqrs_relate_images(load) != 0) {
        return -1;
    }

    for (key = load->keys; key; key = key->next) {
        if (key->foreign == NULL && cqrs_relate_primary(load, key) != 0) {
            return -1;
        }
    }

    for (key = load->keys; key; key = key->next) {
        if (key->foreign && cqrs_relate_foreign(load, key) != 0) {
            return -1;
        }
    }

    for (number = load->relations; number; number = number->next) {
        if (number->exposed
            && cqrs_relate_junction(load, number->relation) != 0)
        {
            return -1;
        }
    }

    for (computed = load->computed; computed; computed = computed->next) {
        if (cqrs_relate_computed(load, computed) != 0) {
            return -1;
        }
    }

    return 0;
}


/* All images of a column have their relations in the same order. */

static int
cqrs_relate_images(cqrs_catalog_load_t *load)
{
    int                          depth;
    size_t                       order;
    cqrs_load_image_t           *image;
    cqrs_load_column_t          *column, *origin;
    const cqrs_load_relation_t  *number;

    order = 0;

    for (number = load->relations; number; number = number->next) {

        if (!number->exposed) {
            continue;
        }

        order++;

        for (column = number->columns; column; column = column->next) {

            origin = column;

            for (depth = 0; origin->origin; depth++) {

                if (depth == CQRS_RELATE_DEPTH) {
                    break;
                }

                origin = origin->origin;
            }

            image = cqrs_arena_calloc(&load->arena, sizeof(cqrs_load_image_t));
            if (image == NULL) {
                return -1;
            }

            image->column = column->column;
            image->order = order;

            *origin->last = image;
            origin->last = &image->next;
        }
    }

    return 0;
}


/* Of a column that is shown twice the first one is meant. */

static int
cqrs_relate_primary(cqrs_catalog_load_t *load, const cqrs_load_key_t *key)
{
    size_t                  i;
    cqrs_relate_side_t     *sides, *side;
    const cqrs_relation_t  *before;

    if (cqrs_relate_sides(load, key->columns, key->ncolumns, &sides) != 0) {
        return -1;
    }

    before = NULL;

    for (side = sides; side; side = side->next) {

        if (side->relation == before) {
            continue;
        }

        for (i = 0; i < key->ncolumns; i++) {
            side->columns[i]->primary = 1;
        }

        before = side->relation;
    }

    return 0;
}


static int
cqrs_relate_foreign(cqrs_catalog_load_t *load, const cqrs_load_key_t *key)
{
    cqrs_relate_side_t  *from, *to, *one, *other;

    if (cqrs_relate_sides(load, key->columns, key->ncolumns, &from) != 0) {
        return -1;
    }

    if (cqrs_relate_sides(load, key->foreign, key->ncolumns, &to) != 0) {
        return -1;
    }

    for (other = from ? NULL : to; other; other = other->next) {
        ((cqrs_relation_t *) other->relation)->hidden = 1;
    }

    for (one = from; one; one = one->next) {
        for (other = to; other; other = other->next) {

            if (cqrs_relate_add(load, key->unique ? CQRS_ONE_TO_ONE
                                                  : CQRS_MANY_TO_ONE,
                                key, one, other, 0)
                != 0
                || cqrs_relate_add(load, key->unique ? CQRS_ONE_TO_ONE
                                                     : CQRS_ONE_TO_MANY,
                                   key, other, one, key->unique)
                   != 0)
            {
                return -1;
            }
        }
    }

    return 0;
}


static int
cqrs_relate_junction(cqrs_catalog_load_t *load,
    const cqrs_relation_t *junction)
{
    size_t                      i, j, n;
    const cqrs_relationship_t  *relationship, **list;

    n = 0;

    for (relationship = junction->relationships;
         relationship;
         relationship = relationship->next)
    {
        n += cqrs_relate_is_primary(relationship);
    }

    if (n < 2) {
        return 0;
    }

    list = cqrs_arena_alloc(&load->arena, n * sizeof(cqrs_relationship_t *));
    if (list == NULL) {
        return -1;
    }

    n = 0;

    for (relationship = junction->relationships;
         relationship;
         relationship = relationship->next)
    {
        if (cqrs_relate_is_primary(relationship)) {
            list[n++] = relationship;
        }
    }

    for (i = 0; i < n; i++) {
        for (j = 0; j < n; j++) {

            if (!cqrs_str_equal(&list[i]->constraint, &list[j]->constraint)
                && cqrs_relate_through(load, list[i], list[j]) != 0)
            {
                return -1;
            }
        }
    }

    return 0;
}


static int
cqrs_relate_through(cqrs_catalog_load_t *load, const cqrs_relationship_t *one,
    const cqrs_relationship_t *two)
{
    cqrs_join_t          **last;
    const cqrs_join_t     *join;
    cqrs_relationship_t   *relationship;

    relationship = cqrs_relate_new(load, CQRS_MANY_TO_MANY, one->to, two->to);
    if (relationship == NULL) {
        return -1;
    }

    relationship->junction = one->from;
    relationship->constraint = one->constraint;
    relationship->constraint2 = two->constraint;
    relationship->joins2 = two->joins;

    last = &relationship->joins;

    for (join = one->joins; join; join = join->next) {
        if (cqrs_relate_join(load, &last, join->to, join->from) != 0) {
            return -1;
        }
    }

    return 0;
}


/*
 * A function takes the place of what leads to a relation of its own name and
 * schema.
 */

static int
cqrs_relate_computed(cqrs_catalog_load_t *load,
    const cqrs_load_computed_t *computed)
{
    cqrs_relation_t        *from;
    cqrs_relationship_t    *relationship, **p;
    const cqrs_relation_t  *replaced;

    from = computed->from;

    replaced = cqrs_catalog_relation(load->catalog, &computed->function.schema,
                                     &computed->function.name);
    p = &from->relationships;

    while (replaced && *p) {

        if ((*p)->to == replaced && (*p)->cardinality != CQRS_COMPUTED) {
            *p = (*p)->next;

        } else {
            p = &(*p)->next;
        }
    }

    if (replaced) {
        from->last_relationship = p;
    }

    relationship = cqrs_relate_new(load, CQRS_COMPUTED, from, computed->to);
    if (relationship == NULL) {
        return -1;
    }

    relationship->function = computed->function;
    relationship->single = computed->single;

    return 0;
}


/*
 * All exposed relations that hold these columns, each once for each way to
 * choose among columns that are shown more than once.
 */

static int
cqrs_relate_sides(cqrs_catalog_load_t *load,
    cqrs_load_column_t *const *columns, size_t n, cqrs_relate_side_t **sides)
{
    size_t                 i, order;
    cqrs_load_image_t     *image;
    cqrs_relate_search_t   search;

    *sides = NULL;

    if (n == 0 || n > CQRS_RELATE_KEY) {
        return 0;
    }

    search.load = load;
    search.n = n;
    search.last = sides;

    for (i = 0; i < n; i++) {
        search.images[i] = columns[i]->images;
    }

    while (search.images[0]) {

        order = search.images[0]->order;

        for (i = 1; i < n; i++) {
            image = search.images[i];

            while (image && image->order < order) {
                image = image->next;
            }

            search.images[i] = image;

            if (image == NULL) {
                return 0;
            }

            if (image->order != order) {
                break;
            }
        }

        if (i == n && cqrs_relate_expand(&search, 0) != 0) {
            return -1;
        }

        image = search.images[0];

        while (image && image->order == order) {
            image = image->next;
        }

        search.images[0] = image;
    }

    return 0;
}


static int
cqrs_relate_expand(cqrs_relate_search_t *search, size_t i)
{
    size_t               order;
    cqrs_load_image_t   *image;
    cqrs_relate_side_t  *side;

    if (i < search->n) {
        order = search->images[0]->order;

        for (image = search->images[i];
             image && image->order == order;
             image = image->next)
        {
            search->columns[i] = image->column;

            if (cqrs_relate_expand(search, i + 1) != 0) {
                return -1;
            }
        }

        return 0;
    }

    side = cqrs_arena_calloc(&search->load->arena,
                             sizeof(cqrs_relate_side_t)
                             + search->n * sizeof(cqrs_column_t *));
    if (side == NULL) {
        return -1;
    }

    side->relation = search->columns[0]->relation;
    side->columns = (cqrs_column_t **) (side + 1);

    memcpy(side->columns, search->columns,
           search->n * sizeof(cqrs_column_t *));

    *search->last = side;
    search->last = &side->next;

    return 0;
}


/* May it be one leg of a junction? */

static int
cqrs_relate_is_primary(const cqrs_relationship_t *relationship)
{
    const cqrs_join_t  *join;

    if (relationship->cardinality != CQRS_MANY_TO_ONE) {
        return 0;
    }

    for (join = relationship->joins; join; join = join->next) {
        if (!join->from->primary) {
            return 0;
        }
    }

    return 1;
}


static int
cqrs_relate_add(cqrs_catalog_load_t *load, cqrs_cardinality_e cardinality,
    const cqrs_load_key_t *key, const cqrs_relate_side_t *from,
    const cqrs_relate_side_t *to, int parent)
{
    size_t                 i;
    cqrs_join_t          **last;
    cqrs_relationship_t   *relationship;

    relationship = cqrs_relate_new(load, cardinality, from->relation,
                                   to->relation);
    if (relationship == NULL) {
        return -1;
    }

    relationship->constraint = key->name;
    relationship->parent = parent;

    last = &relationship->joins;

    for (i = 0; i < key->ncolumns; i++) {
        if (cqrs_relate_join(load, &last, from->columns[i], to->columns[i])
            != 0)
        {
            return -1;
        }
    }

    return 0;
}


static cqrs_relationship_t *
cqrs_relate_new(cqrs_catalog_load_t *load, cqrs_cardinality_e cardinality,
    const cqrs_relation_t *from, const cqrs_relation_t *to)
{
    cqrs_relation_t      *owner;
    cqrs_relationship_t  *relationship;

    relationship = cqrs_arena_calloc(&load->catalog->arena,
                                     sizeof(cqrs_relationship_t));
    if (relationship == NULL) {
        return NULL;
    }

    relationship->cardinality = cardinality;
    relationship->from = from;
    relationship->to = to;
    relationship->self = (from == to);

    /* nothing is fixed before the load has ended */

    owner = (cqrs_relation_t *) from;

    *owner->last_relationship = relationship;
    owner->last_relationship = &relationship->next;

    return relationship;
}


static int
cqrs_relate_join(cqrs_catalog_load_t *load, cqrs_join_t ***last,
    const cqrs_column_t *from, const cqrs_column_t *to)
{
    cqrs_join_t  *join;

    join = cqrs_arena_calloc(&load->catalog->arena, sizeof(cqrs_join_t));
    if (join == NULL) {
        return -1;
    }

    join->from = from;
    join->to = to;

    **last = join;
    *last = &join->next;

    return 0;
}
