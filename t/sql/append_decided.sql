-- partitions: 2

-- What a handler in C has decided, by the short way: it writes, or says that it is stale.

\ir lib/prelude.sql

select plan(12);

select cqrs.register('thing', project => 'toy.project') \g /dev/null
select cqrs.register('sql', decide => 'toy.decide', evolve => 'toy.evolve') \g /dev/null

-- the n-th stream of a category in a partition
create function pg_temp.stream(category text, partition integer, n integer) returns text language sql
as $$ select s from (select category || '-' || i as s from generate_series(1, 1000) as i) as c
       where cqrs.partition_of(s) = $2 order by s offset n limit 1 $$;

-- one command that makes one event, and its issuer is told
create function pg_temp.append(n integer, stream text, base bigint, epoch bigint default public.epoch())
    returns text language sql
as $$ select string_agg(concat_ws(' ', a.ordinal, a.status, a.sequence, a.channel, a.body), ', ')
        from cqrs.append_decided(0, epoch, array[public.id(n)], array[stream], '{do}', '{completed}', array[base + 1],
             '{null}', '{null}', '{null}', array[stream], array[base], array[base + 1], '{"{\"n\": 1}"}',
             '{1}', array[cqrs.derive_id(public.id(n), 'event:1')], array[stream], array[base + 1], '{done}', '{1}',
             '{"{}"}', array[jsonb_build_object('command_id', public.id(n))],
             '{1}', '{user:bob}', '{from}', '{to}') as a $$;

select matches(pg_temp.append(1, pg_temp.stream('thing', 0, 0), 0), '^1 1 user:bob from[0-9T:.Z-]+to$',
    'a first event is appended, and its issuer is told, with the time between');
select is((select array_agg(e.version || e.type || e.position) from cqrs.events as e), '{1done1}', 'it is in the log');
select is((select s.version || ' ' || s.folded || s.state from cqrs.streams as s), '1 1{"n": 1}', 'and the head with its state');
select is((select i.status || i.version from cqrs.inbox as i), 'completed1', 'the command has its outcome');

select is(pg_temp.append(1, pg_temp.stream('thing', 0, 0), 1), '0 stale', 'not a command that is known');
select is(pg_temp.append(2, pg_temp.stream('thing', 0, 0), 0), '0 stale', 'nor what was decided on an older state');
select is(pg_temp.append(2, pg_temp.stream('thing', 1, 0), 0), '0 stale', 'nor for a stream of another partition');
select is(pg_temp.append(2, pg_temp.stream('sql', 0, 0), 0), '0 stale', 'nor for a category that SQL decides');
select is(pg_temp.append(2, pg_temp.stream('nothing', 0, 0), 0), '0 stale', 'nor for one that there is not');

insert into cqrs.parked (partition, id, stream, command, code, message, parked_at)
values (0, id(9), pg_temp.stream('thing', 0, 0), '{}', 'failed', 'It failed.', now());
select is(pg_temp.append(2, pg_temp.stream('thing', 0, 0), 1), '0 stale', 'nor for a stream that is held');

select throws_ok($$ select pg_temp.append(2, pg_temp.stream('thing', 0, 1), 0, epoch() + 1) $$, 'QS001', null,
    'only the owner appends');
select is((select count(*) from cqrs.events), 1::bigint, 'and of all that nothing was written');

select * from finish();
