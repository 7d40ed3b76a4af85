-- "cqrs-consumer rebuild": begin, step until there is little left, promote, finish.
--
-- The new tables are filled in a schema of their own.  Until the promotion commits
-- nothing has changed for anybody; whoever is interrupted leaves only what the next
-- one removes.  The session that builds holds an advisory lock: there is one at a time.

create or replace function cqrs.lock_rebuild(name text)
    returns void language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
    -- the first half is "cqrb"

    if not pg_try_advisory_lock(1668379234, hashtext(name)) then
        raise exception using errcode = '55006',
            message = format('projection %s is being rebuilt already, by another session', name);
    end if;
end $$;

comment on function cqrs.lock_rebuild(text) is
    'Makes this session the one that rebuilds the projection.';


create or replace function cqrs.rebuild_definition(name text)
    returns cqrs.projections language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
declare
    definition cqrs.projections;
begin
    select * into definition
      from cqrs.projections as p
     where p.name = rebuild_definition.name and p.stage in ('current', 'waiting')
     order by p.stage = 'waiting' desc
     limit 1;

    if definition.name is null then
        raise exception using errcode = '42704', message = format('there is no projection %s', name);
    end if;

    if definition.tables is null then
        raise exception using errcode = '55000',
            message = format('projection %s names no tables, so it can''t be rebuilt; see "tables" of cqrs.register', name);
    end if;

    definition.fingerprint := md5(pg_get_functiondef(cqrs.projection_function(name, definition.project, true)));

    return definition;
end $$;

comment on function cqrs.rebuild_definition(text) is
    'What a rebuild of this projection has to build: the revision that waits, or the current one again.';


create or replace function cqrs.clear_rebuild(name text)
    returns void language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
    building cqrs.projections;
begin
    delete from cqrs.projections as p
     where p.name = clear_rebuild.name and p.stage = 'building'
    returning * into building;

    if building.name is not null then
        delete from cqrs.projection_checkpoints as c where c.name = building.name and c.build = building.build;
        execute format('drop function if exists cqrs.%I(cqrs.event[])',
                       cqrs.projection_wrapper(building.name, building.build));
    end if;

    execute format('drop schema if exists %I cascade', 'cqrs_build_' || name);
    perform cqrs.drop_replaced(name);
end $$;

comment on function cqrs.clear_rebuild(text) is
    'Removes what an unfinished rebuild has left.';


create or replace function cqrs.drop_replaced(name text)
    returns void language plpgsql
    set search_path = pg_catalog, pg_temp
    set lock_timeout = '300ms'
as $$
declare
    old_schema constant text := 'cqrs_old_' || name;
    command    text;
begin
    -- without "cascade": if there is something that hangs on them after all, it is said

    for command in
        select format('drop table %I.%I', old_schema, c.relname)
          from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
         where n.nspname = old_schema and c.relkind = 'r'
    loop
        execute command;
    end loop;

    execute format('drop schema if exists %I', old_schema);
end $$;

comment on function cqrs.drop_replaced(text) is
    'Drops the tables that a promotion has replaced.';


create or replace function cqrs.begin_rebuild(name text)
    returns void language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
    owner      constant name := (select pg_get_userbyid(n.nspowner) from pg_namespace as n where n.nspname = 'cqrs');
    place      constant text := 'cqrs_build_' || name;
    definition cqrs.projections;
    obstacle   text;
begin
    perform cqrs.lock_rebuild(name);
    perform cqrs.clear_rebuild(name);

    definition := cqrs.rebuild_definition(name);

    select format('projection %s can''t be rebuilt: %s', definition.name, o)
      into obstacle
      from cqrs.projection_obstacles(definition) as o
     order by 1
     limit 1;

    if obstacle is null then
        select format('projection %s can''t be rebuilt: the log of partition %s begins at position %s',
                      definition.name, p.partition, cqrs.log_begin(p.partition))
          into obstacle
          from cqrs.partitions as p
         where cqrs.log_begin(p.partition) > 1
         order by p.partition
         limit 1;
    end if;

    if obstacle is not null then
        raise exception using errcode = '55000', message = obstacle;
    end if;

    execute format('create schema %I authorization %I', place, owner);
    execute format('comment on schema %I is %L', place,
                   format('New tables of projection %s, while "cqrs-consumer rebuild" fills them.', name));

    perform cqrs.make_projection_tables(definition, place);

    definition.stage := 'building';
    definition.build := (select 1 + max(p.build) from cqrs.projections as p where p.name = begin_rebuild.name);

    insert into cqrs.projections select definition.*;

    insert into cqrs.projection_checkpoints (name, build, partition, updated_at)
    select definition.name, definition.build, p.partition, clock_timestamp()
      from cqrs.partitions as p;

    perform cqrs.make_projection_wrapper(cqrs.projection_wrapper(definition.name, definition.build),
                                         definition.project, place);
end $$;

comment on function cqrs.begin_rebuild(text) is
    'Makes empty tables for a new build of a projection, beside those that are read. QS002 and class 42: it can''t be.';


create or replace function cqrs.step_rebuild(name text, max integer)
    returns table (done bigint, total bigint, behind bigint)
    language plpgsql set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    current_build integer;
    furthest      integer;
begin
    select p.build into current_build
      from cqrs.projections as p
     where p.name = step_rebuild.name and p.stage = 'building';

    select c.partition into furthest
      from cqrs.projection_checkpoints as c
     where c.name = step_rebuild.name and c.build = current_build
     order by cqrs.log_end(c.partition) - c.position desc
     limit 1;

    perform cqrs.advance_projection(step_rebuild.name, current_build, furthest, step_rebuild.max);

    return query
    select sum(c.position)::bigint, sum(h.head)::bigint, sum(h.head - c.position)::bigint
      from cqrs.projection_checkpoints as c
     cross join lateral (select cqrs.log_end(c.partition) as head) as h
     where c.name = step_rebuild.name and c.build = current_build;
end $$;

comment on function cqrs.step_rebuild(text, integer) is
    'Brings the next events of the partition that is furthest behind into the new tables; returns how many events of '
    'how many are in them.';


create or replace function cqrs.analyze_rebuild(name text)
    returns void language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
    command text;
begin
    for command in
        select format('analyze %I.%I', 'cqrs_build_' || p.name, t)
          from cqrs.projections as p cross join lateral unnest(p.tables) as t
         where p.name = analyze_rebuild.name and p.stage = 'building'
    loop
        execute command;
    end loop;
end $$;

comment on function cqrs.analyze_rebuild(text) is
    'Lets the planner know the new tables before anybody reads them.';
