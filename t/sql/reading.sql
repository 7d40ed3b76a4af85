-- partitions: 4
-- What leaves the store: events for RabbitMQ, commands of process managers.

\ir lib/prelude.sql

select plan(21);

create temp table stream as
select 'counter-' || i as name from generate_series(1, 100) as i where cqrs.partition_of('counter-' || i) = 0 order by i limit 2;

create temp table told as
select * from run(
    command(1, (select min(name) from stream), 'add', '{"n": 5}', '{"correlation_id": "c1", "causation_id": "e1", "traceparent": "t1"}'),
    command(2, (select max(name) from stream), 'add', '{"n": 42}', '{"claims": {"sub": "alice", "role": "teller"}}'),
    command(3, (select min(name) from stream), 'add', '{"n": 6}', '{"user": null}'));

create temp table read as select * from cqrs.read_events(0, 0, 100);

select results_eq('select position, id, stream, version, type, routing_key, traceparent from read',
    $$ select * from (values
        (1::bigint, cqrs.derive_id(id(1), 'event:1'), (select min(name) from stream), 1::bigint, 'added', 'counter.added', 't1'),
        (2, cqrs.derive_id(id(2), 'event:1'), (select max(name) from stream), 1, 'added', 'counter.added', null),
        (3, cqrs.derive_id(id(3), 'event:1'), (select min(name) from stream), 2, 'added', 'counter.added', null)) as v $$,
    'events in order, with what the headers need');

select is((select body::jsonb - 'time' from read where position = 1),
    jsonb_build_object('specversion', '1.0', 'id', cqrs.derive_id(id(1), 'event:1'), 'source', '/cqrs',
        'type', 'counter.added', 'subject', (select min(name) from stream), 'datacontenttype', 'application/json',
        'data', '{"n": 5}'::jsonb, 'partition', 0, 'position', 1, 'version', 1,
        'commandid', id(1), 'correlationid', 'c1', 'causationid', 'e1', 'user', 'alice'),
    'the body is CloudEvents with our members');
select is((select body::jsonb ?| array['causationid', 'user', 'claims', 'traceparent'] from read where position = 3), false,
    'what there is not is not in it');
select is((select body like '%claims%' or body like '%teller%' from read where position = 2), false, 'claims stay in the store');
select is((select body::jsonb->>'time' from read where position = 1),
    (select to_char(recorded_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') from cqrs.events where partition = 0 and position = 1),
    'the time is when it was recorded, in UTC');

set timezone = 'Asia/Kathmandu';
select is((select array_agg(body) from cqrs.read_events(0, 0, 100)), (select array_agg(body) from read), 'whatever the session''s time zone is');
reset timezone;

select is((select array_agg(position) from cqrs.read_events(0, 1, 100)), '{2,3}', 'after a position');
select is((select array_agg(position) from cqrs.read_events(0, 1, 1)), '{2}', 'a piece at a time');
select is((select count(*) from cqrs.read_events(0, 3, 100)), 0::bigint, 'none after the last');
select is((select count(*) from cqrs.read_events(1, 0, 100)), 0::bigint, 'none of another partition');
select is((select count(*) from cqrs.read_events(9, 0, 100)), 0::bigint, 'none of a partition that is not there');

-- process managers

create temp table caused as select * from cqrs.react(0, '{1,2,3}');

select is((select array_agg(row(position, type, stream)::text order by position, stream) from caused),
    array['(1,add,counter-echo)', '(2,add,counter-echo)', '(2,nothing,counter-other)', '(3,add,counter-echo)'], 'events cause commands');
select is((select array_agg(id) from caused where position = 2),
    array[cqrs.derive_id(cqrs.derive_id(id(2), 'event:1'), 'command:1'), cqrs.derive_id(cqrs.derive_id(id(2), 'event:1'), 'command:2')],
    'their ids derive from the event''s');
select is((select bool_and(partition = cqrs.partition_of(stream)) from caused), true, 'they know their partition');
select is((select bool_and(causation_id = cqrs.derive_id(id(position::int), 'event:1')::text) from caused), true, 'they name their cause');

select results_eq('select data, user_id, claims::jsonb, correlation_id, traceparent from caused where position = 2 and type = ''add''',
    $$ values ('{"n": 42}', 'alice', '{"sub": "alice", "role": "teller"}'::jsonb, id(2)::text, null::text) $$, 'what is null they inherit');
select results_eq('select data, user_id, claims::jsonb, correlation_id, traceparent from caused where position = 2 and type = ''nothing''',
    $$ values ('{}', 'root', '{"role": "boss"}'::jsonb, 'mine', 'tp') $$, 'what is not they keep');
select results_eq('select user_id, claims, correlation_id, traceparent from caused where position = 1',
    $$ values ('alice', null::text, 'c1', 't1') $$, 'the correlation is handed on');
select is((select user_id from caused where position = 3), null, 'where there was no user there is none');

select results_eq('select * from cqrs.react(0, ''{3,2,1,1}'')', 'select * from caused', 'asking again gives the same');
select is((select count(*) from cqrs.react(0, '{99}')), 0::bigint, 'an event that is not there causes nothing');

select finish();
