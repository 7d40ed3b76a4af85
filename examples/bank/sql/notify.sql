create or replace function bank.notify(event cqrs.event)
    returns setof cqrs.notification language sql stable parallel safe
begin atomic
    select 'user:' || a.owner, 'account.money-received', jsonb_build_object(
               'account', a.id, 'from', event.data->'from', 'amount', event.data->'amount',
               'by', event.metadata->'user_id')
      from bank.accounts as a
     where event.type = 'transfer-received'
       and a.id = substr(event.stream, 9)
       and a.owner is distinct from event.metadata->>'user_id'
    union all
    select 'user:' || a.owner, 'account.transfer-undone', jsonb_build_object(
               'account', a.id, 'to', event.data->'to', 'amount', event.data->'amount',
               'reason', event.data->'reason')
      from bank.accounts as a
     where event.type = 'transfer-undone'
       and a.id = substr(event.stream, 9);
end;

comment on function bank.notify(cqrs.event) is
    'Who hears of it beside the issuer: the owner whom money reaches, and the one whose transfer came back.';
