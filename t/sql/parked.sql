-- A command that fails is put aside, and its stream held.

\ir lib/prelude.sql

select plan(27);

select throws_ok($$ select run(add(1, 'a'), command(2, 'counter-a', 'fail'), add(3, 'a')) $$, 'XX999', 'this one always fails',
    'a command that fails fails its batch');
select is((select count(*) from cqrs.inbox), 0::bigint, 'which leaves nothing');

select is(statuses(add(1, 'a')), '{completed}', 'those before it are run by themselves');

create temp table told as
select * from cqrs.park(0, epoch(), command(2, 'counter-a', 'fail', '{"x": [1, null]}'), 'XX999', 'this one always fails');

select results_eq('select ordinal, status, duplicate, sequence, channel from told',
    $$ values (1, 'parked', false, 2::bigint, 'user:alice') $$, 'it is parked');
select is((select body::jsonb - 'time' from told),
    jsonb_build_object('specversion', '1.0', 'id', cqrs.derive_id(id(2), 'notification:1'), 'source', '/cqrs',
        'type', 'cqrs.command.failed', 'subject', 'counter-a', 'datacontenttype', 'application/json',
        'data', jsonb_build_object('id', id(2), 'command', 'fail', 'stream', 'counter-a', 'code', 'XX999',
            'message', 'this one always fails')),
    'its issuer is told');
select is((select body from told), (select body from cqrs.notifications where sequence = 2), 'and the notification is kept');

select results_eq('select id, stream, partition, command, code, message from cqrs.parked',
    $$ values (id(2), 'counter-a', 0, command(2, 'counter-a', 'fail', '{"x": [1, null]}'), 'XX999', 'this one always fails') $$,
    'the whole command is kept with the reason');
select results_eq('select status, code, message, version from cqrs.inbox where id = id(2)',
    $$ values ('parked', 'XX999', 'this one always fails', null::bigint) $$, 'its outcome is in the inbox');

-- again

select results_eq($$ select status, duplicate, code, message, sequence
                       from cqrs.park(0, epoch(), command(2, 'counter-a', 'fail'), 'YY999', 'again') $$,
    $$ values ('parked', true, 'XX999', 'this one always fails', null::bigint) $$, 'parking it again is a duplicate');
select is((select count(*) from cqrs.parked), 1::bigint, 'and changes nothing');
select is((select count(*) from cqrs.notifications), 2::bigint, 'and tells nobody');
select results_eq($$ select status, duplicate from cqrs.park(0, epoch(), add(1, 'a'), 'XX999', 'late') $$,
    $$ values ('completed', true) $$, 'what has completed can''t be parked any more');
select is(statuses(command(2, 'counter-a', 'fail', '{}', '{"redelivered": true}')), '{"parked again"}', 'a delivery after it was parked is a duplicate');

-- the stream is held, others flow

select is(statuses(add(3, 'a'), add(4, 'b'), add(5, 'a', 5), command(6, 'counter-a', 'refuse')),
    '{parked,completed,parked,parked}', 'what follows for that stream is parked');
select is((select array_agg(id order by number) from cqrs.parked), array[id(2), id(3), id(5), id(6)], 'in order');
select is((select command from cqrs.parked where id = id(5)), add(5, 'a', 5), 'with all it came with');
select is((select distinct code from cqrs.parked where id <> id(2)), 'stream-held', 'because the stream is held');
select is((select array_agg(body::jsonb->>'type' order by sequence) from cqrs.notifications where sequence > 2),
    '{cqrs.command.failed,cqrs.command.completed,cqrs.command.failed,cqrs.command.failed}', 'their issuers are told');
select is(versions('counter-a'), upto(1), 'the held stream does not move');
select is(versions('counter-b'), upto(1), 'the other does');
select is(statuses(add(3, 'a'), add(3, 'a')), '{"parked again","parked again"}', 'one that waits can come again');

-- invalid commands never wait

select is(code(1, command(7, 'counter-a', 'add', '[]')), 'invalid-command', 'an invalid command for a held stream is rejected at once');

-- a stream that does not exist yet can be held, too

select is((select status from cqrs.park(0, epoch(), command(20, 'counter-new', 'fail'), 'XX999', 'no')), 'parked', 'the first command of a stream');
select is(statuses(add(21, 'new')), '{parked}', 'holds it');
select is((select count(*) from cqrs.streams where stream = 'counter-new'), 0::bigint, 'and makes no head');

-- the rules of execute hold

select throws_ok($$ select * from cqrs.park(0, epoch() - 1, add(30, 'c'), 'XX999', 'no') $$, 'QS001', null, 'an old owner can''t park');
select throws_ok($$ select * from cqrs.park(1, epoch(), add(30, 'c'), 'XX999', 'no') $$, 'QS002', null, 'there must be such a partition');

select finish();
