-- The log says what came in, what went out, and which transfers have left one account
-- and not arrived anywhere; the read tables say what is there.

create or replace view bank.audit as
with log as (
    select e.type, e.data->>'transfer' as transfer, (e.data->'amount')::numeric as amount
      from cqrs.events as e
     where cqrs.category_of(e.stream) = 'account'
), totals as (
    select coalesce(sum(l.amount) filter (where l.type = 'deposited'), 0) as deposits,
           coalesce(sum(l.amount) filter (where l.type = 'withdrawn'), 0) as withdrawals
      from log as l
), travelling as (
    select coalesce(sum(t.amount), 0) as in_flight
      from (select max(l.amount) as amount
              from log as l
             where l.transfer is not null
             group by l.transfer
            having count(*) filter (where l.type in ('transfer-received', 'transfer-undone')) = 0
               and count(*) filter (where l.type = 'transfer-sent') > 0) as t
), there as (
    select coalesce(sum(a.balance), 0) as balances
      from bank.accounts as a
)
select t.deposits, t.withdrawals, r.in_flight, b.balances,
       b.balances + r.in_flight - (t.deposits - t.withdrawals) as difference
  from totals as t, travelling as r, there as b;

comment on view   bank.audit            is 'Money is conserved: balances + in_flight = deposits - withdrawals.';
comment on column bank.audit.in_flight  is 'What left an account and has neither arrived nor come back yet.';
comment on column bank.audit.difference is 'Must be 0.';
