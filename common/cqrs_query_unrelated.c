
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* What is said when an embed fits no relationship, or several. */

#include "cqrs_query_relate.h"
#include "cqrs_buf_json.h"
#include "cqrs_similar.h"


#define CQRS_QUERY_ALIKE  0.33           /* of the letters */


static void cqrs_query_ambiguity_relationship(
    cqrs_query_ambiguity_t *ambiguity,
    const cqrs_relationship_t *relationship);
static void cqrs_query_ambiguity_columns(cqrs_query_ambiguity_t *ambiguity,
    const cqrs_join_t *joins, int to);
static void cqrs_query_similar_child(cqrs_query_planner_t *planner,
    const cqrs_query_node_t *parent, cqrs_similar_t *similar);
static void cqrs_query_similar_parent(cqrs_query_planner_t *planner,
    cqrs_similar_t *similar);


void
cqrs_query_ambiguity_init(cqrs_query_ambiguity_t *ambiguity,
    cqrs_query_planner_t *planner, const cqrs_query_node_t *parent,
    const cqrs_query_node_t *node)
{
    ambiguity->planner = planner;
    ambiguity->parent = parent;
    ambiguity->node = node;
    ambiguity->count = 0;

    cqrs_buf_init(&ambiguity->details, planner->arena);
    cqrs_buf_init(&ambiguity->choices, planner->arena);
}


void
cqrs_query_ambiguity_add(cqrs_query_ambiguity_t *ambiguity,
    const cqrs_relationship_t *relationship)
{
    cqrs_buf_t               *text, *details, *choices;

    static const char *const  cardinalities[] = {
        "many-to-one", "one-to-many", "one-to-one", "many-to-many", "computed"
    };

    text = &ambiguity->text;
    details = &ambiguity->details;
    choices = &ambiguity->choices;

    cqrs_buf_text(details, ambiguity->count ? "," : "[");
    cqrs_buf_text(details, "{\"cardinality\":\"");
    cqrs_buf_text(details, cardinalities[relationship->cardinality]);

    cqrs_buf_init(text, ambiguity->planner->arena);
    cqrs_buf_str(text, &relationship->from->key.name);
    cqrs_buf_text(text, " with ");
    cqrs_buf_str(text, &relationship->to->key.name);

    cqrs_buf_text(details, "\",\"embedding\":");
    cqrs_buf_json(details, text->data, text->len);

    cqrs_buf_init(text, ambiguity->planner->arena);
    cqrs_query_ambiguity_relationship(ambiguity, relationship);

    cqrs_buf_text(details, ",\"relationship\":");
    cqrs_buf_json(details, text->data, text->len);
    cqrs_buf_text(details, "}");

    cqrs_buf_text(choices, ambiguity->count ? ", '" : "'");
    cqrs_buf_str(choices, &relationship->to->key.name);
    cqrs_buf_text(choices, "!");
    cqrs_buf_str(choices, relationship->cardinality == CQRS_MANY_TO_MANY
                          ? &relationship->junction->key.name
                          : &relationship->constraint);
    cqrs_buf_text(choices, "'");

    ambiguity->count++;
}


void
cqrs_query_ambiguity_end(cqrs_query_ambiguity_t *ambiguity)
{
    cqrs_str_t           choices;
    cqrs_query_error_t  *error;

    error = ambiguity->planner->error;

    cqrs_query_refuse(error, 300, "PGRST201", "");

    cqrs_buf_text(&ambiguity->details, "]");

    if (cqrs_buf_end(&ambiguity->details, &error->details) != 0
        || cqrs_buf_end(&ambiguity->choices, &choices) != 0)
    {
        cqrs_query_no_memory(error);
        return;
    }

    error->details_json = 1;

    if (cqrs_query_say(ambiguity->planner->arena, error, &error->message,
                       "Could not embed because more than one relationship "
                       "was found for '%s' and '%s'",
                       ambiguity->parent->embed->origin.data,
                       ambiguity->node->name.data)
        != 0)
    {
        return;
    }

    (void) cqrs_query_say(ambiguity->planner->arena, error, &error->hint,
                          "Try changing '%s' to one of the following: %s. "
                          "Find the desired relationship in the 'details' "
                          "key.",
                          ambiguity->node->name.data, choices.data);
}


static void
cqrs_query_ambiguity_relationship(cqrs_query_ambiguity_t *ambiguity,
    const cqrs_relationship_t *relationship)
{
    cqrs_buf_t  *text;

    text = &ambiguity->text;

    if (relationship->cardinality == CQRS_MANY_TO_MANY) {
        cqrs_buf_str(text, &relationship->junction->key.name);
        cqrs_buf_text(text, " using ");
        cqrs_buf_str(text, &relationship->constraint);
        cqrs_query_ambiguity_columns(ambiguity, relationship->joins, 1);
        cqrs_buf_text(text, " and ");
        cqrs_buf_str(text, &relationship->constraint2);
        cqrs_query_ambiguity_columns(ambiguity, relationship->joins2, 0);
        return;
    }

    cqrs_buf_str(text, &relationship->constraint);
    cqrs_buf_text(text, " using ");
    cqrs_buf_str(text, &relationship->from->key.name);
    cqrs_query_ambiguity_columns(ambiguity, relationship->joins, 0);
    cqrs_buf_text(text, " and ");
    cqrs_buf_str(text, &relationship->to->key.name);
    cqrs_query_ambiguity_columns(ambiguity, relationship->joins, 1);
}


static void
cqrs_query_ambiguity_columns(cqrs_query_ambiguity_t *ambiguity,
    const cqrs_join_t *joins, int to)
{
    const char         *comma;
    const cqrs_join_t  *join;

    comma = "(";

    for (join = joins; join; join = join->next) {
        cqrs_buf_text(&ambiguity->text, comma);
        cqrs_buf_str(&ambiguity->text,
                     to ? &join->to->key.name : &join->from->key.name);
        comma = ", ";
    }

    cqrs_buf_text(&ambiguity->text, ")");
}


void
cqrs_query_no_relationship(cqrs_query_planner_t *planner,
    const cqrs_query_node_t *parent, const cqrs_query_node_t *node)
{
    const char            *origin, *hinted;
    cqrs_similar_t         similar;
    const cqrs_str_t      *wanted, *found;
    cqrs_query_error_t    *error;
    const cqrs_relation_t *relation;

    error = planner->error;
    origin = parent->embed->origin.data;
    hinted = node->hint.data ? "' using the hint '" : "";

    cqrs_query_refuse(error, 400, "PGRST200", "");
    error->stale = 1;

    if (cqrs_query_say(planner->arena, error, &error->message,
                       "Could not find a relationship between '%s' and "
                       "'%s' in the schema cache",
                       origin, node->name.data)
        != 0
        || cqrs_query_say(planner->arena, error, &error->details,
                          "Searched for a foreign key relationship between "
                          "'%s' and '%s%s%s' in the schema '%s', but no "
                          "matches were found.",
                          origin, node->name.data, hinted,
                          node->hint.data ? node->hint.data : "",
                          planner->schema.data)
           != 0)
    {
        return;
    }

    /* of what leads nowhere the name is taken for wrong */

    relation = parent->embed->relation;

    if (relation && (relation->relationships || relation->hidden)) {
        wanted = &node->name;
        cqrs_similar_init(&similar, wanted, CQRS_QUERY_ALIKE);
        cqrs_query_similar_child(planner, parent, &similar);
        found = similar.exact ? NULL : cqrs_similar_best(&similar);

    } else {
        wanted = &parent->embed->origin;
        cqrs_similar_init(&similar, wanted, CQRS_QUERY_ALIKE);
        cqrs_query_similar_parent(planner, &similar);
        found = cqrs_similar_best(&similar);
    }

    if (found) {
        (void) cqrs_query_say(planner->arena, error, &error->hint,
                              "Perhaps you meant '%s' instead of '%s'.",
                              found->data, wanted->data);
    }
}


static void
cqrs_query_similar_child(cqrs_query_planner_t *planner,
    const cqrs_query_node_t *parent, cqrs_similar_t *similar)
{
    const cqrs_relationship_t  *relationship;

    for (relationship = parent->embed->relation->relationships;
         relationship;
         relationship = relationship->next)
    {
        if (cqrs_str_equal(&relationship->to->schema, &planner->schema)) {
            cqrs_similar_add(similar, &relationship->to->key.name);
        }
    }
}


static void
cqrs_query_similar_parent(cqrs_query_planner_t *planner,
    cqrs_similar_t *similar)
{
    const cqrs_relation_t  *relation;

    relation = NULL;

    for ( ;; ) {
        relation = cqrs_catalog_next_relation(planner->catalog,
                                              &planner->schema, relation);
        if (relation == NULL) {
            return;
        }

        if (relation->relationships || relation->hidden) {
            cqrs_similar_add(similar, &relation->key.name);
        }
    }
}
