-- The same id again has the outcome of the first, and no effect.

\ir lib/prelude.sql

select plan(14);

select is(statuses(add(1, 'a', 10), command(2, 'counter-a', 'refuse'), add(1, 'a', 10), command(2, 'counter-a', 'refuse'), add(1, 'a', 99)),
    '{completed,rejected,"completed again","rejected again","completed again"}', 'twice in one batch');
select is(versions('counter-a'), upto(1), 'takes effect once');
select is((select count(*) from cqrs.inbox), 2::bigint, 'is in the inbox once');
select is((select count(*) from cqrs.notifications), 2::bigint, 'is told once');

select is(statuses(add(1, 'a', 10), add(3, 'a', 10), command(2, 'counter-a', 'refuse')),
    '{"completed again",completed,"rejected again"}', 'in a later batch');
select is((select state from cqrs.streams where stream = 'counter-a'), '{"sum": 20}', 'takes effect once, too');
select is((select array_agg(row(ordinal, duplicate, sequence is null, channel is null, body is null)::text)
             from run(add(1, 'a'), command(2, 'counter-a', 'refuse'))),
    array['(1,t,t,t,t)', '(2,t,t,t,t)'], 'a duplicate has one row, without a notification');

select is(statuses(command(9, 'counter-a', 'add', '[]'), add(9, 'a')), '{rejected,"rejected again"}',
    'what was invalid stays rejected when its id comes again in the batch');
select is(statuses(add(9, 'a')), '{"rejected again"}', '... and later');

select is(statuses(command(10, 'nothing-1', 'add'), command(10, 'nothing-1', 'add')), '{rejected,"rejected again"}',
    'what nobody knows is rejected once');

-- the outcome is the first one's, whatever has changed since

select is(statuses(add(11, 'v', 1, '{"expected_version": "no-stream"}')), '{completed}', 'a command that expects no stream');
select is(statuses(add(11, 'v', 1, '{"expected_version": "no-stream"}')), '{"completed again"}', 'is not in conflict with its own effect');

select is(statuses(variadic array(select add(100 + i % 10, 'd') from generate_series(0, 29) as i)),
    array_fill('completed'::text, array[10]) || array_fill('completed again'::text, array[20]), 'ten commands, three times each');
select is(versions('counter-d'), upto(10), 'take effect ten times');

select finish();
