
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* Values of Postgres as JSON. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <stdio.h>

#include "cqrs_row.h"


static void
expect(cqrs_row_kind_e kind, const char *value, const char *json)
{
    char    *p, *end;
    size_t   size, len;

    len = value ? strlen(value) : 0;
    size = cqrs_row_value_size(kind, value, len);

    p = malloc(size + 1);
    assert_non_null(p);

    end = cqrs_row_value(p, kind, value, len);
    assert_in_range(end - p, 0, size);

    *end = '\0';
    assert_string_equal(p, json);

    free(p);
}


static void
numbers(void **state)
{
    (void) state;

    expect(CQRS_ROW_NUMBER, "0", "0");
    expect(CQRS_ROW_NUMBER, "-12.50", "-12.50");
    expect(CQRS_ROW_NUMBER, "1e+20", "1e+20");
    expect(CQRS_ROW_NUMBER, "NaN", "\"NaN\"");
    expect(CQRS_ROW_NUMBER, "-Infinity", "\"-Infinity\"");
    expect(CQRS_ROW_NUMBER, NULL, "null");
}


static void
strings(void **state)
{
    (void) state;

    expect(CQRS_ROW_STRING, "", "\"\"");
    expect(CQRS_ROW_STRING, "a\"b\\c", "\"a\\\"b\\\\c\"");
    expect(CQRS_ROW_STRING, "\b\t\n\f\r", "\"\\b\\t\\n\\f\\r\"");
    expect(CQRS_ROW_STRING, "\x01\x0b\x1f\x7f",
           "\"\\u0001\\u000b\\u001f\x7f\"");
    expect(CQRS_ROW_STRING, "\xc3\xa9", "\"\xc3\xa9\"");
}


/* Eight bytes are looked at together: what is escaped may be any of them. */

static void
strings_of_all_lengths(void **state)
{
    char         text[41], json[48];
    size_t       len, at, i;
    const char  *c;

    (void) state;

    for (len = 0; len < sizeof(text); len++) {

        memset(text, 'x', len);
        text[len] = '\0';

        snprintf(json, sizeof(json), "\"%s\"", text);

        expect(CQRS_ROW_STRING, text, json);
        expect(CQRS_ROW_QUOTED, text, json);
        expect(CQRS_ROW_JSON, text, text);

        for (c = "\"\\\n\x01\x1f !#[]\x7f\x80\x9f\xa2\xdc\xff"; *c; c++) {

            for (at = 0; at < len; at++) {
                text[at] = *c;

                i = strcspn("\"\\\n\x01\x1f", (char []) { *c, '\0' });

                snprintf(json, sizeof(json), "\"%.*s%s%s\"", (int) at, text,
                         i == 5 ? (char []) { *c, '\0' }
                                : (const char *[]) { "\\\"", "\\\\", "\\n",
                                                     "\\u0001",
                                                     "\\u001f" }[i],
                         text + at + 1);

                expect(CQRS_ROW_STRING, text, json);

                text[at] = 'x';
            }
        }
    }
}


static void
long_values_are_measured_exactly(void **state)
{
    char  text[1001], json[2003];

    (void) state;

    memset(text, '"', 1000);
    text[1000] = '\0';

    json[0] = '"';
    memset(json + 1, '\\', 2000);

    for (size_t i = 2; i <= 2000; i += 2) {
        json[i] = '"';
    }

    strcpy(json + 2001, "\"");

    assert_int_equal(cqrs_row_value_size(CQRS_ROW_STRING, text, 1000), 2002);
    expect(CQRS_ROW_STRING, text, json);
}


static void
times(void **state)
{
    (void) state;

    expect(CQRS_ROW_TIMESTAMP, "2026-01-02 03:04:05.123",
           "\"2026-01-02T03:04:05.123\"");
    expect(CQRS_ROW_TIMESTAMP, "infinity", "\"infinity\"");
    expect(CQRS_ROW_TIMESTAMP, "0044-03-15 00:00:00 BC",
           "\"0044-03-15T00:00:00 BC\"");
    expect(CQRS_ROW_TIMESTAMPTZ, "2026-01-02 03:04:05+00",
           "\"2026-01-02T03:04:05+00:00\"");
    expect(CQRS_ROW_TIMESTAMPTZ, "2026-01-02 03:04:05-05:30",
           "\"2026-01-02T03:04:05-05:30\"");
    expect(CQRS_ROW_TIMESTAMPTZ, "0044-03-15 00:00:00+01 BC",
           "\"0044-03-15T00:00:00+01:00 BC\"");
}


static void
others(void **state)
{
    (void) state;

    expect(CQRS_ROW_BOOLEAN, "t", "true");
    expect(CQRS_ROW_BOOLEAN, "f", "false");
    expect(CQRS_ROW_JSON, "{\"a\": 1}", "{\"a\": 1}");
    expect(CQRS_ROW_JSON, NULL, "null");
}


static void
types(void **state)
{
    (void) state;

    assert_int_equal(cqrs_row_kind(&cqrs_str_lit("numeric(10,2)")),
                     CQRS_ROW_NUMBER);
    assert_int_equal(cqrs_row_kind(&cqrs_str_lit("timestamp(3) with time "
                                                 "zone")),
                     CQRS_ROW_TIMESTAMPTZ);
    assert_int_equal(cqrs_row_kind(&cqrs_str_lit("integer[]")),
                     CQRS_ROW_UNKNOWN);
    assert_int_equal(cqrs_row_kind(&cqrs_str_lit("numeric(10,2)[]")),
                     CQRS_ROW_UNKNOWN);
    assert_int_equal(cqrs_row_kind(&cqrs_str_lit("numeric(")),
                     CQRS_ROW_UNKNOWN);
    assert_int_equal(cqrs_row_kind(&cqrs_str_lit("shop.mood")),
                     CQRS_ROW_UNKNOWN);

    assert_int_equal(cqrs_row_kind_of(1184), CQRS_ROW_TIMESTAMPTZ);
    assert_int_equal(cqrs_row_kind_of(1007), CQRS_ROW_UNKNOWN);
    assert_int_equal(cqrs_row_kind_of(0), CQRS_ROW_UNKNOWN);
}


static void
prefixes(void **state)
{
    char        text[64], *end;
    cqrs_str_t  name = cqrs_str("a\"b");

    (void) state;

    end = cqrs_row_prefix(text, &name, 1);
    assert_int_equal(end - text, cqrs_row_prefix_size(&name));
    assert_memory_equal(text, "{\"a\\\"b\":", (size_t) (end - text));

    end = cqrs_row_prefix(text, &name, 0);
    assert_memory_equal(text, ",\"a\\\"b\":", (size_t) (end - text));
}


static void
rows(void **state)
{
    char               text[64], *end;
    cqrs_row_column_t  columns[] = {
        { CQRS_ROW_NUMBER, cqrs_str("{\"a\":") },
        { CQRS_ROW_QUOTED, cqrs_str(",\"a long name\":") },
        { CQRS_ROW_STRING, cqrs_str(",\"c\":") }
    };
    cqrs_str_t         values[] = {
        cqrs_str("1"), cqrs_str("2026-01-02"), { 0, NULL }
    };

    (void) state;

    end = cqrs_row_write(text, columns, values, 3);
    *end = '\0';

    assert_string_equal(text,
                        "{\"a\":1,\"a long name\":\"2026-01-02\",\"c\":null}");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(strings),
        cmocka_unit_test(strings_of_all_lengths),
        cmocka_unit_test(long_values_are_measured_exactly),
        cmocka_unit_test(times),
        cmocka_unit_test(others),
        cmocka_unit_test(types),
        cmocka_unit_test(prefixes),
        cmocka_unit_test(rows)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
