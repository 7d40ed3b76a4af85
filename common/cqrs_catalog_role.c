
/*
 * Copyright (C) The ngx_cqrs authors
 */

/* Settings of roles: of the session elsewhere, here of a query. */

#include "cqrs_catalog_state.h"


int
cqrs_load_role_setting(cqrs_catalog_load_t *load, const cqrs_str_t *row)
{
    cqrs_catalog_t       *catalog;
    cqrs_setting_t       *setting;
    cqrs_catalog_role_t  *role;

    catalog = load->catalog;

    role = cqrs_catalog_table_find(&catalog->table, &catalog->roles, &row[0]);

    if (role == NULL) {
        role = cqrs_catalog_table_new(&catalog->table, &catalog->arena,
                                      sizeof(cqrs_catalog_role_t),
                                      &catalog->roles, &row[0]);
        if (role == NULL) {
            return -1;
        }

        role->last = &role->settings;
    }

    setting = cqrs_arena_calloc(&catalog->arena, sizeof(cqrs_setting_t));
    if (setting == NULL) {
        return -1;
    }

    setting->name.len = row[1].len;
    setting->name.data = cqrs_arena_copy(&catalog->arena, row[1].data,
                                         row[1].len);
    setting->value.len = row[2].len;
    setting->value.data = cqrs_arena_copy(&catalog->arena, row[2].data,
                                          row[2].len);

    if (setting->name.data == NULL || setting->value.data == NULL) {
        return -1;
    }

    *role->last = setting;
    role->last = &setting->next;

    return 0;
}


const cqrs_setting_t *
cqrs_catalog_role_settings(const cqrs_catalog_t *catalog,
    const cqrs_str_t *role)
{
    const cqrs_catalog_role_t  *found;

    found = cqrs_catalog_table_find(&catalog->table, &catalog->roles, role);

    return found ? found->settings : NULL;
}
