
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "consumer_topology.h"
#include "cqrs_names.h"

#include <stdio.h>


/*
 * As good as none, which not every version of the broker can be told.
 *
 * It counts each delivery that was not acknowledged, whatever the reason: a
 * daemon that is killed returns all that it had prefetched, and what lies
 * there is innocent but for perhaps one.  With a limit of 20, the 21st crash
 * moves all of that to the dead letters, unexecuted.  A command that fails or
 * crashes its surroundings is found by the daemon, one by one, and parked.
 */

#define CONSUMER_DELIVERY_LIMIT  1000000


static int consumer_topology_exchange(consumer_amqp_t *amqp, const char *name,
    const char *type);
static int consumer_topology_worked(consumer_amqp_t *amqp, const char *name);
static int consumer_topology_dead(consumer_amqp_t *amqp);
static int consumer_topology_declare_queue(consumer_amqp_t *amqp,
    const char *name, int n, amqp_table_entry_t *args);
static int consumer_topology_bind(consumer_amqp_t *amqp, const char *queue,
    const char *exchange, const char *key);
static amqp_table_entry_t consumer_topology_text(const char *name,
    const char *value);


int
consumer_topology_declare(consumer_amqp_t *amqp, unsigned partitions)
{
    char      queue[CONSUMER_QUEUE_NAME_MAX], key[16];
    unsigned  i;

    if (consumer_topology_exchange(amqp, CQRS_EXCHANGE_COMMANDS, "topic") != 0
        || consumer_topology_exchange(amqp, CQRS_EXCHANGE_EVENTS, "topic") != 0
        || consumer_topology_exchange(amqp, CQRS_EXCHANGE_DEAD, "fanout") != 0
        || consumer_topology_dead(amqp) != 0
        || consumer_topology_worked(amqp, CQRS_QUEUE_REACTIONS) != 0
        || consumer_topology_bind(amqp, CQRS_QUEUE_REACTIONS,
                                  CQRS_EXCHANGE_EVENTS, CQRS_QUEUE_REACTIONS)
           != 0)
    {
        return -1;
    }

    for (i = 0; i < partitions; i++) {
        consumer_topology_queue(queue, i);
        snprintf(key, sizeof(key), "#.%u", i);

        if (consumer_topology_worked(amqp, queue) != 0
            || consumer_topology_bind(amqp, queue, CQRS_EXCHANGE_COMMANDS, key)
               != 0)
        {
            return -1;
        }
    }

    return 0;
}


const char *
consumer_topology_queue(char name[CONSUMER_QUEUE_NAME_MAX], unsigned partition)
{
    snprintf(name, CONSUMER_QUEUE_NAME_MAX, CQRS_QUEUE_COMMANDS "%u",
             partition);

    return name;
}


static int
consumer_topology_exchange(consumer_amqp_t *amqp, const char *name,
    const char *type)
{
    amqp_exchange_declare(amqp->conn, CONSUMER_AMQP_CHANNEL,
                          amqp_cstring_bytes(name), amqp_cstring_bytes(type),
                          0, 1, 0, 0, amqp_empty_table);

    return consumer_amqp_check(amqp, name, amqp_get_rpc_reply(amqp->conn));
}


static int
consumer_topology_worked(consumer_amqp_t *amqp, const char *name)
{
    amqp_table_entry_t  args[6];

    args[0] = consumer_topology_text("x-queue-type", "quorum");
    args[1] = consumer_topology_text("x-dead-letter-exchange",
                                     CQRS_EXCHANGE_DEAD);
    args[2] = consumer_topology_text("x-dead-letter-strategy",
                                     "at-least-once");
    args[3] = consumer_topology_text("x-overflow", "reject-publish");

    args[4].key = amqp_cstring_bytes("x-single-active-consumer");
    args[4].value.kind = AMQP_FIELD_KIND_BOOLEAN;
    args[4].value.value.boolean = 1;

    args[5].key = amqp_cstring_bytes("x-delivery-limit");
    args[5].value.kind = AMQP_FIELD_KIND_I64;
    args[5].value.value.i64 = CONSUMER_DELIVERY_LIMIT;

    return consumer_topology_declare_queue(amqp, name, 6, args);
}


static int
consumer_topology_dead(consumer_amqp_t *amqp)
{
    amqp_table_entry_t  args[2];

    /* who looks through it takes all of it, and puts it back */

    args[0] = consumer_topology_text("x-queue-type", "quorum");

    args[1].key = amqp_cstring_bytes("x-delivery-limit");
    args[1].value.kind = AMQP_FIELD_KIND_I64;
    args[1].value.value.i64 = CONSUMER_DELIVERY_LIMIT;

    if (consumer_topology_declare_queue(amqp, CQRS_QUEUE_DEAD, 2, args) != 0) {
        return -1;
    }

    return consumer_topology_bind(amqp, CQRS_QUEUE_DEAD, CQRS_EXCHANGE_DEAD,
                                  "");
}


static int
consumer_topology_declare_queue(consumer_amqp_t *amqp, const char *name,
    int n, amqp_table_entry_t *args)
{
    amqp_table_t  table;

    table.num_entries = n;
    table.entries = args;

    amqp_queue_declare(amqp->conn, CONSUMER_AMQP_CHANNEL,
                       amqp_cstring_bytes(name), 0, 1, 0, 0, table);

    return consumer_amqp_check(amqp, name, amqp_get_rpc_reply(amqp->conn));
}


static int
consumer_topology_bind(consumer_amqp_t *amqp, const char *queue,
    const char *exchange, const char *key)
{
    amqp_queue_bind(amqp->conn, CONSUMER_AMQP_CHANNEL,
                    amqp_cstring_bytes(queue), amqp_cstring_bytes(exchange),
                    amqp_cstring_bytes(key), amqp_empty_table);

    return consumer_amqp_check(amqp, queue, amqp_get_rpc_reply(amqp->conn));
}


static amqp_table_entry_t
consumer_topology_text(const char *name, const char *value)
{
    amqp_table_entry_t  entry;

    entry.key = amqp_cstring_bytes(name);
    entry.value.kind = AMQP_FIELD_KIND_UTF8;
    entry.value.value.bytes = amqp_cstring_bytes(value);

    return entry;
}
