
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * A read request in PostgREST's language, as a tree: what is asked of the
 * relation or the function that the path names, and of everything that is
 * embedded in it.  cqrs_query_parse.h makes it from a URL, cqrs_query_plan.h
 * makes SQL from it.
 *
 * Texts are the request's own words, decoded, in an arena, and a NUL follows
 * each of them.  A cqrs_str_t whose data is NULL is absent.
 */

#ifndef CQRS_QUERY_H
#define CQRS_QUERY_H


#include "cqrs_arena.h"

#include <stdint.h>


#define CQRS_QUERY_DEPTH_MAX    32       /* of embeds, and of brackets */
#define CQRS_QUERY_ITEMS_MAX    1000     /* of select, in the whole request */
#define CQRS_QUERY_FILTERS_MAX  500      /* in the whole request */
#define CQRS_QUERY_ORDERS_MAX   100      /* in the whole request */
#define CQRS_QUERY_STEPS_MAX    100      /* of one JSON path */
#define CQRS_QUERY_NAME_MAX     255      /* bytes */


/* Why there is no answer, as PostgREST tells it. */
typedef struct {
    unsigned             status;         /* of HTTP */
    const char          *code;
    cqrs_str_t           message;
    cqrs_str_t           details;        /* a text, or JSON if details_json */
    cqrs_str_t           hint;
    int                  details_json;
    int                  stale;          /* a newer catalogue may help */
    int                  late;           /* it is Postgres' to say, and what
                                            is wrong else is said before */
} cqrs_query_error_t;


typedef struct cqrs_query_step_s    cqrs_query_step_t;
typedef struct cqrs_query_value_s   cqrs_query_value_t;
typedef struct cqrs_query_item_s    cqrs_query_item_t;
typedef struct cqrs_query_filter_s  cqrs_query_filter_t;
typedef struct cqrs_query_logic_s   cqrs_query_logic_t;
typedef struct cqrs_query_order_s   cqrs_query_order_t;
typedef struct cqrs_query_node_s    cqrs_query_node_t;
typedef struct cqrs_query_pair_s    cqrs_query_pair_t;
typedef struct cqrs_query_part_s    cqrs_query_part_t;     /* the parser's */
typedef struct cqrs_query_embed_s   cqrs_query_embed_t;    /* the plan's */


/* One arrow of data->a->0->>b. */
struct cqrs_query_step_s {
    int                  text;           /* ->> */
    int                  index;          /* the key is a number, -1 from end */
    cqrs_str_t           key;
    cqrs_query_step_t   *next;
};


typedef struct {
    cqrs_str_t           name;
    cqrs_query_step_t   *path;           /* NULL: the column itself */
} cqrs_query_field_t;


typedef enum {
    CQRS_QUERY_NO_AGGREGATE = 0,
    CQRS_QUERY_SUM,
    CQRS_QUERY_AVG,
    CQRS_QUERY_COUNT,
    CQRS_QUERY_MAX,
    CQRS_QUERY_MIN
} cqrs_query_aggregate_e;


/* One term of select that is no embed. */
struct cqrs_query_item_s {
    int                      star;       /* all columns, or count() */
    int                      bare;       /* all as they are: "select=" */
    cqrs_query_field_t       field;      /* unless star */
    cqrs_str_t               cast;       /* before the aggregate */
    cqrs_query_aggregate_e   aggregate;
    cqrs_str_t               aggregate_cast;
    cqrs_str_t               alias;
    cqrs_query_item_t       *next;
};


typedef enum {
    CQRS_QUERY_EQ = 0,
    CQRS_QUERY_NEQ,
    CQRS_QUERY_GT,
    CQRS_QUERY_GTE,
    CQRS_QUERY_LT,
    CQRS_QUERY_LTE,
    CQRS_QUERY_LIKE,                     /* * in the value is % already */
    CQRS_QUERY_ILIKE,                    /* the same */
    CQRS_QUERY_MATCH,
    CQRS_QUERY_IMATCH,
    CQRS_QUERY_IN,                       /* any number of values */
    CQRS_QUERY_IS,                       /* no value but filter->is */
    CQRS_QUERY_ISDISTINCT,
    CQRS_QUERY_FTS,
    CQRS_QUERY_PLFTS,
    CQRS_QUERY_PHFTS,
    CQRS_QUERY_WFTS,
    CQRS_QUERY_CS,
    CQRS_QUERY_CD,
    CQRS_QUERY_OV,
    CQRS_QUERY_SL,
    CQRS_QUERY_SR,
    CQRS_QUERY_NXR,
    CQRS_QUERY_NXL,
    CQRS_QUERY_ADJ
} cqrs_query_op_e;


typedef enum {
    CQRS_QUERY_NO_QUANTIFIER = 0,
    CQRS_QUERY_ANY,
    CQRS_QUERY_ALL
} cqrs_query_quantifier_e;


typedef enum {
    CQRS_QUERY_IS_NULL = 0,
    CQRS_QUERY_IS_NOT_NULL,
    CQRS_QUERY_IS_TRUE,
    CQRS_QUERY_IS_FALSE,
    CQRS_QUERY_IS_UNKNOWN
} cqrs_query_is_e;


struct cqrs_query_value_s {
    cqrs_str_t               text;
    cqrs_query_value_t      *next;
};


struct cqrs_query_filter_s {
    cqrs_query_field_t       field;
    int                      negated;
    cqrs_query_op_e          op;
    cqrs_query_quantifier_e  quantifier;
    cqrs_str_t               language;   /* of fts(language), or absent */
    cqrs_query_is_e          is;
    cqrs_query_value_t      *values;     /* one; IN: any number; IS: none */
};


typedef enum {
    CQRS_QUERY_FILTER = 0,
    CQRS_QUERY_AND,
    CQRS_QUERY_OR
} cqrs_query_logic_e;


struct cqrs_query_logic_s {
    cqrs_query_logic_e       kind;
    cqrs_query_filter_t      filter;     /* FILTER */
    int                      negated;    /* AND, OR */
    cqrs_query_logic_t      *children;   /* AND, OR: one or more */
    cqrs_query_logic_t      *next;
};


typedef enum {
    CQRS_QUERY_DEFAULT = 0,              /* not said */
    CQRS_QUERY_ASC,
    CQRS_QUERY_DESC
} cqrs_query_direction_e;


typedef enum {
    CQRS_QUERY_NULLS_DEFAULT = 0,
    CQRS_QUERY_NULLS_FIRST,
    CQRS_QUERY_NULLS_LAST
} cqrs_query_nulls_e;


struct cqrs_query_order_s {
    cqrs_str_t               relation;   /* embedded, or absent */
    cqrs_query_field_t       field;
    cqrs_query_direction_e   direction;
    cqrs_query_nulls_e       nulls;
    cqrs_query_order_t      *next;
};


/* limit=10, as it was said. */
typedef struct {
    int                  said;
    int                  known;          /* and is a number */
    int64_t              value;          /* within a quarter of 64 bits */
    cqrs_str_t           digits;         /* absent, or it was more than that */
} cqrs_query_number_t;


typedef enum {
    CQRS_QUERY_JOIN_DEFAULT = 0,
    CQRS_QUERY_JOIN_LEFT,
    CQRS_QUERY_JOIN_INNER
} cqrs_query_join_e;


/* What is asked of one relation; the root's name is absent. */
struct cqrs_query_node_s {
    cqrs_str_t               name;
    cqrs_str_t               alias;
    cqrs_str_t               hint;
    cqrs_query_join_e        join;
    int                      spread;
    int                      legacy;     /* was meant by its name, not alias */

    cqrs_query_item_t       *items;      /* NULL: none, "clients()" */
    cqrs_query_node_t       *children;   /* embeds and spreads, in order */
    cqrs_query_logic_t      *logic;      /* all must hold */
    cqrs_query_order_t      *orders;
    cqrs_query_number_t      limit_said;
    cqrs_query_number_t      offset_said;
    int64_t                  limit;      /* -1: none; -2: less than none */
    int64_t                  offset;     /* 0: none; below: of an embed, and
                                            the plan refuses it */

    cqrs_query_embed_t      *embed;      /* NULL until it is planned */
    cqrs_query_node_t       *next;
};


/* key=value, decoded. */
struct cqrs_query_pair_s {
    cqrs_str_t               key;
    cqrs_str_t               value;
    cqrs_query_pair_t       *next;
};


typedef struct {
    cqrs_query_node_t        root;       /* items: at least a star */
    cqrs_query_pair_t       *arguments;  /* of a function, as they came */
    cqrs_str_t               canonical;  /* the pairs sorted by key, encoded */
} cqrs_query_t;


/* Fills in an error; code and message must be constants. */
void cqrs_query_refuse(cqrs_query_error_t *error, unsigned status,
    const char *code, const char *message);

/* The same for a request that needs more memory than it may have. */
void cqrs_query_no_memory(cqrs_query_error_t *error);

/* The status of HTTP for an error of Postgres. */
unsigned cqrs_query_status(const char *sqlstate, int anonymous);


#endif /* CQRS_QUERY_H */
