
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * Within a millisecond, and when the clock goes back, the last id's random
 * part is raised by a random step, so that ids of a worker are in the order of
 * their making and still can't be guessed.
 */

#include "ngx_http_cqrs_command_id.h"

#include "ngx_cqrs_random.h"


#define NGX_HTTP_CQRS_COMMAND_TAIL_BITS  62


ngx_int_t
ngx_http_cqrs_command_id_next(cqrs_uuid_t *id)
{
    u_char            random[10];
    uint64_t          now, tail;
    ngx_uint_t        i;
    ngx_time_t       *tp;
    static u_char     head[2];
    static uint64_t   last, counter;

    if (ngx_cqrs_random(random, sizeof(random)) != NGX_OK) {
        return NGX_ERROR;
    }

    tp = ngx_timeofday();
    now = (uint64_t) tp->sec * 1000 + tp->msec;

    tail = 0;

    for (i = 2; i < 10; i++) {
        tail = tail << 8 | random[i];
    }

    if (now <= last) {
        counter += 1 + (tail & 0xffffffff);
        now = last;

        if (counter >> NGX_HTTP_CQRS_COMMAND_TAIL_BITS) {
            now++;
        }
    }

    if (now > last) {
        last = now;

        /* half of the range is left to count in */

        counter = tail >> 3;
        ngx_memcpy(head, random, 2);
    }

    random[0] = head[0];
    random[1] = head[1];

    for (i = 0; i < 8; i++) {
        random[2 + i] = (u_char) (counter >> (56 - 8 * i));
    }

    cqrs_uuid_v7(id, last, random);

    return NGX_OK;
}
