
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "consumer_dead.h"
#include "consumer_dead_letter.h"
#include "consumer_process.h"
#include "consumer_table.h"
#include "cqrs_names.h"

#include <stdio.h>


typedef int (*consumer_dead_pt)(const consumer_options_t *options,
    consumer_amqp_t *amqp, consumer_dead_letter_t *letter);


static int consumer_dead_find(const consumer_options_t *options,
    consumer_dead_pt handler);
static int consumer_dead_print(const consumer_options_t *options,
    consumer_amqp_t *amqp, consumer_dead_letter_t *letter);
static int consumer_dead_again(const consumer_options_t *options,
    consumer_amqp_t *amqp, consumer_dead_letter_t *letter);
static int consumer_dead_drop(const consumer_options_t *options,
    consumer_amqp_t *amqp, consumer_dead_letter_t *letter);
static int consumer_dead_ack(consumer_amqp_t *amqp,
    const consumer_dead_letter_t *letter);
static int consumer_dead_open(const consumer_options_t *options,
    consumer_amqp_t *amqp, unsigned *count);
static int consumer_dead_failed(const consumer_amqp_t *amqp);


static const char  consumer_dead_name[] = "cqrs-consumer dead";

static const consumer_table_column_t  consumer_dead_columns[] = {
    { "PLACE", "place" },
    { "ID", "id" },
    { "TYPE", "type" },
    { "STREAM", "stream" },
    { "QUEUE", "queue" },
    { "SIZE", "size" },
    { "REASON", "reason" },
    { NULL, NULL }
};


int
consumer_dead_list(const consumer_options_t *options)
{
    int                      rc;
    json_t                  *rows;
    unsigned                 place, count;
    consumer_amqp_t          amqp;
    consumer_dead_letter_t   letter;

    if (consumer_dead_open(options, &amqp, &count) != 0) {
        return CONSUMER_EXIT_ERROR;
    }

    rc = 0;
    rows = json_array();

    for (place = 1; place <= count; place++) {
        rc = consumer_dead_letter_take(&letter, &amqp, place);
        if (rc != 1) {
            break;
        }

        json_array_append_new(rows, consumer_dead_letter_json(&letter, 0));
        consumer_dead_letter_cleanup(&letter);
    }

    if (rc == -1) {
        consumer_dead_failed(&amqp);

    } else {
        consumer_table_list(rows, consumer_dead_columns,
                            "There are no dead letters.", options->json);
    }

    json_decref(rows);
    consumer_amqp_close(&amqp);

    return (rc == -1) ? CONSUMER_EXIT_ERROR : CONSUMER_EXIT_OK;
}


int
consumer_dead_show(const consumer_options_t *options)
{
    return consumer_dead_find(options, consumer_dead_print);
}


int
consumer_dead_retry(const consumer_options_t *options)
{
    return consumer_dead_find(options, consumer_dead_again);
}


int
consumer_dead_discard(const consumer_options_t *options)
{
    return consumer_dead_find(options, consumer_dead_drop);
}


/* Calls the handler with the first one that the word means. */

static int
consumer_dead_find(const consumer_options_t *options,
    consumer_dead_pt handler)
{
    int                      rc;
    unsigned                 place, count;
    consumer_amqp_t          amqp;
    consumer_dead_letter_t   letter;

    if (consumer_dead_open(options, &amqp, &count) != 0) {
        return CONSUMER_EXIT_ERROR;
    }

    for (place = 1; ; place++) {

        rc = (place > count) ? 0
             : consumer_dead_letter_take(&letter, &amqp, place);

        if (rc == -1) {
            consumer_dead_failed(&amqp);
            break;
        }

        if (rc == 0) {
            fprintf(stderr, "cqrs-consumer: there is no dead letter \"%s\"\n",
                    options->words[0]);
            rc = -1;
            break;
        }

        if (consumer_dead_letter_is(&letter, options->words[0])) {
            rc = handler(options, &amqp, &letter);
            consumer_dead_letter_cleanup(&letter);
            break;
        }

        consumer_dead_letter_cleanup(&letter);
    }

    consumer_amqp_close(&amqp);

    return rc ? CONSUMER_EXIT_ERROR : CONSUMER_EXIT_OK;
}


static int
consumer_dead_print(const consumer_options_t *options, consumer_amqp_t *amqp,
    consumer_dead_letter_t *letter)
{
    json_t  *object;

    (void) amqp;

    object = consumer_dead_letter_json(letter, 1);

    consumer_table_show(object, options->json);

    json_decref(object);

    return 0;
}


/* Confirmed first, then acknowledged: a crash in between leaves two of it. */

static int
consumer_dead_again(const consumer_options_t *options, consumer_amqp_t *amqp,
    consumer_dead_letter_t *letter)
{
    int                    rc;
    char                   name[256];
    const char            *reason;
    consumer_publisher_t   pub;

    consumer_dead_letter_name(letter, name);
    consumer_publisher_init(&pub, options, consumer_dead_name);

    /* at the broker that has it */

    pub.amqp.next = (amqp->next + options->nrabbitmq - 1)
                    % options->nrabbitmq;

    reason = pub.amqp.error;

    if (consumer_publisher_open(&pub, 0) == 0) {
        reason = consumer_dead_letter_retry(letter, &pub);
    }

    if (reason) {
        fprintf(stderr, "cqrs-consumer: dead letter %s can't be retried: %s\n",
                name, reason);
        consumer_publisher_close(&pub);
        return -1;
    }

    rc = consumer_dead_ack(amqp, letter);

    if (rc == 0) {
        printf("Dead letter %s is back in its queue.\n", name);
    }

    consumer_publisher_close(&pub);

    return rc;
}


static int
consumer_dead_drop(const consumer_options_t *options, consumer_amqp_t *amqp,
    consumer_dead_letter_t *letter)
{
    char  name[256];

    (void) options;

    if (consumer_dead_ack(amqp, letter) != 0) {
        return -1;
    }

    printf("Dead letter %s is discarded.\n",
           consumer_dead_letter_name(letter, name));

    return 0;
}


/* This one alone; those before it are still wanted. */

static int
consumer_dead_ack(consumer_amqp_t *amqp, const consumer_dead_letter_t *letter)
{
    if (consumer_amqp_status(amqp, "acknowledging",
            amqp_basic_ack(amqp->conn, CONSUMER_AMQP_CHANNEL,
                           letter->envelope.delivery_tag, 0))
        != 0)
    {
        return consumer_dead_failed(amqp);
    }

    return 0;
}


static int
consumer_dead_open(const consumer_options_t *options, consumer_amqp_t *amqp,
    unsigned *count)
{
    size_t                    i;
    amqp_queue_declare_ok_t  *queue;

    consumer_amqp_init(amqp, options, consumer_dead_name);

    for (i = 0; i < options->nrabbitmq; i++) {

        if (consumer_amqp_connect(amqp, 0) != 0) {
            continue;
        }

        queue = amqp_queue_declare(amqp->conn, CONSUMER_AMQP_CHANNEL,
                                   amqp_cstring_bytes(CQRS_QUEUE_DEAD), 1, 0,
                                   0, 0, amqp_empty_table);

        if (consumer_amqp_check(amqp, CQRS_QUEUE_DEAD,
                                amqp_get_rpc_reply(amqp->conn))
            != 0)
        {
            continue;
        }

        *count = queue->message_count;

        if (consumer_amqp_consume(amqp, CQRS_QUEUE_DEAD, 0) == 0) {
            return 0;
        }
    }

    consumer_amqp_drop(amqp);

    return consumer_dead_failed(amqp);
}


static int
consumer_dead_failed(const consumer_amqp_t *amqp)
{
    fprintf(stderr, "cqrs-consumer: rabbitmq: %s\n", amqp->error);

    return -1;
}
