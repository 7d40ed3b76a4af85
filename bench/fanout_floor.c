
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * fanout_floor: the bare Redis subscriber that send()s each message to those
 * who listen.
 *
 *   fanout_floor -p PORT -a REDIS-URL -s CHANNEL-FORMAT
 *
 * It speaks just enough WebSocket for ws_load: the number at the end of the
 * path is the channel's, the answer is a 101 and a first frame, and a message
 * becomes one frame.  It ends with its input.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"
#include "bench_redis.h"


#define FANOUT_FLOOR_CHANNELS  65536
#define FANOUT_FLOOR_REQUEST   4096
#define FANOUT_FLOOR_BACKLOG   511


typedef struct {
    int                    *fds;
    size_t                  count;
} fanout_floor_channel_t;


typedef struct {
    long                    port;
    const char             *url;
    const char             *format;

    int                     listener;
    redisContext           *redis;
    fanout_floor_channel_t  channels[FANOUT_FLOOR_CHANNELS];
} fanout_floor_t;


static void fanout_floor_listen(fanout_floor_t *floor);
static void fanout_floor_run(fanout_floor_t *floor);
static void fanout_floor_accept(fanout_floor_t *floor);
static void fanout_floor_subscribe(fanout_floor_t *floor, long number);
static void fanout_floor_messages(fanout_floor_t *floor);
static void fanout_floor_message(fanout_floor_t *floor, redisReply *reply);
static void fanout_floor_send(int fd, const void *data, size_t len);
static size_t fanout_floor_frame(char *frame, const char *text, size_t len);


static const char  fanout_floor_101[] =
    "HTTP/1.1 101 Switching Protocols\r\n"
    "Upgrade: websocket\r\n"
    "Connection: Upgrade\r\n"
    "\r\n";


int
main(int argc, char **argv)
{
    int              letter;
    struct rlimit    rl;
    fanout_floor_t  *floor;

    floor = bench_alloc(sizeof(fanout_floor_t));

    while ((letter = getopt(argc, argv, "p:a:s:")) != -1) {

        switch (letter) {

        case 'p': floor->port = bench_option(letter, optarg, 1); break;
        case 'a': floor->url = optarg; break;
        case 's': floor->format = optarg; break;

        default:
            bench_die("see the head of its source for the options");
        }
    }

    if (!floor->port || !floor->url || !floor->format) {
        bench_die("-p, -a and -s are needed");
    }

    if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
        rl.rlim_cur = rl.rlim_max;
        (void) setrlimit(RLIMIT_NOFILE, &rl);
    }

    floor->redis = bench_redis_connect(floor->url);

    fanout_floor_listen(floor);

    (void) puts("ready");
    (void) fflush(stdout);

    fanout_floor_run(floor);

    return 0;
}


static void
fanout_floor_listen(fanout_floor_t *floor)
{
    int                 one = 1;
    struct sockaddr_in  sin;

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_port = htons((uint16_t) floor->port);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    floor->listener = socket(AF_INET, SOCK_STREAM, 0);

    (void) setsockopt(floor->listener, SOL_SOCKET, SO_REUSEADDR, &one,
                      sizeof(one));

    if (bind(floor->listener, (struct sockaddr *) &sin, sizeof(sin)) == -1
        || listen(floor->listener, FANOUT_FLOOR_BACKLOG) == -1)
    {
        bench_die("cannot listen on port %ld: %s", floor->port,
                  strerror(errno));
    }
}


static void
fanout_floor_run(fanout_floor_t *floor)
{
    int                 i, n, ep, fds[3];
    struct epoll_event  ev, events[3];

    fds[0] = floor->listener;
    fds[1] = floor->redis->fd;
    fds[2] = STDIN_FILENO;

    ep = epoll_create1(0);

    for (i = 0; i < 3; i++) {
        memset(&ev, 0, sizeof(ev));
        ev.events = EPOLLIN;
        ev.data.fd = fds[i];

        if (epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &ev) == -1) {
            bench_die("epoll_ctl() failed: %s", strerror(errno));
        }
    }

    for ( ;; ) {
        n = epoll_wait(ep, events, 3, -1);

        for (i = 0; i < n; i++) {

            if (events[i].data.fd == floor->listener) {
                fanout_floor_accept(floor);

            } else if (events[i].data.fd == floor->redis->fd) {
                fanout_floor_messages(floor);

            } else {
                return;
            }
        }
    }
}


static void
fanout_floor_accept(fanout_floor_t *floor)
{
    int                      fd, *fds, one = 1;
    char                     request[FANOUT_FLOOR_REQUEST], *p, frame[64];
    long                     number;
    size_t                   len;
    ssize_t                  n;
    fanout_floor_channel_t  *channel;

    static const char        first[] = "{\"type\":\"cqrs.subscribed\"}";

    fd = accept(floor->listener, NULL, NULL);
    n = recv(fd, request, sizeof(request) - 1, 0);

    if (n <= 0) {
        bench_die("no request: %s", strerror(errno));
    }

    request[n] = '\0';
    p = strstr(request, " HTTP/1.1\r\n");

    if (p == NULL) {
        bench_die("the request is none");
    }

    while (p[-1] >= '0' && p[-1] <= '9') {
        p--;
    }

    number = strtol(p, NULL, 10);

    if (number < 0 || number >= FANOUT_FLOOR_CHANNELS) {
        bench_die("no such channel: %ld", number);
    }

    channel = &floor->channels[number];

    if (channel->count == 0) {
        fanout_floor_subscribe(floor, number);
    }

    fds = realloc(channel->fds, (channel->count + 1) * sizeof(int));

    if (fds == NULL) {
        bench_die("no memory for a connection");
    }

    channel->fds = fds;
    channel->fds[channel->count++] = fd;

    (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));

    len = fanout_floor_frame(frame, first, sizeof(first) - 1);

    fanout_floor_send(fd, fanout_floor_101, sizeof(fanout_floor_101) - 1);
    fanout_floor_send(fd, frame, len);
}


static void
fanout_floor_subscribe(fanout_floor_t *floor, long number)
{
    char         name[128];
    redisReply  *reply;

    /* nothing is published yet, so the next reply is this one's */

    (void) snprintf(name, sizeof(name), floor->format, number);
    (void) redisAppendCommand(floor->redis, "SUBSCRIBE %s", name);

    reply = bench_redis_reply(floor->redis);
    freeReplyObject(reply);
}


static void
fanout_floor_messages(fanout_floor_t *floor)
{
    void  *reply;

    if (redisBufferRead(floor->redis) != REDIS_OK) {
        bench_die("connection to Redis lost: %s", floor->redis->errstr);
    }

    for ( ;; ) {

        if (redisGetReplyFromReader(floor->redis, &reply) != REDIS_OK) {
            bench_die("Redis said nonsense: %s", floor->redis->errstr);
        }

        if (reply == NULL) {
            return;
        }

        fanout_floor_message(floor, reply);
        freeReplyObject(reply);
    }
}


static void
fanout_floor_message(fanout_floor_t *floor, redisReply *reply)
{
    char                    *name, frame[BENCH_MESSAGE_MAX + 4];
    size_t                   i, len;
    fanout_floor_channel_t  *channel;

    if (reply->elements != 3 || strcmp(reply->element[0]->str, "message") != 0)
    {
        return;
    }

    name = reply->element[1]->str + reply->element[1]->len;

    while (name[-1] >= '0' && name[-1] <= '9') {
        name--;
    }

    channel = &floor->channels[strtol(name, NULL, 10)];

    len = fanout_floor_frame(frame, reply->element[2]->str,
                             (size_t) reply->element[2]->len);

    for (i = 0; i < channel->count; i++) {
        fanout_floor_send(channel->fds[i], frame, len);
    }
}


static void
fanout_floor_send(int fd, const void *data, size_t len)
{
    ssize_t  n;

    n = send(fd, data, len, MSG_DONTWAIT|MSG_NOSIGNAL);

    if (n != (ssize_t) len) {
        bench_die("a listener does not read: %s", strerror(errno));
    }
}


static size_t
fanout_floor_frame(char *frame, const char *text, size_t len)
{
    size_t  head;

    head = (len < 126) ? 2 : 4;

    frame[0] = (char) 0x81;

    if (head == 2) {
        frame[1] = (char) len;

    } else {
        frame[1] = 126;
        frame[2] = (char) (len >> 8);
        frame[3] = (char) len;
    }

    memcpy(frame + head, text, len);

    return head + len;
}
