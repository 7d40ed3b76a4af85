-- Nearly all events are seen just as they are stored: the planner puts that way in
-- place of the call.

create or replace function cqrs.stored_event(event cqrs.events)
    returns cqrs.event language sql immutable parallel safe
    return row(event.partition, event.position, event.id, event.stream, event.version, event.type, event.revision,
               event.data, event.metadata, event.recorded_at, event.subject, null)::cqrs.event;

comment on function cqrs.stored_event(cqrs.events) is
    'An event as it is stored, without what is sealed.';


create or replace function cqrs.newest_event(event cqrs.events, personal jsonb)
    returns cqrs.event language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
declare
    opened cqrs.event     := cqrs.stored_event(event);
    newest cqrs.new_event := row(event.type, event.data, event.revision, event.subject, personal);
begin
    newest := cqrs.dispatch_upcast(cqrs.category_of(event.stream), newest);

    opened.type := newest.type;
    opened.data := newest.data;
    opened.revision := newest.revision;
    opened.subject := newest.subject;
    opened.personal := newest.personal;

    return opened;
end $$;

comment on function cqrs.newest_event(cqrs.events, jsonb) is
    'An event in the newest shape of its data, with what is personal in it, as far as the caller may know it.';


create or replace function cqrs.open_event(event cqrs.events)
    returns cqrs.event language sql stable
as $$
    select cqrs.newest_event(event, case when event.personal is not null then cqrs.unseal(event.subject, event.personal) end)
$$;

comment on function cqrs.open_event(cqrs.events) is
    'An event as the domain sees it now, by the way that may be long.';


create or replace function cqrs.opened_event(event cqrs.events)
    returns cqrs.event language sql stable parallel safe
as $$
    select case when cqrs.stored_as_is(event) then cqrs.stored_event(event) else cqrs.open_event(event) end
$$;

comment on function cqrs.opened_event(cqrs.events) is
    'An event as the domain sees it now: in the newest shape of its data, with what is personal unless it was erased.';


create or replace function cqrs.fold(stream text)
    returns jsonb language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    category constant text := cqrs.category_of(stream);
    state    jsonb;
    head     constant bigint := (select s.version from cqrs.streams as s where s.stream = fold.stream);
    seen     bigint := 0;
    event    cqrs.event;
begin
    for event in
        select (o.event).*
          from (select cqrs.opened_event(e) as event, e.version
                  from cqrs.events as e
                 where e.partition = cqrs.partition_of(fold.stream) and e.stream = fold.stream
                offset 0) as o
         order by o.version
    loop
        exit when event.version <> seen + 1;
        seen := event.version;

        state := cqrs.dispatch_evolve(category, state,
            row(event.type, event.data, event.revision, event.subject, event.personal)::cqrs.new_event);
    end loop;

    if seen < head then
        raise exception using errcode = 'QS003',
            message = format('stream %s can''t be folded: its event %s is not in the log any more', stream, seen + 1);
    end if;

    return state;
end $$;

comment on function cqrs.fold(text) is
    'The state of a stream, folded from its events; QS003 if they are not all there.';
