-- The current definition of a projection can be replaced in place; what makes other
-- tables of the same events is a new revision, which waits for "cqrs-consumer
-- rebuild".

create or replace function cqrs.register_projection(name text, project text, tables text[] default null,
    categories text[] default null, mode text default 'inline', setup text default null,
    revision integer default null)
    returns void language plpgsql set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    callee   regprocedure;
    function text;
    home     text;
    place    record;
    present  cqrs.projections;
begin
    perform cqrs.check_projection_words(name, categories, mode, revision, tables is not null);

    lock table cqrs.projections in share row exclusive mode;

    select * into present from cqrs.projections as p where p.name = name and p.stage = 'current';

    callee := cqrs.projection_function(name, project, tables is not null);

    select format('%I.%I', n.nspname, f.proname), n.nspname
      into function, home
      from pg_proc as f join pg_namespace as n on n.oid = f.pronamespace
     where f.oid = callee;

    if setup is not null then
        setup := (select format('%I.%I', n.nspname, f.proname)
                    from pg_proc as f join pg_namespace as n on n.oid = f.pronamespace
                   where f.oid = cqrs.projection_setup(name, setup));
    end if;

    select * into place from cqrs.projection_tables(name, tables, home);

    if tables is null and setup is not null then
        raise exception using errcode = '22023',
            message = format('projection %s has a setup function, but names no tables', name);
    end if;

    if revision < present.revision then
        raise exception using errcode = '22023',
            message = format('projection %s is at revision %s already, not %s', name, present.revision, revision);
    end if;

    if revision > present.revision then
        perform cqrs.register_waiting(present, function, place.schema, place.names, categories, mode, setup, revision);
        return;
    end if;

    if tables is not null then
        if setup is not null and present.name is null
           and to_regclass(format('%I.%I', place.schema, place.names[1])) is null
        then
            perform cqrs.run_setup(setup, place.schema);
        end if;

        perform cqrs.check_projection_tables(name, place.schema, place.names);
    end if;

    if present.name is null then
        perform cqrs.tell_of_past(name, categories, mode, tables is not null);
    else
        perform cqrs.change_mode(present, mode);
    end if;

    insert into cqrs.projections (name, stage, build, revision, project, schema, tables, categories, mode, setup)
    values (name, 'current', 1, coalesce(revision, 1), function, place.schema, place.names, categories, mode, setup)
    on conflict on constraint projections_pkey do update
       set project = excluded.project, schema = excluded.schema, tables = excluded.tables,
           categories = excluded.categories, mode = excluded.mode, setup = excluded.setup;

    insert into cqrs.projection_checkpoints (name, build, partition, updated_at)
    select name, coalesce(present.build, 1), p.partition, clock_timestamp()
      from cqrs.partitions as p
     where mode = 'async'
    on conflict do nothing;

    if tables is not null then
        perform cqrs.make_projection_wrapper(cqrs.projection_wrapper(name, coalesce(present.build, 1)),
                                             function, place.schema);
    end if;

    perform cqrs.make_projection_dispatcher();
    perform pg_notify('cqrs_projections', '');
end $$;

comment on function cqrs.register_projection(text, text, text[], text[], text, text, integer) is
    'Names the function that projects the events of these categories, and the tables it fills. The same or no '
    'revision replaces the definition in place; a higher one waits until "cqrs-consumer rebuild" has built it.';


create or replace function cqrs.register_category_projection(category text, project text, tables text[])
    returns void language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
    present cqrs.projections;
begin
    select * into present from cqrs.projections as p where p.name = category and p.stage = 'current';

    if present.revision > 1 then
        raise notice using message = format('projection %s stays at its revision %s', category, present.revision);
        return;
    end if;

    -- the same function fills the same tables, also when they are not named again

    if tables is null and present.tables is not null
       and to_regprocedure(present.project || '(cqrs.event[])') = to_regprocedure(project || '(cqrs.event[])')
    then
        tables := (select array_agg(format('%I.%I', present.schema, t)) from unnest(present.tables) as t);
    end if;

    perform cqrs.register_projection(category, project, tables, array[category], coalesce(present.mode, 'inline'));
end $$;

comment on function cqrs.register_category_projection(text, text, text[]) is
    'What "project" of cqrs.register stands for: revision 1 of a projection named after the category.';


create or replace function cqrs.check_projection_words(name text, categories text[], mode text, revision integer,
    owns_tables boolean)
    returns void language plpgsql immutable set search_path = pg_catalog, pg_temp
as $$
declare
    category text;
begin
    if name is null or name !~ '^[a-z][a-z0-9_]{0,62}$' or (owns_tables and length(name) > 40) then
        raise exception using errcode = '22023',
            message = format('a projection is named by a-z, 0-9 and _, at most 40, not "%s"', name);
    end if;

    if coalesce(cardinality(categories), 0) = 0 then
        raise exception using errcode = '22023',
            message = format('projection %s needs the categories whose events it shows', name);
    end if;

    foreach category in array categories loop
        if category is null or category !~ '^[a-z][a-z0-9_]{0,62}$' then
            raise exception using errcode = '22023',
                message = format('projection %s: a category is named by a-z, 0-9 and _, at most 63, not "%s"',
                                 name, category);
        end if;
    end loop;

    if mode is null or mode not in ('inline', 'async') then
        raise exception using errcode = '22023',
            message = format('projection %s is inline or async, not "%s"', name, mode);
    end if;

    if revision < 1 then
        raise exception using errcode = '22023',
            message = format('projection %s: a revision is 1 or more, not %s', name, revision);
    end if;
end $$;

comment on function cqrs.check_projection_words(text, text[], text, integer, boolean) is
    'Refuses what makes no sense in the definition of a projection.';


create or replace function cqrs.register_waiting(present cqrs.projections, project text, schema text, tables text[],
    categories text[], mode text, setup text, revision integer)
    returns void language plpgsql set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
begin
    if present.tables is null or tables is null then
        raise exception using errcode = '22023',
            message = format('projection %s names no tables: its revision %s could not be built', present.name, revision);
    end if;

    if schema <> present.schema then
        raise exception using errcode = '22023',
            message = format('projection %s has its tables in schema %I: revision %s can''t have them in %I',
                             present.name, present.schema, revision, schema);
    end if;

    if setup is null then
        perform cqrs.check_projection_tables(present.name, schema, tables);
    end if;

    insert into cqrs.projections (name, stage, build, revision, project, schema, tables, categories, mode, setup)
    values (present.name, 'waiting', 0, revision, project, schema, tables, categories, mode, setup)
    on conflict on constraint projections_pkey do update
       set revision = excluded.revision, project = excluded.project, schema = excluded.schema,
           tables = excluded.tables, categories = excluded.categories, mode = excluded.mode, setup = excluded.setup;
end $$;

comment on function cqrs.register_waiting(cqrs.projections, text, text, text[], text[], text, text, integer) is
    'Keeps a newer revision of a projection until it is built.';


create or replace function cqrs.tell_of_past(name text, categories text[], mode text, owns_tables boolean)
    returns void language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
    if mode = 'inline'
       and exists (select from cqrs.streams as s where cqrs.category_of(s.stream) = any (categories))
    then
        raise notice using message = format('projection %s: there are events already%s', name,
            case when owns_tables then format('; "cqrs-consumer rebuild %s" brings them into its tables', name) else '' end);
    end if;
end $$;

comment on function cqrs.tell_of_past(text, text[], text, boolean) is
    'Says that a new inline projection has missed something.';


-- Nobody appends while the mode changes: so what was inline is complete, and where it
-- goes on is known.

create or replace function cqrs.change_mode(present cqrs.projections, mode text)
    returns void language plpgsql set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    behind bigint;
begin
    if mode = present.mode then
        return;
    end if;

    perform cqrs.lock_partitions();

    if mode = 'async' then
        insert into cqrs.projection_checkpoints (name, build, partition, position, updated_at)
        select present.name, present.build, p.partition, cqrs.log_end(p.partition), clock_timestamp()
          from cqrs.partitions as p;
        return;
    end if;

    select sum(cqrs.log_end(c.partition) - c.position)
      into behind
      from (select c.partition, c.position
              from cqrs.projection_checkpoints as c
             where c.name = present.name and c.build = present.build
               for update) as c;

    if behind > 0 then
        raise exception using errcode = '55000',
            message = format('projection %s is %s events behind: it can be inline when it has caught up',
                             present.name, behind);
    end if;

    delete from cqrs.projection_checkpoints as c where c.name = present.name and c.build = present.build;
end $$;

comment on function cqrs.change_mode(cqrs.projections, text) is
    'Makes an inline projection asynchronous, or the other way round, without missing or repeating an event.';


create or replace function cqrs.lock_partitions()
    returns void language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
    perform from cqrs.partitions as p order by p.partition for no key update;
end $$;

comment on function cqrs.lock_partitions() is
    'Waits for the batches in hand; nobody appends until the end of the transaction.';


create or replace function cqrs.unregister_projection(name text)
    returns void language plpgsql set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    present cqrs.projections;
begin
    lock table cqrs.projections in share row exclusive mode;

    if exists (select from cqrs.projections as p where p.name = name and p.stage = 'building') then
        raise exception using errcode = '55006',
            message = format('projection %s is being rebuilt, or was: "cqrs-consumer rebuild %s" clears up', name, name);
    end if;

    delete from cqrs.projections as p where p.name = name and p.stage = 'waiting';
    delete from cqrs.projections as p where p.name = name returning * into present;
    delete from cqrs.projection_checkpoints as c where c.name = name;

    perform cqrs.make_projection_dispatcher();

    if present.tables is not null then
        execute format('drop function if exists cqrs.%I(cqrs.event[])',
                       cqrs.projection_wrapper(present.name, present.build));
    end if;

    perform pg_notify('cqrs_projections', '');
end $$;

comment on function cqrs.unregister_projection(text) is
    'Forgets a projection; its tables stay, as they are.';
