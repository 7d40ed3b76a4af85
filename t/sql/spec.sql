-- bank
-- cqrs.spec: an example that holds is ok, one that does not says why.

\ir lib/prelude.sql

select plan(67);

create function pg_temp.opened() returns cqrs.new_event language sql
    as $$ select cqrs.event('opened', '{"owner": "alice", "name": "a"}') $$;
create function pg_temp.deposited(amount numeric) returns cqrs.new_event language sql
    as $$ select cqrs.event('deposited', jsonb_build_object('amount', amount)) $$;
create function pg_temp.said(amount numeric) returns cqrs.command language sql
    as $$ select cqrs.new_command('account-a', 'withdraw', jsonb_build_object('amount', amount), 'alice') $$;

-- the bank in its own words

select cqrs.spec('who has money withdraws it', 'account',
    given  => array[pg_temp.opened(), pg_temp.deposited(20)],
    "when" => pg_temp.said(5),
    "then" => cqrs.accept(cqrs.event('withdrawn', '{"amount": 5}')),
    state  => '{"owner": "alice", "name": "a", "balance": 15}');
select cqrs.spec('who has less does not', 'account', array[pg_temp.opened()], pg_temp.said(5),
    cqrs.reject('insufficient-funds', 'The balance is 0.00, 5.00 was asked for.', '{"balance": 0, "amount": 5}'),
    '{"owner": "alice", "name": "a", "balance": 0}');
select cqrs.spec('a rejection may be named by its code alone', 'account', array[pg_temp.opened()], pg_temp.said(5),
    cqrs.reject('insufficient-funds', null));
select cqrs.spec('given may be left empty', 'account', '{}', pg_temp.said(5), cqrs.reject('not-open', null), 'null');
select cqrs.spec('or null', 'account', null, pg_temp.said(5), cqrs.reject('not-open', 'There is no account a.'));
select cqrs.spec('a command may leave its stream out', 'account', null, cqrs.new_command(null, 'deposit', '{"amount": 1}'),
    cqrs.reject('not-open', 'There is no account 1.'));
select cqrs.spec('numbers are compared as such', 'account', array[pg_temp.opened(), pg_temp.deposited(20.0)], pg_temp.said(5.00),
    cqrs.accept(cqrs.event('withdrawn', '{"amount": 5}')));

-- what the store says itself

select cqrs.spec('what decide has no answer to is unknown', 'counter', null, cqrs.new_command('counter-1', 'fly'),
    cqrs.reject('unknown-command', 'There is no command fly.'), 'null');
select cqrs.spec('nobody decides for a category that is not there', 'pet', null, cqrs.new_command('pet-1', 'feed'),
    cqrs.reject('unknown-category', 'There is nothing called pet here.'));
select cqrs.spec('data is an object', 'counter', null, cqrs.new_command('counter-1', 'add', '5'),
    cqrs.reject('invalid-command', 'The data must be a JSON object.'));
select cqrs.spec('a stream has an id', 'counter', null, cqrs.new_command('counter-', 'add'), cqrs.reject('invalid-command', null));
select cqrs.spec('the version is that of the events given', 'account', array[pg_temp.opened(), pg_temp.deposited(20)],
    cqrs.new_command('account-a', 'withdraw', '{"amount": 5}', 'alice', expected_version => '1'),
    cqrs.reject('conflict', 'It was changed meanwhile: it is at version 2, not 1.', '{"version": 2, "expected_version": "1"}'));
select cqrs.spec('and the right one is accepted', 'account', array[pg_temp.opened(), pg_temp.deposited(20)],
    cqrs.new_command('account-a', 'withdraw', '{"amount": 5}', 'alice', expected_version => '2'),
    cqrs.accept(cqrs.event('withdrawn', '{"amount": 5}')));
select cqrs.spec('what may do nothing does nothing', 'counter', null, cqrs.new_command('counter-1', 'nothing'), cqrs.accept());

-- examples that do not hold

select check_test(cqrs.spec('rejected', 'account', array[pg_temp.opened(), pg_temp.deposited(20)], pg_temp.said(50),
    cqrs.accept(cqrs.event('withdrawn', '{"amount": 50}'))), false, 'a rejection instead of events', 'rejected', $$     given: opened {"name": "a", "owner": "alice"}
            deposited {"amount": 20}
      when: account-a withdraw {"amount": 50} by alice
  expected: withdrawn {"amount": 50}
       got: rejected insufficient-funds "The balance is 20.00, 50.00 was asked for." {"amount": 50, "balance": 20}
   differs: it was rejected$$);
select check_test(cqrs.spec('accepted', 'counter', null, cqrs.new_command('counter-1', 'twice'), cqrs.reject('too-late', null)),
    false, 'events instead of a rejection', 'accepted', $$     given: nothing
      when: counter-1 twice {}
  expected: rejected too-late
       got: added {"n": 1}
            added {"n": 1}
   differs: it was accepted$$);

create function pg_temp.differs(n integer) returns text language sql
    as $$ select '   differs: ' || (array['the code', 'the message', 'the detail', 'the type of event 1', 'the data of event 2',
        'the number of events: 2, not 1', 'the number of events: 2, not 3', 'the number of events: 0, not 1', 'the state',
        'it failed', 'the code, the message'])[n] || '$' $$;

select check_test(cqrs.spec('', 'account', null, pg_temp.said(5), cqrs.reject('no-money', null)), false, 'another code', null, pg_temp.differs(1), true);
select check_test(cqrs.spec('', 'account', null, pg_temp.said(5), cqrs.reject('not-open', 'No.')), false, 'another message', null, pg_temp.differs(2), true);
select check_test(cqrs.spec('', 'account', array[pg_temp.opened()], pg_temp.said(5), cqrs.reject('insufficient-funds', null, '{"balance": 1}')),
    false, 'another detail', null, pg_temp.differs(3), true);
select check_test(cqrs.spec('', 'account', null, pg_temp.said(5), cqrs.reject('not', 'No.')), false, 'more than one difference', null, pg_temp.differs(11), true);
select check_test(cqrs.spec('', 'counter', null, cqrs.new_command(null, 'twice'), cqrs.accept(cqrs.event('aded', '{"n": 1}'), cqrs.event('added', '{"n": 1}'))),
    false, 'another type', null, pg_temp.differs(4), true);
select check_test(cqrs.spec('', 'counter', null, cqrs.new_command(null, 'twice'), cqrs.accept(cqrs.event('added', '{"n": 1}'), cqrs.event('added', '{"n": "1"}'))),
    false, 'other data', null, pg_temp.differs(5), true);
select check_test(cqrs.spec('', 'counter', null, cqrs.new_command(null, 'twice'), cqrs.accept(cqrs.event('added', '{"n": 1}'))),
    false, 'an event too many', null, pg_temp.differs(6), true);
select check_test(cqrs.spec('', 'counter', null, cqrs.new_command(null, 'twice'),
    cqrs.accept(cqrs.event('added', '{"n": 1}'), cqrs.event('added', '{"n": 1}'), cqrs.event('added', '{"n": 1}'))),
    false, 'an event too few', null, pg_temp.differs(7), true);
select check_test(cqrs.spec('', 'counter', null, cqrs.new_command(null, 'nothing'), cqrs.accept(cqrs.event('added', '{"n": 1}'))),
    false, 'no event', null, pg_temp.differs(8), true);
select check_test(cqrs.spec('', 'counter', null, cqrs.new_command(null, 'twice'), cqrs.accept(cqrs.event('added', '{"n": 1}'), cqrs.event('added', '{"n": 1}')), '{"sum": 3}'),
    false, 'another state', null, $$     state: {"sum": 3}
 got state: {"sum": 2}
   differs: the state$$, true);
select check_test(cqrs.spec('', 'account', null, pg_temp.said(1), cqrs.reject('not-open', null), '{}'), false, 'no state', null, pg_temp.differs(9), true);
select check_test(cqrs.spec('', 'counter', null, cqrs.new_command(null, 'fail'), cqrs.reject('XX999', null)), false, 'a decide that raises', null,
    'got: XX999 this one always fails
' || pg_temp.differs(10), true);
select check_test(cqrs.spec('', 'counter', array[cqrs.event('added', '{"n": "x"}')], cqrs.new_command(null, 'nothing'), cqrs.accept()),
    false, 'an evolve that raises', null, pg_temp.differs(10), true);

-- from JSON

select cqrs.spec('account', '{"name": "an example has its name", "given": [{"type": "opened", "data": {"owner": "alice", "name": "a"}}],
    "when": {"stream": "account-a", "type": "deposit", "data": {"amount": 5}}, "then": {"events": [{"type": "deposited", "data": {"amount": 5}}]},
    "state": {"owner": "alice", "name": "a", "balance": 5}}');
select cqrs.spec('account', '{"name": "and may have its own id, cause and user", "when": {"type": "receive-transfer", "data": {"amount": 5},
    "causation_id": "e", "id": "00000000-0000-8000-8000-000000000009", "user": "bob"},
    "then": {"events": [{"type": "transfer-refused", "data": {"amount": 5, "reason": "There is no such account."}}]}, "state": null}');
select cqrs.spec('counter', '{"name": "or no events at all", "when": {"type": "nothing"}, "then": {"events": []}}');
select check_test(cqrs.spec('account', '{"name": "wrong", "when": {"type": "deposit", "data": {"amount": 5}}, "then": {"rejected": {"code": "not-open", "message": "No."}}}'),
    false, 'an example in JSON that does not hold', 'wrong', pg_temp.differs(2), true);

-- examples that say nothing

create function pg_temp.wrong(fixture jsonb, sentence text) returns text language sql
    as $$ select throws_ok(format('select cqrs.spec(%L, %L)', 'account', fixture), 'QS002', sentence, sentence) $$;

select pg_temp.wrong('{"name": "x", "then": {"events": []}}', 'spec "x" does not say when: the command');
select pg_temp.wrong('{"name": "x", "when": {"type": "open"}}', 'spec "x" does not say then: what is expected');
select pg_temp.wrong('{"name": "x", "when": {"type": "open"}, "then": {}}', 'spec "x": then must have either events or rejected, the latter with a code');
select pg_temp.wrong('{"name": "x", "when": {"type": "open"}, "then": {"rejected": {}}}', 'spec "x": then must have either events or rejected, the latter with a code');
select pg_temp.wrong('{"name": "x", "when": {"type": "open"}, "then": {"events": [], "rejected": {"code": "x"}}}', 'spec "x": then must have either events or rejected, the latter with a code');
select pg_temp.wrong('{"name": "x", "when": {"type": "open"}, "than": {"events": []}}', 'spec "x": it has a member "than", which means nothing');
select pg_temp.wrong('{"name": "x", "when": {"type": "open", "usr": "y"}, "then": {"events": []}}', 'spec "x": when has a member "usr", which means nothing');
select pg_temp.wrong('{"name": "x", "when": {"type": "open"}, "then": {"events": [{"typ": "y"}]}}', 'spec "x": event 1 of then has a member "typ", which means nothing');
select pg_temp.wrong('{"name": "x", "when": {"type": "open"}, "then": {"events": {}}}', 'spec "x": then is not an array of events');
select pg_temp.wrong('{"name": "x", "given": [5], "when": {"type": "open"}, "then": {"events": []}}', 'spec "x": event 1 of given is not an object');
select throws_ok($$ select cqrs.spec('x', 'account', null, cqrs.new_command('pet-1', 'feed'), cqrs.accept()) $$, 'QS002',
    'spec "x": stream pet-1 is not of category account', 'a stream of another category');

-- and nothing happens

select is((select count(*) from cqrs.events), 0::bigint, 'no event was written');
select is((select count(*) from cqrs.inbox), 0::bigint, 'and no outcome');
select is((select count(*) from bank.accounts) + (select count(*) from toy.seen), 0::bigint, 'no projection was called');

-- without pgTAP, which comes back at the end of the block

create function pg_temp.without_tap() returns text language plpgsql as $$
begin
    drop extension pgtap;
    return cqrs.spec('x', 'account', null, cqrs.new_command(null, 'open'), cqrs.accept());
exception when sqlstate 'QS002' then
    return sqlerrm;
end $$;

select pg_temp.without_tap() as without \gset
select is(:'without'::text, 'cqrs.spec says its results through pgTAP, which is not in this database', 'without pgTAP there is a sentence');

select finish();
