
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* What is UTF-8, by trying all of it. */

#include "cqrs_utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>


/* Writes a code point of the given length, right or wrong. */

static void
test_encode(unsigned char *p, uint32_t code, int len)
{
    static const unsigned char  first[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

    int  i;

    if (len == 1) {
        p[0] = code;
        return;
    }

    for (i = len - 1; i > 0; i--) {
        p[i] = 0x80 | (code & 0x3f);
        code >>= 6;
    }

    p[0] = first[len] | code;
}


static int
test_length_of(uint32_t code)
{
    return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}


static void
test_every_code_point_in_every_length(void **state)
{
    int            len, right;
    uint32_t       code, end;
    unsigned char  p[4];

    (void) state;

    for (len = 1; len <= 4; len++) {
        end = len == 1 ? 0x80 : len == 2 ? 0x800 : len == 3 ? 0x10000
                                                            : 0x140000;

        for (code = 0; code < end; code++) {
            test_encode(p, code, len);

            right = len == test_length_of(code)
                    && code <= 0x10ffff
                    && (code < 0xd800 || code > 0xdfff);

            assert_int_equal(cqrs_utf8_valid(p, len), right);
        }
    }
}


static void
test_a_character_cut_short_is_wrong(void **state)
{
    int             len, cut;
    unsigned char   p[4], *exact;

    static const uint32_t  codes[] = { 0, 0, 0x7ff, 0xffff, 0x10ffff };

    (void) state;

    for (len = 2; len <= 4; len++) {
        test_encode(p, codes[len], len);

        for (cut = 1; cut < len; cut++) {
            exact = malloc(cut);
            assert_non_null(exact);
            memcpy(exact, p, cut);

            assert_int_equal(cqrs_utf8_valid(exact, cut), 0);

            free(exact);
        }
    }
}


static void
test_bytes_that_begin_nothing_are_wrong(void **state)
{
    int            byte;
    unsigned char  p[4] = { 0, 0x80, 0x80, 0x80 };

    (void) state;

    for (byte = 0x80; byte <= 0xff; byte++) {
        p[0] = byte;

        if (byte < 0xc2 || byte > 0xf4) {
            assert_int_equal(cqrs_utf8_valid(p, 4), 0);
        }
    }
}


static void
test_the_place_of_a_wrong_byte_does_not_matter(void **state)
{
    size_t  i, len;
    char    text[40];

    (void) state;

    for (len = 1; len <= sizeof(text); len++) {
        memset(text, 'a', sizeof(text));

        assert_int_equal(cqrs_utf8_valid(text, len), 1);

        for (i = 0; i < len; i++) {
            text[i] = (char) 0xff;
            assert_int_equal(cqrs_utf8_valid(text, len), 0);
            text[i] = 'a';
        }
    }

    assert_int_equal(cqrs_utf8_valid(text, 0), 1);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_every_code_point_in_every_length),
        cmocka_unit_test(test_a_character_cut_short_is_wrong),
        cmocka_unit_test(test_bytes_that_begin_nothing_are_wrong),
        cmocka_unit_test(test_the_place_of_a_wrong_byte_does_not_matter)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
