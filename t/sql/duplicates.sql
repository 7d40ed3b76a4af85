-- The same id again has the outcome of the first, and no effect.

\ir lib/prelude.sql

select plan(18);

select is(statuses(add(1, 'a', 10), command(2, 'counter-a', 'refuse'), add(1, 'a', 10), command(2, 'counter-a', 'refuse'), add(1, 'a', 99)),
    '{completed,rejected,"completed again","rejected again","completed again"}', 'twice in one batch');
select is(versions('counter-a'), upto(1), 'takes effect once');
select is((select count(*) from cqrs.inbox), 2::bigint, 'is in the inbox once');
select is((select array_agg(body::jsonb->>'id' || ' ' || (body::jsonb->'data'->>'version') order by sequence)
             from cqrs.notifications where channel = 'user:alice'),
    (select array_agg(cqrs.derive_id(id(n), 'notification:1') || ' 1' order by o) from unnest('{1,2,1,2,1}'::int[]) with ordinality as i (n, o)),
    'whoever asks again is told again, in the same words');

-- the broker's repetitions, and those of a process manager, are no question

select is((select count(sequence) from run(add(1, 'a', 10, '{"redelivered": true}'))), 0::bigint,
    'what the broker delivers again is told to nobody again');
select is((select count(sequence) from run(add(1, 'a', 10, '{"causation_id": "an event"}'))), 0::bigint,
    'nor what a process manager says again');
select is((select count(sequence) from run(add(4, 'z', 1, '{"redelivered": true}'), add(5, 'z', 1, '{"causation_id": "an event"}'))),
    2::bigint, 'the first time both are told');

select is(statuses(add(1, 'a', 10), add(3, 'a', 10), command(2, 'counter-a', 'refuse')),
    '{"completed again",completed,"rejected again"}', 'in a later batch');
select is((select state from cqrs.streams where stream = 'counter-a'), '{"sum": 20}', 'takes effect once, too');
select results_eq($$ select ordinal, status, duplicate, version, code, message, detail
                       from cqrs.execute(0, epoch(), to_jsonb(array[add(1, 'a'), command(2, 'counter-a', 'refuse')])) $$,
    $$ values (1, 'completed', true, 1::bigint, null, null, null::jsonb),
              (2, 'rejected', true, 1, 'too-late', 'It is too late.', '{"state": {"sum": 10}, "note": null}') $$,
    'a duplicate gets the original outcome: version, code, message and detail');
select results_eq($$ select ordinal, version, code
                       from cqrs.execute(0, epoch(), to_jsonb(array[command(6, 'counter-a', 'refuse'), add(7, 'a'), command(6, 'counter-a', 'refuse')])) $$,
    $$ values (1, 2::bigint, 'too-late'), (2, 3, null), (3, 2, 'too-late') $$, '... in one batch, too');

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
