-- For each file of t/sql: pgTAP, a domain to play with, and short names.

\set QUIET on
\pset format unaligned
\pset tuples_only on

create schema tap;
create extension pgtap schema tap;
create schema toy;

set search_path = public, tap, pg_catalog;


-- A counter.  "add" counts n, "twice" makes two events, "fail" raises, "sleep" waits.

create table toy.seen (stream text, version bigint, type text, batch bigint);
create sequence toy.batch;

create function toy.decide(state jsonb, command cqrs.command) returns cqrs.decision language plpgsql as $$
begin
    case command.type
    when 'add' then
        return cqrs.accept(cqrs.event('added', jsonb_build_object('n', command.data->'n')));
    when 'twice' then
        return cqrs.accept(cqrs.event('added', '{"n": 1}'), cqrs.event('added', '{"n": 1}'));
    when 'nothing' then
        return cqrs.accept();
    when 'refuse' then
        return cqrs.reject('too-late', 'It is too late.', jsonb_build_object('state', state, 'note', null));
    when 'fail' then
        raise exception using errcode = 'XX999', message = 'this one always fails';
    when 'sleep' then
        perform pg_catalog.pg_sleep((command.data->>'s')::float);
        return cqrs.accept(cqrs.event('added', '{"n": 1}'));
    else
        return null;
    end case;
end $$;

create function toy.evolve(state jsonb, event cqrs.new_event) returns jsonb language sql
    return pg_catalog.jsonb_build_object('sum', coalesce((state->'sum')::int, 0) + (event.data->'n')::int);

create function toy.project(events cqrs.event[]) returns void language sql
begin atomic
    insert into toy.seen
    select e.stream, e.version, e.type, b.n
      from (select pg_catalog.nextval('toy.batch') as n) as b, pg_catalog.unnest(events) as e;
end;

create function toy.react(event cqrs.event) returns setof cqrs.command language sql stable
begin atomic
    select (cqrs.new_command('counter-echo', 'add', event.data)).* where event.stream <> 'counter-echo'
    union all
    select null, 'counter-other', 'nothing', '{}', 'root', '{"role": "boss"}', null, 'mine', null, 'tp', null
     where (event.data->'n')::int = 42;
end;

create function toy.notify(event cqrs.event) returns setof cqrs.notification language sql stable
begin atomic
    select 'room:1', 'counter.moved', event.data where (event.data->'n')::int > 100
    union all
    select 'room:2', 'counter.moved', event.data where (event.data->'n')::int > 1000
    union all
    select null, 'counter.moved', event.data where (event.data->'n')::int = 7;
end;

select cqrs.register('counter', 'toy.decide', 'toy.evolve', 'toy.project', 'toy.react', 'toy.notify') \g /dev/null


create function public.id(n integer) returns uuid language sql immutable
    return pg_catalog.format('00000000-0000-8000-8000-%s', pg_catalog.lpad(n::text, 12, '0'))::uuid;

create function public.command(n integer, stream text, type text, data jsonb default '{}', more jsonb default '{}')
    returns jsonb language sql immutable
    return pg_catalog.jsonb_build_object('id', public.id(n), 'stream', stream, 'type', type, 'data', data,
                                         'user', 'alice') || more;

create function public.add(n integer, stream text, amount integer default 1, more jsonb default '{}')
    returns jsonb language sql immutable
    return public.command(n, 'counter-' || stream, 'add', pg_catalog.jsonb_build_object('n', amount), more);

create function public.epoch(partition integer default 0) returns bigint language sql
    return (select p.epoch from cqrs.partitions as p where p.partition = $1);

-- one batch on partition 0
create function public.run(variadic commands jsonb[])
    returns table (ordinal integer, status text, duplicate boolean, sequence bigint, channel text, body jsonb)
    language sql
as $$ select e.ordinal, e.status, e.duplicate, e.sequence, e.channel, e.body::jsonb
        from cqrs.execute(0, public.epoch(), pg_catalog.to_jsonb(commands)) as e $$;

create function public.statuses(variadic commands jsonb[])
    returns text[] language sql
as $$ select array_agg(s.said order by s.ordinal)
        from (select distinct e.ordinal, e.status || case when e.duplicate then ' again' else '' end as said
                from public.run(variadic commands) as e) as s $$;

-- why the n-th of them was rejected
create function public.code(n integer, variadic commands jsonb[])
    returns text language sql
as $$ select e.body->'data'->>'code' from public.run(variadic commands) as e where e.ordinal = n $$;

create function public.versions(stream text) returns bigint[] language sql
    return (select array_agg(e.version order by e.position) from cqrs.events as e where e.stream = $1);

create function public.positions(partition integer default 0) returns bigint[] language sql
    return (select array_agg(e.position order by e.recorded_at, e.position) from cqrs.events as e where e.partition = $1);

create function public.upto(n bigint) returns bigint[] language sql
    return (select array_agg(i) from pg_catalog.generate_series(1, n) as i);
