-- What a batch leaves behind: events, heads, outcomes, notifications.

\ir lib/prelude.sql

select plan(35);

select is((select count(*) from cqrs.execute(0, epoch(), '[]')), 0::bigint, 'an empty batch has no rows');

select is(statuses(add(1, 'a'), add(2, 'b'), command(3, 'counter-a', 'twice'), command(4, 'counter-b', 'refuse'),
                   command(5, 'counter-a', 'nothing'), add(6, 'a')),
          '{completed,completed,completed,rejected,completed,completed}', 'each command has its status');

select is(positions(), upto(5), 'positions are 1, 2, 3...');
select is(versions('counter-a'), upto(4), 'versions are 1, 2, 3... in one stream');
select is(versions('counter-b'), upto(1), '... and in the other');
select is((select array_agg(stream order by position) from cqrs.events),
          '{counter-a,counter-b,counter-a,counter-a,counter-a}', 'events are in the order of the commands');

select is(statuses(add(11, 'b'), add(12, 'a')), '{completed,completed}', 'a second batch');
select is(positions(), upto(7), 'goes on with the positions');
select is(versions('counter-a'), upto(5), 'and the versions');

select results_eq('select stream, version, state from cqrs.streams order by stream',
    $$ values ('counter-a', 5::bigint, '{"sum": 5}'::jsonb), ('counter-b', 2, '{"sum": 2}') $$,
    'a head has the version and the fold of its stream');

select is((select id from cqrs.events where position = 4), cqrs.derive_id(id(3), 'event:2'),
          'an event''s id derives from its command''s');

select is((select count(*) from toy.seen), 7::bigint, 'the projection saw every event');
select is((select max(batch) from toy.seen), 2::bigint, 'once per batch');

-- metadata

select is((select metadata from cqrs.events where position = 1),
    jsonb_build_object('command_id', id(1), 'correlation_id', id(1), 'user_id', 'alice'),
    'a command without correlation begins one');

select is(statuses(add(20, 'm', 1, '{"correlation_id": "c", "causation_id": "e", "traceparent": "t",
                                     "claims": {"sub": "alice", "x": null}, "user": "bob"}')), '{completed}', 'one with all');

select is((select metadata from cqrs.events where stream = 'counter-m'),
    jsonb_build_object('command_id', id(20), 'correlation_id', 'c', 'causation_id', 'e', 'traceparent', 't',
                       'claims', '{"sub": "alice", "x": null}'::jsonb, 'user_id', 'bob'),
    'has it with its event');

-- inbox

select results_eq('select status, version, code, message, detail from cqrs.inbox where id in (id(3), id(4)) order by id',
    $$ values ('completed', 3::bigint, null, null, null::jsonb),
              ('rejected', 1, 'too-late', 'It is too late.', '{"state": {"sum": 1}, "note": null}') $$,
    'outcomes are kept, with code, message and detail as the domain gave them');

select is((select version from cqrs.inbox where id = id(5)), 3::bigint, 'a command without events leaves the version');

-- notifications

select is((select array_agg(sequence order by sequence) from cqrs.notifications), upto(9),
          'sequence numbers are 1, 2, 3...');

create temp table told as
select * from run(add(30, 'n', 5000), command(31, 'counter-n', 'refuse'), add(32, 'n', 1, '{"user": null}'),
                  add(33, 'n', 7, '{"user": ""}'), add(34, 'n', 1, '{"user": "a \"q\" \\ ü"}'));

select is((select array_agg(row(ordinal, sequence, channel)::text order by ordinal, sequence) from told),
    array['(1,10,user:alice)', '(1,11,room:1)', '(1,12,room:2)', '(2,13,user:alice)', '(3,,)', '(4,,)',
          '(5,14,"user:a ""q"" \\ ü")'],
    'rows come by command and sequence; who has no user hears nothing; a notification without channel is none');

select is((select body - 'time' from told where sequence = 10),
    jsonb_build_object('specversion', '1.0', 'id', cqrs.derive_id(id(30), 'notification:1'), 'source', '/cqrs',
        'type', 'cqrs.command.completed', 'subject', 'counter-n', 'datacontenttype', 'application/json',
        'data', jsonb_build_object('id', id(30), 'command', 'add', 'stream', 'counter-n', 'version', 1)),
    'the issuer is told of the completion');

select is((select body - 'time' from told where sequence = 12),
    jsonb_build_object('specversion', '1.0', 'id', cqrs.derive_id(id(30), 'notification:3'), 'source', '/cqrs',
        'type', 'counter.moved', 'subject', 'counter-n', 'datacontenttype', 'application/json', 'data', '{"n": 5000}'::jsonb),
    'others of what the domain tells');

select is((select body->'data' from told where sequence = 13),
    jsonb_build_object('id', id(31), 'command', 'refuse', 'stream', 'counter-n', 'version', 1, 'code', 'too-late',
        'message', 'It is too late.', 'detail', '{"state": {"sum": 5000}, "note": null}'::jsonb),
    'the issuer is told why it was rejected');

select is((select body->>'type' from told where sequence = 13), 'cqrs.command.rejected', '... as a rejection');

select matches((select body->>'time' from told where sequence = 10), '^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$', 'the time is RFC 3339');

select results_eq('select sequence, channel, body::jsonb from cqrs.read_notifications(0, 9, 100)',
    'select sequence, channel, body from told where sequence is not null order by sequence',
    'what was returned can be read again');

select is((select array_agg(sequence) from cqrs.read_notifications(0, 11, 2)), '{12,13}', 'a piece at a time');
select is((select count(*) from cqrs.read_notifications(0, 14, 100)), 0::bigint, 'none after the last');
select ok((select bool_and(right(body, 1) = '}') from cqrs.notifications), 'a body ends with its brace, for the cursor to be put before');

-- large, and strange

select is((select count(*) from run(variadic array(select add(1000 + i, 'x' || i % 50) from generate_series(1, 1000) as i))),
    1000::bigint, 'a batch of a thousand');
select is(positions(), upto((select count(*) from cqrs.events)), 'is numbered without gaps');
select is((select count(*) from cqrs.streams as s
            where s.version is distinct from (select max(version) from cqrs.events as e where e.stream = s.stream)), 0::bigint,
    'and every head is at its last event');

select is(statuses(add(3000, E'\u00e4 ''"\\|$$ {}')), '{completed}', 'a stream''s name may hold any letter');
select is((select state from cqrs.streams where stream = E'counter-\u00e4 ''"\\|$$ {}'), '{"sum": 1}', 'and is kept as it is');

select throws_ok($$ update cqrs.events set data = '{}' $$, '42501', 'events are never changed or removed', 'even the owner can''t change events');

select finish();
