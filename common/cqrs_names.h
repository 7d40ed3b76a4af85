
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* The names on the wire, see docs/wire.md. */

#ifndef CQRS_NAMES_H
#define CQRS_NAMES_H


#define CQRS_EXCHANGE_COMMANDS   "cqrs.commands"
#define CQRS_EXCHANGE_EVENTS     "cqrs.events"
#define CQRS_EXCHANGE_DEAD       "cqrs.dead"

#define CQRS_QUEUE_COMMANDS      "cqrs.commands."      /* and the partition */
#define CQRS_QUEUE_REACTIONS     "cqrs.reactions"
#define CQRS_QUEUE_DEAD          "cqrs.dead-letters"

#define CQRS_HEADER_STREAM            "stream"
#define CQRS_HEADER_USER              "user"
#define CQRS_HEADER_CLAIMS            "claims"
#define CQRS_HEADER_EXPECTED_VERSION  "expected-version"
#define CQRS_HEADER_CORRELATION_ID    "correlation-id"
#define CQRS_HEADER_CAUSATION_ID      "causation-id"
#define CQRS_HEADER_TRACEPARENT       "traceparent"

/* RabbitMQ takes further routing keys from it, and keeps it to itself. */
#define CQRS_HEADER_ALSO_TO           "BCC"

#define CQRS_HEADER_PARTITION         "x-partition"
#define CQRS_HEADER_POSITION          "x-position"
#define CQRS_HEADER_STREAM_NAME       "x-stream"
#define CQRS_HEADER_VERSION           "x-version"

#define CQRS_HEADER_REASON            "x-cqrs-reason"
#define CQRS_HEADER_EXCHANGE          "x-cqrs-exchange"
#define CQRS_HEADER_ROUTING_KEY       "x-cqrs-routing-key"
#define CQRS_HEADER_QUEUE             "x-cqrs-queue"

/* written by RabbitMQ */
#define CQRS_HEADER_DELIVERY_COUNT    "x-delivery-count"
#define CQRS_HEADER_DEATH             "x-death"

#define CQRS_CONTENT_TYPE_JSON        "application/json"
#define CQRS_CONTENT_TYPE_EVENT                                               \
    "application/cloudevents+json; charset=utf-8"

#define CQRS_TYPE_COMPLETED           "cqrs.command.completed"
#define CQRS_TYPE_REJECTED            "cqrs.command.rejected"
#define CQRS_TYPE_FAILED              "cqrs.command.failed"

#define CQRS_CODE_CONFLICT            "conflict"

#define CQRS_CHANNEL_USER             "user:"          /* and the user */

#define CQRS_REDIS_HISTORY            "cqrs:history:"  /* and the channel */
#define CQRS_REDIS_KEY                "cqrs:key:"      /* and the id */
#define CQRS_REDIS_SENT               "cqrs:sent"


#endif /* CQRS_NAMES_H */
