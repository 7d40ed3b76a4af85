-- bank
-- The rules of the bank, one command at a time.

\ir lib/prelude.sql

select plan(52);

create sequence pg_temp.ids start 1;

-- the code of a rejection, or the events
create function pg_temp.say(stream text, type text, data jsonb, who text default 'alice', more jsonb default '{}') returns text language plpgsql as $$
declare
    n    integer := nextval('pg_temp.ids');
    said record;
begin
    perform public.run(public.command(n, 'account-' || stream, type, data, jsonb_build_object('user', who) || more));
    select i.status, i.code into said from cqrs.inbox as i where i.id = public.id(n);
    return coalesce(said.code, (select string_agg(e.type || ' ' || e.data::text, ', ' order by e.position)
                                  from cqrs.events as e where e.metadata->>'command_id' = public.id(n)::text), said.status);
end $$;

create function pg_temp.told() returns text language sql
    return (select message from cqrs.inbox order by recorded_at desc limit 1);

-- open

select is(pg_temp.say('a', 'deposit', '{"amount": 1}'), 'not-open', 'nothing is deposited before the account is open');
select is(pg_temp.told(), 'There is no account a.', '... in a sentence');
select is(pg_temp.say('a', 'withdraw', '{"amount": 1}'), 'not-open', 'nothing is withdrawn');
select is(pg_temp.say('a', 'transfer', '{"amount": 1, "to": "b"}'), 'not-open', 'nothing is transferred');
select is(pg_temp.say('a', 'open', '{}'), 'opened {"name": "a", "owner": "alice"}', 'an account is opened, for the one who asks');
select is(pg_temp.say('a', 'open', '{}'), 'already-open', 'once');
select is(pg_temp.say('b', 'open', '{"owner": "bob", "name": "  Bob''s savings "}'), 'opened {"name": "Bob''s savings", "owner": "bob"}', 'for somebody else, with a name');
select is(pg_temp.say('c', 'open', '{}', null), 'no-owner', 'not for nobody');
select is(pg_temp.say('c', 'open', '{"owner": ""}'), 'no-owner', 'nor for an empty name');
select is(pg_temp.say('a b', 'open', '{}'), 'invalid-account', 'the account''s name can be sent money to');
select is(pg_temp.say(repeat('x', 101), 'open', '{}'), 'invalid-account', '... so it isn''t too long either');

-- amounts

select is(pg_temp.say('a', 'deposit', '{}'), 'invalid-amount', 'no amount');
select is(pg_temp.say('a', 'deposit', '{"amount": "5"}'), 'invalid-amount', 'a text as an amount');
select is(pg_temp.say('a', 'deposit', '{"amount": null}'), 'invalid-amount', 'null as an amount');
select is(pg_temp.say('a', 'deposit', '{"amount": 0}'), 'invalid-amount', 'zero');
select is(pg_temp.say('a', 'deposit', '{"amount": -5}'), 'invalid-amount', 'less than zero');
select is(pg_temp.say('a', 'deposit', '{"amount": 0.001}'), 'invalid-amount', 'less than a cent');
select is(pg_temp.say('a', 'deposit', '{"amount": 1.005}'), 'invalid-amount', 'half a cent');
select is(pg_temp.say('a', 'deposit', '{"amount": 1000000000.01}'), 'invalid-amount', 'more than a billion');
select is(pg_temp.say('a', 'deposit', '{"amount": 1e1000}'), 'invalid-amount', 'far more than a billion');
select is(pg_temp.say('a', 'deposit', '{"amount": 1e-1000}'), 'invalid-amount', 'far less than a cent');
select is(pg_temp.say('a', 'deposit', '{"amount": 1000000000}'), 'deposited {"amount": 1000000000}', 'a billion');
select is(pg_temp.say('a', 'withdraw', '{"amount": 1000000000}'), 'withdrawn {"amount": 1000000000}', 'and back');

-- money in and out

select is(pg_temp.say('a', 'deposit', '{"amount": 20}', 'bob'), 'deposited {"amount": 20}', 'anybody may deposit');
select is(pg_temp.say('a', 'deposit', '{"amount": 0.50}'), 'deposited {"amount": 0.50}', 'cents, too');
select is(pg_temp.say('a', 'withdraw', '{"amount": 5}', 'bob'), 'not-owner', 'but only the owner withdraws');
select is(pg_temp.say('a', 'withdraw', '{"amount": 5}', null), 'not-owner', '... not somebody unknown');
select is(pg_temp.say('a', 'withdraw', '{"amount": 50}'), 'insufficient-funds', 'not more than there is');
select is(pg_temp.told(), 'The balance is 20.50, 50.00 was asked for.', '... in a sentence');
select is((select detail from cqrs.inbox where code = 'insufficient-funds'), '{"balance": 20.50, "amount": 50}', '... and for programs');
select is(pg_temp.say('a', 'withdraw', '{"amount": 20.5}'), 'withdrawn {"amount": 20.5}', 'but all there is');
select is(pg_temp.say('a', 'withdraw', '{"amount": 0.01}'), 'insufficient-funds', 'and then no cent');
select is(pg_temp.say('a', 'fly', '{"amount": 1}'), 'unknown-command', 'what a bank does not do');

-- transfers

select is(pg_temp.say('a', 'deposit', '{"amount": 100}'), 'deposited {"amount": 100}', 'some money to transfer');
select is(pg_temp.say('a', 'transfer', '{"amount": 5, "to": "b"}', 'bob'), 'not-owner', 'only the owner transfers');
select is(pg_temp.say('a', 'transfer', '{"amount": 5}'), 'invalid-destination', 'a transfer to nowhere');
select is(pg_temp.say('a', 'transfer', '{"amount": 5, "to": "no such-place!"}'), 'invalid-destination', 'a transfer to what is no account''s name');
select is(pg_temp.say('a', 'transfer', jsonb_build_object('amount', 5, 'to', repeat('x', 101))), 'invalid-destination', '... or too long a name');
select is(pg_temp.say('a', 'transfer', '{"amount": 5, "to": ["b"]}'), 'invalid-destination', '... or no name at all');
select is(pg_temp.say('a', 'transfer', '{"amount": 5, "to": "a"}'), 'invalid-destination', 'a transfer to itself');
select is(pg_temp.say('a', 'transfer', '{"amount": 500, "to": "b"}'), 'insufficient-funds', 'a transfer of more than there is');
select matches(pg_temp.say('a', 'transfer', '{"amount": 5, "to": "b", "transfer": "x"}'),
    '^transfer-sent \{"to": "b", "amount": 5, "transfer": "00000000-0000-8000-8000-0000000000\d\d"\}$', 'a transfer is sent, and named by its command');

-- the bank's own commands

select is(pg_temp.say('b', 'receive-transfer', '{"transfer": "t", "from": "a", "amount": 5}', 'bob'), 'not-allowed', 'nobody receives money by saying so');
select is(pg_temp.say('a', 'undo-transfer', '{"transfer": "t", "to": "b", "amount": 5}'), 'not-allowed', 'or takes a transfer back');
select is(pg_temp.say('b', 'receive-transfer', '{"transfer": "t", "from": "a", "amount": 5}', 'alice', '{"causation_id": "e"}'),
    'transfer-received {"from": "a", "amount": 5, "transfer": "t"}', 'the process manager says it for an event');
select is(pg_temp.say('z', 'receive-transfer', '{"transfer": "t", "from": "a", "amount": 5}', 'alice', '{"causation_id": "e"}'),
    'transfer-refused {"from": "a", "amount": 5, "reason": "There is no such account.", "transfer": "t"}', 'where nothing is open the money is refused');
select is(pg_temp.say('a', 'undo-transfer', '{"transfer": "t", "to": "z", "amount": 5, "reason": "r"}', 'alice', '{"causation_id": "e"}'),
    'transfer-undone {"to": "z", "amount": 5, "reason": "r", "transfer": "t"}', 'and comes back');

-- an account that has refused money can still be opened

select is(pg_temp.say('z', 'open', '{}'), 'opened {"name": "z", "owner": "alice"}', 'an account that has refused money can be opened');
select results_eq($$ select balance, version from api.accounts where id = 'z' $$, 'values (0::numeric, 2::bigint)', 'with nothing in it');

-- within a batch

select is(statuses(command(900, 'account-z', 'deposit', '{"amount": 10}'), command(901, 'account-z', 'withdraw', '{"amount": 7}'),
                   command(902, 'account-z', 'withdraw', '{"amount": 7}'), command(903, 'account-z', 'withdraw', '{"amount": 3}')),
    '{completed,completed,rejected,completed}', 'in a batch each command sees the balance that those before it left');

select results_eq($$ select version, type, amount, balance from api.transactions where account = 'z' order by version $$,
    $$ values (2::bigint, 'opened', 0::numeric, 0::numeric), (3, 'deposited', 10, 10), (4, 'withdrawn', -7, 3), (5, 'withdrawn', -3, 0) $$,
    'the statement has the balance after each line');
select results_eq('select id, owner, balance, version from api.accounts order by id', 'select * from bank.folded() order by id', 'the read tables are the fold of the log');

select finish();
