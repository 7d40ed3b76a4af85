
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* The version of everything here. */

#ifndef CQRS_VERSION_H
#define CQRS_VERSION_H


#define CQRS_VERSION  "0.1.0"


#endif /* CQRS_VERSION_H */
