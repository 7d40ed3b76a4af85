-- The promotion: in one short transaction in which nobody appends, the last events
-- come into the new tables, these take the place and the names of the old ones, and
-- what hung on the old ones is made anew, so that it reads them.
--
-- Locks are taken in the order of everybody else: partitions before tables as writers
-- do, views before tables as readers do.  A reader that stays long makes the promotion
-- give up (55P03) rather than hold up the others; it is then tried again.

create or replace function cqrs.lock_projection(tables oid[])
    returns void language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
    command text;
begin
    -- "lock table" would lock all that a view reads; giving it to its owner locks it alone

    for command in
        select format('alter view %s owner to %I', v.oid::regclass, pg_get_userbyid(v.relowner))
          from cqrs.projection_views(tables) as w (oid) join pg_class as v on v.oid = w.oid
         order by v.oid
    loop
        execute command;
    end loop;

    for command in
        select format('lock table %s in access exclusive mode', t::regclass) from unnest(tables) as t order by t
    loop
        execute command;
    end loop;
end $$;

comment on function cqrs.lock_projection(oid[]) is
    'Keeps readers away from these tables and their views until the end of the transaction.';


create or replace function cqrs.swap_tables(old cqrs.projections, new cqrs.projections)
    returns void language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
    owner     constant name := (select pg_get_userbyid(n.nspowner) from pg_namespace as n where n.nspname = 'cqrs');
    new_place constant text := 'cqrs_build_' || new.name;
    old_place constant text := 'cqrs_old_' || new.name;
    followers text[];
    item      text;
begin
    perform cqrs.lock_projection(cqrs.projection_oids(old));

    followers := cqrs.projection_followers(cqrs.projection_oids(old), new.setup is null);

    execute format('create schema %I authorization %I', old_place, owner);
    execute format('comment on schema %I is %L', old_place,
                   format('Tables of projection %s that were replaced, until they are dropped.', new.name));

    foreach item in array old.tables loop
        execute format('alter table %I.%I set schema %I', old.schema, item, old_place);
    end loop;

    foreach item in array new.tables loop
        execute format('alter table %I.%I set schema %I', new_place, item, new.schema);
    end loop;

    execute format('drop schema %I', new_place);

    foreach item in array coalesce(followers, '{}') loop
        execute item;
    end loop;
end $$;

comment on function cqrs.swap_tables(cqrs.projections, cqrs.projections) is
    'Puts the new tables of a projection in the place of the old ones.';


create or replace function cqrs.promote_rebuild(name text, catch_up boolean default true)
    returns void language plpgsql
    set search_path = pg_catalog, pg_temp
    set lock_timeout = '300ms'
as $$
#variable_conflict use_variable
declare
    old      cqrs.projections;
    new      cqrs.projections;
    wanted   cqrs.projections;
    obstacle text;
begin
    if not pg_try_advisory_xact_lock(1668379254, 0) then
        raise exception using errcode = '55P03', message = '"cqrs-consumer verify" is looking at the projections';
    end if;

    lock table cqrs.projections in share row exclusive mode;

    select * into old from cqrs.projections as p where p.name = name and p.stage = 'current';
    select * into new from cqrs.projections as p where p.name = name and p.stage = 'building';

    wanted := cqrs.rebuild_definition(name);

    if (new.revision, new.project, new.schema, new.tables, new.categories, new.mode, new.setup, new.fingerprint)
       is distinct from (wanted.revision, wanted.project, wanted.schema, wanted.tables, wanted.categories, wanted.mode,
                         wanted.setup, wanted.fingerprint)
    then
        raise exception using errcode = '55000',
            message = format('projection %s was changed while it was rebuilt: begin again', name);
    end if;

    obstacle := (select min(o) from cqrs.projection_obstacles(old) as o);

    if obstacle is not null then
        raise exception using errcode = '55000',
            message = format('projection %s can''t be rebuilt: %s', name, obstacle);
    end if;

    perform cqrs.lock_partitions();

    if catch_up then
        perform cqrs.catch_up(new);
    end if;

    perform from cqrs.projection_checkpoints as c where c.name = name order by c.build, c.partition for update;

    perform cqrs.swap_tables(old, new);

    delete from cqrs.projections as p where p.name = name and p.stage <> 'building';
    update cqrs.projections as p set stage = 'current', fingerprint = null where p.name = name;

    delete from cqrs.projection_checkpoints as c
     where c.name = name and (c.build <> new.build or new.mode = 'inline');

    perform cqrs.make_projection_wrapper(cqrs.projection_wrapper(name, new.build), new.project, new.schema);
    perform cqrs.make_projection_dispatcher();
    execute format('drop function cqrs.%I(cqrs.event[])', cqrs.projection_wrapper(name, old.build));

    -- written again as it is, so that no session goes on with the row types of old tables

    execute pg_get_functiondef(cqrs.projection_function(name, new.project, true));
end $$;

comment on function cqrs.promote_rebuild(text, boolean) is
    'Makes the new build of a projection the current one, complete to the last event. 55P03: somebody reads the old '
    'tables; try again.';


create or replace function cqrs.catch_up(projection cqrs.projections)
    returns void language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
    chunk   constant integer := 1000;
    counted integer;
begin
    for n in 0 .. cqrs.partition_count() - 1 loop
        loop
            counted := (select r.applied from cqrs.advance_projection(projection.name, projection.build, n, chunk) as r);

            if counted is null then
                raise exception using errcode = '55P03',
                    message = format('somebody else is at projection %s', projection.name);
            end if;

            exit when counted < chunk;
        end loop;
    end loop;
end $$;

comment on function cqrs.catch_up(cqrs.projections) is
    'Brings all events that there are into the tables of a projection that nobody else is at.';


create or replace function cqrs.rehearse_promotion(name text)
    returns void language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
    perform cqrs.promote_rebuild(name, false);

    raise exception using errcode = 'QS000', message = 'it would work';
exception
    when sqlstate 'QS000' then
        null;
end $$;

comment on function cqrs.rehearse_promotion(text) is
    'Promotes and takes it back, before the work is done: what can''t be carried over to the new tables fails now.';


create or replace function cqrs.finish_rebuild(name text)
    returns void language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
    perform cqrs.drop_replaced(name);
    perform pg_notify('cqrs_projections', '');
end $$;

comment on function cqrs.finish_rebuild(text) is
    'Drops what was replaced. 55P03: somebody reads it still; try again.';
