
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* The way through a token's claims to a role. */

#include "cqrs_role_claim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>


static const char  claims_text[] =
    "{\"role\": \"plain\", \"a\": {\"b\": [\"b0\", \"b1\"]},"
    " \"with-dash\": {\"x y\": \"quoted\"}, \"number\": 7,"
    " \"roles\": [1, \"viewer\", \"chief_editor\", \"editor\"]}";


static void
finds(const char *text, const char *wanted)
{
    json_t      *claims, *value;
    cqrs_str_t   path;

    path.data = text;
    path.len = strlen(text);

    assert_null(cqrs_role_claim_check(&path));

    claims = json_loads(claims_text, 0, NULL);
    assert_non_null(claims);

    value = cqrs_role_claim_find(&path, claims);

    if (wanted == NULL) {
        assert_null(value);

    } else {
        assert_non_null(value);
        assert_string_equal(json_string_value(value), wanted);
    }

    json_decref(claims);
}


static void
malformed(const char *text, size_t place)
{
    cqrs_str_t   path;
    const char  *where;

    path.data = text;
    path.len = strlen(text);

    where = cqrs_role_claim_check(&path);

    if (where != text + place) {
        fail_msg("\"%s\" is refused at %td", text, where ? where - text : -1);
    }
}


static void
test_names_and_numbers(void **state)
{
    (void) state;

    finds(".role", "plain");
    finds("$.role", "plain");
    finds(".a.b[1]", "b1");
    finds("$['a'][\"b\"][0]", "b0");
    finds(".\"with-dash\".\"x y\"", "quoted");
    finds(".nothing", NULL);
    finds(".a.b[2]", NULL);
    finds(".role[0]", NULL);
    finds(".role.more", NULL);
}


static void
test_conditions(void **state)
{
    (void) state;

    finds(".roles[?(@ == \"viewer\")]", "viewer");
    finds(".roles[?(@ != \"viewer\")]", "chief_editor");
    finds(".roles[?(@ ^== \"chief\")]", "chief_editor");
    finds(".roles[?(@ ==^ \"editor\")]", "chief_editor");
    finds(".roles[?(@ *== \"iew\")]", "viewer");
    finds(".roles[?@ == 'editor']", "editor");
    finds(".roles[?(@==\"editor\")]", "editor");
    finds(".roles[?(@ *== \"\")]", "viewer");
    finds(".roles[?(@ == \"nobody\")]", NULL);
    finds(".role[?(@ == \"plain\")]", NULL);
}


static void
test_what_is_no_path(void **state)
{
    (void) state;

    malformed("", 0);
    malformed("$", 0);
    malformed("role", 0);
    malformed(".", 0);
    malformed(".a.", 2);
    malformed(".a[", 2);
    malformed(".a[x]", 2);
    malformed(".a[0", 2);
    malformed(".a[99999999999999999999]", 2);
    malformed(".\"a", 0);
    malformed(".a-b", 2);
    malformed(".a[?(@ = \"x\")]", 2);
    malformed(".a[?(@ == x)]", 2);
    malformed(".a[?(@ == \"x\"]", 2);
    malformed(".a[?(@ == \"x\")].b", 2);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_names_and_numbers),
        cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_what_is_no_path)
    };

    return cmocka_run_group_tests_name("cqrs_role_claim", tests, NULL, NULL);
}
