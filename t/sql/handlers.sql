-- What a handler in C has decided: load and append.

\ir lib/prelude.sql

select plan(42);

-- a category without decide and evolve

select cqrs.register('thing', project => 'toy.project') \g /dev/null

create function pg_temp.ask(n integer, stream text, more jsonb default '{}') returns jsonb language sql
    return public.command(n, 'thing-' || stream, 'do', '{}', more);

create function pg_temp.decided(n integer, version bigint, variadic events text[] default '{}') returns jsonb language sql
    return jsonb_build_object('n', n, 'version', version, 'events', (select coalesce(jsonb_agg(jsonb_build_object('type', e, 'data', jsonb_build_object('n', 1), 'revision', 1) order by o), '[]')
                                                                       from unnest(events) with ordinality as u (e, o)));

create function pg_temp.head(stream text, base bigint, head bigint, state jsonb, token text default null) returns jsonb language sql
    return jsonb_build_object('stream', 'thing-' || stream, 'base', base, 'head', head, 'state', state, 'token', token);

-- what becomes of each, e.g. completed@2
create function pg_temp.append(commands jsonb[], decisions jsonb[], heads jsonb[]) returns text language sql
as $$ select string_agg(said, ', ' order by ordinal)
        from (select distinct e.ordinal, e.status || coalesce(' ' || e.code, '') || case when e.duplicate then ' again' else '' end || coalesce('@' || e.version, '') as said
                from cqrs.append(0, public.epoch(), to_jsonb(commands), to_jsonb(decisions), to_jsonb(heads)) as e) as s $$;

create function pg_temp.load(variadic commands jsonb[]) returns setof text language sql
as $$ select concat_ws(' ', l.ordinal, l.status, l.version, l.state, l.events, case when l.token is not null then 'token' end)
        from cqrs.load(0, public.epoch(), to_jsonb(commands)) as l order by l.ordinal $$;

create function pg_temp.state(stream text) returns text language sql
    return (select s.version || ' ' || s.folded || ' ' || s.state from cqrs.streams as s where s.stream = 'thing-' || $1);

select throws_ok($$ select * from cqrs.execute(0, epoch(), jsonb_build_array(add(1, 'a'), pg_temp.ask(2, 'a'))) $$, 'QS002',
    'category thing is decided by a handler in C: start the daemon with --handler', 'SQL does not decide what a handler decides');
select throws_ok($$ select * from cqrs.append(0, epoch(), jsonb_build_array(add(1, 'a')), '[]', '[]') $$, 'QS002',
    'category counter is decided in SQL: the daemon must not have a handler for it', 'nor the other way round');
select throws_ok($$ select * from cqrs.append(0, epoch() + 1, '[]', '[]', '[]') $$, 'QS001', null, 'only the owner appends');
select throws_ok($$ select * from cqrs.load(0, epoch() + 1, '[]') $$, 'QS001', null, 'or loads');
select is_empty($$ select * from cqrs.append(0, epoch(), '[]', '[]', '[]') $$, 'nothing appends nothing');

select lives_ok($$ select cqrs.check_handlers('{thing}') $$, 'a daemon with the handlers that there should be');
select lives_ok($$ select cqrs.check_handlers('{thing,other}') $$, 'one for what is not registered does no harm');
select throws_ok($$ select cqrs.check_handlers('{}') $$, 'QS002', 'category thing is decided by a handler in C: start the daemon with --handler', 'a missing one');
select throws_ok($$ select cqrs.check_handlers('{thing,counter}') $$, 'QS002', 'category counter is decided in SQL: the daemon must not have a handler for it', 'one too many');

-- the first commands

select results_eq($$ select pg_temp.load(pg_temp.ask(1, 'a'), pg_temp.ask(2, 'b'), pg_temp.ask(3, 'a')) $$, $$ values ('1 0'), ('2 0'), ('3') $$,
    'what is not there yet is at version 0');
select is(pg_temp.append(array[pg_temp.ask(1, 'a'), pg_temp.ask(2, 'b'), pg_temp.ask(3, 'a')],
        array[pg_temp.decided(1, 2, 'one', 'two'), '{"n": 2, "version": 0, "code": "no", "message": "No.", "detail": {"x": 1}}', pg_temp.decided(3, 3, 'three')],
        array[pg_temp.head('a', 0, 3, '{"s": 3}'), pg_temp.head('b', 0, 0, null)]),
    'completed@2, rejected no@0, completed@3', 'decisions are recorded');
select results_eq($$ select stream, version, type, data::text, metadata->>'command_id' from cqrs.events order by position $$,
    $$ values ('thing-a', 1::bigint, 'one', '{"n": 1}', id(1)::text), ('thing-a', 2, 'two', '{"n": 1}', id(1)::text), ('thing-a', 3, 'three', '{"n": 1}', id(3)::text) $$,
    'their events are in the log');
select is(pg_temp.state('a'), '3 3 {"s": 3}', 'the state is kept');
select is(pg_temp.state('b'), null, 'a stream without events is none');
select results_eq($$ select id, status, version, code, message, detail::text from cqrs.inbox order by id $$,
    $$ values (id(1), 'completed', 2::bigint, null, null, null), (id(2), 'rejected', 0, 'no', 'No.', '{"x": 1}'), (id(3), 'completed', 3, null, null, null) $$,
    'and each outcome');
select results_eq($$ select stream, version from toy.seen order by version $$, $$ values ('thing-a', 1::bigint), ('thing-a', 2), ('thing-a', 3) $$, 'the projection saw them');
select is((select array_agg(body::jsonb->>'type' order by sequence) from cqrs.notifications), '{cqrs.command.completed,cqrs.command.rejected,cqrs.command.completed}',
    'and the issuer is told');

-- what the daemon knew was old

select results_eq($$ select pg_temp.load(pg_temp.ask(4, 'a'), pg_temp.ask(1, 'a'), pg_temp.ask(5, 'a')) $$,
    $$ values ('1 3 {"s": 3}'), ('2 completed'), ('3') $$, 'load gives the state once, and who has an outcome');
select is(pg_temp.append(array[pg_temp.ask(4, 'a')], array[pg_temp.decided(1, 3, 'four')], array[pg_temp.head('a', 2, 3, '{"s": 9}')]), 'stale', 'decided on an older version');
select is(pg_temp.append(array[pg_temp.ask(4, 'a')], array[pg_temp.decided(1, 5, 'four')], array[pg_temp.head('a', 4, 5, '{"s": 9}')]), 'stale', 'or on one that is to come');
select is(pg_temp.append(array[pg_temp.ask(4, 'a')], array[pg_temp.decided(1, 4, 'four')], null), 'stale', 'or on nothing');
select is(pg_temp.append(array[pg_temp.ask(4, 'a')], null, array[pg_temp.head('a', 3, 3, '{"s": 9}')]), 'stale', 'or not decided');
select is(pg_temp.append(array[pg_temp.ask(4, 'a'), pg_temp.ask(1, 'a')], array[pg_temp.decided(1, 4, 'four'), pg_temp.decided(2, 5, 'five')], array[pg_temp.head('a', 3, 5, '{"s": 9}')]),
    'stale', 'or decided again');
select is(pg_temp.append(array[pg_temp.ask(4, 'a'), pg_temp.ask(5, 'b')], array[pg_temp.decided(1, 4, 'four'), pg_temp.decided(2, 1, 'one')],
    array[pg_temp.head('a', 2, 4, '{"s": 9}'), pg_temp.head('b', 0, 1, '{"s": 1}')]), 'stale', 'one is enough');
select is((select count(*) from cqrs.events) || ' ' || (select count(*) from cqrs.inbox), '3 3', 'nothing of all that is written');
select is(pg_temp.state('a'), '3 3 {"s": 3}', '... and no state');

-- duplicates

select is(pg_temp.append(array[pg_temp.ask(4, 'a'), pg_temp.ask(2, 'b'), pg_temp.ask(4, 'a')], array[pg_temp.decided(1, 4, 'four')], array[pg_temp.head('a', 3, 4, '{"s": 4}')]),
    'completed@4, rejected no again@0, completed again@4', 'duplicates get the outcome of the first, in the batch and before');
select is(pg_temp.append(array[pg_temp.ask(5, 'a'), pg_temp.ask(5, 'a')], array[pg_temp.decided(1, 5, 'five'), pg_temp.decided(2, 6, 'six')], array[pg_temp.head('a', 4, 6, '{"s": 6}')]),
    'stale', 'the second in a batch is not decided');
select is(versions('thing-a'), '{1,2,3,4}', 'versions are dense');

-- what the store refuses by itself

select results_eq($$ select pg_temp.load(pg_temp.ask(10, 'a', '{"expected_version": "soon"}'), command(11, 'nothing-a', 'do')) $$,
    $$ values ('1 rejected 4 {"s": 4}'), ('2 rejected 0') $$, 'load tells of what is refused');
select is(pg_temp.append(array[pg_temp.ask(10, 'a', '{"expected_version": "soon"}'), command(11, 'nothing-a', 'do')], null, null),
    'rejected invalid-command, rejected unknown-category', 'which needs no decision');

-- streams that are held

select from cqrs.park(0, epoch(), pg_temp.ask(20, 'b'), 'handler-crashed', 'It crashed.');
select results_eq($$ select pg_temp.load(pg_temp.ask(21, 'b'), pg_temp.ask(22, 'a')) $$, $$ values ('1 parked 0'), ('2 4 {"s": 4}') $$, 'load tells of a stream that is held');
select is(pg_temp.append(array[pg_temp.ask(21, 'b'), pg_temp.ask(22, 'a')], array[pg_temp.decided(1, 1, 'one'), pg_temp.decided(2, 5, 'five')],
    array[pg_temp.head('b', 0, 1, '{"s": 1}'), pg_temp.head('a', 4, 5, '{"s": 5}')]), 'stale', 'nothing is decided on it');
select is(pg_temp.append(array[pg_temp.ask(21, 'b'), pg_temp.ask(22, 'a')], array[pg_temp.decided(2, 5, 'five')], array[pg_temp.head('a', 4, 5, '{"s": 5}')]),
    'parked stream-held, completed@5', 'what comes for it is parked, others flow');

-- states that are to be folded anew

select is(cqrs.refold('thing'), 1::bigint, 'states may be asked for anew');
select is(pg_temp.append(array[pg_temp.ask(30, 'a')], array[pg_temp.decided(1, 6, 'six')], array[pg_temp.head('a', 5, 6, '{"s": 6}')]), 'stale', 'then none that is known will do');
select is((select jsonb_path_query_array(l.events, '$[*].type') || to_jsonb(l.version) from cqrs.load(0, epoch(), jsonb_build_array(pg_temp.ask(30, 'a'))) as l),
    '["one", "two", "three", "four", "five", 5]', 'load gives the events');
select l.token from cqrs.load(0, epoch(), jsonb_build_array(pg_temp.ask(30, 'a'))) as l \gset
select is(pg_temp.append(array[pg_temp.ask(30, 'a')], array[pg_temp.decided(1, 6, 'six')], array[pg_temp.head('a', 5, 6, '{"s": 6}', :'token')]), 'completed@6', 'and takes what was folded of them');
select is(pg_temp.state('a'), '6 6 {"s": 6}', '... and keeps it');

select cqrs.refold('thing') \g /dev/null
select l.token from cqrs.load(0, epoch(), jsonb_build_array(pg_temp.ask(31, 'a'))) as l \gset
select is(pg_temp.append(array[pg_temp.ask(31, 'a')], array['{"n": 1, "version": 6, "code": "no"}'::jsonb], array[pg_temp.head('a', 6, 6, '{"s": 66}', :'token')]), 'rejected no@6', 'also for a rejection');
select is(pg_temp.state('a'), '6 6 {"s": 66}', '... it is kept');

select cqrs.refold('thing') \g /dev/null
select l.token from cqrs.load(0, epoch(), jsonb_build_array(pg_temp.ask(32, 'a'))) as l \gset
update cqrs.streams set folded = 0, state = null where stream = 'thing-a';
select is(pg_temp.append(array[pg_temp.ask(32, 'a')], array[pg_temp.decided(1, 7, 'seven')], array[pg_temp.head('a', 6, 7, '{"s": 7}', :'token')]), 'stale',
    'unless it was touched again meanwhile, by an erasure for example');

select finish();
