-- A command that fails is put aside, and its stream held.

\ir lib/prelude.sql

select plan(84);

select throws_ok($$ select run(add(1, 'a'), command(2, 'counter-a', 'fail'), add(3, 'a')) $$, 'XX999', 'this one always fails',
    'a command that fails fails its batch');
select is((select count(*) from cqrs.inbox), 0::bigint, 'which leaves nothing');

select is(statuses(add(1, 'a')), '{completed}', 'those before it are run by themselves');

create temp table told as
select * from cqrs.park(0, epoch(), command(2, 'counter-a', 'fail', '{"x": [1, null]}'), 'XX999', 'this one always fails');

select results_eq('select ordinal, status, duplicate, sequence, channel from told',
    $$ values (1, 'parked', false, 2::bigint, 'user:alice') $$, 'it is parked');
select is((select body::jsonb - 'time' from told),
    jsonb_build_object('specversion', '1.0', 'id', cqrs.derive_id(id(2), 'failed XX999 this one always fails'), 'source', '/cqrs',
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


-- the way back: what somebody asks for

create function pg_temp.listed(stream text) returns text language sql
as $$ select string_agg(right(l.id::text, 2) || ' ' || l.status || ' ' || l.behind, ', ' order by l.number) from cqrs.list_parked(null) as l where l.stream = $1 $$;

-- as the daemon does it: what it read, in batches of so many; what became of each
create function pg_temp.come_back(max integer default 100) returns text language plpgsql as $$
declare
    batch jsonb := (select jsonb_agg(r.command::jsonb) from cqrs.read_released(0, max) as r);
begin
    return coalesce(array_to_string(pg_temp.outcomes(batch), ', '), 'nothing');
end $$;

create function pg_temp.outcomes(batch jsonb) returns text[] language sql
as $$ select array_agg(s.said order by s.ordinal)
        from (select distinct e.ordinal, right(batch->(e.ordinal - 1)->>'id', 2) || ' ' || e.status || coalesce(' ' || e.code, '') || coalesce('@' || e.version, '')
                                         || case when e.duplicate then ' again' else '' end || case when e.sequence is null then '' else ' told' end as said
                from cqrs.execute(0, public.epoch(), batch) as e) as s $$;

create function pg_temp.marked(variadic commands jsonb[]) returns jsonb language sql
as $$ select jsonb_agg(c || '{"release": true, "redelivered": true}' order by n) from unnest(commands) with ordinality as c (c, n) $$;

-- the toy's "mend" is what "fail" becomes when its rules were repaired

select is(pg_temp.listed('counter-a'), '02 failed 3, 03 waits 2, 05 waits 1, 06 waits 0', 'the list tells who failed and who waits');
select results_eq($$ select id, stream, status, code, message, behind, command from cqrs.list_parked(id(2)::text) $$,
    $$ values (id(2), 'counter-a', 'failed', 'XX999', 'this one always fails', 3::bigint, command(2, 'counter-a', 'fail', '{"x": [1, null]}')) $$,
    'one of them can be looked at');
select is_empty($$ select * from cqrs.list_parked(id(99)::text) $$, 'one that is not parked is not there');
select is_empty($$ select * from cqrs.list_parked('what') $$, 'and what is no id neither');

select is(pg_temp.come_back(), 'nothing', 'nothing comes back by itself');
select is(pg_temp.outcomes(pg_temp.marked(command(2, 'counter-a', 'add', '{"n": 1}'))), '{"02 parked XX999 again"}', 'and nobody gets it by saying so');
select is_empty($$ select * from cqrs.release('counter-z') $$, 'a stream that is not held can''t be released');
select is_empty($$ select * from cqrs.release(id(99)::text) $$, 'nor a command that is not parked');
select is(cqrs.discard(id(99)::text), false, 'or discarded');
select is(cqrs.discard('what'), false, 'nor what is no id');
select is(cqrs.releases_due(0, 'me'), false, 'nothing is due');

select results_eq($$ select * from cqrs.release('counter-a') $$, $$ values ('counter-a', 4::bigint) $$, 'a stream is released');
select results_eq($$ select * from cqrs.release(id(5)::text) $$, $$ values ('counter-a', 4::bigint) $$, 'also by the id of one of its commands');
select is(pg_temp.listed('counter-a'), '02 released 3, 03 released 2, 05 released 1, 06 released 0', 'which the list tells');
select is(pg_temp.listed('counter-new'), '20 failed 1, 21 waits 0', 'of no other one');
select is(cqrs.releases_due(0, 'me'), true, 'something is due');
select is(cqrs.releases_due(1, 'me'), false, '... but in this partition only');

select cqrs.attend(0, 'other', 'works') \g /dev/null
select is(cqrs.releases_due(0, 'me') || ' ' || cqrs.releases_due(0, 'other'), 'false true', 'it is for the daemon that works the partition');
select cqrs.attend(0, 'other', 'waits'), cqrs.attend(0, 'me', 'waits') \g /dev/null
select is(cqrs.releases_due(0, 'me') || ' ' || cqrs.releases_due(0, 'other'), 'true false', '... or for the first of those that wait');
update cqrs.attendance set seen_at = seen_at - interval '11 s' where daemon = 'me';
select is(cqrs.releases_due(0, 'other'), true, '... that is there');
delete from cqrs.attendance;

-- it fails again

select throws_ok($$ select pg_temp.come_back() $$, 'XX999', null, 'what fails again fails its batch');
select is(pg_temp.listed('counter-a'), '02 released 3, 03 released 2, 05 released 1, 06 released 0', 'which changes nothing');
create temp table before as select count(*) as n from cqrs.notifications;
select results_eq($$ select status, duplicate, sequence from cqrs.park(0, epoch(), pg_temp.marked(command(2, 'counter-a', 'fail'))->0, 'XX999', 'this one always fails') $$,
    $$ values ('parked', true, null::bigint) $$, 'it is parked again');
select is(pg_temp.listed('counter-a'), '02 failed 3, 03 waits 2, 05 waits 1, 06 waits 0', 'in its old place, and the others wait on');
select is(pg_temp.outcomes(pg_temp.marked(command(2, 'counter-a', 'add', '{"n": 1}'), add(3, 'a'), add(5, 'a', 5))), '{"02 parked XX999 again","03 parked stream-held again","05 parked stream-held again"}',
    'what the daemon had read of them has no turn any more');
select is((select count(*) - b.n from cqrs.notifications, before as b group by b.n), 0::bigint, 'nobody is told the same again');

select count(*) from cqrs.release('counter-a') \g /dev/null
select results_eq($$ select status, duplicate, code, message, body::jsonb->>'id' from cqrs.park(0, epoch(), pg_temp.marked(command(2, 'counter-a', 'fail'))->0, 'YY999', 'now for another reason') $$,
    $$ values ('parked', true, 'YY999', 'now for another reason', cqrs.derive_id(id(2), 'failed YY999 now for another reason')::text) $$, 'another reason is told');
select results_eq($$ select q.command, q.code, q.message, i.code, i.message from cqrs.parked as q join cqrs.inbox as i on i.id = q.id where q.id = id(2) $$,
    $$ values (command(2, 'counter-a', 'fail', '{"x": [1, null]}'), 'YY999', 'now for another reason', 'YY999', 'now for another reason') $$, 'and kept');
select is((select count(*) from cqrs.inbox where id = id(2)), 1::bigint, 'with one outcome');

-- it succeeds: in order, in pieces, and nobody overtakes

create or replace function toy.decide_mended(state jsonb, command cqrs.command) returns cqrs.decision language sql as $$
    select case command.type when 'fail' then cqrs.accept(cqrs.event('added', '{"n": 100}')) else toy.decide(state, command) end
$$;
select cqrs.register('counter', 'toy.decide_mended', 'toy.evolve', 'toy.project', 'toy.react', 'toy.notify') \g /dev/null

select count(*) from cqrs.release(null) \g /dev/null
select is(pg_temp.listed('counter-new'), '20 released 1, 21 released 0', 'all streams can be released at once');
select is((select array_agg(right(r.id::text, 2)) from cqrs.read_released(0, 3) as r), '{02,03,05}', 'they are read in order');
select is(pg_temp.outcomes(pg_temp.marked(add(3, 'a'))), '{"03 parked stream-held again"}', 'the second has no turn before the first');
select is(pg_temp.outcomes(pg_temp.marked(command(2, 'counter-a', 'fail'), add(5, 'a'))), '{"02 completed@2 told","05 parked stream-held again"}', 'nor the third before the second');
select is(statuses(add(9, 'a')), '{parked}', 'what comes new meanwhile goes behind them');
select is(pg_temp.come_back(2), '03 completed@3 told, 05 completed@4 told', 'they are executed in pieces');
select is(pg_temp.listed('counter-a'), '06 released 1, 09 released 0', 'the rest follows by itself');
select is(pg_temp.come_back(), '06 rejected too-late@4 told, 20 completed@1 told, 21 completed@2 told, 09 completed@5 told', 'so does what came new, in its order');
select is(pg_temp.come_back(), 'nothing', 'until nothing is left');
select is(cqrs.releases_due(0, 'me'), false, 'or due');
select is((select count(*) from cqrs.parked), 0::bigint, 'nothing is parked any more');
select is(statuses(add(8, 'a')), '{completed}', 'and the stream is free');
select is(versions('counter-a'), upto(6), 'versions are dense');
select is((select array_agg(right(metadata->>'command_id', 2) order by version) from cqrs.events where stream = 'counter-a'), '{01,02,03,05,09,08}', 'the order is that in which they came');
select is((select id from cqrs.events where stream = 'counter-a' and version = 2), cqrs.derive_id(id(2), 'event:1'), 'the ids of events are those of their commands');
select results_eq($$ select status, version, code, message from cqrs.inbox where id = id(2) $$, $$ values ('completed', 2::bigint, null, null) $$, 'the inbox has the final outcome');
select is((select array_agg(body::jsonb->>'type' || coalesce(' ' || (body::jsonb->'data'->>'code'), '') order by sequence) from cqrs.notifications where body::jsonb->'data'->>'id' = id(2)::text),
    '{cqrs.command.failed XX999,cqrs.command.failed YY999,cqrs.command.completed}', 'its issuer was told each thing once');
select is((select count(distinct body::jsonb->>'id') from cqrs.notifications where body::jsonb->'data'->>'id' = id(2)::text), 3::bigint, '... by notifications that are not one');
select is(pg_temp.outcomes(pg_temp.marked(command(2, 'counter-a', 'fail'))), '{"02 completed@2 again"}', 'a second time has no effect');
select is((select wrong from cqrs.verify_parked()) + (select wrong from cqrs.verify_outcomes()), 0::bigint, 'the store is sound');

-- discard

select cqrs.register('counter', 'toy.decide', 'toy.evolve', 'toy.project', 'toy.react', 'toy.notify') \g /dev/null
select from cqrs.park(0, epoch(), command(40, 'counter-d', 'fail'), 'XX999', 'no') \g /dev/null
select statuses(add(41, 'd'), add(42, 'd'), add(43, 'd')) \g /dev/null

select is(cqrs.discard(id(42)::text), true, 'a command can be discarded');
select is(pg_temp.listed('counter-d'), '40 failed 3, 41 waits 2, 42 discarded 1, 43 waits 0', 'which the list tells');
select is(pg_temp.come_back(), '42 rejected discarded told', 'it ends as a rejection');
select is(pg_temp.listed('counter-d'), '40 failed 2, 41 waits 1, 43 waits 0', 'and the others wait for the one that failed');
select is(cqrs.discard(id(40)::text), true, 'that one, too');
select is(pg_temp.come_back(), '40 rejected discarded told', 'ends so');
select is(pg_temp.come_back(), '41 completed@1 told, 43 completed@2 told', 'and what only waited for it follows');
select is(cqrs.discard(id(40)::text), false, 'it is not there any more');

select finish();
