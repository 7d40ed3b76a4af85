
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* A plugin of another time: its ABI has a number nobody knows. */

#include "cqrs_handler.h"


static const cqrs_handler_t  wrong_handler = {
    .abi = CQRS_HANDLER_ABI + 1000,
    .category = "account"
};


const cqrs_handler_t *
cqrs_handler(void)
{
    return &wrong_handler;
}
