
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * ws_load: many WebSocket connections, and notifications published to them.
 *
 *   ws_load -p PORT -u PATH-FORMAT -a REDIS-URL -s CHANNEL-FORMAT
 *           -c CONNECTIONS -r CHANNELS -w WINDOW -t SECONDS
 *
 * Connection n listens to channel n modulo CHANNELS; %ld in the formats is the
 * channel's number.  "ready" means that all are open and have their first
 * frame: then they are idle.  As many messages are published as are delivered,
 * with at most WINDOW deliveries under way.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench.h"
#include "bench_http.h"
#include "bench_redis.h"


#define WS_LOAD_BUFFER  4096
#define WS_LOAD_EVENTS  512
#define WS_LOAD_WAIT    10000              /* ms */


typedef struct {
    long             port;
    const char      *path;
    const char      *url;
    const char      *channel;
    long             connections;
    long             channels;
    long             window;
    long             seconds;

    int              ep;
    bench_http_t    *http;
    redisContext    *redis;

    uint64_t         published;
    uint64_t         delivered;
    long             busy;                 /* deliveries under way */
    bench_samples_t  samples;
} ws_load_t;


static void ws_load_connect(ws_load_t *load);
static void ws_load_run(ws_load_t *load);
static void ws_load_publish(ws_load_t *load);
static void ws_load_wait(ws_load_t *load);
static void ws_load_frames(ws_load_t *load, bench_http_t *h);
static void ws_load_published(ws_load_t *load);
static void ws_load_options(ws_load_t *load, int argc, char **argv);


int
main(int argc, char **argv)
{
    uint64_t   start, spent;
    ws_load_t  load;

    memset(&load, 0, sizeof(load));
    ws_load_options(&load, argc, argv);

    load.redis = bench_redis_connect(load.url);

    ws_load_connect(&load);

    bench_ready();

    start = bench_now();
    ws_load_run(&load);
    spent = bench_now() - start;

    bench_number("count", (double) load.delivered);
    bench_number("published", (double) load.published);
    bench_number("seconds", (double) spent / 1e9);
    bench_latency("delivery", &load.samples);
    bench_done();

    return 0;
}


static void
ws_load_connect(ws_load_t *load)
{
    long                i;
    char                path[256];
    struct rlimit       rl;
    struct epoll_event  ev;

    if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
        rl.rlim_cur = rl.rlim_max;
        (void) setrlimit(RLIMIT_NOFILE, &rl);
    }

    load->ep = epoll_create1(0);
    load->http = bench_alloc((size_t) load->connections
                             * sizeof(bench_http_t));

    memset(&ev, 0, sizeof(ev));
    ev.events = EPOLLIN;
    ev.data.ptr = NULL;

    (void) epoll_ctl(load->ep, EPOLL_CTL_ADD, load->redis->fd, &ev);

    /* each is told first where it stands, maybe together with the 101 */

    load->busy = load->connections;

    for (i = 0; i < load->connections; i++) {

        (void) snprintf(path, sizeof(path), load->path, i % load->channels);

        bench_http_connect(&load->http[i], (int) load->port, WS_LOAD_BUFFER);
        bench_http_upgrade(&load->http[i], path, "");

        ev.data.ptr = &load->http[i];

        if (epoll_ctl(load->ep, EPOLL_CTL_ADD, load->http[i].fd, &ev) == -1) {
            bench_die("epoll_ctl() failed: %s", strerror(errno));
        }

        ws_load_frames(load, &load->http[i]);
    }

    while (load->busy > 0) {
        ws_load_wait(load);
    }

    load->delivered = 0;
    load->samples.count = 0;
}


static void
ws_load_run(ws_load_t *load)
{
    int       done;
    uint64_t  end;

    end = bench_now() + (uint64_t) load->seconds * 1000000000;

    while (load->busy || bench_now() < end) {

        if (bench_now() < end) {
            ws_load_publish(load);
        }

        do {
            if (redisBufferWrite(load->redis, &done) != REDIS_OK) {
                bench_die("connection to Redis lost: %s",
                          load->redis->errstr);
            }
        } while (!done);

        ws_load_wait(load);
    }
}


static void
ws_load_publish(ws_load_t *load)
{
    long    listeners;
    char    channel[128], message[BENCH_MESSAGE_MAX];
    size_t  len;

    for ( ;; ) {
        listeners = load->connections / load->channels;

        if (load->busy + listeners > load->window) {
            return;
        }

        /* the format is the driver's, who gives it one place */

        (void) snprintf(channel, sizeof(channel), load->channel,
                        (long) (load->published % (uint64_t) load->channels));

        load->published++;
        load->busy += listeners;

        len = bench_message(message, load->published);

        if (redisAppendCommand(load->redis, "PUBLISH %s %b", channel, message,
                               len) != REDIS_OK)
        {
            bench_die("no memory for a message");
        }
    }
}


static void
ws_load_wait(ws_load_t *load)
{
    int                 i, n;
    bench_http_t       *h;
    struct epoll_event  events[WS_LOAD_EVENTS];

    n = epoll_wait(load->ep, events, WS_LOAD_EVENTS, WS_LOAD_WAIT);
    if (n <= 0) {
        bench_die("%ld deliveries did not come within %d s", load->busy,
                  WS_LOAD_WAIT / 1000);
    }

    for (i = 0; i < n; i++) {
        h = events[i].data.ptr;

        if (h == NULL) {
            ws_load_published(load);

        } else {
            bench_http_read(h);
            ws_load_frames(load, h);
        }
    }
}


static void
ws_load_frames(ws_load_t *load, bench_http_t *h)
{
    char      *text;
    size_t     len, offset = 0;
    uint64_t   since;

    while ((text = bench_http_frame(h, &offset, &len)) != NULL) {

        since = bench_message_time(text, len);

        bench_sample(&load->samples, since ? bench_now() - since : 0);
        load->delivered++;
        load->busy--;
    }
}


static void
ws_load_published(ws_load_t *load)
{
    void        *p;
    redisReply  *reply;

    if (redisBufferRead(load->redis) != REDIS_OK) {
        bench_die("connection to Redis lost: %s", load->redis->errstr);
    }

    for ( ;; ) {

        if (redisGetReplyFromReader(load->redis, &p) != REDIS_OK) {
            bench_die("Redis said nonsense: %s", load->redis->errstr);
        }

        reply = p;

        if (reply == NULL) {
            return;
        }

        if (reply->type != REDIS_REPLY_INTEGER || reply->integer < 1) {
            bench_die("a message was published to nobody");
        }

        freeReplyObject(reply);
    }
}


static void
ws_load_options(ws_load_t *load, int argc, char **argv)
{
    int  letter;

    load->connections = 1;
    load->channels = 1;
    load->window = 1;
    load->seconds = 1;

    while ((letter = getopt(argc, argv, "p:u:a:s:c:r:w:t:")) != -1) {

        switch (letter) {

        case 'p': load->port = bench_option(letter, optarg, 1); break;
        case 'u': load->path = optarg; break;
        case 'a': load->url = optarg; break;
        case 's': load->channel = optarg; break;
        case 'c': load->connections = bench_option(letter, optarg, 1); break;
        case 'r': load->channels = bench_option(letter, optarg, 1); break;
        case 'w': load->window = bench_option(letter, optarg, 1); break;
        case 't': load->seconds = bench_option(letter, optarg, 1); break;

        default:
            bench_die("see the head of its source for the options");
        }
    }

    if (!load->port || !load->path || !load->url || !load->channel) {
        bench_die("-p, -u, -a and -s are needed");
    }

    if (load->connections % load->channels
        || load->window < load->connections / load->channels)
    {
        bench_die("equally many connections on each channel,"
                  " and room in the window for one message");
    }
}
