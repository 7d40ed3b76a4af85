create or replace function bank.amount_of(data jsonb)
    returns numeric language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp
as $$
declare
    amount numeric;
begin
    if jsonb_typeof(data->'amount') is distinct from 'number' then
        return null;
    end if;

    amount := data->'amount';

    if amount > 0 and amount <= 1e9 and min_scale(amount) <= 2 then
        return amount;
    end if;

    return null;
end $$;

comment on function bank.amount_of(jsonb) is
    'The amount of a command; null if it is none: more than 0, at most two decimals, at most a billion.';


create or replace function bank.decide_open(state jsonb, account text, owner text, name text)
    returns cqrs.decision language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp
as $$
begin
    if state is not null then
        return cqrs.reject('already-open', format('Account %s is open already.', account));
    end if;

    if account !~ '^[A-Za-z0-9_-]+$' or length(account) > 100 then
        return cqrs.reject('invalid-account',
            'The name of an account has letters, digits, - and _ only, and at most 100 of them.');
    end if;

    if coalesce(owner, '') = '' or length(owner) > 100 then
        return cqrs.reject('no-owner', 'Sign in to open an account.');
    end if;

    return cqrs.accept(cqrs.event('opened', jsonb_build_object(
        'owner', owner,
        'name', left(coalesce(nullif(btrim(name), ''), account), 100))));
end $$;

comment on function bank.decide_open(jsonb, text, text, text) is
    'Whether an account may be opened.';


create or replace function bank.decide(state jsonb, command cqrs.command)
    returns cqrs.decision language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp
as $$
declare
    account constant text  := substr(command.stream, 9);
    data    constant jsonb := command.data;
    amount  numeric;
    balance numeric;
begin
    if command.type = 'open' then
        return bank.decide_open(state, account, coalesce(data->>'owner', command.user_id), data->>'name');
    end if;

    if command.type not in ('deposit', 'withdraw', 'transfer', 'receive-transfer', 'undo-transfer') then
        return cqrs.reject('unknown-command', format('There is no command %s.', command.type));
    end if;

    -- what the process manager says has an event as its cause, what a customer says has none

    if command.type in ('receive-transfer', 'undo-transfer') and command.causation_id is null then
        return cqrs.reject('not-allowed', format('The command %s is the bank''s own.', command.type));
    end if;

    amount := bank.amount_of(data);

    if amount is null then
        return cqrs.reject('invalid-amount',
            'The amount must be a number above 0, with at most two decimals, and at most a billion.');
    end if;

    -- money that arrives where nothing is open must go back: that is something that happens, too

    if command.type = 'receive-transfer' then
        return cqrs.accept(case when state is null
            then cqrs.event('transfer-refused', data || '{"reason": "There is no such account."}')
            else cqrs.event('transfer-received', data) end);
    end if;

    if state is null then
        return cqrs.reject('not-open', format('There is no account %s.', account));
    end if;

    if command.type = 'deposit' then
        return cqrs.accept(cqrs.event('deposited', jsonb_build_object('amount', amount)));
    end if;

    if command.type = 'undo-transfer' then
        return cqrs.accept(cqrs.event('transfer-undone', data));
    end if;

    -- what takes money away

    if state->>'owner' is distinct from command.user_id then
        return cqrs.reject('not-owner', 'Only its owner can take money from an account.');
    end if;

    if command.type = 'transfer' then
        if coalesce(data->>'to', '') !~ '^[A-Za-z0-9_-]+$' or length(data->>'to') > 100 then
            return cqrs.reject('invalid-destination', 'Say to which account the money should go.');
        end if;

        if data->>'to' = account then
            return cqrs.reject('invalid-destination', 'A transfer goes to another account.');
        end if;
    end if;

    balance := state->'balance';

    if balance < amount then
        return cqrs.reject('insufficient-funds',
            format('The balance is %s, %s was asked for.', balance::numeric(20, 2), amount::numeric(20, 2)),
            jsonb_build_object('balance', balance, 'amount', amount));
    end if;

    return cqrs.accept(case command.type when 'withdraw'
        then cqrs.event('withdrawn', jsonb_build_object('amount', amount))
        else cqrs.event('transfer-sent', jsonb_build_object(
                 'transfer', command.id, 'to', data->>'to', 'amount', amount)) end);
end $$;

comment on function bank.decide(jsonb, cqrs.command) is
    'What the bank allows. State: owner, name, balance; null while the account is not open.';
