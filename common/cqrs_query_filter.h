
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* The value of a filter: [not.]operator.value.  For the parser alone. */

#ifndef CQRS_QUERY_FILTER_H
#define CQRS_QUERY_FILTER_H


#include "cqrs_query_scan.h"


/* All but the filter's column.  Returns 0, or -1 with the scan's error. */
int cqrs_query_filter_parse(cqrs_query_scan_t *scan,
    cqrs_query_filter_t *filter);


#endif /* CQRS_QUERY_FILTER_H */
