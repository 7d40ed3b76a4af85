
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"
#include "bench_http.h"


#define BENCH_HTTP_TIMEOUT  10000          /* ms */

#define BENCH_WS_CLOSE      0x8
#define BENCH_WS_TEXT       0x1


static int bench_http_parse(bench_http_t *h);
static void bench_http_head(bench_http_t *h, char *p, const char *end);


void
bench_http_connect(bench_http_t *h, int port, size_t size)
{
    int                 one = 1;
    struct sockaddr_in  sin;

    memset(h, 0, sizeof(bench_http_t));

    h->buf = bench_alloc(size);
    h->size = size;
    h->head = 1;

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_port = htons((uint16_t) port);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    h->fd = socket(AF_INET, SOCK_STREAM, 0);

    if (h->fd == -1
        || connect(h->fd, (struct sockaddr *) &sin, sizeof(sin)) == -1)
    {
        bench_die("cannot connect to port %d: %s", port, strerror(errno));
    }

    (void) setsockopt(h->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}


void
bench_http_close(bench_http_t *h)
{
    (void) close(h->fd);
    free(h->buf);
}


void
bench_http_send(bench_http_t *h, const char *text, size_t len)
{
    ssize_t  n;

    n = send(h->fd, text, len, MSG_NOSIGNAL);

    if (n != (ssize_t) len) {
        bench_die("cannot send a request: %s", strerror(errno));
    }
}


void
bench_http_read(bench_http_t *h)
{
    ssize_t  n;

    if (h->len == h->size) {
        bench_die("something larger than %zu bytes was received", h->size);
    }

    n = recv(h->fd, h->buf + h->len, h->size - h->len, MSG_DONTWAIT);

    if (n > 0) {
        h->len += (size_t) n;
        return;
    }

    if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }

    bench_die("the server closed the connection: %s",
              n ? strerror(errno) : "end of file");
}


int
bench_http_answer(bench_http_t *h)
{
    bench_http_read(h);

    return bench_http_parse(h);
}


static int
bench_http_parse(bench_http_t *h)
{
    char    *end;
    size_t   n;

    if (h->head) {

        end = memmem(h->buf, h->len, "\r\n\r\n", 4);
        if (end == NULL) {
            return 0;
        }

        bench_http_head(h, h->buf, end);
        h->head = 0;

        n = (size_t) (end + 4 - h->buf);
        h->len -= n;
        memmove(h->buf, h->buf + n, h->len);
    }

    if (h->chunked) {

        /* the end of the last chunk is all that has to be known */

        if (h->len < 5 || memcmp(h->buf + h->len - 5, "0\r\n\r\n", 5) != 0) {

            if (h->len > 5) {
                memmove(h->buf, h->buf + h->len - 5, 5);
                h->len = 5;
            }

            return 0;
        }

        h->len = 0;
        h->head = 1;

        return 1;
    }

    n = h->len < h->rest ? h->len : h->rest;

    h->rest -= n;
    h->len -= n;
    memmove(h->buf, h->buf + n, h->len);

    h->head = (h->rest == 0);

    return h->rest == 0;
}


static void
bench_http_head(bench_http_t *h, char *p, const char *end)
{
    h->status = 0;
    h->rest = 0;
    h->chunked = 0;
    h->id[0] = '\0';

    if (sscanf(p, "HTTP/1.1 %3u", &h->status) != 1) {
        bench_die("an answer does not begin with HTTP/1.1");
    }

    for ( ;; ) {
        p = memchr(p, '\n', (size_t) (end - p));
        if (p == NULL) {
            return;
        }

        p++;

        if (strncasecmp(p, "Content-Length:", 15) == 0) {
            h->rest = strtoul(p + 15, NULL, 10);

        } else if (strncasecmp(p, "Transfer-Encoding:", 18) == 0) {
            h->chunked = 1;

        } else if (strncasecmp(p, "Command-Id:", 11) == 0) {
            (void) sscanf(p + 11, " %63[0-9a-f-]", h->id);
        }
    }
}


void
bench_http_await(bench_http_t *h, int msec)
{
    struct pollfd  pfd;

    pfd.fd = h->fd;
    pfd.events = POLLIN;

    while (!bench_http_parse(h)) {

        if (poll(&pfd, 1, msec) <= 0) {
            bench_die("no answer within %d ms", msec);
        }

        bench_http_read(h);
    }
}


void
bench_http_upgrade(bench_http_t *h, const char *path, const char *headers)
{
    int   n;
    char  request[4096];

    n = snprintf(request, sizeof(request),
                 "GET %s HTTP/1.1\r\n"
                 "Host: 127.0.0.1\r\n"
                 "Connection: Upgrade\r\n"
                 "Upgrade: websocket\r\n"
                 "Sec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                 "%s\r\n", path, headers);

    if (n < 0 || (size_t) n >= sizeof(request)) {
        bench_die("the request for %s is too long", path);
    }

    bench_http_send(h, request, (size_t) n);
    bench_http_await(h, BENCH_HTTP_TIMEOUT);

    if (h->status != 101) {
        bench_die("%s was answered %u, not 101", path, h->status);
    }
}


char *
bench_http_frame(bench_http_t *h, size_t *offset, size_t *len)
{
    size_t    i, head, wide;
    unsigned  opcode;
    uint8_t  *p;

    for ( ;; ) {
        p = (uint8_t *) h->buf + *offset;

        if (h->len - *offset < 2) {
            break;
        }

        wide = (p[1] == 127) ? 8 : (p[1] == 126) ? 2 : 0;
        head = 2 + wide;

        if (h->len - *offset < head) {
            break;
        }

        *len = wide ? 0 : p[1];

        for (i = 0; i < wide; i++) {
            *len = *len << 8 | p[2 + i];
        }

        if (h->len - *offset - head < *len) {
            break;
        }

        opcode = p[0] & 0x0f;
        *offset += head + *len;

        if (opcode == BENCH_WS_TEXT) {
            return (char *) p + head;
        }

        if (opcode == BENCH_WS_CLOSE) {
            bench_die("the server closed a WebSocket with %d",
                      *len < 2 ? 1005 : p[head] << 8 | p[head + 1]);
        }
    }

    h->len -= *offset;
    memmove(h->buf, h->buf + *offset, h->len);
    *offset = 0;

    return NULL;
}
