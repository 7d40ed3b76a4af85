
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* The commands of a batch, and the streams that they are for, each once. */

#ifndef CONSUMER_DECIDING_H
#define CONSUMER_DECIDING_H


#include "consumer_command.h"
#include "cqrs_handler.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>


typedef struct {
    const char             *name;          /* the command's */
    size_t                  len;
    const cqrs_handler_t   *handler;
    int64_t                 base;          /* what the store is at */
    int64_t                 head;          /* with what was decided */
    json_t                 *before;        /* the state at base */
    json_t                 *state;         /* at head */
    char                    token[24];     /* of a state folded here */
    unsigned                known:1;
    unsigned                used:1;        /* something was decided on it */
} consumer_deciding_stream_t;


typedef struct {
    consumer_command_t     *command;
    const char             *expected;      /* version; NULL: any */
    size_t                  stream;
    unsigned                again:1;       /* its id was there before */
    unsigned                settled:1;     /* it needs no decision */
} consumer_deciding_command_t;


typedef struct {
    consumer_deciding_command_t  *commands;
    size_t                        ncommands;
    consumer_deciding_stream_t   *streams;
    size_t                        nstreams;
    unsigned                     *index;   /* both by name; 0: free */
    size_t                        nindex;  /* of each, a power of two */
} consumer_deciding_t;


/* For batches of so many commands.  0, or -1: no memory. */
int consumer_deciding_init(consumer_deciding_t *d, size_t batch);
void consumer_deciding_cleanup(consumer_deciding_t *d);

/* The commands must live until the end.  0, or -1: no memory. */
int consumer_deciding_begin(consumer_deciding_t *d,
    consumer_command_t *commands, size_t n);
void consumer_deciding_end(consumer_deciding_t *d);

/* Forgets what is known of a stream. */
void consumer_deciding_release(consumer_deciding_stream_t *stream);


#endif /* CONSUMER_DECIDING_H */
