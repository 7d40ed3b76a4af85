-- What a handler in C must know before it decides.  A state that is to be folded anew
-- is folded by it: it gets the events, and a token that is another one as soon as the
-- state was touched again, by an erasure for example.

create or replace function cqrs.load(partition integer, epoch bigint, commands jsonb)
    returns table (ordinal integer, status text, version bigint, state jsonb, events jsonb, token text)
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
    set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
    perform cqrs.own_partition(load.partition, load.epoch);

    return query
    select c.ordinal, c.status,
           case when c.nth = 1 then c.version end,
           case when c.nth = 1 then c.state end,
           case when c.nth = 1 and c.folded < c.version then cqrs.events_to_fold(c.stream) end,
           case when c.nth = 1 and c.folded < c.version then cqrs.state_token(c.stream) end
      from (select b.ordinal, b.stream, b.status, b.version, b.folded, b.state,
                   row_number() over (partition by b.place order by b.ordinal) as nth
              from cqrs.read_batch(commands) as b) as c
     order by c.ordinal;
end $$;

comment on function cqrs.load(integer, bigint, jsonb) is
    'For a handler in C, of each command: the status, if it needs no decision; and where a stream is met first its '
    'version and state, or the events to fold it from and a token. QS001 if the epoch is not the current one.';


create or replace function cqrs.event_to_fold(event cqrs.event)
    returns jsonb language sql immutable parallel safe
    return jsonb_build_object('type', event.type, 'data', event.data, 'revision', event.revision)
           || case when event.subject is null then '{}' else jsonb_build_object('subject', event.subject) end
           || case when event.personal is null then '{}' else jsonb_build_object('personal', event.personal) end;

comment on function cqrs.event_to_fold(cqrs.event) is
    'An event as its handler in C takes it.';


create or replace function cqrs.events_to_fold(stream text)
    returns jsonb language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
declare
    head   constant bigint := (select s.version from cqrs.streams as s where s.stream = events_to_fold.stream);
    events jsonb;
begin
    select jsonb_agg(cqrs.event_to_fold(o.event) order by o.version)
      into events
      from (select cqrs.opened_event(e) as event, e.version
              from cqrs.events as e
             where e.partition = cqrs.partition_of(events_to_fold.stream) and e.stream = events_to_fold.stream
            offset 0) as o;

    if coalesce(jsonb_array_length(events), 0) < head then
        raise exception using errcode = 'QS003',
            message = format('stream %s can''t be folded: not all of its events are in the log any more', stream);
    end if;

    return events;
end $$;

comment on function cqrs.events_to_fold(text) is
    'All events of a stream as its handler takes them; QS003 if they are not all there.';


create or replace function cqrs.state_token(stream text)
    returns text language sql stable
    return (select s.xmin::text from cqrs.streams as s where s.stream = state_token.stream);

comment on function cqrs.state_token(text) is
    'Another one whenever the head of the stream was written.';
