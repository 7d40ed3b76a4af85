-- bank
-- What the daemon's and the module's roles may do, and what nobody may.

\ir lib/prelude.sql

-- the roles need pgTAP itself
grant usage on schema tap, public to cqrs_consumer, cqrs_reader;
grant execute on all functions in schema tap, public to cqrs_consumer, cqrs_reader;
create temp table may (who text, what text);
grant select on may to public;

select plan(50);

select is((select array_agg(rolname::text || rolcanlogin || rolsuper || rolcreaterole || rolcreatedb || rolbypassrls order by rolname)
             from pg_roles where rolname like 'cqrs\_%'),
    '{cqrs_consumertruefalsefalsefalsefalse,cqrs_readertruefalsefalsefalsefalse}', 'the roles may log in, and no more');

-- functions

select is((select array_agg(p.proname::text order by p.proname) from pg_proc as p
            where p.pronamespace = 'cqrs'::regnamespace and has_function_privilege('cqrs_consumer', p.oid, 'execute')),
    '{advance_checkpoint,append,append_decided,attend,check_handlers,claim_checkpoint,claim_partition,clean,derive_id,discard,execute,fail_projection,leave,list_parked,load,park,partition_count,partition_of,pending_projections,react,read_checkpoint,read_events,read_notifications,read_released,refuse_message,release,releases_due,run_projection}',
    'the consumer may call the daemon''s functions only');
select is((select array_agg(p.proname::text order by p.proname) from pg_proc as p
            where p.pronamespace = 'cqrs'::regnamespace and has_function_privilege('cqrs_reader', p.oid, 'execute')),
    '{partition_count}', 'the reader may call partition_count only');
select is((select count(*) from pg_proc as p where p.pronamespace = 'cqrs'::regnamespace
              and has_function_privilege('public', p.oid, 'execute')), 0::bigint, 'the public may call nothing');
select is((select array_agg(p.proname::text) from pg_proc as p
            where p.pronamespace = 'cqrs'::regnamespace and p.prosecdef and not coalesce(p.proconfig @> '{"search_path=pg_catalog, pg_temp"}', false)),
    null, 'who lends its rights has its search_path pinned');
select is((select array_agg(p.proname::text) from pg_proc as p
            where p.pronamespace in ('cqrs'::regnamespace, 'bank'::regnamespace) and obj_description(p.oid, 'pg_proc') is null),
    null, 'every function has a comment');
select is((select array_agg(c.relname::text) from pg_class as c
            where c.relnamespace in ('cqrs'::regnamespace, 'bank'::regnamespace, 'api'::regnamespace)
              and c.relkind in ('r', 'v', 'p') and obj_description(c.oid, 'pg_class') is null),
    null, 'every table and view has a comment');

-- tables

select is((select array_agg(r.rolname || ' ' || c.relname || ' ' || p.privilege)
             from pg_class as c
            cross join (values ('cqrs_consumer'), ('cqrs_reader'), ('public')) as r (rolname)
            cross join unnest('{select,insert,update,delete,truncate,references,trigger}'::text[]) as p (privilege)
            where c.relnamespace in ('cqrs'::regnamespace, 'bank'::regnamespace) and c.relkind in ('r', 'v', 'p')
              and has_table_privilege(r.rolname, c.oid, p.privilege)),
    null, 'neither role reaches a table of the store or the bank');
select is((select array_agg(c.relname || ' ' || p.privilege order by c.relname, p.privilege)
             from pg_class as c
            cross join unnest('{select,insert,update,delete,truncate,references,trigger}'::text[]) as p (privilege)
            where c.relnamespace = 'api'::regnamespace and has_table_privilege('cqrs_reader', c.oid, p.privilege)),
    '{accounts select,payees select,transactions select}', 'the reader reads the views of the bank');
select is((select array_agg(n.nspname || ' ' || r.rolname)
             from pg_namespace as n cross join (values ('cqrs_consumer'), ('cqrs_reader')) as r (rolname)
            where n.nspname in ('cqrs', 'bank', 'api') and has_schema_privilege(r.rolname, n.oid, 'create')),
    null, 'neither makes anything in a schema');

-- and in deed

set role cqrs_reader;
select lives_ok('select cqrs.partition_count()', 'the reader counts the partitions');
select lives_ok('select * from api.accounts', 'and reads the accounts');
select throws_ok('insert into api.accounts (id) values (1)', '42501', null, 'but makes none');
select throws_ok('update api.accounts set balance = 1e6', '42501', null, 'and changes none');
select throws_ok('delete from api.transactions', '42501', null, 'and removes nothing');
select throws_ok('select * from bank.accounts', '42501', null, 'or reads behind the views');
select throws_ok('select * from cqrs.events', '42501', null, 'or reads events');
select throws_ok('select * from cqrs.notifications', '42501', null, 'or notifications of others');
select throws_ok($$ select * from cqrs.execute(0, 0, '[]') $$, '42501', null, 'or executes');
select throws_ok($$ select * from cqrs.park(0, 0, '{}', 'x', 'x') $$, '42501', null, 'or parks');
select throws_ok($$ select * from cqrs.list_parked(null) $$, '42501', null, 'or sees what is parked');
select throws_ok($$ select * from cqrs.release(null) $$, '42501', null, 'or releases it');
select throws_ok($$ select cqrs.discard('00000000-0000-8000-8000-000000000002') $$, '42501', null, 'or discards it');
select throws_ok($$ select cqrs.claim_partition(0, 'me') $$, '42501', null, 'or claims a partition');
select throws_ok($$ select * from cqrs.claim_checkpoint('redis', 0, 'me') $$, '42501', null, 'or a checkpoint');
select throws_ok($$ select * from cqrs.read_events(0, 0, 1) $$, '42501', null, 'or relays events');
select throws_ok($$ select * from cqrs.read_notifications(0, 0, 1) $$, '42501', null, 'or notifications');
select throws_ok($$ select * from cqrs.react(0, '{1}') $$, '42501', null, 'or reacts');
select throws_ok($$ select cqrs.register('x', 'bank.decide', 'bank.evolve') $$, '42501', null, 'or registers');
select throws_ok($$ select bank.decide(null, null) $$, '42501', null, 'or calls the domain');
reset role;

set role cqrs_consumer;
select lives_ok($$ select cqrs.claim_partition(0, 'me') $$, 'the consumer claims a partition');
select lives_ok($$ select * from cqrs.execute(0, 1, '[{"id": "00000000-0000-8000-8000-000000000001", "stream": "account-1", "type": "open", "data": {}, "user": "bob"}]') $$, 'and executes');
select lives_ok($$ select * from cqrs.park(0, 1, '{"id": "00000000-0000-8000-8000-000000000002", "stream": "account-2", "type": "open", "data": {}}', 'XX999', 'x') $$, 'and parks');
select lives_ok($$ select * from cqrs.list_parked(null) $$, 'and lists what is parked');
select lives_ok($$ select * from cqrs.release('account-2') $$, 'and releases it');
select lives_ok($$ select cqrs.discard('00000000-0000-8000-8000-000000000002') $$, 'or discards it');
select lives_ok($$ select cqrs.releases_due(0, 'me'), cqrs.read_released(0, 10) $$, 'which it then finds');
select lives_ok($$ select * from cqrs.read_events(0, 0, 10) $$, 'and reads events');
select lives_ok($$ select * from cqrs.read_notifications(0, 0, 10) $$, 'and notifications');
select lives_ok($$ select * from cqrs.react(0, '{1}') $$, 'and reacts');
select lives_ok($$ select * from cqrs.claim_checkpoint('redis', 0, 'me') $$, 'and claims a checkpoint');
select lives_ok($$ select cqrs.advance_checkpoint('redis', 0, 1, 1) $$, 'and moves it');
select lives_ok($$ select cqrs.partition_of('account-1'), cqrs.partition_count(), cqrs.derive_id(null, 'x') $$, 'and knows ids and partitions');
select throws_ok('select * from cqrs.events', '42501', null, 'but reads no table');
select throws_ok($$ insert into cqrs.notifications values (0, 99, 'user:bob', '{}', now()) $$, '42501', null, 'writes none');
select throws_ok($$ update cqrs.partitions set epoch = 0 $$, '42501', null, 'changes none');
select throws_ok($$ select * from cqrs.record_batch(0, '[]', null, null, null, null) $$, '42501', null, 'and can''t go around execute');
select throws_ok($$ select cqrs.take_parked(null), cqrs.keep_parked(null, 'x', 'x') $$, '42501', null, 'or around the order of what is parked');
select throws_ok($$ select cqrs.register('x', 'bank.decide', 'bank.evolve') $$, '42501', null, 'or register');
reset role;

-- no table of the same name in front of ours

set role cqrs_consumer;
create temp table events (partition int, position bigint);
create temp table inbox (id uuid, status text);
select is((select status from cqrs.execute(0, 1, '[{"id": "00000000-0000-8000-8000-000000000003", "stream": "account-1", "type": "deposit", "data": {"amount": 5}, "user": "bob"}]')),
    'completed', 'a caller''s temporary tables are not mistaken for ours');
reset role;

select finish();
