
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * What the two files of OpenAPI 3.1 share: the paths refer to components, and
 * write types as those do.  Nobody else includes this.
 */

#ifndef CQRS_OPENAPI_3_H
#define CQRS_OPENAPI_3_H


#include "cqrs_openapi_state.h"


void cqrs_openapi_3_components(cqrs_openapi_ctx_t *ctx);

/* The members of a schema; there are none where the type says nothing. */
void cqrs_openapi_3_type(cqrs_openapi_ctx_t *ctx, const cqrs_str_t *type,
    int nullable);

/* "integer"..., or NULL: it may be anything. */
const char *cqrs_openapi_3_type_name(const cqrs_str_t *type);

/* {"$ref": ...} to the schema of a relation. */
void cqrs_openapi_3_ref(cqrs_openapi_ctx_t *ctx, const cqrs_str_t *name);


#endif /* CQRS_OPENAPI_3_H */
