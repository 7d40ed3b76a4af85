-- Registering a domain's functions.

\ir lib/prelude.sql

select plan(24);

create schema pet;
create function pet.decide(state jsonb, command cqrs.command) returns cqrs.decision language sql
    as $$ select cqrs.accept(cqrs.event('fed', command.data)) $$;
create function pet.evolve(state jsonb, event cqrs.new_event) returns jsonb language sql
    as $$ select pg_catalog.to_jsonb(coalesce(state::int, 0) + 1) $$;
create function pet.other_decide(state jsonb, command cqrs.command) returns cqrs.decision language sql
    as $$ select cqrs.reject('asleep', 'It sleeps.') $$;
create function pet.decide(state jsonb) returns cqrs.decision language sql as $$ select null::cqrs.decision $$;
create function pet.no_decision(state jsonb, command cqrs.command) returns jsonb language sql as $$ select '{}'::jsonb $$;
create function pet.one_notification(event cqrs.event) returns cqrs.notification language sql as $$ select null::cqrs.notification $$;
create function pet."Odd Name"(events cqrs.event[]) returns void language sql as $$ select null $$;

select is(code(1, command(1, 'pet-1', 'feed')), 'unknown-category', 'before it is registered nobody knows it');
select lives_ok($$ select cqrs.register('pet', 'pet.decide', 'pet.evolve') $$, 'decide and evolve are enough');
select is(statuses(command(2, 'pet-1', 'feed'), add(3, 'a'), command(4, 'pet-1', 'feed')), '{completed,completed,completed}', 'two categories in one batch');
select is((select array_agg(state::text order by stream) from cqrs.streams), '{"{\"sum\": 1}",2}', 'each is folded its way');
select is((select array_agg(distinct stream) from toy.seen), '{counter-a}', 'each projection has its own events');

select lives_ok($$ select cqrs.register('pet', decide => 'pet.other_decide', evolve => 'pet.evolve', project => 'pet."Odd Name"') $$, 'registering again');
select is(code(1, command(5, 'pet-1', 'feed')), 'asleep', 'replaces what was there, in this session too');
select is((select project from cqrs.categories where category = 'pet'), 'pet."Odd Name"', 'names are kept with their quotes');
select is(statuses(add(6, 'a')), '{completed}', 'the other category is as it was');

select lives_ok($$ select cqrs.unregister('pet') $$, 'a category is forgotten');
select is(code(1, command(7, 'pet-1', 'feed')), 'unknown-category', 'and then unknown');
select is(statuses(command(2, 'pet-1', 'feed')), '{"completed again"}', 'but its outcomes are kept');

-- what is refused

select throws_ok($$ select cqrs.register('Pet', 'pet.decide', 'pet.evolve') $$, '22023', 'a category is named by a-z, 0-9 and _, at most 63, not "Pet"', 'a bad name');
select throws_ok($$ select cqrs.register('my-pet', 'pet.decide', 'pet.evolve') $$, '22023', null, 'a name with a dash');
select throws_ok($$ select cqrs.register(null, 'pet.decide', 'pet.evolve') $$, '22023', null, 'no name');
select throws_ok($$ select cqrs.register('pet', 'pet.decide', null) $$, '22023', 'category pet needs decide and evolve, or neither if a handler in C decides', 'no evolve');
select throws_ok($$ select cqrs.register('pet', 'pet.decyde', 'pet.evolve') $$, '42883',
    'decide of category pet: there is no function pet.decyde(jsonb, cqrs.command)', 'a function that is not there');
select throws_ok($$ select cqrs.register('pet', 'pet.evolve', 'pet.evolve') $$, '42883', null, 'one with other arguments');
select throws_ok($$ select cqrs.register('pet', 'pet.no_decision', 'pet.evolve') $$, '42P13',
    'decide of category pet: pet.no_decision(jsonb, cqrs.command) must return cqrs.decision', 'one with another result');
select throws_ok($$ select cqrs.register('pet', 'pet.decide', 'pet.evolve', notify => 'pet.one_notification') $$, '42P13',
    'notify of category pet: pet.one_notification(cqrs.event) must return setof cqrs.notification', 'one row instead of a set');
select throws_ok($$ select cqrs.register('pet', 'decide; drop table cqrs.events', 'pet.evolve') $$, null, null, 'what is no name at all');
select is((select array_agg(category) from cqrs.categories), '{counter}', 'what was refused left nothing');

-- a domain that goes

drop schema pet cascade;
select is(statuses(add(8, 'a')), '{completed}', 'a domain that is dropped takes nothing with it');
select hasnt_function('pet', 'decide', 'and is gone');

select finish();
