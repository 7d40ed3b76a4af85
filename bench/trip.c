
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * trip: one user who sends a command and waits until an open WebSocket says
 * that it was completed, again and again.
 *
 *   trip -p PORT -u POST-PATH -w WEBSOCKET-PATH -h HEADERS -b BODY -t SECONDS
 *
 * HEADERS are whole lines and go with both.
 */

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "bench_http.h"


#define TRIP_BUFFER  16384
#define TRIP_WAIT    10000                 /* ms */


typedef struct {
    long             port;
    const char      *post;
    const char      *socket;
    const char      *headers;
    const char      *body;
    long             seconds;

    char             request[4096];
    size_t           len;

    bench_http_t     http;
    bench_http_t     ws;
    char             told[TRIP_BUFFER];    /* the notification */

    bench_samples_t  accepted;
    bench_samples_t  notified;
} trip_t;


static void trip_request(trip_t *trip);
static void trip_once(trip_t *trip);
static int trip_frame(trip_t *trip);
static void trip_options(trip_t *trip, int argc, char **argv);


int
main(int argc, char **argv)
{
    uint64_t       start, spent, end;
    trip_t         trip;
    struct pollfd  pfd;

    memset(&trip, 0, sizeof(trip));
    trip_options(&trip, argc, argv);

    bench_http_connect(&trip.http, (int) trip.port, TRIP_BUFFER);
    bench_http_connect(&trip.ws, (int) trip.port, TRIP_BUFFER);
    bench_http_upgrade(&trip.ws, trip.socket, trip.headers);

    pfd.fd = trip.ws.fd;
    pfd.events = POLLIN;

    while (!trip_frame(&trip)) {           /* cqrs.subscribed */

        if (poll(&pfd, 1, TRIP_WAIT) <= 0) {
            bench_die("the WebSocket says nothing");
        }

        bench_http_read(&trip.ws);
    }

    trip_request(&trip);

    bench_ready();

    start = bench_now();
    end = start + (uint64_t) trip.seconds * 1000000000;

    while (bench_now() < end) {
        trip_once(&trip);
    }

    spent = bench_now() - start;

    bench_number("count", (double) trip.notified.count);
    bench_number("seconds", (double) spent / 1e9);
    bench_latency("accepted", &trip.accepted);
    bench_latency("notified", &trip.notified);
    bench_done();

    return 0;
}


static void
trip_request(trip_t *trip)
{
    int  n;

    n = snprintf(trip->request, sizeof(trip->request),
                 "POST %s HTTP/1.1\r\n"
                 "Host: 127.0.0.1\r\n"
                 "%s"
                 "Content-Type: application/json\r\n"
                 "Content-Length: %zu\r\n"
                 "\r\n%s",
                 trip->post, trip->headers, strlen(trip->body), trip->body);

    if (n < 0 || (size_t) n >= sizeof(trip->request)) {
        bench_die("the request is too long");
    }

    trip->len = (size_t) n;
}


static void
trip_once(trip_t *trip)
{
    int            accepted = 0, notified = 0;
    uint64_t       since;
    struct pollfd  pfds[2];

    pfds[0].fd = trip->http.fd;
    pfds[0].events = POLLIN;
    pfds[1].fd = trip->ws.fd;
    pfds[1].events = POLLIN;

    since = bench_now();
    bench_http_send(&trip->http, trip->request, trip->len);

    while (!accepted || !notified) {

        if (poll(pfds, 2, TRIP_WAIT) <= 0) {
            bench_die("no %s within %d s",
                      accepted ? "notification" : "answer",
                      TRIP_WAIT / 1000);
        }

        if (pfds[0].revents && bench_http_answer(&trip->http)) {
            bench_sample(&trip->accepted, bench_now() - since);
            accepted = 1;
        }

        if (pfds[1].revents) {
            bench_http_read(&trip->ws);

            if (trip_frame(trip)) {
                bench_sample(&trip->notified, bench_now() - since);
                notified = 1;
            }
        }
    }

    if (trip->http.status != 202) {
        bench_die("the command was answered %u", trip->http.status);
    }

    if (strstr(trip->told, "\"cqrs.command.completed\"") == NULL
        || trip->http.id[0] == '\0'
        || strstr(trip->told, trip->http.id) == NULL)
    {
        bench_die("command %s was answered 202, then came %s", trip->http.id,
                  trip->told);
    }
}


static int
trip_frame(trip_t *trip)
{
    int      some = 0;
    char    *text;
    size_t   len, offset = 0;

    while ((text = bench_http_frame(&trip->ws, &offset, &len)) != NULL) {
        memcpy(trip->told, text, len);
        trip->told[len] = '\0';
        some = 1;
    }

    return some;
}


static void
trip_options(trip_t *trip, int argc, char **argv)
{
    int  letter;

    trip->headers = "";
    trip->seconds = 1;

    while ((letter = getopt(argc, argv, "p:u:w:h:b:t:")) != -1) {

        switch (letter) {

        case 'p': trip->port = bench_option(letter, optarg, 1); break;
        case 'u': trip->post = optarg; break;
        case 'w': trip->socket = optarg; break;
        case 'h': trip->headers = optarg; break;
        case 'b': trip->body = optarg; break;
        case 't': trip->seconds = bench_option(letter, optarg, 1); break;

        default:
            bench_die("see the head of its source for the options");
        }
    }

    if (!trip->port || !trip->post || !trip->socket || !trip->body) {
        bench_die("-p, -u, -w and -b are needed");
    }
}
