-- Personal data is sealed with a key for each subject, and can't be read any more when that is destroyed.

\ir lib/prelude.sql

select plan(63);

-- "meet" says something personal of somebody; the last name that was heard is kept

create function toy.decide_person(state jsonb, command cqrs.command) returns cqrs.decision language sql
    return cqrs.accept(case command.type
        when 'meet' then cqrs.event('met', '{"n": 1}', 1, command.data->>'subject', command.data->'personal')
        else cqrs.event('added', '{"n": 1}') end);

create function toy.evolve_person(state jsonb, event cqrs.new_event) returns jsonb language sql stable
    return jsonb_build_object('n', coalesce((state->'n')::int, 0) + 1, 'name', coalesce(event.personal->'name', state->'name'));

create table toy.people (subject text, version bigint, stream text, name text, primary key (stream, version));
create function toy.project_people(events cqrs.event[]) returns void language plpgsql as $$
begin
    insert into people select e.subject, e.version, e.stream, e.personal->>'name' from unnest(events) as e;
end $$;

create function toy.forget(subject text) returns void language sql
    as $$ update toy.people as p set name = null where p.subject = $1 $$;

create function toy.react_person(event cqrs.event) returns setof cqrs.command language sql stable
begin atomic
    select (cqrs.new_command('counter-echo', 'greet', event.personal)).* where event.personal is not null;
end;

select cqrs.register('counter', 'toy.decide_person', 'toy.evolve_person', 'toy.project_people', react => 'toy.react_person',
                     forget => 'toy.forget', tables => '{toy.people}') \g /dev/null

create function meet(n integer, stream text, subject text, name text) returns jsonb language sql
    return command(n, 'counter-' || stream, 'meet',
                   jsonb_build_object('subject', subject, 'personal', jsonb_build_object('name', name)));

-- in which tables a word can be read
create function places(word text, schema regnamespace default 'cqrs') returns text[] language plpgsql as $$
declare
    item  record;
    found boolean;
    those text[];
begin
    for item in select c.oid::regclass as name, c.relname from pg_class as c
                 where c.relnamespace = schema and c.relkind = 'r' order by c.relname
    loop
        execute format('select exists (select from %s as t where strpos(t::text, $1) > 0 or strpos(t::text, $2) > 0)', item.name)
           into found using word, encode(convert_to(word, 'UTF8'), 'hex');
        those := case when found then array_append(those, item.relname::text) else those end;
    end loop;
    return those;
end $$;

create function wrong() returns text[] language sql
    as $$ select array_agg(l.what || ': ' || v.examples[1]) from cqrs.verify_list() as l, cqrs.verify(l.what, l.subject) as v where v.wrong > 0 $$;

create function names() returns text[] language sql
    as $$ select array_agg((o).personal->>'name' order by (o).position) from (select cqrs.opened_event(e) as o from cqrs.events as e) as e $$;


-- sealed

select is(statuses(meet(1, 'a', 'p1', 'Lovelace'), meet(2, 'a', 'p2', 'Hopper'), meet(3, 'b', 'p1', 'Byron'), add(4, 'a'), add(5, 'c')),
    '{completed,completed,completed,completed,completed}', 'commands make events with personal data');
select is(places('Lovelace'), null, 'which is in no table of the store');
select is(places('Hopper'), '{streams}', 'but in the state, if the domain keeps it there');
select is((select array_agg(subject || ' ' || octet_length(key) order by subject) from cqrs.subjects), '{p1 32,p2 32}', 'each subject has a key');
select is((select count(distinct key) from cqrs.subjects), 2::bigint, 'of its own');
select is((select count(distinct personal) from cqrs.events), 3::bigint, 'events without anything personal have nothing sealed');
select is(names(), '{Lovelace,Hopper,Byron,NULL,NULL}', 'it is opened for the domain');
select is((select array_agg(name order by stream, version) from toy.people), '{Lovelace,Hopper,NULL,Byron,NULL}', 'and for projections');
select is((select array_agg(data::jsonb->>'name' order by position) from cqrs.react(0, '{1, 2, 3, 4, 5}')), '{Lovelace,Hopper,Byron}', 'and for process managers');
select is((select count(*) from cqrs.read_events(0, 0, 10) where body ~ 'Lovelace|Hopper|Byron'), 0::bigint, 'but not for those who get events from RabbitMQ');
select is((select count(*) from cqrs.read_events(0, 0, 10) where position = 1 and body::jsonb->'data' = '{"n": 1}'), 1::bigint, 'who get the rest of them');
select is((select jsonb_agg(e->'personal' order by n) from jsonb_array_elements(cqrs.events_to_fold('counter-a')) with ordinality as e (e, n)),
    '[{"name": "Lovelace"}, {"name": "Hopper"}, null]', 'handlers in C get it, too');
select is(wrong(), null, 'and all agrees');

begin;
create or replace function cqrs.seal(events cqrs.event[]) returns bytea[] language plpgsql as 'begin raise division_by_zero; end';
create or replace function cqrs.unseal(subject text, sealed bytea) returns jsonb language plpgsql as 'begin raise division_by_zero; end';
select is(statuses(add(10, 'c')), '{completed}', 'a batch without anything personal has nothing to do with keys');
rollback;

select throws_ok($$ select run(command(11, 'counter-a', 'meet', '{"personal": {"name": "x"}}')) $$, '22023',
    'event met of stream counter-a has personal data, but no subject', 'personal data must be about somebody');
select throws_ok($$ select run(command(11, 'counter-a', 'meet', '{"subject": "p1", "personal": "x"}')) $$, '22023',
    'event met of stream counter-a has personal data, but it is no object', 'and an object');

select throws_ok($$ select cqrs.open_with(s.key, e.personal) from cqrs.events as e, cqrs.subjects as s where e.position = 1 and s.subject = 'p2' $$,
    '39000', null, 'another one''s key opens nothing');
select throws_ok($$ select cqrs.open_with(s.key, set_byte(e.personal, 60, 255 - get_byte(e.personal, 60))) from cqrs.events as e, cqrs.subjects as s
                     where e.position = 1 and s.subject = 'p1' $$, '39000', null, 'what was tampered with is not opened');


-- erased

select is((select row(e.*)::text from cqrs.erase('p1') as e), '(2,{},{})', 'a subject is erased: from two streams');
select is(places('Lovelace') || places('Byron') || places('Lovelace', 'toy') || places('Byron', 'toy'), null, 'it can be read nowhere any more');
select is(names(), '{NULL,Hopper,NULL,NULL,NULL}', 'nor be opened');
select is((select array_agg((o).subject order by (o).position) from (select cqrs.opened_event(e) as o from cqrs.events as e) as e),
    '{p1,p2,p1,NULL,NULL}', 'its events are still there, and whose they are');
select is((select row(key is null, erased_at is not null)::text from cqrs.subjects where subject = 'p1'), '(t,t)', 'the key is gone; when, is kept');
select is((select array_agg(data::jsonb->>'name' order by position) from cqrs.react(0, '{1, 2, 3, 4, 5}')), '{Hopper}', 'process managers get no more of it');
select is((select array_agg(stream || ' ' || folded || coalesce(' ' || (state->>'name'), '') order by stream) from cqrs.streams),
    '{counter-a 0,counter-b 0,"counter-c 1"}', 'its streams are to be folded anew, others not');
select is(statuses(add(20, 'a'), add(21, 'b')), '{completed,completed}', 'the next commands');
select is((select array_agg(state order by stream) from cqrs.streams), array['{"n": 4, "name": "Hopper"}', '{"n": 2, "name": null}', '{"n": 1, "name": null}']::jsonb[],
    'are decided on states without it');
select is(wrong(), null, 'and all agrees');
select is((select row(e.*)::text from cqrs.erase('p1') as e), '(2,{},{})', 'it may be repeated');
select throws_ok($$ select cqrs.erase('nobody') $$, '42704', 'there is nothing personal of "nobody" in this store, and never was',
    'a subject of whom there is nothing is told from one that was erased');

begin isolation level repeatable read;
select throws_ok($$ select cqrs.erase('p2') $$, 'QS002', null, 'in a transaction that might not see all of it nothing is erased');
rollback;


-- back again

select is(statuses(meet(30, 'a', 'p1', 'King')), '{completed}', 'something personal of it is recorded again');
select is(names(), '{NULL,Hopper,NULL,NULL,NULL,NULL,NULL,King}', 'it can be read, what was erased can''t');
select is((select array_agg(cqrs.generation_of(personal) order by position) from cqrs.events where subject = 'p1'), '{1,1,2}', 'for it has another key');
select is(wrong(), null, 'and all agrees');
select is((select streams from cqrs.erase('p1')), 2::bigint, 'it is erased again');
select is(names(), '{NULL,Hopper,NULL,NULL,NULL,NULL,NULL,NULL}', 'with the same effect');

select is((select checked from cqrs.verify('personal')), '4 sealed events, 3 of them erased', 'how much is sealed, and erased, can be asked');

create function found(fault text) returns text language plpgsql as $$
declare
    said text;
begin
    set local session_replication_role = replica;
    execute fault;
    select v.wrong || ' wrong: ' || v.examples[1] into said from cqrs.verify('personal') as v;
    raise sqlstate 'QS000';
exception when sqlstate 'QS000' then
    return said;
end $$;
select is(found($$ delete from cqrs.subjects where subject = 'p1' $$), '3 wrong: position 1 of partition 0 is sealed with a key that is not there',
    'keys that were lost are found');
select is(found($$ update cqrs.subjects set key = cqrs.new_key() where subject = 'p2' $$), '1 wrong: position 2 of partition 0 is not opened by the key of its subject',
    'and wrong ones');
select is(found($$ update cqrs.events set personal = set_byte(personal, 60, 255 - get_byte(personal, 60)) where position = 2 $$),
    '1 wrong: position 2 of partition 0 is not opened by the key of its subject', 'and what was tampered with');


-- said in examples

select cqrs.spec('counter', '{"name": "events of an example may be erased", "given": [
    {"type": "met", "data": {"n": 1}, "subject": "p1", "personal": {"name": "Ada"}},
    {"type": "met", "data": {"n": 1}, "subject": "p2", "personal": null}],
    "when": {"type": "meet", "data": {"subject": "p3", "personal": {"name": "Bob"}}},
    "then": {"events": [{"type": "met", "data": {"n": 1}, "revision": 1, "subject": "p3", "personal": {"name": "Bob"}}]},
    "state": {"n": 3, "name": "Bob"}}');

create function differs(title text, event cqrs.new_event, what text) returns setof text language sql as $$
    select check_test(cqrs.spec(title, 'counter', null, cqrs.new_command(null, 'meet', '{"subject": "p3", "personal": {"name": "Bob"}}'),
                                cqrs.accept(event)), false, title, title, format(
        $d$     given: nothing
      when: meet {"subject": "p3", "personal": {"name": "Bob"}}
  expected: %s
       got: met {"n": 1} of p3 {"name": "Bob"}
   differs: %s$d$, cqrs.spec_events(array[event]), what), true) $$;
select differs('another subject', cqrs.event('met', '{"n": 1}', 1, 'p4', '{"name": "Bob"}'), 'the subject of event 1');
select differs('nothing personal', cqrs.event('met', '{"n": 1}', 1, 'p3'), 'what is personal in event 1');
select differs('another revision', cqrs.event('met', '{"n": 1}', 2, 'p3', '{"name": "Bob"}'), 'the revision of event 1');
select is(c.fault, '22023 event met of stream counter-1 has personal data, but no subject', 'what the store would refuse is a fault')
  from cqrs.spec_run('counter', null, cqrs.new_command('counter-1', 'meet', '{"personal": {}}')) as c;


-- an older shape, in which the name was no personal data yet

create function toy.upcast_person(event cqrs.new_event) returns cqrs.new_event language sql stable
    return case when event.type = 'added' then row('met', '{"n": 1}'::jsonb, 2, 'p9', '{"name": "Old"}'::jsonb)::cqrs.new_event else event end;
begin;
select cqrs.register('counter', 'toy.decide_person', 'toy.evolve_person', upcast => 'toy.upcast_person') \g /dev/null
select is(names(), '{NULL,Hopper,NULL,Old,Old,Old,Old,NULL}', 'an upcast may say that something is personal');
select is((select count(*) from cqrs.read_events(0, 0, 10) where body ~ 'Old|Hopper'), 0::bigint, 'which is not published either');
rollback;


-- projections of categories that have no forget

select cqrs.register('counter', 'toy.decide_person', 'toy.evolve_person', 'toy.project_people') \g /dev/null
create function toy.project_other(events cqrs.event[]) returns void language sql as 'select';
select cqrs.register_projection('other', 'toy.project_other', null, '{counter,thing}') \g /dev/null
select cqrs.register_projection('away', 'toy.project_other', null, '{thing}') \g /dev/null

select cqrs.begin_rebuild('counter') \g /dev/null
select cqrs.step_rebuild('counter', 1000) \g /dev/null
select is((select array_agg(name) from cqrs_build_counter.people where name is not null), '{Hopper}', 'while a projection is rebuilt');
select is((select row(e.*)::text from cqrs.erase('p2') as e), '(1,{counter},{other})', 'an erasure names those that may show it, and those that can''t be rebuilt');
select is((select count(*) from cqrs_build_counter.people), 0::bigint, 'it makes the rebuild begin anew');
select is((select behind from cqrs.step_rebuild('counter', 1000)), 0::bigint, 'which comes to its end');
select is(places('Hopper', 'toy'), '{people}', 'until then what it had filled is there');
select cqrs.promote_rebuild('counter') \g /dev/null
select is(places('Hopper', 'cqrs_old_counter'), '{people}', 'a moment longer in the tables that were replaced');
select cqrs.erase('p2') \g /dev/null
select is(to_regnamespace('cqrs_old_counter'), null, 'which an erasure drops at once');
select cqrs.finish_rebuild('counter') \g /dev/null
select is(places('Hopper', 'toy') || places('Hopper'), null, 'then it can be read nowhere any more');
select is(wrong(), null, 'and all agrees');

select finish();
