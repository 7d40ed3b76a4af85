-- Stores made before 0.1.0 was released had another shape, and held nothing that
-- matters to anybody.

do $$
begin
    if exists (select from pg_catalog.pg_class as c
                where c.oid = pg_catalog.to_regclass('cqrs.events') and c.relkind = 'r')
       or pg_catalog.to_regclass('cqrs.categories') is not null
          and not exists (select from pg_catalog.pg_attribute as a
                           where a.attrelid = pg_catalog.to_regclass('cqrs.categories') and a.attname = 'notifies_of')
    then
        raise exception using errcode = '0A000',
            message = 'this store was made by a development version of ngx_cqrs and can''t be brought up to date: '
                      'install into another database';
    end if;
end $$;
