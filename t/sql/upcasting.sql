-- Events that were recorded in an older shape are seen in the newest one.

\ir lib/prelude.sql

select plan(14);

-- "add" was recorded as {"amount"} once (revision 1), and as "plus" before that (no type "added" yet)

create function toy.upcast(event cqrs.new_event) returns cqrs.new_event language sql stable as $$
    select case
        when event.type = 'plus' then
            row('added', pg_catalog.jsonb_build_object('n', event.data->'amount'), 2, event.subject, event.personal)::cqrs.new_event
        when event.revision = 1 then
            row(event.type, pg_catalog.jsonb_build_object('n', event.data->'amount'), 2, event.subject, event.personal)::cqrs.new_event
        else event end
$$;

create function toy.decide_old(state jsonb, command cqrs.command) returns cqrs.decision language sql
    return cqrs.accept(case command.type
        when 'plus' then cqrs.event('plus', pg_catalog.jsonb_build_object('amount', command.data->'n'))
        else cqrs.event('added', pg_catalog.jsonb_build_object('amount', command.data->'n'), 1) end);

create function toy.evolve_old(state jsonb, event cqrs.new_event) returns jsonb language sql
    return pg_catalog.jsonb_build_object('total', coalesce((state->'total')::int, 0) + (event.data->'amount')::int);

create function toy.decide_new(state jsonb, command cqrs.command) returns cqrs.decision language sql
    return case when command.type = 'look' then cqrs.reject('looked', state::text)
                else cqrs.accept(cqrs.event('added', pg_catalog.jsonb_build_object('n', command.data->'n'), 2)) end;

select cqrs.register('counter', 'toy.decide_old', 'toy.evolve_old') \g /dev/null
select is(statuses(command(1, 'counter-a', 'plus', '{"n": 5}'), add(2, 'a', 7), add(3, 'b')), '{completed,completed,completed}', 'events of old');
select is((select state from cqrs.streams where stream = 'counter-a'), '{"total": 12}', 'are folded as it was then');

select cqrs.register('counter', 'toy.decide_new', 'toy.evolve', react => 'toy.react', upcast => 'toy.upcast') \g /dev/null

select is((select array_agg(row(type, revision, data)::text order by position) from cqrs.events where stream = 'counter-a'),
    array['(plus,1,"{""amount"": 5}")', '(added,1,"{""amount"": 7}")'], 'the log keeps them as they were');
select is((select array_agg(row((o).type, (o).revision, (o).data)::text order by (o).position)
             from (select cqrs.opened_event(e) as o from cqrs.events as e where stream = 'counter-a') as e),
    array['(added,2,"{""n"": 5}")', '(added,2,"{""n"": 7}")'], 'the domain sees them in the newest shape');
select is((select array_agg(body::jsonb->'data' order by position) from cqrs.read_events(0, 0, 2)),
    array['{"n": 5}', '{"n": 7}']::jsonb[], 'so do those who get them from RabbitMQ');
select is((select array_agg(data::jsonb order by position) from cqrs.react(0, '{1, 2}') where type = 'add'),
    array['{"n": 5}', '{"n": 7}']::jsonb[], 'and process managers');
select is(cqrs.fold('counter-a'), '{"sum": 12}', 'and whoever folds them');

-- a state that was folded by the old evolve

select is(code(1, command(10, 'counter-a', 'look')), 'looked', 'a decision');
select is((select message from cqrs.inbox where id = id(10)), '{"total": 12}', 'is made on the state that is kept');
select is(cqrs.refold('counter'), 2::bigint, 'until all states are to be folded anew');
select is((select array_agg(row(folded, state is null)::text) from cqrs.streams), array['(0,t)', '(0,t)'], 'which waits until one is needed');
select is(statuses(add(11, 'a', 1)), '{completed}', 'then a decision');
select is((select array_agg(row(stream, folded, state)::text order by stream) from cqrs.streams),
    array['(counter-a,3,"{""sum"": 13}")', '(counter-b,0,)'], 'is made on the new one, which is kept');
select is(cqrs.refold('nothing'), 0::bigint, 'no stream of such a category');

select finish();
