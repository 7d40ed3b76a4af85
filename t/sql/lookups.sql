-- The store finds what it needs by indexes, however small the tables were when a
-- session made its plans.

\ir lib/prelude.sql

-- how often each table was read as a whole, once the last transaction's counters are out
create function public.scans() returns text[] language sql as $$
    select array_agg(s.relname || ' ' || s.seq_scan order by s.relname)
      from pg_stat_user_tables as s
     where s.schemaname = 'cqrs'
       and s.relname ~ '^(events|streams|inbox|notifications|parked|categories)(_[0-9]|$)'
$$;

-- each table has a row or two, which the planner knows in a session of its own

select statuses(add(1, 'a'), add(2, 'b')), cqrs.park(0, epoch(), add(3, 'c'), 'XX999', 'no') \g /dev/null
analyze;
\c
set search_path = public, tap, pg_catalog;

select plan(6);

select is(statuses(add(10, 'a'), add(11, 'c'), command(12, 'counter-d', 'refuse')), '{completed,parked,rejected}', 'a batch makes the plans');

select pg_stat_force_next_flush() \g /dev/null
create temp table before as select scans();

select is((select count(*) from generate_series(1, 20) as i
            cross join lateral run(add(100 + i, 'a'), add(200 + i, 'new' || i), add(300 + i, 'c'), add(100 + i, 'a'))),
    80::bigint, 'twenty more use them');
select pg_stat_force_next_flush() \g /dev/null
select is(scans(), (select * from before), 'and never read a whole table');

select count(*) from cqrs.release('counter-c') \g /dev/null
select is((select count(*) from cqrs.read_released(0, 3) as r
            cross join lateral cqrs.execute(0, epoch(), jsonb_build_array(r.command::jsonb)) as e where e.status = 'completed'),
    3::bigint, 'what was parked comes back');
select pg_stat_force_next_flush() \g /dev/null
select is(scans(), (select * from before), '... likewise');


-- an event is found by its position alone, also before any statistics are there

create function public.entries() returns bigint language sql as $$
    select sum(s.idx_tup_read) from pg_stat_user_indexes as s where s.schemaname = 'cqrs' and s.relname = 'events_0_1'
$$;

delete from pg_statistic where starelid = 'cqrs.events_0_1'::regclass;
update pg_class set reltuples = -1, relpages = 0, relallvisible = 0 where oid = 'cqrs.events_0_1'::regclass;

select pg_stat_force_next_flush() \g /dev/null
create temp table entries_before as select entries() as n;
select count(*) from cqrs.react(0, '{5, 6}') \g /dev/null
select pg_stat_force_next_flush() \g /dev/null
select is(entries() - (select n from entries_before), 2::bigint, 'react reads the events it was asked for, and no other');

select finish();
