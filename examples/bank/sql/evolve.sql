create or replace function bank.effect(event cqrs.new_event)
    returns numeric language sql immutable
    return case
        when event.type in ('deposited', 'transfer-received', 'transfer-undone') then (event.data->>'amount')::numeric
        when event.type in ('withdrawn', 'transfer-sent') then -(event.data->>'amount')::numeric
        else 0
    end;

comment on function bank.effect(cqrs.new_event) is 'What an event does to the balance of its account.';


create or replace function bank.evolve(state jsonb, event cqrs.new_event)
    returns jsonb language sql immutable
    return case
        when event.type = 'opened' then
            jsonb_build_object('owner', event.data->>'owner', 'name', event.data->>'name', 'balance', 0)
        else
            jsonb_set(state, '{balance}', to_jsonb((state->>'balance')::numeric + bank.effect(event)))
    end;

comment on function bank.evolve(jsonb, cqrs.new_event) is 'An account''s state: owner, name, balance; null while it is not open.';
