create or replace function bank.amount_of(data jsonb)
    returns numeric language sql immutable
    return case
        when jsonb_typeof(data->'amount') = 'number'
             and (data->>'amount')::numeric between 0.01 and 1e9
             and (data->>'amount')::numeric = round((data->>'amount')::numeric, 2)
        then (data->>'amount')::numeric
    end;

comment on function bank.amount_of(jsonb) is 'The amount of a command; null if it is none: more than 0, at most two decimals, at most a billion.';


create or replace function bank.decide(state jsonb, command cqrs.command)
    returns cqrs.decision language plpgsql immutable set search_path = pg_catalog, pg_temp
as $$
declare
    data     constant jsonb   := command.data;
    balance  constant numeric := (state->>'balance')::numeric;
    amount   numeric;
begin
    -- these two come from the process manager alone; see bank.react

    if command.type in ('receive-transfer', 'undo-transfer') and command.causation_id is null then
        return cqrs.reject('unknown-command', format('There is no command %s.', command.type));
    end if;

    if command.type = 'open' then
        if state is not null then
            return cqrs.reject('already-open', 'This account is open already.');
        end if;
        if command.user_id is null then
            return cqrs.reject('no-owner', 'Sign in to open an account.');
        end if;
        return cqrs.accept(cqrs.event('opened', jsonb_build_object(
            'owner', command.user_id,
            'name', left(coalesce(nullif(trim(data->>'name'), ''), substr(command.stream, 9)), 100))));
    end if;

    if command.type not in ('deposit', 'withdraw', 'transfer', 'receive-transfer', 'undo-transfer') then
        return cqrs.reject('unknown-command', format('There is no command %s.', command.type));
    end if;

    amount := bank.amount_of(data);

    if amount is null then
        return cqrs.reject('invalid-amount', 'The amount must be more than 0, with at most two decimals, and at most a billion.');
    end if;

    -- money that arrives where nothing is open must go back, so this is an event too

    if command.type = 'receive-transfer' then
        return cqrs.accept(case when state is null
            then cqrs.event('transfer-refused', data || '{"reason": "There is no such account."}')
            else cqrs.event('transfer-received', data) end);
    end if;

    if state is null then
        return cqrs.reject('not-open', 'There is no such account.');
    end if;

    if command.type = 'deposit' then
        return cqrs.accept(cqrs.event('deposited', jsonb_build_object('amount', amount)));
    end if;

    if command.type = 'undo-transfer' then
        return cqrs.accept(cqrs.event('transfer-undone', data));
    end if;

    if state->>'owner' is distinct from command.user_id then
        return cqrs.reject('not-owner', 'Only its owner can take money from an account.');
    end if;

    if command.type = 'transfer' then
        if coalesce(data->>'to', '') !~ '^[A-Za-z0-9_-]{1,100}$' then
            return cqrs.reject('invalid-destination', 'Say to which account the money should go.');
        end if;
        if data->>'to' = substr(command.stream, 9) then
            return cqrs.reject('invalid-destination', 'A transfer goes to another account.');
        end if;
    end if;

    if balance < amount then
        return cqrs.reject('insufficient-funds',
            format('The balance is %s, %s was asked for.',
                   to_char(balance, 'FM999999999990.00'), to_char(amount, 'FM999999999990.00')),
            jsonb_build_object('balance', balance, 'amount', amount));
    end if;

    if command.type = 'withdraw' then
        return cqrs.accept(cqrs.event('withdrawn', jsonb_build_object('amount', amount)));
    end if;

    return cqrs.accept(cqrs.event('transfer-sent', jsonb_build_object(
        'transfer', command.id, 'to', data->>'to', 'amount', amount)));
end $$;

comment on function bank.decide(jsonb, cqrs.command) is 'What a bank allows.';
