-- Finds a function of the domain, checks its shape, and returns its qualified name.

create or replace function cqrs.domain_function(category text, role text, name text)
    returns text language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
declare
    arguments constant text := case role
        when 'decide'  then 'jsonb, cqrs.command'
        when 'evolve'  then 'jsonb, cqrs.new_event'
        when 'project' then 'cqrs.event[]'
        when 'upcast'  then 'cqrs.new_event'
        when 'forget'  then 'text'
        else                'cqrs.event'
    end;
    result    constant text := case role
        when 'decide'  then 'cqrs.decision'
        when 'evolve'  then 'jsonb'
        when 'project' then 'void'
        when 'upcast'  then 'cqrs.new_event'
        when 'forget'  then 'void'
        when 'react'   then 'cqrs.command'
        else                'cqrs.notification'
    end;
    many      constant boolean := role in ('react', 'notify');
    found     record;
begin
    select p.prorettype, p.proretset, format('%I.%I', n.nspname, p.proname) as qualified
      into found
      from pg_proc as p
      join pg_namespace as n on n.oid = p.pronamespace
     where p.oid = to_regprocedure(format('%s(%s)', name, arguments));

    if found is null then
        raise exception using errcode = '42883',
            message = format('%s of category %s: there is no function %s(%s)', role, category, name, arguments);
    end if;

    if found.prorettype <> to_regtype(result) or found.proretset <> many then
        raise exception using errcode = '42P13',
            message = format('%s of category %s: %s(%s) must return %s%s',
                             role, category, name, arguments, case when many then 'setof ' else '' end, result);
    end if;

    return found.qualified;
end $$;

comment on function cqrs.domain_function(text, text, text) is
    'The qualified name of a function of the domain, or a sentence on why it will not do.';


-- One branch per category instead of EXECUTE, which would plan anew for each call.
-- A dispatcher in SQL is put in place of its call by the planner, and so is a
-- domain's function in SQL behind it: such a path costs nothing.  Therefore they
-- have no search_path of their own: they live on their caller's, which is pinned,
-- and name everything in full.  They are written as text, so that a domain can be
-- dropped without them.

create or replace function cqrs.make_dispatchers()
    returns void language plpgsql set search_path = pg_catalog, pg_temp
as $make$
declare
    decides   text;
    evolves   text;
    reacts    text;
    notifies  text;
    upcasts   text;
    upcasting text[];
    reacting  text;
    notifying text;
begin
    select string_agg(format(' when %L then %s(state, command)', c.category, c.decide), '' order by c.category)
               filter (where c.decide is not null),
           string_agg(format(' when %L then %s(state, event)', c.category, c.evolve), '' order by c.category)
               filter (where c.evolve is not null),
           string_agg(format('select r.* from %s(event) as r where category = %L%s', c.react, c.category,
                             ' and event.type = any (' || quote_literal(c.reacts_to) || ')'),
               ' union all ' order by c.category) filter (where c.react is not null),
           string_agg(format('select n.* from %s(event) as n where category = %L%s', c.notify, c.category,
                             ' and event.type = any (' || quote_literal(c.notifies_of) || ')'),
               ' union all ' order by c.category) filter (where c.notify is not null),
           string_agg(format(' when %L then %s(event)', c.category, c.upcast), '' order by c.category)
               filter (where c.upcast is not null),
           array_agg(c.category order by c.category) filter (where c.upcast is not null),
           string_agg(format(' when %L then %s', c.category,
                             coalesce('type = any (' || quote_literal(c.reacts_to) || ')', 'true')), '' order by c.category)
               filter (where c.react is not null),
           string_agg(format(' when %L then %s', c.category,
                             coalesce('type = any (' || quote_literal(c.notifies_of) || ')', 'true')), ''
                             order by c.category)
               filter (where c.notify is not null)
      into decides, evolves, reacts, notifies, upcasts, upcasting, reacting, notifying
      from cqrs.categories as c;

    execute format($sql$
        create or replace function cqrs.dispatch_decide(category text, state jsonb, command cqrs.command)
            returns cqrs.decision language sql
        as $body$ select %s $body$ $sql$,
        coalesce('case category' || decides || ' end', 'null::cqrs.decision'));

    execute format($sql$
        create or replace function cqrs.dispatch_evolve(category text, state jsonb, event cqrs.new_event)
            returns jsonb language sql
        as $body$ select %s $body$ $sql$,
        coalesce('case category' || evolves || ' end', 'null::jsonb'));

    execute format($sql$
        create or replace function cqrs.dispatch_react(category text, event cqrs.event)
            returns setof cqrs.command language sql stable
        as $body$ %s $body$ $sql$,
        coalesce(reacts, 'select (null::cqrs.command).* where false'));

    execute format($sql$
        create or replace function cqrs.dispatch_notify(category text, event cqrs.event)
            returns setof cqrs.notification language sql stable
        as $body$ %s $body$ $sql$,
        coalesce(notifies, 'select (null::cqrs.notification).* where false'));

    execute format($sql$
        create or replace function cqrs.dispatch_upcast(category text, event cqrs.new_event)
            returns cqrs.new_event language sql
        as $body$ select %s $body$ $sql$,
        coalesce('case category' || upcasts || ' else event end', 'event'));

    execute format($sql$
        create or replace function cqrs.reacts(category text, type text)
            returns boolean language sql immutable parallel safe
        as $body$ select %s $body$ $sql$,
        coalesce('case category' || reacting || ' else false end', 'false'));

    execute format($sql$
        create or replace function cqrs.notifies(category text, type text)
            returns boolean language sql immutable parallel safe
        as $body$ select %s $body$ $sql$,
        coalesce('case category' || notifying || ' else false end', 'false'));

    execute format($sql$
        create or replace function cqrs.stored_as_is(event cqrs.events)
            returns boolean language sql immutable parallel safe
        as $body$ select event.personal is null %s $body$ $sql$,
        'and cqrs.category_of(event.stream) <> all (' || quote_literal(upcasting) || ')');
end $make$;

comment on function cqrs.make_dispatchers() is
    'Writes the functions that call the domain''s. Run by cqrs.register, and when the store is installed again.';

do $$ begin perform cqrs.make_dispatchers(); end $$;

comment on function cqrs.dispatch_decide(text, jsonb, cqrs.command) is
    'Calls the category''s decide. Made by cqrs.register.';
comment on function cqrs.dispatch_evolve(text, jsonb, cqrs.new_event) is
    'Calls the category''s evolve. Made by cqrs.register.';
comment on function cqrs.dispatch_react(text, cqrs.event) is
    'Calls the category''s react. Made by cqrs.register.';
comment on function cqrs.dispatch_notify(text, cqrs.event) is
    'Calls the category''s notify. Made by cqrs.register.';
comment on function cqrs.dispatch_upcast(text, cqrs.new_event) is
    'Calls the category''s upcast; the event itself where there is none. Made by cqrs.register.';
comment on function cqrs.reacts(text, text) is
    'Whether the category''s react is to be asked about events of a type. Made by cqrs.register.';
comment on function cqrs.notifies(text, text) is
    'Whether the category''s notify is to be asked about events of a type. Made by cqrs.register.';
comment on function cqrs.stored_as_is(cqrs.events) is
    'Whether the domain sees an event just as its row is: nothing to upcast, nothing to open. Made by cqrs.register.';


create or replace function cqrs.register(category text, decide text default null, evolve text default null,
    project text default null, react text default null, notify text default null, upcast text default null,
    forget text default null, reacts_to text[] default null, tables text[] default null,
    notifies_of text[] default null)
    returns void language plpgsql set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    given  constant jsonb := jsonb_build_object('decide', decide, 'evolve', evolve, 'project', project,
        'react', react, 'notify', notify, 'upcast', upcast, 'forget', forget);
    had_projection constant boolean := exists (select from cqrs.categories as c
                                                where c.category = category and c.project is not null);
    chosen cqrs.categories;
begin
    if category is null or category !~ '^[a-z][a-z0-9_]{0,62}$' then
        raise exception using errcode = '22023',
            message = format('a category is named by a-z, 0-9 and _, at most 63, not "%s"', category);
    end if;

    if (decide is null) <> (evolve is null) then
        raise exception using errcode = '22023',
            message = format('category %s needs decide and evolve, or neither if a handler in C decides', category);
    end if;

    if reacts_to is not null and react is null then
        raise exception using errcode = '22023',
            message = format('category %s has no react that reacts_to could be for', category);
    end if;

    if notifies_of is not null and notify is null then
        raise exception using errcode = '22023',
            message = format('category %s has no notify that notifies_of could be for', category);
    end if;

    select * into chosen
      from jsonb_populate_record(null::cqrs.categories, (
               select jsonb_object_agg(f.role, cqrs.domain_function(category, f.role, f.name))
                 from jsonb_each_text(given) as f (role, name)
                where f.name is not null));

    chosen.category := category;
    chosen.reacts_to := reacts_to;
    chosen.notifies_of := notifies_of;

    lock table cqrs.categories in share row exclusive mode;

    delete from cqrs.categories as c where c.category = register.category;
    insert into cqrs.categories select chosen.*;

    if project is not null then
        perform cqrs.register_category_projection(category, project, tables);
    elsif had_projection then
        perform cqrs.unregister_projection(category);
    end if;

    perform cqrs.make_dispatchers();
end $$;

comment on function cqrs.register(text, text, text, text, text, text, text, text, text[], text[], text[]) is
    'Names the domain''s functions for a category of streams; registering again replaces them. Without decide and '
    'evolve a handler in C decides. reacts_to: the types of events that react is asked about, notifies_of: notify; null: all. '
    'tables: those that project fills, so that they can be rebuilt and verified; see cqrs.register_projection.';


create or replace function cqrs.refold(category text)
    returns bigint language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
    n bigint;
begin
    perform from cqrs.partitions as p order by p.partition for no key update;

    update cqrs.streams as s
       set folded = 0, state = null
     where cqrs.category_of(s.stream) = refold.category and s.folded > 0;

    get diagnostics n = row_count;

    return n;
end $$;

comment on function cqrs.refold(text) is
    'Has the state of each stream of the category folded anew from its events when it is needed next: for an evolve '
    'that was changed. Waits for the batches in hand. Returns the number of streams.';


create or replace function cqrs.unregister(category text)
    returns void language plpgsql set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
begin
    lock table cqrs.categories in share row exclusive mode;

    if exists (select from cqrs.categories as c where c.category = category and c.project is not null) then
        perform cqrs.unregister_projection(category);
    end if;

    delete from cqrs.categories as c where c.category = unregister.category;

    perform cqrs.make_dispatchers();
end $$;

comment on function cqrs.unregister(text) is
    'Forgets the domain''s functions for a category; its streams stay, commands for them are rejected.';
