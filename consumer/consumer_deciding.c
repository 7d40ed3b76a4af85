
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "consumer_deciding.h"
#include "consumer_handler.h"

#include <stdlib.h>
#include <string.h>


static int consumer_deciding_take(consumer_deciding_t *d,
    consumer_command_t *command);
static size_t consumer_deciding_stream(consumer_deciding_t *d,
    const char *name, size_t len);
static unsigned *consumer_deciding_place(consumer_deciding_t *d, int streams,
    const char *name, size_t len);


int
consumer_deciding_init(consumer_deciding_t *d, size_t batch)
{
    memset(d, 0, sizeof(*d));

    for (d->nindex = 16; d->nindex < 2 * batch; d->nindex *= 2) {
        /* void */
    }

    d->commands = calloc(batch, sizeof(consumer_deciding_command_t));
    d->streams = calloc(batch, sizeof(consumer_deciding_stream_t));
    d->index = calloc(2 * d->nindex, sizeof(unsigned));

    return d->commands && d->streams && d->index ? 0 : -1;
}


void
consumer_deciding_cleanup(consumer_deciding_t *d)
{
    free(d->commands);
    free(d->streams);
    free(d->index);
}


int
consumer_deciding_begin(consumer_deciding_t *d, consumer_command_t *commands,
    size_t n)
{
    size_t  i;

    d->ncommands = 0;
    d->nstreams = 0;

    memset(d->index, 0, 2 * d->nindex * sizeof(unsigned));

    for (i = 0; i < n; i++) {
        if (consumer_deciding_take(d, &commands[i]) != 0) {
            return -1;
        }
    }

    return 0;
}


static int
consumer_deciding_take(consumer_deciding_t *d, consumer_command_t *command)
{
    json_t                       *stream, *id;
    unsigned                     *place;
    consumer_deciding_command_t  *c;

    if (command->json == NULL) {
        command->json = consumer_handler_parse(command->text, command->len);
    }

    stream = json_object_get(command->json, "stream");
    id = json_object_get(command->json, "id");

    /* the text was written by ourselves */

    if (!json_is_string(stream) || !json_is_string(id)) {
        return -1;
    }

    c = &d->commands[d->ncommands++];

    c->command = command;
    c->expected = json_string_value(json_object_get(command->json,
                                                    "expected_version"));
    c->again = 0;
    c->stream = consumer_deciding_stream(d, json_string_value(stream),
                                        json_string_length(stream));

    d->streams[c->stream].handler = command->handler;

    /* the second with an id gets the outcome of the first */

    place = consumer_deciding_place(d, 0, command->id, strlen(command->id));

    if (*place) {
        c->again = 1;
    } else {
        *place = (unsigned) d->ncommands;
    }

    c->settled = c->again;

    return 0;
}


/* The number of the stream in this batch. */

static size_t
consumer_deciding_stream(consumer_deciding_t *d, const char *name, size_t len)
{
    unsigned                    *place;
    consumer_deciding_stream_t  *stream;

    place = consumer_deciding_place(d, 1, name, len);

    if (*place == 0) {
        stream = &d->streams[d->nstreams++];

        memset(stream, 0, sizeof(*stream));

        stream->name = name;
        stream->len = len;

        *place = (unsigned) d->nstreams;
    }

    return *place - 1;
}


/* Where the number of a name stands, plus one, or is to stand. */

static unsigned *
consumer_deciding_place(consumer_deciding_t *d, int streams, const char *name,
    size_t len)
{
    size_t                             i, hash;
    unsigned                          *index;
    const consumer_command_t          *command;
    const consumer_deciding_stream_t  *stream;

    index = d->index + (streams ? d->nindex : 0);

    for (hash = 5381, i = 0; i < len; i++) {
        hash = hash * 33 ^ (unsigned char) name[i];
    }

    for (i = hash & (d->nindex - 1); index[i]; i = (i + 1) & (d->nindex - 1)) {

        if (streams) {
            stream = &d->streams[index[i] - 1];

            if (stream->len == len && memcmp(stream->name, name, len) == 0) {
                break;
            }

        } else {
            command = d->commands[index[i] - 1].command;

            if (strcmp(command->id, name) == 0) {
                break;
            }
        }
    }

    return &index[i];
}


void
consumer_deciding_end(consumer_deciding_t *d)
{
    size_t  i;

    for (i = 0; i < d->nstreams; i++) {
        consumer_deciding_release(&d->streams[i]);
    }

    d->nstreams = 0;
    d->ncommands = 0;
}


void
consumer_deciding_release(consumer_deciding_stream_t *stream)
{
    json_decref(stream->before);
    json_decref(stream->state);

    stream->before = NULL;
    stream->state = NULL;
    stream->token[0] = '\0';
    stream->known = 0;
}
