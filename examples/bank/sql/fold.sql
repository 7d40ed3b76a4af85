create or replace function bank.fold_one(state jsonb, type text, data jsonb)
    returns jsonb language sql stable parallel safe
    return bank.evolve(state, cqrs.event(type, data));

comment on function bank.fold_one(jsonb, text, jsonb) is
    'bank.evolve as an aggregate takes it.';

create or replace aggregate bank.fold(type text, data jsonb) (sfunc = bank.fold_one, stype = jsonb);

comment on aggregate bank.fold(text, jsonb) is
    'The state that events make: bank.fold(type, data order by version).';


create or replace function bank.folded()
    returns table (id text, owner text, balance numeric, version bigint)
    language sql stable set search_path = pg_catalog, pg_temp
as $$
    select substr(f.stream, 9), f.state->>'owner', (f.state->>'balance')::numeric, f.version
      from (select e.stream, max(e.version) as version, bank.fold(e.type, e.data order by e.version) as state
              from cqrs.events as e
             where cqrs.category_of(e.stream) = 'account'
             group by e.stream) as f
     where f.state is not null
$$;

comment on function bank.folded() is
    'The accounts, folded from the log: what the read tables must be equal to.';
