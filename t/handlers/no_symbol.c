
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* A library that is no plugin. */

int no_handler(void) __attribute__((visibility("default")));


int
no_handler(void)
{
    return 0;
}
