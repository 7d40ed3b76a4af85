
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* Ids of commands: UUIDs of version 7, in order within a worker. */

#ifndef NGX_HTTP_CQRS_COMMAND_ID_H
#define NGX_HTTP_CQRS_COMMAND_ID_H


#include <ngx_config.h>
#include <ngx_core.h>

#include "cqrs_uuid.h"


/* NGX_ERROR: there is no randomness to be had. */
ngx_int_t ngx_http_cqrs_command_id_next(cqrs_uuid_t *id);


#endif /* NGX_HTTP_CQRS_COMMAND_ID_H */
