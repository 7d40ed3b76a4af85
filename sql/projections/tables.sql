-- Tables for a new build of a projection, beside those that are read.
--
-- What "like" does not copy is copied here: names of constraints and indexes, storage
-- parameters, comments, the owner, grants.  Policies and triggers come with the
-- promotion: nothing is to fire while the log is read.

create or replace function cqrs.copy_table(source regclass, schema text)
    returns void language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
    found   record;
    target  text;
    command text;
begin
    select c.relname, c.relpersistence, c.reloptions, n.nspname, obj_description(c.oid, 'pg_class') as said
      into found
      from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
     where c.oid = source;

    target := format('%I.%I', schema, found.relname);

    execute format('create %s table %s (like %s including all excluding indexes)%s',
                   case found.relpersistence when 'u' then 'unlogged' else '' end, target, source,
                   coalesce(' with (' || array_to_string(found.reloptions, ', ') || ')', ''));

    if found.said is not null then
        execute format('comment on table %s is %L', target, found.said);
    end if;

    for command in
        select format('alter table %s add constraint %I %s', target, k.conname, pg_get_constraintdef(k.oid))
          from pg_constraint as k
         where k.conrelid = source and k.contype in ('p', 'u', 'x')
         order by k.contype <> 'p', k.oid
    loop
        execute command;
    end loop;

    -- the definition of an index begins with names that we know

    for command in
        select format('create %s index %I on %s using ', i.uniqueness, i.relname, target)
               || substr(i.def, 1 + length(format('CREATE %sINDEX %I ON %I.%I USING ', upper(i.uniqueness),
                                                   i.relname, found.nspname, found.relname)))
          from (select x.indexrelid, c.relname, pg_get_indexdef(x.indexrelid) as def,
                       case when x.indisunique then 'unique ' else '' end as uniqueness
                  from pg_index as x join pg_class as c on c.oid = x.indexrelid
                 where x.indrelid = source
                   and not exists (select from pg_constraint as k
                                    where k.conindid = x.indexrelid and k.contype in ('p', 'u', 'x'))) as i
         order by i.indexrelid
    loop
        execute command;
    end loop;
end $$;

comment on function cqrs.copy_table(regclass, text) is
    'Makes an empty table of the same name and shape in another schema.';


create or replace function cqrs.copy_rights(source regclass, target regclass)
    returns void language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
    owner   name;
    command text;
begin
    select pg_get_userbyid(c.relowner) into owner from pg_class as c where c.oid = source;

    if exists (select from pg_class as c where c.oid = target and pg_get_userbyid(c.relowner) <> owner) then
        execute format('alter table %s owner to %I', target, owner);
    end if;

    for command in
        select format('grant %s%s on %s to %s%s', r.privilege, r.columns, target,
                      case r.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(r.grantee)) end,
                      case when r.grantable then ' with grant option' else '' end)
          from (select a.privilege_type as privilege, '' as columns, a.grantee, a.is_grantable as grantable
                  from pg_class as c cross join lateral aclexplode(c.relacl) as a
                 where c.oid = source and a.grantee <> c.relowner
                union all
                select a.privilege_type, format(' (%I)', t.attname), a.grantee, a.is_grantable
                  from pg_attribute as t cross join lateral aclexplode(t.attacl) as a
                 where t.attrelid = source and not t.attisdropped
                   and exists (select from pg_attribute as n
                                where n.attrelid = target and n.attname = t.attname and not n.attisdropped)) as r
    loop
        execute command;
    end loop;
end $$;

comment on function cqrs.copy_rights(regclass, regclass) is
    'Gives a table the owner and the grants of another.';


create or replace function cqrs.make_projection_tables(definition cqrs.projections, schema text)
    returns void language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
    item  text;
    there regclass;
begin
    if definition.setup is not null then
        perform cqrs.run_setup(definition.setup, schema);
    end if;

    foreach item in array definition.tables loop
        there := to_regclass(format('%I.%I', definition.schema, item));

        if definition.setup is null then
            perform cqrs.copy_table(there, schema);
        end if;

        if to_regclass(format('%I.%I', schema, item)) is null then
            raise exception using errcode = '42P01',
                message = format('projection %s: %s makes no table %I', definition.name, definition.setup, item);
        end if;

        if there is not null then
            perform cqrs.copy_rights(there, to_regclass(format('%I.%I', schema, item)));
        end if;
    end loop;
end $$;

comment on function cqrs.make_projection_tables(cqrs.projections, text) is
    'Makes the tables of a projection in this schema, empty.';
