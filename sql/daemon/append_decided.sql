-- What a handler in C has decided, where nothing stands in its way: no command was there
-- before, each state was the newest, nothing is private.  The daemon has made ready all
-- that does not depend on the store, so little more than the inserts is left.  Whatever
-- else there is, is cqrs.append's.

create or replace function cqrs.append_decided(partition integer, epoch bigint,
    ids uuid[], streams text[], types text[], statuses text[], versions bigint[], codes text[], messages text[],
    details jsonb[],
    names text[], bases bigint[], heads bigint[], folds jsonb[],
    ordinals integer[], event_ids uuid[], event_streams text[], event_versions bigint[], event_types text[],
    revisions integer[], data jsonb[], metadata jsonb[],
    told integer[], channels text[], beginnings text[], endings text[])
    returns table (ordinal integer, status text, duplicate boolean, sequence bigint, channel text, body text)
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
    set enable_hashjoin = off
    set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    partitions constant bigint := (select count(*) from cqrs.partitions);
    places     tid[];           -- where the heads stand
    agreed     boolean;
    at         timestamptz;
    said_at    text;
    last       bigint;
    events     cqrs.event[];
    bodies     text[];
begin
    perform cqrs.own_partition(append_decided.partition, append_decided.epoch);

    select array_agg(s.place),
           bool_and(coalesce(s.version, 0) = h.base and coalesce(s.folded, 0) = h.base
                    and c.category is not null and c.decide is null
                    and cqrs.stream_number(h.stream) % partitions = append_decided.partition)
      into places, agreed
      from unnest(names, bases) as h (stream, base)
      left join lateral cqrs.stream_head(h.stream) as s on true
      left join cqrs.categories as c on c.category = cqrs.category_of(h.stream);

    if not agreed
       or exists (select from unnest(ids) as c (id) join cqrs.inbox as i on i.id = c.id)
       or exists (select from unnest(names) as h (stream) join cqrs.parked as p on p.stream = h.stream)
    then
        return query select 0, 'stale', false, null::bigint, null, null;
        return;
    end if;

    at := cqrs.recording_time();
    said_at := cqrs.timestamp(at);

    insert into cqrs.inbox (id, stream, type, status, version, code, message, detail, recorded_at)
    select c.id, c.stream, c.type, c.status, c.version, c.code, c.message, c.detail, at
      from unnest(ids, streams, types, statuses, versions, codes, messages, details)
           as c (id, stream, type, status, version, code, message, detail);

    bodies := array(select n.beginning || said_at || n.ending
                      from unnest(beginnings, endings) with ordinality as n (beginning, ending, n) order by n.n);

    if cardinality(event_ids) > 0 then

        last := cqrs.room_for_events(partition, cardinality(event_ids));

        select array_agg(row(append_decided.partition, last + e.n, e.id, e.stream, e.version, e.type, e.revision,
                             e.data, e.metadata, at, null, null)::cqrs.event order by e.n)
          into events
          from unnest(event_ids, event_streams, event_versions, event_types, revisions, data, metadata)
               with ordinality as e (id, stream, version, type, revision, data, metadata, n);

        insert into cqrs.events (partition, position, id, stream, version, type, revision, data, metadata, recorded_at)
        select append_decided.partition, last + e.n, e.id, e.stream, e.version, e.type, e.revision, e.data,
               e.metadata, at
          from unnest(event_ids, event_streams, event_versions, event_types, revisions, data, metadata)
               with ordinality as e (id, stream, version, type, revision, data, metadata, n);

        perform cqrs.move_heads(partition, places, array_agg(h.stream), array_agg(h.head), array_agg(h.fold))
          from unnest(names, bases, heads, folds) as h (stream, base, head, fold)
         where h.head > h.base;

        perform cqrs.dispatch_project(events);

        if exists (select from unnest(event_streams, event_types) as e (stream, type)
                    where cqrs.notifies(cqrs.category_of(e.stream), e.type))
        then
            select array_agg(n.ordinal order by n.ordinal, n.n), array_agg(n.channel order by n.ordinal, n.n),
                   array_agg(n.body order by n.ordinal, n.n)
              into told, channels, bodies
              from (select t.ordinal, 1 as n, t.channel, t.body
                      from unnest(told, channels, bodies) as t (ordinal, channel, body)
                    union all
                    select * from cqrs.domain_notifications(events, ordinals, said_at)) as n;
        end if;
    end if;

    last := cqrs.room_for_notifications(partition, cardinality(channels));

    insert into cqrs.notifications (partition, sequence, channel, body, recorded_at)
    select append_decided.partition, last + n.n, n.channel, n.body, at
      from unnest(channels, bodies) with ordinality as n (channel, body, n);

    return query
    select n.ordinal, null::text, false, last + n.n, n.channel, n.body
      from unnest(told, channels, bodies) with ordinality as n (ordinal, channel, body, n)
     order by n.n;
end $$;

comment on function cqrs.append_decided is
    'Records what a handler in C has decided, as arrays: of the commands, of the streams that were decided on, of the '
    'events (ordinals: to which command each belongs), of what the issuers are told (told: to which command it '
    'belongs; the time comes between beginning and ending). Returns the notifications by ordinal and sequence; or, '
    'with nothing written, one row with ordinal 0 and status stale: then cqrs.append takes it. QS001 if the epoch '
    'is not the current one.';
