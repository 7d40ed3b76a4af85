-- Commands and what users are told of them.  The inbox and the notifications may
-- have been cut at their old end; what is older than their first row is not asked for.

create or replace function cqrs.verify_outcomes()
    returns cqrs.verification language sql stable set search_path = pg_catalog, pg_temp
as $$
    with horizon as (
        select min(i.recorded_at) as at from cqrs.inbox as i
    ), caused as (
        select (e.metadata->>'command_id')::uuid as id, min(e.stream) as stream, max(e.version) as version,
               count(*) as events, min(e.version) as first, max(e.partition) as partition, max(e.position) as position,
               bool_and(e.id = cqrs.derive_id((e.metadata->>'command_id')::uuid, 'event:' || e.n)) as named
          from (select e.*, row_number() over (partition by e.metadata->>'command_id' order by e.position) as n
                  from cqrs.events as e, horizon as h
                 where e.recorded_at >= h.at) as e
         group by 1
    ), faults as (
        select c.partition, c.position, c.id,
               case when c.id is null then format('position %s of partition %s has no command', c.position, c.partition)
                    when i.id is null then format('command %s has events, but no outcome', c.id)
                    when i.status <> 'completed' then format('command %s has events, but was %s', c.id, i.status)
                    when i.stream <> c.stream then format('command %s was for %s, its events are in %s', c.id, i.stream, c.stream)
                    when i.version <> c.version or c.events <> c.version - c.first + 1 then
                         format('command %s left %s at version %s, its events end at %s', c.id, i.stream, i.version, c.version)
                    when not c.named then format('the ids of the events of command %s are not its own', c.id) end as said
          from caused as c
          left join cqrs.inbox as i on i.id = c.id
        union all

        -- what completed last on a stream has brought it to where it is

        select null, null, i.id, format('command %s left %s at version %s, which it has not reached', i.id, i.stream, i.version)
          from cqrs.inbox as i
          left join cqrs.streams as s on s.stream = i.stream
         where i.status = 'completed' and i.version > coalesce(s.version, 0)
    )
    select row((select cqrs.count_of(count(*), 'command', 'commands') from cqrs.inbox)
               || coalesce(', since ' || cqrs.timestamp(h.at), ''),
               (select count(*) from faults as f where f.said is not null),
               (select array_agg(f.said order by f.partition, f.position)
                  from (select * from faults as f where f.said is not null order by f.partition, f.position limit 3) as f),
               null)::cqrs.verification
      from horizon as h
$$;

comment on function cqrs.verify_outcomes() is
    'Has each event a completed command, and does each command''s outcome agree with its events?';


create or replace function cqrs.verify_parked()
    returns cqrs.verification language sql stable set search_path = pg_catalog, pg_temp
as $$
    with faults as (
        select q.number,
               case when i.id is null then format('parked command %s has no outcome', q.id)
                    when i.status <> 'parked' then format('command %s is parked, but was %s', q.id, i.status)
                    when q.partition <> cqrs.partition_of(q.stream) then
                         format('parked command %s lies in partition %s, but %s belongs to %s', q.id, q.partition,
                                q.stream, cqrs.partition_of(q.stream))
                    when q.code = 'stream-held' and q.asked is null
                         and not exists (select from cqrs.parked as b where b.stream = q.stream and b.number < q.number) then
                         format('parked command %s waits for nothing', q.id) end as said
          from cqrs.parked as q
          left join cqrs.inbox as i on i.id = q.id
    )
    select row((select cqrs.count_of(count(*), 'parked command', 'parked commands') from cqrs.parked),
               (select count(*) from faults as f where f.said is not null),
               (select array_agg(f.said order by f.number)
                  from (select * from faults as f where f.said is not null order by f.number limit 3) as f),
               null)::cqrs.verification
$$;

comment on function cqrs.verify_parked() is
    'Has each parked command its outcome, and something that it waits for?';


create or replace function cqrs.verify_notifications()
    returns cqrs.verification language sql stable set search_path = pg_catalog, pg_temp
as $$
    with told as (
        select n.partition, n.sequence,
               lag(n.sequence) over (partition by n.partition order by n.sequence) as before
          from cqrs.notifications as n
    ), holes as (
        select t.partition, t.before + 1 as first, t.sequence - 1 as last
          from told as t
         where t.sequence <> t.before + 1
    )
    select row((select cqrs.count_of(count(*), 'notification', 'notifications') from told),
               (select coalesce(sum(h.last - h.first + 1), 0) from holes as h),
               (select array_agg(format('partition %s: %s', f.partition,
                                        case when f.first = f.last then format('notification %s is missing', f.first)
                                             else format('notifications %s to %s are missing', f.first, f.last) end)
                                 order by f.partition, f.first)
                  from (select * from holes as h order by h.partition, h.first limit 3) as f),
               null)::cqrs.verification
$$;

comment on function cqrs.verify_notifications() is
    'Are the notifications of each partition dense?';


create or replace function cqrs.verify_checkpoints()
    returns cqrs.verification language sql stable set search_path = pg_catalog, pg_temp
as $$
    with stands as (
        select c.sink, c.partition, c.position,
               case c.sink when 'rabbitmq' then cqrs.log_end(c.partition)
                           when 'redis' then (select coalesce(max(n.sequence), 0) from cqrs.notifications as n where n.partition = c.partition) end as head
          from cqrs.checkpoints as c
        union all
        select 'projection ' || c.name, c.partition, c.position, cqrs.log_end(c.partition)
          from cqrs.projection_checkpoints as c
    )
    select row((select cqrs.count_of(count(*), 'checkpoint', 'checkpoints') from stands),
               (select count(*) from stands as s where s.position > s.head),
               (select array_agg(format('%s of partition %s stands at %s, which ends at %s', f.sink, f.partition,
                                        f.position, f.head)
                                 order by f.sink, f.partition)
                  from (select * from stands as s where s.position > s.head order by s.sink, s.partition limit 3) as f),
               null)::cqrs.verification
$$;

comment on function cqrs.verify_checkpoints() is
    'Does no checkpoint stand beyond what there is?';
