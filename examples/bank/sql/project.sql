-- A batch may hold several events of one account, so the balance after each is the
-- balance before the batch and the running sum.  An account that was never opened
-- has events too (a transfer that it refused) and no place in the read tables.

create or replace function bank.project(events cqrs.event[])
    returns void language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
    insert into bank.accounts (id, owner, name, balance, version, opened_at, updated_at)
    select substr(e.stream, 9), e.data->>'owner', e.data->>'name', 0, e.version, e.recorded_at, e.recorded_at
      from unnest(events) as e
     where e.type = 'opened'
    on conflict (id) do nothing;

    insert into bank.transactions (account, version, at, type, amount, balance, counterparty, reason)
    select a.id, e.version, e.recorded_at, e.type, f.effect,
           a.balance + sum(f.effect) over (partition by e.stream order by e.version),
           coalesce(e.data->>'to', e.data->>'from'), e.data->>'reason'
      from unnest(events) as e
      join bank.accounts as a on a.id = substr(e.stream, 9)
      cross join lateral (select bank.effect(row(e.type, e.data)::cqrs.new_event)) as f (effect)
     where e.type <> 'transfer-refused'
    on conflict (account, version) do nothing;

    update bank.accounts as a
       set balance = a.balance + e.effect, version = e.version, updated_at = e.recorded_at
      from (select substr(e.stream, 9) as id, max(e.version) as version, max(e.recorded_at) as recorded_at,
                   sum(bank.effect(row(e.type, e.data)::cqrs.new_event)) as effect
              from unnest(events) as e
             group by e.stream) as e
     where a.id = e.id;
end $$;

comment on function bank.project(cqrs.event[]) is 'Refreshes the read tables, set by set.';
