
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "consumer_options.h"
#include "consumer_amqp.h"
#include "consumer_redis.h"

#include <getopt.h>
#include <libpq-fe.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


typedef int (*consumer_option_pt)(consumer_options_t *options,
    const char *name, const char *value);


/* An option without a variable is a flag: it takes no value. */

typedef struct {
    const char          *name;
    const char          *env;
    consumer_option_pt   set;
} consumer_option_t;


static consumer_options_e consumer_options_read(consumer_options_t *options,
    int argc, char *const *argv);
static int consumer_options_defaults(consumer_options_t *options);
static int consumer_options_postgres(consumer_options_t *options,
    const char *name, const char *value);
static int consumer_options_rabbitmq(consumer_options_t *options,
    const char *name, const char *value);
static int consumer_options_redis(consumer_options_t *options,
    const char *name, const char *value);
static int consumer_options_batch(consumer_options_t *options,
    const char *name, const char *value);
static int consumer_options_name(consumer_options_t *options,
    const char *name, const char *value);
static int consumer_options_partitions(consumer_options_t *options,
    const char *name, const char *value);
static int consumer_options_handler(consumer_options_t *options,
    const char *name, const char *value);
static int consumer_options_handler_timeout(consumer_options_t *options,
    const char *name, const char *value);
static int consumer_options_cache(consumer_options_t *options,
    const char *name, const char *value);
static int consumer_options_log_level(consumer_options_t *options,
    const char *name, const char *value);
static int consumer_options_json(consumer_options_t *options,
    const char *name, const char *value);
static int consumer_options_all(consumer_options_t *options,
    const char *name, const char *value);
static int consumer_options_inbox_days(consumer_options_t *options,
    const char *name, const char *value);
static int consumer_options_notification_days(consumer_options_t *options,
    const char *name, const char *value);
static int consumer_options_number(const char *name, const char *value,
    unsigned min, unsigned max, unsigned *number);
static int consumer_options_string(char **dst, const char *value);
static int consumer_options_refuse(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));


static const consumer_option_t  consumer_options[] = {
    { "postgres",   "CQRS_POSTGRES",   consumer_options_postgres },
    { "rabbitmq",   "CQRS_RABBITMQ",   consumer_options_rabbitmq },
    { "redis",      "CQRS_REDIS",      consumer_options_redis },
    { "batch",      "CQRS_BATCH",      consumer_options_batch },
    { "name",       "CQRS_NAME",       consumer_options_name },
    { "partitions", "CQRS_PARTITIONS", consumer_options_partitions },
    { "handler",    "CQRS_HANDLER",    consumer_options_handler },
    { "handler-timeout", "CQRS_HANDLER_TIMEOUT",
      consumer_options_handler_timeout },
    { "cache",      "CQRS_CACHE",      consumer_options_cache },
    { "inbox-retention", "CQRS_INBOX_RETENTION", consumer_options_inbox_days },
    { "notification-retention", "CQRS_NOTIFICATION_RETENTION",
      consumer_options_notification_days },
    { "log-level",  "CQRS_LOG_LEVEL",  consumer_options_log_level },
    { "json",       NULL,              consumer_options_json },
    { "all",        NULL,              consumer_options_all }
};

#define CONSUMER_NOPTIONS                                                     \
    (sizeof(consumer_options) / sizeof(consumer_options[0]))


consumer_options_e
consumer_options_init(consumer_options_t *options, int argc,
    char *const *argv)
{
    consumer_options_e  rc;

    memset(options, 0, sizeof(*options));

    options->command = "run";
    options->batch = 64;
    options->handler_timeout = 10;
    options->cache = 10000;
    options->inbox_days = 400;
    options->notification_days = 30;
    options->log_level = CONSUMER_LOG_NOTICE;

    rc = consumer_options_read(options, argc, argv);

    if (rc == CONSUMER_OPTIONS_OK && consumer_options_defaults(options) != 0) {
        return CONSUMER_OPTIONS_ERROR;
    }

    return rc;
}


static consumer_options_e
consumer_options_read(consumer_options_t *options, int argc,
    char *const *argv)
{
    int                   c;
    size_t                i;
    char                  given[CONSUMER_NOPTIONS];
    const char           *value;
    struct option         longs[CONSUMER_NOPTIONS + 3];

    memset(given, 0, sizeof(given));
    memset(longs, 0, sizeof(longs));

    for (i = 0; i < CONSUMER_NOPTIONS; i++) {
        longs[i].name = consumer_options[i].name;
        longs[i].has_arg = consumer_options[i].env ? required_argument
                                                   : no_argument;
        longs[i].val = 256 + (int) i;
    }

    longs[i].name = "help";
    longs[i++].val = 'h';
    longs[i].name = "version";
    longs[i].val = 'V';

    opterr = 0;

    while ((c = getopt_long(argc, argv, ":hV", longs, NULL)) != -1) {

        switch (c) {

        case 'h':
            return CONSUMER_OPTIONS_HELP;

        case 'V':
            return CONSUMER_OPTIONS_VERSION;

        case ':':
            consumer_options_refuse("option \"%s\" wants a value",
                                    argv[optind - 1]);
            return CONSUMER_OPTIONS_ERROR;

        case '?':
            consumer_options_refuse("there is no option \"%s\"",
                                    argv[optind - 1]);
            return CONSUMER_OPTIONS_ERROR;

        default:
            i = (size_t) c - 256;
            given[i] = 1;

            if (consumer_options[i].set(options, longs[i].name, optarg) != 0) {
                return CONSUMER_OPTIONS_ERROR;
            }
        }
    }

    if (optind < argc) {
        options->command = argv[optind++];
    }

    options->words = (const char *const *) &argv[optind];
    options->nwords = (size_t) (argc - optind);

    for (i = 0; i < CONSUMER_NOPTIONS; i++) {

        if (given[i] || consumer_options[i].env == NULL) {
            continue;
        }

        value = getenv(consumer_options[i].env);

        if (value && *value
            && consumer_options[i].set(options, consumer_options[i].env, value)
               != 0)
        {
            return CONSUMER_OPTIONS_ERROR;
        }
    }

    return CONSUMER_OPTIONS_OK;
}


static int
consumer_options_defaults(consumer_options_t *options)
{
    if (options->postgres == NULL
        && consumer_options_string(&options->postgres, "") != 0)
    {
        return -1;
    }

    if (options->redis == NULL
        && consumer_options_string(&options->redis, "redis://127.0.0.1:6379/0")
           != 0)
    {
        return -1;
    }

    if (options->nrabbitmq == 0) {
        return consumer_options_rabbitmq(options, "rabbitmq",
                                         "amqp://guest:guest@127.0.0.1:5672/");
    }

    return 0;
}


void
consumer_options_cleanup(consumer_options_t *options)
{
    size_t  i;

    for (i = 0; i < options->nrabbitmq; i++) {
        free(options->rabbitmq[i]);
    }

    for (i = 0; i < options->nhandlers; i++) {
        free(options->handlers[i]);
    }

    free(options->name);
    free(options->postgres);
    free(options->redis);
}


static int
consumer_options_postgres(consumer_options_t *options, const char *name,
    const char *value)
{
    char              *reason;
    PQconninfoOption  *parsed;

    reason = NULL;
    parsed = PQconninfoParse(value, &reason);

    PQfreemem(reason);

    /* what libpq says may quote a password */

    if (parsed == NULL) {
        return consumer_options_refuse("invalid connection string in \"%s\"",
                                       name);
    }

    PQconninfoFree(parsed);

    return consumer_options_string(&options->postgres, value);
}


static int
consumer_options_rabbitmq(consumer_options_t *options, const char *name,
    const char *value)
{
    char         *url;
    size_t        len;
    const char   *reason;

    for ( ;; ) {
        value += strspn(value, ", ");
        len = strcspn(value, ", ");

        if (len == 0) {
            break;
        }

        if (options->nrabbitmq == CONSUMER_RABBITMQ_MAX) {
            return consumer_options_refuse("more than %d addresses in \"%s\"",
                                           CONSUMER_RABBITMQ_MAX, name);
        }

        url = strndup(value, len);
        if (url == NULL) {
            return consumer_options_refuse("no memory");
        }

        options->rabbitmq[options->nrabbitmq++] = url;

        reason = consumer_amqp_check_url(url);
        if (reason) {
            return consumer_options_refuse("invalid address in \"%s\": %s",
                                           name, reason);
        }

        value += len;
    }

    if (options->nrabbitmq == 0) {
        return consumer_options_refuse("no address in \"%s\"", name);
    }

    return 0;
}


static int
consumer_options_redis(consumer_options_t *options, const char *name,
    const char *value)
{
    const char  *reason;

    reason = consumer_redis_check_url(value);

    if (reason) {
        return consumer_options_refuse("invalid address in \"%s\": %s", name,
                                       reason);
    }

    return consumer_options_string(&options->redis, value);
}


static int
consumer_options_batch(consumer_options_t *options, const char *name,
    const char *value)
{
    return consumer_options_number(name, value, 1, CONSUMER_BATCH_MAX,
                                   &options->batch);
}


static int
consumer_options_name(consumer_options_t *options, const char *name,
    const char *value)
{
    size_t  len;

    len = strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789"
                        "ABCDEFGHIJKLMNOPQRSTUVWXYZ.-_");

    if (len == 0 || value[len] != '\0' || len > CONSUMER_NAME_MAX) {
        return consumer_options_refuse("\"%s\" in \"%s\" is not a name of at "
                                       "most %d letters, digits, \".\", \"-\" "
                                       "and \"_\"", value, name,
                                       CONSUMER_NAME_MAX);
    }

    return consumer_options_string(&options->name, value);
}


static int
consumer_options_partitions(consumer_options_t *options, const char *name,
    const char *value)
{
    return consumer_options_number(name, value, 1, CONSUMER_PARTITIONS_MAX,
                                   &options->partitions);
}


static int
consumer_options_handler(consumer_options_t *options, const char *name,
    const char *value)
{
    char    *file;
    size_t   len;

    for ( ;; ) {
        value += strspn(value, ", ");
        len = strcspn(value, ",");

        if (len == 0) {
            return 0;
        }

        if (options->nhandlers == CONSUMER_HANDLERS_MAX) {
            return consumer_options_refuse("more than %d handlers in \"%s\"",
                                           CONSUMER_HANDLERS_MAX, name);
        }

        file = strndup(value, len);
        if (file == NULL) {
            return consumer_options_refuse("no memory");
        }

        options->handlers[options->nhandlers++] = file;
        value += len;
    }
}


static int
consumer_options_inbox_days(consumer_options_t *options, const char *name,
    const char *value)
{
    return consumer_options_number(name, value, 0, CONSUMER_DAYS_MAX,
                                   &options->inbox_days);
}


static int
consumer_options_handler_timeout(consumer_options_t *options,
    const char *name, const char *value)
{
    return consumer_options_number(name, value, 1,
                                   CONSUMER_HANDLER_TIMEOUT_MAX,
                                   &options->handler_timeout);
}


static int
consumer_options_cache(consumer_options_t *options, const char *name,
    const char *value)
{
    return consumer_options_number(name, value, 1, CONSUMER_CACHE_MAX,
                                   &options->cache);
}


static int
consumer_options_notification_days(consumer_options_t *options,
    const char *name, const char *value)
{
    return consumer_options_number(name, value, 0, CONSUMER_DAYS_MAX,
                                   &options->notification_days);
}


static int
consumer_options_log_level(consumer_options_t *options, const char *name,
    const char *value)
{
    if (consumer_log_level(value, &options->log_level) != 0) {
        return consumer_options_refuse("invalid level \"%s\" in \"%s\"", value,
                                       name);
    }

    return 0;
}


static int
consumer_options_json(consumer_options_t *options, const char *name,
    const char *value)
{
    (void) name;
    (void) value;

    options->json = 1;

    return 0;
}


static int
consumer_options_all(consumer_options_t *options, const char *name,
    const char *value)
{
    (void) name;
    (void) value;

    options->all = 1;

    return 0;
}


static int
consumer_options_number(const char *name, const char *value, unsigned min,
    unsigned max, unsigned *number)
{
    char  *end;
    long   n;

    n = strtol(value, &end, 10);

    if (end == value || *end != '\0' || n < (long) min || n > (long) max) {
        return consumer_options_refuse("\"%s\" in \"%s\" is not a number from "
                                       "%u to %u", value, name, min, max);
    }

    *number = (unsigned) n;

    return 0;
}


static int
consumer_options_string(char **dst, const char *value)
{
    char  *copy;

    copy = strdup(value);
    if (copy == NULL) {
        return consumer_options_refuse("no memory");
    }

    free(*dst);
    *dst = copy;

    return 0;
}


static int
consumer_options_refuse(const char *fmt, ...)
{
    va_list  args;

    fputs("cqrs-consumer: ", stderr);

    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);

    fputc('\n', stderr);

    return -1;
}
