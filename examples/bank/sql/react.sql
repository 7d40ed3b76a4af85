create or replace function bank.react(event cqrs.event)
    returns setof cqrs.command language sql stable parallel safe
begin atomic
    select c.*
      from cqrs.new_command('account-' || (event.data->>'to'), 'receive-transfer', jsonb_build_object(
               'transfer', event.data->'transfer', 'from', substr(event.stream, 9),
               'amount', event.data->'amount')) as c
     where event.type = 'transfer-sent'
    union all
    select c.*
      from cqrs.new_command('account-' || (event.data->>'from'), 'undo-transfer', jsonb_build_object(
               'transfer', event.data->'transfer', 'to', substr(event.stream, 9),
               'amount', event.data->'amount', 'reason', event.data->'reason')) as c
     where event.type = 'transfer-refused';
end;

comment on function bank.react(cqrs.event) is
    'The process manager of transfers: what left one account arrives at the other, or comes back.';
