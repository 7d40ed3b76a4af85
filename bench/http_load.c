
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * http_load: requests over keep-alive connections, each of which has one
 * request under way.
 *
 *   http_load -p PORT -c CONNECTIONS (-t SECONDS | -n REQUESTS) -s STATUS
 *             -r KEYS [-m METHOD] [-h HEADERS] [-b BODY] -u PATH
 *
 * %ld in PATH is replaced by 1 to KEYS in turn.  HEADERS are whole lines.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench.h"
#include "bench_http.h"


#define HTTP_LOAD_BUFFER  65536
#define HTTP_LOAD_EVENTS  256


typedef struct {
    long             port;
    long             connections;
    long             seconds;
    long             requests;     /* 0: as many as there is time for */
    long             status;
    long             keys;
    const char      *method;
    const char      *path;
    const char      *headers;
    const char      *body;

    long             key;
    long             sent;
    uint64_t         failed;
    bench_samples_t  samples;
} http_load_t;


typedef struct {
    bench_http_t     http;
    uint64_t         since;
} http_load_connection_t;


static void http_load_request(http_load_t *load, http_load_connection_t *c);
static void http_load_run(http_load_t *load, http_load_connection_t *c);
static void http_load_options(http_load_t *load, int argc, char **argv);


int
main(int argc, char **argv)
{
    long                     i;
    uint64_t                 start, spent;
    http_load_t              load;
    http_load_connection_t  *c;

    memset(&load, 0, sizeof(load));
    http_load_options(&load, argc, argv);

    c = bench_alloc((size_t) load.connections * sizeof(*c));

    for (i = 0; i < load.connections; i++) {
        bench_http_connect(&c[i].http, (int) load.port, HTTP_LOAD_BUFFER);
    }

    bench_ready();

    start = bench_now();
    http_load_run(&load, c);
    spent = bench_now() - start;

    bench_number("count", (double) load.samples.count);
    bench_number("failed", (double) load.failed);
    bench_number("seconds", (double) spent / 1e9);
    bench_latency("answer", &load.samples);
    bench_done();

    return 0;
}


static void
http_load_run(http_load_t *load, http_load_connection_t *c)
{
    int                      ep, i, n;
    long                     busy;
    uint64_t                 now, end;
    struct epoll_event       events[HTTP_LOAD_EVENTS], ev;
    http_load_connection_t  *ready;

    ep = epoll_create1(0);
    end = bench_now() + (uint64_t) load->seconds * 1000000000;

    for (busy = 0; busy < load->connections; busy++) {

        memset(&ev, 0, sizeof(ev));
        ev.events = EPOLLIN;
        ev.data.ptr = &c[busy];

        if (epoll_ctl(ep, EPOLL_CTL_ADD, c[busy].http.fd, &ev) == -1) {
            bench_die("epoll_ctl() failed: %s", strerror(errno));
        }

        http_load_request(load, &c[busy]);
    }

    while (busy) {

        n = epoll_wait(ep, events, HTTP_LOAD_EVENTS, 10000);
        if (n <= 0) {
            bench_die("%ld answers did not come within 10 s", busy);
        }

        for (i = 0; i < n; i++) {
            ready = events[i].data.ptr;

            if (!bench_http_answer(&ready->http)) {
                continue;
            }

            now = bench_now();

            if (ready->http.status == (unsigned) load->status) {
                bench_sample(&load->samples, now - ready->since);

            } else {
                load->failed++;
            }

            if (load->requests ? load->sent < load->requests : now < end) {
                http_load_request(load, ready);

            } else {
                busy--;
            }
        }
    }

    (void) close(ep);
}


static void
http_load_request(http_load_t *load, http_load_connection_t *c)
{
    int   n;
    char  path[512], request[4096];

    load->key = load->key % load->keys + 1;
    load->sent++;

    /* the format is the driver's, who gives it one place at most */

    (void) snprintf(path, sizeof(path), load->path, load->key);

    n = snprintf(request, sizeof(request),
                 "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s",
                 load->method, path, load->headers);

    if (n > 0 && load->body) {
        n += snprintf(request + n, sizeof(request) - (size_t) n,
                      "Content-Type: application/json\r\n"
                      "Content-Length: %zu\r\n\r\n%s",
                      strlen(load->body), load->body);

    } else if (n > 0) {
        n += snprintf(request + n, sizeof(request) - (size_t) n, "\r\n");
    }

    if (n < 0 || (size_t) n >= sizeof(request)) {
        bench_die("the request for %s is too long", path);
    }

    c->since = bench_now();
    bench_http_send(&c->http, request, (size_t) n);
}


static void
http_load_options(http_load_t *load, int argc, char **argv)
{
    int  letter;

    load->connections = 1;
    load->seconds = 1;
    load->status = 200;
    load->keys = 1;
    load->method = "GET";
    load->headers = "";

    while ((letter = getopt(argc, argv, "p:c:t:n:s:r:m:u:h:b:")) != -1) {

        switch (letter) {

        case 'p': load->port = bench_option(letter, optarg, 1); break;
        case 'c': load->connections = bench_option(letter, optarg, 1); break;
        case 't': load->seconds = bench_option(letter, optarg, 1); break;
        case 'n': load->requests = bench_option(letter, optarg, 1); break;
        case 's': load->status = bench_option(letter, optarg, 100); break;
        case 'r': load->keys = bench_option(letter, optarg, 1); break;
        case 'm': load->method = optarg; break;
        case 'u': load->path = optarg; break;
        case 'h': load->headers = optarg; break;
        case 'b': load->body = optarg; break;

        default:
            bench_die("see the head of its source for the options");
        }
    }

    if (load->port == 0 || load->path == NULL) {
        bench_die("-p and -u are needed");
    }
}
