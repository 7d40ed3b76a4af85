-- Positions and versions.  Each of these looks at the whole log.

create or replace function cqrs.verify_positions()
    returns cqrs.verification language sql stable set search_path = pg_catalog, pg_temp
as $$
    with log as (
        select e.partition, e.position,
               lag(e.position, 1, cqrs.log_begin(e.partition) - 1) over (partition by e.partition order by e.position) as before
          from cqrs.events as e
    ), holes as (
        select l.partition, l.before + 1 as first, l.position - 1 as last
          from log as l
         where l.position <> l.before + 1
    ), begins as (
        select string_agg(format('partition %s begins at position %s', p.partition, b.position), ', '
                          order by p.partition) as said
          from cqrs.partitions as p
         cross join lateral (select cqrs.log_begin(p.partition) as position) as b
         where b.position > 1
    )
    select row((select cqrs.count_of(count(*), 'event', 'events') from log)
               || coalesce('; ' || b.said, ''),
               (select coalesce(sum(h.last - h.first + 1), 0) from holes as h),
               (select array_agg(format('partition %s: %s', f.partition,
                                        case when f.first = f.last then format('position %s is missing', f.first)
                                             else format('positions %s to %s are missing', f.first, f.last) end)
                                 order by f.partition, f.first)
                  from (select * from holes as h order by h.partition, h.first limit 3) as f),
               null)::cqrs.verification
      from begins as b
$$;

comment on function cqrs.verify_positions() is
    'Are the positions of each partition dense?';


create or replace function cqrs.verify_versions()
    returns cqrs.verification language sql stable set search_path = pg_catalog, pg_temp
as $$
    with log as (
        select e.stream, e.version, e.partition, e.position,
               lag(e.version) over s as before, lag(e.position) over s as position_before,
               lag(e.partition) over s as partition_before
          from cqrs.events as e
        window s as (partition by e.stream order by e.version)
    ), faults as (
        select l.stream, l.version,
               case when l.before is null then
                         case when l.version > 1 and cqrs.log_begin(l.partition) = 1
                              then format('%s has no version 1', l.stream) end
                    when l.version > l.before + 1 then format('%s has no version %s', l.stream, l.before + 1)
                    when l.position <= l.position_before then
                         format('%s has version %s at position %s, before version %s', l.stream, l.version, l.position, l.before)
                    when l.partition <> l.partition_before then
                         format('%s is in partitions %s and %s', l.stream, l.partition_before, l.partition) end as said
          from log as l
    )
    select row((select cqrs.count_of(count(distinct l.stream), 'stream', 'streams') from log as l),
               (select count(distinct f.stream) from faults as f where f.said is not null),
               (select array_agg(f.said order by f.stream, f.version)
                  from (select * from faults as f where f.said is not null order by f.stream, f.version limit 3) as f),
               null)::cqrs.verification
$$;

comment on function cqrs.verify_versions() is
    'Are the versions of each stream dense, and in the order of their positions?';


create or replace function cqrs.verify_streams()
    returns cqrs.verification language sql stable set search_path = pg_catalog, pg_temp
as $$
    with faults as (
        select coalesce(s.stream, e.stream) as stream,
               case when s.stream is null then format('%s has events, but no head', e.stream)
                    when e.stream is null and cqrs.log_begin(s.partition) = 1 then
                         format('%s has a head, but no events', s.stream)
                    when s.version <> e.version then
                         format('%s is at version %s, its last event has version %s', s.stream, s.version, e.version)
                    when s.partition <> cqrs.partition_of(s.stream) or s.partition <> e.partition then
                         format('%s is in partition %s, but belongs to %s', s.stream, e.partition,
                                cqrs.partition_of(s.stream)) end as said
          from cqrs.streams as s
          full join (select e.stream, max(e.version) as version, max(e.partition) as partition
                       from cqrs.events as e group by e.stream) as e on e.stream = s.stream
    )
    select row((select cqrs.count_of(count(*), 'stream', 'streams') from cqrs.streams),
               (select count(*) from faults as f where f.said is not null),
               (select array_agg(f.said order by f.stream)
                  from (select * from faults as f where f.said is not null order by f.stream limit 3) as f),
               null)::cqrs.verification
$$;

comment on function cqrs.verify_streams() is
    'Does the head of each stream agree with its last event?';


create or replace function cqrs.verify_states(category text)
    returns cqrs.verification language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
declare
    result cqrs.verification;
    later  bigint;
    cut    bigint;
begin
    if not exists (select from cqrs.categories as c where c.category = verify_states.category and c.evolve is not null) then
        result.skipped := 'it is not folded in SQL: "--handler FILE" names the program that does';
        return result;
    end if;

    select count(*) filter (where s.folded < s.version),
           count(*) filter (where s.folded = s.version and not f.complete),
           cqrs.count_of(count(*) filter (where s.folded = s.version and f.complete), 'stream', 'streams'),
           count(*) filter (where s.folded = s.version and f.complete and s.state is distinct from f.state),
           array_agg(format('the state of %s is not what its events fold to', s.stream) order by s.stream)
               filter (where s.folded = s.version and f.complete and s.state is distinct from f.state)
      into later, cut, result.checked, result.wrong, result.examples
      from cqrs.streams as s
     cross join lateral (
           select b.complete, case when b.complete and s.folded = s.version then cqrs.fold(s.stream) end as state
             from (select (select count(*) from cqrs.events as e where e.stream = s.stream) = s.version as complete) as b
            offset 0) as f
     where cqrs.category_of(s.stream) = verify_states.category;

    result.examples := result.examples[1:3];

    if later > 0 then
        result.checked := result.checked || format(', %s to be folded anew when they are needed', later);
    end if;

    if cut > 0 then
        result.checked := result.checked || format(', %s of which events are missing', cut);
    end if;

    return result;
end $$;

comment on function cqrs.verify_states(text) is
    'Is the state of each stream of a category what its events fold to?';
