
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * One connection as an HTTP client and, after a 101, as a WebSocket client.
 *
 * It is meant to cost next to nothing, since its CPU time is counted in with
 * the server's: answers are not kept, only measured; frames are looked at in
 * the buffer they were read into.
 */

#ifndef BENCH_HTTP_H
#define BENCH_HTTP_H


#include <stddef.h>
#include <stdint.h>


typedef struct {
    int       fd;
    unsigned  status;          /* of the last answer; 0: none yet */
    unsigned  head;            /* 1: within the head of an answer */
    unsigned  chunked;
    size_t    rest;            /* of the body, when it has a length */
    char      id[64];          /* its Command-Id, or empty */

    char     *buf;
    size_t    size;
    size_t    len;             /* bytes in buf */
} bench_http_t;


/* A connection to 127.0.0.1; reads do not wait, writes do. */
void bench_http_connect(bench_http_t *h, int port, size_t size);

void bench_http_close(bench_http_t *h);

/* The text of a whole request. */
void bench_http_send(bench_http_t *h, const char *text, size_t len);

/* Reads what is there.  1: an answer is complete; 0: not yet. */
int bench_http_answer(bench_http_t *h);

/* Waits up to msec for the answer; dies when none comes. */
void bench_http_await(bench_http_t *h, int msec);

/* Asks for a WebSocket and waits for the 101. */
void bench_http_upgrade(bench_http_t *h, const char *path,
    const char *headers);

/* Reads what is there, to be taken apart by bench_http_frame(). */
void bench_http_read(bench_http_t *h);

/*
 * The next whole text frame at or after *offset, which is moved behind it;
 * NULL when there is none, and then what is left goes to the buffer's start
 * and *offset to 0.  Pings are dropped; a close frame ends the program.
 */
char *bench_http_frame(bench_http_t *h, size_t *offset, size_t *len);


#endif /* BENCH_HTTP_H */
