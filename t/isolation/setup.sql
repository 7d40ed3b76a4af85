-- For the specs of t/isolation: the store as each permutation finds it, and short
-- names for what its steps do.  Accounts a and b are in partition 0, c in 1.

create schema isolation;

grant usage on schema isolation to cqrs_consumer;


-- Everything as after the installation, then owner "one" and an account of a and of c.

create procedure isolation.reset() language plpgsql as $$
declare
    name text;
begin
    set local session_replication_role = replica;    -- the log refuses to be truncated

    for name in select c.oid::regclass::text from pg_catalog.pg_class as c
                 where c.relkind in ('r', 'p') and not c.relispartition
                   and c.relnamespace in ('cqrs'::regnamespace, 'bank'::regnamespace)
                   and c.relname in ('events', 'streams', 'inbox', 'notifications', 'parked', 'checkpoints',
                                     'subjects', 'subject_streams', 'accounts', 'transactions')
    loop
        execute format('truncate %s restart identity', name);
    end loop;

    set local session_replication_role = origin;

    update cqrs.partitions set epoch = 0, owner = null;
    perform cqrs.claim_partition(partition, 'one') from cqrs.partitions;

    perform isolation.execute(1, isolation.command(1, 'a', 'open'));
    perform isolation.execute(1, isolation.command(2, 'c', 'open'));
end $$;


-- The same, and a projection of accounts whose revision 2 waits to be built.
create procedure isolation.reset_projection(mode text) language plpgsql as $$
begin
    perform cqrs.clear_rebuild('seen');
    perform cqrs.unregister_projection('seen');
    drop table if exists isolation.seen;

    create table isolation.seen (stream text, version bigint, revision integer default 1);

    perform cqrs.register_projection('seen', 'isolation.project', '{seen}', '{account}', mode);
    perform cqrs.register_projection('seen', 'isolation.project', '{seen}', '{account}', mode,
                                     setup => 'isolation.setup_2', revision => 2);

    call isolation.reset();
end $$;

create function isolation.project(events cqrs.event[]) returns void language plpgsql as $$
begin
    insert into seen (stream, version) select e.stream, e.version from unnest(events) as e;
end $$;

create function isolation.setup_2() returns void language plpgsql as $$
begin
    create table seen (stream text, version bigint, revision integer default 2);
end $$;


-- A category whose events say something personal of those who are met.  Person f is in
-- partition 0, person a in 1.  An asynchronous projection keeps what was said.

create table isolation.known (stream text, version bigint, name text);

create function isolation.know(events cqrs.event[]) returns void language plpgsql as $$
begin
    insert into known select e.stream, e.version, e.personal->>'name' from unnest(events) as e;
end $$;

create function isolation.forget(subject text) returns void language sql as $$
    update isolation.known as k set name = null
      from cqrs.events as e
     where e.stream = k.stream and e.version = k.version and e.subject = $1
$$;

create function isolation.decide_person(state jsonb, command cqrs.command) returns cqrs.decision language sql
    return cqrs.accept(variadic array(
        select cqrs.event('met', '{}', 1, m.subject, pg_catalog.jsonb_build_object('name', 'name of ' || m.subject))
          from pg_catalog.jsonb_array_elements_text(command.data->'whom') as m (subject)));

create function isolation.evolve_person(state jsonb, event cqrs.new_event) returns jsonb language sql
    return coalesce(state, '[]') || pg_catalog.jsonb_build_array(event.personal->'name');

create procedure isolation.reset_people() language plpgsql as $$
begin
    perform cqrs.unregister('person');
    perform cqrs.unregister_projection('known');
    truncate isolation.known;
    perform cqrs.register('person', 'isolation.decide_person', 'isolation.evolve_person', forget => 'isolation.forget');
    call isolation.reset();
    perform cqrs.register_projection('known', 'isolation.know', '{known}', '{person}', 'async');
end $$;

create function isolation.id(number integer) returns uuid language sql immutable
    return pg_catalog.format('00000000-0000-8000-8000-%s', pg_catalog.lpad(number::text, 12, '0'))::uuid;

-- What the daemon adds to a command that the broker delivers again.
create function isolation.redelivered() returns jsonb language sql immutable
    return '{"redelivered": true}'::jsonb;

-- The command number n, of Alice.
create function isolation.command(n integer, account text, type text, amount numeric default 1,
    expected_version text default null) returns jsonb language sql immutable
    return pg_catalog.jsonb_build_object('id', isolation.id(n), 'stream', 'account-' || account, 'type', type,
        'data', pg_catalog.jsonb_build_object('amount', amount), 'user', 'alice',
        'expected_version', expected_version);

create function isolation.meet(n integer, person text, variadic whom text[]) returns jsonb language sql immutable
    return pg_catalog.jsonb_build_object('id', isolation.id(n), 'stream', 'person-' || person, 'type', 'meet',
        'data', pg_catalog.jsonb_build_object('whom', whom), 'user', 'alice');

-- By the partition of the first command.
create function isolation.execute(epoch bigint, variadic commands jsonb[])
    returns table (ordinal integer, status text, duplicate boolean) language sql as $$
    select e.ordinal, e.status, e.duplicate
      from cqrs.execute(cqrs.partition_of(commands[1]->>'stream'), epoch, pg_catalog.to_jsonb(commands)) as e
$$;

-- Without the text of the fault, which names a constraint: 'ok' or the SQLSTATE.
create function isolation.attempt(epoch bigint, variadic commands jsonb[]) returns text language plpgsql as $$
begin
    perform isolation.execute(epoch, variadic commands);
    return 'ok';
exception when others then
    return sqlstate;
end $$;


create view isolation.log as
select e.partition, e.position, e.stream, e.version, e.type from cqrs.events as e order by 1, 2;

create view isolation.accounts as
select s.stream, s.version, s.state->>'balance' as folded, a.balance as projected
  from cqrs.streams as s
  left join bank.accounts as a on a.id = substr(s.stream, 9)
 order by 1;

-- What can be read of the events, their states, and what the projection keeps of them.
create view isolation.people as
select e.stream, e.version, e.subject, cqrs.generation_of(e.personal) as generation,
       cqrs.unseal(e.subject, e.personal)->>'name' as opened,
       case when s.folded = s.version then s.state->>(e.version::integer - 1) end as folded, k.name as projected
  from cqrs.events as e
  join cqrs.streams as s on s.stream = e.stream
  left join isolation.known as k on k.stream = e.stream and k.version = e.version
 where e.subject is not null
 order by 1, 2;

create view isolation.keys as
select s.subject, s.generation, s.key is null as erased from cqrs.subjects as s order by 1;

create view isolation.outcomes as
select right(i.id::text, 2) as command, i.status, i.version, i.code from cqrs.inbox as i order by 1;

create view isolation.told as
select n.partition, n.sequence, n.body::json->>'type' as type, right(n.body::json->'data'->>'id', 2) as command
  from cqrs.notifications as n order by 1, 2;

-- No table is named when it is made: the projection's is made for each permutation.
create function isolation.times() returns table (stream text, version bigint, revision integer, times bigint)
    language plpgsql as $$
begin
    return query
    select s.stream, s.version, s.revision, count(*) from isolation.seen as s group by 1, 2, 3;
end $$;

create view isolation.revisions as
select e.stream, e.version, t.revision, t.times
  from cqrs.events as e full join isolation.times() as t on t.stream = e.stream and t.version = e.version
 order by 1, 2;

grant select on all tables in schema isolation to cqrs_consumer;
