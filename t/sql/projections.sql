-- partitions: 2
-- Projections: registering, running, replacing their tables.

\ir lib/prelude.sql

select plan(81);

create schema shown;
create table shown.sums (stream text primary key, n integer not null, events integer not null);
create function shown.project(events cqrs.event[]) returns void language plpgsql as $$
begin
    if exists (select from pg_catalog.unnest(events) as e where e.data->'n' = '13') then
        raise exception using errcode = 'XX013', message = 'thirteen';
    end if;
    insert into sums as s
    select e.stream, sum((e.data->'n')::int), count(*) from pg_catalog.unnest(events) as e group by e.stream
    on conflict (stream) do update set n = s.n + excluded.n, events = s.events + excluded.events;
end $$;
create function shown.pinned(events cqrs.event[]) returns void language plpgsql set search_path = shown as $$ begin end $$;
create function shown.bound(events cqrs.event[]) returns void language sql begin atomic select null; end;
create function shown.number(events cqrs.event[]) returns integer language sql as 'select 1';
create table shown.parts (n integer) partition by range (n);
create view shown.looks as select * from shown.sums;

create function pg_temp.to_partition(p integer) returns text language sql
    return (select i::text from generate_series(1, 1000) as i where cqrs.partition_of('counter-' || i) = p order by i limit 1);
create function pg_temp.add_to(n integer, p integer, amount integer) returns text language sql
as $$ select status from cqrs.execute(p, public.epoch(p), jsonb_build_array(add(n, pg_temp.to_partition(p), amount))) limit 1 $$;
create function pg_temp.sums() returns text language sql
as $$ select string_agg(s.n || '/' || s.events, ' ' order by cqrs.partition_of(s.stream)) from shown.sums as s $$;
create function pg_temp.register(variadic more text[] default '{}') returns void language plpgsql as $$
begin
    execute format('select cqrs.register_projection(''sums'', ''shown.project'', ''{sums}'', ''{counter}''%s)',
                   (select string_agg(', ' || m, '') from unnest(more) as m));
end $$;

-- what is refused

select throws_ok($$ select cqrs.register_projection('Sums', 'shown.project', '{sums}', '{counter}') $$, '22023',
    'a projection is named by a-z, 0-9 and _, at most 40, not "Sums"', 'a bad name');
select throws_ok($$ select cqrs.register_projection(repeat('a', 41), 'shown.project', '{sums}', '{counter}') $$, '22023', null, 'a name too long');
select throws_ok($$ select cqrs.register_projection(null, 'shown.project', '{sums}', '{counter}') $$, '22023', null, 'no name');
select throws_ok($$ select cqrs.register_projection('sums', 'shown.project', '{sums}', '{}') $$, '22023',
    'projection sums needs the categories whose events it shows', 'no categories');
select throws_ok($$ select cqrs.register_projection('sums', 'shown.project', '{sums}', '{counter,"my pet"}') $$, '22023', null, 'what is no category');
select throws_ok($$ select pg_temp.register($a$ mode => 'sometimes' $a$) $$, '22023', 'projection sums is inline or async, not "sometimes"', 'another mode');
select throws_ok($$ select pg_temp.register('revision => 0') $$, '22023', 'projection sums: a revision is 1 or more, not 0', 'a revision below 1');
select throws_ok($$ select cqrs.register_projection('sums', 'shown.projekt', '{sums}', '{counter}') $$, '42883',
    'projection sums: there is no function shown.projekt(cqrs.event[])', 'a function that is not there');
select throws_ok($$ select cqrs.register_projection('sums', 'shown.number', '{sums}', '{counter}') $$, '42P13',
    'projection sums: shown.number(cqrs.event[]) must return void', 'one with another result');
select throws_ok($$ select cqrs.register_projection('sums', 'shown.pinned', '{sums}', '{counter}') $$, '42P13',
    'projection sums: shown.pinned has a search_path of its own; it gets one from the store, that of its tables', 'one that pins its tables');
select throws_ok($$ select cqrs.register_projection('sums', 'shown.bound', '{sums}', '{counter}') $$, '42P13', null, 'one that is bound to its tables');
select throws_ok($$ select cqrs.register_projection('sums', 'shown.project', '{totals}', '{counter}') $$, '42P01',
    'projection sums: there is no table shown.totals', 'a table that is not there');
select throws_ok($$ select cqrs.register_projection('sums', 'shown.project', '{parts}', '{counter}') $$, '42809',
    'projection sums: shown.parts is no ordinary table', 'a partitioned one');
select throws_ok($$ select cqrs.register_projection('sums', 'shown.project', '{looks}', '{counter}') $$, '42809', null, 'a view');
select throws_ok($$ select cqrs.register_projection('sums', 'shown.project', '{shown.sums,toy.seen}', '{counter}') $$, '22023',
    'projection sums: its tables must be in one schema, not in shown and toy', 'tables in two schemas');
select throws_ok($$ select cqrs.register_projection('sums', 'shown.project', '{sums,shown.sums}', '{counter}') $$, '22023',
    'projection sums: table sums is named twice', 'a table named twice');
select throws_ok($$ select cqrs.register_projection('sums', 'shown.project', '{}', '{counter}') $$, '22023', null, 'an empty list');
select throws_ok($$ select cqrs.register_projection('sums', 'shown.project', '{a.b.c}', '{counter}') $$, '22023', null, 'what is no name of a table');
select throws_ok($$ select cqrs.register_projection('sums', 'shown.project', null, '{counter}', setup => 'toy.setup') $$, '42883', null, 'a setup function that is not there');
select is((select array_agg(name) from cqrs.projections), '{counter}', 'what was refused left nothing');

-- inline

select lives_ok($$ select pg_temp.register() $$, 'a projection is registered');
select results_eq($$ select stage, build, revision, project, schema, tables, categories, mode from cqrs.projections where name = 'sums' $$,
    $$ values ('current', 1, 1, 'shown.project', 'shown', '{sums}'::text[], '{counter}'::text[], 'inline') $$, 'with its tables');
select is(pg_temp.add_to(1, 0, 5) || pg_temp.add_to(2, 1, 7), 'completedcompleted', 'commands are executed');
select is(pg_temp.sums(), '5/1 7/1', 'and it shows their events at once');
select is((select count(*) from toy.seen), 2::bigint, 'as does the other projection of that category');
select lives_ok($$ select pg_temp.register() $$, 'it may be registered again');
select is((select proacl::text from pg_proc where proname = 'project_sums_1'), '{' || current_user || '=X/' || current_user || '}', 'nobody may call what calls it');
select is((select string_agg(mode || ' ' || behind, ',') from cqrs.projection_status where name = 'sums'), 'inline 0,inline 0', 'its status says that it is behind nothing');
select throws_ok($$ select cqrs.register_projection('others', 'shown.project', '{sums}', '{counter}') $$, '42710',
    'projection others: table shown.sums belongs to projection sums', 'two projections don''t share a table');
select throws_ok($$ select pg_temp.add_to(3, 0, 13) $$, 'XX013', 'thirteen', 'one that fails makes the command fail');

-- asynchronous

select lives_ok($$ select pg_temp.register($a$ mode => 'async' $a$) $$, 'it becomes asynchronous');
select is((select array_agg(position order by partition) from cqrs.projection_checkpoints where name = 'sums'), '{1,1}', 'and goes on where it was');
select is(pg_temp.add_to(4, 0, 1) || pg_temp.add_to(5, 0, 1), 'completedcompleted', 'commands are executed');
select is(pg_temp.sums(), '5/1 7/1', 'and it does not show their events yet');
select results_eq('select name, build, partition, behind from cqrs.pending_projections()', $$ values ('sums', 1, 0, 2::bigint), ('sums', 1, 1, 0) $$, 'it is known to be behind');
select throws_ok($$ select pg_temp.register($a$ mode => 'inline' $a$) $$, '55000', 'projection sums is 2 events behind: it can be inline when it has caught up', 'so it can''t be inline');
select results_eq($$ select * from cqrs.run_projection('sums', 1, 0, 1) $$, 'values (1, 2::bigint)', 'it is run for one event');
select is(pg_temp.sums(), '6/2 7/1', 'and shows that one');
select results_eq($$ select * from cqrs.run_projection('sums', 1, 0, 100) $$, 'values (1, 3::bigint)', 'it is run for what is left');
select results_eq($$ select * from cqrs.run_projection('sums', 1, 0, 100) $$, 'values (0, 3::bigint)', 'and then for nothing');
select is(pg_temp.sums(), '7/3 7/1', 'it shows each event once');
select is_empty($$ select * from cqrs.run_projection('sums', 2, 0, 100) $$, 'there is no other build');
select is_empty($$ select * from cqrs.run_projection('counter', 1, 0, 100) $$, 'and an inline one is not run');

select is(pg_temp.add_to(6, 0, 13), 'completed', 'what it can''t show does not make the command fail');
select throws_ok($$ select * from cqrs.run_projection('sums', 1, 0, 100) $$, 'XX013', 'thirteen', 'it fails');
select lives_ok($$ select cqrs.fail_projection('sums', 1, 0, 'XX013', 'thirteen') $$, 'which is recorded');
select is((select behind || code || message from cqrs.projection_status where name = 'sums' and code is not null), '1XX013thirteen', 'and can be read');
select is((select position from cqrs.projection_checkpoints where name = 'sums' and partition = 0), 3::bigint, 'it stands before that event');
create or replace function shown.project(events cqrs.event[]) returns void language plpgsql as $$
begin
    insert into sums as s
    select e.stream, sum((e.data->'n')::int), count(*) from pg_catalog.unnest(events) as e group by e.stream
    on conflict (stream) do update set n = s.n + excluded.n, events = s.events + excluded.events;
end $$;
select results_eq($$ select * from cqrs.run_projection('sums', 1, 0, 100) $$, 'values (1, 4::bigint)', 'mended it goes on');
select is((select count(*) from cqrs.projection_status where code is not null), 0::bigint, 'and the failure is forgotten');
select lives_ok($$ select pg_temp.register($a$ mode => 'inline' $a$) $$, 'having caught up it can be inline');
select is(pg_temp.add_to(7, 1, 1), 'completed', 'and then');
select is(pg_temp.sums(), '20/4 8/2', 'it shows events at once again');

-- what hangs on the tables, and goes with a rebuild

alter table shown.sums set (fillfactor = 50);
create index sums_of_some on shown.sums using btree (n, (events + 1)) where events > 0;
alter table shown.sums add constraint many check (events >= 0);
comment on table shown.sums is 'Sums.';
grant select on shown.sums to cqrs_reader with grant option;
grant update (n) on shown.sums to cqrs_reader;
alter table shown.sums enable row level security;
create policy own on shown.sums as restrictive for select to cqrs_reader using (n > 0);
create table shown.touched (stream text);
create function shown.touch() returns trigger language plpgsql as $$ begin insert into shown.touched values (new.stream); return new; end $$;
create trigger touch after insert on shown.sums for each row execute function shown.touch();
alter table shown.sums enable always trigger touch;
create view shown.strict with (security_barrier = true) as select stream from shown.sums where n > 0 with local check option;
create view shown.upon as select * from shown.strict;
grant select on shown.strict to cqrs_reader;
create function shown.sum_of(stream text) returns integer language sql stable begin atomic select s.n from shown.sums as s where s.stream = sum_of.stream; end;
comment on function shown.sum_of(text) is 'A sum.';

create function pg_temp.shape() returns table (line text) language sql as $$
    select pg_get_indexdef(i.indexrelid) from pg_index as i where i.indrelid = 'shown.sums'::regclass
    union all select conname || ' ' || pg_get_constraintdef(oid) from pg_constraint where conrelid = 'shown.sums'::regclass
    union all select relacl::text || reloptions::text || relrowsecurity || obj_description(oid) from pg_class where oid = 'shown.sums'::regclass
    union all select attname || attacl::text from pg_attribute where attrelid = 'shown.sums'::regclass
    union all select polname || polcmd::text || polpermissive || pg_get_expr(polqual, polrelid) || polroles::regrole[]::text from pg_policy where polrelid = 'shown.sums'::regclass
    union all select pg_get_triggerdef(oid) || tgenabled::text from pg_trigger where tgrelid = 'shown.sums'::regclass
    union all select relname || relacl::text || reloptions::text || pg_get_viewdef(oid) from pg_class where oid = 'shown.strict'::regclass
    union all select pg_get_functiondef('shown.sum_of'::regproc) || obj_description('shown.sum_of'::regproc)
    order by 1
$$;
create temp table before as select line from pg_temp.shape();
create temp table old as select 'shown.sums'::regclass::oid;
insert into shown.sums values ('counter-stray', 1, 1);

select lives_ok($$ select cqrs.begin_rebuild('sums') $$, 'a rebuild begins');
select is((select count(*) from cqrs_build_sums.sums), 0::bigint, 'with empty tables');
select lives_ok($$ select cqrs.rehearse_promotion('sums') $$, 'their promotion is rehearsed');
select is((select count(*) from shown.upon), 3::bigint, 'of which nothing is left');
select results_eq($$ select * from cqrs.step_rebuild('sums', 3) $$, 'values (3::bigint, 6::bigint, 3::bigint)', 'it makes a step');
select is(pg_temp.add_to(8, 0, 1), 'completed', 'events go on coming');
select lives_ok($$ select cqrs.promote_rebuild('sums') $$, 'the new tables take the place of the old ones');
select isnt('shown.sums'::regclass::oid, (select oid from old), 'they are others');
select is(pg_temp.sums(), '21/5 8/2', 'and hold what the log says');
select results_eq('select line from pg_temp.shape()', 'select line from before', 'constraints, indexes, grants, policies, triggers and options are the same');
select is((select count(*) from shown.upon), 2::bigint, 'views read the new ones');
select is(shown.sum_of('counter-' || pg_temp.to_partition(0)), 21, 'as do functions that are bound to their tables');
select is((select count(*) from shown.touched), 1::bigint, 'no trigger fired while the log was read');
select is(pg_temp.add_to(9, 0, 1), 'completed', 'the next event');
select is(pg_temp.sums(), '22/6 8/2', 'is in the new tables');
select lives_ok($$ select cqrs.finish_rebuild('sums') $$, 'the old ones are dropped');
select is((select array_agg(nspname::text) from pg_namespace where nspname like 'cqrs\_%'), null, 'and nothing is left');
select results_eq($$ select stage, build, revision from cqrs.projections where name = 'sums' $$, $$ values ('current', 2, 1) $$, 'it is another build of the same revision');
select is((select array_agg(proname::text order by 1) from pg_proc where proname like 'project\_sums\_%'), '{project_sums_2}', 'with one function that calls it');

-- what can't go with it is refused before anything is built

create table shown.refers (stream text references shown.sums);
select throws_ok($$ select cqrs.begin_rebuild('sums') $$, '55000',
    'projection sums can''t be rebuilt: constraint refers_stream_fkey on table shown.refers hangs on table shown.sums and can''t be made anew', 'a foreign key from elsewhere');
drop table shown.refers;
create materialized view shown.solid as select * from shown.sums;
select throws_like($$ select cqrs.begin_rebuild('sums') $$, 'projection sums can''t be rebuilt: rule _RETURN on materialized view shown.solid hangs on%', 'a materialized view');
drop materialized view shown.solid;
create function shown.whole(s shown.sums) returns integer language sql as 'select 1';
select throws_like($$ select cqrs.begin_rebuild('sums') $$, '%function shown.whole(shown.sums) hangs on%', 'a function of its rows');
drop function shown.whole(shown.sums);
alter table shown.sums add serial_number serial;
select throws_like($$ select cqrs.begin_rebuild('sums') $$, '%sequence shown.sums_serial_number_seq hangs on%', 'a sequence of its own');
alter table shown.sums drop serial_number;
select throws_ok($$ select cqrs.begin_rebuild('counter') $$, '55000', 'projection counter names no tables, so it can''t be rebuilt; see "tables" of cqrs.register', 'one without tables');
select throws_ok($$ select cqrs.begin_rebuild('nothing') $$, '42704', 'there is no projection nothing', 'one that is not there');
select is((select array_agg(nspname::text) from pg_namespace where nspname like 'cqrs\_%'), null, 'what was refused left nothing');

-- going

select lives_ok($$ select cqrs.unregister_projection('sums') $$, 'a projection is forgotten');
select is(pg_temp.add_to(10, 0, 1) || pg_temp.sums(), 'completed22/6 8/2', 'its tables stay as they are');

select finish();
