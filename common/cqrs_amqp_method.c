
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * What the broker says, and what the machine answers.
 *
 * Only those methods that may come in the present state are given to
 * librabbitmq to decode.  The one with nested tables, connection.start, comes
 * before the frame size is agreed on, which bounds how deep the decoder goes.
 */

#include "cqrs_amqp_state.h"

#include <string.h>


#define CQRS_AMQP_ON(state)      (1U << (state))

#define CQRS_AMQP_ON_ANY                                                      \
    (CQRS_AMQP_ON(CQRS_AMQP_STARTING) | CQRS_AMQP_ON(CQRS_AMQP_TUNING)        \
     | CQRS_AMQP_ON(CQRS_AMQP_OPENING) | CQRS_AMQP_ON_OPEN)

#define CQRS_AMQP_ON_OPEN                                                     \
    (CQRS_AMQP_ON(CQRS_AMQP_CHANNEL_OPENING)                                  \
     | CQRS_AMQP_ON(CQRS_AMQP_CONFIRM_SELECTING)                              \
     | CQRS_AMQP_ON(CQRS_AMQP_READY) | CQRS_AMQP_ON(CQRS_AMQP_CLOSING))

#define CQRS_AMQP_ON_READY                                                    \
    (CQRS_AMQP_ON(CQRS_AMQP_READY) | CQRS_AMQP_ON(CQRS_AMQP_CLOSING))


typedef int (*cqrs_amqp_method_pt)(cqrs_amqp_t *amqp, void *method);


typedef struct {
    amqp_method_number_t   id;
    uint16_t               channel;
    unsigned               states;
    cqrs_amqp_method_pt    handler;
} cqrs_amqp_method_t;


static int cqrs_amqp_on_start(cqrs_amqp_t *amqp, void *method);
static int cqrs_amqp_on_tune(cqrs_amqp_t *amqp, void *method);
static int cqrs_amqp_on_open_ok(cqrs_amqp_t *amqp, void *method);
static int cqrs_amqp_on_channel_open_ok(cqrs_amqp_t *amqp, void *method);
static int cqrs_amqp_on_select_ok(cqrs_amqp_t *amqp, void *method);
static int cqrs_amqp_on_ack(cqrs_amqp_t *amqp, void *method);
static int cqrs_amqp_on_nack(cqrs_amqp_t *amqp, void *method);
static int cqrs_amqp_on_return(cqrs_amqp_t *amqp, void *method);
static int cqrs_amqp_on_flow(cqrs_amqp_t *amqp, void *method);
static int cqrs_amqp_on_channel_close(cqrs_amqp_t *amqp, void *method);
static int cqrs_amqp_on_blocked(cqrs_amqp_t *amqp, void *method);
static int cqrs_amqp_on_unblocked(cqrs_amqp_t *amqp, void *method);
static int cqrs_amqp_on_close(cqrs_amqp_t *amqp, void *method);
static int cqrs_amqp_on_close_ok(cqrs_amqp_t *amqp, void *method);

static int cqrs_amqp_open_channel(cqrs_amqp_t *amqp);
static int cqrs_amqp_confirmed(cqrs_amqp_t *amqp, uint64_t tag, int multiple,
    int accepted);
static void cqrs_amqp_printable(char *text, size_t size, amqp_bytes_t bytes);


static const cqrs_amqp_method_t  cqrs_amqp_methods[] = {

    /* the two of every message first */

    { AMQP_BASIC_ACK_METHOD, CQRS_AMQP_CHANNEL,
      CQRS_AMQP_ON_READY, cqrs_amqp_on_ack },
    { AMQP_BASIC_NACK_METHOD, CQRS_AMQP_CHANNEL,
      CQRS_AMQP_ON_READY, cqrs_amqp_on_nack },
    { AMQP_BASIC_RETURN_METHOD, CQRS_AMQP_CHANNEL,
      CQRS_AMQP_ON_READY, cqrs_amqp_on_return },

    { AMQP_CONNECTION_START_METHOD, 0,
      CQRS_AMQP_ON(CQRS_AMQP_STARTING), cqrs_amqp_on_start },
    { AMQP_CONNECTION_TUNE_METHOD, 0,
      CQRS_AMQP_ON(CQRS_AMQP_TUNING), cqrs_amqp_on_tune },
    { AMQP_CONNECTION_OPEN_OK_METHOD, 0,
      CQRS_AMQP_ON(CQRS_AMQP_OPENING), cqrs_amqp_on_open_ok },
    { AMQP_CHANNEL_OPEN_OK_METHOD, CQRS_AMQP_CHANNEL,
      CQRS_AMQP_ON(CQRS_AMQP_CHANNEL_OPENING), cqrs_amqp_on_channel_open_ok },
    { AMQP_CONFIRM_SELECT_OK_METHOD, CQRS_AMQP_CHANNEL,
      CQRS_AMQP_ON(CQRS_AMQP_CONFIRM_SELECTING), cqrs_amqp_on_select_ok },

    { AMQP_CHANNEL_FLOW_METHOD, CQRS_AMQP_CHANNEL,
      CQRS_AMQP_ON_READY, cqrs_amqp_on_flow },
    { AMQP_CHANNEL_CLOSE_METHOD, CQRS_AMQP_CHANNEL,
      CQRS_AMQP_ON_OPEN, cqrs_amqp_on_channel_close },
    { AMQP_CONNECTION_BLOCKED_METHOD, 0,
      CQRS_AMQP_ON_OPEN, cqrs_amqp_on_blocked },
    { AMQP_CONNECTION_UNBLOCKED_METHOD, 0,
      CQRS_AMQP_ON_OPEN, cqrs_amqp_on_unblocked },
    { AMQP_CONNECTION_CLOSE_METHOD, 0,
      CQRS_AMQP_ON_ANY, cqrs_amqp_on_close },
    { AMQP_CONNECTION_CLOSE_OK_METHOD, 0,
      CQRS_AMQP_ON(CQRS_AMQP_CLOSING), cqrs_amqp_on_close_ok },

    { 0, 0, 0, NULL }
};


int
cqrs_amqp_method(cqrs_amqp_t *amqp, uint16_t channel, const uint8_t *p,
    size_t len)
{
    int                        rc;
    void                      *decoded;
    amqp_bytes_t               encoded;
    amqp_method_number_t       id;
    const cqrs_amqp_method_t  *m;

    if (len < 4) {
        return cqrs_amqp_fail(amqp, "the broker sent a method without a name");
    }

    id = (amqp_method_number_t) cqrs_amqp_number(p, 4);

    for (m = cqrs_amqp_methods; m->handler; m++) {
        if (m->id == id) {
            break;
        }
    }

    if (m->handler == NULL
        || m->channel != channel
        || (m->states & CQRS_AMQP_ON(amqp->state)) == 0
        || (channel && amqp->content != CQRS_AMQP_NO_CONTENT
            && id != AMQP_CHANNEL_CLOSE_METHOD))
    {
        return cqrs_amqp_fail(amqp, "the broker sent method %u.%u out of turn",
                              id >> 16, id & 0xffff);
    }

    encoded.bytes = (void *) (p + 4);
    encoded.len = len - 4;

    rc = amqp_decode_method(id, &amqp->pool, encoded, &decoded);

    if (rc < 0) {
        rc = cqrs_amqp_fail(amqp, "the broker sent method %u.%u "
                            "with broken arguments", id >> 16, id & 0xffff);
    } else {
        rc = m->handler(amqp, decoded);
    }

    recycle_amqp_pool(&amqp->pool);

    return rc;
}


static int
cqrs_amqp_on_start(cqrs_amqp_t *amqp, void *method)
{
    size_t                       i;
    char                         secret[2 + 2 * CQRS_AMQP_NAME_MAX], *p;
    amqp_table_entry_t           capable[5], entries[3];
    amqp_connection_start_t     *start = method;
    amqp_connection_start_ok_t   m;
    static const char           *capabilities[] = {
        "publisher_confirms", "basic.nack", "connection.blocked",
        "consumer_cancel_notify", "authentication_failure_close"
    };

    if (start->version_major != 0 || start->version_minor != 9) {
        return cqrs_amqp_fail(amqp, "the broker speaks another version "
                              "of AMQP than 0-9-1");
    }

    for (i = 0; i < 5; i++) {
        capable[i].key = amqp_cstring_bytes(capabilities[i]);
        capable[i].value.kind = AMQP_FIELD_KIND_BOOLEAN;
        capable[i].value.value.boolean = 1;
    }

    entries[0].key = amqp_cstring_bytes("product");
    entries[0].value.kind = AMQP_FIELD_KIND_UTF8;
    entries[0].value.value.bytes = amqp_cstring_bytes("ngx_cqrs");

    entries[1].key = amqp_cstring_bytes("connection_name");
    entries[1].value.kind = AMQP_FIELD_KIND_UTF8;
    entries[1].value.value.bytes = amqp->conf.name;

    entries[2].key = amqp_cstring_bytes("capabilities");
    entries[2].value.kind = AMQP_FIELD_KIND_TABLE;
    entries[2].value.value.table.num_entries = 5;
    entries[2].value.value.table.entries = capable;

    p = secret;
    *p++ = '\0';

    if (amqp->conf.user.len) {
        memcpy(p, amqp->conf.user.bytes, amqp->conf.user.len);
        p += amqp->conf.user.len;
    }

    *p++ = '\0';

    if (amqp->conf.password.len) {
        memcpy(p, amqp->conf.password.bytes, amqp->conf.password.len);
        p += amqp->conf.password.len;
    }

    m.client_properties.num_entries = 3;
    m.client_properties.entries = entries;
    m.mechanism = amqp_cstring_bytes("PLAIN");
    m.response.bytes = secret;
    m.response.len = (size_t) (p - secret);
    m.locale = amqp_cstring_bytes("en_US");

    amqp->state = CQRS_AMQP_TUNING;

    return cqrs_amqp_send(amqp, 0, AMQP_CONNECTION_START_OK_METHOD, &m,
                          512 + m.response.len + amqp->conf.name.len);
}


static int
cqrs_amqp_on_tune(cqrs_amqp_t *amqp, void *method)
{
    amqp_connection_open_t      open;
    amqp_connection_tune_t     *tune = method;
    amqp_connection_tune_ok_t   m;

    if (tune->frame_max && tune->frame_max < CQRS_AMQP_FRAME_MIN) {
        return cqrs_amqp_fail(amqp, "the broker wants frames of %u bytes, "
                              "fewer than AMQP allows",
                              (unsigned) tune->frame_max);
    }

    m.channel_max = CQRS_AMQP_CHANNEL;
    m.frame_max = CQRS_AMQP_FRAME_MAX;
    m.heartbeat = amqp->conf.heartbeat;

    if (tune->frame_max && tune->frame_max < m.frame_max) {
        m.frame_max = tune->frame_max;
    }

    if (tune->heartbeat && tune->heartbeat < m.heartbeat) {
        m.heartbeat = tune->heartbeat;
    }

    amqp->frame_max = m.frame_max;
    amqp->heartbeat = m.heartbeat;

    if (cqrs_amqp_send(amqp, 0, AMQP_CONNECTION_TUNE_OK_METHOD, &m, 16) != 0) {
        return -1;
    }

    memset(&open, 0, sizeof(amqp_connection_open_t));

    open.virtual_host = amqp->conf.vhost;

    amqp->state = CQRS_AMQP_OPENING;

    return cqrs_amqp_send(amqp, 0, AMQP_CONNECTION_OPEN_METHOD, &open,
                          16 + amqp->conf.vhost.len);
}


static int
cqrs_amqp_on_open_ok(cqrs_amqp_t *amqp, void *method)
{
    (void) method;

    return cqrs_amqp_open_channel(amqp);
}


static int
cqrs_amqp_on_channel_open_ok(cqrs_amqp_t *amqp, void *method)
{
    amqp_confirm_select_t  m;

    (void) method;

    m.nowait = 0;

    amqp->state = CQRS_AMQP_CONFIRM_SELECTING;

    return cqrs_amqp_send(amqp, CQRS_AMQP_CHANNEL, AMQP_CONFIRM_SELECT_METHOD,
                          &m, 16);
}


static int
cqrs_amqp_on_select_ok(cqrs_amqp_t *amqp, void *method)
{
    (void) method;

    amqp->state = CQRS_AMQP_READY;
    amqp->tag = 0;

    amqp->conf.handlers->ready(amqp->conf.data);

    return 0;
}


static int
cqrs_amqp_on_ack(cqrs_amqp_t *amqp, void *method)
{
    amqp_basic_ack_t  *ack = method;

    return cqrs_amqp_confirmed(amqp, ack->delivery_tag, ack->multiple, 1);
}


static int
cqrs_amqp_on_nack(cqrs_amqp_t *amqp, void *method)
{
    amqp_basic_nack_t  *nack = method;

    return cqrs_amqp_confirmed(amqp, nack->delivery_tag, nack->multiple, 0);
}


static int
cqrs_amqp_on_return(cqrs_amqp_t *amqp, void *method)
{
    (void) method;

    amqp->content = CQRS_AMQP_CONTENT_HEADER;

    return 0;
}


static int
cqrs_amqp_on_flow(cqrs_amqp_t *amqp, void *method)
{
    amqp_channel_flow_t     *flow = method;
    amqp_channel_flow_ok_t   m;

    m.active = flow->active;

    return cqrs_amqp_send(amqp, CQRS_AMQP_CHANNEL, AMQP_CHANNEL_FLOW_OK_METHOD,
                          &m, 16);
}


static int
cqrs_amqp_on_channel_close(cqrs_amqp_t *amqp, void *method)
{
    char                      text[CQRS_AMQP_REASON_MAX];
    cqrs_amqp_state_e         before;
    amqp_channel_close_t     *close = method;
    amqp_channel_close_ok_t   m;

    cqrs_amqp_printable(text, sizeof(text), close->reply_text);

    before = amqp->state;

    if (before != CQRS_AMQP_READY && before != CQRS_AMQP_CLOSING) {
        return cqrs_amqp_fail(amqp, "the broker refused the channel, "
                              "%u \"%s\"", close->reply_code, text);
    }

    m.dummy = 0;

    amqp->content = CQRS_AMQP_NO_CONTENT;

    if (cqrs_amqp_send(amqp, CQRS_AMQP_CHANNEL, AMQP_CHANNEL_CLOSE_OK_METHOD,
                       &m, 16)
        != 0)
    {
        return -1;
    }

    if (before == CQRS_AMQP_READY && cqrs_amqp_open_channel(amqp) != 0) {
        return -1;
    }

    amqp->conf.handlers->channel_closed(close->reply_code, text,
                                        amqp->conf.data);

    return 0;
}


static int
cqrs_amqp_on_blocked(cqrs_amqp_t *amqp, void *method)
{
    char                       text[CQRS_AMQP_REASON_MAX];
    amqp_connection_blocked_t *blocked = method;

    cqrs_amqp_printable(text, sizeof(text), blocked->reason);

    amqp->blocked = 1;
    amqp->conf.handlers->blocked(text, amqp->conf.data);

    return 0;
}


static int
cqrs_amqp_on_unblocked(cqrs_amqp_t *amqp, void *method)
{
    (void) method;

    amqp->blocked = 0;
    amqp->conf.handlers->blocked(NULL, amqp->conf.data);

    return 0;
}


static int
cqrs_amqp_on_close(cqrs_amqp_t *amqp, void *method)
{
    char                         text[CQRS_AMQP_REASON_MAX];
    amqp_connection_close_t     *close = method;
    amqp_connection_close_ok_t   m;

    cqrs_amqp_printable(text, sizeof(text), close->reply_text);

    m.dummy = 0;

    if (cqrs_amqp_send(amqp, 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &m, 16)
        != 0)
    {
        return -1;
    }

    return cqrs_amqp_fail(amqp, "the broker closed the connection, %u \"%s\"",
                          close->reply_code, text);
}


static int
cqrs_amqp_on_close_ok(cqrs_amqp_t *amqp, void *method)
{
    (void) method;

    return cqrs_amqp_fail(amqp, "closed as asked for");
}


static int
cqrs_amqp_open_channel(cqrs_amqp_t *amqp)
{
    amqp_channel_open_t  m;

    m.out_of_band = amqp_empty_bytes;

    amqp->state = CQRS_AMQP_CHANNEL_OPENING;

    return cqrs_amqp_send(amqp, CQRS_AMQP_CHANNEL, AMQP_CHANNEL_OPEN_METHOD,
                          &m, 16);
}


static int
cqrs_amqp_confirmed(cqrs_amqp_t *amqp, uint64_t tag, int multiple,
    int accepted)
{
    /* 0 with multiple is all there are */

    if (tag == 0 && multiple) {
        tag = amqp->tag;
    }

    if (tag == 0 || tag > amqp->tag) {
        return cqrs_amqp_fail(amqp, "the broker confirmed a message "
                              "that was not published");
    }

    amqp->conf.handlers->confirmed(tag, multiple, accepted, amqp->conf.data);

    return 0;
}


/* The broker's words, for a log. */

static void
cqrs_amqp_printable(char *text, size_t size, amqp_bytes_t bytes)
{
    size_t          i;
    const uint8_t  *p;

    p = bytes.bytes;

    for (i = 0; i < bytes.len && i < size - 1; i++) {
        text[i] = (p[i] < ' ' || p[i] == 0x7f) ? '?' : (char) p[i];
    }

    text[i] = '\0';
}
