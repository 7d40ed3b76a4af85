
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The master: one worker for each partition, the relay, the projector, the
 * process manager.
 *
 * It talks to nobody but its workers, and does nothing that could fail while
 * they run.  A worker that ends is started again, later each time.  SIGTERM
 * lets the workers finish what they have in hand; a second one, or too long a
 * time, kills them, which loses nothing either.
 */

#include "consumer_master.h"
#include "consumer_handler.h"
#include "consumer_pg.h"
#include "consumer_process.h"
#include "consumer_worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>


#define CONSUMER_MASTER_RETRY_MIN  200
#define CONSUMER_MASTER_RETRY_MAX  10000

/* A worker that lived for so long is started again at once. */
#define CONSUMER_MASTER_HEALTHY    10000

/* Less than the ten seconds that container runtimes wait. */
#define CONSUMER_MASTER_LEAVE      8000

#define CONSUMER_MASTER_TICK       60000


typedef struct {
    consumer_worker_t     worker;
    consumer_worker_pt    run;
    pid_t                 pid;            /* 0: to be started */
    uint64_t              started_at;
    uint64_t              start_at;
    consumer_backoff_t    backoff;
} consumer_process_t;


typedef struct {
    consumer_process_t   *processes;
    size_t                n;
    consumer_crashes_t   *crashes;        /* one for each partition */
    unsigned              partitions;
    int                   wakeup;
    int                   projector;      /* wakes that one */
    int                   status;         /* the master's own */
    unsigned              leaving:1;
} consumer_master_t;


static int consumer_master_init(consumer_master_t *master,
    const consumer_options_t *options);
static void consumer_master_name(const consumer_options_t *options,
    char name[CONSUMER_NAME_MAX + 1]);
static int consumer_master_partitions(const consumer_options_t *options,
    unsigned *partitions, int *status);
static void consumer_master_start(consumer_master_t *master);
static void consumer_master_fork(consumer_process_t *process);
static int consumer_master_child(consumer_process_t *process, pid_t master);
static void consumer_master_wait(consumer_master_t *master);
static void consumer_master_reap(consumer_master_t *master);
static void consumer_master_ended(consumer_master_t *master,
    consumer_process_t *process, int status);
static void consumer_master_leave(consumer_master_t *master);
static void consumer_master_signal(consumer_master_t *master, int signo);
static int consumer_master_alive(consumer_master_t *master);


int
consumer_master_run(const consumer_options_t *options)
{
    consumer_master_t  master;

    if (consumer_handler_load(options) != 0) {
        return CONSUMER_EXIT_USAGE;
    }

    if (consumer_master_init(&master, options) != 0) {
        return master.status;
    }

    while (!consumer_terminated() && !master.leaving) {
        consumer_master_start(&master);
        consumer_master_wait(&master);
        consumer_master_reap(&master);
    }

    consumer_master_leave(&master);

    close(master.wakeup);
    close(master.projector);
    consumer_crashes_destroy(master.crashes, master.partitions);
    free(master.processes);

    consumer_log(CONSUMER_LOG_NOTICE, "leaves");

    return master.status;
}


static int
consumer_master_init(consumer_master_t *master,
    const consumer_options_t *options)
{
    char                 daemon[CONSUMER_NAME_MAX + 1];
    size_t               i;
    unsigned             partitions;
    consumer_process_t  *process;

    memset(master, 0, sizeof(*master));
    master->status = CONSUMER_EXIT_ERROR;

    if (consumer_signals_init() == -1) {
        consumer_log(CONSUMER_LOG_CRIT, "signals: %s", strerror(errno));
        return -1;
    }

    consumer_log(CONSUMER_LOG_NOTICE, "starts");

    if (consumer_master_partitions(options, &partitions, &master->status)
        != 0)
    {
        return -1;
    }

    master->n = partitions + 3;
    master->processes = calloc(master->n, sizeof(consumer_process_t));
    if (master->processes == NULL) {
        consumer_log(CONSUMER_LOG_CRIT, "no memory");
        return -1;
    }

    master->partitions = partitions;
    master->crashes = consumer_crashes_create(partitions);
    if (master->crashes == NULL) {
        consumer_log(CONSUMER_LOG_CRIT, "no memory");
        free(master->processes);
        return -1;
    }

    master->wakeup = eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC);
    master->projector = eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC);

    if (master->wakeup == -1 || master->projector == -1) {
        consumer_log(CONSUMER_LOG_CRIT, "eventfd: %s", strerror(errno));
        consumer_crashes_destroy(master->crashes, partitions);
        free(master->processes);
        return -1;
    }

    consumer_master_name(options, daemon);

    for (i = 0; i < master->n; i++) {
        process = &master->processes[i];

        process->backoff.min = CONSUMER_MASTER_RETRY_MIN;
        process->backoff.max = CONSUMER_MASTER_RETRY_MAX;
        process->worker.options = options;
        process->worker.partitions = partitions;
        process->worker.wakeup = master->wakeup;
        process->worker.projector = master->projector;

        if (i < partitions) {
            process->run = consumer_partition_run;
            process->worker.partition = (unsigned) i;
            process->worker.crashes = &master->crashes[i];
            snprintf(process->worker.name, sizeof(process->worker.name),
                     "partition %zu", i);

        } else if (i == partitions) {
            process->run = consumer_relay_run;
            strcpy(process->worker.name, "relay");

        } else if (i == partitions + 1) {
            process->run = consumer_projector_run;
            strcpy(process->worker.name, "projector");

        } else {
            process->run = consumer_manager_run;
            strcpy(process->worker.name, "manager");
        }

        snprintf(process->worker.owner, sizeof(process->worker.owner),
                 "cqrs-consumer %s %s", process->worker.name, daemon);
        strcpy(process->worker.daemon, daemon);
    }

    master->status = CONSUMER_EXIT_OK;

    return 0;
}


/*
 * Two daemons of one name would not share the partitions.  Containers may well
 * agree in their host's name and in their process's number.
 */

static void
consumer_master_name(const consumer_options_t *options,
    char name[CONSUMER_NAME_MAX + 1])
{
    char      host[40];
    uint32_t  chance;

    if (options->name) {
        strcpy(name, options->name);
        return;
    }

    if (gethostname(host, sizeof(host)) == -1) {
        strcpy(host, "unknown");
    }

    host[sizeof(host) - 1] = '\0';

    if (getrandom(&chance, sizeof(chance), 0) == -1) {
        chance = (uint32_t) consumer_now();
    }

    snprintf(name, CONSUMER_NAME_MAX + 1, "%s-%d-%08x", host, (int) getpid(),
             (unsigned) chance);
}


/*
 * Asks the store how many there are, for as long as it takes, and whether it
 * agrees on who decides what.
 */

static int
consumer_master_partitions(const consumer_options_t *options,
    unsigned *partitions, int *status)
{
    char                   categories[CONSUMER_HANDLER_CATEGORIES_MAX];
    PGresult              *res;
    unsigned               delay;
    const char            *params[1];
    consumer_pg_t          pg;
    consumer_pg_status_e   rc;
    consumer_backoff_t     backoff = { CONSUMER_MASTER_RETRY_MIN,
                                       CONSUMER_MASTER_RETRY_MAX, 0 };

    consumer_pg_init(&pg, options->postgres, "cqrs-consumer");

    params[0] = consumer_handler_categories(categories);

    while (!consumer_terminated()) {

        rc = consumer_pg_query(&pg,
                 "select cqrs.partition_count(), cqrs.check_handlers($1)",
                 1, params, &res);

        if (rc == CONSUMER_PG_OK) {
            *partitions = (unsigned) consumer_pg_number(res, 0, 0);

            PQclear(res);
            consumer_pg_cleanup(&pg);

            return 0;
        }

        consumer_pg_cleanup(&pg);

        if (rc == CONSUMER_PG_WRONG) {
            consumer_log(CONSUMER_LOG_CRIT, "cannot work: %s", pg.error);
            *status = CONSUMER_EXIT_ERROR;
            return -1;
        }

        delay = consumer_backoff(&backoff);

        consumer_log(CONSUMER_LOG_ERROR,
                     "postgres: %s; trying again in %u ms", pg.error, delay);

        consumer_wait(NULL, 0, delay);
    }

    *status = CONSUMER_EXIT_OK;

    return -1;
}


static void
consumer_master_start(consumer_master_t *master)
{
    size_t               i;
    consumer_process_t  *process;

    for (i = 0; i < master->n; i++) {
        process = &master->processes[i];

        if (process->pid == 0 && consumer_now() >= process->start_at) {
            consumer_master_fork(process);
        }
    }
}


static void
consumer_master_fork(consumer_process_t *process)
{
    pid_t  self, pid;

    self = getpid();

    process->started_at = consumer_now();

    pid = fork();

    if (pid == 0) {
        exit(consumer_master_child(process, self));
    }

    if (pid == -1) {
        consumer_log(CONSUMER_LOG_CRIT, "fork: %s", strerror(errno));
        process->start_at = consumer_now()
                            + consumer_backoff(&process->backoff);
        return;
    }

    process->pid = pid;

    consumer_log(CONSUMER_LOG_INFO, "started %s, %d", process->worker.name,
                 (int) pid);
}


static int
consumer_master_child(consumer_process_t *process, pid_t master)
{
    consumer_log_init(process->worker.options->log_level,
                      process->worker.name);

    /* the master may have died before it could be bound to us */

    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 || getppid() != master) {
        return CONSUMER_EXIT_ERROR;
    }

    prctl(PR_SET_NAME, process->worker.name);

    srandom((unsigned) getpid());

    return process->run(&process->worker);
}


static void
consumer_master_wait(consumer_master_t *master)
{
    size_t    i;
    unsigned  msec;

    msec = CONSUMER_MASTER_TICK;

    for (i = 0; i < master->n; i++) {
        if (master->processes[i].pid == 0) {
            msec = consumer_until(master->processes[i].start_at, msec);
        }
    }

    consumer_wait(NULL, 0, msec);
}


static void
consumer_master_reap(consumer_master_t *master)
{
    int     status;
    pid_t   pid;
    size_t  i;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {

        for (i = 0; i < master->n; i++) {
            if (master->processes[i].pid == pid) {
                consumer_master_ended(master, &master->processes[i], status);
            }
        }
    }
}


static void
consumer_master_ended(consumer_master_t *master, consumer_process_t *process,
    int status)
{
    const char              *name;
    const consumer_crash_t  *crash;

    process->pid = 0;
    name = process->worker.name;

    crash = process->worker.crashes
            ? consumer_crashes_count(process->worker.crashes, status) : NULL;

    if (crash == NULL && WIFEXITED(status)
        && WEXITSTATUS(status) == CONSUMER_EXIT_FATAL)
    {
        consumer_log(CONSUMER_LOG_CRIT,
                     "%s cannot work, and a restart would not help", name);
        master->status = CONSUMER_EXIT_ERROR;
        master->leaving = 1;
        return;
    }

    if (master->leaving || consumer_terminated()) {
        return;
    }

    if (consumer_now() - process->started_at > CONSUMER_MASTER_HEALTHY) {
        process->backoff.delay = 0;
    }

    process->start_at = consumer_now() + consumer_backoff(&process->backoff);

    if (crash) {
        consumer_log(CONSUMER_LOG_ERROR,
                     "%s was ended by its handler, signal %d, at command %s, "
                     "for the %u. time, starting it again in %u ms", name,
                     crash->signo, crash->id, crash->count,
                     process->backoff.delay);

    } else if (WIFSIGNALED(status)) {
        consumer_log(WTERMSIG(status) == SIGKILL ? CONSUMER_LOG_ERROR
                                                 : CONSUMER_LOG_ALERT,
                     "%s was ended by signal %d, starting it again in %u ms",
                     name, WTERMSIG(status), process->backoff.delay);

    } else {
        consumer_log(CONSUMER_LOG_ERROR,
                     "%s ended with status %d, starting it again in %u ms",
                     name, WEXITSTATUS(status), process->backoff.delay);
    }
}


static void
consumer_master_leave(consumer_master_t *master)
{
    int       told;
    uint64_t  end;

    master->leaving = 1;

    told = consumer_terminated();
    end = consumer_now() + CONSUMER_MASTER_LEAVE;

    consumer_master_signal(master, SIGTERM);

    while (consumer_master_alive(master)) {

        if (consumer_terminated() > told || consumer_now() >= end) {
            consumer_log(CONSUMER_LOG_WARN,
                         "does not wait any longer for its workers");
            consumer_master_signal(master, SIGKILL);
            end = consumer_now() + CONSUMER_MASTER_LEAVE;
        }

        consumer_wait(NULL, 0, consumer_until(end, CONSUMER_MASTER_LEAVE));
        consumer_master_reap(master);
    }
}


static void
consumer_master_signal(consumer_master_t *master, int signo)
{
    size_t  i;

    for (i = 0; i < master->n; i++) {
        if (master->processes[i].pid) {
            kill(master->processes[i].pid, signo);
        }
    }
}


static int
consumer_master_alive(consumer_master_t *master)
{
    size_t  i;

    for (i = 0; i < master->n; i++) {
        if (master->processes[i].pid) {
            return 1;
        }
    }

    return 0;
}
