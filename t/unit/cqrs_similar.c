
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* Which name is taken for the one that was meant. */

#include "cqrs_similar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>


static const char *
best(const char *wanted, double part, const char *const *names)
{
    size_t             i;
    cqrs_str_t         w, kept[64];
    cqrs_similar_t     similar;
    const cqrs_str_t  *found;

    w.data = wanted;
    w.len = strlen(wanted);

    cqrs_similar_init(&similar, &w, part);

    for (i = 0; names[i]; i++) {
        kept[i].data = names[i];
        kept[i].len = strlen(names[i]);

        cqrs_similar_add(&similar, &kept[i]);
    }

    found = cqrs_similar_best(&similar);

    return found ? found->data : NULL;
}


static void
similar_is_what_has_most_letters_in_place(void **state)
{
    static const char *const  names[] = {
        "kettles", "kettle_lids", "settlers", "mugs", NULL
    };

    (void) state;

    assert_string_equal(best("kettle", 0.75, names), "kettles");
    assert_string_equal(best("kettlelids", 0.75, names), "kettle_lids");
    assert_string_equal(best("settler", 0.75, names), "settlers");
    assert_null(best("kettle_lids_of_tin", 0.75, names));
    assert_string_equal(best("kettle_lids_of_tin", 0.33, names),
                        "kettle_lids");
    assert_null(best("", 0.33, names));
}


static void
similar_is_exact_but_for_its_case(void **state)
{
    static const char *const  names[] = { "mugs", "Mug", "mud", NULL };

    (void) state;

    assert_string_equal(best("MUGS", 0.75, names), "mugs");
    assert_string_equal(best("mug", 0.75, names), "Mug");
}


/* Groups of three letters decide, those of two where nothing shares one. */

static void
similar_must_share_a_group_of_letters(void **state)
{
    static const char *const  short_ones[] = { "(b)", "(ab)", NULL };
    static const char *const  groups[] = { "abxd", "abcx", NULL };

    (void) state;

    assert_null(best("()", 0.33, short_ones));
    assert_string_equal(best("(a)", 0.33, short_ones), "(ab)");

    /* of two that are as near the one that shares more groups */

    assert_string_equal(best("abcd", 0.33, groups), "abcx");
}


static void
similar_are_at_most_fifty(void **state)
{
    size_t       i;
    char         text[60][8];
    const char  *names[62];

    (void) state;

    for (i = 0; i < 60; i++) {
        text[i][0] = 'a';
        text[i][1] = 'b';
        text[i][2] = 'c';
        text[i][3] = (char) ('0' + i / 10);
        text[i][4] = (char) ('0' + i % 10);
        text[i][5] = '\0';
        names[i] = text[i];
    }

    names[60] = "abcde";
    names[61] = NULL;

    assert_string_equal(best("abcdf", 0.5, names), "abcde");
    assert_null(best("xyz", 0.33, names));
}


static void
similar_names_are_not_endless(void **state)
{
    char                      text[CQRS_SIMILAR_MAX + 2];
    static const char *const  names[] = { "aaaa", NULL };

    (void) state;

    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = '\0';

    assert_null(best(text, 0.01, names));

    text[CQRS_SIMILAR_MAX] = '\0';
    assert_string_equal(best(text, 0.01, names), "aaaa");

    assert_int_equal(cqrs_similar_distance("kitten", 6, "sitting", 7), 3);
    assert_int_equal(cqrs_similar_distance("", 0, "ab", 2), 2);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(similar_is_what_has_most_letters_in_place),
        cmocka_unit_test(similar_is_exact_but_for_its_case),
        cmocka_unit_test(similar_must_share_a_group_of_letters),
        cmocka_unit_test(similar_are_at_most_fifty),
        cmocka_unit_test(similar_names_are_not_endless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
