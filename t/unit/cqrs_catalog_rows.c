
/*
 * Copyright (C) The ngx_cqrs authors
 */

/*
 * The rows of t/unit/shop.rows are those that a real database gives, that of
 * t/lib/query_schema.sql.  t/query_catalog_shop.t makes it and says where it
 * is in CQRS_SHOP; elsewhere only what needs no server is tested.
 *
 * With CQRS_SHOP_WRITE=1 the file is written instead:
 *
 *     CQRS_SHOP_WRITE=1 make test T=t/query_catalog_shop.t
 *
 * What the database numbers has other numbers in each: here names stand for
 * them, and lines are in the order of their text.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <libpq-fe.h>

#include "shop_rows.h"


#define ROWS_MAX  4000


static void rows_read(PGconn *db);
static void rows_add(PGresult *result, int row);
static const char *rows_name(PGresult *names, int relation,
    const char *number);
static size_t rows_value(char *line, size_t len, const char *value);
static int rows_compare(const void *a, const void *b);
static void rows_write(void);
static void rows_check(void);


/* Of each kind of row, which columns are numbers of relations. */

static const char  *rows_relations[CQRS_CATALOG_ROW_KINDS] = {
    "", "c", "c", "ce", "c", "ce", "k", "", "", "c", "cd", ""
};

static PGresult    *rows_names;
static size_t       rows_count;
static char        *rows[ROWS_MAX];


static void
rows_make_a_catalogue_without_a_server(void **state)
{
    cqrs_catalog_t  *catalog;

    (void) state;

    catalog = shop_rows_load();
    assert_non_null(catalog);
    assert_true(cqrs_catalog_relations(catalog) > 40);

    cqrs_catalog_unref(catalog);
}


static void
rows_are_those_of_a_database(void **state)
{
    size_t   i;
    PGconn  *db;

    (void) state;

    db = PQconnectdb(getenv("CQRS_SHOP"));

    if (PQstatus(db) != CONNECTION_OK) {
        fail_msg("%s", PQerrorMessage(db));
    }

    rows_read(db);
    PQfinish(db);

    qsort(rows, rows_count, sizeof(char *), rows_compare);

    if (getenv("CQRS_SHOP_WRITE")) {
        rows_write();

    } else {
        rows_check();
    }

    for (i = 0; i < rows_count; i++) {
        free(rows[i]);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(rows_are_those_of_a_database),
        cmocka_unit_test(rows_make_a_catalogue_without_a_server),
    };
    const struct CMUnitTest  alone[] = {
        cmocka_unit_test(rows_make_a_catalogue_without_a_server),
    };

    return getenv("CQRS_SHOP") ? cmocka_run_group_tests(tests, NULL, NULL)
                               : cmocka_run_group_tests(alone, NULL, NULL);
}


static void
rows_read(PGconn *db)
{
    int         i;
    PGresult   *result;

    static const char *const  params[] = { "{shop,other}", "{extra}" };

    PQclear(PQexec(db, "begin"));
    PQclear(PQexec(db, cqrs_catalog_setting_sql));

    rows_names = PQexec(db,
        "select c.oid, c.oid::pg_catalog.regclass::text, 'r' "
         "from pg_catalog.pg_class c "
        "union all "
        "select p.oid, p.oid::pg_catalog.regprocedure::text, 'f' "
         "from pg_catalog.pg_proc p "
         "join pg_catalog.pg_namespace n on n.oid = p.pronamespace "
        "where n.nspname in ('shop', 'other')");
    assert_int_equal(PQresultStatus(rows_names), PGRES_TUPLES_OK);

    result = PQexecParams(db, cqrs_catalog_sql, CQRS_CATALOG_SQL_PARAMETERS,
                          NULL, params, NULL, NULL, 0);
    assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
    assert_true(PQntuples(result) < ROWS_MAX);

    for (i = 0; i < PQntuples(result); i++) {
        rows_add(result, i);
    }

    PQclear(result);
    PQclear(rows_names);
}


static void
rows_add(PGresult *result, int row)
{
    int          i, last, kind, function;
    char         line[SHOP_ROWS_LINE];
    size_t       len;
    const char  *value;

    kind = atoi(PQgetvalue(result, row, 0));
    last = CQRS_CATALOG_SQL_COLUMNS;

    while (PQgetisnull(result, row, last - 1)) {
        last--;
    }

    for (i = 0, len = 0; i < last; i++) {

        value = PQgetisnull(result, row, i) ? NULL
                                            : PQgetvalue(result, row, i);

        function = (i == 2 && kind >= CQRS_CATALOG_ROW_FUNCTION
                    && kind <= CQRS_CATALOG_ROW_FUNCTION_SETTING);

        if (value && (function || strchr(rows_relations[kind], 'a' + i))) {
            value = rows_name(rows_names, !function, value);
        }

        if (i) {
            line[len++] = '\t';
        }

        len = rows_value(line, len, value);
    }

    line[len] = '\0';
    rows[rows_count++] = strdup(line);
}


static const char *
rows_name(PGresult *names, int relation, const char *number)
{
    int  i;

    for (i = 0; i < PQntuples(names); i++) {
        if (strcmp(PQgetvalue(names, i, 0), number) == 0
            && PQgetvalue(names, i, 2)[0] == (relation ? 'r' : 'f'))
        {
            return PQgetvalue(names, i, 1);
        }
    }

    fail_msg("there is no name for %s", number);

    return NULL;
}


static size_t
rows_value(char *line, size_t len, const char *value)
{
    char         c;
    const char  *found;

    if (value == NULL) {
        line[len++] = '\\';
        line[len++] = 'N';
        return len;
    }

    for ( /* void */ ; *value; value++) {

        assert_true(len < SHOP_ROWS_LINE - 8);

        c = *value;
        found = strchr("\\\\\tt\nn", c);

        if (found && (c == '\\' || c < ' ')) {
            line[len++] = '\\';
            c = found[1];
        }

        line[len++] = c;
    }

    return len;
}


/* By kind and place, which are numbers, then by text. */

static int
rows_compare(const void *a, const void *b)
{
    long               one, two;
    char              *first, *second;
    char *const       *left = a, *const *right = b;

    one = strtol(*left, &first, 10);
    two = strtol(*right, &second, 10);

    if (one == two) {
        one = strtol(first, NULL, 10);
        two = strtol(second, NULL, 10);
    }

    if (one != two) {
        return (one < two) ? -1 : 1;
    }

    return strcmp(*left, *right);
}


static void
rows_write(void)
{
    FILE    *file;
    size_t   i;

    file = fopen(SHOP_ROWS, "w");
    assert_non_null(file);

    fputs("# Rows of cqrs_catalog_sql, written by "
          "t/unit/cqrs_catalog_rows.c.\n", file);

    for (i = 0; i < rows_count; i++) {
        fprintf(file, "%s\n", rows[i]);
    }

    fclose(file);
}


static void
rows_check(void)
{
    FILE    *file;
    char     line[SHOP_ROWS_LINE];
    size_t   i;

    file = fopen(SHOP_ROWS, "r");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof(line), file));

    for (i = 0; i < rows_count; i++) {
        assert_non_null(fgets(line, sizeof(line), file));
        line[strcspn(line, "\n")] = '\0';
        assert_string_equal(line, rows[i]);
    }

    assert_null(fgets(line, sizeof(line), file));

    fclose(file);
}
