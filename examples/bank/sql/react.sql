create or replace function bank.react(event cqrs.event)
    returns setof cqrs.command language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
begin
    case event.type

    when 'transfer-sent' then
        return next cqrs.new_command('account-' || (event.data->>'to'), 'receive-transfer',
            jsonb_build_object('transfer', event.data->'transfer', 'from', substr(event.stream, 9),
                               'amount', event.data->'amount'));

    when 'transfer-refused' then
        return next cqrs.new_command('account-' || (event.data->>'from'), 'undo-transfer',
            jsonb_build_object('transfer', event.data->'transfer', 'from', substr(event.stream, 9),
                               'amount', event.data->'amount', 'reason', event.data->'reason'));

    else
        null;
    end case;
end $$;

comment on function bank.react(cqrs.event) is 'A transfer: what left one account arrives at the other, or comes back.';
