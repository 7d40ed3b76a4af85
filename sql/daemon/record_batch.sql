-- Writes what a batch has decided: one statement per table, none in a loop.  The
-- caller owns the partition.

create or replace function cqrs.record_batch(partition integer, commands jsonb, outcomes cqrs.outcome[],
    streams text[], heads bigint[], folds jsonb[])
    returns table (ordinal integer, status text, duplicate boolean, version bigint, code text, message text,
                   detail jsonb, sequence bigint, channel text, body text)
    language plpgsql
    set search_path = pg_catalog, pg_temp
    set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    at         constant timestamptz := cqrs.recording_time();
    said_at    constant text := cqrs.timestamp(at);
    last       bigint;
    events     cqrs.event[];
    ordinals   integer[];       -- to which command each event belongs
    private    boolean;         -- there is something to seal
    sealed     bytea[];
    told       integer[];       -- and each notification
    channels   text[];
    bodies     text[];
begin
    if commands->0 ? 'release' then
        perform cqrs.take_parked(outcomes);
    end if;

    insert into cqrs.inbox (id, stream, type, status, version, code, message, detail, recorded_at)
    select (o.command).id, (o.command).stream, (o.command).type, o.status, o.version,
           (o.decision).code, (o.decision).message, (o.decision).detail, at
      from unnest(outcomes) as o
     where not o.duplicate;

    insert into cqrs.parked (partition, id, stream, command, code, message, parked_at)
    select record_batch.partition, (o.command).id, (o.command).stream,
           record_batch.commands->(o.ordinal::integer - 1), (o.decision).code, (o.decision).message, at
      from unnest(outcomes) with ordinality
           as o (command, category, duplicate, tell, status, decision, version, ordinal)
     where o.status = 'parked' and not o.duplicate
     order by o.ordinal;

    -- events

    last := cqrs.room_for_events(partition, (
        select sum(cardinality((o.decision).events)) from unnest(outcomes) as o
         where o.status = 'completed' and not o.duplicate));

    select array_agg(row(record_batch.partition, last + e.place, cqrs.derive_id(e.command_id, 'event:' || e.n),
                         e.stream, e.version, e.type, e.revision, e.data, e.metadata, at, e.subject,
                         e.personal)::cqrs.event),
           array_agg(e.ordinal), bool_or(e.personal is not null)
      into events, ordinals, private
      from (select o.ordinal::integer as ordinal, row_number() over (order by o.ordinal, e.n) as place,
                   o.id as command_id, e.n, o.stream, o.version - cardinality(o.events) + e.n as version,
                   e.type, coalesce(e.revision, 1) as revision, e.data, o.metadata, e.subject, e.personal
              from (select o.ordinal, (o.command).id, (o.command).stream, o.version, (o.decision).events,
                           cqrs.metadata_of(o.command) as metadata
                      from unnest(outcomes) with ordinality
                           as o (command, category, duplicate, tell, status, decision, version, ordinal)
                     where o.status = 'completed' and not o.duplicate
                    offset 0) as o
             cross join lateral unnest(o.events) with ordinality
                   as e (type, data, revision, subject, personal, n)
             order by place) as e;

    if private then
        sealed := cqrs.seal(events);
    end if;

    if events is not null then
        insert into cqrs.events (partition, position, id, stream, version, type, revision, data, metadata,
                                 recorded_at, subject, personal)
        select e.partition, e.position, e.id, e.stream, e.version, e.type, e.revision, e.data, e.metadata,
               e.recorded_at, e.subject, e.sealed
          from unnest(events, sealed)
               as e (partition, position, id, stream, version, type, revision, data, metadata,
                     recorded_at, subject, personal, sealed);

        perform cqrs.move_heads(partition, cqrs.head_places(array_agg(h.stream)),
                                array_agg(h.stream), array_agg(h.head), array_agg(h.fold))
          from unnest(streams, heads, folds) as h (stream, head, fold)
         where h.stream = any (select (e).stream from unnest(events) as e);

        perform cqrs.dispatch_project(events);
    end if;

    -- notifications: of each command first its outcome, then what the domain tells

    select array_agg(n.ordinal), array_agg(n.channel), array_agg(n.body)
      into told, channels, bodies
      from (select o.ordinal::integer, 1 as n, 'user:' || (o.command).user_id as channel,
                   cqrs.outcome_envelope(o.command, o.status, o.version, o.decision, said_at) as body
              from unnest(outcomes) with ordinality
                   as o (command, category, duplicate, tell, status, decision, version, ordinal)
             where o.tell and (o.command).user_id <> ''
            union all
            select * from cqrs.domain_notifications(events, ordinals, said_at)
             order by 1, 2) as n;

    last := cqrs.room_for_notifications(partition, cardinality(channels));

    insert into cqrs.notifications (partition, sequence, channel, body, recorded_at)
    select record_batch.partition, last + n.n, n.channel, n.body, at
      from unnest(channels, bodies) with ordinality as n (channel, body, n);

    return query
    select o.ordinal::integer, o.status, o.duplicate, o.version, (o.decision).code, (o.decision).message,
           (o.decision).detail, last + n.n, n.channel, n.body
      from unnest(outcomes) with ordinality
           as o (command, category, duplicate, tell, status, decision, version, ordinal)
      left join unnest(told, channels, bodies) with ordinality
           as n (ordinal, channel, body, n) on n.ordinal = o.ordinal
     order by o.ordinal, n.n;
end $$;

comment on function cqrs.record_batch(integer, jsonb, cqrs.outcome[], text[], bigint[], jsonb[]) is
    'Records the outcomes of a batch and all that follows from them. commands: the batch as it came; streams, '
    'heads, folds: name, version and state of the streams that were decided on. Returns what cqrs.execute returns.';
