
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* cqrs-consumer: finds the command that was given, and runs it. */

#include "consumer_dead.h"
#include "consumer_erase.h"
#include "consumer_init.h"
#include "consumer_master.h"
#include "consumer_options.h"
#include "consumer_parked.h"
#include "consumer_process.h"
#include "consumer_rebuild.h"
#include "consumer_spec.h"
#include "consumer_verify.h"
#include "cqrs_version.h"

#include <stdio.h>
#include <string.h>


typedef struct {
    const char   *name;
    const char   *verb;            /* the word after it; NULL: it has none */
    const char   *argument;        /* what is to follow; NULL: nothing */
    int         (*run)(const consumer_options_t *options);
    unsigned      all:1;           /* "--all" stands for it, too */
} consumer_main_command_t;


static int consumer_main_run(consumer_options_t *options);
static const consumer_main_command_t *consumer_main_find(
    consumer_options_t *options);
static void consumer_main_verbs(const char *name);


/* Those of one name stand together. */

static const consumer_main_command_t  consumer_main_commands[] = {
    { "run", NULL, NULL, consumer_master_run, 0 },
    { "init", NULL, NULL, consumer_init_run, 0 },
    { "spec", NULL, "a folder of fixtures", consumer_spec_run, 0 },
    { "dead", "list", NULL, consumer_dead_list, 0 },
    { "dead", "show", "an id or a place", consumer_dead_show, 0 },
    { "dead", "retry", "an id or a place", consumer_dead_retry, 0 },
    { "dead", "discard", "an id or a place", consumer_dead_discard, 0 },
    { "parked", "list", NULL, consumer_parked_list, 0 },
    { "parked", "show", "an id", consumer_parked_show, 0 },
    { "parked", "retry", "a stream, an id or --all", consumer_parked_retry,
      1 },
    { "parked", "discard", "an id", consumer_parked_discard, 0 },
    { "rebuild", NULL, "the name of a projection", consumer_rebuild_run, 0 },
    { "verify", NULL, NULL, consumer_verify_run, 0 },
    { "erase", NULL, "a subject", consumer_erase_run, 0 },
    { NULL, NULL, NULL, NULL, 0 }
};


static const char  consumer_main_help[] =
"usage: cqrs-consumer [COMMAND] [OPTION]...\n"
"\n"
"Commands:\n"
"  run    executes commands, relays events, notifies users (the default)\n"
"  init   installs the event store in the database, again without harm\n"
"  dead   list, or show, retry, discard ID or PLACE: the dead letters\n"
"  parked list, or show, discard ID, retry STREAM, ID or --all: commands\n"
"         that failed, and those that wait behind them\n"
"  spec   FOLDER: asks the handlers what its fixtures (*.json) say they do\n"
"  rebuild NAME: makes the tables of a projection anew, while all goes on\n"
"  verify checks the store, says what is wrong, and then exits with 1\n"
"  erase  SUBJECT: makes all unreadable that is personal of it\n"
"\n"
"Options, and the variables that stand for them:\n"
"  --postgres CONNINFO  CQRS_POSTGRES    as libpq takes it (PGHOST...)\n"
"  --rabbitmq URL       CQRS_RABBITMQ    several: again, or with commas\n"
"                                        (amqp://guest:guest@127.0.0.1/)\n"
"  --redis URL          CQRS_REDIS       (redis://127.0.0.1:6379/0)\n"
"  --batch N            CQRS_BATCH       commands in one batch at most (64)\n"
"  --name NAME          CQRS_NAME        what other daemons know it by\n"
"                                        (host, process and chance)\n"
"  --inbox-retention DAYS         CQRS_INBOX_RETENTION         how long\n"
"                                        commands are known by id (400)\n"
"  --notification-retention DAYS  CQRS_NOTIFICATION_RETENTION  (30)\n"
"                                        0: for ever\n"
"  --log-level LEVEL    CQRS_LOG_LEVEL   alert, crit, error, warn, notice,\n"
"                                        info, debug (notice)\n"
"  --partitions N       CQRS_PARTITIONS  for init; fixed from then on\n"
"  --handler FILE       CQRS_HANDLER     decides a category; several: again\n"
"  --handler-timeout S  CQRS_HANDLER_TIMEOUT  for one command (10)\n"
"  --cache N            CQRS_CACHE       states kept by each worker (10000)\n"
"  --json               answers for programs\n"
"  --all                for parked retry\n"
"  --help, --version\n";


int
main(int argc, char *const *argv)
{
    int                 rc;
    consumer_options_t  options;

    switch (consumer_options_init(&options, argc, argv)) {

    case CONSUMER_OPTIONS_HELP:
        fputs(consumer_main_help, stdout);
        rc = CONSUMER_EXIT_OK;
        break;

    case CONSUMER_OPTIONS_VERSION:
        puts("cqrs-consumer " CQRS_VERSION);
        rc = CONSUMER_EXIT_OK;
        break;

    case CONSUMER_OPTIONS_OK:
        consumer_log_init(options.log_level, "master");
        rc = consumer_main_run(&options);
        break;

    default:
        rc = CONSUMER_EXIT_USAGE;
    }

    consumer_options_cleanup(&options);

    return rc;
}


/* What is run gets the words that are left for it. */

static int
consumer_main_run(consumer_options_t *options)
{
    size_t                          nwords;
    const char                     *blank, *verb;
    const consumer_main_command_t  *command;

    command = consumer_main_find(options);
    if (command == NULL) {
        return CONSUMER_EXIT_USAGE;
    }

    nwords = (command->argument && !(command->all && options->all)) ? 1 : 0;

    if (options->nwords < nwords) {
        blank = command->verb ? " " : "";
        verb = command->verb ? command->verb : "";

        fprintf(stderr, "cqrs-consumer: \"%s%s%s\" wants %s\n",
                command->name, blank, verb, command->argument);
        return CONSUMER_EXIT_USAGE;
    }

    if (options->nwords > nwords) {
        fprintf(stderr, "cqrs-consumer: \"%s\" is one argument too many\n",
                options->words[nwords]);
        return CONSUMER_EXIT_USAGE;
    }

    return command->run(options);
}


static const consumer_main_command_t *
consumer_main_find(consumer_options_t *options)
{
    const char                     *name;
    const consumer_main_command_t  *command;

    name = NULL;

    for (command = consumer_main_commands; command->name; command++) {

        if (strcmp(command->name, options->command) != 0) {
            continue;
        }

        if (command->verb == NULL) {
            return command;
        }

        if (options->nwords && strcmp(command->verb, options->words[0]) == 0) {
            options->words++;
            options->nwords--;
            return command;
        }

        name = command->name;
    }

    if (name == NULL) {
        fprintf(stderr, "cqrs-consumer: there is no command \"%s\"\n",
                options->command);

    } else if (options->nwords) {
        fprintf(stderr, "cqrs-consumer: there is no command \"%s %s\", but ",
                name, options->words[0]);
        consumer_main_verbs(name);

    } else {
        fprintf(stderr, "cqrs-consumer: \"%s\" wants a word more: ", name);
        consumer_main_verbs(name);
    }

    return NULL;
}


static void
consumer_main_verbs(const char *name)
{
    const char                     *comma;
    const consumer_main_command_t  *command;

    comma = "";

    for (command = consumer_main_commands; command->name; command++) {

        if (strcmp(command->name, name) == 0) {
            fprintf(stderr, "%s%s", comma, command->verb);
            comma = ", ";
        }
    }

    fputc('\n', stderr);
}
