create or replace function bank.effect(type text, data jsonb)
    returns numeric language sql immutable parallel safe
    return case
        when type in ('deposited', 'transfer-received', 'transfer-undone') then (data->'amount')::numeric
        when type in ('withdrawn', 'transfer-sent')                        then -(data->'amount')::numeric
        else 0
    end;

comment on function bank.effect(text, jsonb) is
    'What an event does to the balance of its account.';


create or replace function bank.evolve(state jsonb, event cqrs.new_event)
    returns jsonb language sql stable parallel safe
    return case
        when event.type = 'opened' then
            jsonb_build_object('owner', event.data->'owner', 'name', event.data->'name', 'balance', 0)
        else
            jsonb_set(state, '{balance}', to_jsonb((state->'balance')::numeric + bank.effect(event.type, event.data)))
    end;

comment on function bank.evolve(jsonb, cqrs.new_event) is
    'The account after an event; null while it is not open.';
