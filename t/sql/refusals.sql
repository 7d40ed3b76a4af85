-- What the store refuses by itself.

\ir lib/prelude.sql

select plan(33);

create function pg_temp.refused(stream text, type text, data jsonb, more jsonb default '{}') returns text language sql
    return public.code(1, public.command((random() * 1e9)::int, stream, type, data, more));

select is(pg_temp.refused('counter', 'add', '{}'), 'invalid-command', 'a stream without an id');
select is(pg_temp.refused('counter-', 'add', '{}'), 'invalid-command', 'a stream with an empty id');
select is(pg_temp.refused('', 'add', '{}'), 'invalid-command', 'a stream without a name');
select is(pg_temp.refused('Counter-1', 'add', '{}'), 'invalid-command', 'a category with a capital');
select is(pg_temp.refused('1counter-1', 'add', '{}'), 'invalid-command', 'a category that begins with a digit');
select is(pg_temp.refused(E'counter-1\n', 'add', '{}'), 'invalid-command', 'a line end in a stream''s name');
select is(pg_temp.refused('counter-' || repeat('x', 248), 'add', '{}'), 'invalid-command', 'a stream''s name of 256 bytes');
select is(pg_temp.refused('counter-1', '', '{}'), 'invalid-command', 'an empty type');
select is(pg_temp.refused('counter-1', 'a b', '{}'), 'invalid-command', 'a type with a blank');
select is(pg_temp.refused('counter-1', repeat('x', 101), '{}'), 'invalid-command', 'a type of 101 letters');
select is(pg_temp.refused('counter-1', 'add', '[1]'), 'invalid-command', 'data that is an array');
select is(pg_temp.refused('counter-1', 'add', 'null'), 'invalid-command', 'data that is null');
select is(code(1, command(1, 'counter-1', 'add') - 'data'), 'invalid-command', 'no data');
select is(pg_temp.refused('counter-1', 'add', '{}', '{"expected_version": "some"}'), 'invalid-command', 'an expected version that is none');
select is(pg_temp.refused('counter-1', 'add', '{}', '{"expected_version": "-1"}'), 'invalid-command', '... or below zero');
select is(pg_temp.refused('counter-1', 'add', '{}', '{"expected_version": "9999999999999999999"}'), 'invalid-command', '... or too large');
select is(pg_temp.refused('nothing-1', 'add', '{}'), 'unknown-category', 'a category nobody knows');
select is(pg_temp.refused('counter-1', 'fly', '{}'), 'unknown-command', 'a command that decide has no answer for');

select is((select count(*) from cqrs.events), 0::bigint, 'none of them left an event');
select is((select count(*) from cqrs.streams), 0::bigint, 'or a stream');
select is((select count(*) from cqrs.inbox where message ~ '^[A-Z].*\.$'), (select count(*) from cqrs.inbox), 'each was told in a sentence');

-- expected versions

select is(code(1, add(101, 'e', 1, '{"expected_version": "exists"}')), 'conflict', 'exists, but there is none');
select is(code(1, add(102, 'e', 1, '{"expected_version": "3"}')), 'conflict', 'version 3, but there is none');
select is(statuses(add(103, 'e', 1, '{"expected_version": "0"}')), '{completed}', 'version 0 is no stream');
select is(code(1, add(104, 'e', 1, '{"expected_version": "no-stream"}')), 'conflict', 'no stream, but there is one');
select is(statuses(add(105, 'e', 1, '{"expected_version": "exists"}')), '{completed}', 'exists');
select is(statuses(add(106, 'e', 1, '{"expected_version": "2"}')), '{completed}', 'the right number');
select is(statuses(add(107, 'e', 1, '{"expected_version": 3}')), '{completed}', 'as a JSON number, too');
select is(statuses(add(110, 'e', 1, '{"expected_version": "4"}'), add(111, 'e', 1, '{"expected_version": "4"}'), add(112, 'e', 1, '{"expected_version": "5"}')),
    '{completed,rejected,completed}', 'within a batch a command sees the version that those before it made');
select is((select message from cqrs.inbox where id = id(111)), 'It was changed meanwhile: it is at version 5, not 4.', 'a conflict says what was found');
select is((select detail from cqrs.inbox where id = id(111)), '{"version": 5, "expected_version": "4"}', '... also for programs');
select is(versions('counter-e'), upto(6), 'those in conflict left nothing');

-- nobody can be told of a command without id

select throws_ok($$ select run(add(200, 'x') || '{"id": null}') $$, '23502', null, 'a command without an id fails');

select finish();
