create or replace view bank.audit as
select coalesce(sum(amount) filter (where type = 'deposited'), 0)         as deposits,
       coalesce(sum(amount) filter (where type = 'withdrawn'), 0)         as withdrawals,
       coalesce(sum(amount) filter (where type = 'transfer-sent'), 0)
       - coalesce(sum(amount) filter (where type in ('transfer-received', 'transfer-undone')), 0)
                                                                          as in_flight,
       (select coalesce(sum(balance), 0) from bank.accounts)              as balances
  from (select type, (data->>'amount')::numeric as amount
          from cqrs.events
         where stream like 'account-%') as e;

comment on view bank.audit is 'Money is conserved: balances + in_flight = deposits - withdrawals.';
