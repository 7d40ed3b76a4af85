-- partitions: 3
-- bank
-- Money is neither made nor lost, whatever comes in whatever order.

\ir lib/prelude.sql

select plan(20);

create sequence pg_temp.ids start 1;

-- runs commands on their partitions, in batches
create function pg_temp.execute(commands jsonb[]) returns void language sql as $$
    select count(*)
      from (select cqrs.partition_of(c->>'stream') as partition, jsonb_agg(c order by n) as batch
              from unnest(commands) with ordinality as x (c, n)
             group by 1) as b
     cross join lateral cqrs.execute(b.partition, public.epoch(b.partition), b.batch) as e
$$;

create temp table seen (partition integer primary key, position bigint);
insert into seen select partition, 0 from cqrs.partitions;

-- carries what process managers want, until they want nothing; each command comes twice
create function pg_temp.settle() returns integer language plpgsql as $$
declare
    wanted jsonb[];
    rounds integer := 0;
begin
    loop
        select array_agg(jsonb_build_object('id', r.id, 'stream', r.stream, 'type', r.type, 'data', r.data::jsonb, 'user', r.user_id,
                   'correlation_id', r.correlation_id, 'causation_id', r.causation_id) order by s.partition, r.position)
          into wanted
          from seen as s
         cross join lateral cqrs.react(s.partition,
               array(select e.position from cqrs.events as e where e.partition = s.partition and e.position > s.position)) as r;

        update seen as s set position = coalesce((select max(e.position) from cqrs.events as e where e.partition = s.partition), 0);
        exit when wanted is null;
        perform pg_temp.execute(wanted || wanted);
        rounds := rounds + 1;
    end loop;
    return rounds;
end $$;

create function pg_temp.say(stream text, type text, data jsonb, who text default 'alice') returns void language sql
    as $$ select pg_temp.execute(array[public.command(nextval('pg_temp.ids')::int, 'account-' || stream, type, data, jsonb_build_object('user', who))]) $$;

-- one transfer, step by step

select pg_temp.say('a', 'open', '{}') \g /dev/null
select pg_temp.say('b', 'open', '{}', 'bob') \g /dev/null
select pg_temp.say('a', 'deposit', '{"amount": 100}') \g /dev/null
select pg_temp.settle() \g /dev/null
select pg_temp.say('a', 'transfer', '{"amount": 30, "to": "b"}') \g /dev/null

select results_eq('select deposits, withdrawals, in_flight, balances, difference from bank.audit', 'values (100::numeric, 0::numeric, 30::numeric, 70::numeric, 0::numeric)',
    'what was sent and has not arrived is in flight');
select is(pg_temp.settle(), 1, 'it takes one more command');
select results_eq('select in_flight, balances, difference from bank.audit', 'values (0::numeric, 100::numeric, 0::numeric)', 'to arrive');
select results_eq('select account, type, amount, balance, counterparty from api.transactions where counterparty is not null order by account',
    $$ values ('a', 'transfer-sent', -30::numeric, 70::numeric, 'b'), ('b', 'transfer-received', 30, 30, 'a') $$, 'both statements name the other account');
select results_eq($$ select channel, body::jsonb->>'type', body::jsonb->>'subject', body::jsonb->'data' from cqrs.notifications where channel = 'user:bob' and body like '%account.%' $$,
    $$ values ('user:bob', 'account.money-received', 'account-b', '{"account": "b", "from": "a", "amount": 30, "by": "alice"}'::jsonb) $$,
    'the owner of the destination is told');
select is((select count(*) from cqrs.notifications where body like '%account.money%' and channel = 'user:alice'), 0::bigint, 'the issuer is told by the outcome only');

-- one that comes back

select pg_temp.say('a', 'transfer', '{"amount": 70, "to": "nobody"}') \g /dev/null
select is(pg_temp.settle(), 2, 'a transfer to an account that is not open takes two');
select results_eq('select in_flight, balances, difference from bank.audit', 'values (0::numeric, 100::numeric, 0::numeric)', 'to be back');
select results_eq($$ select type, amount, balance, counterparty, reason from api.transactions where account = 'a' order by version desc limit 2 $$,
    $$ values ('transfer-undone', 70::numeric, 70::numeric, 'nobody', 'There is no such account.'), ('transfer-sent', -70, 0, 'nobody', null) $$,
    'the statement says why');
select is((select body::jsonb->'data' from cqrs.notifications where body like '%account.transfer-undone%'),
    '{"account": "a", "to": "nobody", "amount": 70, "reason": "There is no such account."}', 'its owner is told why');

-- to one's own

select pg_temp.say('a2', 'open', '{}') \g /dev/null
select pg_temp.say('a', 'transfer', '{"amount": 10, "to": "a2"}') \g /dev/null
select is(pg_temp.settle(), 1, 'a transfer between one''s own accounts');
select is((select count(*) from cqrs.notifications where body like '%account.money%' and channel = 'user:alice'), 0::bigint, 'is no news to their owner');

-- a lot, at random; accounts 15 to 19 are not there

select setseed(0.4711) \g /dev/null

create temp table accounts as select 'r' || i as id, (array['alice', 'bob', 'carol'])[1 + i % 3] as owner from generate_series(0, 14) as i;
select pg_temp.say(id, 'open', '{}', owner) from accounts \g /dev/null

create function pg_temp.storm(count integer) returns void language sql as $$
    select pg_temp.execute(array_agg(public.command(nextval('pg_temp.ids')::int, 'account-' || a.id,
               (array['deposit', 'withdraw', 'transfer', 'transfer'])[1 + floor(random() * 4)::int],
               jsonb_build_object('amount', round((random() * 100 + 0.01)::numeric, 2), 'to', 'r' || floor(random() * 20)::int),
               jsonb_build_object('user', a.owner))))
      from generate_series(1, count) as i
     cross join lateral (select * from accounts where i > 0 order by random() limit 1) as a
$$;

select pg_temp.storm(300), pg_temp.settle(), pg_temp.storm(300), pg_temp.storm(300) \g /dev/null
select is((select difference from bank.audit), 0::numeric, 'after 900 commands no money is made or lost, with transfers in flight');
select cmp_ok((select in_flight from bank.audit), '>', 0::numeric, '... and there are some');
select pg_temp.settle() \g /dev/null
select results_eq('select in_flight, difference from bank.audit', 'values (0::numeric, 0::numeric)', 'when all has settled nothing is in flight');
select results_eq('select id, owner, balance, version from api.accounts order by id', 'select * from bank.folded() order by id', 'the read tables are the fold of the log');
select is((select array_agg(type) from (select distinct type from cqrs.events order by type) as e),
    '{deposited,opened,transfer-received,transfer-refused,transfer-sent,transfer-undone,withdrawn}', 'all kinds of events were among them');
select cmp_ok((select min(balance) from api.accounts), '>=', 0::numeric, 'no balance is below zero');

-- the projection: repeated, and made anew

create temp table before as select * from api.accounts;
create temp table lines as select * from api.transactions;

select cqrs.dispatch_project(array(select cqrs.opened_event(e) from cqrs.events as e where partition = 1)) \g /dev/null
select results_eq('select * from api.accounts order by id', 'select * from before order by id', 'a projection that is repeated changes nothing');

truncate bank.accounts, bank.transactions;
select cqrs.dispatch_project(array(select cqrs.opened_event(e) from cqrs.events as e where partition = p and position <= 100 order by position)),
       cqrs.dispatch_project(array(select cqrs.opened_event(e) from cqrs.events as e where partition = p and position > 100 order by position))
  from (values (2), (0), (1)) as x (p) \g /dev/null
select results_eq('select (select jsonb_agg(a order by id) from api.accounts as a) || (select jsonb_agg(t order by account, version) from api.transactions as t)',
    'select (select jsonb_agg(a order by id) from before as a) || (select jsonb_agg(t order by account, version) from lines as t)',
    'made anew from the log it is the same');

select finish();
