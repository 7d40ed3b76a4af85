-- What a projection's definition names, looked up and checked.

create or replace function cqrs.projection_function(name text, project text, owns_tables boolean)
    returns regprocedure language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
declare
    found record;
begin
    select p.oid, p.prorettype, p.proretset, p.proconfig, p.prosqlbody is not null as bound
      into found
      from pg_proc as p
     where p.oid = to_regprocedure(project || '(cqrs.event[])');

    if found is null then
        raise exception using errcode = '42883',
            message = format('projection %s: there is no function %s(cqrs.event[])', name, project);
    end if;

    if found.prorettype <> 'void'::regtype or found.proretset then
        raise exception using errcode = '42P13',
            message = format('projection %s: %s(cqrs.event[]) must return void', name, project);
    end if;

    if owns_tables and found.bound then
        raise exception using errcode = '42P13',
            message = format('projection %s: %s is bound to the tables it was made with; its body must be text, '
                             'so that it can fill others', name, project);
    end if;

    if owns_tables and exists (select from unnest(found.proconfig) as c where c like 'search\_path=%') then
        raise exception using errcode = '42P13',
            message = format('projection %s: %s has a search_path of its own; it gets one from the store, '
                             'that of its tables', name, project);
    end if;

    return found.oid::regprocedure;
end $$;

comment on function cqrs.projection_function(text, text, boolean) is
    'The function of a projection, or a sentence on why it will not do.';


create or replace function cqrs.projection_setup(name text, setup text)
    returns regprocedure language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
declare
    found record;
begin
    select p.oid, p.prorettype, p.proconfig
      into found
      from pg_proc as p
     where p.oid = to_regprocedure(setup || '()');

    if found is null then
        raise exception using errcode = '42883',
            message = format('projection %s: there is no function %s()', name, setup);
    end if;

    if found.prorettype <> 'void'::regtype then
        raise exception using errcode = '42P13',
            message = format('projection %s: %s() must return void', name, setup);
    end if;

    if exists (select from unnest(found.proconfig) as c where c like 'search\_path=%') then
        raise exception using errcode = '42P13',
            message = format('projection %s: %s has a search_path of its own; it gets one from the store, '
                             'that of the tables it makes', name, setup);
    end if;

    return found.oid::regprocedure;
end $$;

comment on function cqrs.projection_setup(text, text) is
    'The function that makes a projection''s tables, or a sentence on why it will not do.';


-- The schema that comes first is where what has no schema is made.

create or replace function cqrs.run_setup(setup text, schema text)
    returns void language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
    perform set_config('search_path', format('%I, pg_temp', schema), true);
    execute format('select %s()', setup);
    perform set_config('search_path', 'pg_catalog, pg_temp', true);
end $$;

comment on function cqrs.run_setup(text, text) is
    'Lets a setup function make the tables of a projection in this schema.';


create or replace function cqrs.projection_tables(name text, tables text[], home text,
    out schema text, out names text[])
    language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
declare
    item  text;
    parts text[];
begin
    if cardinality(tables) = 0 then
        raise exception using errcode = '22023',
            message = format('projection %s: an empty list of tables; leave it out if there are none', name);
    end if;

    foreach item in array coalesce(tables, '{}') loop
        parts := parse_ident(item);

        if cardinality(parts) = 1 then
            parts := array[home] || parts;
        end if;

        if cardinality(parts) <> 2 then
            raise exception using errcode = '22023',
                message = format('projection %s: "%s" is no name of a table', name, item);
        end if;

        schema := coalesce(schema, parts[1]);

        if parts[1] <> schema then
            raise exception using errcode = '22023',
                message = format('projection %s: its tables must be in one schema, not in %I and %I',
                                 name, schema, parts[1]);
        end if;

        if parts[2] = any (names) then
            raise exception using errcode = '22023',
                message = format('projection %s: table %I is named twice', name, parts[2]);
        end if;

        names := names || parts[2];
    end loop;
end $$;

comment on function cqrs.projection_tables(text, text[], text) is
    'The tables of a projection, without the schema that they share. home: the schema of those named without one.';


create or replace function cqrs.check_projection_tables(name text, schema text, tables text[])
    returns void language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
declare
    item  text;
    found record;
    other text;
begin
    foreach item in array coalesce(tables, '{}') loop
        select c.relkind, c.relpersistence,
               c.relispartition or exists (select from pg_inherits as i where c.oid in (i.inhrelid, i.inhparent)) as family
          into found
          from pg_class as c
         where c.oid = to_regclass(format('%I.%I', schema, item));

        if found is null then
            raise exception using errcode = '42P01',
                message = format('projection %s: there is no table %I.%I', name, schema, item);
        end if;

        if found.relkind <> 'r' or found.family or found.relpersistence = 't' then
            raise exception using errcode = '42809',
                message = format('projection %s: %I.%I is no ordinary table', name, schema, item);
        end if;

        select p.name into other
          from cqrs.projections as p
         where p.name <> check_projection_tables.name and p.stage = 'current'
           and p.schema = check_projection_tables.schema and item = any (p.tables);

        if other is not null then
            raise exception using errcode = '42710',
                message = format('projection %s: table %I.%I belongs to projection %s', name, schema, item, other);
        end if;
    end loop;
end $$;

comment on function cqrs.check_projection_tables(text, text, text[]) is
    'Refuses what can be no table of a projection.';
