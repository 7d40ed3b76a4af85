
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * An embed names its target: a relation, or, in the relation that it begins
 * at, a foreign key's constraint or column, or a function.  A hint chooses
 * among several relationships.  Exactly one must remain.
 */

#include "cqrs_query_embed.h"
#include "cqrs_query_relate.h"


static int cqrs_query_relate_node(cqrs_query_planner_t *planner,
    cqrs_query_node_t *parent, cqrs_query_node_t *node);
static cqrs_query_embed_t *cqrs_query_relate_embed(
    cqrs_query_planner_t *planner, cqrs_query_node_t *node,
    const cqrs_relation_t *relation, unsigned depth);
static const cqrs_relationship_t *cqrs_query_relate_find(
    cqrs_query_planner_t *planner, const cqrs_query_node_t *parent,
    const cqrs_query_node_t *node);
static int cqrs_query_relate_fits(const cqrs_query_node_t *node,
    const cqrs_relationship_t *relationship, const cqrs_str_t *schema);
static int cqrs_query_relate_self(const cqrs_query_node_t *node,
    const cqrs_relationship_t *relationship);
static int cqrs_query_relate_hint(const cqrs_str_t *hint,
    const cqrs_relationship_t *relationship);
static int cqrs_query_relate_column(const cqrs_str_t *name,
    const cqrs_relationship_t *relationship, int to);
static int cqrs_query_relate_constraint(const cqrs_str_t *name,
    const cqrs_relationship_t *relationship);


int
cqrs_query_relate(cqrs_query_planner_t *planner, cqrs_query_node_t *root,
    const cqrs_relation_t *relation, const cqrs_str_t *origin)
{
    cqrs_query_node_t   *child;
    cqrs_query_embed_t  *embed;

    embed = cqrs_query_relate_embed(planner, root, relation, 0);
    if (embed == NULL) {
        return -1;
    }

    embed->origin = *origin;

    for (child = root->children; child; child = child->next) {
        if (cqrs_query_relate_node(planner, root, child) != 0) {
            return -1;
        }
    }

    return 0;
}


static int
cqrs_query_relate_node(cqrs_query_planner_t *planner,
    cqrs_query_node_t *parent, cqrs_query_node_t *node)
{
    cqrs_query_node_t          *child;
    cqrs_query_embed_t         *embed;
    const cqrs_relationship_t  *relationship;

    relationship = cqrs_query_relate_find(planner, parent, node);
    if (relationship == NULL) {
        return -1;
    }

    embed = cqrs_query_relate_embed(planner, node, relationship->to,
                                    parent->embed->depth + 1);
    if (embed == NULL) {
        return -1;
    }

    embed->relationship = relationship;
    embed->origin = relationship->to->key.name;

    switch (relationship->cardinality) {

    case CQRS_MANY_TO_ONE:
    case CQRS_ONE_TO_ONE:
        embed->to_one = 1;
        break;

    case CQRS_COMPUTED:
        embed->to_one = relationship->single;
        break;

    default:
        break;
    }

    for (child = node->children; child; child = child->next) {
        if (cqrs_query_relate_node(planner, node, child) != 0) {
            return -1;
        }
    }

    return 0;
}


static cqrs_query_embed_t *
cqrs_query_relate_embed(cqrs_query_planner_t *planner,
    cqrs_query_node_t *node, const cqrs_relation_t *relation, unsigned depth)
{
    cqrs_query_embed_t  *embed;

    embed = cqrs_arena_calloc(planner->arena, sizeof(cqrs_query_embed_t));
    if (embed == NULL) {
        cqrs_query_no_memory(planner->error);
        return NULL;
    }

    embed->relation = relation;
    embed->depth = depth;
    embed->number = planner->nodes++;
    embed->last = &embed->outputs;

    node->embed = embed;

    return embed;
}


static const cqrs_relationship_t *
cqrs_query_relate_find(cqrs_query_planner_t *planner,
    const cqrs_query_node_t *parent, const cqrs_query_node_t *node)
{
    const cqrs_relation_t      *relation;
    const cqrs_relationship_t  *relationship, *found;
    cqrs_query_ambiguity_t      ambiguity;

    relation = parent->embed->relation;
    found = NULL;

    cqrs_query_ambiguity_init(&ambiguity, planner, parent, node);

    for (relationship = relation ? relation->relationships : NULL;
         relationship;
         relationship = relationship->next)
    {
        if (!cqrs_query_relate_fits(node, relationship,
                                    &planner->schema))
        {
            continue;
        }

        if (found) {
            cqrs_query_ambiguity_add(&ambiguity, found);
        }

        found = relationship;
    }

    if (found == NULL) {
        cqrs_query_no_relationship(planner, parent, node);
        return NULL;
    }

    if (ambiguity.count) {
        cqrs_query_ambiguity_add(&ambiguity, found);
        cqrs_query_ambiguity_end(&ambiguity);
        return NULL;
    }

    return found;
}


static int
cqrs_query_relate_fits(const cqrs_query_node_t *node,
    const cqrs_relationship_t *relationship, const cqrs_str_t *schema)
{
    int  named;

    if (relationship->cardinality == CQRS_COMPUTED) {
        return cqrs_str_equal(schema, &relationship->function.schema)
               && cqrs_str_equal(&node->name, &relationship->function.name);
    }

    if (!cqrs_str_equal(schema, &relationship->to->schema)) {
        return 0;
    }

    if (relationship->self) {
        return cqrs_query_relate_self(node, relationship);
    }

    named = cqrs_str_equal(&node->name, &relationship->to->key.name);

    if (node->hint.data) {
        return named && cqrs_query_relate_hint(&node->hint, relationship);
    }

    if (named) {
        return 1;
    }

    /* a key leads to the table that it was made for, not to its views */

    return relationship->to->kind != 'v'
           && relationship->to->kind != 'm'
           && (cqrs_query_relate_constraint(&node->name, relationship)
               || cqrs_query_relate_column(&node->name, relationship, 0));
}


/*
 * Within one table a key makes two relationships: the table's name means the
 * many, the column's name the one.
 */

static int
cqrs_query_relate_self(const cqrs_query_node_t *node,
    const cqrs_relationship_t *relationship)
{
    if (cqrs_str_equal(&node->name, &relationship->to->key.name)) {
        return relationship->cardinality == CQRS_ONE_TO_MANY
               && (node->hint.data == NULL
                   || cqrs_query_relate_column(&node->hint, relationship, 1));
    }

    return node->hint.data == NULL
           && relationship->cardinality == CQRS_MANY_TO_ONE
           && cqrs_query_relate_column(&node->name, relationship, 0);
}


static int
cqrs_query_relate_hint(const cqrs_str_t *hint,
    const cqrs_relationship_t *relationship)
{
    if (relationship->cardinality == CQRS_MANY_TO_MANY) {
        return cqrs_str_equal(hint, &relationship->junction->key.name);
    }

    return cqrs_query_relate_constraint(hint, relationship)
           || cqrs_query_relate_column(hint, relationship, 0)
           || cqrs_query_relate_column(hint, relationship, 1);
}


/* Is it the only column of the key, on this side? */

static int
cqrs_query_relate_column(const cqrs_str_t *name,
    const cqrs_relationship_t *relationship, int to)
{
    const cqrs_column_t  *column;

    if (relationship->cardinality == CQRS_MANY_TO_MANY
        || relationship->joins->next)
    {
        return 0;
    }

    column = to ? relationship->joins->to : relationship->joins->from;

    return cqrs_str_equal(name, &column->key.name);
}


static int
cqrs_query_relate_constraint(const cqrs_str_t *name,
    const cqrs_relationship_t *relationship)
{
    return relationship->cardinality != CQRS_MANY_TO_MANY
           && cqrs_str_equal(name, &relationship->constraint);
}
