-- A batch may hold several events of one account: the balance after each is the one
-- before the batch and the running sum.  An account that was never opened can have
-- events too (transfers that it refused), but no place in the read tables.
--
-- The tables have no schema here: the store says where they are, since it also fills
-- others with this function when the projection is rebuilt or verified.

create or replace function bank.project(events cqrs.event[])
    returns void language plpgsql
as $$
begin
    insert into accounts (id, owner, name, balance, version, opened_at, updated_at)
    select substr(e.stream, 9), e.data->>'owner', e.data->>'name', 0, 0, e.recorded_at, e.recorded_at
      from unnest(events) as e
     where e.type = 'opened'
    on conflict (id) do nothing;

    with new as materialized (
        select a.id, a.balance, e.version, e.recorded_at, e.type, e.data, bank.effect(e.type, e.data) as amount
          from unnest(events) as e
          join accounts as a on a.id = substr(e.stream, 9)
         where e.version > a.version
    ), lines as (
        insert into transactions (account, version, at, type, amount, balance, counterparty, reason)
        select n.id, n.version, n.recorded_at, n.type, n.amount,
               n.balance + sum(n.amount) over (partition by n.id order by n.version),
               coalesce(n.data->>'to', n.data->>'from'), n.data->>'reason'
          from new as n
    )
    update accounts as a
       set balance = a.balance + n.amount, version = n.version, updated_at = n.recorded_at
      from (select n.id, sum(n.amount) as amount, max(n.version) as version, max(n.recorded_at) as recorded_at
              from new as n
             group by n.id) as n
     where a.id = n.id;
end $$;

comment on function bank.project(cqrs.event[]) is
    'Refreshes the read tables; may be repeated.';
