
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * store_floor: the bare libpq client that works off commands in batches, with
 * the one statement that cqrs-consumer uses.
 *
 *   store_floor -d CONNINFO -s STREAM-FORMAT -r STREAMS -P PARTITIONS
 *               [-p PARTITION] -y TYPE -i USER -b BODY
 *               -n COMMANDS -k BATCH -w BATCHES [-c]
 *
 * -w: so many batches are under way; with 2, Postgres never waits for us.
 * -c: the commands are deposits, which we decide; as with a handler in C.
 */

#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "bench_decided.h"
#include "bench_store.h"


#define STORE_FLOOR_WINDOW  16


typedef struct {
    const char       *conninfo;
    const char       *format;
    long              streams;
    long              partitions;
    long              partition;
    long              commands;
    long              batch;
    long              window;
    int               decides;
    bench_command_t   command;

    bench_decided_t   decided;
    long              number;              /* of the stream used last */
    uint64_t          since[STORE_FLOOR_WINDOW];
    bench_samples_t   samples;
} store_floor_t;


static void store_floor_run(store_floor_t *floor, bench_store_t *store);
static void store_floor_send(store_floor_t *floor, bench_store_t *store);
static void store_floor_options(store_floor_t *floor, int argc, char **argv);


int
main(int argc, char **argv)
{
    uint64_t       start, spent;
    bench_store_t  store;
    store_floor_t  floor;

    memset(&floor, 0, sizeof(floor));
    store_floor_options(&floor, argc, argv);

    bench_store_connect(&store, floor.conninfo, floor.partition, floor.batch);

    if (floor.decides) {
        bench_decided_init(&floor.decided, &store, floor.format, floor.streams,
                           floor.command.body);
    }

    bench_ready();

    start = bench_now();
    store_floor_run(&floor, &store);
    spent = bench_now() - start;

    bench_number("count", (double) floor.commands);
    bench_number("seconds", (double) spent / 1e9);
    bench_latency("batch", &floor.samples);
    bench_done();

    PQfinish(store.conn);

    return 0;
}


static void
store_floor_run(store_floor_t *floor, bench_store_t *store)
{
    long  sent, done, batches;

    batches = floor->commands / floor->batch;

    for (sent = 0, done = 0; done < batches; done++) {

        while (sent < batches && sent - done < floor->window) {
            floor->since[sent % STORE_FLOOR_WINDOW] = bench_now();
            store_floor_send(floor, store);
            sent++;
        }

        bench_store_committed(store, floor->batch);

        bench_sample(&floor->samples,
                     bench_now() - floor->since[done % STORE_FLOOR_WINDOW]);
    }
}


static void
store_floor_send(store_floor_t *floor, bench_store_t *store)
{
    long  i;

    if (floor->decides) {
        bench_decided_begin(&floor->decided);
    } else {
        bench_store_begin(store);
    }

    for (i = 0; i < floor->batch; i++) {

        do {
            floor->number = floor->number % floor->streams + 1;

            bench_command_init(&floor->command, floor->format, floor->number,
                               floor->partitions);

        } while (floor->command.partition != (uint32_t) floor->partition);

        if (floor->decides) {
            bench_decided_add(&floor->decided, &floor->command, floor->number);
        } else {
            bench_store_add(store, &floor->command);
        }
    }

    if (floor->decides) {
        bench_decided_send(&floor->decided);
    } else {
        bench_store_send(store);
    }
}


static void
store_floor_options(store_floor_t *floor, int argc, char **argv)
{
    int  letter;

    floor->streams = 1;
    floor->partitions = 1;
    floor->commands = 1;
    floor->batch = 1;
    floor->window = 1;
    floor->command.type = "deposit";
    floor->command.user = "bench";

    while ((letter = getopt(argc, argv, "d:s:r:P:p:y:i:b:n:k:w:c")) != -1) {

        switch (letter) {

        case 'd': floor->conninfo = optarg; break;
        case 's': floor->format = optarg; break;
        case 'r': floor->streams = bench_option(letter, optarg, 1); break;
        case 'P': floor->partitions = bench_option(letter, optarg, 1); break;
        case 'p': floor->partition = bench_option(letter, optarg, 0); break;
        case 'y': floor->command.type = optarg; break;
        case 'i': floor->command.user = optarg; break;
        case 'b': floor->command.body = optarg; break;
        case 'n': floor->commands = bench_option(letter, optarg, 1); break;
        case 'k': floor->batch = bench_option(letter, optarg, 1); break;
        case 'c': floor->decides = 1; break;
        case 'w': floor->window = bench_option(letter, optarg, 1); break;

        default:
            bench_die("see the head of its source for the options");
        }
    }

    if (!floor->conninfo || !floor->format || !floor->command.body) {
        bench_die("-d, -s and -b are needed");
    }

    if (floor->decides && floor->batch > floor->streams / floor->partitions) {
        bench_die("-c takes each stream once in a batch");
    }

    if (floor->commands % floor->batch || floor->window > STORE_FLOOR_WINDOW) {
        bench_die("whole batches, and at most %d under way",
                  STORE_FLOOR_WINDOW);
    }
}
