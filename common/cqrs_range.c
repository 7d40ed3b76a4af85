
/*
 * Copyright (C) The ngx_cqrs authors
 */

#include "cqrs_range.h"
#include "cqrs_digits.h"


/* More rows than there ever are; sums of two are numbers still. */
#define CQRS_RANGE_END  (INT64_MAX / 4)


static int cqrs_range_read(const char *text, size_t len, int64_t *first,
    int64_t *last);
static const char *cqrs_range_number(const char *p, const char *end,
    int64_t *number);


int
cqrs_range_cut(int64_t *limit, int64_t *offset, const char *text, size_t len,
    cqrs_query_error_t *error)
{
    int64_t  first, last, end;

    /* what wants no row gets none, wherever they begin */

    if (*limit == 0) {
        *offset = 0;
        return 0;
    }

    if (*offset > CQRS_RANGE_END) {
        *offset = CQRS_RANGE_END;
    }

    if (!cqrs_range_read(text, len, &first, &last)) {
        first = 0;
        last = 2 * CQRS_RANGE_END;

        if (*limit >= -1) {
            return 0;
        }
    }

    if (last < first) {
        cqrs_query_refuse(error, 416, "PGRST103",
                          "Requested range not satisfiable");
        error->details = cqrs_str_lit("The lower boundary must be lower than "
                                      "or equal to the upper boundary in the "
                                      "Range header.");
        return -1;
    }

    end = (*limit < 0 || *limit > CQRS_RANGE_END) ? 2 * CQRS_RANGE_END
                                                  : *offset + *limit - 1;

    if (first < *offset) {
        first = *offset;
    }

    if (last > end) {
        last = end;
    }

    if (*limit < -1 || last < first) {
        cqrs_query_refuse(error, 416, "PGRST103",
                          "Requested range not satisfiable");
        error->details = cqrs_str_lit("Limit should be greater than or equal "
                                      "to zero.");
        return -1;
    }

    *offset = first;
    *limit = (last >= CQRS_RANGE_END) ? -1 : last - first + 1;

    return 0;
}


/* Is it a range? */

static int
cqrs_range_read(const char *text, size_t len, int64_t *first, int64_t *last)
{
    const char  *p, *end;

    if (text == NULL) {
        return 0;
    }

    end = text + len;

    p = cqrs_range_number(text, end, first);

    if (p == text || p == end || *p != '-') {
        return 0;
    }

    p++;

    if (p == end) {
        *last = 2 * CQRS_RANGE_END;
        return 1;
    }

    return cqrs_range_number(p, end, last) == end;
}


static const char *
cqrs_range_number(const char *p, const char *end, int64_t *number)
{
    *number = 0;

    for ( /* void */ ; p < end && *p >= '0' && *p <= '9'; p++) {

        if (*number < CQRS_RANGE_END / 10) {
            *number = *number * 10 + (*p - '0');

        } else {
            *number = CQRS_RANGE_END;
        }
    }

    return p;
}


unsigned
cqrs_range_status(int64_t offset, int64_t rows, int64_t total)
{
    if (total < 0) {
        return 200;
    }

    if (offset > total) {
        return 416;
    }

    return (rows < total) ? 206 : 200;
}


size_t
cqrs_range_write(char text[CQRS_RANGE_MAX], int64_t offset, int64_t rows,
    int64_t total)
{
    char  *p;

    p = text;

    if (rows > 0 && total != 0) {
        p = cqrs_digits(p, (uint64_t) offset);
        *p++ = '-';
        p = cqrs_digits(p, (uint64_t) (offset + rows - 1));

    } else {
        *p++ = '*';
    }

    *p++ = '/';

    if (total < 0) {
        *p++ = '*';

    } else {
        p = cqrs_digits(p, (uint64_t) total);
    }

    return (size_t) (p - text);
}
