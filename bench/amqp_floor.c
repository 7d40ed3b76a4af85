
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * amqp_floor: the bare librabbitmq publisher of commands, with confirms, some
 * of which are outstanding.
 *
 *   amqp_floor -a URL -s STREAM-FORMAT -r STREAMS -P PARTITIONS -y TYPE
 *              -i USER -b BODY -w OUTSTANDING (-t SECONDS | -n MESSAGES)
 *
 * %ld in STREAM-FORMAT is replaced by 1 to STREAMS in turn.  It also makes the
 * backlogs that the consumer is to work off.
 */

#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "bench_amqp.h"


#define AMQP_FLOOR_WINDOW  4096


typedef struct {
    const char       *url;
    const char       *format;
    long              streams;
    long              partitions;
    long              window;
    long              seconds;
    long              messages;
    bench_command_t   command;

    uint64_t          since[AMQP_FLOOR_WINDOW];    /* by tag; 0: confirmed */
    uint64_t          lowest;                      /* all up to it confirmed */
    uint64_t          outstanding;
    bench_samples_t   samples;
} amqp_floor_t;


static void amqp_floor_run(amqp_floor_t *floor, bench_amqp_t *mq);
static void amqp_floor_take(amqp_floor_t *floor, bench_amqp_t *mq);
static void amqp_floor_confirmed(amqp_floor_t *floor, uint64_t tag);
static void amqp_floor_options(amqp_floor_t *floor, int argc, char **argv);


int
main(int argc, char **argv)
{
    uint64_t      start, spent;
    amqp_floor_t  floor;
    bench_amqp_t  mq;

    memset(&floor, 0, sizeof(floor));
    amqp_floor_options(&floor, argc, argv);

    bench_amqp_connect(&mq, floor.url, 1);

    bench_ready();

    start = bench_now();
    amqp_floor_run(&floor, &mq);
    spent = bench_now() - start;

    bench_number("count", (double) floor.samples.count);
    bench_number("seconds", (double) spent / 1e9);
    bench_latency("answer", &floor.samples);
    bench_done();

    bench_amqp_close(&mq);

    return 0;
}


static void
amqp_floor_run(amqp_floor_t *floor, bench_amqp_t *mq)
{
    uint64_t          end, now;
    bench_command_t  *cmd;

    cmd = &floor->command;
    end = bench_now() + (uint64_t) floor->seconds * 1000000000;

    for ( ;; ) {
        now = bench_now();

        if (floor->messages ? mq->tag == (uint64_t) floor->messages
                            : now >= end)
        {
            break;
        }

        bench_command_init(cmd, floor->format,
                           (long) mq->tag % floor->streams + 1,
                           floor->partitions);

        floor->since[(mq->tag + 1) % AMQP_FLOOR_WINDOW] = now;

        bench_amqp_publish(mq, cmd);
        floor->outstanding++;

        while (floor->outstanding >= (uint64_t) floor->window
               || mq->tag - floor->lowest >= AMQP_FLOOR_WINDOW)
        {
            amqp_floor_take(floor, mq);
        }
    }

    while (floor->outstanding) {
        amqp_floor_take(floor, mq);
    }
}


static void
amqp_floor_take(amqp_floor_t *floor, bench_amqp_t *mq)
{
    int       multiple;
    uint64_t  tag;

    do {
        tag = bench_amqp_confirm(mq, &multiple);

        while (multiple && floor->lowest < tag) {
            amqp_floor_confirmed(floor, ++floor->lowest);
        }

        amqp_floor_confirmed(floor, tag);

        while (floor->lowest < mq->tag
               && floor->since[(floor->lowest + 1) % AMQP_FLOOR_WINDOW] == 0)
        {
            floor->lowest++;
        }

    } while (amqp_frames_enqueued(mq->conn)
             || amqp_data_in_buffer(mq->conn));
}


static void
amqp_floor_confirmed(amqp_floor_t *floor, uint64_t tag)
{
    uint64_t  *since;

    since = &floor->since[tag % AMQP_FLOOR_WINDOW];

    if (*since) {
        bench_sample(&floor->samples, bench_now() - *since);
        *since = 0;
        floor->outstanding--;
    }
}


static void
amqp_floor_options(amqp_floor_t *floor, int argc, char **argv)
{
    int  letter;

    floor->streams = 1;
    floor->partitions = 1;
    floor->window = 1;
    floor->command.type = "deposit";
    floor->command.user = "bench";

    while ((letter = getopt(argc, argv, "a:s:r:P:y:i:b:w:t:n:")) != -1) {

        switch (letter) {

        case 'a': floor->url = optarg; break;
        case 's': floor->format = optarg; break;
        case 'r': floor->streams = bench_option(letter, optarg, 1); break;
        case 'P': floor->partitions = bench_option(letter, optarg, 1); break;
        case 'y': floor->command.type = optarg; break;
        case 'i': floor->command.user = optarg; break;
        case 'b': floor->command.body = optarg; break;
        case 'w': floor->window = bench_option(letter, optarg, 1); break;
        case 't': floor->seconds = bench_option(letter, optarg, 1); break;
        case 'n': floor->messages = bench_option(letter, optarg, 1); break;

        default:
            bench_die("see the head of its source for the options");
        }
    }

    if (!floor->url || !floor->format || !floor->command.body
        || !(floor->seconds || floor->messages))
    {
        bench_die("-a, -s, -b and one of -t and -n are needed");
    }

    if (floor->window >= AMQP_FLOOR_WINDOW) {
        bench_die("less than %d outstanding", AMQP_FLOOR_WINDOW);
    }
}
