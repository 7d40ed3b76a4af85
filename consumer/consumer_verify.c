
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Makes the checks of sql/verify, one after the other, of one moment of the
 * store: in one REPEATABLE READ transaction, which is rolled back.
 *
 * Everything else goes on meanwhile, but a rebuilt projection is not promoted:
 * its tables would be newer than the moment that we look at.
 */

#include "consumer_verify.h"
#include "consumer_pg.h"
#include "consumer_process.h"
#include "consumer_verify_fold.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


typedef struct {
    consumer_pg_t   pg;
    unsigned        checks;
    unsigned        wrong;
    unsigned        json:1;
} consumer_verify_t;


typedef struct {
    const char     *what;
    const char     *subject;      /* NULL: there is only one such check */
    const char     *checked;      /* NULL: nothing */
    const char     *skipped;      /* why; NULL: it was not */
    int64_t         wrong;
    json_t         *examples;     /* sentences */
} consumer_verify_check_t;


static int consumer_verify_begin(consumer_verify_t *v, PGresult **list);
static int consumer_verify_check(consumer_verify_t *v, const char *what,
    const char *subject);
static int consumer_verify_states(consumer_verify_t *v,
    const cqrs_handler_t *handler, const char *what);
static int consumer_verify_say(consumer_verify_t *v,
    const consumer_verify_check_t *check);
static const char *consumer_verify_result(
    const consumer_verify_check_t *check);
static void consumer_verify_text(const consumer_verify_check_t *check);
static int consumer_verify_json(const consumer_verify_check_t *check);
static int consumer_verify_query(consumer_verify_t *v, const char *sql,
    int nparams, const char *const *params, PGresult **res);


int
consumer_verify_run(const consumer_options_t *options)
{
    int                rc, row;
    PGresult          *list;
    const char        *subject;
    consumer_verify_t  v;

    memset(&v, 0, sizeof(v));

    v.json = options->json;

    if (consumer_handler_load(options) != 0) {
        return CONSUMER_EXIT_USAGE;
    }

    if (consumer_handler_init() != 0) {
        return CONSUMER_EXIT_ERROR;
    }

    consumer_pg_init(&v.pg, options->postgres, "cqrs-consumer verify");

    rc = consumer_verify_begin(&v, &list);

    for (row = 0; rc == 0 && row < PQntuples(list); row++) {
        subject = PQgetisnull(list, row, 1) ? NULL : PQgetvalue(list, row, 1);

        rc = consumer_verify_check(&v, PQgetvalue(list, row, 0), subject);
    }

    PQclear(list);
    consumer_pg_cleanup(&v.pg);
    consumer_handler_cleanup();

    if (rc != 0) {
        return CONSUMER_EXIT_ERROR;
    }

    if (!v.json) {
        if (v.wrong) {
            printf("%u of %u checks found something wrong.\n", v.wrong,
                   v.checks);
        } else {
            printf("Nothing is wrong.\n");
        }
    }

    return v.wrong ? CONSUMER_EXIT_ERROR : CONSUMER_EXIT_OK;
}


static int
consumer_verify_begin(consumer_verify_t *v, PGresult **list)
{
    size_t     i;
    PGresult  *res;

    /*
     * A server whose client is gone notices it while it works.  The lock is
     * that of cqrs.promote_rebuild(); it must be there before we see anything.
     */

    static const char *const  statements[] = {
        "select set_config('client_connection_check_interval', '1s', false),"
        " set_config('statement_timeout', '0', false),"
        " set_config('idle_in_transaction_session_timeout', '0', false)",
        "select pg_advisory_lock_shared(1668379254, 0)",
        "begin isolation level repeatable read"
    };

    *list = NULL;

    for (i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
        if (consumer_verify_query(v, statements[i], 0, NULL, &res) != 0) {
            return -1;
        }

        PQclear(res);
    }

    return consumer_verify_query(v, "select what, subject"
                                 " from cqrs.verify_list()", 0, NULL, list);
}


static int
consumer_verify_check(consumer_verify_t *v, const char *what,
    const char *subject)
{
    int                       rc;
    PGresult                 *res;
    const char               *params[2];
    const cqrs_handler_t     *handler;
    consumer_verify_check_t   check;

    handler = (strcmp(what, "states") == 0) ? consumer_verify_handler(subject)
                                            : NULL;

    if (handler) {
        return consumer_verify_states(v, handler, what);
    }

    params[0] = what;
    params[1] = subject;

    if (consumer_verify_query(v, "select checked, wrong, skipped,"
                              " coalesce(to_json(examples), '[]')"
                              " from cqrs.verify($1, $2)", 2, params, &res)
        != 0)
    {
        return -1;
    }

    check.what = what;
    check.subject = subject;
    check.checked = PQgetisnull(res, 0, 0) ? NULL : PQgetvalue(res, 0, 0);
    check.wrong = consumer_pg_number(res, 0, 1);
    check.skipped = PQgetisnull(res, 0, 2) ? NULL : PQgetvalue(res, 0, 2);
    check.examples = json_loads(PQgetvalue(res, 0, 3), 0, NULL);

    rc = consumer_verify_say(v, &check);

    json_decref(check.examples);
    PQclear(res);

    return rc;
}


/* What is decided in C is folded in C. */

static int
consumer_verify_states(consumer_verify_t *v, const cqrs_handler_t *handler,
    const char *what)
{
    int                       rc;
    char                      checked[128];
    consumer_verify_fold_t    fold;
    consumer_verify_check_t   check;

    rc = consumer_verify_fold(&v->pg, handler, &fold);

    if (rc != 0) {
        fprintf(stderr, "cqrs-consumer: postgres: %s\n", v->pg.error);

    } else {
        snprintf(checked, sizeof(checked), "%" PRId64 " stream%s, %" PRId64
                 " to be folded anew when they are needed, %" PRId64
                 " of which events are missing", fold.streams,
                 fold.streams == 1 ? "" : "s", fold.later, fold.cut);

        check.what = what;
        check.subject = handler->category;
        check.checked = checked;
        check.skipped = NULL;
        check.wrong = fold.wrong;
        check.examples = fold.examples;

        rc = consumer_verify_say(v, &check);
    }

    json_decref(fold.examples);

    return rc;
}


static const char *
consumer_verify_result(const consumer_verify_check_t *check)
{
    return check->wrong ? "wrong" : check->skipped ? "skipped" : "ok";
}


static int
consumer_verify_say(consumer_verify_t *v, const consumer_verify_check_t *check)
{
    int  rc;

    v->checks++;

    if (check->wrong) {
        v->wrong++;
    }

    if (check->examples == NULL) {
        fprintf(stderr, "cqrs-consumer: no memory\n");
        return -1;
    }

    rc = 0;

    if (v->json) {
        rc = consumer_verify_json(check);
    } else {
        consumer_verify_text(check);
    }

    /* the next check may take long */

    fflush(stdout);

    return rc;
}


static void
consumer_verify_text(const consumer_verify_check_t *check)
{
    char     name[128];
    size_t   i;
    json_t  *example;

    snprintf(name, sizeof(name), "%s%s%s", check->what,
             check->subject ? " " : "", check->subject ? check->subject : "");

    printf("%-8s %-24s %s%s%s\n", consumer_verify_result(check), name,
           check->checked ? check->checked : "",
           check->checked && check->skipped ? "; " : "",
           check->skipped ? check->skipped : "");

    if (check->wrong) {
        printf("%33s %lld wrong:\n", "", (long long) check->wrong);
    }

    json_array_foreach(check->examples, i, example) {
        printf("%33s %s\n", "", json_string_value(example));
    }
}


static int
consumer_verify_json(const consumer_verify_check_t *check)
{
    int      rc;
    char    *text;
    json_t  *line;

    line = json_pack("{s:s, s:s?, s:s, s:s?, s:I, s:s?, s:O}",
                     "check", check->what,
                     "subject", check->subject,
                     "result", consumer_verify_result(check),
                     "checked", check->checked,
                     "wrong", (json_int_t) check->wrong,
                     "skipped", check->skipped,
                     "examples", check->examples);

    text = line ? json_dumps(line, JSON_COMPACT) : NULL;

    rc = text ? 0 : -1;

    if (text) {
        puts(text);
    } else {
        fprintf(stderr, "cqrs-consumer: no memory\n");
    }

    free(text);
    json_decref(line);

    return rc;
}


static int
consumer_verify_query(consumer_verify_t *v, const char *sql, int nparams,
    const char *const *params, PGresult **res)
{
    /* what a new connection sees is another moment */

    if ((v->pg.conn || v->pg.sqlstate[0] == '\0')
        && consumer_pg_query(&v->pg, sql, nparams, params, res)
           == CONSUMER_PG_OK)
    {
        return 0;
    }

    fprintf(stderr, "cqrs-consumer: postgres: %s\n", v->pg.error);
    *res = NULL;

    return -1;
}
