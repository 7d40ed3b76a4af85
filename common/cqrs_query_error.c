
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* Errors as PostgREST tells them, and its statuses for those of Postgres. */

#include "cqrs_query.h"


typedef struct {
    const char  *sqlstate;             /* all of it, or the class */
    unsigned     status;
} cqrs_query_status_t;


/* The first one that fits counts; what is not here is the client's fault. */

static const cqrs_query_status_t  cqrs_query_statuses[] = {
    { "21000", 500 },
    { "23503", 409 },
    { "23505", 409 },
    { "25006", 405 },
    { "42883", 404 },
    { "42P01", 404 },
    { "42P17", 500 },
    { "53400", 500 },
    { "57P01", 503 },
    { "P0001", 400 },
    { "08",    503 },
    { "09",    500 },
    { "0L",    403 },
    { "0P",    403 },
    { "25",    500 },
    { "28",    403 },
    { "2D",    500 },
    { "38",    500 },
    { "39",    500 },
    { "3B",    500 },
    { "40",    500 },
    { "53",    503 },
    { "54",    500 },
    { "55",    500 },
    { "57",    500 },
    { "58",    500 },
    { "F0",    500 },
    { "HV",    500 },
    { "P0",    500 },
    { "XX",    500 },
    { NULL,    400 }
};


unsigned
cqrs_query_status(const char *sqlstate, int anonymous)
{
    unsigned                    n;
    const cqrs_query_status_t  *entry;

    if (strcmp(sqlstate, "42501") == 0) {
        return anonymous ? 401 : 403;
    }

    /* "raise" of a function may name a status: PT402 */

    if (strncmp(sqlstate, "PT", 2) == 0) {

        n = 0;

        for (sqlstate += 2; *sqlstate >= '0' && *sqlstate <= '9'; sqlstate++) {
            n = n * 10 + (unsigned) (*sqlstate - '0');
        }

        return (*sqlstate == '\0' && n >= 200 && n <= 599) ? n : 500;
    }

    for (entry = cqrs_query_statuses; entry->sqlstate; entry++) {
        if (strncmp(sqlstate, entry->sqlstate, strlen(entry->sqlstate)) == 0) {
            break;
        }
    }

    return entry->status;
}


void
cqrs_query_refuse(cqrs_query_error_t *error, unsigned status,
    const char *code, const char *message)
{
    memset(error, 0, sizeof(cqrs_query_error_t));

    error->status = status;
    error->code = code;
    error->message.data = message;
    error->message.len = strlen(message);
}


void
cqrs_query_no_memory(cqrs_query_error_t *error)
{
    cqrs_query_refuse(error, 414, "PGRST100", "The request is too large");
}
