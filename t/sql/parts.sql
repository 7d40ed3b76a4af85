-- partitions: 2
-- Events, notifications and the inbox are cut into parts, of which old ones may go.

\ir lib/prelude.sql

select plan(51);

create function public.parts(relation text) returns text[] language sql
    return (select array_agg(p.partition || '/' || p.number || ' ' || p.first || '-' || p.beyond order by p.partition, p.number)
              from cqrs.parts as p where p.relation = $1);

create function public.add_on(p integer, n integer) returns jsonb language sql
    return (select pg_catalog.jsonb_build_object('id', public.id(n), 'stream', s.stream, 'type', 'add', 'data', '{"n": 1}'::jsonb, 'user', 'alice')
              from pg_catalog.generate_series(n * 100, n * 100 + 99) as i
             cross join lateral (select 'counter-' || i as stream) as s
             where cqrs.partition_of(s.stream) = p limit 1);

create function public.batch(p integer, first integer, last integer) returns bigint language sql
    return (select count(*) from cqrs.execute(p, 1, (select pg_catalog.jsonb_agg(public.add_on(p, n)) from pg_catalog.generate_series(first, last) as n))
             where status = 'completed');

select cqrs.claim_partition(1, 'test') \g /dev/null
select cqrs.claim_partition(0, 'test') \g /dev/null
update cqrs.partitions set epoch = 1;

-- sizes

select is(parts('events'), '{0/1 1-1000001,1/1 1-1000001}', 'each partition begins with one part of a million events');
select throws_ok($$ select cqrs.set_part_size('events', 0) $$, '22023', 'a part holds 1 row at least, not 0', 'a part can''t hold nothing');
select throws_ok($$ select cqrs.set_part_size('streams', 5) $$, '22023', 'events and notifications are cut into parts of a size, not "streams"',
    'what is not cut has no size');
select is((select count(*) from cqrs.parts where first = 1), 4::bigint, 'nothing was made of that');

-- the parts that are there were made for a million: begin again, smaller

create function public.small(relation text, p integer) returns void language plpgsql as $$
begin
    execute pg_catalog.format('drop table cqrs.%I', pg_catalog.format('%s_%s', relation, p));
    delete from cqrs.parts as q where q.relation = small.relation and q.partition = p;
    perform cqrs.set_part_size(relation, 10);
    perform cqrs.make_part(relation, p);
end $$;

select small(r, p) from unnest('{events,notifications}'::text[]) as r, generate_series(0, 1) as p \g /dev/null
select is(parts('events'), '{0/1 1-11,1/1 1-11}', 'parts of ten');

-- appending over the edge

select is(batch(0, 1, 8), 8::bigint, 'a batch that fits');
select is(parts('events'), '{0/1 1-11,1/1 1-11}', 'makes no part');
select is(batch(0, 9, 10), 2::bigint, 'one that fills the part');
select is(parts('events'), '{0/1 1-11,1/1 1-11}', 'makes none either');
select is(batch(0, 11, 11), 1::bigint, 'the next one');
select is(parts('events'), '{0/1 1-11,0/2 11-21,1/1 1-11}', 'makes the next part');
select is(batch(0, 12, 25), 14::bigint, 'a batch lies in two parts');
select is(parts('events'), '{0/1 1-11,0/2 11-21,0/3 21-31,1/1 1-11}', 'of which it makes the second');
select is(batch(0, 26, 80), 55::bigint, 'a batch may be larger than a part');
select is((select max(number) from cqrs.parts where relation = 'events' and partition = 0), 8, 'and makes as many as it needs');
select is(positions(0), upto(80), 'positions are dense over all parts');
select is((select array_agg(sequence order by sequence) from cqrs.notifications where partition = 0), upto(80), 'sequences, too');
select is((select array_agg(position order by o) from cqrs.read_events(0, 7, 40) with ordinality as e (position, id, stream, version, type, reacts, routing_key, traceparent, body, o)),
    (select array_agg(i) from generate_series(8, 47) as i)::bigint[], 'a reader reads over the edges');
select is((select array_agg(sequence) from cqrs.read_notifications(0, 18, 4)), '{19,20,21,22}', '... of notifications, too');
select is((select array_agg(position) from cqrs.react(0, '{10, 11, 80}')), '{10,11,80}', 'process managers find events in any part');
select is(batch(1, 1001, 1003), 3::bigint, 'the other partition');
select is(parts('events') @> '{1/1 1-11}', true, 'has parts of its own');
select is(positions(1), upto(3), 'and positions');

begin;
select is(batch(1, 1004, 1020), 17::bigint, 'a batch that made a part');
rollback;
select is(parts('events') @> '{1/2 11-21}', false, 'and came to nothing leaves none');
select is(batch(1, 1004, 1020), 17::bigint, 'and can be repeated');

-- one writer, one reader: neither reads more parts than it must

select ok((select pg_get_functiondef('cqrs.events_head(integer)'::regprocedure) like '%cqrs.events_0_8 %'), 'the newest part is known by name');

-- the log keeps its rows in every part

select throws_ok($$ delete from cqrs.events_0_1 $$, '42501', 'events are never changed or removed', 'nothing is removed from a part');

-- detaching

select throws_ok($$ select cqrs.detach_part('events', 0, 8) $$, '22023', 'events_0_8 is not the oldest part of its partition; older ones go first', 'a newer part can''t go first');
select throws_ok($$ select cqrs.detach_part('events', 0, 9) $$, '22023', 'there is no part events_0_9', 'nor one that is not there');
select is(cqrs.detach_part('events', 0, 1), 'cqrs.events_0_1', 'the oldest part is taken out');
select is((select count(*) from cqrs.events_0_1), 10::bigint, 'it keeps its rows');
select is((select min(position) from cqrs.events where partition = 0), 11::bigint, 'the log goes on after it');
select is(batch(0, 81, 82), 2::bigint, 'and can be appended to');
select is((select max(position) from cqrs.events where partition = 0), 82::bigint, 'where it was');
select throws_ok(format('select cqrs.fold(%L)', (select stream from cqrs.events_0_1 limit 1)), 'QS003', null, 'a stream that began in it can''t be folded anew');
select throws_ok($$ select cqrs.detach_part('events', 1, 1), cqrs.detach_part('events', 1, 2) $$, '22023',
    'events_1_2 is the newest part of its partition, which is being written', 'the newest part must stay');

-- cleaning

select is(cqrs.clean(1, 1), null, 'what is young stays');
update cqrs.notifications set recorded_at = now() - interval '3 days' where sequence <= 20;
select is(cqrs.clean(1, 1), null, 'what Redis has not had stays, too');
select cqrs.claim_checkpoint('redis', 0, 'test'), cqrs.advance_checkpoint('redis', 0, 1, 19) \g /dev/null
select is(cqrs.clean(0, 0), null, 'and all where nothing is to go');
select is(cqrs.clean(0, 1), 'cqrs.notifications_0_1', 'an old part goes');
select is(cqrs.clean(0, 1), null, 'one of which Redis has not had the last stays');

-- the inbox: a year ago its first part was made

create temp table kept as select * from cqrs.inbox;
select format('drop table cqrs.inbox_%s', to_char(month, 'YYYY_MM')) from cqrs.inbox_parts \gexec
delete from cqrs.inbox_parts;
set timezone = 'UTC';
select cqrs.make_inbox_part(now() - interval '1 year'), cqrs.make_inbox_part(now()), cqrs.make_inbox_part(now()) \g /dev/null
insert into cqrs.inbox select * from kept;

select is((select array_agg(month order by month) from cqrs.inbox_parts),
    array[date_trunc('month', now() - interval '1 year'), date_trunc('month', now())]::date[], 'the inbox has a part for each month that was written');
select results_eq('select * from cqrs.inbox_span()',
    $$ values (date_trunc('month', now() - interval '1 year'), date_trunc('month', now()) + interval '1 month') $$, 'and knows how far they reach');

select is(cqrs.clean(366, 0), null, 'a part that is not old enough stays');
select cqrs.park(0, 1, add_on(0, 83), 'XX999', 'no') \g /dev/null
update cqrs.inbox set recorded_at = recorded_at - interval '1 year' where id in (id(1), id(2), id(83));
select is(cqrs.clean(300, 0), null, 'nor does one go whose command is parked still');
delete from cqrs.parked;
select is(cqrs.clean(300, 0), 'cqrs.inbox_' || to_char(now() - interval '1 year', 'YYYY_MM'), 'one that is old goes');
select is(cqrs.clean(1, 0), null, 'the one that is written stays');
select is((select count(*) from cqrs.inbox), 100::bigint, 'with all that is in it');
select is(batch(0, 2, 3), 2::bigint, 'of two commands that came again');
select is((select array_agg(id order by id) from cqrs.inbox where recorded_at > now() - interval '1 minute' and id < id(4)), array[id(2), id(3)],
    'the one that was forgotten is taken for a new one');

select finish();
