
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The bank, that fails when it meets poison: see Cqrs::Model.
 */

#define cqrs_handler  poisoned_bank
#include "../../examples/bank/handler/bank.c"
#undef cqrs_handler


CQRS_HANDLER_EXPORT const cqrs_handler_t *cqrs_handler(void);


static json_t *
poisoned_decide(const json_t *state, const cqrs_handler_command_t *command)
{
    if (json_object_get(command->data, "poison")) {
        return cqrs_fail("the domain met something it does not know");
    }

    return poisoned_bank()->decide(state, command);
}


const cqrs_handler_t *
cqrs_handler(void)
{
    static cqrs_handler_t  handler;

    handler = *poisoned_bank();
    handler.decide = poisoned_decide;

    return &handler;
}
