
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "consumer_verify_fold.h"
#include "cqrs_json.h"

#include <stdio.h>
#include <string.h>


#define CONSUMER_VERIFY_FOLD_CHUNK     "200"
#define CONSUMER_VERIFY_FOLD_EXAMPLES  3
#define CONSUMER_VERIFY_FOLD_STREAM    256


typedef struct {
    consumer_pg_t           *pg;
    const cqrs_handler_t    *handler;
    consumer_verify_fold_t  *fold;
    cqrs_json_t              folds;       /* of a chunk, for the store */
    char                     after[CONSUMER_VERIFY_FOLD_STREAM];
} consumer_verify_folding_t;


static int consumer_verify_fold_chunk(consumer_verify_folding_t *f,
    int *rows);
static int consumer_verify_fold_stream(consumer_verify_folding_t *f,
    const PGresult *res, int row, int *folded);
static int consumer_verify_fold_compare(consumer_verify_folding_t *f);
static int consumer_verify_fold_wrong(consumer_verify_folding_t *f,
    json_t *sentence);


const cqrs_handler_t *
consumer_verify_handler(const char *category)
{
    int   len;
    char  stream[CONSUMER_VERIFY_FOLD_STREAM];

    /* handlers are known by the streams they are for */

    len = snprintf(stream, sizeof(stream), "%s-1", category);

    return consumer_handler_find(stream, (size_t) len);
}


int
consumer_verify_fold(consumer_pg_t *pg, const cqrs_handler_t *handler,
    consumer_verify_fold_t *fold)
{
    int                        rc, rows;
    consumer_verify_folding_t  f;

    memset(fold, 0, sizeof(*fold));
    memset(&f, 0, sizeof(f));

    f.pg = pg;
    f.handler = handler;
    f.fold = fold;

    cqrs_json_init(&f.folds);

    fold->examples = json_array();

    do {
        rc = consumer_verify_fold_chunk(&f, &rows);
    } while (rc == 0 && rows);

    cqrs_json_cleanup(&f.folds);

    return rc;
}


static int
consumer_verify_fold_chunk(consumer_verify_folding_t *f, int *rows)
{
    int          row, rc, folded;
    PGresult    *res;
    const char  *params[3];

    params[0] = f->handler->category;
    params[1] = f->after;
    params[2] = CONSUMER_VERIFY_FOLD_CHUNK;

    if (consumer_pg_query(f->pg, "select stream, later, complete, events"
                          " from cqrs.verify_logs($1, $2, $3)", 3, params,
                          &res)
        != CONSUMER_PG_OK)
    {
        return -1;
    }

    *rows = PQntuples(res);

    cqrs_json_clear(&f->folds);
    cqrs_json_text(&f->folds, "[");

    rc = 0;
    folded = 0;

    for (row = 0; rc == 0 && row < *rows; row++) {
        rc = consumer_verify_fold_stream(f, res, row, &folded);
    }

    if (*rows) {
        snprintf(f->after, sizeof(f->after), "%s",
                 PQgetvalue(res, *rows - 1, 0));
    }

    PQclear(res);

    cqrs_json_text(&f->folds, "]");

    if (rc == 0 && folded) {
        rc = consumer_verify_fold_compare(f);
    }

    return rc;
}


static int
consumer_verify_fold_stream(consumer_verify_folding_t *f, const PGresult *res,
    int row, int *folded)
{
    int          rc;
    char         error[CONSUMER_HANDLER_ERROR_MAX];
    json_t      *events, *state;
    const char  *stream;

    if (PQgetvalue(res, row, 1)[0] == 't') {
        f->fold->later++;
        return 0;
    }

    if (PQgetvalue(res, row, 2)[0] != 't') {
        f->fold->cut++;
        return 0;
    }

    f->fold->streams++;

    stream = PQgetvalue(res, row, 0);
    state = NULL;

    events = consumer_handler_parse(PQgetvalue(res, row, 3),
                                    (size_t) PQgetlength(res, row, 3));

    rc = events ? consumer_handler_fold(f->handler, &state, events, error)
                : -1;

    if (rc != 0) {
        json_decref(events);
        return consumer_verify_fold_wrong(f,
                   json_sprintf("%s can't be folded: %s", stream,
                                events ? error : "no memory"));
    }

    cqrs_json_text(&f->folds, (*folded)++ ? ",{\"stream\":" : "{\"stream\":");
    cqrs_json_string(&f->folds, stream, strlen(stream));
    cqrs_json_text(&f->folds, ",\"state\":");
    cqrs_json_value(&f->folds, state);
    cqrs_json_text(&f->folds, "}");

    json_decref(state);
    json_decref(events);

    return 0;
}


static int
consumer_verify_fold_compare(consumer_verify_folding_t *f)
{
    int          row, rc;
    PGresult    *res;
    const char  *params[1];

    params[0] = cqrs_json_end(&f->folds);

    if (params[0] == NULL) {
        snprintf(f->pg->error, sizeof(f->pg->error), "no memory");
        return -1;
    }

    if (consumer_pg_query(f->pg, "select stream from cqrs.verify_folds($1)", 1,
                          params, &res)
        != CONSUMER_PG_OK)
    {
        return -1;
    }

    rc = 0;

    for (row = 0; rc == 0 && row < PQntuples(res); row++) {
        rc = consumer_verify_fold_wrong(f,
                 json_sprintf("the state of %s is not what its events fold to",
                              PQgetvalue(res, row, 0)));
    }

    PQclear(res);

    return rc;
}


/* Takes the sentence over. */

static int
consumer_verify_fold_wrong(consumer_verify_folding_t *f, json_t *sentence)
{
    f->fold->wrong++;

    if (f->fold->wrong > CONSUMER_VERIFY_FOLD_EXAMPLES) {
        json_decref(sentence);
        return 0;
    }

    if (json_array_append_new(f->fold->examples, sentence) != 0) {
        snprintf(f->pg->error, sizeof(f->pg->error), "no memory");
        return -1;
    }

    return 0;
}
