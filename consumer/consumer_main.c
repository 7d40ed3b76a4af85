
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* cqrs-consumer: finds the command that was given, and runs it. */

#include "consumer_init.h"
#include "consumer_master.h"
#include "consumer_options.h"
#include "consumer_process.h"
#include "cqrs_version.h"

#include <stdio.h>
#include <string.h>


typedef struct {
    const char   *name;
    int         (*run)(const consumer_options_t *options);
} consumer_main_command_t;


static int consumer_main_command(const consumer_options_t *options);


static const consumer_main_command_t  consumer_main_commands[] = {
    { "run", consumer_master_run },
    { "init", consumer_init_run },
    { NULL, NULL }
};


static const char  consumer_main_help[] =
"usage: cqrs-consumer [COMMAND] [OPTION]...\n"
"\n"
"Commands:\n"
"  run    executes commands, relays events, notifies users (the default)\n"
"  init   installs the event store in the database, again without harm\n"
"\n"
"Options, and the variables that stand for them:\n"
"  --postgres CONNINFO  CQRS_POSTGRES    as libpq takes it (PGHOST...)\n"
"  --rabbitmq URL       CQRS_RABBITMQ    several: again, or with commas\n"
"                                        (amqp://guest:guest@127.0.0.1/)\n"
"  --redis URL          CQRS_REDIS       (redis://127.0.0.1:6379/0)\n"
"  --batch N            CQRS_BATCH       commands in one batch at most (64)\n"
"  --log-level LEVEL    CQRS_LOG_LEVEL   alert, crit, error, warn, notice,\n"
"                                        info, debug (notice)\n"
"  --partitions N       CQRS_PARTITIONS  for init; fixed from then on\n"
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
        rc = consumer_main_command(&options);
        break;

    default:
        rc = CONSUMER_EXIT_USAGE;
    }

    consumer_options_cleanup(&options);

    return rc;
}


static int
consumer_main_command(const consumer_options_t *options)
{
    const consumer_main_command_t  *command;

    for (command = consumer_main_commands; command->name; command++) {
        if (strcmp(command->name, options->command) == 0) {
            return command->run(options);
        }
    }

    fprintf(stderr, "cqrs-consumer: there is no command \"%s\"\n",
            options->command);

    return CONSUMER_EXIT_USAGE;
}
