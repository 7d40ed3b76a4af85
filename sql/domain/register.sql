create or replace function cqrs.domain_function(role text, name text, arguments text, result regtype, is_set boolean)
    returns regprocedure language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
declare
    fn regprocedure;
begin
    if name is null then
        return null;
    end if;

    fn := to_regprocedure(name || '(' || arguments || ')');

    if fn is null then
        raise exception using errcode = '42883',
            message = format('there is no function %s(%s), which is given as %s', name, arguments, role);
    end if;

    perform from pg_proc as p
      where p.oid = fn and p.prorettype = result and p.proretset = is_set;

    if not found then
        raise exception using errcode = '42P13',
            message = format('%s is given as %s, so it must return %s%s',
                             fn, role, case when is_set then 'setof ' else '' end, result);
    end if;

    return fn;
end $$;

comment on function cqrs.domain_function(text, text, text, regtype, boolean) is 'Finds a function of the domain by its name, or says why it will not do.';


-- Static dispatchers: a CASE whose branches are planned once, where EXECUTE would
-- be planned for each command.

create or replace function cqrs.make_dispatchers()
    returns void language plpgsql set search_path = pg_catalog, pg_temp
as $dispatch$
declare
    decides  text;
    evolves  text;
    projects text;
    reacts   text;
    notifies text;
begin
    select string_agg(format('when %L then %s(state, command)', category, decide::regproc), ' '),
           string_agg(format('when %L then %s(state, event)', category, evolve::regproc), ' '),
           string_agg(format('when %L then perform %s(events);', category, project::regproc), ' ')
               filter (where project is not null),
           string_agg(format('when %L then return query select * from %s(event);', category, react::regproc), ' ')
               filter (where react is not null),
           string_agg(format('when %L then return query select * from %s(event);', category, notify::regproc), ' ')
               filter (where notify is not null)
      into decides, evolves, projects, reacts, notifies
      from cqrs.categories;

    execute format($sql$
        create or replace function cqrs.dispatch_decide(category text, state jsonb, command cqrs.command)
            returns cqrs.decision language plpgsql set search_path = pg_catalog, pg_temp
        as $body$ begin return case category %s end; end $body$ $sql$,
        coalesce(decides, 'when null then null::cqrs.decision'));

    execute format($sql$
        create or replace function cqrs.dispatch_evolve(category text, state jsonb, event cqrs.new_event)
            returns jsonb language plpgsql set search_path = pg_catalog, pg_temp
        as $body$ begin return case category %s end; end $body$ $sql$,
        coalesce(evolves, 'when null then null::jsonb'));

    execute format($sql$
        create or replace function cqrs.dispatch_project(category text, events cqrs.event[])
            returns void language plpgsql set search_path = pg_catalog, pg_temp
        as $body$ begin case category %s else null; end case; end $body$ $sql$,
        coalesce(projects, 'when null then null;'));

    execute format($sql$
        create or replace function cqrs.dispatch_react(category text, event cqrs.event)
            returns setof cqrs.command language plpgsql set search_path = pg_catalog, pg_temp
        as $body$ begin case category %s else null; end case; end $body$ $sql$,
        coalesce(reacts, 'when null then null;'));

    execute format($sql$
        create or replace function cqrs.dispatch_notify(category text, event cqrs.event)
            returns setof cqrs.notification language plpgsql set search_path = pg_catalog, pg_temp
        as $body$ begin case category %s else null; end case; end $body$ $sql$,
        coalesce(notifies, 'when null then null;'));

    comment on function cqrs.dispatch_decide(text, jsonb, cqrs.command) is 'Calls the category''s decide. Made by cqrs.register.';
    comment on function cqrs.dispatch_evolve(text, jsonb, cqrs.new_event) is 'Calls the category''s evolve. Made by cqrs.register.';
    comment on function cqrs.dispatch_project(text, cqrs.event[]) is 'Calls the category''s project. Made by cqrs.register.';
    comment on function cqrs.dispatch_react(text, cqrs.event) is 'Calls the category''s react. Made by cqrs.register.';
    comment on function cqrs.dispatch_notify(text, cqrs.event) is 'Calls the category''s notify. Made by cqrs.register.';
end $dispatch$;

comment on function cqrs.make_dispatchers() is 'Writes the functions that call the domain''s, one branch per category.';

do $$ begin perform cqrs.make_dispatchers(); end $$;


create or replace function cqrs.register(category text, decide text, evolve text,
    project text default null, react text default null, notify text default null)
    returns void language plpgsql set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
begin
    insert into cqrs.categories as c (category, decide, evolve, project, react, notify)
    values (category,
            cqrs.domain_function('decide', decide, 'jsonb, cqrs.command', 'cqrs.decision', false),
            cqrs.domain_function('evolve', evolve, 'jsonb, cqrs.new_event', 'jsonb', false),
            cqrs.domain_function('project', project, 'cqrs.event[]', 'void', false),
            cqrs.domain_function('react', react, 'cqrs.event', 'cqrs.command', true),
            cqrs.domain_function('notify', notify, 'cqrs.event', 'cqrs.notification', true))
    on conflict on constraint categories_pkey do update
       set decide = excluded.decide, evolve = excluded.evolve, project = excluded.project,
           react = excluded.react, notify = excluded.notify;

    perform cqrs.make_dispatchers();
end $$;

comment on function cqrs.register(text, text, text, text, text, text) is 'Names the domain''s functions for a category of streams; registering again replaces them.';
