-- The functions that call those of the projections, written as text.
--
-- A projection that names its tables is called through a wrapper, one per build,
-- whose search_path leads to that build's tables.

create or replace function cqrs.projection_wrapper(name text, build integer)
    returns text language sql immutable parallel safe
    return 'project_' || name || '_' || build;

comment on function cqrs.projection_wrapper(text, integer) is
    'The name of the function of schema cqrs that calls a projection for the tables of one build.';


create or replace function cqrs.make_projection_wrapper(wrapper text, project text, schema text)
    returns void language plpgsql set search_path = pg_catalog, pg_temp
as $make$
declare
    owner constant name := (select pg_get_userbyid(n.nspowner) from pg_namespace as n where n.nspname = 'cqrs');
begin
    execute format($sql$
        create or replace function cqrs.%I(events cqrs.event[])
            returns void language plpgsql set search_path = pg_catalog, %I, pg_temp
        as $body$ begin perform %s(events); end $body$ $sql$,
        wrapper, schema, project);

    execute format('comment on function cqrs.%I(cqrs.event[]) is %L', wrapper,
                   format('Calls %s for the tables in schema %s. Made by cqrs.register_projection.', project, schema));
    execute format('revoke all on function cqrs.%I(cqrs.event[]) from public', wrapper);

    if owner <> current_user then
        execute format('alter function cqrs.%I(cqrs.event[]) owner to %I', wrapper, owner);
    end if;
end $make$;

comment on function cqrs.make_projection_wrapper(text, text, text) is
    'Writes the function that calls a projection for the tables in this schema.';


-- Each projection is called once per batch, with the events of its categories in
-- the order of their positions: as it is when it is built from the log.

create or replace function cqrs.make_projection_dispatcher()
    returns void language plpgsql set search_path = pg_catalog, pg_temp
as $make$
declare
    body text;
begin
    select string_agg(format(
               ' select array_agg(e order by e.position) into chosen from unnest(events) as e'
               ' where cqrs.category_of(e.stream) in (%s);'
               ' if chosen is not null then %s end if;',
               p.categories, p.calls), '' order by p.categories)
      into body
      from (select p.categories, string_agg(format('perform %s(chosen);', p.callee), ' ' order by p.name) as calls
              from (select p.name,
                           (select string_agg(quote_literal(c), ', ' order by c) from unnest(p.categories) as c) as categories,
                           case when p.tables is null then p.project
                                else format('cqrs.%I', cqrs.projection_wrapper(p.name, p.build)) end as callee
                      from cqrs.projections as p
                     where p.stage = 'current' and p.mode = 'inline') as p
             group by p.categories) as p;

    execute format($sql$
        create or replace function cqrs.dispatch_project(events cqrs.event[])
            returns void language plpgsql
        as $body$ declare chosen cqrs.event[]; begin%s end $body$ $sql$,
        coalesce(body, ''));
end $make$;

comment on function cqrs.make_projection_dispatcher() is
    'Writes the function that calls the inline projections. Run whenever one is registered or promoted.';

do $$ begin perform cqrs.make_projection_dispatcher(); end $$;

comment on function cqrs.dispatch_project(cqrs.event[]) is
    'Calls the inline projections with the events of a batch. Made by cqrs.register_projection.';
