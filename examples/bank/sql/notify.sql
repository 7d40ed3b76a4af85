create or replace function bank.notify(event cqrs.event)
    returns setof cqrs.notification language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
declare
    owner text;
begin
    if event.type = 'transfer-received' then
        select a.owner into owner from bank.accounts as a where a.id = substr(event.stream, 9);

        if owner is distinct from event.metadata->>'user_id' then
            return next row('user:' || owner, 'account.money-received', jsonb_build_object(
                'account', substr(event.stream, 9), 'from', event.data->'from',
                'amount', event.data->'amount', 'by', event.metadata->'user_id'))::cqrs.notification;
        end if;

    elsif event.type = 'transfer-undone' then
        return next row('user:' || (event.metadata->>'user_id'), 'account.transfer-undone', jsonb_build_object(
            'account', substr(event.stream, 9), 'to', event.data->'from',
            'amount', event.data->'amount', 'reason', event.data->'reason'))::cqrs.notification;
    end if;
end $$;

comment on function bank.notify(cqrs.event) is 'Who hears of it beside the issuer: the owner whom money reaches, and the one whose transfer came back.';
